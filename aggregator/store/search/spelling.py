"""Words of the index that are spelt almost like a word of a search that no article has.

The candidates are all words at one edit of it (a letter added, left out or replaced, or two letters swapped),
the errors that P. Norvig's spelling corrector begins with. The index is asked for all of them at once, which
takes bounded time on both databases: no list of its words is read.
"""

from collections import Counter
from collections.abc import Iterator
from string import ascii_lowercase

from sqlalchemy import Connection, select

from aggregator.extract.language.search_tokens import index_words, is_unspaced
from aggregator.model.errors import UsageError
from aggregator.store.search import match
from aggregator.store.search.match import Phrase, Query, Term, parse_query
from aggregator.store.tables import article, rows_with

_WORDS_CORRECTED = 3  # of one search
_LETTERS = range(3, 21)  # of a word that is corrected; most pairs of two letters are words
_ARTICLES_READ = 50  # the newest with a candidate; the word that most of them have is suggested
# Letters that are tried, by the first of their block in Unicode; folded as in the index.
_ALPHABETS = (
    ascii_lowercase,
    "".join(map(chr, range(0x3B1, 0x3CA))),  # Greek
    "".join(map(chr, range(0x430, 0x460))),  # Cyrillic
    "".join(map(chr, range(0x5D0, 0x5EB))),  # Hebrew
    "".join(map(chr, range(0x627, 0x64B))),  # Arabic
)


def similar_words(connection: Connection, text: str) -> dict[str, str]:
    """Return the words of a search that no article has, each with the most frequent word at one edit of it.

    Words without such a word are left out, and so are phrases and prefixes.
    """
    try:
        query = parse_query(text)
    except UsageError:
        return {}
    typed = (term.any_of[0][0] for term in query.terms if len(term.any_of[0]) == 1)
    words = dict.fromkeys(one.words[0] for one in typed if len(one.words) == 1 and not one.ends_in_prefix)
    found: dict[str, str] = {}
    for word in words:
        if len(found) == _WORDS_CORRECTED:
            break
        if len(word) in _LETTERS and not is_unspaced(word) and not _newest(connection, [word], 1):
            similar = _most_frequent(connection, sorted(set(_edits(word))))
            found |= {word: similar} if similar else {}
    return found


def _newest(connection: Connection, words: list[str], limit: int) -> list[int]:
    any_word = Term(any_of=tuple((Phrase(words=(word,)),) for word in words))
    return match.newest(connection, Query(terms=(any_word,)), limit, reach=limit)


def _most_frequent(connection: Connection, words: list[str]) -> str | None:
    """Return the word that most of the newest articles with one of `words` have."""
    numbers = _newest(connection, words, _ARTICLES_READ)
    texts = select(article.c.title, article.c.lead, article.c.text)
    counts: Counter[str] = Counter()
    for row in rows_with(connection, texts, article.c.inbox_no, numbers):
        counts.update({*index_words(row.title), *index_words(row.text or row.lead)} & {*words})
    return min(counts, key=lambda one: (-counts[one], one), default=None)


def _edits(word: str) -> Iterator[str]:
    """Yield the words at one edit of `word`; letters are added and replaced by those of its alphabet."""
    alphabet = next((letters for letters in _ALPHABETS if not {*letters}.isdisjoint(word)), "")
    for at in range(len(word) + 1):
        before, after = word[:at], word[at:]
        if after:
            yield before + after[1:]
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]
        for letter in alphabet:
            yield before + letter + after
            if after:
                yield before + letter + after[1:]
