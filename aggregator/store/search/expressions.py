"""A search in the query language of a database."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from aggregator.model.structs import FrozenStruct
from aggregator.store.search.index_rows import DAY, EVERY
from aggregator.store.search.query import Query, Term
from aggregator.store.tables import is_sqlite, read_rows


class MatchExpression(FrozenStruct):
    """A query in the language of a database. `loose` finds its words at any position."""

    strict: str
    loose: str
    is_phrasal: bool  # they differ


class _Language(NamedTuple):
    """The query language of a database."""

    token: str
    prefix: str
    adjacent: str
    both: str
    either: str
    but_not: str


_FTS5 = _Language('"{}"', " *", " + ", " AND ", " OR ", "({}) NOT ({})")
_TSQUERY = _Language("'{}'", ":*", " <-> ", " & ", " | ", "({}) & !({})")


def expression_of(connection: Connection, query: Query) -> MatchExpression | None:
    """Return a search in the language of the database; None if no article can match."""
    language = _FTS5 if is_sqlite(connection) else _TSQUERY
    within = []
    if query.since is not None or query.before is not None:
        days = map(language.token.format, _days(connection, query))
        within = [language.either.join(days)]
        if not within[0]:
            return None
    elif not query.terms:
        within = [language.token.format(EVERY)]
    # `loose` excludes no phrase: it would exclude its words wherever they stand.
    words = [term for term in query.without if not _is_phrasal(term)]
    expressions = []
    for joint, without in ((language.adjacent, query.without), (language.both, words)):
        asked = [_any_of(language, term, joint) for term in query.terms]
        expression = language.both.join(f"({each})" for each in (*asked, *within))
        barred = [_any_of(language, term, joint) for term in without]
        if barred:
            expression = language.but_not.format(
                expression, language.either.join(barred)
            )
        expressions.append(expression)
    strict, loose = expressions
    is_phrasal = any(map(_is_phrasal, query.terms + query.without))
    return MatchExpression(strict=strict, loose=loose, is_phrasal=is_phrasal)


def _is_phrasal(term: Term) -> bool:
    return any(len(phrase.tokens) > 1 for phrase in term.phrases)


def _any_of(language: _Language, term: Term, joint: str) -> str:
    ways = []
    for way in term.any_of:
        phrases = []
        for phrase in way:
            *before, last = map(language.token.format, phrase.tokens)
            if phrase.ends_in_prefix:
                last += language.prefix
            phrases.append(f"({joint.join([*before, last])})")
        ways.append(f"({language.both.join(phrases)})")
    return language.either.join(ways)


def _days(connection: Connection, query: Query) -> Iterator[str]:
    """Yield tokens of the stored days from `since` to `before`, whole months and years as one."""
    ((first, last),) = read_rows(
        connection,
        """
        SELECT (SELECT min(effective_at) FROM article) AS published,
          (SELECT max(effective_at) FROM article) AS effective_at
        """,
    )
    if first is None or (query.before is not None and query.before <= first):
        return
    day = first.date().replace(month=1, day=1)
    if query.since is not None:
        day = max(first, query.since).date()
    end = last.date().replace(month=12, day=31)
    if query.before is not None and query.before <= last:
        end = (query.before - timedelta(microseconds=1)).date()
    while day <= end:
        month_end = day.replace(day=monthrange(day.year, day.month)[1])
        year_end = day.replace(month=12, day=31)
        if (day.month, day.day) == (1, 1) and year_end <= end:
            yield f"{DAY}{day:%Y}"
            day = year_end
        elif day.day == 1 and month_end <= end:
            yield f"{DAY}{day:%Y%m}"
            day = month_end
        else:
            yield f"{DAY}{day:%Y%m%d}"
        day += timedelta(days=1)
