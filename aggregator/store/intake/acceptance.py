"""Acceptance of entries into the inbox.

Accepting is one short transaction. First it takes its serial numbers from `counter`, which makes writers wait
for each other on both databases. So numbers become visible in their order, and two writers never treat the same
key as new.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.model.entry import Entry
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.intake import first_reading
from aggregator.store.intake.identity import identify, tombstones
from aggregator.store.intake.identity.identify import (
    PollContext,
)
from aggregator.store.intake.inbox import put_in_order, take_numbers
from aggregator.store.intake.known_entries import (
    AcceptOutcome,
    AcceptResult,
    KnownEntries,
)
from aggregator.store.tables import (
    Values,
    entry,
    insert_rows,
    write_each,
)


class AcceptedBatch(FrozenStruct):
    """The outcomes of accepting entries, in the order of the entries."""

    accepted: tuple[AcceptResult, ...] = ()
    # Whether different entries share a key (of a GUID, an address or a content), which is ignored from now on
    has_void_keys: bool = False


def accept(
    connection: Connection,
    entries: Sequence[Entry],
    *,
    seen: Sequence[datetime],
    wants_page: Sequence[bool] | None = None,
    bump_by_clock: bool = False,
    always_new: bool = False,
    is_late_page: bool = False,
    gathers: bool = False,
    poll: PollContext | None = None,
) -> AcceptedBatch:
    """Add `entries` to the inbox in their order; known entries are only stored as observations.

    `seen`: when each entry was received; `wants_page`: whether its page is to be fetched first. `always_new`
    (for `eval`) makes every entry an article of its own, so its source and GUID must be unique. `is_late_page` (for
    `eval`, too): the entries are texts of articles that were placed without them. `gathers`: the entries wait for
    `put_in_order`; otherwise they get the next numbers in the given order, after all waiting entries.

    `poll` is given for the entries of one poll of one source, oldest first; they are also compared with each
    other. Raises WholeFeedNeededError if one of them has a key of an article in `poll.left_out`.
    """
    if not entries:
        return AcceptedBatch()
    first_n = take_numbers(connection, "entry", len(entries)) + 1
    identified = identify.identify_entries(
        connection, entries, poll, always_new=always_new
    )
    known = KnownEntries(connection, identified, is_poll=poll is not None)
    rows = []
    accepted = []
    for offset, received in enumerate(identified.entries):
        by_page = bool(wants_page and wants_page[offset]) and received.has_own_page
        result = known.judge(received, seen[offset], by_page=by_page)
        if result.outcome in STORED:
            by_page = by_page and result.may_use_page
            result = replace(result, entry_no=first_n + offset)
            rows.append(
                {
                    "entry_no": result.entry_no,
                    "inbox_no": None,
                    "state": "page" if by_page else "ready",
                    "source": received.entry.source,
                    "article": result.article,
                    "is_revision": result.outcome == "revision",
                    "url": received.entry.url,
                    "payload": codecs.compress_struct(received.entry),
                    "page_due_at": seen[offset] if by_page else None,
                    "page_attempts": int(is_late_page),
                    "accepted_at": seen[offset],
                    "bump_by_clock": bump_by_clock,
                }
            )
        accepted.append(result)
    # Until a first reading ends, only entries of polls gather; all others are placed at once.
    if not gathers or (poll is None and first_reading.lasts(connection)):
        _number_at_once(connection, [row for row in rows if row["state"] == "ready"])
    insert_rows(connection, entry, rows)
    if poll is not None and not bump_by_clock:
        first_reading.begin_if_first(connection, seen[0])
    if not is_late_page:
        known.write()
    outcomes = zip(entries, accepted, strict=True)
    count_received(
        connection, ((item.source, result.outcome) for item, result in outcomes)
    )
    forgotten = [result.article for result in accepted if result.outcome == "forgotten"]
    tombstones.count_refused(connection, forgotten, seen[-1])
    return AcceptedBatch(accepted=tuple(accepted), has_void_keys=bool(identified.void))


def _number_at_once(connection: Connection, rows: Sequence[Values]) -> None:
    """Number these new entries in the given order, after the waiting entries.

    So no revision comes before its first version. During a first reading, only the waiting entries of the same
    articles are numbered, and all others keep waiting.
    """
    if rows:
        same = {row["article"] for row in rows}
        put_in_order(connection, same if first_reading.lasts(connection) else None)
        first = take_numbers(connection, "inbox", len(rows)) + 1
        for number, row in enumerate(rows, start=first):
            row["inbox_no"] = number


# The outcomes of entries that get a row in `entry`
STORED: Final[tuple[AcceptOutcome, ...]] = ("new", "revision")


def count_received(
    connection: Connection, received: Iterable[tuple[str, AcceptOutcome]]
) -> None:
    """Count received entries by source and outcome, in the transaction that accepts them.

    Each received entry takes a number of the counter "entry", whatever its outcome. So the counts must add up to
    this counter. For the outcomes in STORED, `entry` must have as many rows as were counted, less those that were
    deleted since (store/maintenance/integrity_check.py).
    """
    rows = [
        {"source": source, "outcome": outcome, "count": count}
        for (source, outcome), count in sorted(Counter(received).items())
    ]
    write_each(
        connection,
        """
        INSERT INTO intake_count (source, outcome, count) VALUES (:source, :outcome, :count)
        ON CONFLICT (source, outcome) DO UPDATE SET count = intake_count.count + excluded.count
        """,
        rows,
    )
