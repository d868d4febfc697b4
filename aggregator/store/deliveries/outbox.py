"""The outbox: deliveries to webhooks and other recipients, as they are added and deleted.

Deliveries are made from the change stream. They are added together with the number of the last examined
change in one transaction, so a crash neither loses nor repeats one.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, and_, exists, func, insert, or_, select

from aggregator.config.webhooks import DIGEST
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.deliveries.recipients import change_webhook, waits_for
from aggregator.store.tables import (
    delete_rows,
    execute_each,
    outbox,
    story,
    update_rows,
    values_with,
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
    return values_with(connection, sent, outbox.c.story, stories)


def announced(connection: Connection, name: str, stories: Collection[str]) -> set[str]:
    """Return those of these stories of which the recipient has a delivery, or of a story merged into them."""
    today = func.coalesce(story.c.redirect_to, story.c.id)
    sent = select(today).join(outbox, outbox.c.story == story.c.id)
    return values_with(connection, sent.where(outbox.c.webhook == name), today, stories)


def add(
    connection: Connection,
    new_deliveries: Sequence[NewDelivery],
    last_change_no: Mapping[str, int],
    now: dt.datetime,
) -> None:
    """Add deliveries, and store the last examined change of each webhook.

    One to DIGEST is the list of digests, and is not sent.
    """
    waiting = {"state": "waiting", "done_at": None, "at": now}
    due = {"attempts": 0, "next_attempt_at": now}
    rows = []
    for delivery in new_deliveries:
        row = msgspec.structs.asdict(delivery) | waiting | due
        row["body"] = codecs.compress_bytes(delivery.body)
        if delivery.webhook == DIGEST:
            row |= {"state": "done", "done_at": now}
        rows.append(row)
    execute_each(connection, insert(outbox), rows)
    for name, number in last_change_no.items():
        change_webhook(connection, name, last_change_no=number)


def keep_within(connection: Connection, name: str, most: int, now: dt.datetime) -> int:
    """Give up the oldest deliveries of a webhook if more than `most` wait. Return their number."""
    oldest = (
        select(outbox.c.change)
        .where(waits_for(name))
        .order_by(outbox.c.change.desc())
        .limit(1)
        .offset(most)
    )
    last = connection.scalar(oldest)
    if last is None:
        return 0
    given_up = {"state": "given_up", "body": None, "done_at": now}
    is_old = outbox.c.change <= last
    return update_rows(
        connection, outbox, waits_for(name), is_old, **given_up, problem="too many wait"
    )


def prune(connection: Connection, before: dt.datetime) -> int:
    """Delete deliveries that ended before `before`, and old ones of removed webhooks. Return their number."""
    removed = select(webhook.c.name).where(~webhook.c.is_configured)
    is_of_removed = and_(outbox.c.webhook.in_(removed), outbox.c.at < before)
    is_over = or_(outbox.c.done_at < before, is_of_removed)
    number = delete_rows(connection, outbox, is_over)
    has_deliveries = exists().where(outbox.c.webhook == webhook.c.name)
    delete_rows(connection, webhook, ~webhook.c.is_configured, ~has_deliveries)
    return number
