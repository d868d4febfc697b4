"""Computes what is derived from articles again: keys, counts, indexes, stories (`db check --repair`).

For one process alone: a daemon has indexes in memory of what is replaced here. An interrupted rebuild is
repeated from its beginning.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_lookup import CopyFinder
from aggregator.model.errors import DamagedError
from aggregator.store.engine.database import Connection, Database
from aggregator.store.maintenance.repair import article_numbers, clear_derived, write_stories
from aggregator.store.maintenance.row_stream import Advance
from aggregator.store.search import index
from aggregator.store.stories import articles
from aggregator.store.stories.article_rows import copy_keys
from aggregator.store.stories.articles import StoredArticle
from aggregator.store.stories.rendered_stories import render_next
from aggregator.stories.tuning import StoryTuning

_RENDERED_AT_ONCE: Final = 20  # stories


def rebuild(
    database: Database,
    all_tuning: Tuning,
    families: Mapping[str, str] | None = None,
    advance: Advance = lambda _rows: None,
) -> None:
    """Compute derived rows again, and queue the entries in quarantine again.

    `families`: the publisher families of the configuration. It changes no entry, no text and no assignment.
    Raises DamagedError where a value that others are derived from is damaged.
    """
    with database.write(unhurried=True) as connection:
        clear_derived(connection)
    tuning = all_tuning.section("stories", StoryTuning)
    try:
        _write_copy_keys(database, CopyFinder(all_tuning), advance)
        write_stories(database, families, advance)
        index.index_until(database, index.index_older, advance=advance)
        while rendered := render_next(database, _RENDERED_AT_ONCE, tuning):
            advance(rendered)
    except (ValueError, TypeError, LookupError, msgspec.MsgspecError) as error:
        raise DamagedError(f"a stored value is damaged ({error}): restore a backup") from error


def _write_copy_keys(database: Database, finder: CopyFinder, advance: Advance) -> None:
    """Write the LSH keys and sampled shingles of all articles, each from the articles before it."""
    with database.write(unhurried=True) as connection:
        for n in article_numbers(connection):
            stored = articles.by_number(connection, n)
            if stored is not None and stored.signature and not stored.is_gone:
                copied, is_whole = _copied(connection, stored)
                keys = finder.restored(connection, stored, copied, is_whole=is_whole)
                copy_keys.set_copy_keys(connection, n, (), keys.bands, keys.sketch)
                finder.add(n, keys)
            advance(1)


def _copied(connection: Connection, stored: StoredArticle) -> tuple[str | None, bool]:
    """Return the original of a copy, and whether the whole text is copied.

    Falls back to the row if the evidence is damaged or was replaced by a correction.
    """
    try:
        copy = articles.evidence_of(connection, stored.id).copy
    except msgspec.MsgspecError:
        copy = None
    if copy is None:
        return stored.copy_of, stored.role != "excerpt"
    return copy.other, copy.kind == "copy"
