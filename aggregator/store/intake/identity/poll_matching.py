"""Entries of a poll without a known key, compared with the texts that sources showed before."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, func, select

from aggregator.config.messages import counted
from aggregator.extract.entry_matching import (
    EntryHashes,
    Observation,
    find_moved_source,
    match_entries,
)
from aggregator.store.intake.identity.identified_entry import (
    IdentifiedBatch,
    IdentifiedEntry,
    PollContext,
    WholeFeedNeededError,
    known_by_keys,
)
from aggregator.store.intake.identity.identifier_stability import IdentifierStability
from aggregator.store.tables import observation, rows_with, source


def _matching_observations(
    connection: Connection, given: Collection[EntryHashes]
) -> list[Observation]:
    """Return the observations of all sources that share a text or title key with one of `given`."""
    text_keys = {hashes.text_key for hashes in given if hashes.text_key is not None}
    title_keys = {hashes.title_key for hashes in given if hashes.title_key is not None}
    rows = [
        *rows_with(connection, _OBSERVATIONS, observation.c.text_key, text_keys),
        *rows_with(connection, _OBSERVATIONS, observation.c.title_key, title_keys),
    ]
    by_key = {(row.article, row.source, row.content_hash): row for row in rows}
    observations = []
    for key in sorted(by_key):
        values = dict(by_key[key]._mapping)
        del values["content_hash"]
        observations.append(Observation(**values))
    return observations


_OBSERVATIONS = select(
    observation.c.article,
    observation.c.source,
    observation.c.content_hash,
    func.coalesce(observation.c.title_hash, b"").label("title"),
    observation.c.text_key,
    observation.c.title_key,
    observation.c.declared_at.label("minute"),
    observation.c.first_seen_at.label("seen"),
)
_SOURCES = select(source.c.id, source.c.outlet, source.c.paused, source.c.health)


def match_poll(
    connection: Connection,
    identified: list[IdentifiedEntry],
    known: dict[bytes, str],
    poll: PollContext,
    *,
    stability: IdentifierStability,
    void: frozenset[bytes],
) -> IdentifiedBatch:
    """Return the batch of a poll, its unknown entries matched with articles. Raises WholeFeedNeededError."""
    source = identified[0].entry.source
    unknown_entries = _unknown_entries(identified, known)
    observations = _matching_observations(connection, unknown_entries.values())
    related_sources, moved = _related_sources(
        connection, unknown_entries, observations, source, poll
    )
    articles = set[str]().union(*(known_by_keys(entry, known) for entry in identified))
    # Two items have a key in common, which may identify neither
    if not articles.isdisjoint(poll.left_out):
        raise WholeFeedNeededError
    matches = match_entries(
        unknown_entries,
        observations,
        source=source,
        related_sources=related_sources,
        taken=articles | poll.left_out,
        tuning=poll.tuning,
    )
    text_keys = (shown.text_key for shown in observations if shown.source == source)
    return IdentifiedBatch(
        identified=tuple(
            entry._replace(match=matches.get(place))
            for place, entry in enumerate(identified)
        ),
        known=known,
        stability=stability,
        void=void,
        words_known=frozenset(filter(None, text_keys)),
        moved=moved,
        notes=_notes(len(matches), has_void=bool(void)),
    )


def _notes(matches: int, *, has_void: bool) -> tuple[str, ...]:
    notes = []
    if matches:
        known = counted(
            matches, "entry is a known article", "entries are known articles"
        )
        notes.append(f"{known} under new GUIDs or addresses")
    if has_void:
        notes.append("different entries share a GUID or an address: it is ignored")
    return tuple(notes)


def _unknown_entries(
    identified: Sequence[IdentifiedEntry], known: dict[bytes, str]
) -> dict[int, EntryHashes]:
    """Return the hashes of entries without a known key by their places, each key once."""
    unknown_entries = {}
    seen: set[bytes] = set()
    for place, received in enumerate(identified):
        if not known_by_keys(received, known) and seen.isdisjoint(
            received.identity.keys
        ):
            entry_hashes = received.entry_hashes()
            assert entry_hashes is not None, "of a poll"
            unknown_entries[place] = entry_hashes
        seen.update(received.identity.keys)
    return unknown_entries


def _related_sources(
    connection: Connection,
    unknown_entries: Mapping[int, EntryHashes],
    observations: Sequence[Observation],
    polled: str,
    poll: PollContext,
) -> tuple[set[str], bool]:
    """Return the sources whose texts count as this one's, and whether it continues one of them."""
    others = {shown.source for shown in observations} - {polled}
    related_sources = set()
    silent = others.copy()
    for row in rows_with(connection, _SOURCES, source.c.id, others):
        if poll.outlet and row.outlet == poll.outlet:
            related_sources.add(row.id)
        if not row.paused and row.health not in ("failing", "gone", "merged"):
            silent.remove(row.id)
    if poll.is_first:
        moved = find_moved_source(unknown_entries, observations, silent, poll.tuning)
        if moved is not None:
            return related_sources | {moved}, True
    return related_sources, False
