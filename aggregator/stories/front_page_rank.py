"""Which story comes first on the front page: one number, made of what is stored.

    weight = last bump (hours) + doubling_hours * log2(independent reports) + preferred_hours, if preferred

It is measured in hours, so it can be read: twice as many independent reports are worth as much as being
`doubling_hours` younger. No clock is in it. The order of two stories changes only when one of them does, the
same rows give the same page at every hour, and a page can be answered with 304. Why not counts times a decay:
docs/decisions/0028.
"""

import datetime as dt
import math
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

import msgspec


class FrontRules(msgspec.Struct, frozen=True, kw_only=True):
    """Section `front` of config/tuning.yaml; units and origins stand there."""

    doubling_hours: float
    reports_cap: int
    preferred_hours: float
    window: int


class Weighed(Protocol):
    """What the rule asks of a story."""

    @property
    def id(self) -> str: ...
    @property
    def updated(self) -> dt.datetime: ...
    @property
    def report_count(self) -> int: ...
    @property
    def preferred(self) -> bool: ...


AnyWeighed = TypeVar("AnyWeighed", bound=Weighed)


def weight(story: Weighed, rules: FrontRules) -> float:
    """Hours since 1970 of the last bump, and the hours that its reports and the reader's choice are worth."""
    reports = min(max(1, story.report_count), rules.reports_cap)
    preferred = rules.preferred_hours if story.preferred else 0.0
    return story.updated.timestamp() / 3600 + rules.doubling_hours * math.log2(reports) + preferred


def ranked(stories: Iterable[AnyWeighed], rules: FrontRules) -> Sequence[AnyWeighed]:
    """The heaviest first; equal ones by id, so that the order they come in leaves no trace."""
    return sorted(stories, key=lambda story: (-weight(story, rules), story.id))
