"""The outbox: deliveries to webhooks and other recipients, as they are added and deleted.

Deliveries are made from the change stream. They are added together with the number of the last examined
change in one transaction, so a crash neither loses nor repeats one.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, and_, delete, func, insert, or_, select

from aggregator.config.webhooks import DIGEST
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.deliveries.recipients import waiting_for, webhook_named
from aggregator.store.tables import (
    delete_rows,
    execute_each,
    outbox,
    rows_with,
    story,
    webhook,
)


class NewDelivery(FrozenStruct):
    """A delivery to add."""

    webhook: str
    change: int
    id: str
    story: str
    body: bytes


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
            **msgspec.structs.asdict(delivery),
            "body": codecs.compress_bytes(delivery.body),
            "state": "done" if delivery.webhook == DIGEST else "waiting",
            "done_at": now if delivery.webhook == DIGEST else None,
            "at": now,
            "attempts": 0,
            "next_attempt_at": now,
        }
        for delivery in new_deliveries
    ]
    execute_each(connection, insert(outbox), rows)
    for name, number in last_change_no.items():
        connection.execute(webhook_named(name).values(last_change_no=number))


def keep_within(connection: Connection, name: str, most: int, now: dt.datetime) -> int:
    """Give up the oldest deliveries of a webhook if more than `most` wait. Return their number."""
    oldest = (
        select(outbox.c.change)
        .where(outbox.c.webhook == name, outbox.c.state == "waiting")
        .order_by(outbox.c.change.desc())
        .limit(1)
        .offset(most)
    )
    last = connection.scalar(oldest)
    if last is None:
        return 0
    given_up = waiting_for(name).where(outbox.c.change <= last)
    return connection.execute(
        given_up.values(
            state="given_up", body=None, done_at=now, problem="too many wait"
        )
    ).rowcount


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
    delete_rows(
        connection,
        webhook,
        ~webhook.c.is_configured,
        ~select(outbox.c.webhook).where(outbox.c.webhook == webhook.c.name).exists(),
    )
    return done.rowcount
