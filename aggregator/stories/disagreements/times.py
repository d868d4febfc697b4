"""Clocks that differ: two outlets that tell one fact and give another time of day for it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aggregator.stories.facts.facts import Likenesses, may_count
from aggregator.stories.tuning import StoryRules

# "4.30 p.m.", "at 16:30", "16.30 Uhr", "16 h 30", "a las 16.30": with a word or sign that makes it a clock.
CLOCK = re.compile(
    r"(?<![\d.,:])(?P<h>[01]?\d|2[0-3])(?:[:.](?P<m>[0-5]\d))?\s?(?P<half>[ap])\.?\s?m\b\.?"
    r"|(?<![\d.,:])(?P<h2>[01]?\d|2[0-3]):(?P<m2>[0-5]\d)(?![\d:%])"
    r"|(?<![\d.,:])(?P<h3>[01]?\d|2[0-3])(?:[.:](?P<m3>[0-5]\d))?\sUhr\b"
    r"|(?<![\d.,:])(?P<h4>[01]?\d|2[0-3])\s?h(?:eures?)?(?:\s?(?P<m4>[0-5]\d))?\b",
    re.IGNORECASE,
)
HALF_DAY = 12 * 60


@dataclass(frozen=True, slots=True)
class ClockPair:
    """Two sentences (by number) and the clock of each, in its words."""

    first: int
    second: int
    words: tuple[str, str]


def clocks_that_differ(likenesses: Likenesses, voices: Sequence[str], rules: StoryRules) -> list[ClockPair]:
    """Pairs that count as one fact but for their clocks; a sentence with two clocks tells of two moments."""
    found: list[tuple[float, ClockPair]] = []
    features = likenesses.features
    clocks = [_only_clock(each.sentence.text) for each in features]
    for (a, b), s in likenesses.pairs.items():
        left, right = clocks[a], clocks[b]
        if left is None or right is None or voices[a] == voices[b]:
            continue
        if not may_count(features[a], features[b], s, rules):
            continue
        apart = abs(left[0] - right[0])
        # Twelve hours apart, one of them lacks its "p.m.".
        if apart != HALF_DAY and rules.clock_minutes_apart <= apart:
            found.append((-s, ClockPair(a, b, (left[1], right[1]))))
    used: set[int] = set()
    kept = []
    for _, pair in sorted(found, key=lambda each: (each[0], each[1].first, each[1].second)):
        if not {pair.first, pair.second} & used:
            used |= {pair.first, pair.second}
            kept.append(pair)
    return kept


def _only_clock(text: str) -> tuple[int, str] | None:
    """The one clock of a sentence: minutes after midnight, and its words."""
    matches = list(CLOCK.finditer(text))
    if len(matches) != 1:
        return None
    match = matches[0]
    hour = int(match["h"] or match["h2"] or match["h3"] or match["h4"])
    minute = int(match["m"] or match["m2"] or match["m3"] or match["m4"] or 0)
    if match["half"]:
        hour = hour % 12 + (12 if match["half"].lower() == "p" else 0)
    return 60 * hour + minute, match.group().strip()
