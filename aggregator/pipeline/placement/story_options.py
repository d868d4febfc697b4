"""The settings that placing and rendering of stories follow."""

from collections.abc import Collection, Mapping

from aggregator.config.settings import Config, MuteConfig
from aggregator.extract.wire.agencies import family_table
from aggregator.model.core import FrozenStruct
from aggregator.pipeline.kinds.source_kind import source_kind
from aggregator.pipeline.mutes import NOUNS, Mute, Mutes
from aggregator.store.intake.sources import source_id

# What may bump a story: another report, another headline, a correction.
BUMPS = frozenset({"report", "headline", "correction"})


class StoryOptions(FrozenStruct, frozen=True, kw_only=True):
    """What users choose about stories."""

    summary_words: int = 60  # default of publish.excerpt_words
    families: Mapping[str, str] | None = None  # outlet key → publisher; None: those of the program
    bumps: Collection[str] = BUMPS  # which of BUMPS bump a story
    # A new headline does not bump a story of one report that is older; default of feeds.bump_age.
    bump_age_seconds: float = 3 * 86_400
    prefer: tuple[str, ...] = ()  # outlets whose titles are preferred, in order
    mutes: Mutes = Mutes()


def story_options(config: Config) -> StoryOptions:
    """Return the options of a configuration."""
    return StoryOptions(
        summary_words=config.publish.excerpt_words,
        families=family_table(config.families),
        bumps=config.feeds.bump,
        bump_age_seconds=config.feeds.bump_age,
        prefer=config.publish.prefer,
        mutes=mutes_of(config),
    )


def mutes_of(config: Config) -> Mutes:
    """Return the mutes of a configuration. Raises ConfigError for an invalid address of a source."""
    of_sources = {}
    for one in config.sources:
        if mutes := _mutes(one.mute):
            address = source_kind(one.kind).address(one, config)
            of_sources[source_id(one.kind, one.name, address)] = mutes
    return Mutes(everywhere=_mutes(config.mute), of_sources=of_sources)


def _mutes(section: MuteConfig) -> tuple[Mute, ...]:
    return tuple((kind, muted) for kind in NOUNS for muted in getattr(section, kind))
