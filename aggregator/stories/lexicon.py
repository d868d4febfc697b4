"""The word lists of this package: lexicon.yaml, and languages.yaml with one section for each language."""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files

import msgspec

from aggregator.model.core import ArticleView
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


class LanguageWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language of languages.yaml, which describes each field; words are separated by spaces."""

    speech: str = ""
    anaphora: str = ""
    pronouns: str = ""
    outcomes: str = ""
    pending: str = ""
    quoting: str = ""
    before_quoting: str = ""
    not_a_role: str = ""
    no_speakers: str = ""


@cache
def lexicon() -> WordLists:
    """Return the contents of lexicon.yaml."""
    return msgspec.yaml.decode(_shipped("lexicon.yaml"), type=WordLists)


@cache
def language_words(language: str | None) -> LanguageWords:
    """Return the lists of `language`, a primary BCP 47 tag or None for English; empty ones if unknown."""
    return _languages().get(language or "en", LanguageWords())


@cache
def words_of(name: str) -> frozenset[str]:
    """Return the list `name` of lexicon.yaml as a set."""
    value: str = getattr(lexicon(), name)
    return frozenset(value.split())


@cache
def word_list(language: str | None, name: str) -> frozenset[str]:
    """Return the list `name` of a language as a set; empty where the language has none."""
    value: str = getattr(language_words(language), name)
    return frozenset(value.split())


@cache
def ignored_words(language: str) -> frozenset[str]:
    """Return function words and verbs of speech, which are not compared."""
    stop = words_of("stop") if language == "en" else stop_words(language)
    return stop | word_list(language, "speech")


@cache
def _languages() -> Mapping[str, LanguageWords]:
    return msgspec.yaml.decode(_shipped("languages.yaml"), type=dict[str, LanguageWords])


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
