"""Fill the outbox from the change stream, and run the threads that send.

A change becomes a delivery if its story matches the query of the recipient at that time. A notification is
about a story that was not announced yet, or about each report. Changes with a time
far in the past (an archive, a flood) are skipped. When a story is merged into another one, every webhook that
received a delivery about it is notified, whatever its query.

One thread fills the outbox, and each recipient has one that sends: a receiver that hangs delays its own
deliveries only. A stop cancels a running request; the delivery is sent again, with the same id, after the
next start.
"""

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from aggregator.config import webhooks
from aggregator.config.settings import Config
from aggregator.config.tuning import Tuning
from aggregator.intake.workers.executor import is_left_behind
from aggregator.model.core import Clock, StoryView
from aggregator.model.errors import AggregatorError
from aggregator.model.read_model import Change, StoryFilter, StoryRedirect
from aggregator.store import steady_clock
from aggregator.store.deliveries import outbox, recipients
from aggregator.store.deliveries.outbox import NewDelivery
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake.identity import tombstones
from aggregator.store.read import change_stream, digests
from aggregator.store.read.browser_mutes import in_force
from aggregator.store.read.reader import StoryReader
from aggregator.store.read.story_filter import StoryMatcher
from aggregator.store.search import progress
from aggregator.web.sanitise import encode_json
from aggregator.web.settings import PublishSettings
from aggregator.web.webhooks.sender import (
    WebhookSender,
    delivery_body,
    delivery_id,
    digest_id,
)
from aggregator.web.webhooks.summaries import Summariser
from aggregator.web.webhooks.transmit import Transmitter, WebhookTuning, outgoing_client

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
            recipients.sync_webhooks(
                connection,
                self._places,
                change_stream.last_number(connection),
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
                for row in recipients.webhooks(connection)
                if row.is_configured and row.name in self._webhooks
            }
            if not last_change_no:
                self._quiet_version = version
                return None
            indexed_to = (
                progress.indexed_to(connection) if self._uses_index else _ALL_INDEXED
            )
            new = change_stream.following(
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
            digests.lock_digests(connection)
            if (whole := digests.next_span(connection, webhooks.DIGEST, until)) is None:
                return []
            if self._uses_index and not digests.is_span_indexed(connection, whole):
                return None
            filled = []
            for one in self._digest_readers:
                span = digests.next_span(connection, one.name, until)
                wanted = one.story_filter(until) or StoryFilter()
                if one.address:  # the list of digests is for everybody
                    wanted = replace(wanted, mutes=in_force(connection))
                if span is None or not digests.ranked_for_digest(
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
            if one.story in ids and one.at - one.updated <= digests.OLD_NEWS
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


log = logging.getLogger(__name__)

POLL_SECONDS = (
    # Between two reads of the change stream, unless woken; another process may have placed articles
    1.0
)
REST_SECONDS = 10.0  # back-off after an error of the database
SUMMARIES = "summaries:"  # the name of the thread of `summarise:`
# The longest time between two reads of an outbox; `webhooks resume` wakes no thread
IDLE_SECONDS = 30.0


class WebhookThreads:
    """Runs the threads until `stop`.

    `is_writer` returns whether this process is the writer; other processes send nothing. `heartbeat` is
    called while the dispatcher makes progress, `failed` with an exception that ended a thread.
    """

    def __init__(
        self,
        dispatcher: WebhookDispatcher,
        senders: Mapping[str, WebhookSender | Summariser],
        stop_sending: Callable[[], None],
        *,
        is_writer: Callable[[], bool],
        heartbeat: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self.dispatcher = dispatcher
        self._senders = senders
        self._stop_sending = stop_sending
        self._is_writer = is_writer
        self._heartbeat = heartbeat
        self._failed = failed
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._filled = {name: threading.Event() for name in senders}
        self._threads = [
            threading.Thread(target=self._fill, name="webhooks", daemon=True)
        ] + [
            threading.Thread(
                target=self._send,
                args=(name,),
                name=webhooks.recipient_words(name).strip(),
                daemon=True,
            )
            for name in senders
        ]

    def make_digest(self, until: dt.datetime) -> bool:
        """Store the digest that was due at `until`, unless it is; return False if that has to wait."""
        readers = self.dispatcher.make_digest(until)
        for name in readers or ():
            self._filled[name].set()
        return readers is not None

    def start(self) -> None:
        """Start the threads if something may be sent."""
        if self._senders:
            self._heartbeat()
            for thread in self._threads:
                thread.start()

    def wake(self) -> None:
        """Wake the dispatcher because articles were placed."""
        self._changed.set()

    def stop(self) -> None:
        """Ask all threads to end, and cancel running requests."""
        self._stopping.set()
        self._stop_sending()
        for event in (self._changed, *self._filled.values()):
            event.set()

    def join(self, seconds: float) -> int:
        """Wait up to `seconds` for the threads; return how many did not end."""
        deadline = time.monotonic() + seconds
        return sum(
            is_left_behind(thread, deadline - time.monotonic())
            for thread in self._threads
        )

    def _fill(self) -> None:
        def step() -> float:
            filled = self.dispatcher.step()
            for name in filled or ():
                self._filled[name].set()
            return POLL_SECONDS if filled is None else 0.0

        self._run(step, self._changed, self._heartbeat)

    def _send(self, name: str) -> None:
        def step() -> float:
            seconds = self._senders[name].step()
            return IDLE_SECONDS if seconds is None else min(seconds, IDLE_SECONDS)

        self._run(step, self._filled[name], lambda: None)

    def _run(
        self,
        step: Callable[[], float],
        event: threading.Event,
        heartbeat: Callable[[], None],
    ) -> None:
        """Call `step` repeatedly; between calls wait for `event` or for the seconds that it returned."""
        try:
            while not self._stopping.is_set():
                heartbeat()
                event.clear()
                try:
                    event.wait(step() if self._is_writer() else POLL_SECONDS)
                except AggregatorError as error:
                    if self._stopping.is_set():
                        return
                    log.error(  # noqa: TRY400
                        "%s: paused for %.0f s: %s",
                        threading.current_thread().name, REST_SECONDS, error,
                        extra={"event": "webhook_paused"},
                    )  # fmt: skip
                    until = time.monotonic() + REST_SECONDS
                    while time.monotonic() < until and not self._stopping.wait(1.0):
                        # A thread that waits for the database does not hang
                        heartbeat()
        except BaseException as error:  # noqa: BLE001 - passed to the main thread, which raises it
            self._failed(error)


def webhook_threads(
    config: Config,
    settings: PublishSettings,
    database: Database,
    now: Clock,
    summariser: Summariser | None,
    *,
    is_writer: Callable[[], bool],
    heartbeat: Callable[[], None],
    failed: Callable[[BaseException], None],
) -> WebhookThreads:
    """Return the threads of a configuration, not started. Raises ConfigError for a bad webhook."""
    recipients, all_tuning = webhooks.recipients_from(config), config.effective_tuning
    reader = StoryReader(database, all_tuning)
    transmitter = Transmitter(
        outgoing_client(config), settings, all_tuning, now, reader
    )
    senders: dict[str, WebhookSender | Summariser] = {
        one.name: WebhookSender(database, one, transmitter, all_tuning, now)
        for one in recipients
        if one.name != webhooks.DIGEST
    }
    if summariser is not None:
        senders[SUMMARIES] = summariser

    def stop_sending() -> None:
        transmitter.close()
        if summariser is not None:
            summariser.close()

    return WebhookThreads(
        WebhookDispatcher(database, reader, recipients, settings, all_tuning, now),
        senders,
        stop_sending,
        is_writer=is_writer,
        heartbeat=heartbeat,
        failed=failed,
    )
