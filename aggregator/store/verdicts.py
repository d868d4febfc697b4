"""How many of a source's entries were what: for `sources list`."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, func, select

from aggregator.store.tables import entry, refusal

_SOURCES_A_QUERY = 500


def verdicts_by_source(
    connection: Connection, sources: Iterable[str] | None = None
) -> dict[str, dict[str, int]]:
    """Source to verdict to count, the most frequent first; all sources where `sources` is None.

    Of entries that were placed or refused, and of what could not even become an entry. Where an entry's page
    failed and its own text was taken, the verdict is that of the text.
    """
    return _counted(connection, sources, "verdict", with_refusals=True)


def page_verdicts_by_source(
    connection: Connection, sources: Iterable[str] | None = None
) -> dict[str, dict[str, int]]:
    """The same for pages that failed, so that the entry's own text was taken: walls show here."""
    return _counted(connection, sources, "page_verdict", with_refusals=False)


def told(counts: Mapping[str, int]) -> str:
    """Counts in one line, the most frequent first: "212 ok, 9 stub, 3 paywall"."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {verdict}" for verdict, count in ordered)


def _counted(
    connection: Connection, sources: Iterable[str] | None, column: str, *, with_refusals: bool
) -> dict[str, dict[str, int]]:
    counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
    verdict = entry.c[column]
    tables = [(entry.c.source, verdict, verdict.is_not(None))]
    if with_refusals:
        tables.append((refusal.c.source, refusal.c.verdict, refusal.c.verdict.is_not(None)))
    wanted = None if sources is None else sorted(set(sources))
    parts = [None] if wanted is None else [
        wanted[start : start + _SOURCES_A_QUERY] for start in range(0, len(wanted), _SOURCES_A_QUERY)
    ]  # fmt: skip
    for source, name, known in tables:
        statement = select(source, name, func.count()).where(known).group_by(source, name)
        for part in parts:
            asked = statement if part is None else statement.where(source.in_(part))
            for row in connection.execute(asked):
                counted[row[0]][row[1]] += row[2]
    return {
        source: dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
        for source, counts in sorted(counted.items())
    }
