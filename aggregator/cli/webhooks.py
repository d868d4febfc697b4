"""The commands of `webhooks`: the state of the webhooks in config.yaml."""

from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli import output
from aggregator.cli.context import Context
from aggregator.config.messages import counted
from aggregator.model.errors import AggregatorError, UsageError

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.config.webhooks import Webhook

webhooks = typer.Typer(name="webhooks", help="List, test and resume webhooks.", no_args_is_help=True)
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Use the webhook with this name in config.yaml.")]


@webhooks.command(name="list")
def list_(context: Context, format_: output.TableOrJsonl = "table") -> None:
    """List all webhooks with their state and their deliveries.

    Deliveries that were completed or given up more than two weeks ago are not counted.

    \b
    Examples:
      aggregator webhooks list
      aggregator webhooks list --format jsonl
    """
    import msgspec

    from aggregator.store.stories.outbox import webhook_stats

    with context.obj.reading() as (config, database), database.read() as connection:
        listed = webhook_stats(connection)
    if format_ == "jsonl":
        for one in listed:
            values = msgspec.to_builtins(one)
            row = values.pop("row")
            shown = {name: row[name] for name in _SHOWN}
            output.json_line(shown | values)
    elif listed:
        columns = ("name", "state", "waiting", "done", "given up", "last success", "problem")
        rows = (
            (
                one.row.name, one.row.state, one.waiting, one.done, one.given_up,
                one.row.last_success_at, one.row.problem,
            )
            for one in listed
        )  # fmt: skip
        output.table(columns, rows, wide=("problem",))
    elif config.webhooks:
        output.say("No webhook is active yet. Start the daemon with `aggregator run`.")
    else:
        output.say("No webhooks. Add them under `webhooks:` in config.yaml.")


_SHOWN = ("name", "state", "problem", "failures", "failing_since", "resumes_at", "last_success_at")


@webhooks.command()
def test(context: Context, name: _Name) -> None:
    """Send a test request to a webhook.

    Its type is "test". It is signed like all requests and not repeated. The exit code is 1 if it was not
    accepted.

    \b
    Examples:
      aggregator webhooks test desk
    """
    import secrets
    import time

    from aggregator.model.core import utc_now
    from aggregator.sources.fetch.webhook_post import host_of
    from aggregator.web.webhooks.dispatcher import poster_of
    from aggregator.web.webhooks.sender import send, trial_body

    config = context.obj.load()
    webhook = _webhook(config, name)
    poster = poster_of(config, utc_now)
    began = time.monotonic()
    posted = send(poster, webhook, f"msg_{secrets.token_hex(16)}", trial_body(webhook, utc_now()), utc_now())
    poster.close()
    if not posted.is_accepted:
        raise AggregatorError(f"{host_of(webhook.url)}: {posted.problem}")
    milliseconds = (time.monotonic() - began) * 1000
    output.say(f"{host_of(webhook.url)} accepted it: {posted.status}, {milliseconds:.0f} ms")


@webhooks.command()
def resume(context: Context, name: _Name) -> None:
    """Send the waiting deliveries of a webhook now.

    This also resumes a webhook that was stopped because its receiver answered 410 (Gone). A running daemon
    sends within half a minute.

    \b
    Examples:
      aggregator webhooks resume desk
    """
    from aggregator.model.core import utc_now
    from aggregator.store.stories import outbox

    with context.obj.writing() as (config, database):
        _webhook(config, name)
        with database.write() as connection:
            is_known = outbox.resume(connection, name, utc_now())
            waiting = {one.row.name: one.waiting for one in outbox.webhook_stats(connection)}
    number = waiting.get(name, 0)
    if not is_known:
        output.say(f"{name} is not active yet; start the daemon with `aggregator run`")
    elif number:
        waits = counted(number, "delivery waits", "deliveries wait")
        output.say(f"{name}: {waits}; a running daemon sends within half a minute")
    else:
        output.say(f"{name}: no deliveries are waiting")


def _webhook(config: "Config", name: str) -> "Webhook":
    from aggregator.config.webhooks import webhooks_from

    by_name = {webhook.name: webhook for webhook in webhooks_from(config)}
    if name not in by_name:
        names = ", ".join(sorted(by_name)) or "none"
        raise UsageError(f"there is no webhook {name[:40]!r}; config.yaml has: {names}")
    return by_name[name]
