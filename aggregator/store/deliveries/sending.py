"""Deliveries that are due, and what became of an attempt."""

import datetime as dt
from typing import Any

from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    exists,
    func,
    select,
    update,
)

from aggregator.store import codecs
from aggregator.store.deliveries.outbox import NewDelivery
from aggregator.store.deliveries.recipients import (
    RECOVERED,
    change_webhook,
    failures_of,
    waits_for,
)
from aggregator.store.tables import change_with, outbox, update_rows, webhook

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
        select(webhook).where(webhook.c.name == name, webhook.c.is_configured)
    ).first()
    if row is None or row.state == "gone":
        return None
    if row.resumes_at is None or row.resumes_at <= now:
        due = connection.execute(
            select(*_SENT)
            .where(_may_be_next(name), outbox.c.next_attempt_at <= now)
            .order_by(outbox.c.change)
            .limit(1)
        ).first()
        if due is not None:
            delivery = Delivery(**due._mapping)
            return replace(delivery, body=codecs.decompress_bytes(delivery.body))
    soonest: dt.datetime | None = connection.scalar(
        select(func.min(outbox.c.next_attempt_at)).where(_may_be_next(name))
    )
    if soonest is None:
        return None
    resumes: dt.datetime = row.resumes_at or soonest
    return max(soonest, resumes)


_SENT = [column for column in outbox.c if column.name in Delivery.__struct_fields__]


def _may_be_next(name: str) -> ColumnElement[bool]:
    """Return the condition that a delivery of a webhook waits, and no earlier one of its story does."""
    is_earlier = exists().where(
        _EARLIER.c.webhook == outbox.c.webhook,
        _EARLIER.c.story == outbox.c.story,
        _EARLIER.c.state == "waiting",
        _EARLIER.c.change < outbox.c.change,
    )
    return and_(waits_for(name), ~is_earlier)


def times_sent(
    connection: Connection, name: str, since: dt.datetime, now: dt.datetime
) -> list[dt.datetime]:
    """Return when a recipient was sent something after `since`, oldest first; a message has one time."""
    at = outbox.c.done_at
    sent = outbox.c.webhook == name, outbox.c.state == "done", at > since, at <= now
    return list(connection.scalars(select(at).where(*sent).distinct().order_by(at)))


def waiting_with(
    connection: Connection, delivery: Delivery, most: int
) -> tuple[Delivery, list[bytes]]:
    """Return a delivery with all others that wait for the same recipient, and the first `most` bodies."""
    others = (
        select(outbox.c.change)
        .where(waits_for(delivery.webhook), outbox.c.change != delivery.change)
        .order_by(outbox.c.change)
    )
    numbers = tuple(connection.scalars(others))
    bodies = connection.scalars(others.with_only_columns(outbox.c.body).limit(most - 1))
    sent = [delivery.body, *map(codecs.decompress_bytes, bodies)]
    return replace(delivery, others=numbers), sent


def mark_delivered(
    connection: Connection, delivery: Delivery, now: dt.datetime
) -> None:
    """Store a successful delivery. After a failure all others become due now."""
    name = delivery.webhook
    has_recovered = failures_of(connection, name) > 0
    done = {"state": "done", "body": None, "done_at": now, "problem": None}
    _set(connection, delivery, **done, attempts=delivery.attempts + 1)
    waiting = update(outbox).where(waits_for(name))
    change_with(connection, waiting.values(**done), outbox.c.change, delivery.others)
    if has_recovered:
        update_rows(connection, outbox, waits_for(name), next_attempt_at=now)
    change_webhook(connection, name, **RECOVERED, last_success_at=now)


def mark_failed(
    connection: Connection,
    delivery: Delivery,
    now: dt.datetime,
    problem: str,
    *,
    next_at: dt.datetime | None,
    resumes_at: dt.datetime,
) -> None:
    """Store a failed attempt. `next_at`: of the next attempt; None: the delivery is given up."""
    values: dict[str, Any] = {"next_attempt_at": next_at}
    if next_at is None:
        values = {"state": "given_up", "body": None, "done_at": now}
    _set(
        connection,
        delivery,
        attempts=delivery.attempts + 1,
        first_attempt_at=delivery.first_attempt_at or now,
        problem=problem,
        **values,
    )
    change_webhook(
        connection,
        delivery.webhook,
        state="failing",
        problem=problem,
        failures=webhook.c.failures + 1,
        failing_since=func.coalesce(webhook.c.failing_since, now),
        resumes_at=resumes_at,
    )


def mark_gone(
    connection: Connection, delivery: Delivery, now: dt.datetime, problem: str
) -> None:
    """Store the response 410: all waiting deliveries of the webhook are given up."""
    name = delivery.webhook
    _set(connection, delivery, attempts=delivery.attempts + 1)
    given_up = {"state": "given_up", "body": None, "done_at": now, "problem": problem}
    update_rows(connection, outbox, waits_for(name), **given_up)
    since = func.coalesce(webhook.c.failing_since, now)
    change_webhook(connection, name, state="gone", problem=problem, failing_since=since)


def _set(connection: Connection, delivery: Delivery, **values: Any) -> None:
    is_it = outbox.c.webhook == delivery.webhook, outbox.c.change == delivery.change
    update_rows(connection, outbox, *is_it, **values)
