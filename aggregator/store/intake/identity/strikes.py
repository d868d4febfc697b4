"""Polls in which a source had new identifiers of known texts, after some of which they are ignored."""

import datetime as dt
from collections.abc import Set

from msgspec.structs import asdict
from sqlalchemy import Connection

from aggregator.extract.entry_identity import update_strikes
from aggregator.store.intake.identity.identified_entry import (
    IdentifiedBatch,
    PollContext,
    WholeFeedNeededError,
    known_by_keys,
)
from aggregator.store.tables import unstable_identifier, upsert


def count_strikes(
    connection: Connection,
    batch: IdentifiedBatch,
    poll: PollContext,
    now: dt.datetime,
    *,
    seen_here: Set[str],
) -> list[str]:
    """Update the strikes of the source: polls with new identifiers of known texts. Return notes for the log.

    `seen_here`: the known articles that this source had before. An article of another source has its GUID
    here for the first time.
    """
    stability = asdict(batch.stability)
    notes = []
    for kind, (strikes, distrusted_at, called) in enumerate(_KINDS):
        if stability[distrusted_at] is not None:
            continue
        changed, unchanged = _key_changes(batch, seen_here, kind)
        if changed and poll.left_out:  # it counts beside those that are as before
            raise WholeFeedNeededError
        stability[strikes] = update_strikes(
            stability[strikes], changed, unchanged, poll.tuning
        )
        if stability[strikes] >= poll.tuning.repeats:
            stability[distrusted_at] = now
            notes.append(
                f"the {called} of its entries change at every poll: they are ignored from now on"
            )
    if stability != asdict(batch.stability):
        stability["source"] = batch.identified[0].entry.source
        upsert(connection, unstable_identifier, stability)
    return notes


# Of GUIDs and of URLs: the fields of their stability, and their name for people


_KINDS = (
    ("guid_strikes", "guids_distrusted_at", "GUIDs"),
    ("url_strikes", "urls_distrusted_at", "addresses"),
)


def _key_changes(
    batch: IdentifiedBatch, seen_here: Set[str], kind: int
) -> tuple[int, int]:
    """Count known entries whose key of one kind (0: GUID, 1: URL) is new, and those whose key is known."""
    changed = unchanged = 0
    for received in batch.identified:
        key = received.raw[kind]
        if key is None or key not in received.identity.keys:
            continue
        if key in batch.known:
            unchanged += 1
        elif (here := known_by_keys(received, batch.known)) or batch.words_known:
            entry_hashes = received.entry_hashes()
            if seen_here & here or (
                entry_hashes is not None and entry_hashes.text_key in batch.words_known
            ):
                changed += 1
    return changed, unchanged
