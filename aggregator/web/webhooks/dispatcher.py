"""Which changes a hook is told of: from the stream of changes into the outbox.

A delivery is made of a change whose story fits the hook's query by then. Not told is what sorts far before
our clock (an archive, a flood). That a story gave way is told to whoever was told of it, whatever the query.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence

from aggregator.config.webhooks import Webhook
from aggregator.model.core import StoryView
from aggregator.model.read_model import Change, StoryRedirect
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import tombstones
from aggregator.store.maintenance import retention
from aggregator.store.read import change_stream
from aggregator.store.read.reader import DatabaseStoryReader
from aggregator.store.read.story_filter import fitting
from aggregator.store.search import index
from aggregator.store.stories import outbox
from aggregator.store.stories.outbox import NewDelivery
from aggregator.web.settings import PublishSettings
from aggregator.web.webhooks.payload import WebhookTuning, delivery_body, delivery_id

_ALL_INDEXED = 2**62
_PRUNE_EVERY = dt.timedelta(hours=1)


class WebhookDispatcher:
    """Fills the outbox. One at a time for a database: the process that is the writer of stories."""

    def __init__(
        self,
        database: Database,
        reading: DatabaseStoryReader,
        webhooks: Sequence[Webhook],
        settings: PublishSettings,
        *,
        tuning: WebhookTuning,
        steady_days: float,
        now: Callable[[], dt.datetime],
    ) -> None:
        """Nothing is forgotten before the clock has gone on for `steady_days` without a jump."""
        self._database = database
        self._reading = reading
        self._webhooks = {hook.name: hook for hook in webhooks}
        self._settings = settings
        self._tuning = tuning
        self._steady = dt.timedelta(days=steady_days)
        self._now = now
        self._pruned_at: dt.datetime | None = None
        # A query asks the full-text index, which follows a moment after an article was placed.
        self._asks_index = any(hook.query is not None and hook.query.query for hook in webhooks)

    def sync_webhooks(self) -> None:
        """Take over which hooks there are, at the start: before anything else is placed."""
        with self._database.write() as connection:
            places = {name: hook.place for name, hook in self._webhooks.items()}
            outbox.sync_webhooks(connection, places, change_stream.last_number(connection), self._now())

    def step(self) -> list[str] | None:
        """Look at the next changes; returns the hooks that have deliveries now, None where none was new."""
        now = self._now()
        with self._database.read() as connection:
            forgotten_at = tombstones.newest(connection)
            read_to = {
                row.name: row.read_to
                for row in outbox.webhooks(connection)
                if row.is_on and row.name in self._webhooks
            }
            if not read_to:
                return None
            indexed_to = index.indexed_to(connection) if self._asks_index else _ALL_INDEXED
            new = change_stream.following(
                connection, min(read_to.values()), self._tuning.batch_changes, indexed_to=indexed_to
            )
            if not new:
                return None
            told = {
                name: self._changes_for(
                    connection, self._webhooks[name], [one for one in new if one.n > last], now
                )
                for name, last in read_to.items()
            }
        new_deliveries = list(self._new_deliveries(told))
        last = new[-1].n
        with self._database.write() as connection:
            if tombstones.newest(connection) != forgotten_at:
                return []  # what was read meanwhile may be gone: it is asked again
            outbox.add(connection, new_deliveries, {name: max(last, n) for name, n in read_to.items()}, now)
            for name in {one.hook for one in new_deliveries}:
                outbox.keep_within(connection, name, self._tuning.waiting_most, now)
        return sorted({one.hook for one in new_deliveries})

    def prune(self) -> None:
        """Forget deliveries that ended long ago; does nothing where it did so within the hour."""
        now = self._now()
        if self._pruned_at is None or not dt.timedelta(0) <= now - self._pruned_at < _PRUNE_EVERY:
            with self._database.write() as connection:
                if retention.is_steady(connection, now, self._steady):
                    outbox.prune(connection, now - dt.timedelta(days=self._tuning.kept_days))
            self._pruned_at = now

    def _changes_for(
        self, connection: Connection, hook: Webhook, new: Sequence[Change], now: dt.datetime
    ) -> list[Change]:
        """Those of the changes that the hook is told of."""
        wanted = hook.wanted(now)
        ids = {one.story for one in new}
        fits = ids if wanted is None else fitting(connection, wanted, ids)
        gave_way = {other for one in new if one.kind != "split" for other in one.others}
        known = outbox.already_sent(connection, hook.name, gave_way) if gave_way else set()
        return [
            one
            for one in new
            if (one.story in fits and not self._is_old(one))
            or (one.kind != "split" and known.intersection(one.others))
        ]

    def _is_old(self, one: Change) -> bool:
        return one.at - one.updated > dt.timedelta(hours=self._tuning.old_hours)

    def _new_deliveries(self, told: dict[str, list[Change]]) -> Iterable[NewDelivery]:
        stories = self._stories({one.story for some in told.values() for one in some})
        for name, some in told.items():
            for one in some:
                if one.story in stories:
                    yield NewDelivery(
                        hook=name,
                        change=one.n,
                        id=delivery_id(name, one),
                        story=one.was,
                        body=delivery_body(
                            self._webhooks[name], one, stories[one.story], self._settings, self._tuning
                        ),
                    )

    def _stories(self, ids: set[str]) -> dict[str, StoryView]:
        """The stories by these ids, also where one gave way since the changes were read."""
        found = {story.id: story for story in self._reading.stories_by_id(tuple(sorted(ids)))}
        for id_ in ids - set(found):
            story = self._reading.story(id_)
            if isinstance(story, StoryRedirect):
                story = self._reading.story(story.to)
            if isinstance(story, StoryView):
                found[id_] = story
        return found
