"""Send the deliveries of one recipient in order, store their results, and schedule retries."""

import datetime as dt
import logging
import random
from collections.abc import Callable

from aggregator.config.webhooks import Recipient, Webhook, recipient_words
from aggregator.sources.fetch.poll_schedule import is_overdue_by_jump
from aggregator.sources.fetch.webhook_post import PostResult, host_of
from aggregator.store.engine.database import Connection, Database
from aggregator.store.maintenance import retention
from aggregator.store.stories import outbox
from aggregator.store.stories.outbox import Delivery
from aggregator.web.webhooks.payload import WebhookTuning
from aggregator.web.webhooks.transmit import Transmitter

_RETRY_JITTER = 0.2  # of the back-off, added or subtracted at random
_GIVE_UP_HOURS = 72.0  # hours after the first attempt of a delivery


def gap_seconds(tries: int, tuning: WebhookTuning, chance: float) -> float:
    """Return the seconds until the next attempt after `tries` failures of a delivery (1 or more).

    The gap grows exponentially up to a limit; `chance`, from 0 to 1, is the random part.
    """
    exponent = min(max(tries, 1) - 1, 64)
    gap = min(tuning.retry_first_seconds * tuning.retry_factor**exponent, tuning.retry_max_seconds)
    return gap * (1 + _RETRY_JITTER * (2 * chance - 1))


def pause_seconds(failures: int, ttl_seconds: float | None, tuning: WebhookTuning, chance: float) -> float:
    """Return the seconds without requests after `failures` of a webhook in a row.

    `ttl_seconds` is the Retry-After of the receiver.
    """
    own = min(gap_seconds(failures, tuning, chance), tuning.pause_max_seconds)
    return own if ttl_seconds is None else max(own, min(ttl_seconds, tuning.retry_max_seconds))


log = logging.getLogger(__name__)

_GONE = 410


class WebhookSender:
    """Sends the deliveries of one recipient, one at a time, so that they arrive in order."""

    def __init__(
        self,
        database: Database,
        webhook: Recipient,
        transmitter: Transmitter,
        *,
        tuning: WebhookTuning,
        steady_days: float,
        now: Callable[[], dt.datetime],
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`chance` returns a random number from 0 to 1 for the jitter of gaps.

        No delivery is given up before the clock has run for `steady_days` without a jump.
        """
        self._database = database
        self._webhook = webhook
        self._longest_wait_seconds = transmitter.longest_wait_seconds
        self._transmit = transmitter.to(webhook)
        self._tuning = tuning
        self._steady = dt.timedelta(days=steady_days)
        self._hold = dt.timedelta(seconds=tuning.page_hold_seconds)
        self._now = now
        self._chance = chance
        self._last: dt.datetime | None = None  # the time of the last step

    def step(self) -> float | None:
        """Send the next due delivery; return the seconds until another is due, None if none is waiting."""
        now = self._now()
        if self._last is None or is_overdue_by_jump(self._last, now):
            longest = dt.timedelta(seconds=self._longest_wait_seconds)
            longest = max(longest, dt.timedelta(seconds=self._tuning.retry_max_seconds * 2))
            latest = now + longest if self._last is None else now
            self._database.transact(lambda connection: outbox.pull_in(connection, self._webhook.name, latest))
        self._last = now
        with self._database.read() as connection:
            due = outbox.next_due(connection, self._webhook.name, now, now - self._hold)
        if due is None:
            return None
        if isinstance(due, dt.datetime):
            return max(0.0, (due - self._now()).total_seconds())
        posted = self._transmit(due.id, due.body, self._now())
        if posted.is_stopped:
            return None  # the daemon is stopping; the delivery is sent after the next start
        result = self._database.transact(lambda connection: self._settle(connection, due, posted))
        where = recipient_words(self._webhook.name)
        if isinstance(self._webhook, Webhook):  # in other addresses the host may be the secret
            where += f" ({host_of(self._webhook.url)})"
        log.log(
            logging.INFO if posted.is_accepted else logging.WARNING,
            "%s: change %d of story %s, attempt %d: %s",
            where, due.change, due.story, due.attempts + 1, result,
            extra={"event": "delivery_attempted", "webhook": self._webhook.name, "story": due.story},
        )  # fmt: skip
        return 0.0

    def _settle(self, connection: Connection, due: Delivery, posted: PostResult) -> str:
        """Store the result of an attempt and return it as a text for the log."""
        now = self._now()
        if posted.is_accepted:
            outbox.mark_delivered(connection, due, now, recovered_after=self._tuning.recovered_after)
            return f"accepted ({posted.status})"
        if posted.status == _GONE:
            outbox.mark_gone(connection, due, now, posted.problem)
            return f"{posted.problem}; no further deliveries are sent there"
        first = due.first_attempt_at or now
        gap = max(
            gap_seconds(due.attempts + 1, self._tuning, self._chance()), posted.retry_after_seconds or 0.0
        )
        is_final = now - first >= dt.timedelta(hours=_GIVE_UP_HOURS)
        is_final = is_final and retention.is_steady(connection, now, self._steady)
        failures = outbox.failures_of(connection, self._webhook.name) + 1
        pause = pause_seconds(failures, posted.retry_after_seconds, self._tuning, self._chance())
        outbox.mark_failed(
            connection,
            due,
            now,
            posted.problem,
            next_at=None if is_final else now + dt.timedelta(seconds=gap),
            resumes_at=now + dt.timedelta(seconds=pause),
        )
        return f"{posted.problem}; given up" if is_final else f"{posted.problem}; retry in {gap:.0f} s"
