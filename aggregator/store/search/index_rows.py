"""The content of the full-text index: words of an article, and tokens that let filters find it.

`extract.language.search_tokens.index_words` makes the words, so both databases find the same articles. The tokens for
filters are words of the title, outlet, author, language and day of an article. They begin with "_", which no word of a
text does.
"""

from aggregator.extract.language.search_tokens import index_words, search_words
from aggregator.store.tables import Row, Values

TITLE, OUTLET, AUTHOR, LANGUAGE, DAY = "_t", "_o", "_a", "_l", "_d"
EVERY = "_"  # a token that every article has; it also separates title and text
# Beginnings of tokens, on Postgres only, that group inbox numbers, each with the number of low bits to leave out
SPANS = {
    "_n": 12,
    "_m": 14,
    "_k": 17,
}

_TSVECTOR_POSITIONS = 16383  # Postgres keeps no position above this
# Postgres keeps no more positions than this of one word
_TSVECTOR_PLACES = 255
# Bytes of words and positions; Postgres refuses 1 MiB, and we add marks
_TSVECTOR_BYTES = 900_000
# Characters of a text that cannot come near _TSVECTOR_BYTES
_NEVER_TOO_LARGE = 50_000
_MAX_SEARCHED_CHARS = 200 * 1024


# The columns of articles that are indexed
INDEXED = """
    SELECT inbox_no, title, coalesce(text, '') AS text, outlet, outlet_name, author, language, effective_at
    FROM article
    """


def mark_tokens(mark: str, text: str | None) -> list[str]:
    """Return the tokens of `text` as the title, outlet, author or language of an article."""
    return [f"{mark}{word}" for word in index_words(text or "")]


def tokens_of(row: Row) -> list[str]:
    """Return the tokens of an article, in order.

    The title comes twice: first as tokens with a mark, so that a search in titles need not check where a word stands,
    then as words before the text. The tokens of filters come last. A text that exceeds the limit of Postgres is cut,
    on both databases.
    """
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
    day = row.effective_at.date()
    return [
        *mark_tokens(TITLE, row.title),
        EVERY,
        *index_words(row.title),
        EVERY,
        *body,
        EVERY,
        f"{DAY}{day:%Y%m%d}",
        f"{DAY}{day:%Y%m}",
        f"{DAY}{day:%Y}",
        *mark_tokens(OUTLET, f"{row.outlet or ''} {row.outlet_name or ''}"),
        *mark_tokens(AUTHOR, row.author),
        LANGUAGE + "".join(search_words(row.language or "")),
    ]


def fts5_row(row: Row) -> Values:
    """Return a row of the index of SQLite: number and tokens."""
    return {"n": row.inbox_no, "w": " ".join(tokens_of(row))}


def tsvector_row(row: Row) -> Values:
    """Return a row of the index of Postgres: the text form of a tsvector with our own positions.

    Postgres drops positions beyond its limits. The flag `is_long` marks a row with such positions.
    """
    places: dict[str, list[int]] = {}
    position = 0
    for position, token in enumerate(tokens_of(row), 1):
        places.setdefault(token, []).append(position)
    is_long = position > _TSVECTOR_POSITIONS or any(
        len(positions) > _TSVECTOR_PLACES for positions in places.values()
    )
    words = [f"'{word}':{','.join(map(str, at))}" for word, at in places.items()]
    words += [f"'{span}{row.inbox_no >> bits}'" for span, bits in SPANS.items()]
    return {"n": row.inbox_no, "w": " ".join(words), "l": is_long}
