"""The word lists of the room, read once from lexicon.yaml; see there for what each list is for."""

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
import yaml


class HeadlinePatterns(msgspec.Struct, frozen=True):
    """Regular expressions over a headline, searched without regard to case."""

    bait: list[str]
    label: list[str]


class Lexicon(msgspec.Struct, frozen=True):
    """lexicon.yaml as it stands there; lists of words are strings with blanks between."""

    synonyms: list[str]
    numbers: dict[str, int]
    stop: str
    speech: str
    generic: str
    not_names: str
    place_words: list[str]
    people: str
    pronouns: list[str]
    leaning: str
    outlet_words: str
    headline: HeadlinePatterns


@cache
def lexicon() -> Lexicon:
    """The lists; the file ships with the program, so that a wrong one is our mistake, not a user's."""
    raw: dict[str, Any] = yaml.safe_load(
        files("aggregator.stories").joinpath("lexicon.yaml").read_text(encoding="utf-8")
    )
    return msgspec.convert(raw, Lexicon)


@cache
def words_of(name: str) -> frozenset[str]:
    """The list `name` as a set (for membership only: sets have no order)."""
    value = getattr(lexicon(), name)
    return frozenset(value.split() if isinstance(value, str) else value)
