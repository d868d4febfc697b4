"""The full-text index over articles: what stands in it, and how it follows them.

It holds words as `extract.language.search_tokens.index_words` gives them, so both databases find the same,
and marks: an
article's outlet, author, language and day as words that begin with "_", which no word of a text does. It is
derived: a row may be missing for a moment after an article is placed (indexing is a later, cheap transaction
that follows the article numbers) and all of it can be rebuilt, the newest first (`index_older`).
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, case, func, select, text, update

from aggregator.extract.language.search_tokens import in_index, index_words, search_words
from aggregator.store.tables import article, counter

_LAST = "searchable"  # counter: the last article number in the index
_REST = "unindexed"  # counter: articles up to this number wait to be indexed anew
_TSVECTOR_POSITIONS = 16383  # Postgres keeps no position above this
_TSVECTOR_PLACES = 255  # nor more of one word
_TSVECTOR_BYTES = 900_000  # of its words and places; it refuses 1 MiB, and we add marks
_NEVER_TOO_LARGE = 50_000  # characters of a text that cannot come near it
_MAX_SEARCHED_CHARS = 200 * 1024
SPANS = {
    "n": 12,
    "m": 14,
    "k": 17,
}  # marks on Postgres: articles that are numbered alike but for so many bits


class IndexedText(NamedTuple):
    """What the index knows of an article."""

    n: int
    title: str
    text: str
    outlet: str | None
    author: str | None
    language: str | None
    effective: dt.datetime


# Of a packed article (store/stories/article_text.py) the lead alone: by then it is found by headline, lead
# and marks.
_BODY = case((article.c.packed.is_(None), article.c.text), else_=article.c.lead).label("text")
_ROWS = select(*(_BODY if name == "text" else article.c[name] for name in IndexedText._fields))


def indexed_to(connection: Connection) -> int:
    """The number of the last article that can be found."""
    return _counted(connection, _LAST)


def unindexed_to(connection: Connection) -> int:
    """Articles up to this number wait to be indexed anew; 0: none does."""
    return _counted(connection, _REST)


def unindexed_at_most(connection: Connection, newest: int) -> int:
    """How many articles up to `newest` cannot be found, by their numbers: nothing is counted."""
    both = select(counter.c.name, counter.c.value).where(counter.c.name.in_((_LAST, _REST)))
    reached = {row.name: int(row.value) for row in connection.execute(both)}
    return max(0, newest - reached[_LAST]) + reached[_REST]


def index_next(connection: Connection, limit: int) -> int:
    """Index the next articles after the last one; returns how many."""
    last = _counted(connection, _LAST)
    rows = connection.execute(_ROWS.where(article.c.n > last).order_by(article.c.n).limit(limit)).all()
    if rows:
        put(connection, rows)
        _count(connection, _LAST, rows[-1].n)
    return len(rows)


def index_older(connection: Connection, limit: int) -> int:
    """Index the next articles of those that wait to be indexed anew, the newest first; returns how many."""
    rest = _counted(connection, _REST)
    if rest == 0:
        return 0
    rows = connection.execute(
        _ROWS.where(article.c.n <= rest).order_by(article.c.n.desc()).limit(limit)
    ).all()
    if rows:
        put(connection, rows[::-1])  # upwards: FTS5 gathers rows as long as their numbers rise
    _count(connection, _REST, rows[-1].n - 1 if len(rows) == limit else 0)
    return len(rows)


def take_out(connection: Connection, n: int) -> bool:
    """Forget article `n`, before its row changes; returns whether it was in the index, to be put back."""
    if n > _counted(connection, _LAST) or n <= _counted(connection, _REST):
        return False
    if connection.dialect.name == "sqlite":
        row = connection.execute(_ROWS.where(article.c.n == n)).one()
        connection.execute(
            text(
                "INSERT INTO article_search(article_search, rowid, title, body, marks) "
                "VALUES ('delete', :n, :t, :b, :m)"
            ),
            fts5_row(row),
        )
    else:
        connection.execute(text("DELETE FROM article_search WHERE n = :n"), {"n": n})
    return True


def put_back(connection: Connection, n: int) -> None:
    """Index article `n` as its row is now."""
    put(connection, connection.execute(_ROWS.where(article.c.n == n)).all())


def reindex_all(connection: Connection) -> None:
    """Let all articles wait to be indexed anew; the index must be empty."""
    last = connection.execute(select(func.coalesce(func.max(article.c.n), 0))).scalar_one()
    for name in (_LAST, _REST):
        _count(connection, name, last)


def rows_between(connection: Connection, low: int, high: int) -> Sequence[Row[Any]]:
    """The articles of these numbers as the index should know them, those that it says it has."""
    low, high = max(low, _counted(connection, _REST) + 1), min(high, _counted(connection, _LAST))
    return connection.execute(_ROWS.where(article.c.n.between(low, high)).order_by(article.c.n)).all()


def unindexed_count(connection: Connection) -> int:
    """How many articles have been placed and are not in the index yet."""
    last, rest = _counted(connection, _LAST), _counted(connection, _REST)
    waiting: Select[Any] = select(func.count()).select_from(article)
    newer = connection.execute(waiting.where(article.c.n > last)).scalar_one()
    older = connection.execute(waiting.where(article.c.n <= rest)).scalar_one() if rest else 0
    return int(newer + older)


def _counted(connection: Connection, name: str) -> int:
    return int(connection.execute(select(counter.c.value).where(counter.c.name == name)).scalar_one())


def _count(connection: Connection, name: str, value: int) -> None:
    connection.execute(update(counter).where(counter.c.name == name).values(value=value))


def put(connection: Connection, rows: Sequence[IndexedText | Row[Any]]) -> None:
    """Index articles that are not in it."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        statement = text("INSERT INTO article_search(rowid, title, body, marks) VALUES (:n, :t, :b, :m)")
        connection.execute(statement, [fts5_row(row) for row in rows])
    else:
        statement = text(
            "INSERT INTO article_search(n, words, is_long) VALUES (:n, CAST(:w AS tsvector), :l)"
        )
        connection.execute(statement, [tsvector_row(row) for row in rows])


# --- marks -------------------------------------------------------------------------------------------------


def filter_tokens_of(words: Iterable[str], kind: str) -> list[str]:
    """What an article is marked with that has these words in its outlet (kind "o") or author ("a")."""
    return [f"_{kind}{word}" for word in in_index(words, whole=False)]


def language_token(language: str) -> str:
    """The mark of a language: its tag."""
    return f"_l{''.join(search_words(language))}"


def day_token(day: dt.date, *, year: bool = False, month: bool = False) -> str:
    """The mark of a day, of the month or year that it is in."""
    return f"_d{day:%Y}" if year else f"_d{day:%Y%m}" if month else f"_d{day:%Y%m%d}"


def _filter_tokens(row: IndexedText | Row[Any]) -> list[str]:
    day = row.effective.date()
    marks = [day_token(day), day_token(day, month=True), day_token(day, year=True)]
    marks += [f"_o{word}" for word in index_words(row.outlet or "")]
    marks += [f"_a{word}" for word in index_words(row.author or "")]
    return [*marks, language_token(row.language)] if row.language else marks


# --- rows --------------------------------------------------------------------------------------------------


def _words(row: IndexedText | Row[Any]) -> tuple[list[str], list[str]]:
    """The words of title and text. A text with more different ones than Postgres takes is cut, on both."""
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
                return title, body[:at]
    return title, body


def fts5_row(row: IndexedText | Row[Any]) -> dict[str, Any]:
    """What stands in the index of SQLite: number, title, text, marks."""
    title, body = _words(row)
    return {"n": row.n, "t": " ".join(title), "b": " ".join(body), "m": " ".join(_filter_tokens(row))}


def tsvector_row(row: IndexedText | Row[Any]) -> dict[str, Any]:
    """What stands in the index of Postgres: its text form with places of our own.

    The words of the title stand in it as marks of their own, too.

    An index of Postgres knows neither places nor weights: asked for a word in the title it would have to read
    all rows that hold it.
    """
    title, body = _words(row)
    places: dict[str, list[int]] = {}
    for position, word in enumerate(title, 1):
        places.setdefault(word, []).append(position)
        places.setdefault(f"_t{word}", []).append(position)
    for position, word in enumerate(body, len(title) + 2):  # no phrase runs from the title into the text
        places.setdefault(word, []).append(position)
    is_long = len(title) + 1 + len(body) > _TSVECTOR_POSITIONS
    written = []
    for word, found in places.items():
        kept = [place for place in found[:_TSVECTOR_PLACES] if place <= _TSVECTOR_POSITIONS]
        is_long = is_long or len(kept) < len(found)
        written.append(f"'{word}':{','.join(map(str, kept))}" if kept else f"'{word}'")
    written += [f"'{fingerprint}'" for fingerprint in _filter_tokens(row)]
    written += [f"'_{fingerprint}{row.n >> bits}'" for fingerprint, bits in SPANS.items()]
    return {"n": row.n, "w": " ".join(written), "l": is_long}
