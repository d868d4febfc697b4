"""Parses a search as people type it, for the full-text index and for matching a text.

    homs rebel* "central prison" -syria title:fall (jail OR prison) outlet:herald lang:de after:2024-12-01

All terms must match, but terms after a minus must not; a search may consist of the latter alone. A term has
alternatives of one or more phrases: the phrases joined by OR, the inflected forms of a word without quotes and
minus (talk: talks), German umlauts written out (Mueller for Müller), and the parts of a long Chinese or Japanese
run (台北地震: 台北 and 地震).
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

from msgspec.structs import replace

from aggregator.extract.language.inflections import inflections
from aggregator.extract.language.search_tokens import (
    in_index,
    is_unspaced,
    search_words,
)
from aggregator.model.errors import UsageError
from aggregator.model.structs import FrozenStruct
from aggregator.store.search.index_rows import AUTHOR, LANGUAGE, OUTLET, TITLE

Words = tuple[str, ...]
# Terms of one search; limits the time of a hostile search
MOST_TERMS = 32
# Words of one phrase
_MOST_WORDS = 64
# Once the words of a search have this many spellings and forms, further words are searched for as written
_MOST_FORMS = 512

_LEAST_PREFIX = 2  # letters before a *; one letter would match half of all words
# Characters of a run that is also searched in parts; longer ones have too many splits
_PARTED = range(4, 11)

# Characters of a part: the length of most Chinese words and words in kanji
_PART = (2, 3)

_TOKEN = re.compile(
    r'(?P<minus>-)?(?:(?P<field>title|outlet|author|lang|language|after|before):(?=["\w]))?'
    r'(?:"(?P<quoted>[^"]*)"?|(?P<bare>[^\s"]+))'
)

_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"'))
_MARKS = {
    None: "",
    "title": TITLE,
    "outlet": OUTLET,
    "author": AUTHOR,
    "lang": LANGUAGE,
    "language": LANGUAGE,
}
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
# Not in "neue", "aktuell", "queue"
_UMLAUT_WRITTEN_OUT = re.compile(r"(?<![aeiouq])([aou])e")

_UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
)


class Phrase(FrozenStruct):
    """Consecutive words; the last one may be a prefix."""

    # The result of `extract.language.search_tokens.search_words`
    words: Words
    prefix: bool = False
    # Beginning of the index tokens for the part of an article where the words stand
    mark: str = ""

    @property
    def tokens(self) -> Words:
        """The words in the form of the index."""
        return tuple(f"{self.mark}{word}" for word in in_index(self.words, whole=False))

    @property
    def ends_in_prefix(self) -> bool:
        """Whether the last word in the form of the index matches as a prefix."""
        last = self.words[-1]
        if is_unspaced(last):
            return len(last) == 1
        return self.prefix


class Term(FrozenStruct):
    """Alternatives; a text matches if it contains all phrases of one of them."""

    any_of: tuple[tuple[Phrase, ...], ...]

    @property
    def phrases(self) -> Iterator[Phrase]:
        """All phrases of all alternatives."""
        for way in self.any_of:
            yield from way

    @property
    def with_title(self) -> "Term":
        """The term with its phrases in the headline as further alternatives."""
        titled = []
        for way in self.any_of:
            phrases = [replace(phrase, mark=phrase.mark or TITLE) for phrase in way]
            titled.append(tuple(phrases))
        return Term(any_of=tuple(dict.fromkeys((*self.any_of, *titled))))


class Query(FrozenStruct):
    """A search. `since` (inclusive) and `before` (exclusive) bound the effective time of articles."""

    terms: tuple[Term, ...] = ()
    without: tuple[Term, ...] = ()
    since: datetime | None = None
    before: datetime | None = None

    @property
    def only_excludes(self) -> bool:
        """Whether the search only lists words that an article must not have."""
        return self == Query(without=self.without)


def parse_query(query: str) -> Query:
    """Parse a search; unknown syntax is searched for as words.

    Raises UsageError for a search without words or filters, an invalid date, or more than `MOST_TERMS`.
    """
    terms: list[Term] = []
    without = []
    bounds: dict[str, datetime] = {}
    joins = False
    forms = 0
    for match in _TOKEN.finditer(query.translate(_QUOTES)):
        field, minus, quoted = match["field"], match["minus"], match["quoted"]
        if match["bare"] == "OR" and not minus and not field:
            joins = bool(terms)
            continue
        given = match["bare"] or quoted or ""
        if field in ("after", "before"):
            if minus:
                raise UsageError(
                    f"-{field}: a time cannot be excluded; give {field}: without the minus"
                )
            bounds["since" if field == "after" else field] = _start_of(field, given)
            joins = False
            continue
        if field in (None, "title"):
            term = parsed_term(
                given,
                mark=_MARKS[field],
                is_exact=quoted is not None or bool(minus) or forms >= _MOST_FORMS,
            )
        else:
            term = filter_term(given, _MARKS[field])
        if term is None:
            continue
        forms += len(term.any_of)
        if minus:
            without.append(term)
        elif joins:
            terms[-1] = Term(any_of=terms[-1].any_of + term.any_of)
        else:
            terms.append(term)
        joins = False
    if not (terms or without or bounds):
        raise UsageError(
            'give at least one word; "two words" in quotes are a phrase, rebel* is a prefix'
        )
    words = sum(len(phrase.words) for term in terms for phrase in term.phrases)
    if len(terms) + len(without) > MOST_TERMS or words > _MOST_WORDS * 4 + _MOST_FORMS:
        raise UsageError(f"the search is too long; give at most {MOST_TERMS} words")
    return Query(terms=tuple(terms), without=tuple(without), **bounds)


def filter_term(given: str, mark: str) -> Term | None:
    """Return the term of an outlet, author or language that has all words of `given`; None without words."""
    words = in_index(search_words(given), whole=False)
    if mark == LANGUAGE:
        words = ["".join(words)] if words else []
    way = tuple(Phrase(words=(word,), mark=mark) for word in words)
    return Term(any_of=(way,)) if way else None


def _start_of(field: str, given: str) -> datetime:
    match = _DAY.fullmatch(given.strip())
    try:
        if match is not None:
            year, month, day = map(int, match.groups("1"))
            return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        pass
    raise UsageError(
        f"{field}: give a day, a month or a year: {field}:2024-12-01, {field}:2024-12"
    )


def parsed_term(given: str, *, mark: str = "", is_exact: bool = True) -> Term | None:
    """Return the term of a word or phrase; None without words. Raises UsageError for one that is too long.

    If it is not exact, a word may have any of its inflected forms, and a run without spaces may be in parts.
    """
    words = tuple(search_words(given))
    if not words:
        return None
    if len(words) > _MOST_WORDS:
        raise UsageError(
            f"the search is too long; a phrase has at most {_MOST_WORDS} words"
        )
    ends = given.rstrip().endswith("*") and (
        is_unspaced(words[-1]) or len(words[-1]) >= _LEAST_PREFIX
    )
    # The words as typed come first, then with umlauts in place of "ae", "oe" and "ue", and with umlauts written
    # out
    spellings = [
        words,
        tuple(_UMLAUT_WRITTEN_OUT.sub(r"\1", word) for word in words),
        tuple(search_words(given.translate(_UMLAUTS))),
    ]
    is_one = len(words) == 1 and not is_exact
    if is_one and not ends:
        spellings += [(form,) for form in inflections(words[0])]
    ways: list[tuple[Phrase, ...]] = [
        (Phrase(words=spelt, prefix=ends, mark=mark),)
        for spelt in dict.fromkeys(spellings)
    ]
    if is_one and is_unspaced(words[0]) and len(words[0]) in _PARTED:
        for parts in _parts(words[0]):
            phrases = [Phrase(words=(part,), mark=mark) for part in parts]
            ways.append(tuple(phrases))
    return Term(any_of=tuple(ways))


@lru_cache(maxsize=4096)
def muted_term(word: str) -> Term | None:
    """Return the term of a muted word, phrase or prefix; None without words. Raises UsageError."""
    return parsed_term(word)


def _parts(run: str) -> Iterator[Words]:
    """Yield all splits of a run into parts of two and three characters."""
    if len(run) in _PART:
        yield (run,)
    for length in _PART:
        if len(run) - length >= min(_PART):
            yield from ((run[:length], *rest) for rest in _parts(run[length:]))
