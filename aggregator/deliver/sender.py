"""Send the deliveries of one recipient, store the results, and schedule retries."""

import logging
import random
from collections.abc import Callable
from datetime import datetime, timedelta

from aggregator.config.tuning import Tuning
from aggregator.config.webhook_settings import (
    Notification,
    Recipient,
    Webhook,
    recipient_words,
)
from aggregator.deliver.delivery_bodies import DeliveryWriter
from aggregator.deliver.transmit import Transmitter, WebhookTuning
from aggregator.model.clock import Clock
from aggregator.sources.fetch.poll_schedule import is_overdue_by_jump
from aggregator.sources.fetch.posting import PostResult, host_of
from aggregator.sources.source_limits import net_tuning
from aggregator.store import steady_clock
from aggregator.store.deliveries import recipients, sending
from aggregator.store.deliveries.sending import Delivery
from aggregator.store.engine.database import Connection, Database

_HOUR = timedelta(hours=1)
_RETRY_JITTER = 0.2  # This share of a gap is added or subtracted at random.
_GONE = 410

log = logging.getLogger(__name__)


class WebhookSender:
    """Sends the deliveries of one recipient, one at a time, so that those of one story arrive in order."""

    def __init__(  # noqa: PLR0917 - what sending needs
        self,
        database: Database,
        webhook: Recipient,
        writer: DeliveryWriter,
        transmitter: Transmitter,
        all_tuning: Tuning,
        now: Clock,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`chance` returns a random number from 0 to 1, for the jitter of gaps.

        No delivery is given up before the clock has run for `retention.steady_days` without a jump.
        """
        self._database = database
        self._webhook = webhook
        self._writer = writer
        self._transmitter = transmitter
        self._tuning = all_tuning.section("webhooks", WebhookTuning)
        self._longest_wait = net_tuning(all_tuning).interval_cap_seconds
        self._steady = timedelta(days=all_tuning.values("retention")["steady_days"])
        self._now = now
        self._chance = chance
        self._last: datetime | None = None  # the time of the last step
        # The result of the last attempt, until the database has stored it
        self._unstored: tuple[Delivery, PostResult] | None = None

    def step(self) -> float | None:
        """Send the next due delivery, if there is one. Return the seconds until the next step.

        Return None if no delivery is waiting, or if the daemon is stopping.
        """
        now = self._now()
        self._correct_times(now)
        if self._unstored is None:
            with self._database.read() as connection:
                due = self._next_due(connection, now)
            if due is None:
                return None
            if isinstance(due, datetime):
                return max(0.0, (due - self._now()).total_seconds())
            message = self._writer.write(self._webhook, due)
            if message is None:  # nothing is left to be sent
                posted = PostResult(status=204)
            else:
                posted = self._transmitter.send(
                    self._webhook, due.id, message, self._now()
                )
            if posted.is_stopped:
                # The daemon is stopping; the delivery is sent after the next start
                return None
            self._unstored = due, posted
        delivery, posted = self._unstored
        outcome = self._database.transact(
            lambda connection: self._settle(connection, delivery, posted)
        )
        self._unstored = None
        name = self._webhook.name
        where = recipient_words(name)
        # The addresses of other recipients are not logged, because even their host may be a secret.
        if isinstance(self._webhook, Webhook):
            where += f" ({host_of(self._webhook.url)})"
        log.log(
            logging.INFO if posted.is_accepted else logging.WARNING,
            "%s: change %d of story %s, attempt %d: %s",
            where, delivery.change, delivery.story, delivery.attempts + 1, outcome,
            extra={"event": "delivery_attempted", "webhook": name, "story": delivery.story},
        )  # fmt: skip
        return 0.0

    def _correct_times(self, now: datetime) -> None:
        """Correct the times of deliveries that a wrong clock made due too late.

        After the clock was set back, all waiting deliveries become due now. At the start, later times are cut to twice
        the longest wait from now, because no delivery waits longer if the clock is right.
        """
        latest = now
        if self._last is None:
            latest += 2 * timedelta(seconds=self._longest_wait)
        if self._last is None or is_overdue_by_jump(self._last, now):
            self._database.transact(
                lambda connection: recipients.pull_in(
                    connection, self._webhook.name, latest
                )
            )
        self._last = now

    def _next_due(
        self, connection: Connection, now: datetime
    ) -> Delivery | datetime | None:
        """Return the next delivery, the time when one is due, or None if none waits.

        For a notification, the last message that `messages_an_hour` allows contains all waiting changes.
        """
        hook = self._webhook
        due = sending.next_due(connection, hook.name, now)
        if not isinstance(due, Delivery) or not isinstance(hook, Notification):
            return due
        sent = sending.times_sent(connection, hook.name, now - _HOUR, now)
        if len(sent) >= hook.messages_an_hour:
            return sent[-hook.messages_an_hour] + _HOUR
        if len(sent) == hook.messages_an_hour - 1:
            return sending.with_all_waiting(connection, due)
        return due

    def _settle(self, connection: Connection, due: Delivery, posted: PostResult) -> str:
        """Store the result of an attempt; return a description of the result for the log."""
        now = self._now()
        if posted.is_accepted:
            sending.mark_delivered(connection, due, now)
            return f"accepted ({posted.status})"
        if posted.status == _GONE:
            sending.mark_gone(connection, due, now, posted.problem)
            return f"{posted.problem}; no further deliveries are sent there"
        wanted_by_receiver = posted.retry_after_seconds or 0.0
        gap = max(self._gap(due.attempts + 1), wanted_by_receiver)
        failures = recipients.failures_of(connection, self._webhook.name)
        pause = max(
            min(self._gap(failures + 1), self._tuning.pause_max_seconds),
            min(wanted_by_receiver, self._longest_wait),
        )
        tried_for = now - (due.first_attempt_at or now)
        is_final = (
            tried_for.total_seconds() >= self._tuning.give_up_seconds
            and steady_clock.is_steady(connection, now, self._steady)
        )
        sending.mark_failed(
            connection,
            due,
            now,
            posted.problem,
            next_at=None if is_final else now + timedelta(seconds=gap),
            resumes_at=now + timedelta(seconds=pause),
        )
        if is_final:
            return f"{posted.problem}; given up"
        return f"{posted.problem}; retry in {gap:.0f} s"

    def _gap(self, tries: int) -> float:
        """Return the seconds until the next attempt after `tries` failures (1 or more)."""
        first = self._tuning.retry_first_seconds
        exponent = min(tries - 1, 64)
        gap = min(first * self._tuning.retry_factor**exponent, self._longest_wait)
        return gap * (1 + _RETRY_JITTER * (2 * self._chance() - 1))
