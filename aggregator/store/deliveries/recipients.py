"""The state of each recipient: a row of `webhook` is a webhook, an address of Apprise, or a reader of digests."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from aggregator.config.webhook_settings import recipient_words
from aggregator.model.structs import FrozenStruct
from aggregator.store.tables import (
    has_rows,
    insert_rows,
    read_rows,
    read_structs,
    read_value,
    update_rows,
    webhook,
    write_sql,
)
from aggregator.store.tables.deliveries import WebhookState


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

# SQL text: a delivery waits to be sent to the recipient `:name`.
WAITS = "webhook = :name AND state = 'waiting'"
GIVE_UP = "UPDATE outbox SET state = 'given_up', body = NULL, done_at = :now, problem = :problem"

_COLUMNS = ", ".join(WebhookState.__struct_fields__)


def sync_webhooks(
    connection: Connection,
    url_hashes: Mapping[str, bytes],
    newest: int,
    now: datetime,
) -> None:
    """Store the configured webhooks, by name, each with the hash of its URL.

    A new or returning webhook begins after change `newest`, so that it gets no old changes. A removed webhook gets
    nothing more, but its rows stay. A new URL resets the failures and resumes waiting deliveries.
    """
    known = {row.name: row for row in read_rows(connection, "SELECT * FROM webhook")}
    for name, url_hash in url_hashes.items():
        row = known.get(name)
        if row is None:
            values = {
                **RECOVERED,
                "name": name,
                "url_hash": url_hash,
                "is_configured": True,
                "last_change_no": newest,
            }
            insert_rows(connection, webhook, [values])
            continue
        if not row.is_configured:
            change_webhook(connection, name, is_configured=True, last_change_no=newest)
        if row.url_hash != url_hash:
            change_webhook(connection, name, url_hash=url_hash)
            resume(connection, name, now)
    for name in known.keys() - url_hashes.keys():
        change_webhook(connection, name, is_configured=False)


def skip(connection: Connection, after: int, to: int) -> None:
    """Let the webhooks that have examined change `after` continue after change `to`, without the changes between."""
    write_sql(
        connection,
        "UPDATE webhook SET last_change_no = :to WHERE last_change_no >= :after",
        to=to,
        after=after,
    )


def webhooks(connection: Connection) -> list[WebhookState]:
    """Return all webhooks with rows, ordered by name."""
    return read_structs(
        connection,
        WebhookState,
        f"SELECT {_COLUMNS} FROM webhook ORDER BY name",  # noqa: S608
    )


def webhook_stats(connection: Connection) -> list[WebhookStats]:
    """Return the configured webhooks, ordered by name, with their deliveries counted."""
    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for name, state, number in read_rows(
        connection,
        "SELECT webhook, state, count(*) FROM outbox GROUP BY webhook, state",
    ):
        counts[name][state] = number
    return [
        WebhookStats(row=recipient, **counts[recipient.name])
        for recipient in webhooks(connection)
        if recipient.is_configured
    ]


def resume(connection: Connection, name: str, now: datetime) -> bool:
    """Make all waiting deliveries of a webhook due now, even if its receiver answered 410.

    Return False if no such webhook is configured.
    """
    is_known = has_rows(
        connection,
        "SELECT 1 FROM webhook WHERE name = :name AND is_configured",
        name=name,
    )
    if is_known:
        change_webhook(connection, name, **RECOVERED)
    write_sql(
        connection,
        f"UPDATE outbox SET next_attempt_at = :now, first_attempt_at = NULL WHERE {WAITS}",  # noqa: S608
        name=name,
        now=now,
    )
    return is_known


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


def change_webhook(connection: Connection, name: str, **columns: Any) -> None:
    """Write columns of the row of a webhook."""
    update_rows(connection, "webhook", "name = :name", columns, name=name)


def pull_in(connection: Connection, name: str, latest: datetime) -> None:
    """Make the waiting deliveries of a webhook due at `latest` if they are due later, as after the clock was wrong."""
    write_sql(
        connection,
        f"""
        UPDATE outbox SET next_attempt_at = :latest WHERE {WAITS} AND next_attempt_at > :latest
        """,  # noqa: S608
        name=name,
        latest=latest,
    )
    write_sql(
        connection,
        "UPDATE webhook SET resumes_at = :latest WHERE name = :name AND resumes_at > :latest",
        name=name,
        latest=latest,
    )


def failures_of(connection: Connection, name: str) -> int:
    """Return the number of consecutive failures of a webhook; 0 if it has no row."""
    failures = "SELECT failures FROM webhook WHERE name = :name"
    return read_value(connection, failures, name=name) or 0
