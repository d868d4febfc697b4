"""Parses a search as people type it, for the full-text index and for matching a text.

    homs rebel* "central prison" -syria title:fall (jail OR prison) outlet:herald lang:de after:2024-12-01

All terms must match. A term has alternatives of one or more phrases: those joined by OR, German umlauts
written out (Mueller for Müller), and the parts of a long Chinese or Japanese run (台北地震: 台北 and 地震).
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from msgspec.structs import replace

from aggregator.extract.language.search_tokens import in_index, index_words, is_unspaced, search_words
from aggregator.model.core import FrozenStruct
from aggregator.model.errors import UsageError

MOST_TERMS = 32  # of one search; limits the time of a hostile one
_MOST_WORDS = 64  # of all its phrases
_LEAST_PREFIX = 2  # letters before a *; one letter would match half of all words
_PARTED = range(4, 11)  # characters of a run that is also searched in parts; longer ones have too many splits
_PART = (2, 3)  # characters of a part: the length of most Chinese words and words in kanji

_TOKEN = re.compile(
    r'(?P<minus>-)?(?:(?P<field>title|outlet|author|lang|language|after|before):(?=["\w]))?'
    r'(?:"(?P<quoted>[^"]*)"?|(?P<bare>[^\s"]+))'
)
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"'))
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
_UMLAUT_WRITTEN_OUT = re.compile(r"(?<![aeiouq])([aou])e")  # not in "neue", "aktuell", "queue"
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


class Phrase(FrozenStruct, frozen=True, kw_only=True):
    """Consecutive words; the last one may be a prefix."""

    words: tuple[str, ...]  # from `extract.language.search_tokens.search_words`
    prefix: bool = False
    in_title: bool = False

    @property
    def in_index(self) -> tuple[str, ...]:
        """The words in the form of the index."""
        return tuple(in_index(self.words, whole=False))

    @property
    def ends_in_prefix(self) -> bool:
        """Whether the last word in the form of the index matches as a prefix."""
        last = self.words[-1]
        return (self.prefix and not is_unspaced(last)) or (is_unspaced(last) and len(last) == 1)


class Term(FrozenStruct, frozen=True, kw_only=True):
    """Alternatives; a text matches if it contains all phrases of one of them."""

    any_of: tuple[tuple[Phrase, ...], ...]


class Query(FrozenStruct, frozen=True, kw_only=True):
    """A search. `since` (inclusive) and `before` (exclusive) bound the effective time of articles."""

    terms: tuple[Term, ...] = ()
    without: tuple[Term, ...] = ()
    outlet: tuple[str, ...] = ()  # words of the outlet's name
    author: tuple[str, ...] = ()
    language: str | None = None
    since: dt.datetime | None = None
    before: dt.datetime | None = None

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """All phrases that may match, for snippets."""
        return tuple(phrase for term in self.terms for way in term.any_of for phrase in way)


def parse_query(query: str) -> Query:
    """Parse a search; unknown syntax is searched for as words.

    Raises UsageError for a search without words or filters, an invalid date, or more than `MOST_TERMS`.
    """
    terms: list[Term] = []
    without: list[Term] = []
    asked: dict[str, object] = {}
    joins = False
    for match in _TOKEN.finditer(query.translate(_QUOTES)):
        field, quoted, bare = match["field"], match["quoted"], match["bare"]
        if bare == "OR" and not match["minus"] and not field:
            joins = bool(terms)
            continue
        given = bare if quoted is None else quoted
        if field in (None, "title"):
            term = _term(given, in_title=field == "title", is_quoted=quoted is not None)
            if term is None:
                continue
            if match["minus"]:
                without.append(term)
            elif joins:
                terms[-1] = Term(any_of=terms[-1].any_of + term.any_of)
            else:
                terms.append(term)
        else:
            asked |= _bound(field, given, asked)
        joins = False
    found = Query(terms=tuple(terms), without=tuple(without), **asked)  # type: ignore[arg-type]
    _check(found, is_bounded=bool(asked))
    return found


def _check(query: Query, *, is_bounded: bool) -> None:
    if not query.terms and not is_bounded:
        raise UsageError('give at least one word; "two words" in quotes are a phrase, rebel* is a prefix')
    words = sum(len(phrase.words) for phrase in query.phrases)
    if len(query.terms) + len(query.without) > MOST_TERMS or words > _MOST_WORDS * 4:
        raise UsageError(f"the search is too long; give at most {MOST_TERMS} words")


def _bound(field: str, given: str, asked: dict[str, object]) -> dict[str, object]:
    if field in ("lang", "language"):
        language = given.strip().casefold()
        return {"language": language} if language else {}
    if field in ("after", "before"):
        return {"since" if field == "after" else "before": _start_of(field, given)}
    before = asked.get(field, ())
    assert isinstance(before, tuple)
    words = search_words(given)
    return {field: (*before, *words)} if words else {}


def _start_of(field: str, given: str) -> dt.datetime:
    match = _DAY.fullmatch(given.strip())
    try:
        if match is not None:
            return dt.datetime(int(match[1]), int(match[2] or 1), int(match[3] or 1), tzinfo=dt.UTC)
    except ValueError:
        pass
    raise UsageError(f"{field}: give a day, a month or a year: {field}:2024-12-01, {field}:2024-12")


def _term(given: str, *, in_title: bool, is_quoted: bool) -> Term | None:
    words = tuple(search_words(given))
    if not words:
        return None
    if len(words) > _MOST_WORDS:
        raise UsageError(f"the search is too long; a phrase has at most {_MOST_WORDS} words")
    ends = given.rstrip().endswith("*") and (is_unspaced(words[-1]) or len(words[-1]) >= _LEAST_PREFIX)
    bare = tuple(_UMLAUT_WRITTEN_OUT.sub(r"\1", word) for word in words)
    written_out = tuple(search_words(given.translate(_UMLAUTS)))
    spellings = dict.fromkeys((words, bare, written_out))
    ways: list[tuple[Phrase, ...]] = [
        (Phrase(words=spelt, prefix=ends, in_title=in_title),) for spelt in spellings
    ]
    if not is_quoted and len(words) == 1 and is_unspaced(words[0]) and len(words[0]) in _PARTED:
        ways += [
            tuple(Phrase(words=(part,), in_title=in_title) for part in parts) for parts in _parts(words[0])
        ]
    return Term(any_of=tuple(ways))


def _parts(run: str) -> Iterator[tuple[str, ...]]:
    """Yield all splits of a run into parts of two and three characters."""
    if len(run) in _PART:
        yield (run,)
    for length in _PART:
        if len(run) - length >= min(_PART):
            yield from ((run[:length], *rest) for rest in _parts(run[length:]))


class SearchableText:
    """A text in which phrases are searched."""

    def __init__(self, *texts: str, title: str = "") -> None:
        """No phrase spans two of `texts`; phrases with `title:` match only in `title`."""
        self._line = "\n".join(map(_line, texts))
        self._title = _line(title)

    def holds(self, phrase: Phrase) -> bool:
        """Return whether the text contains the phrase."""
        return _needle(phrase) in (self._title if phrase.in_title else self._line)

    def holds_term(self, term: Term) -> bool:
        """Return whether the text contains all phrases of an alternative."""
        return any(all(map(self.holds, way)) for way in term.any_of)

    def fits(self, query: Query) -> bool:
        """Return whether the text matches all terms of `query` and none of `without`."""
        return all(map(self.holds_term, query.terms)) and not any(map(self.holds_term, query.without))


@lru_cache(maxsize=1024)
def _needle(phrase: Phrase) -> str:
    return f" {' '.join(phrase.in_index)}{'' if phrase.ends_in_prefix else ' '}"


def _line(text: str) -> str:
    return f" {' '.join(index_words(text))} "


def with_title(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Return the terms, restricted to the title."""
    return tuple(
        Term(any_of=tuple(tuple(replace(phrase, in_title=True) for phrase in way) for way in term.any_of))
        for term in terms
    )
