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

from aggregator.cluster.rekeyed_entries import Marks
from aggregator.model.core import Entry, Noun
from aggregator.model.errors import UnreadableEntryError
from aggregator.store import codecs
from aggregator.store.intake import identify, intake_counts, tombstones
from aggregator.store.intake.identify import NOBODY, Caller, Met, Poll, claimed_url
from aggregator.store.intake.reread_limits import LiveBlogs
from aggregator.store.tables import article, counter, entry, identity_key, in_parts, insert_or, sighting


class Accepted(Noun, frozen=True, kw_only=True):
    """What became of one entry at the door."""

    outcome: Literal["new", "known", "revision", "forgotten"]
    article: str
    n: int | None = None  # the entry's number; None when it was known, or is forgotten


class Waiting(Noun, frozen=True, kw_only=True):
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


class Taken(Noun, frozen=True, kw_only=True):
    """What became of a poll's entries. `notes` are for the log, in the user's words."""

    accepted: tuple[Accepted, ...] = ()
    notes: tuple[str, ...] = ()


class _Looks:
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
) -> list[Accepted]:
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
    poll: Poll,
) -> Taken:
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
    poll: Poll | None,
) -> Taken:
    if not entries:
        return Taken()
    first_n = take_numbers(connection, "entry", len(entries)) + 1
    met = identify.meet(connection, entries, poll)
    known = {} if always_new else dict(met.known)
    ids = set(known.values()) | {one.match.article for one in met.callers if one.match}
    seen_before = {} if always_new else _sightings(connection, ids)
    notes = [*met.notes]
    if poll is not None and not poll.is_first:
        here = {article for article, source_id in seen_before if source_id == entries[0].source}
        notes += identify.count_strikes(connection, met, poll.rules, seen[0], seen_here=here)
    book = _Book(poll, met)
    rows: list[dict[str, Any]] = []
    accepted = []
    asked = set() if always_new else ids | {one.identity.article for one in met.callers}
    forgotten = tombstones.among(connection, asked)
    live = LiveBlogs(connection, ids, seen[0], poll.live if poll else None)
    for offset, one in enumerate(met.callers):
        result = _judge(one, known, seen_before, book)
        if result.article in forgotten:  # its new keys are kept, as hashes: it is known by them too
            is_known = forgotten[result.article] == "retention"
            result = Accepted(outcome="known" if is_known else "forgotten", article=result.article)
            book.note(one, result, known, seen_before, seen[offset])
            accepted.append(result)
            continue
        looks = seen_before.get((result.article, one.entry.source))
        by_page = bool(wants_page and wants_page[offset])
        if live.is_read_enough(result.article, result.outcome, by_page=by_page):
            accepted.append(Accepted(outcome="known", article=result.article))
            continue  # not noted: a change stays one until the article may be read again
        book.note(one, result, known, seen_before, seen[offset])
        if looks and looks.gives and by_page:
            outcome = live.outcome(result.article, one.entry, result.outcome)
            result = msgspec.structs.replace(result, outcome=outcome)
        if result.outcome != "known":
            result = msgspec.structs.replace(result, n=first_n + offset)
            rows.append(
                _row(result, one.entry, seen=seen[offset], page=by_page, bumps_by_clock=bumps_by_clock)
            )
        accepted.append(result)
    _write(connection, rows)
    book.write(connection)
    came = zip(entries, accepted, strict=True)
    intake_counts.count(connection, ((given.source, result.outcome) for given, result in came))
    again = [one.article for one in accepted if one.outcome == "forgotten"]
    tombstones.count_refused(connection, again, seen[-1])
    return Taken(accepted=tuple(accepted), notes=tuple(notes))


class _Book:
    """What is written down of entries at the door, beside the entries themselves."""

    def __init__(self, poll: Poll | None, met: Met) -> None:
        self._poll = poll
        self._met = met
        self.here = {one.identity.content_hash for one in met.callers}  # all looks of this batch
        self._keys: dict[bytes, str] = {}
        self._sightings: dict[tuple[str, str, bytes], dict[str, Any]] = {}
        self._replaced: set[tuple[str, str]] = set()  # whose look in the rows is not the current one any more
        self._again: list[tuple[str, str, bytes]] = []  # former looks that are the current ones again
        self._marked: dict[tuple[str, str, bytes], Marks] = {}  # looks whose rows had no marks yet
        self._addresses: dict[str, str] = {}

    def goes_back(self, looks: _Looks, content_hash: bytes) -> bool:
        """Whether a former look is the current one again.

        Only a poll says so, and not while the current look is in it too. A few times only: two servers of one
        outlet that disagree would go on for ever.
        """
        if self._poll is None or content_hash in looks.current or not looks.current.isdisjoint(self.here):
            return False
        return looks.hashes[content_hash] < self._poll.rules.reverts

    def note(
        self,
        one: Caller,
        result: Accepted,
        known: dict[bytes, str],
        seen_before: dict[tuple[str, str], _Looks],
        seen: dt.datetime,
    ) -> None:
        """Write down the keys and the look of an entry that was judged."""
        held = (result.article, one.entry.source)
        looks = seen_before.setdefault(held, _Looks())
        gave = looks.gives
        looks.gives = gave or result.outcome == "new" or _speaks_for_it(one)
        fresh = [key for key in one.identity.keys if key not in known]
        for key in fresh:
            known[key] = self._keys[key] = result.article
        if result.outcome == "known" and (gave or self._met.moved) and self._has_moved(one, fresh):
            self._addresses[result.article] = one.entry.url or ""
        content_hash = one.identity.content_hash
        if content_hash not in looks.hashes:
            self._add_look(one, held, looks, seen)
        elif result.outcome == "revision":
            looks.hashes[content_hash] += 1
            self._make_current(one, held, looks)
            self._again.append((*held, content_hash))
        if content_hash in looks.unmarked and (marks := one.marks()) is not None:
            looks.unmarked.discard(content_hash)
            self._marked[*held, content_hash] = marks

    def _has_moved(self, one: Caller, fresh: Collection[bytes]) -> bool:
        """Whether a known article is at another address of its own site now: links should lead there."""
        return self._poll is not None and one.entry.authority == "own" and one.raw[1] in fresh

    def _add_look(self, one: Caller, held: tuple[str, str], looks: _Looks, seen: dt.datetime) -> None:
        marks = one.marks()
        self._make_current(one, held, looks)
        looks.hashes[one.identity.content_hash] = 0
        self._sightings[*held, one.identity.content_hash] = {
            "article": held[0],
            "source": held[1],
            "content_hash": one.identity.content_hash,
            "gives": looks.gives,
            "first_seen_at": seen,
            "is_current": True,
            **_columns(marks),
        }

    def _make_current(self, one: Caller, held: tuple[str, str], looks: _Looks) -> None:
        for former in looks.current:
            if (row := self._sightings.get((*held, former))) is not None:
                row["is_current"] = False
            else:
                self._replaced.add(held)
        looks.current = {one.identity.content_hash}
        looks.words, looks.minute = _words(one.marks())

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
        if self._sightings:
            connection.execute(insert(sighting), list(self._sightings.values()))
        for (of_article, at, look), marks in sorted(self._marked.items()):
            same = (sighting.c.article == of_article, sighting.c.source == at)
            row = update(sighting).where(*same, sighting.c.content_hash == look)
            connection.execute(row.values(**_columns(marks)))
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


def _columns(marks: Marks | None) -> dict[str, Any]:
    return {
        "title_hash": marks.title if marks else None,
        "title_key": marks.title_key if marks else None,
        "text_key": marks.text_key if marks else None,
        "declared": marks.minute if marks else None,
    }


def _words(
    marks: Marks | None,
) -> tuple[tuple[bytes | None, bytes | None] | None, dt.datetime | None]:
    """What says that two looks have the same words (None: too few of them), and the declared minute."""
    if marks is None or marks.text_key is None:
        return None, None
    return (marks.title, marks.text_key), marks.minute


def _speaks_for_it(one: Caller) -> bool:
    """Whether an entry may give a known article its words: by an address of its own, or a chosen outlet.

    An entry without an address may say whose it is, but that is only its word.
    """
    by_address = one.entry.authority == "own" and one.raw[1] in one.identity.keys
    return by_address or one.entry.authority == "page" or one.match is not None


def _judge(
    one: Caller, known: dict[bytes, str], seen_before: dict[tuple[str, str], _Looks], book: _Book
) -> Accepted:
    article = next((known[key] for key in one.identity.keys if key in known), None)
    if article is None and (elsewhere := claimed_url(one)) in known:
        return Accepted(outcome="known", article=known[elsewhere])  # a link to what its own site gave us
    is_matched = article is None and one.match is not None
    if article is None and one.match is not None:
        article = one.match.article
    if article is None:
        return Accepted(outcome="new", article=one.identity.article)
    looks = seen_before.get((article, one.entry.source))
    is_said = looks is not None and looks.gives and _says_more(one, looks, book, is_matched=is_matched)
    return Accepted(outcome="revision" if is_said else "known", article=article)


def _says_more(one: Caller, looks: _Looks, book: _Book, *, is_matched: bool) -> bool:
    """Whether the source that gives an article its words gives it others now."""
    content_hash = one.identity.content_hash
    if content_hash in looks.current:
        return False
    words, minute = _words(one.marks())
    if words is not None and words == looks.words and (is_matched or minute == looks.minute):
        return False  # at most another address
    return content_hash not in looks.hashes or book.goes_back(looks, content_hash)


def _sightings(connection: Connection, articles: set[str]) -> dict[tuple[str, str], _Looks]:
    """By article and source."""
    found: dict[tuple[str, str], _Looks] = {}
    for chunk in in_parts(sorted(articles)):
        for row in connection.execute(_LOOKS.where(sighting.c.article.in_(chunk))):
            looks = found.setdefault((row.article, row.source), _Looks())
            look = bytes(row.content_hash)
            looks.hashes[look] = row.reverts
            looks.gives = looks.gives or row.gives
            if row.title_hash is None:
                looks.unmarked.add(look)
            if row.is_current:
                looks.current.add(look)
                looks.minute = row.declared
                looks.words = row.text_key and (bytes(row.title_hash), bytes(row.text_key))
    return found


_LOOKS = select(
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
    result: Accepted, item: Entry, *, seen: dt.datetime, page: bool, bumps_by_clock: bool
) -> dict[str, Any]:
    return {
        "n": result.n,
        "state": "page" if page else "ready",
        "source": item.source,
        "article": result.article,
        "revises": result.outcome == "revision",
        "url": item.url,
        "payload": codecs.squeeze_noun(item),
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


def ready(connection: Connection, limit: int, after: int = 0) -> list[Waiting]:
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


def ready_of(connection: Connection, numbers: Iterable[int]) -> list[Waiting]:
    """Those of the entries `numbers` that still wait to be placed, in the order of their inbox numbers."""
    found: list[Waiting] = []
    for chunk in in_parts(sorted(numbers)):
        statement = select(entry).where(entry.c.state == "ready", entry.c.n.in_(chunk))
        found += [_waiting(row) for row in connection.execute(statement)]
    return sorted(found, key=lambda one: one.inbox_no)


def _waiting(row: Any) -> Waiting:
    try:
        declared = codecs.expand_noun(row.payload, Entry)
        page = codecs.expand(row.page) if row.page is not None else None
    except codecs.UNREADABLE as error:
        raise UnreadableEntryError(f"what was stored of it cannot be read ({error})", row.n) from error
    return Waiting(
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


class Result(Noun, frozen=True, kw_only=True):
    """What became of an accepted entry. `outcome` is None while it waits."""

    n: int
    outcome: Outcome | None
    verdict: str | None
    reason: str | None
    url: str | None
    story: str | None


_ADDRESS_OF = func.coalesce(entry.c.url, article.c.url).label("url")  # kept once: `retention.settle_entries`


def results(connection: Connection, numbers: Iterable[int]) -> list[Result]:
    """What became of the entries `numbers`, in their order."""
    found: list[Result] = []
    for chunk in in_parts(sorted(numbers)):
        statement = (
            select(entry.c.n, entry.c.outcome, entry.c.verdict, entry.c.reason, _ADDRESS_OF, article.c.story)
            .outerjoin(article, article.c.id == entry.c.article)
            .where(entry.c.n.in_(chunk))
            .order_by(entry.c.n)
        )
        found += [Result(**row._mapping) for row in connection.execute(statement)]
    return found


def waiting_count(connection: Connection) -> int:
    """Entries accepted and not yet placed or refused."""
    return connection.execute(
        select(func.count()).select_from(entry).where(entry.c.state.in_(("page", "ready")))
    ).scalar_one()


def hush(connection: Connection, numbers: Sequence[int]) -> None:
    """Let these waiting entries bump their stories by their own time, not by ours."""
    for chunk in in_parts(numbers):
        connection.execute(update(entry).where(entry.c.n.in_(chunk)).values(bumps_by_clock=False))
