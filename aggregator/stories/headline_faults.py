"""What speaks against a headline: bait, label, shout, and what leans on something that is not said."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
import yaml

from aggregator.model.core import Role
from aggregator.stories.lexicon import words_of

# How much each takes off a score that is seldom above 1, and how it is said. By hand, judged on 30 stories.
WEIGHTS: Mapping[str, float] = {
    "bait": 0.30,
    "label": 0.25,
    "capitals": 0.20,
    "quotation": 0.15,
    "opener": 0.12,
    "leaning": 0.12,
    "quote mark": 0.10,
    "colons": 0.08,
}
WORDS: Mapping[str, str] = {
    "bait": "the one before was a question or clickbait",
    "label": "the one before was a label or a live blog's",
    "capitals": "the one before was in capitals",
    "quotation": "the one before was only a quotation",
    "opener": "the one before did not say whom it meant",
    "leaning": "the one before was a column's or a portrait's",
    "quote mark": "the one before opened with a quotation",
    "colons": "the one before had two colons",
}
LETTERS = 12  # fewer capitals than this are an abbreviation or a name
SHOUTED = 0.6  # share of the letters
QUOTED = re.compile(r"[“\"'‘„«].*[”\"'’“»]\W*")


class Patterns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language of faults.yaml."""

    bait: list[str]
    label: list[str]
    opener: list[str]


def faults(raw: str, title: str, lead: str, role: Role, language: str | None) -> tuple[str, ...]:
    """What speaks against `title`, by the keys of WEIGHTS; `raw` is the title before it was cleaned."""
    found = []
    if _searched("bait", language).search(title):
        found.append("bait")
    if role == "container" or _searched("label", language).search(raw):
        found.append("label")
    letters = [char for char in title if char.isalpha()]
    if len(letters) > LETTERS and sum(map(str.isupper, letters)) > SHOUTED * len(letters):
        found.append("capitals")
    if QUOTED.fullmatch(title):
        found.append("quotation")
    elif title[:1] in "“\"'‘„«":
        found.append("quote mark")
    if _searched("opener", language).search(title):
        found.append("opener")
    opening = lead.split(maxsplit=1)
    if opening and opening[0].lower() in words_of("leaning"):
        found.append("leaning")  # "She has slept for three hours.": a portrait or a column
    if title.count(": ") >= 2:
        found.append("colons")
    return tuple(found)


@cache
def _searched(kind: str, language: str | None) -> re.Pattern[str]:
    known = _by_language()
    own = known.get(language or "en")
    patterns = getattr(known["any"], kind) + ([] if own is None else getattr(own, kind))
    return re.compile("|".join(patterns) or r"(?!)", re.IGNORECASE)


@cache
def _by_language() -> dict[str, Patterns]:
    """The file ships with the program, so that a wrong one is our mistake, not a user's."""
    raw: dict[str, Any] = yaml.safe_load(
        files("aggregator.stories").joinpath("faults.yaml").read_text(encoding="utf-8")
    )
    return msgspec.convert(raw, dict[str, Patterns])
