"""The outbox: adds and deletes the deliveries to webhooks and other recipients.

Deliveries are made from the change stream. One transaction adds them and stores the number of the last examined
change, so a crash neither loses nor repeats a delivery.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from aggregator.config.webhook_settings import DIGEST
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.deliveries.recipients import GIVE_UP, WAITS, change_webhook
from aggregator.store.tables import (
    insert_rows,
    outbox,
    read_set,
    read_value,
    write_sql,
)


class NewDelivery(FrozenStruct):
    """A delivery to add. Its message is composed when it is sent. `body`: the span of a digest, as JSON."""

    webhook: str
    change: int
    id: str
    story: str
    body: bytes | None = None


def already_sent(
    connection: Connection, name: str, stories: Collection[str]
) -> set[str]:
    """Return those of `stories` for which the outbox has a delivery to this webhook, in any state."""
    return read_set(
        connection,
        "SELECT story FROM outbox WHERE webhook = :name AND story IN :stories",
        name=name,
        stories=stories,
    )


def announced_stories(
    connection: Connection, name: str, stories: Collection[str]
) -> set[str]:
    """Return those of `stories` for which the outbox has a delivery to this recipient, in any state.

    A delivery of a story that was merged since counts for its successor.
    """
    return read_set(
        connection,
        """
        SELECT coalesce(redirect_to, story.id) FROM story JOIN outbox ON outbox.story = story.id
        WHERE outbox.webhook = :name AND coalesce(redirect_to, story.id) IN :stories
        """,
        name=name,
        stories=stories,
    )


def add(
    connection: Connection,
    new_deliveries: Sequence[NewDelivery],
    last_change_no: Mapping[str, int],
    now: datetime,
) -> None:
    """Add deliveries, and store the last examined change of each webhook.

    Deliveries to DIGEST form the list of digests, and are not sent.
    """
    waiting = {
        "state": "waiting",
        "done_at": None,
        "at": now,
        "attempts": 0,
        "next_attempt_at": now,
    }
    rows = []
    for delivery in new_deliveries:
        row = msgspec.structs.asdict(delivery) | waiting
        if delivery.body is not None:
            row["body"] = codecs.compress_bytes(delivery.body)
        if delivery.webhook == DIGEST:
            row |= {"state": "done", "done_at": now}
        rows.append(row)
    insert_rows(connection, outbox, rows)
    for name, number in last_change_no.items():
        change_webhook(connection, name, last_change_no=number)


def keep_within(connection: Connection, name: str, most: int, now: datetime) -> None:
    """Give up the oldest deliveries of a webhook if more than `most` wait."""
    last = read_value(
        connection,
        """
        SELECT change FROM outbox WHERE webhook = :name AND state = 'waiting'
        ORDER BY change DESC LIMIT 1 OFFSET :most
        """,
        name=name,
        most=most,
    )
    if last is not None:
        write_sql(
            connection,
            f"{GIVE_UP} WHERE {WAITS} AND change <= :last",
            name=name,
            last=last,
            now=now,
            problem="too many wait",
        )


def prune(connection: Connection, before: datetime) -> None:
    """Delete deliveries that ended before `before`, and older deliveries to webhooks that were removed.

    The row of a removed webhook is deleted once it has no delivery.
    """
    write_sql(
        connection,
        """
        DELETE FROM outbox WHERE done_at < :before
        OR at < :before AND webhook IN (SELECT name FROM webhook WHERE NOT is_configured)
        """,
        before=before,
    )
    write_sql(
        connection,
        """
        DELETE FROM webhook WHERE NOT is_configured AND name NOT IN (SELECT webhook FROM outbox)
        """,
    )
