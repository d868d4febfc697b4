"""The rendered texts of stories, as they are stored."""

import logging
from collections.abc import Sequence
from functools import lru_cache, partial

from sqlalchemy import Connection

from aggregator.model.story import StoryText
from aggregator.store import codecs
from aggregator.store.tables import read_rows

log = logging.getLogger(__name__)

# Decoded texts that are cached, because most texts of a list or feed are unchanged when it is read again
KEPT = 256


def texts_of(connection: Connection, ids: Sequence[str]) -> dict[str, StoryText]:
    """Return the texts of these stories, without stories that are not rendered."""
    texts = {}
    for row in read_rows(
        connection,
        "SELECT id, rendered FROM story WHERE rendered IS NOT NULL AND id IN :ids",
        ids=ids,
    ):
        text = read_text(row.id, row.rendered)
        if text is not None:
            texts[row.id] = text
    return texts


_decoded = lru_cache(maxsize=KEPT)(partial(codecs.decompress_struct, shape=StoryText))


def read_text(id: str, blob: bytes) -> StoryText | None:
    """Decode the rendered text of story `id`; None if it is damaged."""
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
