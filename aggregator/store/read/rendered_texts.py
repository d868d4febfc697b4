"""What stories show, as it is stored."""

import logging
from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import Connection

from aggregator.model.story import StoryText
from aggregator.store import codecs
from aggregator.store.tables import read_rows

log = logging.getLogger(__name__)

# Stories of lists and feeds by all that was read of them: most are as they were when a list is read again.
KEPT = 256


def texts_of(connection: Connection, ids: Sequence[str]) -> dict[str, StoryText]:
    """Return what those of these stories show that are rendered."""
    texts = {}
    rendered = (
        "SELECT id, rendered FROM story WHERE rendered IS NOT NULL AND id IN :ids"
    )
    for row in read_rows(connection, rendered, ids=ids):
        text = read_text(row.id, row.rendered)
        if text is not None:
            texts[row.id] = text
    return texts


@lru_cache(maxsize=KEPT)
def _decoded(blob: bytes) -> StoryText:
    return codecs.decompress_struct(blob, StoryText)


def read_text(id: str, blob: bytes) -> StoryText | None:
    """Decode what story `id` shows; None if it is damaged."""
    try:
        return _decoded(blob)
    except codecs.UNREADABLE as error:
        log.warning(
            "story %s: its rendered text is damaged (%s); `aggregator db check --repair`",
            id,
            error,
            extra={"event": "rendered_text_damaged"},
        )
        return None
