"""The nearest known words for a search that finds nothing: "ukraine" for "ukrane"."""

from difflib import get_close_matches

from sqlalchemy import Connection

from aggregator.extract.language.search_tokens import WORD, is_unspaced, search_words
from aggregator.store.search.index_rows import TITLE
from aggregator.store.search.match import find_newest
from aggregator.store.search.query import Query, parse_query
from aggregator.store.tables import read_values

# Newest headlines that are read. They have 9,000 words, among which finding the nearest takes 40 ms (measured).
_TITLES = 5_000
# Letters of the shortest word to replace. Shorter words are near too many others.
_LEAST_LETTERS = 4
# Ratio of difflib: two letters of nine may differ (chosen)
_LEAST_LIKENESS = 0.75
# Most words of one search that are replaced, which limits the time of a hostile search
_MOST_UNKNOWN = 4


def nearest_search(connection: Connection, text: str) -> str | None:
    """Return a search in which words that no article has are replaced by the nearest words of headlines.

    Return None if no word can be replaced. Raises UsageError as `parse_query` does.
    """
    unknown = []
    for term in parse_query(text).terms:
        phrase = term.any_of[0][0]
        word = phrase.words[0]
        is_alone = len(phrase.words) == 1 and not phrase.prefix
        is_word = phrase.mark in ("", TITLE) and not is_unspaced(word)
        if (
            is_alone
            and is_word
            and len(word) >= _LEAST_LETTERS
            and not find_newest(connection, Query(terms=(term,)), 1, reach=1)
        ):
            unknown.append(word)
    if not unknown:
        return None
    newest_first = """
        SELECT title FROM story WHERE redirect_to IS NULL ORDER BY bumped_at DESC LIMIT :most
        """
    known: set[str] = set()
    for title in read_values(connection, newest_first, most=_TITLES):
        known.update(
            word for word in search_words(title) if len(word) >= _LEAST_LETTERS
        )
    nearest = {}
    for word in unknown[:_MOST_UNKNOWN]:
        if word in known:
            continue  # a headline that is not indexed yet has the word
        for match in get_close_matches(word, known, n=1, cutoff=_LEAST_LIKENESS):
            nearest[word] = match
    if not nearest:
        return None
    return WORD.sub(
        lambda word: nearest.get("".join(search_words(word[0])), word[0]), text
    )
