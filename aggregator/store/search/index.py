"""The full-text index of articles: its content, and its updates.

It holds words from `extract.language.search_tokens.index_words`, so both databases find the same articles,
and tokens of filters: words of the title, outlet, author, language and day of an article as words that begin
with "_", which no word of a text does. It is derived: new articles are indexed shortly after placing, by
inbox number, and the whole index can be rebuilt, the newest articles first (`index_older`).
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, func, select, text

from aggregator.extract.language.search_tokens import (
    in_index,
    index_words,
    search_words,
)
from aggregator.store.engine.database import Database
from aggregator.store.search.progress import (
    LAST,
    REST,
    indexed_to,
    unindexed_at_most,
    unindexed_to,
)
from aggregator.store.tables import TEXT_OR_EMPTY, article, set_counter

_INDEXED_A_TRANSACTION = 200  # so many, because entries arrive meanwhile
_TSVECTOR_POSITIONS = 16383  # Postgres keeps no position above this
_TSVECTOR_PLACES = 255  # nor more of one word
_TSVECTOR_BYTES = 900_000  # of its words and places; it refuses 1 MiB, and we add marks
_NEVER_TOO_LARGE = 50_000  # characters of a text that cannot come near it
_MAX_SEARCHED_CHARS = 200 * 1024
_BREAK = "_"  # no phrase runs from the title into the text
SPANS = {
    "n": 12,
    "m": 14,
    "k": 17,
}  # tokens on Postgres, by letter: inbox numbers without so many low bits


class IndexedText(NamedTuple):
    """The columns of an article that are indexed."""

    inbox_no: int
    title: str
    text: str
    outlet: str | None
    outlet_name: str | None
    author: str | None
    language: str | None
    effective_at: dt.datetime


Indexed = IndexedText | Row[Any]
_NEWEST = select(article.c.inbox_no).order_by(article.c.inbox_no.desc()).limit(1)
_ROWS = select(
    *(
        TEXT_OR_EMPTY if name == "text" else article.c[name]
        for name in IndexedText._fields
    )
)


def index_next(connection: Connection, limit: int) -> int:
    """Index the next articles after the last indexed one. Return their number."""
    last = indexed_to(connection)
    rows = connection.execute(
        _ROWS.where(article.c.inbox_no > last).order_by(article.c.inbox_no).limit(limit)
    ).all()
    if rows:
        put(connection, rows)
        set_counter(connection, LAST, rows[-1].inbox_no)
    return len(rows)


def index_older(connection: Connection, limit: int) -> int:
    """Index the next articles that wait to be indexed again, the newest first. Return their number."""
    rest = unindexed_to(connection)
    if rest == 0:
        return 0
    rows = connection.execute(
        _ROWS.where(article.c.inbox_no <= rest)
        .order_by(article.c.inbox_no.desc())
        .limit(limit)
    ).all()
    if rows:
        # ascending: FTS5 collects rows while their numbers rise
        put(connection, rows[::-1])
    set_counter(connection, REST, rows[-1].inbox_no - 1 if len(rows) == limit else 0)
    return len(rows)


def index_until(
    database: Database,
    step: Callable[[Connection, int], int],
    stop: Callable[[], bool] = lambda: False,
    *,
    most: int | None = None,
    advance: Callable[[int], object] = lambda _count: None,
) -> int:
    """Repeat `index_next` or `index_older` to the end or to about `most`; return how many were indexed.

    `advance` is called with the number of further ones. What is interrupted, a daemon continues.
    """
    with database.read() as connection:
        if not unindexed_at_most(connection, connection.scalar(_NEWEST) or 0):
            return 0
    total, count = 0, _INDEXED_A_TRANSACTION
    while (
        count == _INDEXED_A_TRANSACTION
        and not stop()
        and (most is None or total < most)
    ):
        with database.write() as connection:
            count = step(connection, _INDEXED_A_TRANSACTION)
        advance(count)
        total += count
    return total


def take_out(connection: Connection, n: int) -> bool:
    """Remove article `n` from the index, before its row changes. Return whether it was indexed."""
    if n > indexed_to(connection) or n <= unindexed_to(connection):
        return False
    if connection.dialect.name == "sqlite":
        row = connection.execute(_ROWS.where(article.c.inbox_no == n)).one()
        connection.execute(
            text(
                "INSERT INTO article_search(article_search, rowid, words) VALUES ('delete', :n, :w)"
            ),
            fts5_row(row),
        )
    else:
        connection.execute(text("DELETE FROM article_search WHERE n = :n"), {"n": n})
    return True


def put_back(connection: Connection, n: int) -> None:
    """Index article `n` as its row is now."""
    put(connection, connection.execute(_ROWS.where(article.c.inbox_no == n)).all())


def clear(connection: Connection) -> None:
    """Empty the index and queue all articles for indexing."""
    is_sqlite = connection.dialect.name == "sqlite"
    emptied = "INSERT INTO article_search(article_search) VALUES ('delete-all')"
    connection.execute(text(emptied if is_sqlite else "DELETE FROM article_search"))
    reindex_all(connection)


def reindex_all(connection: Connection) -> None:
    """Queue all articles for indexing; the index must be empty."""
    last = connection.execute(
        select(func.coalesce(func.max(article.c.inbox_no), 0))
    ).scalar_one()
    for name in (LAST, REST):
        set_counter(connection, name, last)


def unindexed_count(connection: Connection) -> int:
    """Count the articles that are not indexed yet."""
    last, rest = indexed_to(connection), unindexed_to(connection)
    waiting: Select[Any] = select(func.count()).select_from(article)
    newer = connection.execute(waiting.where(article.c.inbox_no > last)).scalar_one()
    older = (
        connection.execute(waiting.where(article.c.inbox_no <= rest)).scalar_one()
        if rest
        else 0
    )
    return int(newer + older)


def put(connection: Connection, rows: Sequence[Indexed]) -> None:
    """Insert articles into the index."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        statement = text("INSERT INTO article_search(rowid, words) VALUES (:n, :w)")
        connection.execute(statement, [fts5_row(row) for row in rows])
    else:
        statement = text(
            "INSERT INTO article_search(n, words, is_long) VALUES (:n, CAST(:w AS tsvector), :l)"
        )
        connection.execute(statement, [tsvector_row(row) for row in rows])


# --- tokens of filters -------------------------------------------------------------------------------------


def title_token(word: str) -> str:
    """Return the token of a word in the title."""
    return f"_t{word}"


def filter_tokens_of(words: Iterable[str], kind: str) -> list[str]:
    """Return the tokens of an article with these words in its outlet (kind "o") or author ("a")."""
    return [f"_{kind}{word}" for word in in_index(words, whole=False)]


def language_token(language: str) -> str:
    """Return the token of a language tag."""
    return f"_l{''.join(search_words(language))}"


def day_token(day: dt.date, *, year: bool = False, month: bool = False) -> str:
    """Return the token of a day, or of its month or year."""
    return f"_d{day:%Y}" if year else f"_d{day:%Y%m}" if month else f"_d{day:%Y%m%d}"


def _filter_tokens(row: Indexed) -> list[str]:
    day = row.effective_at.date()
    marks = [day_token(day), day_token(day, month=True), day_token(day, year=True)]
    marks += [
        f"_o{word}"
        for word in index_words(f"{row.outlet or ''} {row.outlet_name or ''}")
    ]
    marks += [f"_a{word}" for word in index_words(row.author or "")]
    return [*marks, language_token(row.language)] if row.language else marks


# --- rows --------------------------------------------------------------------------------------------------


def _tokens(row: Indexed) -> list[str]:
    """Return the tokens of an article, in order: title, title and text as they are searched, and filters.

    The title stands first once more, by tokens of its own: no database must look where a word stands. A text
    that exceeds the limit of Postgres is cut, on both.
    """
    title, body = index_words(row.title), index_words(row.text[:_MAX_SEARCHED_CHARS])
    if len(row.text) > _NEVER_TOO_LARGE:
        known: set[str] = set()
        size = 0
        for at, word in enumerate(body):
            size += 2
            if word not in known:
                known.add(word)
                size += len(word.encode()) + 8
            if size > _TSVECTOR_BYTES:
                body = body[:at]
                break
    return [
        *map(title_token, title),
        _BREAK,
        *title,
        _BREAK,
        *body,
        _BREAK,
        *_filter_tokens(row),
    ]


def fts5_row(row: Indexed) -> dict[str, Any]:
    """Return a row of the index of SQLite: number and tokens."""
    return {"n": row.inbox_no, "w": " ".join(_tokens(row))}


def tsvector_row(row: Indexed) -> dict[str, Any]:
    """Return a row of the index of Postgres: the text form of a tsvector with our own positions."""
    places: dict[str, list[int]] = {}
    for position, token in enumerate(_tokens(row), 1):
        places.setdefault(token, []).append(position)
    del places[_BREAK]
    is_long = False
    written = []
    for token, found in places.items():
        kept = [
            place for place in found[:_TSVECTOR_PLACES] if place <= _TSVECTOR_POSITIONS
        ]
        is_long = is_long or len(kept) < len(found)
        written.append(
            f"'{token}':{','.join(map(str, kept))}" if kept else f"'{token}'"
        )
    written += [f"'_{letter}{row.inbox_no >> bits}'" for letter, bits in SPANS.items()]
    return {"n": row.inbox_no, "w": " ".join(written), "l": is_long}
