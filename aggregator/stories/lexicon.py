"""The word lists of the room, read once: lexicon.yaml, and languages.yaml with a part for each language."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
import yaml

from aggregator.extract.language.detect import stop_words


class WordLists(msgspec.Struct, frozen=True):
    """lexicon.yaml as it stands there; lists of words are strings with blanks between."""

    synonyms: list[str]
    stop: str
    speech: str
    generic: str
    not_names: str
    leaning: str
    outlet_words: str


class DenialWords(msgspec.Struct, frozen=True):
    """Regular expressions of denials in one language."""

    deny: str
    reject: str = ""
    objects: str = ""
    plain: str = ""
    not_before: str = ""
    leans: str = ""
    negated: str = ""


class LanguageWords(msgspec.Struct, frozen=True):
    """What languages.yaml says of one language; see there for what each part is for."""

    decimal: str = "."
    plural: str = ""
    numbers: Mapping[str, int] = {}
    few: Mapping[str, int] = {}
    vague: Mapping[str, tuple[int, int]] = {}
    scales: Mapping[str, float] = {}
    percent: str = "%"
    currency: Mapping[str, str] = {}
    lengths: Mapping[str, float] = {}
    qualifiers: Mapping[str, str] = {}
    between: str = ""
    range: str = ""
    not_before: str = ""
    not_after: str = ""
    clause: str = "[,;–—،，；、。]"
    noun_ends: str = "[,;:–—.،，；、。]"
    classes: Mapping[str, str] = {}
    people: str = ""
    counter: str = ""
    place: str = ""
    part: str = ""
    background: str = ""
    speech: str = ""
    generic: str = ""
    not_names: str = ""
    leaning: str = ""
    pronouns: str = ""
    attribution: tuple[str, ...] = ()
    denial: DenialWords | None = None


@cache
def lexicon() -> WordLists:
    """The lists; the file ships with the program, so that a wrong one is our mistake, not a user's."""
    return msgspec.convert(_shipped("lexicon.yaml"), WordLists)


@cache
def language_words(language: str | None) -> LanguageWords:
    """The lists of `language` (a primary BCP 47 tag); None is taken for English, others may have none."""
    return _languages().get(language or "en", LanguageWords())


@cache
def words_of(name: str) -> frozenset[str]:
    """The list `name` of lexicon.yaml as a set (for membership only: sets have no order)."""
    value: str = getattr(lexicon(), name)
    return frozenset(value.split())


@cache
def word_list(language: str | None, name: str) -> frozenset[str]:
    """The list `name` of a language as a set; empty where the language has none."""
    value: str = getattr(language_words(language), name)
    return frozenset(value.split())


@cache
def without_meaning(language: str) -> frozenset[str]:
    """Function words and verbs of saying: they are in no comparison."""
    if language == "en":
        return words_of("stop") | words_of("speech")
    return stop_words(language) | word_list(language, "speech")


@cache
def _languages() -> Mapping[str, LanguageWords]:
    return msgspec.convert(_shipped("languages.yaml"), dict[str, LanguageWords])


def _shipped(name: str) -> dict[str, Any]:
    text = files("aggregator.stories").joinpath(name).read_text(encoding="utf-8")
    words: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe, and ten times as fast
    return words
