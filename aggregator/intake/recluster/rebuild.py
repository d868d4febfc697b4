"""Computes data derived from articles again: keys, counts, indexes, stories (`db check --repair`).

No daemon may run meanwhile, because its indexes in memory would describe the replaced data. An interrupted rebuild
starts again from the beginning.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_lookup import CopyFinder
from aggregator.model.errors import DamagedError
from aggregator.store.engine.database import Database
from aggregator.store.maintenance.repair import clear_derived, write_stories
from aggregator.store.maintenance.row_stream import Advance
from aggregator.store.search import index
from aggregator.store.stories.rendered_stories import render_next
from aggregator.stories.story_tuning import StoryTuning

_RENDERED_AT_ONCE: Final = 20  # stories


def rebuild(
    database: Database,
    all_tuning: Tuning,
    families: Mapping[str, str] | None = None,
    advance: Advance = lambda _rows: None,
) -> None:
    """Compute derived rows again, and queue the entries in quarantine again.

    No entry, text or assignment to a story changes. `families` has the publisher families of the configuration.
    Raises DamagedError if a value from which others are derived is damaged.
    """
    with database.write(unhurried=True) as connection:
        clear_derived(connection)
    tuning = all_tuning.section("stories", StoryTuning)
    try:
        with database.write(unhurried=True) as connection:
            CopyFinder(all_tuning).recompute(connection, advance)
        write_stories(database, families, advance)
        index.index_until(database, index.index_older, advance=advance)
        while rendered := render_next(database, _RENDERED_AT_ONCE, tuning):
            advance(rendered)
    except (ValueError, TypeError, LookupError, msgspec.MsgspecError) as error:
        raise DamagedError(
            f"a stored value is damaged ({error}): restore a backup"
        ) from error
