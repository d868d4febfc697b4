"""The content of the full-text index: words of an article, and tokens by which filters find it.

Words are those of `extract.language.search_tokens.index_words`, so both databases find the same articles.
Tokens of filters are words of the title, outlet, author, language and day of an article that begin with "_",
which no word of a text does.
"""

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Row

from aggregator.extract.language.search_tokens import (
    in_index,
    index_words,
    search_words,
)

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
    if year:
        return f"_d{day:%Y}"
    if month:
        return f"_d{day:%Y%m}"
    return f"_d{day:%Y%m%d}"


def _tokens(row: Indexed) -> list[str]:
    """Return the tokens of an article, in order: title, title and text as they are searched, and filters.

    The title stands first once more, by tokens of its own: no database must look where a word stands. A text
    that exceeds the limit of Postgres is cut, on both.
    """
    title = index_words(row.title)
    body = index_words(row.text[:_MAX_SEARCHED_CHARS])
    if len(row.text) > _NEVER_TOO_LARGE:
        known = set()
        size = 0
        for at, word in enumerate(body):
            size += 2
            if word not in known:
                known.add(word)
                size += len(word.encode()) + 8
            if size > _TSVECTOR_BYTES:
                body = body[:at]
                break
    tokens = [*map(title_token, title), _BREAK, *title, _BREAK, *body, _BREAK]
    day = row.effective_at.date()
    tokens += [day_token(day), day_token(day, month=True), day_token(day, year=True)]
    outlet = index_words(f"{row.outlet or ''} {row.outlet_name or ''}")
    tokens += [f"_o{word}" for word in outlet]
    tokens += [f"_a{word}" for word in index_words(row.author or "")]
    if row.language:
        tokens.append(language_token(row.language))
    return tokens


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
    for token, positions in places.items():
        # The positions ascend
        kept = positions[: bisect_right(positions, _TSVECTOR_POSITIONS)]
        kept = kept[:_TSVECTOR_PLACES]
        is_long = is_long or len(kept) < len(positions)
        listed = ",".join(map(str, kept))
        written.append(f"'{token}':{listed}" if kept else f"'{token}'")
    written += [f"'_{letter}{row.inbox_no >> bits}'" for letter, bits in SPANS.items()]
    return {"n": row.inbox_no, "w": " ".join(written), "l": is_long}
