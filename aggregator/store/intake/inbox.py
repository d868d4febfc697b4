"""The inbox: entries that are accepted and not placed yet. An accepted entry is never lost.

Accepting is one short transaction. It takes its serial numbers from `counter` first, which makes writers wait
for each other on both databases: numbers become visible in their order, and two writers never treat the same
key as new.

Entries are placed in the order of `inbox_no`. An entry whose input is complete (at once, or when its page is
fetched or given up) waits for `put_in_order`, with which the writer begins: it numbers all that wait in the
order of their times. The numbers are stored before anything is placed, so a kill or a replay changes none.
When the first reading of a new database ends, its entries get those of `order_of_time`, once.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from msgspec.structs import replace
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    LargeBinary,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)

from aggregator.extract.entry_matching import EntryHashes
from aggregator.model.core import Entry, FrozenStruct
from aggregator.model.errors import UnreadableEntryError
from aggregator.store import codecs
from aggregator.store.intake import first_reading, identify, tombstones
from aggregator.store.intake.identify import (
    NOBODY,
    AcceptOutcome,
    IdentifiedBatch,
    IdentifiedEntry,
    PollContext,
    RereadLimits,
    WholeFeedNeededError,
    claimed_url,
)
from aggregator.store.tables import (
    article,
    change_with,
    count_rows,
    counter,
    entry,
    identity_key,
    insert_or,
    intake_count,
    observation,
    rows_with,
)

MUTED: Final = "muted"  # verdict of an entry that is not wanted (grouping/mutes.py)


class AcceptResult(FrozenStruct):
    """The outcome of accepting one entry."""

    outcome: AcceptOutcome
    article: str
    # None: it was not stored, because it is known or erased
    entry_no: int | None = None
    # False: the same entry may have another outcome at a later poll
    is_observed: bool = True


class InboxEntry(FrozenStruct):
    """An entry that is ready to be placed, with all input of its article."""

    entry_no: int
    inbox_no: int
    article: str
    is_revision: bool
    bump_by_clock: bool
    accepted_at: dt.datetime
    entry: Entry
    is_late_page: bool = False  # its article was placed with the words of the entry
    # Of an article that is placed again; None: to be computed
    effective_at: dt.datetime | None = None
    page: bytes | None = None
    page_url: str | None = None
    page_charset: str | None = None
    has_lost_page: bool = False  # it was given up, or is of another site


class AcceptedBatch(FrozenStruct):
    """The outcomes of accepting entries, in their order. `notes` are sentences for the log."""

    accepted: tuple[AcceptResult, ...] = ()
    notes: tuple[str, ...] = ()


class _Observations:
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


_TAKE = (
    update(counter)
    .where(counter.c.name == bindparam("counter_name"))
    .values(value=counter.c.value + bindparam("count", type_=BigInteger))
    .returning(counter.c.value)
)


def take_numbers(connection: Connection, name: str, count: int) -> int:
    """Take `count` serial numbers and lock the row until the end. Return the one before the first."""
    last: int = connection.execute(
        _TAKE, {"counter_name": name, "count": count}
    ).scalar_one()
    return last - count


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
    also compared by extract/entry_matching.py, and a source that reverts to a former text is followed a few
    times. Raises WholeFeedNeededError if `poll.left_out` would decide about one of them.
    """
    if not entries:
        return AcceptedBatch()
    first_n = take_numbers(connection, "entry", len(entries)) + 1
    met = identify.identify_entries(connection, entries, poll)
    known = {} if always_new else dict(met.known)
    ids = set(known.values()) | {
        one.match.article for one in met.identified if one.match
    }
    seen_before = {} if always_new else _observations(connection, ids)
    notes = [*met.notes]
    if poll is not None and not poll.is_first:
        here = {
            article
            for article, source_id in seen_before
            if source_id == entries[0].source
        }
        notes += identify.count_strikes(connection, met, poll, seen[0], seen_here=here)
    outlets = _outlets_elsewhere(connection, met, known, seen_before)
    batch = _KnownEntries(
        poll, met, known, seen_before, outlets, all_are_new=always_new
    )
    rows: list[dict[str, Any]] = []
    accepted = []
    candidates = (
        set() if always_new else ids | {one.identity.article for one in met.identified}
    )
    erased = tombstones.find_tombstones(connection, candidates)
    muted = _muted_at(connection, ids)
    live = RereadLimits(connection, ids, seen[0], poll.live if poll else None)
    for offset, one in enumerate(met.identified):
        by_page = bool(wants_page and wants_page[offset]) and one.has_own_page
        result = _unless_muted_elsewhere(
            batch.judge(one, by_page=by_page), one.entry.source, muted
        )
        if result.article in erased:  # its new keys are stored, as hashes
            is_known = erased[result.article] == "retention"
            result = AcceptResult(
                outcome="known" if is_known else "forgotten", article=result.article
            )
            batch.note(one, result, seen[offset])
            accepted.append(result)
            continue
        observations = seen_before.get((result.article, one.entry.source))
        # Of an article that is not here
        is_unseen = one.entry.is_observation and result.outcome != "known"
        if is_unseen or live.is_read_enough(
            result.article, result.outcome, by_page=by_page
        ):
            accepted.append(
                AcceptResult(outcome="known", article=result.article, is_observed=False)
            )
            # No observation: it stays a change until the article may be read again
            continue
        batch.note(one, result, seen[offset])
        if observations and observations.is_authoritative and by_page:
            outcome = live.outcome(result.article, one.entry, result.outcome)
            result = replace(result, outcome=outcome)
        if result.outcome != "known":
            result = replace(result, entry_no=first_n + offset)
            rows.append(
                {
                    "entry_no": result.entry_no,
                    "inbox_no": None,
                    "state": "page" if by_page else "ready",
                    "source": one.entry.source,
                    "article": result.article,
                    "is_revision": result.outcome == "revision",
                    "url": one.entry.url,
                    "payload": codecs.compress_struct(one.entry),
                    "page_due_at": seen[offset] if by_page else None,
                    "page_attempts": int(is_late_page),
                    "bump_by_clock": bump_by_clock,
                    "accepted_at": seen[offset],
                }
            )
        accepted.append(result)
    if not gathers:
        _number_at_once(connection, [row for row in rows if row["state"] == "ready"])
    if rows:
        connection.execute(insert(entry), rows)
    if not is_late_page:
        batch.write(connection)
    outcomes = zip(entries, accepted, strict=True)
    count_received(
        connection, ((item.source, result.outcome) for item, result in outcomes)
    )
    again = [one.article for one in accepted if one.outcome == "forgotten"]
    tombstones.count_refused(connection, again, seen[-1])
    return AcceptedBatch(accepted=tuple(accepted), notes=tuple(notes))


def _number_at_once(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Number these new entries in the order given, after all that gathers.

    So no revision goes before its first version.
    """
    if rows:
        put_in_order(connection)
        first = take_numbers(connection, "inbox", len(rows)) + 1
        for number, row in enumerate(rows, start=first):
            row["inbox_no"] = number


def _muted_at(connection: Connection, articles: Iterable[str]) -> dict[str, list[str]]:
    """Return the sources of articles that are muted at each of their sources."""
    found: dict[str, list[str]] = {}
    for row in rows_with(connection, _MUTED_ONLY, entry.c.article, articles):
        found.setdefault(row.article, []).append(row.source)
    return found


_OTHER = entry.alias()
_IS_WANTED = or_(_OTHER.c.verdict.is_(None), _OTHER.c.verdict != MUTED)
_ELSEWHERE = (
    select(_OTHER.c.entry_no)
    .where(_OTHER.c.article == entry.c.article, _IS_WANTED)
    .exists()
)
_MUTED_ONLY = select(entry.c.article, entry.c.source).where(
    entry.c.verdict == MUTED, ~_ELSEWHERE
)


def _unless_muted_elsewhere(
    result: AcceptResult, source: str, muted: dict[str, list[str]]
) -> AcceptResult:
    """Let an article that is known as muted at other sources only be new: this one may have no mute."""
    if result.outcome == "known" and source not in muted.get(result.article, [source]):
        return AcceptResult(outcome="new", article=result.article)
    return result


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
    counts = Counter(received)
    if not counts:
        return
    statement = insert_or(connection, intake_count)
    statement = statement.on_conflict_do_update(
        index_elements=["source", "outcome"],
        set_={"count": intake_count.c.count + statement.excluded.count},
    )
    rows = [
        {"source": at, "outcome": what, "count": many}
        for (at, what), many in sorted(counts.items())
    ]
    connection.execute(statement, rows)


class _KnownEntries:
    """Keys and observations: what is stored of a batch of entries, and what the batch adds to it."""

    def __init__(
        self,
        poll: PollContext | None,
        met: IdentifiedBatch,
        known: dict[bytes, str],
        seen_before: dict[tuple[str, str], _Observations],
        outlets: dict[str, str],
        *,
        all_are_new: bool,
    ) -> None:
        """`known`: articles by key. `seen_before`: observations by article and source.

        `outlets`: of the articles that their own site may deliver now, see `_outlets_elsewhere`.
        """
        self._poll = poll
        self._met = met
        self._known = known
        self._seen_before = seen_before
        self._outlets = outlets
        self._all_are_new = all_are_new
        # Content hashes of this batch
        self._here = {one.identity.content_hash for one in met.identified}
        self._keys: dict[bytes, str] = {}
        self._observations: dict[tuple[str, str, bytes], dict[str, Any]] = {}
        # (article, source) whose stored row is not current now
        self._replaced: set[tuple[str, str]] = set()
        # Former observations that are current again
        self._reverted: list[tuple[str, str, bytes]] = []
        # Rows that lack hashes
        self._hashed: dict[tuple[str, str, bytes], EntryHashes] = {}
        self._addresses: dict[str, str] = {}
        # Articles of other sources, now with their own site's words
        self._taken_over: set[str] = set()

    def judge(self, one: IdentifiedEntry, *, by_page: bool) -> AcceptResult:
        """Return what an entry is. `by_page`: its page is to be fetched. Raises WholeFeedNeededError."""
        known = self._known
        article = next((known[key] for key in one.identity.keys if key in known), None)
        if article is None and (elsewhere := claimed_url(one)) in known:
            return AcceptResult(
                outcome="known", article=known[elsewhere]
            )  # a link to another source's article
        is_matched = article is None and one.match is not None
        if article is None and one.match is not None:
            article = one.match.article
        if article is None and (there := self._seen_there(one)) is not None:
            if self._poll is not None and there in self._poll.left_out:
                raise WholeFeedNeededError
            own = one.entry.resolved_outlet
            has_other_outlet = (
                own is not None and self._outlets.get(there, own.key) != own.key
            )
            has_other_text = by_page or one.content_keys()[-1] not in known
            is_revision = (has_other_text or has_other_outlet) and _is_authoritative(
                one
            )
            return AcceptResult(
                outcome="revision" if is_revision else "known", article=there
            )
        if article is None:
            return AcceptResult(outcome="new", article=one.identity.article)
        observations = self._seen_before.get((article, one.entry.source))
        is_revision = (
            observations is not None
            and observations.is_authoritative
            and self._has_new_text(one, observations, is_matched=is_matched)
        )
        return AcceptResult(
            outcome="revision" if is_revision else "known", article=article
        )

    def _seen_there(self, one: IdentifiedEntry) -> str | None:
        """Return the article that another source delivered under the same URL, with the same title and minute
        or the same title and text. Within one source its GUIDs tell entries apart.
        """
        for key in one.content_keys():
            article = self._known.get(key)
            if (
                article is not None
                and (article, one.entry.source) not in self._seen_before
            ):
                return article
        return None

    def _has_new_text(
        self, one: IdentifiedEntry, observations: _Observations, *, is_matched: bool
    ) -> bool:
        """Whether an authoritative source shows another text than the current one.

        It may be a former one. Only a poll shows a revert, and only if the current content is not in it, too.
        The number of reverts is limited, because two servers of one outlet may disagree permanently.
        """
        content_hash = one.identity.content_hash
        if content_hash in observations.current:
            return False
        text_hashes, minute = _text_hashes(one.entry_hashes())
        is_same = text_hashes is not None and text_hashes == observations.text_hashes
        if is_same and (is_matched or minute == observations.minute):
            return False  # at most another address
        if content_hash not in observations.hashes:
            return True
        if self._poll is None or not observations.current.isdisjoint(self._here):
            return False
        return observations.hashes[content_hash] < self._poll.tuning.repeats

    def note(
        self, one: IdentifiedEntry, result: AcceptResult, seen: dt.datetime
    ) -> None:
        """Add the keys and the observation of an entry with this result."""
        known, key_pair = self._known, (result.article, one.entry.source)
        is_first_here = result.outcome != "new" and key_pair not in self._seen_before
        if (
            is_first_here
            and one.match is None
            and _is_authoritative(one)
            and one.raw[1] not in known
        ):
            # The site itself delivers what others linked to
            self._take_over(result.article)
        observations = self._seen_before.setdefault(key_pair, _Observations())
        was_authoritative = observations.is_authoritative
        observations.is_authoritative = (
            was_authoritative or result.outcome == "new" or _is_authoritative(one)
        )
        new_keys = [key for key in one.identity.keys if key not in known]
        for key in new_keys:
            known[key] = self._keys[key] = result.article
        # A known article that has a new address on its own site, to which links should lead.
        has_moved = (
            self._poll is not None
            and one.entry.authority == "own"
            and one.raw[1] in new_keys
        )
        if (
            result.outcome == "known"
            and has_moved
            and (was_authoritative or self._met.moved)
        ):
            self._addresses[result.article] = one.entry.url or ""
        content_hash = one.identity.content_hash
        if content_hash not in observations.hashes:
            has_url_key = (
                one.entry.authority != "foreign" and one.raw[1] in one.identity.keys
            )
            if (
                not self._all_are_new
                and not has_url_key
                and claimed_url(one) not in known
            ):
                for key in one.content_keys():
                    if key not in known:
                        known[key] = self._keys[key] = result.article
            self._make_current(one, key_pair, observations)
            observations.hashes[content_hash] = 0
            self._observations[*key_pair, content_hash] = {
                "article": result.article,
                "source": one.entry.source,
                "content_hash": content_hash,
                "is_authoritative": observations.is_authoritative,
                "first_seen_at": seen,
                "is_current": True,
                **_columns(one.entry_hashes()),
            }
        elif result.outcome == "revision":
            observations.hashes[content_hash] += 1
            self._make_current(one, key_pair, observations)
            self._reverted.append((*key_pair, content_hash))
        if (
            content_hash in observations.without_hashes
            and (entry_hashes := one.entry_hashes()) is not None
        ):
            observations.without_hashes.discard(content_hash)
            self._hashed[*key_pair, content_hash] = entry_hashes

    def _take_over(self, article: str) -> None:
        """Let no source that had the article before change its text."""
        self._taken_over.add(article)
        for (of_article, _), observations in self._seen_before.items():
            if of_article == article:
                observations.is_authoritative = False
        for row in self._observations.values():
            if row["article"] == article:
                row["is_authoritative"] = False

    def _make_current(
        self,
        one: IdentifiedEntry,
        key_pair: tuple[str, str],
        observations: _Observations,
    ) -> None:
        for former in observations.current:
            if (row := self._observations.get((*key_pair, former))) is not None:
                row["is_current"] = False
            else:
                self._replaced.add(key_pair)
        observations.current = {one.identity.content_hash}
        observations.text_hashes, observations.minute = _text_hashes(one.entry_hashes())

    def write(self, connection: Connection) -> None:
        """Write the collected rows, in the transaction of the entries."""
        keys = insert_or(connection, identity_key)
        if self._met.void:
            void = [{"key": key, "article": NOBODY} for key in sorted(self._met.void)]
            taken_back = keys.on_conflict_do_update(
                index_elements=["key"], set_={"article": NOBODY}
            )
            connection.execute(taken_back, void)
        if self._keys:
            # Another process may store the same key concurrently while placing: the first one wins.
            new = [
                {"key": key, "article": article} for key, article in self._keys.items()
            ]
            connection.execute(keys.on_conflict_do_nothing(index_elements=["key"]), new)
        given_up = update(observation).values(is_authoritative=False)
        change_with(connection, given_up, observation.c.article, self._taken_over)
        if self._replaced and self._poll:
            replaced = [
                {"of_article": article, "of_source": at}
                for article, at in sorted(self._replaced)
            ]
            connection.execute(_REPLACED, replaced)
        if self._observations:
            connection.execute(insert(observation), list(self._observations.values()))
        for (of_article, at, content_hash), entry_hashes in sorted(
            self._hashed.items()
        ):
            same = (observation.c.article == of_article, observation.c.source == at)
            row = update(observation).where(
                *same, observation.c.content_hash == content_hash
            )
            connection.execute(row.values(**_columns(entry_hashes)))
        if self._reverted:
            reverted = [
                {"of_article": one, "of_source": at, "of_hash": content_hash}
                for one, at, content_hash in self._reverted
            ]
            connection.execute(_REVERTED, reverted)
        if self._addresses:
            moved = [
                {"of_article": one, "address": url}
                for one, url in sorted(self._addresses.items())
            ]
            connection.execute(_ADDRESS, moved)


_OF_PAIR = (observation.c.article == bindparam("of_article")) & (
    observation.c.source == bindparam("of_source")
)
_REPLACED = (
    update(observation)
    .where(_OF_PAIR, observation.c.is_current)
    .values(is_current=False)
)
_REVERTED = (
    update(observation)
    .where(
        _OF_PAIR, observation.c.content_hash == bindparam("of_hash", type_=LargeBinary)
    )
    .values(is_current=True, revert_count=observation.c.revert_count + 1)
)
_ADDRESS = (
    update(article)
    .where(article.c.id == bindparam("of_article"))
    .values(url=bindparam("address"))
)


# Columns of an observation, and the fields of EntryHashes in them.
_HASHES = {
    "title_hash": "title",
    "title_key": "title_key",
    "text_key": "text_key",
    "declared_at": "minute",
}


def _columns(entry_hashes: EntryHashes | None) -> dict[str, Any]:
    return {
        column: entry_hashes and getattr(entry_hashes, name)
        for column, name in _HASHES.items()
    }


def _text_hashes(
    entry_hashes: EntryHashes | None,
) -> tuple[tuple[bytes | None, bytes | None] | None, dt.datetime | None]:
    """Return hashes of title and text (None: the text is too short), and the declared minute."""
    if entry_hashes is None or entry_hashes.text_key is None:
        return None, None
    return (entry_hashes.title, entry_hashes.text_key), entry_hashes.minute


def _is_authoritative(one: IdentifiedEntry) -> bool:
    """Whether an entry may change the text of a known article: by its own address, or its page.

    The outlet that an entry without an address declares is not verified.
    """
    by_address = one.entry.authority == "own" and one.raw[1] in one.identity.keys
    return by_address or one.entry.authority == "page" or one.match is not None


def _outlets_elsewhere(
    connection: Connection,
    met: IdentifiedBatch,
    known: dict[bytes, str],
    seen_before: dict[tuple[str, str], _Observations],
) -> dict[str, str]:
    """Return the outlets of articles of other feeds that may be those of these entries' own sites, by id."""
    elsewhere: set[str] = set()
    for one in met.identified:
        if known and one.entry.resolved_outlet is not None and _is_authoritative(one):
            ids = (known[key] for key in one.content_keys() if key in known)
            elsewhere.update(
                id_ for id_ in ids if (id_, one.entry.source) not in seen_before
            )
    of_feeds = select(article.c.id, article.c.outlet).where(
        article.c.is_polled, article.c.outlet.is_not(None)
    )
    return {
        row.id: row.outlet
        for row in rows_with(connection, of_feeds, article.c.id, elsewhere)
    }


def _observations(
    connection: Connection, articles: set[str]
) -> dict[tuple[str, str], _Observations]:
    """Return the observations by article and source."""
    found: dict[tuple[str, str], _Observations] = {}
    for row in rows_with(connection, _OBSERVATIONS, observation.c.article, articles):
        observations = found.setdefault((row.article, row.source), _Observations())
        content_hash = bytes(row.content_hash)
        observations.hashes[content_hash] = row.revert_count
        observations.is_authoritative = (
            observations.is_authoritative or row.is_authoritative
        )
        if row.title_hash is None:
            observations.without_hashes.add(content_hash)
        if row.is_current:
            observations.current.add(content_hash)
            observations.minute = row.declared_at
            observations.text_hashes = row.text_key and (
                bytes(row.title_hash),
                bytes(row.text_key),
            )
    return found


_OBSERVATIONS = select(
    observation.c.article,
    observation.c.source,
    observation.c.content_hash,
    observation.c.is_authoritative,
    observation.c.is_current,
    observation.c.revert_count,
    observation.c.title_hash,
    observation.c.text_key,
    observation.c.declared_at,
)


def ready(connection: Connection, limit: int, after: int = 0) -> list[InboxEntry]:
    """Return the next entries to place, in the order of their inbox numbers.

    Raises UnreadableEntryError for an entry whose payload or page is damaged.
    """
    return [
        _waiting(row)
        for row in connection.execute(_READY, {"after": after, "limit": limit})
    ]


_READY = (
    select(entry)
    .where(entry.c.state == "ready", entry.c.inbox_no > bindparam("after"))
    .order_by(entry.c.inbox_no)
    .limit(bindparam("limit"))
)


def _waiting(row: Any) -> InboxEntry:
    try:
        declared = codecs.decompress_struct(row.payload, Entry)
        if row.page_robots:
            declared = replace(declared, robots=row.page_robots)
        page = codecs.decompress_bytes(row.page) if row.page is not None else None
    except codecs.UNREADABLE as error:
        raise UnreadableEntryError(
            f"its stored data cannot be read ({error})", row.entry_no
        ) from error
    return InboxEntry(
        **{name: row._mapping[name] for name in _SAME},
        entry=declared,
        page=page,
        is_late_page=not row.is_revision and row.page_attempts > 0,
        has_lost_page=page is None and (row.reason or row.page_url) is not None,
    )


# Fields that are the column of their name.
_SAME = [
    name for name in InboxEntry.__struct_fields__ if name in entry.c and name != "page"
]


_IS_GATHERED = (entry.c.state == "ready") & entry.c.inbox_no.is_(None)
_GATHERED = select(entry.c.entry_no).where(_IS_GATHERED).limit(1)


def has_gathered(connection: Connection) -> bool:
    """Return whether entries wait for `put_in_order`."""
    return connection.execute(_GATHERED).first() is not None


# Of one source. Pages that each take workers half a second then make another source wait five (chosen).
_PAGES_A_TURN = 10
_PAGES = (
    select(
        entry.c.article,
        entry.c.entry_no,
        func.row_number()
        .over(partition_by=entry.c.source, order_by=entry.c.entry_no)
        .label("place"),
    )
    .where(_IS_GATHERED, entry.c.page.is_not(None))
    .subquery()
)
_LATER_TURNS = (
    select(_PAGES.c.article, func.min(_PAGES.c.entry_no).label("entry_no"))
    .where(_PAGES.c.place > _PAGES_A_TURN)
    .group_by(_PAGES.c.article)
)


def put_in_order(connection: Connection) -> int:
    """Number the entries that wait for it in the order of their times; return how many there are.

    Of each source only so many pages have their turn: those that workers take long to read make nobody wait
    but their source.
    """
    last = take_numbers(connection, "inbox", 0)  # locks: nobody else numbers them
    later = {row.article: row.entry_no for row in connection.execute(_LATER_TURNS)}
    entries = _by_time(connection, _IS_GATHERED, later)
    if not entries:
        return 0
    if last == 0:
        first_reading.begin(connection)
    take_numbers(connection, "inbox", len(entries))
    numbered = [
        {"n": n, "number": number} for number, n in enumerate(entries, start=last + 1)
    ]
    connection.execute(_NUMBERED, numbered)
    return len(entries)


def order_of_time(connection: Connection) -> dict[int, int]:
    """Return the inbox numbers of placed and refused entries in order of time, by those they have now."""
    numbers = {
        row.entry_no: row.inbox_no for row in connection.execute(_PLACED_NUMBERS)
    }
    numbers_by_time = [numbers[n] for n in _by_time(connection, _IS_PLACED)]
    return dict(zip(numbers_by_time, sorted(numbers_by_time), strict=True))


_IS_PLACED = entry.c.state.in_(("done", "refused")) & entry.c.inbox_no.is_not(None)
_PLACED_NUMBERS = select(entry.c.entry_no, entry.c.inbox_no).where(_IS_PLACED)


def _by_time(
    connection: Connection,
    condition: ColumnElement[bool],
    later: Mapping[str, int] | None = None,
) -> list[int]:
    """Return the numbers of these entries in the order of their times.

    `later`: by article, from which entry on they are left out.
    An entry's time is when it was published, at the latest when it was accepted, and not before that of an
    earlier entry of its article.
    """
    columns = entry.c.entry_no, entry.c.article, entry.c.payload, entry.c.accepted_at
    chosen = select(*columns).where(condition).order_by(entry.c.entry_no)
    times: list[tuple[dt.datetime, int]] = []
    by_article: dict[str, dt.datetime] = {}
    # A muted archive may have given back many thousands: their payloads are not in memory at once.
    for row in connection.execute(
        chosen.execution_options(yield_per=_PAYLOADS_AT_ONCE)
    ):
        if later and row.entry_no >= later.get(row.article, row.entry_no + 1):
            continue
        time = max(_time_of(row), by_article.get(row.article, _EARLIEST))
        by_article[row.article] = time
        times.append((time, row.entry_no))
    return [n for _, n in sorted(times)]


_PAYLOADS_AT_ONCE = 500
_EARLIEST = dt.datetime.min.replace(tzinfo=dt.UTC)
_NUMBERED = (
    update(entry)
    .where(entry.c.entry_no == bindparam("n"))
    .values(inbox_no=bindparam("number"))
)


def _time_of(row: Any) -> dt.datetime:
    try:
        published = codecs.decompress_struct(row.payload, Entry).published
    except codecs.UNREADABLE:  # found when it is to be placed
        published = None
    accepted_at: dt.datetime = row.accepted_at
    return accepted_at if published is None else min(published.time, accepted_at)


def last_ready(connection: Connection, articles: Iterable[str]) -> int:
    """Return the last inbox number of the entries of `articles` that wait to be placed; 0 without any."""
    newest = select(func.max(entry.c.inbox_no).label("last")).where(
        entry.c.state == "ready"
    )
    return max(
        (
            row.last or 0
            for row in rows_with(connection, newest, entry.c.article, articles)
        ),
        default=0,
    )


def is_revised_since(connection: Connection, article_id: str, entry_no: int) -> bool:
    """Return whether a revision of the article that was accepted after entry `entry_no` is placed."""
    later = (
        (entry.c.article == article_id)
        & (entry.c.entry_no > entry_no)
        & (entry.c.outcome == "revised")
    )
    return (
        connection.execute(select(entry.c.entry_no).where(later).limit(1)).first()
        is not None
    )


Outcome = Literal["founded", "joined", "copy", "revised", "unchanged", "refused"]


def claim(connection: Connection, key: bytes, article_id: str) -> str:
    """Store `key` for `article_id` unless another article has it. Return the article that has it now.

    Another process may accept the same address concurrently: the first one wins. A void key stays void; then
    this returns `article_id`.
    """
    statement = insert_or(connection, identity_key).values(key=key, article=article_id)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["key"]))
    owner: str = connection.execute(
        select(identity_key.c.article).where(identity_key.c.key == key)
    ).scalar_one()
    return article_id if owner == NOBODY else owner


def owner(connection: Connection, key: bytes) -> str | None:
    """Return the article that has `key`: None if no article has it, NOBODY for a void key."""
    return connection.execute(
        select(identity_key.c.article).where(identity_key.c.key == key)
    ).scalar()


class EntryResult(FrozenStruct):
    """The result of an accepted entry. `outcome`: None while it waits; `story`: None unless it is placed."""

    entry_no: int
    outcome: Outcome | None
    verdict: str | None
    reason: str | None
    url: str | None
    article: str
    story: str | None
    copy_of: str | None


# See `retention.settle_entries`
_ADDRESS_OF = func.coalesce(entry.c.url, article.c.url).label("url")


def results(connection: Connection, numbers: Iterable[int]) -> list[EntryResult]:
    """Return the results of the entries `numbers`, in order."""
    own = [
        entry.c[name]
        for name in ("entry_no", "outcome", "verdict", "reason", "article")
    ]
    statement = select(*own, article.c.story, article.c.copy_of, _ADDRESS_OF).outerjoin(
        article, article.c.id == entry.c.article
    )
    rows = rows_with(
        connection, statement.order_by(entry.c.entry_no), entry.c.entry_no, numbers
    )
    return [EntryResult(**row._mapping) for row in rows]


def waiting_count(connection: Connection) -> int:
    """Return the number of entries that are neither placed nor refused."""
    return count_rows(connection, entry, entry.c.state.in_(("page", "ready")))


_BUMP_AT_OWN_TIME = update(entry).values(bump_by_clock=False)


def bump_at_own_time(connection: Connection, numbers: Sequence[int]) -> None:
    """Let these waiting entries bump their stories at their effective time, not at the time of placing."""
    change_with(connection, _BUMP_AT_OWN_TIME, entry.c.entry_no, numbers)
