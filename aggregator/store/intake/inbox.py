"""The inbox: what was accepted and is not placed yet. From here on nothing can be lost.

Accepting is one short transaction. It takes its running numbers from `counter` first, which makes writers
wait for each other on both databases, so numbers become visible in their order and two writers never both
think that a key is new. Placing follows `inbox_no`, which an entry gets when all that its article is made of
is stored: at once, or when its page (or the decision to do without) is.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import BigInteger, Connection, LargeBinary, bindparam, func, insert, select, update

from aggregator.cluster.rekeyed_entries import EntryHashes
from aggregator.model.core import Entry, FrozenStruct
from aggregator.model.errors import UnreadableEntryError
from aggregator.store import codecs
from aggregator.store.intake import identify, intake_counts, tombstones
from aggregator.store.intake.identify import (
    NOBODY,
    IdentifiedBatch,
    IdentifiedEntry,
    PollContext,
    claimed_url,
)
from aggregator.store.intake.reread_limits import RereadLimits
from aggregator.store.tables import article, counter, entry, identity_key, in_parts, insert_or, sighting


class AcceptResult(FrozenStruct, frozen=True, kw_only=True):
    """What became of one entry at the door."""

    outcome: Literal["new", "known", "revision", "forgotten"]
    article: str
    n: int | None = None  # the entry's number; None when it was known, or is forgotten


class InboxEntry(FrozenStruct, frozen=True, kw_only=True):
    """An entry that is ready to be placed, with all that its article is made of."""

    n: int
    inbox_no: int
    article: str
    revises: bool
    bumps_by_clock: bool
    accepted_at: dt.datetime
    entry: Entry
    page: bytes | None = None
    page_url: str | None = None
    page_charset: str | None = None


class PollAcceptResult(FrozenStruct, frozen=True, kw_only=True):
    """What became of a poll's entries. `notes` are for the log, in the user's words."""

    accepted: tuple[AcceptResult, ...] = ()
    notes: tuple[str, ...] = ()


class _Observations:
    """What an article looked like at one source, and whether that source gives it its words."""

    def __init__(self) -> None:
        self.hashes: dict[bytes, int] = {}  # each with how often it became the current one again
        self.gives = False
        self.current: set[bytes] = set()  # one; more in rows from before that was written down
        self.words: tuple[bytes | None, bytes | None] | None = None  # of the current look: title and text
        self.minute: dt.datetime | None = None
        self.unmarked: set[bytes] = set()  # not of a poll, or from before there were marks


_TAKE = (
    update(counter)
    .where(counter.c.name == bindparam("counter_name"))
    .values(value=counter.c.value + bindparam("count", type_=BigInteger))
    .returning(counter.c.value)
)


def take_numbers(connection: Connection, name: str, count: int) -> int:
    """Take `count` running numbers; returns the one before the first. Holds the row until the end."""
    last: int = connection.execute(_TAKE, {"counter_name": name, "count": count}).scalar_one()
    return last - count


def accept(
    connection: Connection,
    entries: Sequence[Entry],
    *,
    seen: Sequence[dt.datetime],
    wants_page: Sequence[bool] | None = None,
    bumps_by_clock: bool = False,
    always_new: bool = False,
) -> list[AcceptResult]:
    """Put `entries` into the inbox in their order; what is known already is only noted.

    `seen` is when each came, `wants_page` whether its page is to be fetched first. `always_new` (for
    `eval`) makes every entry an article of its own: its source and GUID must be unique.
    """
    taken = _accept(
        connection,
        entries,
        seen=seen,
        wants_page=wants_page,
        bumps_by_clock=bumps_by_clock,
        always_new=always_new,
        poll=None,
    )
    return list(taken.accepted)


def accept_polled(
    connection: Connection,
    entries: Sequence[Entry],
    *,
    seen: dt.datetime,
    wants_page: Sequence[bool],
    bumps_by_clock: bool,
    poll: PollContext,
) -> PollAcceptResult:
    """Put what one poll of one source brought into the inbox, oldest first.

    What `accept` does, and more is asked before an entry counts as new: cluster/rekeyed_entries.py. A source
    that goes
    back to former words is followed, a few times.
    """
    return _accept(
        connection,
        entries,
        seen=[seen] * len(entries),
        wants_page=wants_page,
        bumps_by_clock=bumps_by_clock,
        always_new=False,
        poll=poll,
    )


def _accept(
    connection: Connection,
    entries: Sequence[Entry],
    *,
    seen: Sequence[dt.datetime],
    wants_page: Sequence[bool] | None,
    bumps_by_clock: bool,
    always_new: bool,
    poll: PollContext | None,
) -> PollAcceptResult:
    if not entries:
        return PollAcceptResult()
    first_n = take_numbers(connection, "entry", len(entries)) + 1
    met = identify.identify_entries(connection, entries, poll)
    known = {} if always_new else dict(met.known)
    ids = set(known.values()) | {one.match.article for one in met.identified if one.match}
    seen_before = {} if always_new else _observations(connection, ids)
    notes = [*met.notes]
    if poll is not None and not poll.is_first:
        here = {article for article, source_id in seen_before if source_id == entries[0].source}
        notes += identify.count_strikes(connection, met, poll.tuning, seen[0], seen_here=here)
    observation_writer = _ObservationWriter(poll, met)
    rows: list[dict[str, Any]] = []
    accepted = []
    asked = set() if always_new else ids | {one.identity.article for one in met.identified}
    forgotten = tombstones.find_tombstones(connection, asked)
    live = RereadLimits(connection, ids, seen[0], poll.live if poll else None)
    for offset, one in enumerate(met.identified):
        result = _judge(one, known, seen_before, observation_writer)
        if result.article in forgotten:  # its new keys are kept, as hashes: it is known by them too
            is_known = forgotten[result.article] == "retention"
            result = AcceptResult(outcome="known" if is_known else "forgotten", article=result.article)
            observation_writer.note(one, result, known, seen_before, seen[offset])
            accepted.append(result)
            continue
        observations = seen_before.get((result.article, one.entry.source))
        by_page = bool(wants_page and wants_page[offset])
        if live.is_read_enough(result.article, result.outcome, by_page=by_page):
            accepted.append(AcceptResult(outcome="known", article=result.article))
            continue  # not noted: a change stays one until the article may be read again
        observation_writer.note(one, result, known, seen_before, seen[offset])
        if observations and observations.gives and by_page:
            outcome = live.outcome(result.article, one.entry, result.outcome)
            result = msgspec.structs.replace(result, outcome=outcome)
        if result.outcome != "known":
            result = msgspec.structs.replace(result, n=first_n + offset)
            rows.append(
                _row(result, one.entry, seen=seen[offset], page=by_page, bumps_by_clock=bumps_by_clock)
            )
        accepted.append(result)
    _write(connection, rows)
    observation_writer.write(connection)
    came = zip(entries, accepted, strict=True)
    intake_counts.count(connection, ((given.source, result.outcome) for given, result in came))
    again = [one.article for one in accepted if one.outcome == "forgotten"]
    tombstones.count_refused(connection, again, seen[-1])
    return PollAcceptResult(accepted=tuple(accepted), notes=tuple(notes))


class _ObservationWriter:
    """What is written down of entries at the door, beside the entries themselves."""

    def __init__(self, poll: PollContext | None, met: IdentifiedBatch) -> None:
        self._poll = poll
        self._met = met
        self.here = {one.identity.content_hash for one in met.identified}  # all looks of this batch
        self._keys: dict[bytes, str] = {}
        self._observations: dict[tuple[str, str, bytes], dict[str, Any]] = {}
        self._replaced: set[tuple[str, str]] = set()  # whose look in the rows is not the current one any more
        self._again: list[tuple[str, str, bytes]] = []  # former looks that are the current ones again
        self._marked: dict[tuple[str, str, bytes], EntryHashes] = {}  # looks whose rows had no marks yet
        self._addresses: dict[str, str] = {}

    def is_revert(self, observations: _Observations, content_hash: bytes) -> bool:
        """Whether a former look is the current one again.

        Only a poll says so, and not while the current look is in it too. A few times only: two servers of one
        outlet that disagree would go on for ever.
        """
        if (
            self._poll is None
            or content_hash in observations.current
            or not observations.current.isdisjoint(self.here)
        ):
            return False
        return observations.hashes[content_hash] < self._poll.tuning.reverts

    def note(
        self,
        one: IdentifiedEntry,
        result: AcceptResult,
        known: dict[bytes, str],
        seen_before: dict[tuple[str, str], _Observations],
        seen: dt.datetime,
    ) -> None:
        """Write down the keys and the look of an entry that was judged."""
        held = (result.article, one.entry.source)
        observations = seen_before.setdefault(held, _Observations())
        gave = observations.gives
        observations.gives = gave or result.outcome == "new" or _is_authoritative(one)
        fresh = [key for key in one.identity.keys if key not in known]
        for key in fresh:
            known[key] = self._keys[key] = result.article
        if result.outcome == "known" and (gave or self._met.moved) and self._has_moved(one, fresh):
            self._addresses[result.article] = one.entry.url or ""
        content_hash = one.identity.content_hash
        if content_hash not in observations.hashes:
            self._add_observation(one, held, observations, seen)
        elif result.outcome == "revision":
            observations.hashes[content_hash] += 1
            self._make_current(one, held, observations)
            self._again.append((*held, content_hash))
        if content_hash in observations.unmarked and (entry_hashes := one.entry_hashes()) is not None:
            observations.unmarked.discard(content_hash)
            self._marked[*held, content_hash] = entry_hashes

    def _has_moved(self, one: IdentifiedEntry, fresh: Collection[bytes]) -> bool:
        """Whether a known article is at another address of its own site now: links should lead there."""
        return self._poll is not None and one.entry.authority == "own" and one.raw[1] in fresh

    def _add_observation(
        self, one: IdentifiedEntry, held: tuple[str, str], observations: _Observations, seen: dt.datetime
    ) -> None:
        entry_hashes = one.entry_hashes()
        self._make_current(one, held, observations)
        observations.hashes[one.identity.content_hash] = 0
        self._observations[*held, one.identity.content_hash] = {
            "article": held[0],
            "source": held[1],
            "content_hash": one.identity.content_hash,
            "gives": observations.gives,
            "first_seen_at": seen,
            "is_current": True,
            **_columns(entry_hashes),
        }

    def _make_current(self, one: IdentifiedEntry, held: tuple[str, str], observations: _Observations) -> None:
        for former in observations.current:
            if (row := self._observations.get((*held, former))) is not None:
                row["is_current"] = False
            else:
                self._replaced.add(held)
        observations.current = {one.identity.content_hash}
        observations.words, observations.minute = _words(one.entry_hashes())

    def write(self, connection: Connection) -> None:
        """Write it all, in the transaction of the entries."""
        keys = insert_or(connection, identity_key)
        if self._met.void:
            void = [{"key": key, "article": NOBODY} for key in sorted(self._met.void)]
            taken_back = keys.on_conflict_do_update(index_elements=["key"], set_={"article": NOBODY})
            connection.execute(taken_back, void)
        if self._keys:
            # Placing may claim an address at this very moment in another process: the first one has it.
            new = [{"key": key, "article": article} for key, article in self._keys.items()]
            connection.execute(keys.on_conflict_do_nothing(index_elements=["key"]), new)
        if self._replaced and self._poll:
            held = [{"of_article": article, "of_source": at} for article, at in sorted(self._replaced)]
            connection.execute(_REPLACED, held)
        if self._observations:
            connection.execute(insert(sighting), list(self._observations.values()))
        for (of_article, at, look), entry_hashes in sorted(self._marked.items()):
            same = (sighting.c.article == of_article, sighting.c.source == at)
            row = update(sighting).where(*same, sighting.c.content_hash == look)
            connection.execute(row.values(**_columns(entry_hashes)))
        if self._again:
            back = [{"of_article": one, "of_source": at, "look": look} for one, at, look in self._again]
            connection.execute(_AGAIN, back)
        if self._addresses:
            moved = [{"of_article": one, "address": url} for one, url in sorted(self._addresses.items())]
            connection.execute(_ADDRESS, moved)


_HELD = (sighting.c.article == bindparam("of_article")) & (sighting.c.source == bindparam("of_source"))
_REPLACED = update(sighting).where(_HELD, sighting.c.is_current).values(is_current=False)
_AGAIN = (
    update(sighting)
    .where(_HELD, sighting.c.content_hash == bindparam("look", type_=LargeBinary))
    .values(is_current=True, reverts=sighting.c.reverts + 1)
)
_ADDRESS = update(article).where(article.c.id == bindparam("of_article")).values(url=bindparam("address"))


def _columns(entry_hashes: EntryHashes | None) -> dict[str, Any]:
    return {
        "title_hash": entry_hashes.title if entry_hashes else None,
        "title_key": entry_hashes.title_key if entry_hashes else None,
        "text_key": entry_hashes.text_key if entry_hashes else None,
        "declared": entry_hashes.minute if entry_hashes else None,
    }


def _words(
    entry_hashes: EntryHashes | None,
) -> tuple[tuple[bytes | None, bytes | None] | None, dt.datetime | None]:
    """What says that two looks have the same words (None: too few of them), and the declared minute."""
    if entry_hashes is None or entry_hashes.text_key is None:
        return None, None
    return (entry_hashes.title, entry_hashes.text_key), entry_hashes.minute


def _is_authoritative(one: IdentifiedEntry) -> bool:
    """Whether an entry may give a known article its words: by an address of its own, or a chosen outlet.

    An entry without an address may say whose it is, but that is only its word.
    """
    by_address = one.entry.authority == "own" and one.raw[1] in one.identity.keys
    return by_address or one.entry.authority == "page" or one.match is not None


def _judge(
    one: IdentifiedEntry,
    known: dict[bytes, str],
    seen_before: dict[tuple[str, str], _Observations],
    observation_writer: _ObservationWriter,
) -> AcceptResult:
    article = next((known[key] for key in one.identity.keys if key in known), None)
    if article is None and (elsewhere := claimed_url(one)) in known:
        return AcceptResult(outcome="known", article=known[elsewhere])  # a link to what its own site gave us
    is_matched = article is None and one.match is not None
    if article is None and one.match is not None:
        article = one.match.article
    if article is None:
        return AcceptResult(outcome="new", article=one.identity.article)
    observations = seen_before.get((article, one.entry.source))
    is_said = (
        observations is not None
        and observations.gives
        and _has_new_words(one, observations, observation_writer, is_matched=is_matched)
    )
    return AcceptResult(outcome="revision" if is_said else "known", article=article)


def _has_new_words(
    one: IdentifiedEntry,
    observations: _Observations,
    observation_writer: _ObservationWriter,
    *,
    is_matched: bool,
) -> bool:
    """Whether the source that gives an article its words gives it others now."""
    content_hash = one.identity.content_hash
    if content_hash in observations.current:
        return False
    words, minute = _words(one.entry_hashes())
    if words is not None and words == observations.words and (is_matched or minute == observations.minute):
        return False  # at most another address
    return content_hash not in observations.hashes or observation_writer.is_revert(observations, content_hash)


def _observations(connection: Connection, articles: set[str]) -> dict[tuple[str, str], _Observations]:
    """By article and source."""
    found: dict[tuple[str, str], _Observations] = {}
    for chunk in in_parts(sorted(articles)):
        for row in connection.execute(_OBSERVATIONS.where(sighting.c.article.in_(chunk))):
            observations = found.setdefault((row.article, row.source), _Observations())
            look = bytes(row.content_hash)
            observations.hashes[look] = row.reverts
            observations.gives = observations.gives or row.gives
            if row.title_hash is None:
                observations.unmarked.add(look)
            if row.is_current:
                observations.current.add(look)
                observations.minute = row.declared
                observations.words = row.text_key and (bytes(row.title_hash), bytes(row.text_key))
    return found


_OBSERVATIONS = select(
    sighting.c.article,
    sighting.c.source,
    sighting.c.content_hash,
    sighting.c.gives,
    sighting.c.is_current,
    sighting.c.reverts,
    sighting.c.title_hash,
    sighting.c.text_key,
    sighting.c.declared,
)


def _row(
    result: AcceptResult, item: Entry, *, seen: dt.datetime, page: bool, bumps_by_clock: bool
) -> dict[str, Any]:
    return {
        "n": result.n,
        "state": "page" if page else "ready",
        "source": item.source,
        "article": result.article,
        "revises": result.outcome == "revision",
        "url": item.url,
        "payload": codecs.compress_struct(item),
        "page_due_at": seen if page else None,
        "bumps_by_clock": bumps_by_clock,
        "accepted_at": seen,
    }


def _write(connection: Connection, rows: list[dict[str, Any]]) -> None:
    ready = [row for row in rows if row["state"] == "ready"]
    if ready:
        first = take_numbers(connection, "inbox", len(ready)) + 1
        for offset, row in enumerate(ready):
            row["inbox_no"] = first + offset
    for row in rows:
        row.setdefault("inbox_no", None)
    if rows:
        connection.execute(insert(entry), rows)


def ready(connection: Connection, limit: int, after: int = 0) -> list[InboxEntry]:
    """The next entries to be placed, in the order of their inbox numbers.

    Raises UnreadableEntryError for one whose words are damaged.
    """
    statement = (
        select(entry)
        .where(entry.c.state == "ready", entry.c.inbox_no > after)
        .order_by(entry.c.inbox_no)
        .limit(limit)
    )
    return [_waiting(row) for row in connection.execute(statement)]


def ready_of(connection: Connection, numbers: Iterable[int]) -> list[InboxEntry]:
    """Those of the entries `numbers` that still wait to be placed, in the order of their inbox numbers."""
    found: list[InboxEntry] = []
    for chunk in in_parts(sorted(numbers)):
        statement = select(entry).where(entry.c.state == "ready", entry.c.n.in_(chunk))
        found += [_waiting(row) for row in connection.execute(statement)]
    return sorted(found, key=lambda one: one.inbox_no)


def _waiting(row: Any) -> InboxEntry:
    try:
        declared = codecs.decompress_struct(row.payload, Entry)
        page = codecs.decompress_bytes(row.page) if row.page is not None else None
    except codecs.UNREADABLE as error:
        raise UnreadableEntryError(f"what was stored of it cannot be read ({error})", row.n) from error
    return InboxEntry(
        n=row.n,
        inbox_no=row.inbox_no,
        article=row.article,
        revises=row.revises,
        bumps_by_clock=row.bumps_by_clock,
        accepted_at=row.accepted_at,
        entry=_with_headers(declared, row.page_robots),
        page=page,
        page_url=row.page_url,
        page_charset=row.page_charset,
    )


def last_ready(connection: Connection, articles: Iterable[str]) -> int:
    """The last inbox number at which something of `articles` waits to be placed; 0 where nothing does."""
    last = 0
    for chunk in in_parts(sorted(set(articles))):
        statement = select(func.max(entry.c.inbox_no)).where(
            entry.c.state == "ready", entry.c.article.in_(chunk)
        )
        last = max(last, connection.execute(statement).scalar_one() or 0)
    return last


def _with_headers(entry: Entry, robots: str | None) -> Entry:
    return msgspec.structs.replace(entry, robots=robots) if robots else entry


Outcome = Literal["founded", "joined", "copy", "revised", "unchanged", "refused"]


def claim(connection: Connection, key: bytes, article_id: str) -> str:
    """Let `key` mean `article_id` where nobody has it; returns the article that it means now.

    Another process may accept the same address at this moment: the first one has it. A key that says nothing
    stays nobody's, and is no reason to take the article for another one.
    """
    statement = insert_or(connection, identity_key).values(key=key, article=article_id)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["key"]))
    owner: str = connection.execute(
        select(identity_key.c.article).where(identity_key.c.key == key)
    ).scalar_one()
    return article_id if owner == NOBODY else owner


class EntryResult(FrozenStruct, frozen=True, kw_only=True):
    """What became of an accepted entry. `outcome` is None while it waits."""

    n: int
    outcome: Outcome | None
    verdict: str | None
    reason: str | None
    url: str | None
    story: str | None


_ADDRESS_OF = func.coalesce(entry.c.url, article.c.url).label("url")  # kept once: `retention.settle_entries`


def results(connection: Connection, numbers: Iterable[int]) -> list[EntryResult]:
    """What became of the entries `numbers`, in their order."""
    found: list[EntryResult] = []
    for chunk in in_parts(sorted(numbers)):
        statement = (
            select(entry.c.n, entry.c.outcome, entry.c.verdict, entry.c.reason, _ADDRESS_OF, article.c.story)
            .outerjoin(article, article.c.id == entry.c.article)
            .where(entry.c.n.in_(chunk))
            .order_by(entry.c.n)
        )
        found += [EntryResult(**row._mapping) for row in connection.execute(statement)]
    return found


def waiting_count(connection: Connection) -> int:
    """Entries accepted and not yet placed or refused."""
    return connection.execute(
        select(func.count()).select_from(entry).where(entry.c.state.in_(("page", "ready")))
    ).scalar_one()


def bump_at_own_time(connection: Connection, numbers: Sequence[int]) -> None:
    """Let these waiting entries bump their stories by their own time, not by ours."""
    for chunk in in_parts(numbers):
        connection.execute(update(entry).where(entry.c.n.in_(chunk)).values(bumps_by_clock=False))
