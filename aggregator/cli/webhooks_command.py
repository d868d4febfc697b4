"""The commands of `webhooks` and `notify`, for the recipients in config.yaml and their deliveries."""

from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import output
from aggregator.cli.command_context import Context
from aggregator.cli.output import argument
from aggregator.config.messages import pluralise
from aggregator.model.errors import AggregatorError, UsageError
from aggregator.text.lines import word_list

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.config.webhook_settings import Recipient
    from aggregator.store.deliveries.recipients import WebhookStats

webhooks = typer.Typer(
    name="webhooks", help="List, test and resume webhooks.", no_args_is_help=True
)

notify = typer.Typer(
    name="notify",
    help="List, test and resume notifications and digest mail.",
    no_args_is_help=True,
)

_Name = Annotated[
    str, argument("NAME", "Use the webhook with this name in config.yaml.")
]

_Recipient = Annotated[
    str, argument("NAME", "Name one of `notify:`, or an address of `digest:`.")
]


@webhooks.command(name="list")
def list_webhooks(context: Context, format_: output.TableOrJsonl = "table") -> None:
    """List all webhooks with their state and their deliveries.

    Deliveries that were completed or given up more than two weeks ago are not counted.

    \b
    Examples:
      aggregator webhooks list
      aggregator webhooks list --format jsonl
    """
    _list(context, format_, "webhook")


@notify.command(name="list")
def list_notify(context: Context, format_: output.TableOrJsonl = "table") -> None:
    """List notifications and digest mail with their deliveries.

    Deliveries that were completed or given up more than two weeks ago are not counted.

    \b
    Examples:
      aggregator notify list
      aggregator notify list --format jsonl
    """
    _list(context, format_, "notification")


@webhooks.command()
def test(context: Context, name: _Name) -> None:
    """Send a test request to a webhook.

    Its type is "test". It is signed like all requests and not repeated. The exit code is 1 if it was not
    accepted.

    \b
    Examples:
      aggregator webhooks test desk
    """
    _test(context, name, "webhook")


@notify.command(name="test")
def test_notify(context: Context, name: _Recipient) -> None:
    """Send a test notification or mail.

    It is not repeated. The exit code is 1 if it was not accepted.

    \b
    Examples:
      aggregator notify test phone
    """
    _test(context, name, "notification")


@webhooks.command()
def resume(context: Context, name: _Name) -> None:
    """Send the waiting deliveries of a webhook now.

    This also resumes a webhook that was stopped because its receiver answered 410 (Gone). A running daemon
    sends within half a minute.

    \b
    Examples:
      aggregator webhooks resume desk
    """
    _resume(context, name, "webhook")


@notify.command(name="resume")
def resume_notify(context: Context, name: _Recipient) -> None:
    """Send the waiting notifications or mail of a recipient now.

    A running daemon sends within half a minute.

    \b
    Examples:
      aggregator notify resume phone
    """
    _resume(context, name, "notification")


def _list(context: Context, format_: str, kind: str) -> None:
    import msgspec

    from aggregator.config.webhook_settings import DIGEST
    from aggregator.store.deliveries.recipients import webhook_stats

    listed = []
    with context.obj.reading() as (config, database), database.read() as connection:
        for recipient in webhook_stats(connection):
            name = recipient.row.name
            if name != DIGEST and (":" in name) == (kind == "notification"):
                listed.append(recipient)
    if format_ == "jsonl":
        for recipient in listed:
            values = msgspec.to_builtins(recipient)
            row = values.pop("row") | {"name": _short_name(recipient)}
            output.json_line({name: row[name] for name in _SHOWN} | values)
    elif listed:
        rows = [
            (
                _short_name(recipient),
                recipient.row.state,
                recipient.waiting,
                recipient.done,
                recipient.given_up,
                recipient.row.last_success_at,
                recipient.row.problem,
            )
            for recipient in listed
        ]
        columns = (
            "name",
            "state",
            "waiting",
            "done",
            "given up",
            "last success",
            "problem",
        )
        output.table(columns, rows, wide=("problem",))
    elif config.webhooks if kind == "webhook" else config.notify or config.digest.to:
        output.say(f"No {kind} is active yet. Start the daemon with `aggregator run`.")
    else:
        key = "`webhooks:`" if kind == "webhook" else "`notify:` or `digest:`"
        output.say(f"No {kind}s. Add them under {key} in config.yaml.")


_SHOWN = word_list("""
    name state problem failures failing_since resumes_at last_success_at
""")


def _short_name(recipient: "WebhookStats") -> str:
    return recipient.row.name.removeprefix("notify:")


def _test(context: Context, name: str, kind: str) -> None:
    import secrets
    import time

    from aggregator.config.webhook_settings import Webhook, recipient_words
    from aggregator.deliver.delivery_bodies import trial
    from aggregator.deliver.transmit import Transmitter, outgoing_client
    from aggregator.model.clock import utc_now
    from aggregator.sources.fetch.posting import host_of

    config = context.obj.load()
    recipient = _recipient(config, name, kind)
    shown = recipient_words(recipient.name)
    if isinstance(recipient, Webhook):
        shown = host_of(recipient.url)
    transmitter = Transmitter(outgoing_client(config), config.effective_tuning, utc_now)
    began = time.monotonic()
    now = utc_now()
    posted = transmitter.send(
        recipient, f"msg_{secrets.token_hex(16)}", trial(recipient, now), now
    )
    transmitter.close()
    if not posted.is_accepted:
        raise AggregatorError(f"{shown}: {posted.problem}")
    output.say(
        f"{shown} accepted it: {posted.status}, {(time.monotonic() - began) * 1000:.0f} ms"
    )


def _resume(context: Context, name: str, kind: str) -> None:
    from aggregator.model.clock import utc_now
    from aggregator.store.deliveries import recipients

    with context.obj.writing() as (config, database):
        stored = _recipient(config, name, kind).name
        with database.write() as connection:
            is_known = recipients.resume(connection, stored, utc_now())
            number = 0
            for stats in recipients.webhook_stats(connection):
                if stats.row.name == stored:
                    number = stats.waiting
    if not is_known:
        output.say(f"{name} is not active yet; start the daemon with `aggregator run`")
    elif number:
        output.say(
            f"{name}: {pluralise(number, 'delivery waits', 'deliveries wait')}; "
            "a running daemon sends within half a minute"
        )
    else:
        output.say(f"{name}: no deliveries are waiting")


def _recipient(config: "Config", name: str, kind: str) -> "Recipient":
    from aggregator.config.webhook_settings import (
        DIGEST,
        NOTIFY,
        digest_readers,
        notifications,
        webhooks_from,
    )

    recipients: tuple[Recipient, ...] = webhooks_from(config)
    if kind != "webhook":
        recipients = (*notifications(config), *digest_readers(config))
    by_name = {}
    for recipient in recipients:
        if recipient.name != DIGEST:
            short = recipient.name.removeprefix(NOTIFY).removeprefix(DIGEST)
            by_name[short] = recipient
    typed = name.removeprefix(DIGEST)
    if typed not in by_name:
        names = ", ".join(sorted(by_name)) or "none"
        raise UsageError(f"there is no {kind} {name[:40]!r}; config.yaml has: {names}")
    return by_name[typed]
