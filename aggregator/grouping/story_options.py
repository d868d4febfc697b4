"""The settings that placing and rendering of stories follow."""

from collections.abc import Collection, Mapping

import msgspec

from aggregator.grouping.mutes import Mutes
from aggregator.model.structs import FrozenStruct

# The reasons that may bump a story: another report, another headline, a correction
BUMPS = frozenset({"report", "headline", "correction"})


class PlacingTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `placing` of config/tuning.yaml."""

    batch_articles: int
    gathering_seconds: float
    sweep_every: int
    # The least share of common shingles of two texts that are states of one article
    revision_containment: float
    wire_confidence: float


class StoryOptions(FrozenStruct):
    """The settings of users for stories."""

    # The default of publish.excerpt_words
    summary_words: int = 60
    # Outlet key → publisher; None: the families that ship with the program
    families: Mapping[str, str] | None = None
    # The chosen reasons of BUMPS
    bumps: Collection[str] = BUMPS
    # A new headline does not bump a story of one report that is older (the default of feeds.bump_age)
    bump_age_seconds: float = 3 * 86_400
    # Outlets whose titles are preferred, in this order
    prefer: tuple[str, ...] = ()
    mutes: Mutes = Mutes()
