"""What people type into a search, as a value that databases and texts can be asked with.

    homs rebel* "central prison" -syria title:fall (jail OR prison) outlet:herald lang:de after:2024-12-01

All terms must be there. A term is one or several phrases, and other ways to write them: a German umlaut
written out (Mueller for Müller), a longer Chinese or Japanese run as its parts (台北地震: 台北 and 地震).
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from aggregator.extract.language.search_tokens import in_index, index_words, is_unspaced, search_words
from aggregator.model.core import FrozenStruct
from aggregator.model.errors import UsageError

MOST_TERMS = 32  # of one search: bounds the time that a hostile one takes
_MOST_WORDS = 64  # of all its phrases
_LEAST_PREFIX = 2  # letters before a *: with one, half of all words would be looked up
_PARTED = range(4, 11)  # characters of a run that may be found in parts; longer ones have too many ways
_PART = (2, 3)  # characters of a part: most words of Chinese, and of kanji, have so many

_TOKEN = re.compile(
    r'(?P<minus>-)?(?:(?P<field>title|outlet|author|lang|language|after|before):(?=["\w]))?'
    r'(?:"(?P<quoted>[^"]*)"?|(?P<bare>[^\s"]+))'
)
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"'))
_DAY = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)
_UMLAUT_WRITTEN_OUT = re.compile(r"(?<![aeiouq])([aou])e")  # not in "neue", "aktuell", "queue"
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


class Phrase(FrozenStruct, frozen=True, kw_only=True):
    """Words that must stand side by side; the last one may be the beginning of a word."""

    words: tuple[str, ...]  # as `extract.language.search_tokens.search_words` gives them
    prefix: bool = False
    in_title: bool = False

    @property
    def in_index(self) -> tuple[str, ...]:
        """Its words as the index has them."""
        return tuple(in_index(self.words, whole=False))

    @property
    def goes_on(self) -> bool:
        """Whether its last word in the index may be the beginning of one there."""
        last = self.words[-1]
        return (self.prefix and not is_unspaced(last)) or (is_unspaced(last) and len(last) == 1)


class Term(FrozenStruct, frozen=True, kw_only=True):
    """Alternatives, of which one must be found: all phrases of it."""

    any_of: tuple[tuple[Phrase, ...], ...]


class Query(FrozenStruct, frozen=True, kw_only=True):
    """A search. Times are bounds of an article's effective time, `since` included, `before` not."""

    terms: tuple[Term, ...] = ()
    without: tuple[Term, ...] = ()
    outlet: tuple[str, ...] = ()  # words that the outlet's name must have
    author: tuple[str, ...] = ()
    language: str | None = None
    since: dt.datetime | None = None
    before: dt.datetime | None = None

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """All that may be found and is to be shown."""
        return tuple(phrase for term in self.terms for way in term.any_of for phrase in way)


def parse_query(query: str) -> Query:
    """Reads what was typed; words that mean nothing here are words to be searched for.

    Raises UsageError where nothing is asked for, for a day that is none, and past `MOST_TERMS`.
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
        raise UsageError(
            'give at least one word; "two words" in quotes must stand side by side, rebel* begins'
        )
    words = sum(len(phrase.words) for phrase in query.phrases)
    if len(query.terms) + len(query.without) > MOST_TERMS or words > _MOST_WORDS * 4:
        raise UsageError(f"that is too much to search for; give at most {MOST_TERMS} words")


def _bound(field: str, given: str, asked: dict[str, object]) -> dict[str, object]:
    if field in ("lang", "language"):
        return {"language": given.strip().casefold()}
    if field in ("after", "before"):
        return {"since" if field == "after" else "before": _start_of(field, given)}
    before = asked.get(field, ())
    assert isinstance(before, tuple)
    return {field: (*before, *search_words(given))}


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
        raise UsageError(f"that is too much to search for; give at most {_MOST_WORDS} words side by side")
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
    """All ways to cut a run into pieces of two and three characters."""
    if len(run) in _PART:
        yield (run,)
    for length in _PART:
        if len(run) - length >= min(_PART):
            yield from ((run[:length], *rest) for rest in _parts(run[length:]))


class SearchableText:
    """A text to be asked whether it holds phrases."""

    def __init__(self, *texts: str, title: str = "") -> None:
        """No phrase runs from one of `texts` into the next; `title:` is looked for in `title` alone."""
        self._line = "\n".join(map(_line, texts))
        self._title = _line(title)

    def holds(self, phrase: Phrase) -> bool:
        """Whether its words stand here side by side."""
        return _needle(phrase) in (self._title if phrase.in_title else self._line)

    def holds_term(self, term: Term) -> bool:
        """Whether one of its alternatives stands here."""
        return any(all(map(self.holds, way)) for way in term.any_of)

    def fits(self, query: Query) -> bool:
        """Whether all terms of `query` are here, and none that must not be."""
        return all(map(self.holds_term, query.terms)) and not any(map(self.holds_term, query.without))


@lru_cache(maxsize=1024)
def _needle(phrase: Phrase) -> str:
    return f" {' '.join(phrase.in_index)}{'' if phrase.goes_on else ' '}"


def _line(text: str) -> str:
    return f" {' '.join(index_words(text))} "


def with_title(terms: Iterable[Term]) -> tuple[Term, ...]:
    """The same terms, to be found in the title."""
    return tuple(
        Term(any_of=tuple(tuple(_titled(phrase) for phrase in way) for way in term.any_of)) for term in terms
    )


def _titled(phrase: Phrase) -> Phrase:
    return Phrase(words=phrase.words, prefix=phrase.prefix, in_title=True)
