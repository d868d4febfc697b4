"""Select the changes that a webhook receives and store them as deliveries in the outbox.

A change becomes a delivery if its story matches the query of the webhook at that time. Changes with a time
far in the past (an archive, a flood) are skipped. When a story is merged into another one, every webhook that
received a delivery about it is notified, whatever its query.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence

from aggregator.config.webhooks import Webhook
from aggregator.model.core import StoryView
from aggregator.model.read_model import Change, StoryRedirect
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import tombstones
from aggregator.store.maintenance import retention
from aggregator.store.read import story_list
from aggregator.store.read.reader import DatabaseStoryReader
from aggregator.store.read.story_list import StoryMatcher
from aggregator.store.search import index
from aggregator.store.stories import outbox
from aggregator.store.stories.outbox import NewDelivery
from aggregator.web.settings import PublishSettings
from aggregator.web.webhooks.payload import WebhookTuning, delivery_body, delivery_id

_BATCH_CHANGES = 100  # changes handled in one step
# Hours before now; older changes are of an archive and not sent (as polling.flood_age_hours).
_OLD_HOURS = 48.0
_OUTBOX_DAYS = 14.0  # days that finished deliveries are stored: events.window_days, in which merges happen

_ALL_INDEXED = 2**62


class WebhookDispatcher:
    """Fills the outbox. At most one may run for a database: in the process that is the writer."""

    def __init__(
        self,
        database: Database,
        reader: DatabaseStoryReader,
        webhooks: Sequence[Webhook],
        settings: PublishSettings,
        *,
        tuning: WebhookTuning,
        steady_days: float,
        now: Callable[[], dt.datetime],
    ) -> None:
        """No delivery is deleted before the clock has run for `steady_days` without a jump."""
        self._database = database
        self._reader = reader
        self._webhooks = {hook.name: hook for hook in webhooks}
        self._settings = settings
        self._tuning = tuning
        self._steady = dt.timedelta(days=steady_days)
        self._hold = dt.timedelta(seconds=tuning.page_hold_seconds)
        self._now = now
        # A query reads the full-text index, which is updated shortly after an article was placed.
        self._uses_index = any(hook.query is not None and hook.query.query for hook in webhooks)

    def sync_webhooks(self) -> None:
        """Store which webhooks are configured; to be called at the start, before any article is placed."""
        with self._database.write() as connection:
            positions = {name: hook.place for name, hook in self._webhooks.items()}
            outbox.sync_webhooks(connection, positions, story_list.last_number(connection), self._now())

    def step(self) -> list[str] | None:
        """Process the next changes; return the webhooks with new deliveries, None if there was no change."""
        now = self._now()
        with self._database.read() as connection:
            forgotten_at = tombstones.newest(connection)
            last_change_no = {
                row.name: row.last_change_no
                for row in outbox.webhooks(connection)
                if row.is_configured and row.name in self._webhooks
            }
            if not last_change_no:
                return None
            indexed_to = index.indexed_to(connection) if self._uses_index else _ALL_INDEXED
            new = story_list.following(
                connection, min(last_change_no.values()), _BATCH_CHANGES, indexed_to=indexed_to
            )
            if not new:
                return None
            selected = {
                name: self._changes_for(
                    connection, self._webhooks[name], [one for one in new if one.n > last], now
                )
                for name, last in last_change_no.items()
            }
        new_deliveries = list(self._new_deliveries(selected))
        last = new[-1].n
        merged = {other for one in new if one.kind == "merged" for other in one.others}
        with self._database.write() as connection:
            if tombstones.newest(connection) != forgotten_at:
                return []  # a story that was read may have been erased since: the next step reads it again
            outbox.drop_held(connection, merged, now, now - self._hold)
            outbox.add(
                connection, new_deliveries, {name: max(last, n) for name, n in last_change_no.items()}, now
            )
            for name in {one.webhook for one in new_deliveries}:
                outbox.keep_within(connection, name, self._tuning.waiting_max, now)
        return sorted({one.webhook for one in new_deliveries})

    def prune(self) -> None:
        """Delete deliveries that ended long ago."""
        now = self._now()
        with self._database.write() as connection:
            if retention.is_steady(connection, now, self._steady):
                outbox.prune(connection, now - dt.timedelta(days=_OUTBOX_DAYS))

    def _changes_for(
        self, connection: Connection, hook: Webhook, new: Sequence[Change], now: dt.datetime
    ) -> list[Change]:
        """Return the changes that the webhook receives."""
        story_filter = hook.story_filter(now)
        ids = {one.story for one in new}
        matches = (
            ids if story_filter is None else StoryMatcher(connection, story_filter).matching(connection, ids)
        )
        merged_ids = {other for one in new if one.kind != "split" for other in one.others}
        announced = outbox.already_sent(connection, hook.name, merged_ids, now - self._hold)
        return [
            one
            for one in new
            if (one.story in matches and not self._is_old(one))
            or (one.kind != "split" and announced.intersection(one.others))
        ]

    def _is_old(self, one: Change) -> bool:
        return one.at - one.updated > dt.timedelta(hours=_OLD_HOURS)

    def _new_deliveries(self, selected: dict[str, list[Change]]) -> Iterable[NewDelivery]:
        stories = self._stories({one.story for changes in selected.values() for one in changes})
        for name, changes in selected.items():
            for one in changes:
                if one.story in stories:
                    yield NewDelivery(
                        webhook=name,
                        change=one.n,
                        id=delivery_id(name, one),
                        story=one.was,
                        body=delivery_body(
                            self._webhooks[name], one, stories[one.story], self._settings, self._tuning
                        ),
                    )

    def _stories(self, ids: set[str]) -> dict[str, StoryView]:
        """Return the stories by id; for a story that was merged meanwhile, its successor."""
        found = {story.id: story for story in self._reader.stories_by_id(tuple(sorted(ids)))}
        for id_ in ids - set(found):
            story = self._reader.story(id_)
            if isinstance(story, StoryRedirect):
                story = self._reader.story(story.to)
            if isinstance(story, StoryView):
                found[id_] = story
        return found
