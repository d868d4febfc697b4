"""The word lists of this package: lexicon.yaml, and languages.yaml with one section for each language."""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files

import msgspec

from aggregator.model.core import ArticleView
from aggregator.text.calendar import dates_of
from aggregator.text.language import stop_words


class WordLists(msgspec.Struct, frozen=True):
    """The contents of lexicon.yaml; words are separated by spaces."""

    synonyms: list[str]
    stop: str
    outlet_words: str
    name_links: str
    titles: str
    institutions: str
    no_topics: frozenset[str]


class Labels(msgspec.Struct, frozen=True):
    """The headings and labels of merged texts in one language; labels.yaml has the fields."""

    several: str
    quotations: str
    agreed: str
    only: str
    timeline: str
    articles: str
    in_other_words: str
    article: tuple[str, str]
    outlet: tuple[str, str]
    unknown_outlet: tuple[str, str]
    unknown: str
    report: tuple[str, str]
    reprint: tuple[str, str]
    hour: tuple[str, str]
    minute: tuple[str, str]
    share: str
    also: str
    same_words: str
    no_outlet: str
    day_unknown: str
    day_inferred: str
    published: str
    stated: str
    printed: str
    excerpted: str
    later: str
    before: str
    more: str
    plus: str
    excerpt_of: str
    copy_of: str
    elsewhere: str
    agency: str
    container: str


class DenialWords(msgspec.Struct, frozen=True):
    """Regular expressions of denials in one language; without words nothing is one."""

    deny: str = "(?!)"
    reject: str = ""
    objects: str = ""
    not_before: str = "(?!)"
    negated: str = r"\b(?:не|нет|никогда|никто|без|ne|nie|non|nem|inte|ikke)\b"  # of several languages


class LanguageWords(msgspec.Struct, frozen=True):
    """One language of languages.yaml, which describes each field; "(?!)" matches nothing."""

    plural: str = ""
    vague: Mapping[str, tuple[float, float]] = {}
    scales: Mapping[str, float] = {}
    percent: str = "%"
    currency: Mapping[str, str] = {}
    lengths: Mapping[str, float] = {}
    qualifiers: Mapping[str, str] = {}
    between: str = ""
    range: str = ""
    not_before: str = "(?!)"
    not_after: str = "(?!)"
    clause: str = "[,;–—،，；、。]"
    noun_ends: str = "[,;:–—.،，；、。]"
    classes: Mapping[str, str] = {}
    people: str = ""
    counter: str = "(?!)"
    speech: str = ""
    generic: str = ""
    not_names: str = ""
    anaphora: str = ""
    pronouns: str = ""
    outcomes: str = ""
    pending: str = ""
    attribution: tuple[str, ...] = ()
    quoting: str = ""
    before_quoting: str = ""
    not_a_role: str = ""
    no_speakers: str = ""
    magnitude: str = "(?!)"
    denial: DenialWords = DenialWords()


@cache
def lexicon() -> WordLists:
    """Return the contents of lexicon.yaml."""
    return msgspec.yaml.decode(_shipped("lexicon.yaml"), type=WordLists)


@cache
def language_words(language: str | None) -> LanguageWords:
    """Return the lists of `language`, a primary BCP 47 tag or None for English; empty ones if unknown."""
    return _languages().get(language or "en", LanguageWords())


def labels(language: str | None) -> Labels:
    """Return the headings and labels in `language`, a primary BCP 47 tag; English ones if it has none."""
    return _labels().get(language or "en", _labels()["en"])


def counted_in(forms: tuple[str, str], number: int) -> str:
    """Return a count in words: `1 article`, `1,204 articles`."""
    return forms[number != 1].format(n=f"{number:,}")


@cache
def words_of(name: str) -> frozenset[str]:
    """Return the list `name` of lexicon.yaml as a set."""
    value: str = getattr(lexicon(), name)
    return frozenset(value.split())


@cache
def word_list(language: str | None, name: str) -> frozenset[str]:
    """Return the list `name` of a language as a set, with the names of months and weekdays where it has all.

    Empty where the language has none.
    """
    value: str = getattr(language_words(language), name)
    dates = dates_of(language or "en") if name in ("generic", "not_names") else frozenset()
    return dates.union(value.split())


@cache
def ignored_words(language: str) -> frozenset[str]:
    """Return function words and verbs of speech, which are not compared."""
    stop = words_of("stop") if language == "en" else stop_words(language)
    return stop | word_list(language, "speech")


@cache
def _languages() -> Mapping[str, LanguageWords]:
    return msgspec.yaml.decode(_shipped("languages.yaml"), type=dict[str, LanguageWords])


@cache
def _labels() -> Mapping[str, Labels]:
    return msgspec.yaml.decode(_shipped("labels.yaml"), type=dict[str, Labels])


def _shipped(name: str) -> bytes:
    return files("aggregator.stories").joinpath(name).read_bytes()


# --- titles of articles without the name of the outlet and its section -------------------------------------

TITLE_CHARS = 300  # longer titles are cut
NEWS_LABEL = re.compile(r"^\W*(?:breaking(?: news)?|exclusive|scoop)\s*(?::|[|–—-]\s)\s*", re.IGNORECASE)
CUT_TAIL = re.compile(r"\s*[|»«·]\s*[^|»«·]{0,40}$")
CUT_TAIL_OF_QUOTING = re.compile(r"\s*[|·]\s*[^|·]{0,40}$")  # "Boll : « Nous restons » | Le Fanal"
DASH_TAIL = re.compile(r"\s+(?:[-–—]|:\s)\s*(?P<tail>[^-–—:]{1,40})$")  # "... - Daily News", "... : NPR"
NO_TITLE = re.compile(
    r"(?:404\W*)?(?:page )?not found\W*|access denied|home|news|[\W_]*|\d+[./]\d+[./]\d+", re.IGNORECASE
)
DAMAGED_APOSTROPHE = re.compile(r"(?<=\w)\?(?=(?:s|t|re|ve|ll|d|m)\b)")
UPDATE_TAIL = re.compile(r"\s+-+ (?:\d\w\w )?update$", re.IGNORECASE)  # of agencies: "... -- 2nd Update"
MEDIA_TAIL = re.compile(r"\s*\(\+?\s?(?:video|photos?|audio)\)$", re.IGNORECASE)


def clean_title(article: ArticleView) -> str:
    """Return the title without an outlet or section after a bar or dash."""
    return clean_title_text(article.title[:TITLE_CHARS], article.outlet)


@lru_cache(maxsize=2048)
def clean_title_text(title: str, outlet: str | None) -> str:
    """Clean a title of at most `TITLE_CHARS` characters; "" of one that tells nothing."""
    title = UPDATE_TAIL.sub("", DAMAGED_APOSTROPHE.sub("’", " ".join(title.split())))
    title = MEDIA_TAIL.sub("", NEWS_LABEL.sub("", title)) or title
    is_quoting = "«" in title and "»" in title
    cut_tail = CUT_TAIL_OF_QUOTING if is_quoting else CUT_TAIL
    while cut := cut_tail.search(title):
        if not title[: cut.start()].strip():
            break
        title = title[: cut.start()]
    tail = DASH_TAIL.search(title)
    if tail and title[: tail.start()].strip() and _is_outlet(tail["tail"].strip(), outlet):
        title = title[: tail.start()]
    title = title.strip(" |·" if is_quoting else " |»«·")
    return "" if NO_TITLE.fullmatch(title) else title


def _is_outlet(tail: str, outlet: str | None) -> bool:
    folded = re.sub(r"[^\w.]+", "", tail.casefold())
    own = re.sub(r"[^\w.]+", "", (outlet or "").casefold()).removeprefix("www.")
    if own and folded and (folded == own or folded == own.split(".")[0]):
        return True
    named = re.findall(r"[^\W\d_]+", tail)
    in_capitals = all(word[0].isupper() for word in named if len(word) > 3)
    return bool(named) and in_capitals and any(word.lower() in words_of("outlet_words") for word in named)
