"""Parses a search as people type it, for the full-text index and for matching a text.

    homs rebel* "central prison" -syria title:fall (jail OR prison) outlet:herald lang:de after:2024-12-01

All terms must match, except terms after a minus, which must not. A search may consist of terms with a minus alone. A
term matches if one of its alternatives does. An alternative has one or more phrases. The alternatives are:

* the words that are joined by OR
* the inflected forms of a word without quotes and minus (talk: talks)
* German umlauts written out (Mueller for Müller)
* the parts of a long Chinese or Japanese run of characters (台北地震: 台北 and 地震)
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

from msgspec.structs import replace

from aggregator.extract.language.inflections import list_inflections
from aggregator.extract.language.search_tokens import (
    is_unspaced,
    search_words,
    split_into_tokens,
)
from aggregator.model.errors import UsageError
from aggregator.model.structs import FrozenStruct
from aggregator.store.search.index_rows import AUTHOR, LANGUAGE, OUTLET, TITLE

Words = tuple[str, ...]
# The most terms of one search, which limit the time of a hostile search
MOST_TERMS = 32
# The most words of one phrase
_MOST_WORDS = 64
# Once the terms of a search have this many alternatives, further words are searched for only as written.
_MOST_ALTERNATIVES = 512
# The most words of all alternatives together: several long phrases in three spellings each, and the forms of words
_MOST_WORDS_IN_ALL = 4 * _MOST_WORDS + _MOST_ALTERNATIVES
# The least letters before a *, since one letter would match half of all words
_LEAST_PREFIX = 2
# A run of this many characters without spaces is also searched for in parts; longer runs have too many splits.
_SPLIT_CHARS = range(4, 11)
# The characters of a part, which is as long as most words in Chinese and in kanji
_PART_CHARS = (2, 3)

# One token of a search: -syria, title:fall, "central prison", -title:"fall of"; a quote may lack its end.
_TOKEN = re.compile(
    r'(?P<minus>-)?(?:(?P<field>title|outlet|author|lang|language|after|before):(?=["\w]))?'
    r'(?:"(?P<quoted>[^"]*)"?|(?P<bare>[^\s"]+))'
)
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"'))
# The index has a mark before each word, which tells the part of the article where the word stands.
_MARKS = {
    None: "",
    "title": TITLE,
    "outlet": OUTLET,
    "author": AUTHOR,
    "lang": LANGUAGE,
    "language": LANGUAGE,
}
# 2024, 2024-12, 2024-12-01
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
# "ue" in "Mueller", but not in "neue" or "queue"
_UMLAUT_WRITTEN_OUT = re.compile(r"(?<![aeiouq])([aou])e")
_UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
)


class Phrase(FrozenStruct):
    """Consecutive words; the last one may be a prefix."""

    # The result of `extract.language.search_tokens.search_words`
    words: Words
    prefix: bool = False
    # The part of an article where the words must stand, one of `_MARKS`; "" is any part
    mark: str = ""

    @property
    def tokens(self) -> Words:
        """The words in the form of the index."""
        return tuple(
            f"{self.mark}{word}" for word in split_into_tokens(self.words, whole=False)
        )

    @property
    def ends_in_prefix(self) -> bool:
        """Whether the last word in the form of the index matches as a prefix."""
        last = self.words[-1]
        if is_unspaced(last):
            # The index has pairs of characters, so a single character is the beginning of a pair.
            return len(last) == 1
        return self.prefix


class Term(FrozenStruct):
    """Alternatives, each with one or more phrases. A text matches if it has all phrases of one alternative."""

    any_of: tuple[tuple[Phrase, ...], ...]

    @property
    def phrases(self) -> Iterator[Phrase]:
        """All phrases of all alternatives."""
        for alternative in self.any_of:
            yield from alternative

    @property
    def with_title(self) -> "Term":
        """The term with additional alternatives: the same phrases in the headline."""
        in_title = []
        for alternative in self.any_of:
            phrases = [replace(p, mark=p.mark or TITLE) for p in alternative]
            in_title.append(tuple(phrases))
        return Term(any_of=tuple(dict.fromkeys((*self.any_of, *in_title))))


class Query(FrozenStruct):
    """A search. `since` (inclusive) and `before` (exclusive) bound the effective time of articles."""

    terms: tuple[Term, ...] = ()
    without: tuple[Term, ...] = ()
    since: datetime | None = None
    before: datetime | None = None

    @property
    def only_excludes(self) -> bool:
        """Whether the search only has words that an article must not have."""
        return self == Query(without=self.without)


def parse_query(query: str) -> Query:
    """Return a parsed search. Unknown syntax is searched for as words.

    Raises UsageError for a search without words or filters, an invalid date, or more than `MOST_TERMS`.
    """
    terms: list[Term] = []
    excluded = []
    bounds: dict[str, datetime] = {}
    is_after_or = False  # the next term adds alternatives to the term before the OR
    alternatives = 0
    for token in _TOKEN.finditer(query.translate(_QUOTES)):
        field, minus, quoted = token["field"], token["minus"], token["quoted"]
        if token["bare"] == "OR" and not minus and not field:
            is_after_or = bool(terms)
            continue
        value = token["bare"] or quoted or ""

        if field in ("after", "before"):
            if minus:
                raise UsageError(
                    f"-{field}: a time cannot be excluded; give {field}: without the minus"
                )
            bounds["since" if field == "after" else field] = _parse_day(field, value)
            is_after_or = False
            continue

        if field in (None, "title"):
            term = _parse_term(
                value,
                mark=_MARKS[field],
                is_exact=quoted is not None
                or bool(minus)
                or alternatives >= _MOST_ALTERNATIVES,
            )
        else:
            term = filter_term(value, _MARKS[field])
        if term is None:  # punctuation without a word
            continue
        alternatives += len(term.any_of)
        if minus:
            excluded.append(term)
        elif is_after_or:
            terms[-1] = Term(any_of=terms[-1].any_of + term.any_of)
        else:
            terms.append(term)
        is_after_or = False
    if not (terms or excluded or bounds):
        raise UsageError(
            'give at least one word; "two words" in quotes are a phrase, rebel* is a prefix'
        )
    words = sum(len(phrase.words) for term in terms for phrase in term.phrases)
    if len(terms) + len(excluded) > MOST_TERMS or words > _MOST_WORDS_IN_ALL:
        raise UsageError(f"the search is too long; give at most {MOST_TERMS} words")
    return Query(terms=tuple(terms), without=tuple(excluded), **bounds)


def filter_term(value: str, mark: str) -> Term | None:
    """Return the term for an outlet, author or language with all words of `value`; None without words.

    `mark` is OUTLET, AUTHOR or LANGUAGE.
    """
    words = split_into_tokens(search_words(value), whole=False)
    if mark == LANGUAGE:
        words = ["".join(words)] if words else []
    phrases = tuple(Phrase(words=(word,), mark=mark) for word in words)
    return Term(any_of=(phrases,)) if phrases else None


def _parse_day(field: str, value: str) -> datetime:
    """Return the beginning of a day, month or year. Raises UsageError."""
    match = _DAY.fullmatch(value.strip())
    try:
        if match is not None:
            year, month, day = map(int, match.groups("1"))
            return datetime(year, month, day, tzinfo=UTC)
    except ValueError:  # 2024-13
        pass
    raise UsageError(
        f"{field}: give a day, a month or a year: {field}:2024-12-01, {field}:2024-12"
    )


def _parse_term(value: str, *, mark: str = "", is_exact: bool = True) -> Term | None:
    """Return the term for a word or phrase; None without words. Raises UsageError for a phrase that is too long.

    Unless `is_exact`, a word may have any of its inflected forms, and a run without spaces may be in parts.
    """
    words = tuple(search_words(value))
    if not words:
        return None
    if len(words) > _MOST_WORDS:
        raise UsageError(
            f"the search is too long; a phrase has at most {_MOST_WORDS} words"
        )
    is_prefix = value.rstrip().endswith("*") and (
        is_unspaced(words[-1]) or len(words[-1]) >= _LEAST_PREFIX
    )
    spellings = [
        words,
        # "Mueller" is searched for as "muller", too, since the index has no umlauts, and "Müller" as "mueller".
        tuple(_UMLAUT_WRITTEN_OUT.sub(r"\1", word) for word in words),
        tuple(search_words(value.translate(_UMLAUTS))),
    ]
    may_vary = len(words) == 1 and not is_exact
    if may_vary and not is_prefix:
        spellings += [(form,) for form in list_inflections(words[0])]
    alternatives: list[tuple[Phrase, ...]] = [
        (Phrase(words=spelling, prefix=is_prefix, mark=mark),)
        for spelling in dict.fromkeys(spellings)
    ]
    if may_vary and is_unspaced(words[0]) and len(words[0]) in _SPLIT_CHARS:
        for parts in _split_run(words[0]):
            phrases = [Phrase(words=(part,), mark=mark) for part in parts]
            alternatives.append(tuple(phrases))
    return Term(any_of=tuple(alternatives))


@lru_cache(maxsize=4096)
def muted_term(word: str) -> Term | None:
    """Return the term for a muted word, phrase or prefix; None without words. Raises UsageError."""
    return _parse_term(word)


def _split_run(run: str) -> Iterator[Words]:
    """Yield all splits of a run into parts of two and three characters: 台北地震 into 台北 and 地震."""
    if len(run) in _PART_CHARS:
        yield (run,)
    for length in _PART_CHARS:
        if len(run) - length >= min(_PART_CHARS):
            for rest in _split_run(run[length:]):
                yield run[:length], *rest
