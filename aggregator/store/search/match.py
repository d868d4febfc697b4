"""Articles that match a query: FTS5 on SQLite, tsvector on Postgres, with the same results.

The newest articles come first, and only as many as requested are read. FTS5 reads its lists backwards;
Postgres collects all matches before it sorts them, so the newest inbox numbers are queried first (`SPANS`).
Phrases are expensive on Postgres, which must read the words of an article to see whether they are adjacent,
so on both databases they are searched among the newest articles that have all the words.

Parses a search as people type it, for the full-text index and for matching a text.

    homs rebel* "central prison" -syria title:fall (jail OR prison) outlet:herald lang:de after:2024-12-01

All terms must match, and none after a minus; a search may have only the latter. A term has alternatives of
one or more phrases: those joined by OR, the inflected forms of a word without quotes and minus (talk: talks),
German umlauts written out (Mueller for Müller), and the parts of a long Chinese or Japanese run (台北地震:
台北 and 地震).
"""

import datetime as dt
import re
from calendar import isleap, monthrange
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from msgspec.structs import replace
from sqlalchemy import Connection, func, select, text

from aggregator.extract.language.inflections import inflections
from aggregator.extract.language.search_tokens import (
    in_index,
    index_words,
    is_unspaced,
    search_words,
)
from aggregator.model.core import FrozenStruct
from aggregator.model.errors import UsageError
from aggregator.store.search.index import (
    SPANS,
    day_token,
    filter_tokens_of,
    language_token,
    title_token,
)
from aggregator.store.tables import TEXT_OR_EMPTY, article, in_parts

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
        return tuple(
            phrase for term in self.terms for way in term.any_of for phrase in way
        )

    @property
    def only_excludes(self) -> bool:
        """Whether it says only what an article must not have."""
        return self == Query(without=self.without, without_tokens=self.without_tokens)


def parse_query(query: str) -> Query:
    """Parse a search; unknown syntax is searched for as words.

    Raises UsageError for a search without words or filters, an invalid date, or more than `MOST_TERMS`.
    """
    terms: list[Term] = []
    without: list[Term] = []
    asked: dict[str, Any] = {}
    joins = False
    forms = 0
    for match in _TOKEN.finditer(query.translate(_QUOTES)):
        field, quoted, bare = match["field"], match["quoted"], match["bare"]
        if bare == "OR" and not match["minus"] and not field:
            joins = bool(terms)
            continue
        given = bare if quoted is None else quoted
        if field in (None, "title"):
            term = parsed_term(
                given,
                in_title=field == "title",
                is_quoted=quoted is not None,
                has_forms=quoted is None and not match["minus"] and forms < _MOST_FORMS,
            )
            if term is None:
                continue
            forms += len(term.any_of)
            if match["minus"]:
                without.append(term)
            elif joins:
                terms[-1] = Term(any_of=terms[-1].any_of + term.any_of)
            else:
                terms.append(term)
        elif match["minus"]:
            if tokens := _excluded(field, given):
                asked["without_tokens"] = (*asked.get("without_tokens", ()), tokens)
        else:
            asked |= _bound(field, given, asked)
        joins = False
    found = Query(terms=tuple(terms), without=tuple(without), **asked)
    _check(found, is_bounded=bool(without or asked))
    return found


def _check(query: Query, *, is_bounded: bool) -> None:
    if not query.terms and not is_bounded:
        raise UsageError(
            'give at least one word; "two words" in quotes are a phrase, rebel* is a prefix'
        )
    words = sum(len(phrase.words) for phrase in query.phrases)
    terms = len(query.terms) + len(query.without) + len(query.without_tokens)
    if terms > MOST_TERMS or words > _MOST_WORDS * 4 + _MOST_FORMS:
        raise UsageError(f"the search is too long; give at most {MOST_TERMS} words")


def _excluded(field: str, given: str) -> Words:
    """Return the tokens of a filter after a minus; () without words."""
    if field in ("after", "before"):
        raise UsageError(
            f"-{field}: a time cannot be excluded; give {field}: without the minus"
        )
    words = search_words(given)
    if not words:
        return ()
    is_name = field in ("outlet", "author")
    return (
        tuple(filter_tokens_of(words, field[0]))
        if is_name
        else (language_token(given),)
    )


def _bound(field: str, given: str, asked: dict[str, Any]) -> dict[str, Any]:
    if field in ("lang", "language"):
        language = given.strip().casefold()
        return {"language": language} if language else {}
    if field in ("after", "before"):
        return {"since" if field == "after" else "before": _start_of(field, given)}
    words = search_words(given)
    return {field: (*asked.get(field, ()), *words)} if words else {}


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
    bare = tuple(_UMLAUT_WRITTEN_OUT.sub(r"\1", word) for word in words)
    written_out = tuple(search_words(given.translate(_UMLAUTS)))
    spellings = dict.fromkeys((words, bare, written_out))
    if has_forms and not ends and len(words) == 1:
        spellings |= {(form,): None for form in inflections(words[0])}
    ways: list[tuple[Phrase, ...]] = [
        (Phrase(words=spelt, prefix=ends, in_title=in_title),) for spelt in spellings
    ]
    if (
        not is_quoted
        and len(words) == 1
        and is_unspaced(words[0])
        and len(words[0]) in _PARTED
    ):
        ways += [
            tuple(Phrase(words=(part,), in_title=in_title) for part in parts)
            for parts in _parts(words[0])
        ]
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
        return all(map(self.holds_term, query.terms)) and not any(
            map(self.holds_term, query.without)
        )


@lru_cache(maxsize=8192)
def _needle(phrase: Phrase) -> str:
    return f" {' '.join(phrase.in_index)}{'' if phrase.ends_in_prefix else ' '}"


def _line(text: str) -> str:
    return f" {' '.join(index_words(text))} "


def with_title(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Return the terms, restricted to the title."""
    return tuple(
        Term(
            any_of=tuple(
                tuple(replace(phrase, in_title=True) for phrase in way)
                for way in term.any_of
            )
        )
        for term in terms
    )


_MOST_ROWS = 2**31 - 1  # both databases take a LIMIT of that size
_GAP = 300  # inbox numbers: a smaller gap between two numbers is read, too
# Of each size: the newest one may have few articles, so the one before it, too
_SPANS_ASKED = 2


class _Match(FrozenStruct):
    """A query in the language of a database. `loose` finds its words at any position."""

    strict: str
    loose: str
    is_phrasal: bool  # they differ


def newest(
    connection: Connection, query: Query, limit: int, *, reach: int
) -> list[int]:
    """Return inbox numbers of the newest articles that match `query`, at most `limit`, the newest first.

    Phrases are searched among the newest `reach` articles that have all the words.
    """
    limit = min(limit, _MOST_ROWS)
    tokens = _required_tokens(connection, query)
    if tokens is None:
        return []
    match = _match(connection, query, tokens)
    if not match.is_phrasal:
        return _newest(connection, match.strict, limit)
    if connection.dialect.name == "sqlite":
        floor = _newest(connection, match.loose, 1, skip=reach - 1)
        return _newest(connection, match.strict, limit, floor=floor[0] if floor else 0)
    found: list[int] = []
    within = _newest(connection, match.loose, reach)
    for part in in_parts(within):
        found += _of_these(connection, match, query, part)
        if len(found) >= limit:
            break
    return found[:limit]


def all_of(connection: Connection, query: Query, most: int) -> list[int] | None:
    """Return inbox numbers of all articles that match `query`; None if more than `most` have its words."""
    tokens = _required_tokens(connection, query)
    if tokens is None:
        return []
    if (
        len(_newest(connection, _match(connection, query, tokens).loose, most + 1))
        > most
    ):
        return None
    return newest(connection, query, most, reach=most + 1)


def among(connection: Connection, query: Query, numbers: Collection[int]) -> set[int]:
    """Return those of the articles `numbers` that match `query`."""
    tokens = _required_tokens(connection, query)
    found: set[int] = set()
    if tokens is None:
        return found
    ordered = sorted(numbers, reverse=True)
    match = _match(connection, query, tokens)
    if connection.dialect.name == "sqlite":
        for upper, lower in _ranges(ordered):
            asked = {"match": match.strict, "upper": upper, "lower": lower}
            found |= set(connection.scalars(_IN_RANGE, asked))
        return found & set(ordered)
    for some in in_parts(ordered):
        found |= set(_of_these(connection, match, query, some))
    return found


# By ranges: for single numbers FTS5 would restart the query for each.
_IN_RANGE = text(
    "SELECT rowid FROM article_search WHERE article_search MATCH :match AND rowid BETWEEN :lower AND :upper"
)


def _ranges(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield ranges (high, low) of descending numbers, split at large gaps."""
    starts = [
        at for at, n in enumerate(numbers) if at == 0 or numbers[at - 1] - n > _GAP
    ]
    for start, end in pairwise([*starts, len(numbers)]):
        yield numbers[start], numbers[end - 1]


def _newest(
    connection: Connection, match: str, limit: int, *, floor: int = 0, skip: int = 0
) -> list[int]:
    if connection.dialect.name == "sqlite":
        statement = text(
            "SELECT rowid FROM article_search WHERE article_search MATCH :match AND rowid >= :floor "
            "ORDER BY rowid DESC LIMIT :limit OFFSET :skip"
        )
        asked = {"match": match, "limit": limit, "floor": floor, "skip": skip}
        return list(connection.scalars(statement, asked))
    # "+ 0": do not use the primary key, which would read the words of articles until enough match.
    statement = text(
        "SELECT n FROM article_search WHERE words @@ CAST(:match AS tsquery) ORDER BY n + 0 DESC LIMIT :limit"
    )
    last = (
        connection.execute(text("SELECT max(n) FROM article_search")).scalar_one() or 0
    )
    found: list[int] = []
    for span, bits in SPANS.items():
        spans = " | ".join(
            f"'_{span}{(last >> bits) - back}'" for back in range(_SPANS_ASKED)
        )
        asked = {"match": f"({match}) & ({spans})", "limit": limit}
        found = list(connection.scalars(statement, asked))
        if len(found) == limit:
            return found
    return list(connection.scalars(statement, {"match": match, "limit": limit}))


def _of_these(
    connection: Connection, match: _Match, query: Query, numbers: Sequence[int]
) -> list[int]:
    """Return those of `numbers` with the phrases. Long texts are read: Postgres drops their positions."""
    statement = text(
        "SELECT n, is_long FROM article_search WHERE n = ANY(:numbers) AND words @@ CAST(:loose AS tsquery) "
        "AND (is_long OR words @@ CAST(:match AS tsquery)) ORDER BY n DESC"
    )
    asked = {"numbers": list(numbers), "loose": match.loose, "match": match.strict}
    rows = connection.execute(statement, asked).all()
    long = [row.n for row in rows if row.is_long]
    wordings = select(article.c.inbox_no, article.c.title, TEXT_OR_EMPTY).where(
        article.c.inbox_no.in_(long)
    )
    read = {row.inbox_no: row for row in connection.execute(wordings)} if long else {}
    texts = {
        n: SearchableText(one.title, one.text, title=one.title)
        for n, one in read.items()
    }
    return [row.n for row in rows if not row.is_long or texts[row.n].fits(query)]


# --- tokens of filters -------------------------------------------------------------------------------------


def _required_tokens(connection: Connection, query: Query) -> list[Words] | None:
    """Return tuples of tokens; an article must have one of each. None if no article can match."""
    tokens: list[Words] = [(token,) for token in filter_tokens_of(query.outlet, "o")]
    tokens += [(token,) for token in filter_tokens_of(query.author, "a")]
    if query.language is not None:
        tokens.append((language_token(query.language),))
    if (
        query.since is not None
        or query.before is not None
        or not (query.terms or tokens)
    ):
        days = _days(connection, query)
        if not days:
            return None
        tokens.append(days)
    return tokens


def _days(connection: Connection, query: Query) -> Words:
    """Return tokens of the days from `since` to `before`, in stored years: whole months and years as one."""
    first, last = connection.execute(
        select(
            select(func.min(article.c.effective_at)).scalar_subquery(),
            select(func.max(article.c.effective_at)).scalar_subquery(),
        )
    ).one()
    if first is None or (query.before is not None and query.before <= first):
        return ()
    begin = (
        max(first, query.since).date()
        if query.since
        else first.date().replace(month=1, day=1)
    )
    end = last.date().replace(month=12, day=31)
    if query.before is not None and query.before <= last:
        end = (query.before - dt.timedelta(microseconds=1)).date()
    return tuple(_spans(begin, end))


def _spans(begin: dt.date, end: dt.date) -> Iterable[str]:
    day, last = begin.toordinal(), end.toordinal()
    while day <= last:
        at = dt.date.fromordinal(day)
        of_year, of_month = 365 + isleap(at.year), monthrange(at.year, at.month)[1]
        is_year = (at.month, at.day) == (1, 1) and day + of_year - 1 <= last
        is_month = at.day == 1 and day + of_month - 1 <= last
        yield day_token(at, year=is_year, month=is_month)
        day += of_year if is_year else of_month if is_month else 1


# --- query languages of both databases ---------------------------------------------------------------------


class _Language(NamedTuple):
    """The query language of a database."""

    token: str
    prefix: str
    adjacent: str
    both: str
    either: str
    but_not: str


def _match(connection: Connection, query: Query, tokens: Sequence[Words]) -> _Match:
    language = _FTS5 if connection.dialect.name == "sqlite" else _TSQUERY
    asked = [
        _joined(language.either, map(language.token.format, one)) for one in tokens
    ]
    strict, loose = (
        language.both.join(
            [*(_term(language, term, is_loose) for term in query.terms), *asked]
        )
        for is_loose in (False, True)
    )
    barred = [
        _joined(language.both, map(language.token.format, one))
        for one in query.without_tokens
    ]
    without = [*(_term(language, term, False) for term in query.without), *barred]
    terms = (*query.terms, *query.without)
    return _Match(
        strict=language.but_not.format(strict, language.either.join(without))
        if without
        else strict,
        loose=language.but_not.format(loose, language.either.join(barred))
        if barred
        else loose,
        is_phrasal=any(
            len(one.in_index) > 1
            for term in terms
            for way in term.any_of
            for one in way
        ),
    )


def _term(language: _Language, term: Term, is_loose: bool) -> str:
    ways = (
        _joined(language.both, (_phrase(language, one, is_loose) for one in way))
        for way in term.any_of
    )
    return _joined(language.either, ways)


def _phrase(language: _Language, phrase: Phrase, is_loose: bool) -> str:
    words = map(title_token, phrase.in_index) if phrase.in_title else phrase.in_index
    *before, last = map(language.token.format, words)
    last += language.prefix if phrase.ends_in_prefix else ""
    return _joined(language.both if is_loose else language.adjacent, [*before, last])


def _joined(joint: str, parts: Iterable[str]) -> str:
    return f"({joint.join(parts)})"


_FTS5 = _Language('"{}"', " *", " + ", " AND ", " OR ", "({}) NOT ({})")
_TSQUERY = _Language("'{}'", ":*", " <-> ", " & ", " | ", "{} & !({})")
