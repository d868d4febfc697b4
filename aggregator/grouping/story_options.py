"""The settings that placing and rendering of stories follow."""

from collections.abc import Collection, Mapping

import msgspec

from aggregator.grouping.mutes import Mutes
from aggregator.model.structs import FrozenStruct

# What may bump a story: another report, another headline, a correction.
BUMPS = frozenset({"report", "headline", "correction"})


class PlacingTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `placing` of config/tuning.yaml."""

    batch_articles: int
    gathering_seconds: float
    sweep_every: int
    # Share of shingles from which on two texts are versions of one article
    revision_containment: float
    wire_confidence: float


class StoryOptions(FrozenStruct):
    """What users choose about stories."""

    summary_words: int = 60  # default of publish.excerpt_words
    # Outlet key → publisher; None: those of the program
    families: Mapping[str, str] | None = None
    bumps: Collection[str] = BUMPS  # which of BUMPS bump a story
    # A new headline does not bump a story of one report that is older; default of feeds.bump_age.
    bump_age_seconds: float = 3 * 86_400
    prefer: tuple[str, ...] = ()  # outlets whose titles are preferred, in order
    mutes: Mutes = Mutes()
