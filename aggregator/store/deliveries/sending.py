"""Deliveries that are due, and the results of attempts."""

from datetime import datetime
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.store import codecs
from aggregator.store.deliveries.outbox import NewDelivery
from aggregator.store.deliveries.recipients import (
    GIVE_UP,
    RECOVERED,
    WAITS,
    change_webhook,
    failures_of,
)
from aggregator.store.tables import (
    Values,
    read_rows,
    read_value,
    read_values,
    update_rows,
    write_sql,
)


class Delivery(NewDelivery, frozen=True, kw_only=True):
    """A waiting delivery."""

    attempts: int
    first_attempt_at: datetime | None
    # The changes of other deliveries that are sent in the same message
    others: tuple[int, ...] = ()


def next_due(
    connection: Connection, name: str, now: datetime
) -> Delivery | datetime | None:
    """Return the next delivery of a webhook, or the time when one is due; None if nothing is to be sent.

    Nothing is sent to a webhook that is gone or not configured. The next delivery is the oldest that is due, but
    deliveries of one story stay in their order.
    """
    for state, resumes_at in read_rows(
        connection,
        "SELECT state, resumes_at FROM webhook WHERE name = :name AND is_configured",
        name=name,
    ):
        if state == "gone":
            return None
        due = f"{_MAY_BE_NEXT} AND next_attempt_at <= :now ORDER BY change LIMIT 1"
        if resumes_at is None or resumes_at <= now:
            for row in read_rows(
                connection,
                f"SELECT webhook, change, id, story, body, attempts, first_attempt_at {due}",
                name=name,
                now=now,
            ):
                body = row.body and codecs.decompress_bytes(row.body)
                return Delivery(**{**row._mapping, "body": body})
        soonest = read_value(
            connection,
            f"SELECT min(next_attempt_at) AS next_attempt_at {_MAY_BE_NEXT}",
            name=name,
        )
        return soonest and max(soonest, resumes_at or soonest)
    return None


# Waiting deliveries, except those that must wait for an earlier delivery of the same story
_MAY_BE_NEXT = """
    FROM outbox WHERE webhook = :name AND state = 'waiting' AND NOT EXISTS (
      SELECT 1 FROM outbox AS earlier WHERE earlier.webhook = outbox.webhook AND earlier.story = outbox.story
      AND earlier.state = 'waiting' AND earlier.change < outbox.change)
    """


def times_sent(
    connection: Connection, name: str, since: datetime, now: datetime
) -> list[datetime]:
    """Return the times after `since` when a recipient was sent a message, oldest first.

    All deliveries of one message have the same time.
    """
    return read_values(
        connection,
        """
        SELECT DISTINCT done_at FROM outbox
        WHERE webhook = :name AND state = 'done' AND done_at > :since AND done_at <= :now ORDER BY done_at
        """,
        name=name,
        since=since,
        now=now,
    )


def with_all_waiting(connection: Connection, delivery: Delivery) -> Delivery:
    """Return a delivery whose `others` are all other deliveries that wait for the same recipient."""
    numbers = read_values(
        connection,
        f"SELECT change FROM outbox WHERE {WAITS} AND change <> :change ORDER BY change",  # noqa: S608
        name=delivery.webhook,
        change=delivery.change,
    )
    return replace(delivery, others=tuple(numbers))


def mark_delivered(connection: Connection, delivery: Delivery, now: datetime) -> None:
    """Store a successful delivery. If earlier attempts failed, all waiting deliveries become due now."""
    name = delivery.webhook
    has_recovered = failures_of(connection, name) > 0
    _set(
        connection,
        delivery,
        state="done",
        body=None,
        done_at=now,
        problem=None,
        attempts=delivery.attempts + 1,
    )
    write_sql(
        connection,
        f"""
        UPDATE outbox SET state = 'done', body = NULL, done_at = :now, problem = NULL
        WHERE {WAITS} AND change IN :others
        """,  # noqa: S608
        name=name,
        now=now,
        others=delivery.others,
    )
    if has_recovered:
        write_sql(
            connection,
            f"UPDATE outbox SET next_attempt_at = :now WHERE {WAITS}",  # noqa: S608
            name=name,
            now=now,
        )
    change_webhook(connection, name, **RECOVERED, last_success_at=now)


def mark_failed(
    connection: Connection,
    delivery: Delivery,
    now: datetime,
    problem: str,
    *,
    next_at: datetime | None,
    resumes_at: datetime,
) -> None:
    """Store a failed attempt. `next_at`: the time of the next attempt, or None to give the delivery up."""
    values: Values = {"next_attempt_at": next_at}
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
    write_sql(
        connection,
        """
        UPDATE webhook SET state = 'failing', problem = :problem, failures = failures + 1,
          failing_since = coalesce(failing_since, :now), resumes_at = :resumes_at
        WHERE name = :name
        """,
        problem=problem,
        now=now,
        resumes_at=resumes_at,
        name=delivery.webhook,
    )


def mark_gone(
    connection: Connection, delivery: Delivery, now: datetime, problem: str
) -> None:
    """Store that the receiver answered 410, and give up all waiting deliveries of the webhook."""
    name = delivery.webhook
    _set(connection, delivery, attempts=delivery.attempts + 1)
    write_sql(
        connection, f"{GIVE_UP} WHERE {WAITS}", name=name, now=now, problem=problem
    )
    write_sql(
        connection,
        """
        UPDATE webhook SET state = 'gone', problem = :problem, failing_since = coalesce(failing_since, :now)
        WHERE name = :name
        """,
        problem=problem,
        now=now,
        name=name,
    )


def _set(connection: Connection, delivery: Delivery, **columns: Any) -> None:
    update_rows(
        connection,
        "outbox",
        "webhook = :name AND change = :number",
        columns,
        name=delivery.webhook,
        number=delivery.change,
    )
