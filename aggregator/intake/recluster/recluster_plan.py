"""What recluster is to write: the new grouping, and the names of its stories."""

from collections.abc import Mapping
from typing import NamedTuple

from aggregator.intake.recluster.regrouping import (
    GroupingDifference,
    Regrouping,
)


class FoundedStory(NamedTuple):
    """A story that only the new grouping has."""

    scratch_story: str
    founder: str
    founding_no: int  # how many stories its founder founded before
    former: str  # the story of its founder before


class ReclusterPlan(NamedTuple):
    """The rows to write."""

    # Ids of stories by those of the scratch database
    names: dict[str, str]
    # New stories by their id
    founded: dict[str, FoundedStory]
    regrouping: Regrouping
    difference: GroupingDifference
    # New inbox numbers by the present numbers; empty if they stay, and then changes are news.
    order: Mapping[int, int]
