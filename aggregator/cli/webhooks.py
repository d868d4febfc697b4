"""The commands below `webhooks`: how those of config.yaml do."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from aggregator.cli import output
from aggregator.cli.context import Settings
from aggregator.config.messages import counted
from aggregator.model.errors import AggregatorError, UsageError

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.config.webhooks import Webhook

webhooks = typer.Typer(help="Webhooks: what is sent where, and what waits.", no_args_is_help=True)
_Name = Annotated[str, typer.Argument(metavar="NAME", help="As it is called in config.yaml.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.add_typer(webhooks, name="webhooks")


@webhooks.command(name="list")
def list_(
    context: typer.Context,
    format_: Annotated[Literal["table", "jsonl"], typer.Option("--format", metavar="table|jsonl")] = "table",
) -> None:
    """Every webhook, how it does, and what waits.

    Deliveries that were made or given up more than two weeks ago are not counted.

    \b
    Examples:
      aggregator webhooks list
      aggregator webhooks list --format jsonl
    """
    import msgspec

    from aggregator.store.stories.outbox import webhook_stats

    settings: Settings = context.obj
    with settings.reading() as (config, database), database.read() as connection:
        listed = webhook_stats(connection)
    if format_ == "jsonl":
        for one in listed:
            values = msgspec.to_builtins(one)
            row = values.pop("row")
            shown = {name: row[name] for name in _SHOWN}
            output.out(msgspec.json.encode(shown | values) + b"\n")
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
        output.say("none has begun yet; `aggregator run` takes them up")
    else:
        output.say("no webhooks; `webhooks:` in config.yaml names them")


_SHOWN = ("name", "state", "problem", "failures", "failing_since", "resumes_at", "last_success_at")


@webhooks.command()
def test(context: typer.Context, name: _Name) -> None:
    """Send a request that says nothing, to try the way.

    Its type is "test"; it is signed like all others, and not tried again. Ends with 1 where it was not taken.

    \b
    Examples:
      aggregator webhooks test desk
    """
    import secrets
    import time

    from aggregator.model.core import utc_now
    from aggregator.sources.fetch.webhook_post import host_of
    from aggregator.web.webhooks.from_config import poster_of
    from aggregator.web.webhooks.payload import trial_body
    from aggregator.web.webhooks.sender import send

    settings: Settings = context.obj
    config = settings.load()
    webhook = _webhook(config, name)
    poster = poster_of(config, utc_now)
    began = time.monotonic()
    posted = send(poster, webhook, f"msg_{secrets.token_hex(16)}", trial_body(webhook, utc_now()), utc_now())
    poster.close()
    if not posted.is_accepted:
        raise AggregatorError(f"{host_of(webhook.url)}: {posted.problem}")
    milliseconds = (time.monotonic() - began) * 1000
    output.say(f"{host_of(webhook.url)} took it: {posted.status}, {milliseconds:.0f} ms")


@webhooks.command()
def resume(context: typer.Context, name: _Name) -> None:
    """Send what waits now, not at its time.

    Also where the receiver had said that it is gone (410). The running daemon sees it within half a minute.

    \b
    Examples:
      aggregator webhooks resume desk
    """
    from aggregator.model.core import utc_now
    from aggregator.store.stories import outbox

    settings: Settings = context.obj
    with settings.writing() as (config, database):
        _webhook(config, name)
        with database.write() as connection:
            known = outbox.resume(connection, name, utc_now())
            waiting = {one.row.name: one.waiting for one in outbox.webhook_stats(connection)}
    number = waiting.get(name, 0)
    if not known:
        output.say(f"{name} has not begun yet; `aggregator run` takes it up")
    elif number:
        waits = counted(number, "delivery waits", "deliveries wait")
        output.say(f"{name}: {waits}; the running daemon sends within half a minute")
    else:
        output.say(f"{name}: nothing waits")


def _webhook(config: "Config", name: str) -> "Webhook":
    from aggregator.config.webhooks import webhooks_from

    found = {webhook.name: webhook for webhook in webhooks_from(config)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise UsageError(f"there is no webhook {name[:40]!r}; config.yaml has: {known}")
    return found[name]
