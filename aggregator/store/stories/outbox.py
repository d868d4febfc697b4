"""The outbox: the state of each webhook and other recipient, and its deliveries.

Deliveries are made from the change stream. They are added together with the number of the last examined
change in one transaction, so a crash neither loses nor repeats one.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

import msgspec
from msgspec.structs import replace
from sqlalchemy import (
    Connection,
    Update,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from aggregator.config.webhooks import DIGEST, recipient_words
from aggregator.model.core import FrozenStruct
from aggregator.store import codecs
from aggregator.store.tables import (
    change,
    change_with,
    outbox,
    rows_with,
    story,
    webhook,
)

_EARLIER = outbox.alias("earlier")


class WebhookState(FrozenStruct, omit_defaults=False):
    """The state of a webhook: ok, failing, or gone (its receiver answered 410; nothing is sent any more)."""

    name: str
    is_configured: bool
    last_change_no: int
    state: str
    problem: str | None
    failures: int
    failing_since: dt.datetime | None
    resumes_at: dt.datetime | None
    last_success_at: dt.datetime | None


class WebhookStats(FrozenStruct):
    """A webhook with the numbers of its waiting, done and given up deliveries."""

    row: WebhookState
    waiting: int = 0
    done: int = 0
    given_up: int = 0


class NewDelivery(FrozenStruct):
    """A delivery to add."""

    webhook: str
    change: int
    id: str
    story: str
    body: bytes


class Delivery(NewDelivery, frozen=True, kw_only=True):
    """A waiting delivery, with its body as it is sent."""

    attempts: int
    first_attempt_at: dt.datetime | None
    others: tuple[int, ...] = ()  # changes of the deliveries that are sent with it


_RECOVERED = {
    "state": "ok",
    "problem": None,
    "failures": 0,
    "failing_since": None,
    "resumes_at": None,
}
_COLUMNS = [webhook.c[name] for name in WebhookState.__struct_fields__]


# --- webhooks ----------------------------------------------------------------------------------------------


def sync_webhooks(
    connection: Connection,
    url_hashes: Mapping[str, bytes],
    newest: int,
    now: dt.datetime,
) -> None:
    """Store the configured webhooks, by name, each with the hash of its URL.

    A new or returning webhook begins after change `newest`: nothing old is sent. The rows of a removed one
    stay, and nothing is sent. A new URL resets the failures and resumes what waits.
    """
    known = {
        row.name: row
        for row in connection.execute(
            select(webhook.c.name, webhook.c.url_hash, webhook.c.is_configured)
        )
    }
    for name, url_hash in url_hashes.items():
        row = known.get(name)
        if row is None:
            values = {
                "name": name,
                "url_hash": url_hash,
                "is_configured": True,
                "last_change_no": newest,
            }
            connection.execute(insert(webhook).values(**_RECOVERED, **values))
            continue
        if not row.is_configured:
            connection.execute(
                _of(name).values(is_configured=True, last_change_no=newest)
            )
        if row.url_hash != url_hash:
            connection.execute(_of(name).values(url_hash=url_hash))
            resume(connection, name, now)
    if removed := sorted(set(known) - set(url_hashes)):
        connection.execute(
            update(webhook)
            .where(webhook.c.name.in_(removed))
            .values(is_configured=False)
        )


def skip_backlog(connection: Connection) -> None:
    """Let every webhook begin after the newest change."""
    newest = select(func.coalesce(func.max(change.c.change_no), 0)).scalar_subquery()
    connection.execute(update(webhook).values(last_change_no=newest))


def skip(connection: Connection, after: int, to: int) -> None:
    """Let the webhooks that have examined change `after` begin after change `to`."""
    connection.execute(
        update(webhook)
        .where(webhook.c.last_change_no >= after)
        .values(last_change_no=to)
    )


def webhooks(connection: Connection) -> list[WebhookState]:
    """Return all webhooks with rows, ordered by name."""
    rows = connection.execute(select(*_COLUMNS).order_by(webhook.c.name))
    return [WebhookState(**row._mapping) for row in rows]


def webhook_stats(connection: Connection) -> list[WebhookStats]:
    """Return the configured webhooks, ordered by name, with their deliveries counted."""
    counted = connection.execute(
        select(outbox.c.webhook, outbox.c.state, func.count().label("number")).group_by(
            outbox.c.webhook, outbox.c.state
        )
    )
    counts = {(row.webhook, row.state): row.number for row in counted}
    states = ("waiting", "done", "given_up")
    return [
        WebhookStats(
            row=one, **{state: counts.get((one.name, state), 0) for state in states}
        )
        for one in webhooks(connection)
        if one.is_configured
    ]


def resume(connection: Connection, name: str, now: dt.datetime) -> bool:
    """Make all waiting deliveries of a webhook due now, even if its receiver answered 410.

    Return False if no such webhook is configured.
    """
    done = connection.execute(
        _of(name).where(webhook.c.is_configured).values(**_RECOVERED)
    )
    connection.execute(
        _waiting(name).values(next_attempt_at=now, first_attempt_at=None)
    )
    return done.rowcount > 0


def problems(connection: Connection) -> tuple[str, ...]:
    """Return one sentence per configured webhook that is gone or failed several times in a row."""
    found = []
    for row in webhooks(connection):
        if row.is_configured and row.state == "gone":
            found.append(f"{recipient_words(row.name)}: its receiver is gone (410)")
        elif row.is_configured and row.failures > 1 and row.failing_since is not None:
            since = f"{row.failing_since:%Y-%m-%d %H:%M} UTC"
            found.append(
                f"{recipient_words(row.name)}: failing since {since}: {row.problem}"
            )
    return tuple(found)


def _of(name: str) -> Update:
    return update(webhook).where(webhook.c.name == name)


# --- filling -----------------------------------------------------------------------------------------------


def already_sent(
    connection: Connection, name: str, stories: Collection[str]
) -> set[str]:
    """Return those of these stories of which the webhook has a delivery that was not pruned yet."""
    sent = select(outbox.c.story).where(outbox.c.webhook == name)
    return {row.story for row in rows_with(connection, sent, outbox.c.story, stories)}


def announced(connection: Connection, name: str, stories: Collection[str]) -> set[str]:
    """Return those of these stories of which the recipient has a delivery, or of a story merged into them."""
    today = func.coalesce(story.c.redirect_to, story.c.id)
    rows = select(today.label("today")).join(outbox, outbox.c.story == story.c.id)
    return {
        row.today
        for row in rows_with(
            connection, rows.where(outbox.c.webhook == name), today, stories
        )
    }


def add(
    connection: Connection,
    new_deliveries: Sequence[NewDelivery],
    last_change_no: Mapping[str, int],
    now: dt.datetime,
) -> None:
    """Add deliveries, and store the last examined change of each webhook.

    One to DIGEST is the list of digests, and is not sent.
    """
    rows = [
        {
            **msgspec.structs.asdict(one),
            "body": codecs.compress_bytes(one.body),
            "state": "done" if one.webhook == DIGEST else "waiting",
            "done_at": now if one.webhook == DIGEST else None,
            "at": now,
            "attempts": 0,
            "next_attempt_at": now,
        }
        for one in new_deliveries
    ]
    if rows:
        connection.execute(insert(outbox), rows)
    for name, number in last_change_no.items():
        connection.execute(_of(name).values(last_change_no=number))


def keep_within(connection: Connection, name: str, most: int, now: dt.datetime) -> int:
    """Give up the oldest deliveries of a webhook if more than `most` wait. Return their number."""
    oldest = (
        select(outbox.c.change)
        .where(outbox.c.webhook == name, outbox.c.state == "waiting")
        .order_by(outbox.c.change.desc())
        .limit(1)
        .offset(most)
    )
    last = connection.execute(oldest).scalar()
    if last is None:
        return 0
    given_up = _waiting(name).where(outbox.c.change <= last)
    return connection.execute(
        given_up.values(
            state="given_up", body=None, done_at=now, problem="too many wait"
        )
    ).rowcount


# --- sending -----------------------------------------------------------------------------------------------


def next_due(
    connection: Connection, name: str, now: dt.datetime
) -> Delivery | dt.datetime | None:
    """Return the next delivery of a webhook, or the time when one is due; None if nothing waits.

    The next one is the oldest that is due, but deliveries of one story stay in their order.
    """
    row = connection.execute(
        select(webhook.c.resumes_at, webhook.c.state).where(
            webhook.c.name == name, webhook.c.is_configured
        )
    ).first()
    if row is None or row.state == "gone":
        return None
    is_waiting = and_(outbox.c.webhook == name, outbox.c.state == "waiting")
    first_of_its_story = ~(
        select(_EARLIER.c.change)
        .where(
            _EARLIER.c.webhook == outbox.c.webhook,
            _EARLIER.c.story == outbox.c.story,
            _EARLIER.c.state == "waiting",
            _EARLIER.c.change < outbox.c.change,
        )
        .exists()
    )
    if row.resumes_at is None or row.resumes_at <= now:
        due = connection.execute(
            select(outbox)
            .where(is_waiting, outbox.c.next_attempt_at <= now, first_of_its_story)
            .order_by(outbox.c.change)
            .limit(1)
        ).first()
        if due is not None:
            values = {
                one: due._mapping[one]
                for one in Delivery.__struct_fields__
                if one in outbox.c
            }
            return Delivery(**values | {"body": codecs.decompress_bytes(due.body)})
    soonest: dt.datetime | None = connection.execute(
        select(func.min(outbox.c.next_attempt_at)).where(is_waiting, first_of_its_story)
    ).scalar()
    if soonest is None:
        return None
    resumes: dt.datetime = row.resumes_at or soonest
    return max(soonest, resumes)


def times_sent(
    connection: Connection, name: str, since: dt.datetime, now: dt.datetime
) -> list[dt.datetime]:
    """Return when a recipient was sent something after `since`, oldest first; a message has one time."""
    at = outbox.c.done_at
    sent = outbox.c.webhook == name, outbox.c.state == "done", at > since, at <= now
    return list(
        connection.execute(select(at).where(*sent).distinct().order_by(at)).scalars()
    )


def waiting_with(
    connection: Connection, one: Delivery, most: int
) -> tuple[Delivery, list[bytes]]:
    """Return a delivery with all others that wait for the same recipient, and the first `most` bodies."""
    is_waiting = outbox.c.webhook == one.webhook, outbox.c.state == "waiting"
    waits = *is_waiting, outbox.c.change != one.change
    numbers = connection.execute(
        select(outbox.c.change).where(*waits).order_by(outbox.c.change)
    ).scalars()
    rows = select(outbox.c.body).where(*waits).order_by(outbox.c.change).limit(most - 1)
    bodies = [
        codecs.decompress_bytes(body) for body in connection.execute(rows).scalars()
    ]
    return replace(one, others=tuple(numbers)), [one.body, *bodies]


def pull_in(connection: Connection, name: str, latest: dt.datetime) -> None:
    """Make waiting deliveries of a webhook due by `latest`: later times are from a wrong clock."""
    late = _waiting(name).where(outbox.c.next_attempt_at > latest)
    connection.execute(late.values(next_attempt_at=latest))
    connection.execute(
        _of(name).where(webhook.c.resumes_at > latest).values(resumes_at=latest)
    )


def failures_of(connection: Connection, name: str) -> int:
    """Return the number of failures in a row."""
    return (
        connection.execute(
            select(webhook.c.failures).where(webhook.c.name == name)
        ).scalar()
        or 0
    )


def mark_delivered(connection: Connection, one: Delivery, now: dt.datetime) -> None:
    """Store a successful delivery. After a failure all others become due now."""
    has_recovered = failures_of(connection, one.webhook) > 0
    done = {"state": "done", "body": None, "done_at": now, "problem": None}
    connection.execute(_at(one).values(**done, attempts=one.attempts + 1))
    change_with(
        connection, _waiting(one.webhook).values(**done), outbox.c.change, one.others
    )
    if has_recovered:
        connection.execute(_waiting(one.webhook).values(next_attempt_at=now))
    connection.execute(_of(one.webhook).values(**_RECOVERED, last_success_at=now))


def mark_failed(
    connection: Connection,
    one: Delivery,
    now: dt.datetime,
    problem: str,
    *,
    next_at: dt.datetime | None,
    resumes_at: dt.datetime,
) -> None:
    """Store a failed attempt. `next_at`: of the next attempt; None: the delivery is given up."""
    values = {
        "attempts": one.attempts + 1,
        "first_attempt_at": one.first_attempt_at or now,
        "problem": problem,
    }
    if next_at is None:
        values |= {"state": "given_up", "body": None, "done_at": now}
    else:
        values |= {"next_attempt_at": next_at}
    connection.execute(_at(one).values(**values))
    connection.execute(
        _of(one.webhook).values(
            state="failing",
            problem=problem,
            failures=webhook.c.failures + 1,
            failing_since=func.coalesce(webhook.c.failing_since, now),
            resumes_at=resumes_at,
        )
    )


def mark_gone(
    connection: Connection, one: Delivery, now: dt.datetime, problem: str
) -> None:
    """Store the response 410: all waiting deliveries of the webhook are given up."""
    connection.execute(_at(one).values(attempts=one.attempts + 1))
    given_up = _waiting(one.webhook)
    connection.execute(
        given_up.values(state="given_up", body=None, done_at=now, problem=problem)
    )
    since = func.coalesce(webhook.c.failing_since, now)
    connection.execute(
        _of(one.webhook).values(state="gone", problem=problem, failing_since=since)
    )


def prune(connection: Connection, before: dt.datetime) -> int:
    """Delete deliveries that ended before `before`, and old ones of removed webhooks. Return their number."""
    removed = select(webhook.c.name).where(~webhook.c.is_configured)
    done = connection.execute(
        delete(outbox).where(
            or_(
                outbox.c.done_at < before,
                and_(outbox.c.webhook.in_(removed), outbox.c.at < before),
            )
        )
    )
    connection.execute(
        delete(webhook).where(
            ~webhook.c.is_configured,
            ~select(outbox.c.webhook)
            .where(outbox.c.webhook == webhook.c.name)
            .exists(),
        )
    )
    return done.rowcount


def _waiting(name: str) -> Update:
    return update(outbox).where(outbox.c.webhook == name, outbox.c.state == "waiting")


def _at(one: Delivery) -> Update:
    return update(outbox).where(
        outbox.c.webhook == one.webhook, outbox.c.change == one.change
    )
