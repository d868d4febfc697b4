"""What a feed asks of the store beside its stories: merged texts, and when anything changed."""

import datetime as dt
import logging
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select

from aggregator.model.core import MergedStory
from aggregator.store import codecs
from aggregator.store.sql import in_parts
from aggregator.store.tables import story, story_log

log = logging.getLogger(__name__)

_MERGED = select(story.c.id, story.c.merged).where(
    story.c.id.in_(bindparam("ids", expanding=True)), story.c.merged.is_not(None)
)
_LAST_CHANGE = select(story_log.c.at).order_by(story_log.c.n.desc()).limit(1)


def merged_of(connection: Connection, ids: Sequence[str]) -> dict[str, MergedStory]:
    """What the reports of these stories say together, of those where it is worked out already."""
    found: dict[str, MergedStory] = {}
    for part in in_parts(ids):
        rows = connection.execute(_MERGED, {"ids": part})
        found |= {row.id: merged for row in rows if (merged := read_merged(row.id, row.merged)) is not None}
    return found


def read_merged(id: str, blob: bytes) -> MergedStory | None:  # noqa: A002 - the word that people type
    """The merged text of story `id`; None where it is damaged: as if it were not there."""
    try:
        return codecs.expand_noun(blob, MergedStory)
    except codecs.UNREADABLE as error:
        log.warning("story %s: its merged text is damaged (%s); `aggregator db check --repair`", id, error)
        return None


def last_change_at(connection: Connection) -> dt.datetime | None:
    """When anything last happened to a story, by our clock; None in an empty database."""
    at: dt.datetime | None = connection.execute(_LAST_CHANGE).scalar()
    return at
