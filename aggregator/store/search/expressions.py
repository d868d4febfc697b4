"""A search in the query language of a database."""

import datetime as dt
from calendar import isleap, monthrange
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from aggregator.model.structs import FrozenStruct
from aggregator.store.search.index_rows import (
    day_token,
    filter_tokens_of,
    language_token,
    title_token,
)
from aggregator.store.search.query import Query, Term, Words
from aggregator.store.tables import article


class MatchExpression(FrozenStruct):
    """A query in the language of a database. `loose` finds its words at any position."""

    strict: str
    loose: str
    is_phrasal: bool  # they differ


def expression_of(connection: Connection, query: Query) -> MatchExpression | None:
    """Return a search in the language of the database; None if no article can match."""
    tokens: list[Words] = [(token,) for token in filter_tokens_of(query.outlet, "o")]
    tokens += [(token,) for token in filter_tokens_of(query.author, "a")]
    if query.language is not None:
        tokens.append((language_token(query.language),))
    is_bounded = query.since is not None or query.before is not None
    if is_bounded or not (query.terms or tokens):
        days = _days(connection, query)
        if not days:
            return None
        tokens.append(days)
    return _expression(connection, query, tokens)


def _days(connection: Connection, query: Query) -> Words:
    """Return tokens of the days from `since` to `before`, in stored years: whole months and years as one."""
    first, last = connection.execute(
        select(
            select(func.min(article.c.effective_at)).scalar_subquery(),
            select(func.max(article.c.effective_at)).scalar_subquery(),
        )
    ).one()
    if first is None or (query.before is not None and query.before <= first):
        return ()
    begin = first.date().replace(month=1, day=1)
    if query.since:
        begin = max(first, query.since).date()
    end = last.date().replace(month=12, day=31)
    if query.before is not None and query.before <= last:
        end = (query.before - dt.timedelta(microseconds=1)).date()
    return tuple(_spans(begin, end))


def _spans(begin: dt.date, end: dt.date) -> Iterable[str]:
    day = begin.toordinal()
    last = end.toordinal()
    while day <= last:
        at = dt.date.fromordinal(day)
        of_year = 365 + isleap(at.year)
        of_month = monthrange(at.year, at.month)[1]
        is_year = (at.month, at.day) == (1, 1) and day + of_year - 1 <= last
        is_month = at.day == 1 and day + of_month - 1 <= last
        yield day_token(at, year=is_year, month=is_month)
        if is_year:
            day += of_year
        elif is_month:
            day += of_month
        else:
            day += 1


class _Language(NamedTuple):
    """The query language of a database."""

    token: str
    prefix: str
    adjacent: str
    both: str
    either: str
    but_not: str


def _expression(
    connection: Connection, query: Query, tokens: Sequence[Words]
) -> MatchExpression:
    """Return a search for articles that have one of each tuple of `tokens`."""
    language = _FTS5 if connection.dialect.name == "sqlite" else _TSQUERY
    asked = [_tokens(language, language.either, several) for several in tokens]
    barred = [
        _tokens(language, language.both, several) for several in query.without_tokens
    ]
    strict = language.both.join([*_terms(language, query.terms), *asked])
    loose = language.both.join([*_terms(language, query.terms, is_loose=True), *asked])
    without = [*_terms(language, query.without), *barred]
    # `loose` excludes no terms: an excluded phrase would exclude its words wherever they stand.
    if without:
        strict = language.but_not.format(strict, language.either.join(without))
    if barred:
        loose = language.but_not.format(loose, language.either.join(barred))
    phrases = query.phrases + Query(terms=query.without).phrases
    is_phrasal = any(len(phrase.in_index) > 1 for phrase in phrases)
    return MatchExpression(strict=strict, loose=loose, is_phrasal=is_phrasal)


def _tokens(language: _Language, joint: str, tokens: Words) -> str:
    return _joined(joint, map(language.token.format, tokens))


def _terms(
    language: _Language, terms: Iterable[Term], *, is_loose: bool = False
) -> Iterator[str]:
    for term in terms:
        ways = []
        for way in term.any_of:
            phrases = []
            for phrase in way:
                words: Iterable[str] = phrase.in_index
                if phrase.in_title:
                    words = map(title_token, words)
                *before, last = map(language.token.format, words)
                if phrase.ends_in_prefix:
                    last += language.prefix
                joint = language.both if is_loose else language.adjacent
                phrases.append(_joined(joint, [*before, last]))
            ways.append(_joined(language.both, phrases))
        yield _joined(language.either, ways)


def _joined(joint: str, parts: Iterable[str]) -> str:
    return f"({joint.join(parts)})"


_FTS5 = _Language('"{}"', " *", " + ", " AND ", " OR ", "({}) NOT ({})")
_TSQUERY = _Language("'{}'", ":*", " <-> ", " & ", " | ", "{} & !({})")
