"""Finds the articles that match a query, by FTS5 on SQLite and by tsvector on Postgres. Both find the same articles.

The newest articles come first, and only as many as requested are read. FTS5 reads its lists backwards.
Postgres collects all matches before it sorts them, so spans of the newest inbox numbers are queried first (`SPANS`).
Phrases are expensive on Postgres, which must read the words of an article to see whether they are adjacent.
So on both databases, phrases are searched only among the newest articles that have all their words.
"""

from collections.abc import Collection, Sequence
from itertools import pairwise

from msgspec.structs import replace
from sqlalchemy import Connection, text

from aggregator.store.search.expressions import MatchExpression, expression_of
from aggregator.store.search.index_rows import INDEXED, SPANS, tokens_of
from aggregator.store.search.query import Query
from aggregator.store.search.searchable_text import SearchableText
from aggregator.store.tables import (
    in_parts,
    is_sqlite,
    read_rows,
    read_value,
    read_values,
)

_MOST_ROWS = 2**31 - 1  # both databases accept this as LIMIT
_GAP = 300  # inbox numbers; a gap of at most this size between two numbers is read, too
# Spans of each size that are queried: the newest span may have few articles, so the span before it is needed, too.
_SPANS_ASKED = 2


def rank_matches(
    connection: Connection, query: Query, limit: int, *, reach: int
) -> list[int]:
    """Return inbox numbers of the newest articles that match, in the order of the database, the best first.

    FTS5 orders by bm25, Postgres by ts_rank. Both rank the words at any position, because bm25 would count each
    phrase in the whole index. Words in the headline count twice, because the headline also has tokens of its own.
    """
    numbers = find_newest(connection, query, limit, reach=reach)
    titled = replace(query, terms=tuple(term.with_title for term in query.terms))
    match = expression_of(connection, titled)
    if not numbers or match is None or not query.terms:
        return numbers
    if is_sqlite(connection):
        wanted = set(numbers)
        # The query reads all numbers from the lowest one on, because FTS5 would restart it for each single number.
        best = read_values(
            connection,
            """
            SELECT rowid FROM article_search WHERE article_search MATCH :match AND rowid >= :lowest
            ORDER BY rank, rowid DESC
            """,
            match=match.loose,
            lowest=numbers[-1],
        )
        return [number for number in best if number in wanted]
    asked = {"match": match.loose, "numbers": numbers}
    return list(connection.scalars(_RANKED_BY_TSQUERY, asked))


_RANKED_BY_TSQUERY = text(
    "SELECT n FROM article_search WHERE n = ANY(:numbers) "
    "ORDER BY ts_rank(words, CAST(:match AS tsquery)) DESC, n DESC"
)


def find_newest(
    connection: Connection, query: Query, limit: int, *, reach: int
) -> list[int]:
    """Return inbox numbers of the newest articles that match `query`, at most `limit`, the newest first.

    Phrases are searched among the newest `reach` articles that have all the words.
    """
    limit = min(limit, _MOST_ROWS)
    match = expression_of(connection, query)
    if match is None:
        return []
    if not match.is_phrasal:
        return _read_newest(connection, match.strict, limit)
    within = _read_newest(connection, match.loose, min(reach, _MOST_ROWS))
    if not within:
        return []
    if is_sqlite(connection):
        return _read_newest(connection, match.strict, limit, floor=within[-1])
    numbers = []
    for part in in_parts(within):
        numbers += _with_phrases(connection, match, query, part)
        if len(numbers) >= limit:
            break
    return numbers[:limit]


def find_all(connection: Connection, query: Query, most: int) -> list[int] | None:
    """Return inbox numbers of all articles that match `query`; None if more than `most` have its words."""
    match = expression_of(connection, query)
    if match is None:
        return []
    if len(_read_newest(connection, match.loose, most + 1)) > most:
        return None
    return find_newest(connection, query, most, reach=most + 1)


def find_among(
    connection: Connection, query: Query, numbers: Collection[int]
) -> set[int]:
    """Return those of the articles `numbers` that match `query`."""
    match = expression_of(connection, query)
    matches: set[int] = set()
    if match is None:
        return matches
    ordered = sorted(numbers, reverse=True)
    if is_sqlite(connection):
        # Ranges that are split at large gaps
        starts = [
            at for at, n in enumerate(ordered) if at == 0 or ordered[at - 1] - n > _GAP
        ]
        for start, end in pairwise([*starts, len(ordered)]):
            upper, lower = ordered[start], ordered[end - 1]
            # The query reads ranges of numbers, because FTS5 would restart it for each single number.
            matches.update(
                read_values(
                    connection,
                    """
                    SELECT rowid FROM article_search
                    WHERE article_search MATCH :match AND rowid BETWEEN :lower AND :upper
                    """,
                    match=match.strict,
                    lower=lower,
                    upper=upper,
                )
            )
        return matches & set(ordered)
    for part in in_parts(ordered):
        matches |= set(_with_phrases(connection, match, query, part))
    return matches


def _read_newest(
    connection: Connection, match: str, limit: int, *, floor: int = 0
) -> list[int]:
    if is_sqlite(connection):
        return read_values(
            connection,
            """
            SELECT rowid FROM article_search WHERE article_search MATCH :match AND rowid >= :floor
            ORDER BY rowid DESC LIMIT :limit
            """,
            match=match,
            floor=floor,
            limit=limit,
        )
    last = read_value(connection, "SELECT max(n) FROM article_search") or 0
    for span, bits in SPANS.items():
        newest_spans = range(last >> bits, (last >> bits) - _SPANS_ASKED, -1)
        spans = " | ".join(f"'{span}{number}'" for number in newest_spans)
        recent = f"({match}) & ({spans})"
        numbers = read_values(connection, _NEWEST_BY_TSQUERY, match=recent, limit=limit)
        if len(numbers) == limit:
            return numbers
    return read_values(connection, _NEWEST_BY_TSQUERY, match=match, limit=limit)


# "+ 0" keeps Postgres from using the primary key: it would read the words of articles until enough match.
_NEWEST_BY_TSQUERY = """
    SELECT n FROM article_search WHERE words @@ CAST(:match AS tsquery) ORDER BY n + 0 DESC LIMIT :limit
    """


def _with_phrases(
    connection: Connection, match: MatchExpression, query: Query, numbers: Sequence[int]
) -> list[int]:
    """Return those of `numbers` with the phrases. Long texts are read, because Postgres drops their positions."""
    rows = read_rows(
        connection,
        """
        SELECT n, is_long FROM article_search WHERE n IN :numbers AND words @@ CAST(:loose AS tsquery)
        AND (is_long OR words @@ CAST(:match AS tsquery)) ORDER BY n DESC
        """,
        numbers=numbers,
        loose=match.loose,
        match=match.strict,
    )
    long = [row.n for row in rows if row.is_long]
    unfit = set(long)
    for row in read_rows(connection, f"{INDEXED} WHERE inbox_no IN :long", long=long):
        if SearchableText(tokens=tokens_of(row)).fits(query):
            unfit.remove(row.inbox_no)
    return [row.n for row in rows if row.n not in unfit]
