"""The list of sources with their health, problem texts of a source, and counts of rows."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, or_, select

from aggregator.config.messages import counted
from aggregator.model.core import Entry, FrozenStruct
from aggregator.model.errors import UsageError
from aggregator.model.health_report import (
    decay_rate,
    expected_gap_seconds,
    silence_seconds,
)
from aggregator.model.read_model import IN_TROUBLE, SourcePage, SourceState, SourceView
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.intake.identify import distrusted
from aggregator.store.intake.sources import Source, all_sources
from aggregator.store.read import health_probes
from aggregator.store.tables import (
    article,
    change,
    command,
    correction,
    count_rows,
    entry,
    outbox,
    rejected_input,
    source,
    story,
    tombstone,
)

_FLOOD_SHOWN_DAYS = 7.0  # days that a flood is shown as health

# Explanations of causes; the stored detail follows, unless it says the same.
_MEANINGS = {
    "dns": "DNS lookup failed",
    "connect": "connection failed",
    "tls": "TLS connection failed",
    "timeout": "timed out",
    "protocol": "invalid response",
    "too_large": "response too large",
    "encoding": "response cannot be decompressed",
    "redirect": "redirect failed",
    "refused": "address blocked",
    "address": "invalid address",
    "login": "login refused",
    "folder": "folder not opened",
    "no feed": "no feed at this address",
    "asked to wait": "its host asked to wait",
    "memory": "the parser ran out of memory",
    "died": "the parser crashed",
    "failed": "the parser failed",
}


class SourceHealth(NamedTuple):
    """The health of a source. `cause`: a short identifier, "" if it is ok; `words`: a sentence for people."""

    state: SourceState
    cause: str = ""
    words: str = ""
    # New entries, a mean over about a week; None where it is not known yet
    per_day: float | None = None


def health_of(source: Source, now: dt.datetime) -> SourceHealth:
    """Return the health of `source` at `now`."""
    known = source.per_day_at is not None
    rate = decay_rate(source.per_day, source.per_day_at, now) if known else None
    return _condition(source, now)._replace(per_day=rate)


def _condition(source: Source, now: dt.datetime) -> SourceHealth:
    if source.paused:
        return SourceHealth("paused", words=source.health_cause or "")
    if source.health == "merged":
        words = (
            f"has the same feed as source {source.merged_into}, which is polled instead"
        )
        return SourceHealth("merged", "moved", words)
    if source.health == "gone":
        since = "" if source.gone_since is None else f" since {_day(source.gone_since)}"
        return SourceHealth(
            "gone", "gone", f"gone permanently (410){since}; it is no longer polled"
        )
    if source.health == "failing":
        cause, _, detail = (source.health_cause or "").partition(":")
        return SourceHealth(
            "failing", cause, _failing(source, now, cause, detail.strip())
        )
    return SourceHealth("new") if source.health == "new" else _news(source, now)


def _news(source: Source, now: dt.datetime) -> SourceHealth:
    """Check a working source for too few or too many entries."""
    silence = _silence(source, now)
    if silence is not None:
        return SourceHealth("silent", "silent", silence)
    if source.flooded_at is not None and now - source.flooded_at < dt.timedelta(
        days=_FLOOD_SHOWN_DAYS
    ):
        old = counted(source.flood_entries, "old entry", "old entries")
        words = (
            f"{old} came at once on {_day(source.flooded_at)}; stored, not announced"
        )
        return SourceHealth("flood", "flood", words)
    return SourceHealth("ok", words=source.health_cause or "")


def _failing(source: Source, now: dt.datetime, cause: str, detail: str) -> str:
    meaning = _MEANINGS.get(cause, "")
    if meaning and detail and detail.casefold() not in meaning:
        words = f"{meaning}: {detail}"
    else:
        words = meaning or source.health_cause or "failed"
    if source.failing_since is None:
        return words
    if source.failures > 1:
        words += f"; {source.failures} times since {_day(source.failing_since)}"
    if source.next_due_at > now:
        words += f"; next try in {_span((source.next_due_at - now).total_seconds())}"
    return words


def _silence(source: Source, now: dt.datetime) -> str | None:
    gap = expected_gap_seconds(source.per_day)
    silent = silence_seconds(source.per_day, source.per_day_at, now)
    if gap is None or silent is None:
        return None
    if source.last_new_at is not None:
        silent = (now - source.last_new_at).total_seconds()
    return (
        f"nothing new for {_span(silent)}; it used to have something every {_span(gap)}"
    )


def _day(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def _span(seconds: float) -> str:
    """Format a duration in the largest unit of which it has at least two."""
    for unit, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(1, round(seconds))} seconds"


class ProblemText(FrozenStruct, kw_only=False, omit_defaults=False):
    """A rejected text, a stub, or one whose page failed, with `page_verdict`."""

    at: dt.datetime
    title: str
    url: str | None
    verdict: str
    page_verdict: str | None
    reason: str | None


def problem_texts(connection: Connection, source: str, limit: int) -> list[ProblemText]:
    """Return the newest texts of `source` that were rejected, are stubs, or whose page failed."""
    of_source = (
        entry.c.source == source,
        or_(entry.c.verdict != "ok", entry.c.page_verdict.is_not(None)),
    )
    entries = (
        select(entry).where(*of_source).order_by(entry.c.entry_no.desc()).limit(limit)
    )
    found = []
    for row in connection.execute(entries):
        # Deleted
        title = (
            codecs.decompress_struct(row.payload, Entry).title if row.payload else ""
        )
        found.append(
            ProblemText(
                row.accepted_at,
                title,
                row.url,
                row.verdict,
                row.page_verdict,
                row.reason,
            )
        )
    newest = rejected_input.c.at.desc()
    rejected = (
        select(rejected_input)
        .where(rejected_input.c.source == source)
        .order_by(newest)
        .limit(limit)
    )
    found += [
        ProblemText(row.at, row.item, None, row.verdict, None, row.reason)
        for row in connection.execute(rejected)
    ]
    return sorted(found, key=lambda one: one.at, reverse=True)[:limit]


# --- the list of sources with their health ------------------------------------------------------------------

# Fields that a view has from its source.
_SAME = [
    "id",
    "kind",
    "polled_url",
    "site_url",
    "folder",
    "outlet",
    "language",
    "origin",
    "interval_seconds",
]


def source_page(
    connection: Connection,
    now: dt.datetime,
    *,
    limit: int,
    after: str = "",
    text: str = "",
    failing_first: bool = False,
) -> SourcePage:
    """Return a page of the sources, ordered by folder and name, whose name, folder or outlet has the `text`.

    `after`: the `next` of the previous page, whose last source may be gone by now. The text may also be in
    the host, and nowhere else in an address: whoever searches for a key letter by letter finds none. Raises
    UsageError for an invalid cursor.
    """
    sources = all_sources(connection)
    failing = {one.id for one in sources if health_of(one, now).state in IN_TROUBLE}
    begin = _read_cursor(after)
    rest = []
    for one in sources:
        is_late = failing_first and one.id not in failing
        place = _place(one, is_late=is_late)
        if place > begin and _has_text(one, text.casefold()):
            rest.append((place, one))
    rest.sort(key=lambda placed: placed[0])
    has_more = len(rest) > limit
    return SourcePage(
        sources=tuple(listed(connection, now, [one for _, one in rest[:limit]])),
        next="\0".join(rest[limit - 1][0]).encode().hex() if has_more else None,
        total=len(sources),
        failing=len(failing),
    )


# Of a folder or name that order: a longer cursor would be a long address
_CURSOR_CHARS = 40


def _place(source: Source, *, is_late: bool) -> tuple[str, ...]:
    """Return what orders sources. It is in cursors, so that a source may be removed, and names no address."""
    folder, name = source.folder or "", _public_name(source).casefold()
    return (
        "1" if is_late else "0",
        folder[:_CURSOR_CHARS],
        name[:_CURSOR_CHARS],
        source.id,
    )


def _read_cursor(after: str) -> tuple[str, ...]:
    try:
        text = bytes.fromhex(after).decode("utf-8", "replace")
    except ValueError:
        raise UsageError(
            "after: invalid cursor; use `next` of the previous page unchanged"
        ) from None
    return tuple(text.split("\0"))


def _public_name(source: Source) -> str:
    return (
        (source.host or source.id) if "://" in source.shown_name else source.shown_name
    )


def _has_text(source: Source, folded: str) -> bool:
    places = (_public_name(source), source.folder, source.outlet, source.host)
    return any(folded in (place or "").casefold() for place in places)


def listed(
    connection: Connection, now: dt.datetime, chosen: Sequence[Source] | None = None
) -> list[SourceView]:
    """Return views of these sources, else of all, ordered by folder and name."""
    sources = all_sources(connection) if chosen is None else chosen
    counted = select(article.c.source, func.count().label("articles")).group_by(
        article.c.source
    )
    if chosen is not None:
        counted = counted.where(
            article.c.source.in_([one.entry_source for one in chosen])
        )
    articles = {row.source: row.articles for row in connection.execute(counted)}
    unstable = distrusted(connection)
    rows = []
    for item in sources:
        health = health_of(item, now)
        problems = [one for one in (health.words, unstable.get(item.id)) if one]
        rows.append(
            SourceView(
                **{name: getattr(item, name) for name in _SAME},
                name=item.shown_name,
                url=item.address,
                state=health.state,
                cause=health.cause,
                problem="; ".join(problems) or None,
                article_count=articles.get(item.entry_source, 0),
                per_day=health.per_day,
                last_success=item.last_success_at,
                next_due=item.next_due_at if item.is_polled else None,
            )
        )
    return rows


# --- counts of rows -----------------------------------------------------------------------------------------


def statistics(database: Database) -> Iterator[tuple[str, int]]:
    """Yield (name, count) pairs of `db stats`; sizes are in bytes."""
    with database.read() as connection:
        for table in (source, article, rejected_input, correction, change, tombstone):
            yield f"{table.name}s".replace("_", " "), count_rows(connection, table)
        live = story.c.redirect_to.is_(None)
        alive = count_rows(connection, story, live)
        yield "stories", alive
        yield "merged stories", count_rows(connection, story) - alive
        for table, name in (
            (entry, "entries"),
            (outbox, "deliveries"),
            (command, "commands"),
        ):
            states = select(table.c.state, func.count().label("rows")).group_by(
                table.c.state
            )
            for row in connection.execute(states.order_by(table.c.state)):
                yield f"{name} {row.state}", row.rows
    place = health_probes.place(database)
    yield "bytes", place.size_bytes
    if place.log_bytes is not None:
        yield "bytes of the WAL", place.log_bytes
