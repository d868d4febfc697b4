"""Fill the outbox from the change stream.

A change becomes a delivery if its story matches the query of the recipient at that time. A notification is
about a story that was not announced yet, or about each report. Changes with a time
far in the past (an archive, a flood) are skipped. When a story is merged into another one, every webhook that
received a delivery about it is notified, whatever its query.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from aggregator.config import webhooks
from aggregator.config.tuning import Tuning
from aggregator.model.core import Clock, StoryView
from aggregator.model.read_model import Change, StoryFilter, StoryRedirect
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import tombstones
from aggregator.store.maintenance import steady_clock
from aggregator.store.read import story_list
from aggregator.store.read.browser_mutes import in_force
from aggregator.store.read.reader import StoryReader
from aggregator.store.read.story_list import StoryMatcher
from aggregator.store.search import progress
from aggregator.store.stories import outbox
from aggregator.store.stories.outbox import NewDelivery
from aggregator.web.sanitise import encode_json
from aggregator.web.settings import PublishSettings
from aggregator.web.webhooks.bodies import delivery_body, delivery_id, digest_id
from aggregator.web.webhooks.transmit import WebhookTuning

_BATCH_CHANGES = 100  # changes handled in one step
# Days that finished deliveries are stored: events.window_days, in which merges happen
_OUTBOX_DAYS = 14.0
_ALL_INDEXED = 2**62


class WebhookDispatcher:
    """Fills the outbox. At most one may run for a database: in the process that is the writer."""

    def __init__(  # noqa: PLR0917 - what all of its parts need
        self,
        database: Database,
        reader: StoryReader,
        recipients: Sequence[webhooks.Recipient],
        settings: PublishSettings,
        all_tuning: Tuning,
        now: Clock,
    ) -> None:
        """No delivery is deleted before the clock has run for `retention.steady_days` without a jump."""
        self._database = database
        self._reader = reader
        self._places = {one.name: one.place for one in recipients}
        self._digest_readers = [
            one for one in recipients if isinstance(one, webhooks.DigestReader)
        ]
        self._webhooks = {
            one.name: one
            for one in recipients
            if not isinstance(one, webhooks.DigestReader)
        }
        self._settings = settings
        self._tuning = all_tuning.section("webhooks", WebhookTuning)
        self._steady = dt.timedelta(days=all_tuning.values("retention")["steady_days"])
        self._now = now
        # Of the database, when no change waited
        self._quiet_version: int | str | None = None
        # A query reads the full-text index, which is updated shortly after an article was placed.
        self._uses_index = any(
            one.query is not None and one.query.query for one in recipients
        )

    def sync_webhooks(self) -> None:
        """Store which webhooks are configured; to be called at the start, before any article is placed."""
        with self._database.write() as connection:
            outbox.sync_webhooks(
                connection,
                self._places,
                story_list.last_number(connection),
                self._now(),
            )

    def step(self) -> list[str] | None:
        """Process the next changes; return the webhooks with new deliveries, None if there was no change."""
        version = self._database.data_version()
        if version == self._quiet_version:
            return None
        now = self._now()
        with self._database.read() as connection:
            forgotten_at = tombstones.newest(connection)
            last_change_no = {
                row.name: row.last_change_no
                for row in outbox.webhooks(connection)
                if row.is_configured and row.name in self._webhooks
            }
            if not last_change_no:
                self._quiet_version = version
                return None
            indexed_to = (
                progress.indexed_to(connection) if self._uses_index else _ALL_INDEXED
            )
            new = story_list.following(
                connection,
                min(last_change_no.values()),
                _BATCH_CHANGES,
                indexed_to=indexed_to,
            )
            if not new:
                self._quiet_version = version
                return None
            selected = {
                name: self._changes_for(
                    connection,
                    self._webhooks[name],
                    [one for one in new if one.n > last],
                    now,
                )
                for name, last in last_change_no.items()
            }
        new_deliveries = list(self._new_deliveries(selected))
        last = new[-1].n
        with self._database.write() as connection:
            if tombstones.newest(connection) != forgotten_at:
                # A story that was read may have been erased since: the next step reads it again
                return []
            outbox.add(
                connection,
                new_deliveries,
                {name: max(last, n) for name, n in last_change_no.items()},
                now,
            )
            for name in {one.webhook for one in new_deliveries}:
                outbox.keep_within(connection, name, self._tuning.waiting_max, now)
        return sorted({one.webhook for one in new_deliveries})

    def make_digest(self, until: dt.datetime) -> list[str] | None:
        """Store a digest of the changes up to `until` and its mail; return its readers.

        Without new stories there is none. Return None if the full-text index is behind: try again soon. The
        digest, its mail and the last change of each are one transaction.
        """
        with self._database.write() as connection:
            story_list.lock_digests(connection)
            if (
                whole := story_list.next_span(connection, webhooks.DIGEST, until)
            ) is None:
                return []
            if self._uses_index and not story_list.is_span_indexed(connection, whole):
                return None
            filled = []
            for one in self._digest_readers:
                span = story_list.next_span(connection, one.name, until)
                wanted = one.story_filter(until) or StoryFilter()
                if one.address:  # the list of digests is for everybody
                    wanted = replace(wanted, mutes=in_force(connection))
                if span is None or not story_list.ranked_for_digest(
                    connection, span, wanted
                ):
                    continue
                body, id_ = encode_json(span), digest_id(one.name, span.to)
                new = NewDelivery(
                    webhook=one.name, change=span.to, id=id_, story="", body=body
                )
                outbox.add(connection, [new], {one.name: span.to}, until)
                filled.append(one.name)
        return [name for name in filled if name != webhooks.DIGEST]

    def prune(self) -> None:
        """Delete deliveries that ended long ago."""
        now = self._now()
        with self._database.write() as connection:
            if steady_clock.is_steady(connection, now, self._steady):
                outbox.prune(connection, now - dt.timedelta(days=_OUTBOX_DAYS))

    def _changes_for(
        self,
        connection: Connection,
        hook: webhooks.Recipient,
        new: Sequence[Change],
        now: dt.datetime,
    ) -> list[Change]:
        """Return the changes that the webhook receives.

        A notification is about a story that was not announced yet, or about each report.
        """
        story_filter = hook.story_filter(now)
        if isinstance(hook, webhooks.Notification):
            story_filter = replace(
                story_filter or StoryFilter(), mutes=in_force(connection)
            )
        ids = {one.story for one in new}
        if story_filter is not None:
            ids = StoryMatcher(connection, story_filter).matching(connection, ids)
        fitting = [
            one
            for one in new
            if one.story in ids and one.at - one.updated <= story_list.OLD_NEWS
        ]
        if not isinstance(hook, webhooks.Notification):
            merged = {
                other for one in new if one.kind != "split" for other in one.others
            }
            sent = outbox.already_sent(connection, hook.name, merged)
            merges = [
                one
                for one in new
                if one.kind != "split" and sent.intersection(one.others)
            ]
            return sorted(
                {one.n: one for one in (*fitting, *merges)}.values(),
                key=lambda one: one.n,
            )
        announced = outbox.announced(
            connection, hook.name, {one.story for one in fitting}
        )
        chosen = []
        for one in fitting:
            adds_report = hook.each == "report" and one.kind in ("created", "report")
            if one.story not in announced or adds_report:
                announced.add(one.story)
                chosen.append(one)
        return chosen

    def _new_deliveries(
        self, selected: dict[str, list[Change]]
    ) -> Iterable[NewDelivery]:
        stories = self._stories(
            {one.story for changes in selected.values() for one in changes}
        )
        for name, changes in selected.items():
            for one in changes:
                if one.story in stories:
                    yield NewDelivery(
                        webhook=name,
                        change=one.n,
                        id=delivery_id(name, one),
                        story=one.was,
                        body=delivery_body(
                            self._webhooks[name],
                            one,
                            stories[one.story],
                            self._settings,
                            self._tuning,
                        ),
                    )

    def _stories(self, ids: set[str]) -> dict[str, StoryView]:
        """Return the stories by id; for a story that was merged meanwhile, its successor."""
        found = {
            story.id: story for story in self._reader.stories_by_id(tuple(sorted(ids)))
        }
        for id_ in ids - set(found):
            story = self._reader.story(id_)
            if isinstance(story, StoryRedirect):
                story = self._reader.story(story.to)
            if isinstance(story, StoryView):
                found[id_] = story
        return found
