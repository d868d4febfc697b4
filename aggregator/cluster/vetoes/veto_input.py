"""What a veto knows of an article, and the rules that vetoes go by."""

import functools
import re
from typing import Final

import msgspec

from aggregator.cluster.vetoes.headline_tokens import read_headline, words_of

_WRAPPER: Final = re.compile(r"\s(?:-|–|—|\|)\s+(?P<name>[^|–—]{2,40})$")


class VetoRules(msgspec.Struct, frozen=True, kw_only=True):
    """Section `vetoes` of config/tuning.yaml; units and origins stand there."""

    headline_logits: float
    text_logits: float
    cannot_tell: float
    one_build: float
    one_build_in_order: float
    same_magnitude: float
    same_measure: float
    same_price: float
    daily_hours: float
    word_lists: str


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """What a veto needs of an article."""

    title: str
    lead: str = ""  # first words of the text (text.lead_words); may be empty
    language: str | None = None
    outlet: str | None = None
    minutes: int | None = None  # published, minutes since 1970; None: unknown
    bodyless: bool = False


@functools.lru_cache(maxsize=1024)
def unwrapped(title: str) -> tuple[str, str]:
    """The title without what stands behind its last dash, and that in lower case; "" where nothing does."""
    found = _WRAPPER.search(title)
    if found is None or not found.start():
        return title, ""
    return title[: found.start()], found["name"].lower()


def without_outlet(telling: Telling) -> str:
    """The title without the name of an outlet or agency behind it."""
    title, wrapper = unwrapped(telling.title)
    return title if wrapper and is_outlet(wrapper, telling) else telling.title


def is_outlet(wrapper: str, telling: Telling) -> bool:
    if wrapper == (telling.outlet or "").lower():
        return True
    return words_of("outlets", "any").met_in(read_headline(wrapper, telling.language))
