"""Observations: which contents of an article its sources showed, and whether they may change its text."""

import datetime as dt
from typing import Any

from sqlalchemy import Connection, select

from aggregator.extract.entry_matching import EntryHashes
from aggregator.store.intake.identity.identified_entry import (
    IdentifiedBatch,
    IdentifiedEntry,
)
from aggregator.store.tables import article, observation, pairs_with, rows_with


class Observations:
    """The observations of an article at one source."""

    def __init__(self) -> None:
        self.hashes: dict[bytes, int] = {}  # content hash to revert count
        self.is_authoritative = False
        # One content hash; several in rows of old versions
        self.current: set[bytes] = set()
        # Title and text of the current one
        self.text_hashes: tuple[bytes | None, bytes | None] | None = None
        self.minute: dt.datetime | None = None
        # Not from a poll, or from an old version
        self.without_hashes: set[bytes] = set()


ObservationsByPair = dict[tuple[str, str], Observations]  # by article and source

# Columns of an observation, and the fields of EntryHashes in them.
_HASHES = {
    "title_hash": "title",
    "title_key": "title_key",
    "text_key": "text_key",
    "declared_at": "minute",
}


def hash_columns(entry_hashes: EntryHashes | None) -> dict[str, Any]:
    """Return the columns of the hashes of an entry; null for an entry that is not from a poll."""
    return {
        column: entry_hashes and getattr(entry_hashes, name)
        for column, name in _HASHES.items()
    }


def text_hashes_of(
    entry_hashes: EntryHashes | None,
) -> tuple[tuple[bytes | None, bytes | None] | None, dt.datetime | None]:
    """Return hashes of title and text (None: the text is too short), and the declared minute."""
    if entry_hashes is None or entry_hashes.text_key is None:
        return None, None
    return (entry_hashes.title, entry_hashes.text_key), entry_hashes.minute


def is_authoritative(received: IdentifiedEntry) -> bool:
    """Return whether an entry may change the text of a known article: by its own address, or its page.

    The outlet that an entry without an address declares is not verified.
    """
    if received.match is not None or received.entry.authority == "page":
        return True
    has_url_key = received.raw[1] in received.identity.keys
    return has_url_key and received.entry.authority == "own"


def outlets_elsewhere(
    connection: Connection,
    batch: IdentifiedBatch,
    known: dict[bytes, str],
    seen_before: ObservationsByPair,
) -> dict[str, str]:
    """Return the outlets of articles of other feeds that may be those of these entries' own sites, by id."""
    elsewhere = set()
    for received in batch.identified:
        if received.entry.resolved_outlet is None or not is_authoritative(received):
            continue
        for key in received.content_keys():
            id_ = known.get(key)
            if id_ is not None and (id_, received.entry.source) not in seen_before:
                elsewhere.add(id_)
    of_feeds = select(article.c.id, article.c.outlet).where(
        article.c.is_polled, article.c.outlet.is_not(None)
    )
    return pairs_with(connection, of_feeds, article.c.id, elsewhere)


def observations_of(connection: Connection, articles: set[str]) -> ObservationsByPair:
    """Return the observations of these articles."""
    by_pair: ObservationsByPair = {}
    for row in rows_with(
        connection, select(observation), observation.c.article, articles
    ):
        observations = by_pair.setdefault((row.article, row.source), Observations())
        observations.hashes[row.content_hash] = row.revert_count
        if row.is_authoritative:
            observations.is_authoritative = True
        if row.title_hash is None:
            observations.without_hashes.add(row.content_hash)
        if row.is_current:
            observations.current.add(row.content_hash)
            observations.minute = row.declared_at
            observations.text_hashes = row.text_key and (row.title_hash, row.text_key)
    return by_pair
