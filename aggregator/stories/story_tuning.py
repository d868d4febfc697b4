"""The constants of this package."""

from functools import cache

import msgspec

from aggregator.config.tuning import Tuning


class StoryTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `stories` of config/tuning.yaml, which states units and origins."""

    # headline
    headline_keep_margin: float
    headline_fault: float
    headline_newer_margin: float
    headline_newer_hours: float
    # summary
    summary_words: int
    summary_likeness_weight: float
    summary_old_cost: float
    summary_old_hours: float
    # how much is read
    reports_cap: int


@cache
def shipped_tuning() -> StoryTuning:
    """Return the shipped constants, without overrides."""
    return Tuning().section("stories", StoryTuning)
