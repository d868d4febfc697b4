"""Acceptance of entries into the inbox.

Accepting is one short transaction. It takes its serial numbers from `counter` first, which makes writers wait
for each other on both databases: numbers become visible in their order, and two writers never treat the same
key as new.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace
from sqlalchemy import Connection, exists, insert, or_, select

from aggregator.model.entry import Entry
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.intake import first_reading
from aggregator.store.intake.identity import identify, strikes, tombstones
from aggregator.store.intake.identity.identified_entry import (
    IdentifiedBatch,
    IdentifiedEntry,
    PollContext,
)
from aggregator.store.intake.identity.reread_limits import AcceptOutcome, RereadLimits
from aggregator.store.intake.inbox import MUTED
from aggregator.store.intake.inbox_order import put_in_order, take_numbers
from aggregator.store.intake.known_entries import AcceptResult, KnownEntries
from aggregator.store.intake.observations import (
    ObservationsByPair,
    observations_of,
    outlets_elsewhere,
)
from aggregator.store.tables import (
    entry,
    execute_each,
    insert_or,
    intake_count,
    rows_with,
)


class AcceptedBatch(FrozenStruct):
    """The outcomes of accepting entries, in their order. `notes` are sentences for the log."""

    accepted: tuple[AcceptResult, ...] = ()
    notes: tuple[str, ...] = ()


def accept(
    connection: Connection,
    entries: Sequence[Entry],
    *,
    seen: Sequence[dt.datetime],
    wants_page: Sequence[bool] | None = None,
    bump_by_clock: bool = False,
    always_new: bool = False,
    is_late_page: bool = False,
    gathers: bool = False,
    poll: PollContext | None = None,
) -> AcceptedBatch:
    """Add `entries` to the inbox in their order; known ones are only stored as observations.

    `seen`: when each was received; `wants_page`: whether its page is to be fetched first. `always_new` (for
    `eval`) makes every entry an article of its own: its source and GUID must be unique. `is_late_page` (for
    `eval`, too): they are the texts of articles that were placed without. `gathers`: they wait for
    `put_in_order`; others get the next numbers in the order given, after all that waits.

    `poll`: they are the entries of one poll of one source, oldest first. Then those without a known key are
    also compared by extract/entry_identity.py, and a source that reverts to a former text is followed a few
    times. Raises WholeFeedNeededError if `poll.left_out` would decide about one of them.
    """
    if not entries:
        return AcceptedBatch()
    first_n = take_numbers(connection, "entry", len(entries)) + 1
    identified = identify.identify_entries(connection, entries, poll)
    state = _state_of(connection, identified, poll, seen[0], always_new=always_new)
    notes = [*identified.notes]
    if poll is not None and not poll.is_first:
        source = entries[0].source
        here = {id_ for id_, seen_at in state.seen_before if seen_at == source}
        notes += strikes.count_strikes(
            connection, identified, poll, seen[0], seen_here=here
        )
    shared = {"page_attempts": int(is_late_page), "bump_by_clock": bump_by_clock}
    rows = []
    accepted = []
    for offset, received in enumerate(identified.identified):
        by_page = bool(wants_page and wants_page[offset]) and received.has_own_page
        result = _accept_one(state, received, seen[offset], by_page=by_page)
        if result.outcome in STORED:
            result = replace(result, entry_no=first_n + offset)
            row = _entry_row(result, received.entry, seen[offset], by_page=by_page)
            rows.append(row | shared)
        accepted.append(result)
    # In a first reading all but polls is placed at once.
    if not gathers or (poll is None and first_reading.lasts(connection)):
        _number_at_once(connection, [row for row in rows if row["state"] == "ready"])
    execute_each(connection, insert(entry), rows)
    if poll is not None and poll.is_first:
        first_reading.begin_if_first(connection, seen[0])
    if not is_late_page:
        state.batch.write(connection)
    _count_outcomes(connection, entries, accepted, seen[-1])
    return AcceptedBatch(accepted=tuple(accepted), notes=tuple(notes))


def _entry_row(
    result: AcceptResult, declared: Entry, seen: dt.datetime, *, by_page: bool
) -> dict[str, Any]:
    row = {
        "entry_no": result.entry_no,
        "inbox_no": None,
        "state": "ready",
        "source": declared.source,
        "article": result.article,
        "is_revision": result.outcome == "revision",
        "url": declared.url,
        "payload": codecs.compress_struct(declared),
        "page_due_at": None,
        "accepted_at": seen,
    }
    if by_page:
        row |= {"state": "page", "page_due_at": seen}
    return row


def _count_outcomes(
    connection: Connection,
    entries: Iterable[Entry],
    accepted: Iterable[AcceptResult],
    now: dt.datetime,
) -> None:
    received = []
    forgotten = []
    for declared, result in zip(entries, accepted, strict=True):
        received.append((declared.source, result.outcome))
        if result.outcome == "forgotten":
            forgotten.append(result.article)
    count_received(connection, received)
    tombstones.count_refused(connection, forgotten, now)


class _State(NamedTuple):
    """What is stored of a batch of entries and of the articles that they may be."""

    batch: KnownEntries
    seen_before: ObservationsByPair
    erased: dict[str, tombstones.TombstoneKind]
    muted: dict[str, list[str]]
    limits: RereadLimits


def _state_of(
    connection: Connection,
    identified: IdentifiedBatch,
    poll: PollContext | None,
    now: dt.datetime,
    *,
    always_new: bool,
) -> _State:
    known: dict[bytes, str] = {}
    ids: set[str] = set()
    candidates = set()
    if not always_new:
        known |= identified.known
        ids.update(known.values())
        for received in identified.identified:
            candidates.add(received.identity.article)
            if received.match is not None:
                ids.add(received.match.article)
        candidates |= ids
    seen_before = observations_of(connection, ids)
    outlets = outlets_elsewhere(connection, identified, known, seen_before)
    return _State(
        KnownEntries(
            poll, identified, known, seen_before, outlets, all_are_new=always_new
        ),
        seen_before,
        tombstones.find_tombstones(connection, candidates),
        _muted_at(connection, ids),
        RereadLimits(connection, ids, now, poll.live if poll else None),
    )


def _accept_one(
    state: _State, received: IdentifiedEntry, seen: dt.datetime, *, by_page: bool
) -> AcceptResult:
    """Return what an entry is, and note its keys and observation."""
    result = state.batch.judge(received, by_page=by_page)
    id_ = result.article
    source = received.entry.source
    # An article that is muted at other sources only: this one may have no mute.
    if result.outcome == "known" and source not in state.muted.get(id_, [source]):
        result = replace(result, outcome="new")
    if id_ in state.erased:  # its new keys are stored, as hashes
        result = replace(result, outcome=_OUTCOMES_OF_ERASED[state.erased[id_]])
        state.batch.note(received, result, seen)
        return result
    # Of an article that is not here
    is_unseen = received.entry.is_observation and result.outcome != "known"
    if is_unseen or state.limits.is_read_enough(id_, result.outcome, by_page=by_page):
        # No observation: it stays a change until the article may be read again
        return replace(result, outcome="known", is_observed=False)
    observations = state.seen_before.get((id_, source))
    state.batch.note(received, result, seen)
    if by_page and observations is not None and observations.is_authoritative:
        outcome = state.limits.outcome(id_, received.entry, result.outcome)
        return replace(result, outcome=outcome)
    return result


_OUTCOMES_OF_ERASED: Final[dict[tombstones.TombstoneKind, AcceptOutcome]] = {
    "retention": "known",
    "forgotten": "forgotten",
}


def _number_at_once(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Number these new entries in the order given, after all that gathers.

    So no revision goes before its first version. In a first reading the rest waits on.
    """
    if rows:
        same = {row["article"] for row in rows}
        put_in_order(connection, same if first_reading.lasts(connection) else None)
        first = take_numbers(connection, "inbox", len(rows)) + 1
        for number, row in enumerate(rows, start=first):
            row["inbox_no"] = number


def _muted_at(connection: Connection, articles: Iterable[str]) -> dict[str, list[str]]:
    """Return the sources of articles that are muted at each of their sources."""
    sources: dict[str, list[str]] = {}
    for row in rows_with(connection, _MUTED_ONLY, entry.c.article, articles):
        sources.setdefault(row.article, []).append(row.source)
    return sources


_OTHER = entry.alias()
_IS_WANTED_ELSEWHERE = exists().where(
    _OTHER.c.article == entry.c.article,
    or_(_OTHER.c.verdict.is_(None), _OTHER.c.verdict != MUTED),
)
_MUTED_ONLY = select(entry.c.article, entry.c.source).where(
    entry.c.verdict == MUTED, ~_IS_WANTED_ELSEWHERE
)


# Outcomes with a row in `entry`
STORED: Final[tuple[AcceptOutcome, ...]] = ("new", "revision")


def count_received(
    connection: Connection, received: Iterable[tuple[str, AcceptOutcome]]
) -> None:
    """Count received entries by source and outcome, in the transaction that accepts them.

    Each received entry takes a number of the counter "entry", whatever its outcome. So the sum of these rows
    must be that number, and the outcomes that are stored must have as many rows in `entry` as were counted
    and not deleted since (store/maintenance/integrity_check.py).
    """
    statement = insert_or(connection, intake_count)
    statement = statement.on_conflict_do_update(
        index_elements=["source", "outcome"],
        set_={"count": intake_count.c.count + statement.excluded.count},
    )
    rows = [
        {"source": source, "outcome": outcome, "count": count}
        for (source, outcome), count in sorted(Counter(received).items())
    ]
    execute_each(connection, statement, rows)
