"""Polls in which a source had new identifiers of known texts, after some of which they are ignored."""

import datetime as dt
from collections.abc import Set

import msgspec
from msgspec.structs import replace
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
    met: IdentifiedBatch,
    poll: PollContext,
    now: dt.datetime,
    *,
    seen_here: Set[str],
) -> list[str]:
    """Update the strikes of the source: polls with new identifiers of known texts. Return notes for the log.

    `seen_here`: the known articles that this source had before. An article of another source has its GUID
    here for the first time.
    """
    new, notes = met.stability, []
    for kind, (name, called) in enumerate((("guid", "GUIDs"), ("url", "addresses"))):
        if getattr(new, f"{name}s_distrusted_at") is not None:
            continue
        changed, unchanged = _key_changes(met, seen_here, kind)
        if changed and poll.left_out:  # it counts beside those that are as before
            raise WholeFeedNeededError
        strikes = update_strikes(
            getattr(new, f"{name}_strikes"), changed, unchanged, poll.tuning
        )
        new = replace(new, **{f"{name}_strikes": strikes})
        if strikes >= poll.tuning.repeats:
            new = replace(new, **{f"{name}s_distrusted_at": now})
            notes.append(
                f"the {called} of its entries change at every poll: they are ignored from now on"
            )
    if new != met.stability:
        values = {
            "source": met.identified[0].entry.source,
            **msgspec.structs.asdict(new),
        }
        upsert(connection, unstable_identifier, values)
    return notes


def _key_changes(
    met: IdentifiedBatch, seen_here: Set[str], kind: int
) -> tuple[int, int]:
    """Count known entries whose key of one kind (0: GUID, 1: URL) is new, and those whose key is known."""
    changed = unchanged = 0
    for received in met.identified:
        key = received.raw[kind]
        if key is None or key not in received.identity.keys:
            continue
        if key in met.known:
            unchanged += 1
        elif (here := known_by_keys(received, met.known)) or met.words_known:
            entry_hashes = received.entry_hashes()
            if seen_here & here or (
                entry_hashes is not None and entry_hashes.text_key in met.words_known
            ):
                changed += 1
    return changed, unchanged
