"""Makes the options of grouping from the configuration."""

from aggregator.config.settings import Config
from aggregator.config.source_settings import MuteConfig
from aggregator.extract.wire.agencies import family_table
from aggregator.grouping.mutes import NOUNS, Mutes
from aggregator.grouping.story_options import StoryOptions
from aggregator.intake.kinds.source_kind import source_kind
from aggregator.model.read_model import Mute
from aggregator.store.intake.source_rows import source_id


def story_options(config: Config) -> StoryOptions:
    """Return the options for placing articles and rendering stories."""
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
    for source in config.sources:
        if mutes := _mutes(source.mute):
            address = source_kind(source.kind).address(source, config)
            of_sources[source_id(source.kind, source.name, address)] = mutes
    return Mutes(everywhere=_mutes(config.mute), of_sources=of_sources)


def _mutes(section: MuteConfig) -> tuple[Mute, ...]:
    return tuple((kind, muted) for kind in NOUNS for muted in getattr(section, kind))
