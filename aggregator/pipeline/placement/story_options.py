"""The settings that placing and rendering of stories follow."""

from collections.abc import Collection, Mapping

from aggregator.config.settings import Config
from aggregator.extract.wire.agencies import family_table
from aggregator.model.core import FrozenStruct
from aggregator.pipeline.placement.story_writer import BUMP_AGE_SECONDS, BUMPS


class StoryOptions(FrozenStruct, frozen=True, kw_only=True):
    """The keyword arguments of a Placer. `families`: outlet key → publisher; None: those of the program."""

    summary_words: int = 60
    families: Mapping[str, str] | None = None
    bumps: Collection[str] = BUMPS
    bump_age_seconds: float = BUMP_AGE_SECONDS
    prefer: tuple[str, ...] = ()


def story_options(config: Config) -> StoryOptions:
    """Return the options of a configuration."""
    return StoryOptions(
        summary_words=config.publish.excerpt_words,
        families=family_table(config.families),
        bumps=config.feeds.bump,
        bump_age_seconds=config.feeds.bump_age,
        prefer=config.publish.prefer,
    )
