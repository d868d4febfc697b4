"""Entries of a poll without a known key, compared with the texts that sources showed before."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, func, select

from aggregator.config.messages import counted
from aggregator.extract.entry_identity import (
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
    by_key = {(row.article, row.source, row.content_hash): row._mapping for row in rows}
    return [
        Observation(**{name: by_key[key][name] for name in _OBSERVED})
        for key in sorted(by_key)
    ]


_OBSERVED = Observation.__struct_fields__

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


def match_poll(
    connection: Connection,
    identified: list[IdentifiedEntry],
    known: dict[bytes, str],
    poll: PollContext,
    *,
    stability: IdentifierStability,
    void: frozenset[bytes],
) -> IdentifiedBatch:
    source = identified[0].entry.source
    unknown_entries = _unknown_entries(identified, known)
    observations = (
        _matching_observations(connection, unknown_entries.values())
        if unknown_entries
        else []
    )
    related_sources, moved = _related_sources(
        connection, unknown_entries, observations, source, poll
    )
    taken = {article for one in identified for article in known_by_keys(one, known)}
    # Two items have a key in common, which may identify neither
    if not taken.isdisjoint(poll.left_out):
        raise WholeFeedNeededError
    taken |= poll.left_out
    found = match_entries(
        unknown_entries,
        observations,
        source=source,
        related_sources=related_sources,
        taken=taken,
        tuning=poll.tuning,
    )
    met = [one._replace(match=found.get(place)) for place, one in enumerate(identified)]
    notes = []
    if found:
        known_ones = counted(
            len(found), "entry is a known article", "entries are known articles"
        )
        notes.append(f"{known_ones} under new GUIDs or addresses")
    if void:
        notes.append("different entries share a GUID or an address: it is ignored")
    return IdentifiedBatch(
        identified=tuple(met),
        known=known,
        stability=stability,
        void=void,
        words_known=frozenset(
            one.text_key
            for one in observations
            if one.source == source and one.text_key
        ),
        moved=moved,
        notes=tuple(notes),
    )


def _unknown_entries(
    identified: Sequence[IdentifiedEntry], known: dict[bytes, str]
) -> dict[int, EntryHashes]:
    """Return the hashes of entries without a known key by their places, each key once."""
    unknown_entries: dict[int, EntryHashes] = {}
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
    others = {one.source for one in observations} - {polled}
    if not others:
        return set(), False
    chosen = select(source.c.id, source.c.outlet, source.c.paused, source.c.health)
    existing = list(rows_with(connection, chosen, source.c.id, others))
    related_sources = {
        row.id for row in existing if poll.outlet and row.outlet == poll.outlet
    }
    if not poll.is_first:
        return related_sources, False
    answering = (row for row in existing if not row.paused)
    silent = others - {
        row.id for row in answering if row.health not in ("failing", "gone", "merged")
    }
    moved = find_moved_source(unknown_entries, observations, silent, poll.tuning)
    return (
        (related_sources | {moved}, True)
        if moved is not None
        else (related_sources, False)
    )
