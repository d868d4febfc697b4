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
    """What is to be written."""

    names: dict[str, str]  # scratch story → story
    founded: dict[str, FoundedStory]  # by story
    regrouping: Regrouping
    difference: GroupingDifference
    # New inbox numbers by the present ones; empty: they stay, and changes are news
    order: Mapping[int, int]
