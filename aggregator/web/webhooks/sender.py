"""One hook's deliveries, one after the other: the next that is due, and what came of it.

When a delivery that failed is tried again.
"""

import datetime as dt
import logging
import random
from collections.abc import Callable

from aggregator.config.webhook_signature import signed_headers
from aggregator.config.webhooks import Webhook
from aggregator.sources.fetch.poll_schedule import is_overdue_by_jump
from aggregator.sources.fetch.webhook_post import PostResult, WebhookPoster, host_of
from aggregator.store.engine.database import Connection, Database
from aggregator.store.maintenance import retention
from aggregator.store.stories import outbox
from aggregator.store.stories.outbox import Delivery
from aggregator.web.webhooks.payload import WebhookTuning


def gap_seconds(tries: int, tuning: WebhookTuning, chance: float) -> float:
    """The gap after the `tries`-th failure in a row, from 1; `chance` from 0 to 1 is what makes it differ."""
    exponent = min(max(tries, 1) - 1, 64)
    gap = min(tuning.retry_first_seconds * tuning.retry_factor**exponent, tuning.retry_most_seconds)
    return gap * (1 + tuning.retry_jitter * (2 * chance - 1))


def pause_seconds(failures: int, asked_seconds: float | None, tuning: WebhookTuning, chance: float) -> float:
    """How long a hook rests after so many failures in a row; `asked_seconds`: what its receiver asked for."""
    own = min(gap_seconds(failures, tuning, chance), tuning.pause_most_seconds)
    return own if asked_seconds is None else max(own, min(asked_seconds, tuning.retry_most_seconds))


log = logging.getLogger(__name__)

_GONE = 410
_JSON = {"content-type": "application/json"}


def send(poster: WebhookPoster, webhook: Webhook, id_: str, body: bytes, now: dt.datetime) -> PostResult:
    """One signed delivery."""
    return poster.post(
        webhook.url, body, _JSON | signed_headers(webhook.key, id_, int(now.timestamp()), body)
    )


class WebhookSender:
    """Sends what waits for one hook. One at a time for a hook, so that nothing overtakes."""

    def __init__(
        self,
        database: Database,
        webhook: Webhook,
        poster: WebhookPoster,
        *,
        tuning: WebhookTuning,
        steady_days: float,
        now: Callable[[], dt.datetime],
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`chance` gives a number from 0 to 1, by which gaps differ.

        Nothing is given up before the clock has gone on for `steady_days` without a jump.
        """
        self._database = database
        self._webhook = webhook
        self._poster = poster
        self._tuning = tuning
        self._steady = dt.timedelta(days=steady_days)
        self._now = now
        self._chance = chance
        self._last: dt.datetime | None = None  # when the last step was

    def step(self) -> float | None:
        """Send the next delivery that is due; returns the seconds until one is, None where nothing waits."""
        now = self._now()
        if self._last is None or is_overdue_by_jump(self._last, now):
            longest = dt.timedelta(seconds=self._poster.longest_wait_seconds)
            longest = max(longest, dt.timedelta(seconds=self._tuning.retry_most_seconds * 2))
            latest = now + longest if self._last is None else now
            self._database.transact(lambda connection: outbox.pull_in(connection, self._webhook.name, latest))
        self._last = now
        with self._database.read() as connection:
            due = outbox.next_due(connection, self._webhook.name, self._now())
        if due is None:
            return None
        if isinstance(due, dt.datetime):
            return max(0.0, (due - self._now()).total_seconds())
        posted = send(self._poster, self._webhook, due.id, due.body, self._now())
        if posted.is_stopped:
            return None  # we stop: it is sent at the next start
        words = self._database.transact(lambda connection: self._settle(connection, due, posted))
        where = f"webhook {self._webhook.name} ({host_of(self._webhook.url)})"
        log.log(
            logging.INFO if posted.is_accepted else logging.WARNING,
            "%s: change %d of story %s, try %d: %s",
            where, due.change, due.story, due.tries + 1, words,
            extra={"hook": self._webhook.name, "story": due.story},
        )  # fmt: skip
        return 0.0

    def _settle(self, connection: Connection, due: Delivery, posted: PostResult) -> str:
        """Write down what came of it, and say it."""
        now = self._now()
        if posted.is_accepted:
            outbox.mark_delivered(connection, due, now, recovered_after=self._tuning.recovered_after)
            return f"taken ({posted.status})"
        if posted.status == _GONE:
            outbox.mark_gone(connection, due, now, posted.problem)
            return f"{posted.problem}; nothing is sent there any more"
        first = due.first_tried_at or now
        gap = max(gap_seconds(due.tries + 1, self._tuning, self._chance()), posted.retry_after_seconds or 0.0)
        ends = now - first >= dt.timedelta(hours=self._tuning.give_up_hours)
        ends = ends and retention.is_steady(connection, now, self._steady)
        failures = outbox.failures_of(connection, self._webhook.name) + 1
        pause = pause_seconds(failures, posted.retry_after_seconds, self._tuning, self._chance())
        outbox.mark_failed(
            connection,
            due,
            now,
            posted.problem,
            next_at=None if ends else now + dt.timedelta(seconds=gap),
            resumes_at=now + dt.timedelta(seconds=pause),
        )
        return f"{posted.problem}; given up" if ends else f"{posted.problem}; again in {gap:.0f} s"
