"""The state of each webhook and other recipient."""

import datetime as dt
from collections.abc import Mapping

from sqlalchemy import Connection, Update, func, insert, select, update

from aggregator.config.webhooks import recipient_words
from aggregator.model.structs import FrozenStruct
from aggregator.store.tables import change, fields_of, outbox, update_rows, webhook


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


RECOVERED = {
    "state": "ok",
    "problem": None,
    "failures": 0,
    "failing_since": None,
    "resumes_at": None,
}

_COLUMNS = fields_of(webhook, WebhookState)


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
            connection.execute(insert(webhook).values(**RECOVERED, **values))
            continue
        if not row.is_configured:
            connection.execute(
                webhook_named(name).values(is_configured=True, last_change_no=newest)
            )
        if row.url_hash != url_hash:
            connection.execute(webhook_named(name).values(url_hash=url_hash))
            resume(connection, name, now)
    if removed := sorted(set(known) - set(url_hashes)):
        update_rows(
            connection, webhook, webhook.c.name.in_(removed), is_configured=False
        )


def skip_backlog(connection: Connection) -> None:
    """Let every webhook begin after the newest change."""
    newest = select(func.coalesce(func.max(change.c.change_no), 0)).scalar_subquery()
    update_rows(connection, webhook, last_change_no=newest)


def skip(connection: Connection, after: int, to: int) -> None:
    """Let the webhooks that have examined change `after` begin after change `to`."""
    update_rows(
        connection, webhook, webhook.c.last_change_no >= after, last_change_no=to
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
            row=state_row,
            **{state: counts.get((state_row.name, state), 0) for state in states},
        )
        for state_row in webhooks(connection)
        if state_row.is_configured
    ]


def resume(connection: Connection, name: str, now: dt.datetime) -> bool:
    """Make all waiting deliveries of a webhook due now, even if its receiver answered 410.

    Return False if no such webhook is configured.
    """
    done = connection.execute(
        webhook_named(name).where(webhook.c.is_configured).values(**RECOVERED)
    )
    connection.execute(
        waiting_for(name).values(next_attempt_at=now, first_attempt_at=None)
    )
    return done.rowcount > 0


def problems(connection: Connection) -> tuple[str, ...]:
    """Return one sentence per configured webhook that is gone or failed several times in a row."""
    sentences = []
    for row in webhooks(connection):
        if row.is_configured and row.state == "gone":
            sentences.append(f"{recipient_words(row.name)}: its receiver is gone (410)")
        elif row.is_configured and row.failures > 1 and row.failing_since is not None:
            since = f"{row.failing_since:%Y-%m-%d %H:%M} UTC"
            sentences.append(
                f"{recipient_words(row.name)}: failing since {since}: {row.problem}"
            )
    return tuple(sentences)


def webhook_named(name: str) -> Update:
    return update(webhook).where(webhook.c.name == name)


def pull_in(connection: Connection, name: str, latest: dt.datetime) -> None:
    """Make waiting deliveries of a webhook due by `latest`: later times are from a wrong clock."""
    late = waiting_for(name).where(outbox.c.next_attempt_at > latest)
    connection.execute(late.values(next_attempt_at=latest))
    connection.execute(
        webhook_named(name)
        .where(webhook.c.resumes_at > latest)
        .values(resumes_at=latest)
    )


def failures_of(connection: Connection, name: str) -> int:
    """Return the number of failures in a row."""
    return (
        connection.scalar(select(webhook.c.failures).where(webhook.c.name == name)) or 0
    )


def waiting_for(name: str) -> Update:
    return update(outbox).where(outbox.c.webhook == name, outbox.c.state == "waiting")
