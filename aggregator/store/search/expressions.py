"""Writes a search in the query language of a database."""

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
    """A query in the language of a database. `strict` finds phrases; `loose` finds their words at any position."""

    strict: str
    loose: str
    # Whether the query has a phrase, so that `strict` and `loose` differ
    is_phrasal: bool


class _Language(NamedTuple):
    """The query language of a database."""

    # A format for one word of the index
    token: str
    # Follows a word that matches as a prefix
    prefix: str
    # These stand between two expressions: one follows the other directly, both are anywhere, or at least one is there.
    adjacent: str
    both: str
    either: str
    # A format for an expression that must match, and an expression that must not
    but_not: str


_FTS5 = _Language('"{}"', " *", " + ", " AND ", " OR ", "({}) NOT ({})")
_TSQUERY = _Language("'{}'", ":*", " <-> ", " & ", " | ", "({}) & !({})")


def expression_of(connection: Connection, query: Query) -> MatchExpression | None:
    """Return a search in the language of the database; None if no article is in the query's period."""
    language = _FTS5 if is_sqlite(connection) else _TSQUERY
    filters = []
    if query.since is not None or query.before is not None:
        days = [language.token.format(day) for day in _days(connection, query)]
        if not days:
            return None
        filters = [language.either.join(days)]
    elif not query.terms:
        # A query that only excludes words needs an expression that every article matches.
        filters = [language.token.format(EVERY)]
    # `loose` does not exclude phrases, because it would exclude their words wherever they stand.
    words = [term for term in query.without if not _is_phrasal(term)]
    expressions = []
    for between_words, without in (
        (language.adjacent, query.without),
        (language.both, words),
    ):
        terms = [_write_term(language, term, between_words) for term in query.terms]
        required = [f"({part})" for part in (*terms, *filters)]
        expression = language.both.join(required)
        barred = [_write_term(language, term, between_words) for term in without]
        if barred:
            any_barred = language.either.join(barred)
            expression = language.but_not.format(expression, any_barred)
        expressions.append(expression)
    strict, loose = expressions
    is_phrasal = any(map(_is_phrasal, query.terms + query.without))
    return MatchExpression(strict=strict, loose=loose, is_phrasal=is_phrasal)


def _is_phrasal(term: Term) -> bool:
    return any(len(phrase.tokens) > 1 for phrase in term.phrases)


def _write_term(language: _Language, term: Term, between_words: str) -> str:
    """Write the alternatives of a term, each with all its phrases."""
    alternatives = []
    for phrases in term.any_of:
        written = []
        for phrase in phrases:
            words = [language.token.format(token) for token in phrase.tokens]
            if phrase.ends_in_prefix:
                words[-1] += language.prefix
            written.append(f"({between_words.join(words)})")
        alternatives.append(f"({language.both.join(written)})")
    return language.either.join(alternatives)


def _days(connection: Connection, query: Query) -> Iterator[str]:
    """Yield tokens for the days of articles from `since` to `before`; a whole month or year is one token."""
    # The aliases are names of columns with times, so that `read_rows` returns both values as times.
    ((first, last),) = read_rows(
        connection,
        """
        SELECT (SELECT min(effective_at) FROM article) AS first_published,
          (SELECT max(effective_at) FROM article) AS last_published
        """,
    )
    if first is None or (query.before is not None and query.before <= first):
        return
    # An open end is extended to the whole year, which is one token.
    day = first.date().replace(month=1, day=1)
    if query.since is not None:
        day = max(first, query.since).date()
    end = last.date().replace(month=12, day=31)
    if query.before is not None and query.before <= last:
        # The bound itself is excluded. If it is midnight, the last day is the day before.
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
