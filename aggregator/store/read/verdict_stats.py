"""What became of a source's texts: how many were what, and why one was not simply taken."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, func, or_, select

from aggregator.model.core import Entry, FrozenStruct
from aggregator.store import codecs
from aggregator.store.tables import entry, in_parts, refusal


class ProblemText(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """A text that was not simply taken. `page_verdict`: of its page, which failed."""

    at: dt.datetime
    title: str
    url: str | None
    verdict: str
    page_verdict: str | None
    reason: str | None


def problem_texts(connection: Connection, source: str, limit: int) -> list[ProblemText]:
    """The newest texts of `source` that were refused, are stubs, or whose page failed; newest first."""
    entries = (
        select(entry.c.accepted_at, entry.c.url, entry.c.verdict, entry.c.page_verdict, entry.c.reason,
               entry.c.payload)
        .where(entry.c.source == source, or_(entry.c.verdict != "ok", entry.c.page_verdict.is_not(None)))
        .order_by(entry.c.n.desc())
        .limit(limit)
    )  # fmt: skip
    rejected = (
        select(refusal.c.at, refusal.c.item, refusal.c.verdict, refusal.c.reason)
        .where(refusal.c.source == source)
        .order_by(refusal.c.at.desc())
        .limit(limit)
    )
    found = [
        ProblemText(
            at=row.accepted_at,
            title=codecs.decompress_struct(row.payload, Entry).title,
            url=row.url,
            verdict=row.verdict,
            page_verdict=row.page_verdict,
            reason=row.reason,
        )
        for row in connection.execute(entries)
    ]
    found += [
        ProblemText(
            at=row.at, title=row.item, url=None, verdict=row.verdict, page_verdict=None, reason=row.reason
        )
        for row in connection.execute(rejected)
    ]
    return sorted(found, key=lambda one: one.at, reverse=True)[:limit]


def verdicts_by_source(
    connection: Connection, sources: Iterable[str] | None = None
) -> dict[str, dict[str, int]]:
    """Source to verdict to count, the most frequent first; all sources where `sources` is None.

    Of articles as they first came (another reading of one is not counted again), placed or refused, and of
    what could not even become an entry. Where an entry's page
    failed and its own text was taken, the verdict is that of the text.
    """
    return _counted(connection, sources, "verdict", with_refusals=True)


def page_verdicts_by_source(
    connection: Connection, sources: Iterable[str] | None = None
) -> dict[str, dict[str, int]]:
    """The same for pages that failed, so that the entry's own text was taken: walls show here."""
    return _counted(connection, sources, "page_verdict", with_refusals=False)


def describe_counts(counts: Mapping[str, int]) -> str:
    """Counts in one line, the most frequent first: "212 ok, 9 stub, 3 paywall"."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {verdict}" for verdict, count in ordered)


def _counted(
    connection: Connection, sources: Iterable[str] | None, column: str, *, with_refusals: bool
) -> dict[str, dict[str, int]]:
    counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
    verdict = entry.c[column]
    statements = [
        select(entry.c.source.label("source"), verdict, func.count())
        .where(verdict.is_not(None), ~entry.c.revises)
        .group_by(entry.c.source, verdict)
    ]
    if with_refusals:
        refused = select(refusal.c.source.label("source"), refusal.c.verdict, func.count())
        statements.append(refused.group_by(refusal.c.source, refusal.c.verdict))
    wanted = None if sources is None else sorted(set(sources))
    parts = [None] if wanted is None else list(in_parts(wanted))
    for statement in statements:
        of = statement.selected_columns.source
        for part in parts:
            asked = statement if part is None else statement.where(of.in_(part))
            for row in connection.execute(asked):
                counted[row[0]][row[1]] += row[2]
    return {
        source: dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
        for source, counts in sorted(counted.items())
    }
