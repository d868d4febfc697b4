"""The inbox: what was accepted and is not placed yet. From here on nothing can be lost.

Accepting is one short transaction. It takes its running numbers from `counter` first, which makes writers
wait for each other on both databases, so numbers become visible in their order and two writers never both
think that a key is new. Placing follows `inbox_no`, which an entry gets when all that its article is made of
is stored: at once, or when its page (or the decision to do without) is.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import BigInteger, Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from aggregator.dedup.identity import Identity, identify, url_key
from aggregator.model import Entry, Noun
from aggregator.store import blobs
from aggregator.store.tables import article, counter, entry, identity_key, refusal, sighting, source
from aggregator.text.characters import clean
from aggregator.text.urls import canonical_url

_KEYS_A_QUERY = 500  # SQLite takes 32,766 parameters, older builds 999


class Accepted(Noun, frozen=True, kw_only=True):
    """What became of one entry at the door."""

    outcome: Literal["new", "known", "revision"]
    article: str
    n: int | None = None  # the entry's number; None when it was known


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


class PageWanted(Noun, frozen=True, kw_only=True):
    """An entry that waits for its page."""

    n: int
    url: str
    tries: int
    feed: str | None = None  # the address of the feed that linked to it


class _Looks:
    """What an article looked like at one source, and whether that source gives it its words."""

    def __init__(self) -> None:
        self.hashes: set[bytes] = set()
        self.gives = False


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
    if not entries:
        return []
    first_n = take_numbers(connection, "entry", len(entries)) + 1
    identities = [_identity(item) for item in entries]
    known = {} if always_new else _known_articles(connection, entries, identities)
    seen_before = {} if always_new else _sightings(connection, set(known.values()))
    rows: list[dict[str, Any]] = []
    keys: dict[bytes, str] = {}
    sightings: list[dict[str, Any]] = []
    accepted = []
    for offset, (item, identity) in enumerate(zip(entries, identities, strict=True)):
        result = _judge(item, identity, known, seen_before)
        looks = seen_before.setdefault((result.article, item.source), _Looks())
        looks.gives = looks.gives or result.outcome == "new" or item.authority in ("own", "page")
        if identity.content_hash not in looks.hashes:
            looks.hashes.add(identity.content_hash)
            sightings.append(
                {
                    "article": result.article,
                    "source": item.source,
                    "content_hash": identity.content_hash,
                    "gives": looks.gives,
                    "first_seen_at": seen[offset],
                }
            )
        for key in identity.keys:
            if key not in known:
                known[key] = keys[key] = result.article
        if result.outcome != "known":
            result = msgspec.structs.replace(result, n=first_n + offset)
            wanted = bool(wants_page and wants_page[offset])
            rows.append(_row(result, item, seen=seen[offset], page=wanted, bumps_by_clock=bumps_by_clock))
        accepted.append(result)
    _write(connection, rows, keys, sightings)
    return accepted


def _identity(item: Entry) -> Identity:
    return identify(item, canonical_url(item.url) if item.url else None)


def _judge(
    item: Entry,
    identity: Identity,
    known: dict[bytes, str],
    seen_before: dict[tuple[str, str], _Looks],
) -> Accepted:
    article = next((known[key] for key in identity.keys if key in known), None)
    if article is None and (elsewhere := _claimed_url(item)) in known:
        return Accepted(outcome="known", article=known[elsewhere])  # a link to what its own site gave us
    if article is None:
        return Accepted(outcome="new", article=identity.article)
    looks = seen_before.get((article, item.source))
    if looks is None or not looks.gives or identity.content_hash in looks.hashes:
        return Accepted(outcome="known", article=article)  # seen there too, or the same again
    return Accepted(outcome="revision", article=article)


def _claimed_url(item: Entry) -> bytes:
    """The key of the URL that a foreign source links to; empty (a key of nobody) otherwise."""
    canonical = canonical_url(item.url) if item.url and item.authority == "foreign" else None
    return b"" if canonical is None else url_key(canonical)


def _known_articles(
    connection: Connection, entries: Sequence[Entry], identities: Sequence[Identity]
) -> dict[bytes, str]:
    keys = {key for identity in identities for key in identity.keys} | {
        _claimed_url(item) for item in entries
    }
    known: dict[bytes, str] = {}
    for chunk in _chunks(sorted(keys)):
        statement = select(identity_key.c.key, identity_key.c.article).where(identity_key.c.key.in_(chunk))
        known.update((bytes(row.key), row.article) for row in connection.execute(statement))
    return known


def _sightings(connection: Connection, articles: set[str]) -> dict[tuple[str, str], _Looks]:
    """By article and source."""
    found: dict[tuple[str, str], _Looks] = {}
    for chunk in _chunks(sorted(articles)):
        statement = select(sighting.c.article, sighting.c.source, sighting.c.content_hash, sighting.c.gives)
        for row in connection.execute(statement.where(sighting.c.article.in_(chunk))):
            looks = found.setdefault((row.article, row.source), _Looks())
            looks.hashes.add(bytes(row.content_hash))
            looks.gives = looks.gives or row.gives
    return found


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
        "payload": blobs.squeeze_noun(item),
        "page_due_at": seen if page else None,
        "bumps_by_clock": bumps_by_clock,
        "accepted_at": seen,
    }


def _write(
    connection: Connection,
    rows: list[dict[str, Any]],
    keys: dict[bytes, str],
    sightings: list[dict[str, Any]],
) -> None:
    ready = [row for row in rows if row["state"] == "ready"]
    if ready:
        first = take_numbers(connection, "inbox", len(ready)) + 1
        for offset, row in enumerate(ready):
            row["inbox_no"] = first + offset
    for row in rows:
        row.setdefault("inbox_no", None)
    if rows:
        connection.execute(insert(entry), rows)
    if keys:
        # Placing may claim an address at this very moment in another process: the first one has it.
        statement = _dialect(connection).insert(identity_key).on_conflict_do_nothing(index_elements=["key"])
        connection.execute(statement, [{"key": k, "article": a} for k, a in keys.items()])
    if sightings:
        connection.execute(insert(sighting), sightings)


def _dialect(connection: Connection) -> Any:
    """The module with this database's INSERT ... ON CONFLICT."""
    return sqlite if connection.dialect.name == "sqlite" else postgresql


def ready(connection: Connection, limit: int, after: int = 0) -> list[Waiting]:
    """The next entries to be placed, in the order of their inbox numbers."""
    statement = (
        select(entry)
        .where(entry.c.state == "ready", entry.c.inbox_no > after)
        .order_by(entry.c.inbox_no)
        .limit(limit)
    )
    return [
        Waiting(
            n=row.n,
            inbox_no=row.inbox_no,
            article=row.article,
            revises=row.revises,
            bumps_by_clock=row.bumps_by_clock,
            accepted_at=row.accepted_at,
            entry=blobs.expand_noun(row.payload, Entry),
            page=blobs.expand(row.page) if row.page is not None else None,
            page_url=row.page_url,
            page_charset=row.page_charset,
        )
        for row in connection.execute(statement)
    ]


Outcome = Literal["founded", "joined", "copy", "revised", "unchanged", "refused"]


def claim(connection: Connection, key: bytes, article_id: str) -> str:
    """Let `key` mean `article_id` where nobody has it; returns the article that it means now.

    Another process may accept the same address at this moment: the first one has it.
    """
    statement = _dialect(connection).insert(identity_key).values(key=key, article=article_id)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["key"]))
    owner: str = connection.execute(
        select(identity_key.c.article).where(identity_key.c.key == key)
    ).scalar_one()
    return owner


class Result(Noun, frozen=True, kw_only=True):
    """What became of an accepted entry. `outcome` is None while it waits."""

    n: int
    outcome: Outcome | None
    verdict: str | None
    reason: str | None
    url: str | None
    story: str | None


def results(connection: Connection, numbers: Iterable[int]) -> list[Result]:
    """What became of the entries `numbers`, in their order."""
    found: list[Result] = []
    for chunk in _chunks(sorted(numbers)):
        statement = (
            select(entry.c.n, entry.c.outcome, entry.c.verdict, entry.c.reason, entry.c.url, article.c.story)
            .outerjoin(article, article.c.id == entry.c.article)
            .where(entry.c.n.in_(chunk))
            .order_by(entry.c.n)
        )
        found += [Result(**row._mapping) for row in connection.execute(statement)]
    return found


def note_refusal(
    connection: Connection, *, source: str, item: str, verdict: str, reason: str, at: dt.datetime
) -> None:
    """Remember what could not become an entry; the same again replaces what was noted before."""
    values = {"source": source, "item": clean(item), "verdict": verdict, "reason": reason, "at": at}
    statement = _dialect(connection).insert(refusal).values(values)
    connection.execute(statement.on_conflict_do_update(index_elements=["source", "item"], set_=values))


def forget_refusals(connection: Connection, *, source: str, items: Sequence[str]) -> None:
    """What was refused came in after all."""
    for chunk in _chunks([clean(item) for item in items]):  # file names need not be text
        connection.execute(delete(refusal).where(refusal.c.source == source, refusal.c.item.in_(chunk)))


class Refusal(Noun, frozen=True, kw_only=True):
    """Something that could not become an entry."""

    source: str
    item: str
    verdict: str
    reason: str
    at: dt.datetime


def refusals(connection: Connection, limit: int) -> list[Refusal]:
    """What was refused last, the newest first."""
    statement = select(refusal).order_by(refusal.c.at.desc(), refusal.c.item).limit(limit)
    return [Refusal(**row._mapping) for row in connection.execute(statement)]


def waiting_count(connection: Connection) -> int:
    """Entries accepted and not yet placed or refused."""
    return connection.execute(
        select(func.count()).select_from(entry).where(entry.c.state.in_(("page", "ready")))
    ).scalar_one()


# --- pages -------------------------------------------------------------------------------------------------


def pages_wanted(connection: Connection, now: dt.datetime, limit: int) -> list[PageWanted]:
    """Entries whose page is due to be fetched, the longest waiting first."""
    statement = (
        select(entry.c.n, entry.c.url, entry.c.page_tries, source.c.address)
        .outerjoin(source, source.c.id == entry.c.source)
        .where(entry.c.state == "page", entry.c.page_due_at <= now)
        .order_by(entry.c.page_due_at, entry.c.n)
        .limit(limit)
    )
    return [
        PageWanted(n=row.n, url=row.url, tries=row.page_tries, feed=row.address)
        for row in connection.execute(statement)
    ]


def pages_left(connection: Connection, articles: Iterable[str]) -> list[PageWanted]:
    """Entries of `articles` whose page was not fetched yet, in the order they were accepted."""
    found: list[PageWanted] = []
    for chunk in _chunks(sorted(set(articles))):
        statement = select(entry.c.n, entry.c.url, entry.c.page_tries).where(
            entry.c.state == "page", entry.c.article.in_(chunk)
        )
        found += [
            PageWanted(n=row.n, url=row.url, tries=row.page_tries) for row in connection.execute(statement)
        ]
    return sorted(found, key=lambda wanted: wanted.n)


def page_arrived(
    connection: Connection, n: int, *, page: bytes | None, url: str | None, charset: str | None
) -> None:
    """Store the page of entry `n` (None: decided to do without) and let it take its place in the order."""
    connection.execute(
        update(entry)
        .where(entry.c.n == n, entry.c.state == "page")
        .values(
            state="ready",
            inbox_no=take_numbers(connection, "inbox", 1) + 1,
            page=None if page is None else blobs.squeeze(page),
            page_url=url,
            page_charset=charset,
            page_due_at=None,
        )
    )


def hush(connection: Connection, numbers: Sequence[int]) -> None:
    """Let these waiting entries bump their stories by their own time, not by ours."""
    for chunk in _chunks(numbers):
        connection.execute(update(entry).where(entry.c.n.in_(chunk)).values(bumps_by_clock=False))


def page_later(connection: Connection, n: int, due: dt.datetime) -> None:
    """The page of entry `n` could not be had; ask again at `due`."""
    connection.execute(
        update(entry)
        .where(entry.c.n == n, entry.c.state == "page")
        .values(page_due_at=due, page_tries=entry.c.page_tries + 1)
    )


def pull_pages_in(connection: Connection, latest: dt.datetime) -> None:
    """After the clock went back: no page is due later than `latest`."""
    connection.execute(
        update(entry).where(entry.c.state == "page", entry.c.page_due_at > latest).values(page_due_at=latest)
    )


def _chunks(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    for start in range(0, len(values), _KEYS_A_QUERY):
        yield values[start : start + _KEYS_A_QUERY]
