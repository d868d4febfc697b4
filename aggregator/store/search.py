"""Full text over articles, behind one function on both databases.

The index holds words as `text.words.search_words` gives them, so both databases find the same. It is derived:
a row may be missing for a moment after an article is placed (indexing is a later, cheap transaction that
follows the article numbers) and all of it can be rebuilt.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, select, text, update

from aggregator.errors import UsageError
from aggregator.model import Noun, TimedEntry
from aggregator.store.tables import article, counter
from aggregator.text.words import search_words

_CURSOR = "searchable"  # counter: the last article number in the index
_TSVECTOR_POSITIONS = 16383  # Postgres keeps no position above this
_MAX_SEARCHED_CHARS = 200 * 1024  # a tsvector is at most 1 MiB
_ENTRIES_SHOWN = 3  # of one live blog
_MOST_ROWS = 2**31 - 1  # both databases take a LIMIT of that size


class Phrase(Noun, frozen=True, kw_only=True):
    """Words that must stand side by side; the last one may be the beginning of a word."""

    words: tuple[str, ...]
    prefix: bool = False


def parse_query(query: str) -> tuple[Phrase, ...]:
    """`homs "central prison" rebel*` as phrases, all of which must be found.

    Raises UsageError where there is no word in it.
    """
    phrases = []
    for number, part in enumerate(query.split('"')):
        pieces = [part] if number % 2 else part.split()
        for piece in pieces:
            words = tuple(search_words(piece))
            if words:
                phrases.append(Phrase(words=words, prefix=piece.rstrip().endswith("*")))
    if not phrases:
        raise UsageError(
            'give at least one word; "two words" in quotes must stand side by side, rebel* begins'
        )
    return tuple(phrases)


def index_next(connection: Connection, limit: int) -> int:
    """Index the next articles after the cursor; returns how many."""
    cursor = connection.execute(select(counter.c.value).where(counter.c.name == _CURSOR)).scalar_one()
    rows = connection.execute(
        select(article.c.n, article.c.title, article.c.text)
        .where(article.c.n > cursor)
        .order_by(article.c.n)
        .limit(limit)
    ).all()
    if rows:
        _insert(connection, [(row.n, row.title, row.text) for row in rows])
        last = rows[-1].n
        connection.execute(update(counter).where(counter.c.name == _CURSOR).values(value=last))
    return len(rows)


def reindex(connection: Connection, n: int, *, old: tuple[str, str], new: tuple[str, str]) -> None:
    """Replace the (title, text) of article `n` where it is indexed already."""
    cursor = connection.execute(select(counter.c.value).where(counter.c.name == _CURSOR)).scalar_one()
    if n > cursor:
        return
    if connection.dialect.name == "sqlite":
        title, body = (_joined(part) for part in old)
        connection.execute(
            text(
                "INSERT INTO article_search(article_search, rowid, title, body) VALUES ('delete', :n, :t, :b)"
            ),
            {"n": n, "t": title, "b": body},
        )
    else:
        connection.execute(text("DELETE FROM article_search WHERE n = :n"), {"n": n})
    _insert(connection, [(n, *new)])


def _insert(connection: Connection, rows: Sequence[tuple[int, str, str]]) -> None:
    if connection.dialect.name == "sqlite":
        statement = text("INSERT INTO article_search(rowid, title, body) VALUES (:n, :t, :b)")
        values = [{"n": n, "t": _joined(title), "b": _joined(body)} for n, title, body in rows]
    else:
        statement = text("INSERT INTO article_search(n, words) VALUES (:n, CAST(:w AS tsvector))")
        values = [{"n": n, "w": _tsvector(title, body)} for n, title, body in rows]
    connection.execute(statement, values)


def _joined(part: str) -> str:
    return " ".join(search_words(part[:_MAX_SEARCHED_CHARS]))


def _tsvector(title: str, body: str) -> str:
    """Postgres' text form with positions of our own; the words of the title carry weight A."""
    places: dict[str, list[str]] = {}
    position = 0
    for part, weight in ((title, "A"), (body[:_MAX_SEARCHED_CHARS], "")):
        for word in search_words(part):
            position += 1
            found = places.setdefault(word, [])
            if len(found) < 255 and position <= _TSVECTOR_POSITIONS:
                found.append(f"{position}{weight}")
        position += 1  # a phrase does not run from the title into the text
    return " ".join(f"'{word}':{','.join(found)}" if found else f"'{word}'" for word, found in places.items())


def matching(connection: Connection, phrases: Sequence[Phrase]) -> ColumnElement[bool]:
    """The condition "article.n is one that holds all phrases"."""
    if connection.dialect.name == "sqlite":
        found: Any = text("SELECT rowid FROM article_search WHERE article_search MATCH :match").bindparams(
            bindparam("match", _fts5(phrases), unique=False)
        )
    else:
        found = text("SELECT n FROM article_search WHERE words @@ CAST(:match AS tsquery)").bindparams(
            bindparam("match", _tsquery(phrases), unique=False)
        )
    return article.c.n.in_(found.columns(article.c.n))


def best(connection: Connection, phrases: Sequence[Phrase], limit: int) -> list[int]:
    """Numbers of the articles that hold all phrases: those with all of them in the title first, each newest
    first.

    The databases' own ranks (bm25, ts_rank) differ from each other, and Postgres' would read every hit.
    """
    limit = min(limit, _MOST_ROWS)
    titled = _newest(connection, phrases, limit, title_only=True)
    if len(titled) == limit:
        return titled
    first = set(titled)
    others = _newest(connection, phrases, min(limit + len(titled), _MOST_ROWS), title_only=False)
    return (titled + [n for n in others if n not in first])[:limit]


def _newest(connection: Connection, phrases: Sequence[Phrase], limit: int, *, title_only: bool) -> list[int]:
    if connection.dialect.name == "sqlite":
        where = "SELECT rowid FROM article_search WHERE article_search MATCH :match ORDER BY rowid DESC"
        match = f"{{title}} : ({_fts5(phrases)})" if title_only else _fts5(phrases)
    else:
        where = "SELECT n FROM article_search WHERE words @@ CAST(:match AS tsquery) ORDER BY n DESC"
        match = _tsquery(phrases, "A" if title_only else "")
    statement = text(f"{where} LIMIT :limit")
    return list(connection.execute(statement, {"match": match, "limit": limit}).scalars())


def entries_with(timed: Sequence[TimedEntry], phrases: Sequence[Phrase]) -> list[TimedEntry]:
    """The entries of a live blog that hold all phrases, the newest first, at most three."""
    return [one for one in reversed(timed) if _holds(search_words(one.text), phrases)][:_ENTRIES_SHOWN]


def _holds(words: Sequence[str], phrases: Sequence[Phrase]) -> bool:
    return all(
        any(_stands_at(words, place, phrase) for place in range(len(words) - len(phrase.words) + 1))
        for phrase in phrases
    )


def _stands_at(words: Sequence[str], place: int, phrase: Phrase) -> bool:
    *before, last = phrase.words
    end = place + len(before)
    found = words[end].startswith(last) if phrase.prefix else words[end] == last
    return found and list(words[place:end]) == before


def _fts5(phrases: Sequence[Phrase]) -> str:
    return " AND ".join(f'"{" ".join(p.words)}"{" *" if p.prefix else ""}' for p in phrases)


def _tsquery(phrases: Sequence[Phrase], weight: str = "") -> str:
    written = []
    for phrase in phrases:
        marks = [weight for _ in phrase.words]
        if phrase.prefix:
            marks[-1] += "*"
        words = (
            f"'{word}'" + (f":{mark}" if mark else "") for word, mark in zip(phrase.words, marks, strict=True)
        )
        written.append(f"({' <-> '.join(words)})")
    return " & ".join(written)


def searchable_count(connection: Connection) -> int:
    """How many articles have been placed and are not in the index yet."""
    cursor = connection.execute(select(counter.c.value).where(counter.c.name == _CURSOR)).scalar_one()
    return connection.execute(
        select(func.count()).select_from(article).where(article.c.n > cursor)
    ).scalar_one()
