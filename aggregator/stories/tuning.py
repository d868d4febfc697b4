"""The constants of this package."""

from functools import cache

import msgspec

from aggregator.config.tuning import Tuning


class StoryTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `stories` of config/tuning.yaml, which states units and origins."""

    # headline
    headline_keep_margin: float
    headline_fault: float
    headline_casualties_factor: float
    # summary
    summary_words: int
    summary_likeness_weight: float
    # how much is read
    reports_cap: int
    sentences_cap: int
    sentence_chars_max: int
    # similarity of two sentences
    count_from: float
    repeat_from: float
    near_from: float
    shared_words_min: float
    shared_quoted_min: int
    named_share_max: float
    same_words_share: float
    postings_cap: int
    # what is shown
    key_terms: int
    facts_cap: int
    quotations_cap: int
    only_cap: int
    only_cap_alone: int
    only_number_gain: float
    only_late_cost: float
    # figures
    agree_count_min: int
    # rendering again
    # timeline
    timeline_cap: int
    timeline_day_cap: int
    weekday_past_days: int
    date_ahead_days: int


@cache
def shipped_tuning() -> StoryTuning:
    """Return the shipped constants, without overrides."""
    return Tuning().section("stories", StoryTuning)
