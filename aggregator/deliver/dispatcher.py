"""Turns changes of stories into deliveries for webhooks, notifications and readers of the digest.

The dispatcher reads changes from the change stream and puts deliveries into the outbox; sender.py sends them. A
change becomes a delivery if its story matches the query of the recipient at that time. A notification announces a
story once, or also each report, as the recipient wants. Changes with a time far in the past (an archive, a flood) are
skipped. When a story is merged into another story, every webhook that received a delivery about the merged story is
sent the change, whatever its query.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from aggregator.config import webhook_settings
from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.deliver.delivery_bodies import delivery_id, digest_id
from aggregator.deliver.transmit import WebhookTuning
from aggregator.model.clock import Clock
from aggregator.model.read_model import Change
from aggregator.publish.sanitise import encode_json
from aggregator.store import steady_clock
from aggregator.store.deliveries import outbox, recipients
from aggregator.store.deliveries.outbox import NewDelivery
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import first_reading
from aggregator.store.read import change_stream, digests
from aggregator.store.read.browser_mutes import in_force
from aggregator.store.read.story_filter import matching_stories
from aggregator.store.search import progress

# Changes handled in one step
_BATCH_CHANGES = 100
# Above every change: no change waits for the full-text index
_ALL_INDEXED = 2**62


class WebhookDispatcher:
    """Fills the outbox. At most one may run for a database: in the process that is the writer."""

    def __init__(
        self,
        database: Database,
        recipients: Sequence[webhook_settings.Recipient],
        all_tuning: Tuning,
        now: Clock,
    ) -> None:
        """No delivery is deleted before the clock has run for `retention.steady_days` without a jump."""
        self._database = database
        self._recipients = recipients
        self._webhooks = {
            recipient.name: recipient
            for recipient in recipients
            if isinstance(
                recipient, webhook_settings.Webhook | webhook_settings.Notification
            )
        }
        # A query reads the full-text index, which is updated shortly after an article was placed.
        self._uses_index = any(r.query and r.query.query for r in recipients)
        self._tuning = all_tuning.section("webhooks", WebhookTuning)
        self._steady = timedelta(days=all_tuning.values("retention")["steady_days"])
        # Deliveries that ended are kept for this time, because a webhook that was sent a story is also sent its merge.
        self._kept = timedelta(days=all_tuning.values("events")["window_days"])
        self._now = now
        # The version of the database in which there was nothing to do; until it changes, a step looks for no changes
        self._quiet_version: int | str | None = None

    def sync_webhooks(self) -> None:
        """Store which recipients are configured. Call this at the start, before any article is placed."""
        with self._database.write() as connection:
            recipients.sync_webhooks(
                connection,
                {recipient.name: recipient.place for recipient in self._recipients},
                change_stream.last_number(connection),
                self._now(),
            )

    def step(self) -> list[str] | None:
        """Process the next changes.

        Return the names of the recipients with new deliveries; None without changes, or in a first reading.
        """
        version = self._database.data_version()
        if version == self._quiet_version:
            return None
        now = self._now()
        with self._database.read() as connection:
            # The number of the last change that was examined for each recipient, except readers of digests
            positions = {
                row.name: row.last_change_no
                for row in recipients.webhooks(connection)
                if row.is_configured and row.name in self._webhooks
            }
            changes: Sequence[Change] = ()
            if positions:
                indexed_to = _ALL_INDEXED
                if self._uses_index:
                    indexed_to = progress.indexed_to(connection)
                changes = change_stream.following(
                    connection,
                    min(positions.values()),
                    _BATCH_CHANGES,
                    indexed_to=indexed_to,
                )
            # A first reading brings no news, so no changes are delivered before its end.
            if not changes or first_reading.lasts(connection):
                self._quiet_version = version
                return None
            deliveries: list[NewDelivery] = []
            for name, position in positions.items():
                unread = [change for change in changes if change.n > position]
                hook = self._webhooks[name]
                deliveries += [
                    NewDelivery(
                        webhook=name,
                        change=change.n,
                        id=delivery_id(name, change),
                        story=change.was,
                    )
                    for change in self._changes_for(connection, hook, unread, now)
                ]
        last = changes[-1].n
        positions = {name: max(last, n) for name, n in positions.items()}
        names = sorted({delivery.webhook for delivery in deliveries})
        with self._database.write() as connection:
            outbox.add(connection, deliveries, positions, now)
            for name in names:
                outbox.keep_within(connection, name, self._tuning.waiting_max, now)
        return names

    def make_digest(self, until: datetime) -> list[str] | None:
        """Store a digest of the changes up to `until`, and its mails; return the names of the readers of these mails.

        Without new stories, no digest is sent. Return None if the full-text index is behind, so that the caller tries
        again soon. One transaction writes the digest, its mails, and the last change of each.
        """
        with self._database.write() as connection:
            digests.lock_digests(connection)
            list_span = digests.next_span(connection, webhook_settings.DIGEST, until)
            if list_span is None:
                return []
            if self._uses_index and not digests.is_span_indexed(connection, list_span):
                return None
            readers = []
            for reader in self._recipients:
                if not isinstance(reader, webhook_settings.DigestReader):
                    continue
                filters = reader.story_filter(until) or StoryFilter()
                if (
                    reader.address
                ):  # the owner's mutes; the list of digests is for everybody
                    mutes = in_force(connection)
                    filters = filters.model_copy(update={"mutes": mutes})
                span = digests.next_span(connection, reader.name, until)
                if not span or not digests.ranked_for_digest(connection, span, filters):
                    continue
                delivery = NewDelivery(
                    webhook=reader.name,
                    change=span.to,
                    id=digest_id(reader.name, span.to),
                    story="",
                    body=encode_json(span),
                )
                outbox.add(connection, [delivery], {reader.name: span.to}, until)
                readers.append(reader.name)
        return [name for name in readers if name != webhook_settings.DIGEST]

    def prune(self) -> None:
        """Delete deliveries that ended long ago."""
        now = self._now()
        with self._database.write() as connection:
            if steady_clock.is_steady(connection, now, self._steady):
                outbox.prune(connection, now - self._kept)

    def _changes_for(
        self,
        connection: Connection,
        hook: webhook_settings.Webhook | webhook_settings.Notification,
        changes: Sequence[Change],
        now: datetime,
    ) -> list[Change]:
        """Return the changes among `changes` that the recipient is sent."""
        story_filter = hook.story_filter(now)
        if isinstance(hook, webhook_settings.Notification):
            story_filter = (story_filter or StoryFilter()).model_copy(
                update={"mutes": in_force(connection)}
            )
        ids = {change.story for change in changes}
        if story_filter is not None:
            ids = matching_stories(connection, story_filter, ids)
        recent = [
            change
            for change in changes
            if change.story in ids and change.at - change.updated <= digests.OLD_NEWS
        ]
        if isinstance(hook, webhook_settings.Notification):
            stories = {change.story for change in recent}
            announced = outbox.announced_stories(connection, hook.name, stories)
            # The first change of each story that was not announced yet, and each report if the recipient wants reports
            news = []
            kinds_of_report = ("created", "report") if hook.each == "report" else ()
            for change in recent:
                if change.story not in announced or change.kind in kinds_of_report:
                    announced.add(change.story)
                    news.append(change)
            return news
        # A webhook that was sent a story is also sent the merge that ends the story.
        merges = [change for change in changes if change.kind != "split"]
        merged = {story for merge in merges for story in merge.others}
        sent = outbox.already_sent(connection, hook.name, merged)
        chosen = {change.n for change in recent}
        chosen |= {merge.n for merge in merges if sent.intersection(merge.others)}
        return [change for change in changes if change.n in chosen]
