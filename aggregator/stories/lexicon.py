"""The word lists of this package: lexicon.yaml, and languages.yaml with one section for each language."""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files

import msgspec

from aggregator.model.core import ArticleView
from aggregator.text.language import stop_words


@cache
def lexicon() -> Mapping[str, str | list[str]]:
    """Return the lists of lexicon.yaml; words are separated by spaces."""
    return msgspec.yaml.decode(
        _shipped("lexicon.yaml"), type=dict[str, str | list[str]]
    )


@cache
def _languages() -> Mapping[str, Mapping[str, str]]:
    """Return the lists of each language of languages.yaml, which describes them."""
    return msgspec.yaml.decode(
        _shipped("languages.yaml"), type=dict[str, dict[str, str]]
    )


@cache
def words_of(name: str) -> frozenset[str]:
    """Return the list `name` of lexicon.yaml as a set; a list of phrases as a set of them."""
    words = lexicon()[name]
    return frozenset(words.split() if isinstance(words, str) else words)


@cache
def word_list(language: str | None, name: str) -> frozenset[str]:
    """Return the list `name` of a language (a primary tag; None for English) as a set; empty without one."""
    return frozenset(_languages().get(language or "en", {}).get(name, "").split())


@cache
def ignored_words(language: str) -> frozenset[str]:
    """Return function words and verbs of speech, which are not compared."""
    stop = words_of("stop") if language == "en" else stop_words(language)
    return stop | word_list(language, "speech")


def subject_key(label: str) -> str:
    """Return the form by which names and topics are compared and found."""
    return " ".join(label.casefold().split())


def _shipped(name: str) -> bytes:
    return files("aggregator.stories").joinpath(name).read_bytes()


# --- titles of articles without the name of the outlet and its section -------------------------------------

TITLE_CHARS = 300  # longer titles are cut
NEWS_LABEL = re.compile(
    r"^\W*(?:breaking(?: news)?|exclusive|scoop)\s*(?::|[|–—-]\s)\s*", re.IGNORECASE
)
# As "Ferry sinks - Daily News", or with " : NPR".
DASH_TAIL = re.compile(r"\s+(?:[-–—]|:\s)\s*(?P<tail>[^-–—:]{1,40})$")
NO_TITLE = re.compile(
    r"(?:404\W*)?(?:page )?not found\W*|access denied|home|news|[\W_]*|\d+[./]\d+[./]\d+",
    re.IGNORECASE,
)
DAMAGED_APOSTROPHE = re.compile(r"(?<=\w)\?(?=(?:s|t|re|ve|ll|d|m)\b)")
# Of agencies: "... -- 2nd Update"
ADDED_TAIL = re.compile(
    r"(?:\s+-+ (?:\d\w\w )?update|\s*\(\+?\s?(?:video|photos?|audio)\))$", re.IGNORECASE
)


def clean_title(article: ArticleView) -> str:
    """Return the title without an outlet or section after a bar or dash."""
    return clean_title_text(article.title[:TITLE_CHARS], article.outlet)


@lru_cache(maxsize=2048)
def clean_title_text(title: str, outlet: str | None) -> str:
    """Clean a title of at most `TITLE_CHARS` characters; "" of one that tells nothing."""
    title = DAMAGED_APOSTROPHE.sub("’", " ".join(title.split()))
    title = ADDED_TAIL.sub("", NEWS_LABEL.sub("", title)) or title
    marks = "|·" if "«" in title else "|·»"  # "Boll : « Nous restons » | Le Fanal"
    cut_tail = re.compile(rf"\s*[{marks}]\s*[^{marks}]{{0,40}}$")
    while (cut := cut_tail.search(title)) and title[: cut.start()].strip():
        title = title[: cut.start()]
    tail = DASH_TAIL.search(title)
    if (
        tail
        and title[: tail.start()].strip()
        and _is_outlet(tail["tail"].strip(), outlet)
    ):
        title = title[: tail.start()]
    title = title.strip(f" {marks}")
    return "" if NO_TITLE.fullmatch(title) else title


def _is_outlet(tail: str, outlet: str | None) -> bool:
    folded, own = (
        re.sub(r"[^\w.]+", "", text.casefold()) for text in (tail, outlet or "")
    )
    own = own.removeprefix("www.")
    if folded and folded in (own, own.split(".")[0]):
        return True
    words = re.findall(r"[^\W\d_]+", tail)
    in_capitals = all(word[0].isupper() for word in words if len(word) > 3)
    return in_capitals and not words_of("outlet_words").isdisjoint(
        map(str.lower, words)
    )


def is_correction(title: str, language: str | None) -> bool:
    """Return whether a title or text begins as a correction of an earlier one: "Correction: ..."."""
    first = re.match(r"\W*([^\W\d_]+)", title)
    return first is not None and first[1].lower() in word_list(language, "corrections")
