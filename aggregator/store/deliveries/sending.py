"""Deliveries that are due, and what became of an attempt."""

import datetime as dt

from msgspec.structs import replace
from sqlalchemy import Connection, Update, and_, func, select, update

from aggregator.store import codecs
from aggregator.store.deliveries.outbox import NewDelivery
from aggregator.store.deliveries.recipients import (
    RECOVERED,
    failures_of,
    waiting_for,
    webhook_named,
)
from aggregator.store.tables import change_with, outbox, webhook

_EARLIER = outbox.alias("earlier")


class Delivery(NewDelivery, frozen=True, kw_only=True):
    """A waiting delivery, with its body as it is sent."""

    attempts: int
    first_attempt_at: dt.datetime | None
    others: tuple[int, ...] = ()  # changes of the deliveries that are sent with it


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
                field: due._mapping[field]
                for field in Delivery.__struct_fields__
                if field in outbox.c
            }
            return Delivery(**values | {"body": codecs.decompress_bytes(due.body)})
    soonest: dt.datetime | None = connection.scalar(
        select(func.min(outbox.c.next_attempt_at)).where(is_waiting, first_of_its_story)
    )
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
    return list(connection.scalars(select(at).where(*sent).distinct().order_by(at)))


def waiting_with(
    connection: Connection, one: Delivery, most: int
) -> tuple[Delivery, list[bytes]]:
    """Return a delivery with all others that wait for the same recipient, and the first `most` bodies."""
    is_waiting = outbox.c.webhook == one.webhook, outbox.c.state == "waiting"
    waits = *is_waiting, outbox.c.change != one.change
    numbers = connection.scalars(
        select(outbox.c.change).where(*waits).order_by(outbox.c.change)
    )
    rows = select(outbox.c.body).where(*waits).order_by(outbox.c.change).limit(most - 1)
    bodies = [codecs.decompress_bytes(body) for body in connection.scalars(rows)]
    return replace(one, others=tuple(numbers)), [one.body, *bodies]


def mark_delivered(connection: Connection, one: Delivery, now: dt.datetime) -> None:
    """Store a successful delivery. After a failure all others become due now."""
    has_recovered = failures_of(connection, one.webhook) > 0
    done = {"state": "done", "body": None, "done_at": now, "problem": None}
    connection.execute(_at(one).values(**done, attempts=one.attempts + 1))
    change_with(
        connection, waiting_for(one.webhook).values(**done), outbox.c.change, one.others
    )
    if has_recovered:
        connection.execute(waiting_for(one.webhook).values(next_attempt_at=now))
    connection.execute(
        webhook_named(one.webhook).values(**RECOVERED, last_success_at=now)
    )


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
        webhook_named(one.webhook).values(
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
    given_up = waiting_for(one.webhook)
    connection.execute(
        given_up.values(state="given_up", body=None, done_at=now, problem=problem)
    )
    since = func.coalesce(webhook.c.failing_since, now)
    connection.execute(
        webhook_named(one.webhook).values(
            state="gone", problem=problem, failing_since=since
        )
    )


def _at(one: Delivery) -> Update:
    return update(outbox).where(
        outbox.c.webhook == one.webhook, outbox.c.change == one.change
    )
