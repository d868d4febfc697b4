"""The command `digest`."""

from datetime import timedelta
from typing import Annotated

from aggregator.cli import output
from aggregator.cli.command_context import Context
from aggregator.cli.output import flag
from aggregator.model.errors import AggregatorError, UsageError


def digest(
    context: Context,
    dry_run: Annotated[bool, flag("--dry-run", "Print it, and send nothing.")] = False,
) -> None:
    """Create a digest now and print it as it is sent.

    It contains all news since the last digest. A running daemon sends it within half a minute, and it appears
    on the page and in the feed. Without `digest.every` in config.yaml, --dry-run prints the last 24 hours.

    \b
    Examples:
      aggregator digest --dry-run
    """
    from aggregator.config.webhook_settings import DIGEST, digest_readers
    from aggregator.deliver.dispatcher import WebhookDispatcher
    from aggregator.model.clock import utc_now
    from aggregator.publish.output_settings import publish_settings
    from aggregator.store.read import digests
    from aggregator.store.read.reader import StoryReader
    from aggregator.web.feeds.digest_feeds import digest_text, digest_title

    now = utc_now()
    with context.obj.writing() as (config, database):
        is_off = config.digest.every == "never"
        if is_off and not dry_run:
            raise UsageError(
                "there are no digests; set digest.every: daily or weekly in config.yaml"
            )
        settings = publish_settings(config)
        reader = StoryReader(database, config.effective_tuning)
        with database.read() as connection:
            if is_off:
                span = digests.span_since(connection, now - timedelta(days=1), now)
            else:
                span = digests.next_span(connection, DIGEST, now)
        wanted = settings.digest_filter(now, reader.mutes())
        mail = reader.digest(span, wanted) if span is not None else None
        if mail is None or not mail.stories:
            since = "since the last digest, or since the daemon started with `digest:`"
            if is_off:
                since = "in the last 24 hours"
            output.say(f"Nothing is new {since}.")
            return
        if not dry_run:
            dispatcher = WebhookDispatcher(
                database,
                digest_readers(config, with_mail=False),
                config.effective_tuning,
                utc_now,
            )
            if dispatcher.make_digest(now) is None:
                raise AggregatorError(
                    "the full-text index is being updated; try again in a moment"
                )
    to = "".join(f"To: {address}\n" for address in config.digest.to)
    output.out(
        f"{to}Subject: {settings.title}: {digest_title(mail, settings)}\n\n{digest_text(mail, settings)}"
    )
