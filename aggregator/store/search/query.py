"""Parses a search as people type it, for the full-text index and for matching a text.

    homs rebel* "central prison" -syria title:fall (jail OR prison) outlet:herald lang:de after:2024-12-01

All terms must match, and none after a minus; a search may have only the latter. A term has alternatives of
one or more phrases: those joined by OR, the inflected forms of a word without quotes and minus (talk: talks),
German umlauts written out (Mueller for Müller), and the parts of a long Chinese or Japanese run (台北地震:
台北 and 地震).
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any

from msgspec.structs import replace

from aggregator.extract.language.inflections import inflections
from aggregator.extract.language.search_tokens import (
    in_index,
    is_unspaced,
    search_words,
)
from aggregator.model.errors import UsageError
from aggregator.model.structs import FrozenStruct
from aggregator.store.search.index_rows import filter_tokens_of, language_token

Words = tuple[str, ...]  # or tokens of the index
MOST_TERMS = 32  # of one search; limits the time of a hostile one
_MOST_WORDS = 64  # of a phrase
# Of the first words of a search; further ones are searched for as they are written
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
_BOUNDS = {"after": "since", "before": "before"}  # fields of a Query
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
# Not in "neue", "aktuell", "queue"
_UMLAUT_WRITTEN_OUT = re.compile(r"(?<![aeiouq])([aou])e")

_UMLAUTS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
)


class Phrase(FrozenStruct):
    """Consecutive words; the last one may be a prefix."""

    words: Words  # from `extract.language.search_tokens.search_words`
    prefix: bool = False
    in_title: bool = False

    @property
    def in_index(self) -> Words:
        """The words in the form of the index."""
        return tuple(in_index(self.words, whole=False))

    @property
    def ends_in_prefix(self) -> bool:
        """Whether the last word in the form of the index matches as a prefix."""
        last = self.words[-1]
        return (self.prefix and not is_unspaced(last)) or (
            is_unspaced(last) and len(last) == 1
        )


class Term(FrozenStruct):
    """Alternatives; a text matches if it contains all phrases of one of them."""

    any_of: tuple[tuple[Phrase, ...], ...]


class Query(FrozenStruct):
    """A search. `since` (inclusive) and `before` (exclusive) bound the effective time of articles."""

    terms: tuple[Term, ...] = ()
    without: tuple[Term, ...] = ()
    # Tokens of filters; an article has not all of any tuple
    without_tokens: tuple[Words, ...] = ()
    outlet: Words = ()  # words of the outlet's name
    author: Words = ()
    language: str | None = None
    since: dt.datetime | None = None
    before: dt.datetime | None = None

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """All phrases that may match, for snippets."""
        ways = chain.from_iterable(term.any_of for term in self.terms)
        return tuple(chain.from_iterable(ways))

    @property
    def only_excludes(self) -> bool:
        """Whether it says only what an article must not have."""
        return self == Query(without=self.without, without_tokens=self.without_tokens)


def parse_query(query: str) -> Query:
    """Parse a search; unknown syntax is searched for as words.

    Raises UsageError for a search without words or filters, an invalid date, or more than `MOST_TERMS`.
    """
    terms: list[Term] = []
    without = []
    asked: dict[str, Any] = {}
    joins = False
    forms = 0
    for match in _TOKEN.finditer(query.translate(_QUOTES)):
        field, minus, quoted = match["field"], match["minus"], match["quoted"]
        if match["bare"] == "OR" and not minus and not field:
            joins = bool(terms)
            continue
        given = match["bare"] or quoted or ""
        if field not in (None, "title"):
            asked |= _filter(field, given, asked, excludes=bool(minus))
            joins = False
            continue
        term = parsed_term(
            given,
            in_title=field == "title",
            is_quoted=quoted is not None,
            has_forms=quoted is None and not minus and forms < _MOST_FORMS,
        )
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
    if not (terms or without or asked):
        raise UsageError(
            'give at least one word; "two words" in quotes are a phrase, rebel* is a prefix'
        )
    parsed = Query(terms=tuple(terms), without=tuple(without), **asked)
    _check_length(parsed)
    return parsed


def _filter(
    field: str, given: str, asked: Mapping[str, Any], *, excludes: bool
) -> dict[str, Any]:
    """Return the fields of a Query that a filter adds to those `asked` before; {} without words."""
    if field in ("after", "before"):
        if excludes:
            raise UsageError(
                f"-{field}: a time cannot be excluded; give {field}: without the minus"
            )
        return {_BOUNDS[field]: _start_of(field, given)}
    words = tuple(search_words(given))
    added: dict[str, Any] = {}
    if excludes and words:
        tokens: Words = (language_token(given),)
        if field in ("outlet", "author"):
            tokens = tuple(filter_tokens_of(words, field[0]))
        if tokens:
            added["without_tokens"] = (*asked.get("without_tokens", ()), tokens)
    elif field in ("lang", "language"):
        language = given.strip().casefold()
        if language and not excludes:
            added["language"] = language
    elif words:
        added[field] = (*asked.get(field, ()), *words)
    return added


def _check_length(query: Query) -> None:
    words = sum(len(phrase.words) for phrase in query.phrases)
    terms = len(query.terms) + len(query.without) + len(query.without_tokens)
    if terms > MOST_TERMS or words > _MOST_WORDS * 4 + _MOST_FORMS:
        raise UsageError(f"the search is too long; give at most {MOST_TERMS} words")


def _start_of(field: str, given: str) -> dt.datetime:
    match = _DAY.fullmatch(given.strip())
    try:
        if match is not None:
            return dt.datetime(
                int(match[1]), int(match[2] or 1), int(match[3] or 1), tzinfo=dt.UTC
            )
    except ValueError:
        pass
    raise UsageError(
        f"{field}: give a day, a month or a year: {field}:2024-12-01, {field}:2024-12"
    )


def parsed_term(
    given: str, *, in_title: bool, is_quoted: bool, has_forms: bool = False
) -> Term | None:
    """Return the term of a word or phrase; None without words. Raises UsageError for one that is too long.

    `has_forms`: a word may have any of its inflected forms.
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
    # As it was typed first, without umlauts written out, and with them
    spellings: list[Words] = [
        words,
        tuple(_UMLAUT_WRITTEN_OUT.sub(r"\1", word) for word in words),
        tuple(search_words(given.translate(_UMLAUTS))),
    ]
    if has_forms and not ends and len(words) == 1:
        spellings += [(form,) for form in inflections(words[0])]
    ways: list[tuple[Phrase, ...]] = [
        (Phrase(words=spelt, prefix=ends, in_title=in_title),)
        for spelt in dict.fromkeys(spellings)
    ]
    is_run = len(words) == 1 and is_unspaced(words[0]) and len(words[0]) in _PARTED
    if is_run and not is_quoted:
        for parts in _parts(words[0]):
            phrases = [Phrase(words=(part,), in_title=in_title) for part in parts]
            ways.append(tuple(phrases))
    return Term(any_of=tuple(ways))


@lru_cache(maxsize=4096)
def muted_term(word: str) -> Term | None:
    """Return the term of a muted word, phrase or prefix; None without words. Raises UsageError."""
    return parsed_term(word, in_title=False, is_quoted=True)


def _parts(run: str) -> Iterator[Words]:
    """Yield all splits of a run into parts of two and three characters."""
    if len(run) in _PART:
        yield (run,)
    for length in _PART:
        if len(run) - length >= min(_PART):
            yield from ((run[:length], *rest) for rest in _parts(run[length:]))


def with_title(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Return the terms, restricted to the title."""
    titled = []
    for term in terms:
        ways = []
        for way in term.any_of:
            phrases = tuple(replace(phrase, in_title=True) for phrase in way)
            ways.append(phrases)
        titled.append(Term(any_of=tuple(ways)))
    return tuple(titled)
