"""Send the deliveries of one recipient in order, store their results, and schedule retries.

The body of a delivery holds the change and the current story, with excerpts only (docs/sending.md).
"""

import datetime as dt
import hashlib
import logging
import random
from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.config.webhooks import Notification, Recipient, Webhook, recipient_words
from aggregator.model.core import Clock, StoryView, in_utc
from aggregator.model.read_model import Change
from aggregator.sources.fetch.poll_schedule import is_overdue_by_jump
from aggregator.sources.fetch.posting import PostResult, host_of
from aggregator.sources.limits import net_tuning
from aggregator.store import steady_clock
from aggregator.store.deliveries import recipients, sending
from aggregator.store.deliveries.sending import Delivery
from aggregator.store.engine.database import Connection, Database
from aggregator.web.excerpts import count_words, first_words, for_reader
from aggregator.web.sanitise import encode_json
from aggregator.web.settings import PublishSettings
from aggregator.web.story_json import story_in_list
from aggregator.web.webhooks.transmit import Transmitter, WebhookTuning

_HOUR = dt.timedelta(hours=1)
_ARTICLES_MAX = 50  # newest articles listed in one delivery; counts are of all


# What a delivery has of a change and of a new article; `lead` is within the excerpt limit.
_OF_CHANGE = (
    "n",
    "kind",
    "at",
    "updated",
    "title",
    "title_before",
    "report_count",
    "others",
)
_OF_ARTICLE = ("id", "outlet", "url", "title", "lead", "published", "language")


def delivery_id(hook: str, change: Change) -> str:
    """Return the id of the delivery: the same if the same change is decided and stored again.

    It contains no time of this machine, because the last decisions may be repeated after a power failure.
    """
    article = change.article.id if change.article else ""
    return _id_of(f"{hook}\0{change.n}\0{change.was}\0{change.kind}\0{article}")


def digest_id(reader: str, last_change: int) -> str:
    """Return the id of a digest: the same if the same one is stored again."""
    return _id_of(f"{reader}\0{last_change}")


def _id_of(identity: str) -> str:
    return "msg_" + hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()


def delivery_body(
    hook: Recipient,
    change: Change,
    story: StoryView,
    settings: PublishSettings,
    tuning: WebhookTuning,
) -> bytes:
    """Return JSON of at most `body_cap_bytes`; older articles are left out until it fits."""
    bounded_change, shown = _bounded(change, story, settings.excerpt_words)
    listed = _ARTICLES_MAX
    while True:
        body = encode_json(_delivery(hook, bounded_change, shown, settings, listed))
        if len(body) <= tuning.body_cap_bytes or listed == 0:
            return body
        listed //= 2


# Stories listed in a message about several: 1,600 characters (Discord: 2,000)
LISTED_TOGETHER = 10


def several_body(each: str, bodies: Sequence[bytes], number: int) -> bytes:
    """Return the body of one notification about `number` deliveries, of which the first ones are listed."""
    listed = [msgspec.json.decode(one)["data"] for one in bodies]
    stories = [{"title": one["story"]["title"], "url": one["url"]} for one in listed]
    return encode_json(
        {"type": "several", "each": each, "number": number, "stories": stories}
    )


def trial_body(hook: Recipient, now: dt.datetime) -> bytes:
    """Return the body of a test delivery."""
    data = {"hook": hook.name, "query": hook.query.name if hook.query else None}
    return encode_json({"timestamp": in_utc(now), "data": data, "type": "test"})


def _bounded(change: Change, story: StoryView, words: int) -> tuple[Change, StoryView]:
    """Return the change and the story with at most `words` words of any article.

    A headline that is not the current title of an article may be a former title of any of them, so it counts
    for all.
    """
    current_titles = {article.title for article in story.articles}
    headlines = dict.fromkeys(
        filter(None, (story.title, change.title, change.title_before))
    )
    left, cut = words, {}
    for title in headlines:
        if title not in current_titles:
            cut[title] = first_words(title, left) if left else ""
            left -= min(left, count_words(title))
    for title in headlines:
        cut.setdefault(title, first_words(title, left) if left else "")
    bounded_change = replace(
        change,
        title=cut.get(change.title, ""),
        title_before=cut.get(change.title_before or ""),
    )
    bounded = for_reader(replace(story, title=""), None, "excerpt", left)[0]
    return bounded_change, replace(bounded, title=cut.get(story.title, ""))


def _delivery(
    hook: Recipient,
    change: Change,
    story: StoryView,
    settings: PublishSettings,
    listed: int,
) -> dict[str, object]:
    """Return the body, in the form that Standard Webhooks proposes; docs/sending.md has its members."""
    newest = (
        sorted(story.articles, key=lambda one: (one.effective_at, one.id))[-listed:]
        if listed
        else []
    )
    new = (
        None
        if change.article is None
        else {one.id: one for one in story.articles}.get(change.article.id)
    )
    return {
        "type": f"story.{change.kind}",
        "timestamp": in_utc(change.at),
        "data": {
            "hook": hook.name,
            "query": hook.query.name if hook.query else None,
            "url": f"{settings.base_url}/stories/{story.id}",
            "change": _members(change, _OF_CHANGE)
            | {"article": None if new is None else _members(new, _OF_ARTICLE)},
            "story": story_in_list(replace(story, articles=tuple(newest))),
            "articles_left_out": len(story.articles) - len(newest),
        },
    }


def _members(source: object, names: Sequence[str]) -> dict[str, object]:
    """Return attributes by name, times in UTC."""
    values = {name: getattr(source, name) for name in names}
    return {
        name: in_utc(one) if isinstance(one, dt.datetime) else one
        for name, one in values.items()
    }


_RETRY_JITTER = 0.2  # of the back-off, added or subtracted at random
_GIVE_UP_HOURS = 72.0  # hours after the first attempt of a delivery


def gap_seconds(
    tries: int, tuning: WebhookTuning, longest: float, chance: float
) -> float:
    """Return the seconds until the next attempt after `tries` failures of a delivery (1 or more).

    The gap grows exponentially up to `longest`; `chance`, from 0 to 1, is the random part.
    """
    exponent = min(max(tries, 1) - 1, 64)
    gap = min(tuning.retry_first_seconds * tuning.retry_factor**exponent, longest)
    return gap * (1 + _RETRY_JITTER * (2 * chance - 1))


log = logging.getLogger(__name__)

_GONE = 410


class WebhookSender:
    """Sends the deliveries of one recipient, one at a time, so that they arrive in order."""

    def __init__(
        self,
        database: Database,
        webhook: Recipient,
        transmitter: Transmitter,
        all_tuning: Tuning,
        now: Clock,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`chance`: from 0 to 1, for the jitter of gaps.

        No delivery is given up before the clock has run for `retention.steady_days` without a jump.
        """
        self._database = database
        self._webhook = webhook
        self._transmitter = transmitter
        self._tuning = all_tuning.section("webhooks", WebhookTuning)
        self._longest = net_tuning(all_tuning).interval_cap_seconds  # of a wait
        self._steady = dt.timedelta(days=all_tuning.values("retention")["steady_days"])
        self._now = now
        self._chance = chance
        self._last: dt.datetime | None = None  # the time of the last step
        # The database did not store this result
        self._unstored: tuple[Delivery, PostResult] | None = None

    def step(self) -> float | None:
        """Send the next due delivery; return the seconds until another is due, None if none is waiting."""
        now = self._now()
        if self._last is None or is_overdue_by_jump(self._last, now):
            latest = (
                now + 2 * dt.timedelta(seconds=self._longest)
                if self._last is None
                else now
            )
            self._database.transact(
                lambda connection: recipients.pull_in(
                    connection, self._webhook.name, latest
                )
            )
        self._last = now
        if self._unstored is None:
            with self._database.read() as connection:
                next_one = self._next_due(connection, now)
            if next_one is None:
                return None
            if isinstance(next_one, dt.datetime):
                return max(0.0, (next_one - self._now()).total_seconds())
            sent = self._transmitter.send(
                self._webhook, next_one.id, next_one.body, self._now()
            )
            if sent.is_stopped:
                # The daemon is stopping; the delivery is sent after the next start
                return None
            self._unstored = next_one, sent
        due, posted = self._unstored
        result = self._database.transact(
            lambda connection: self._settle(connection, due, posted)
        )
        self._unstored = None
        where = recipient_words(self._webhook.name)
        # In other addresses the host may be the secret
        if isinstance(self._webhook, Webhook):
            where += f" ({host_of(self._webhook.url)})"
        log.log(
            logging.INFO if posted.is_accepted else logging.WARNING,
            "%s: change %d of story %s, attempt %d: %s",
            where, due.change, due.story, due.attempts + 1, result,
            extra={"event": "delivery_attempted", "webhook": self._webhook.name, "story": due.story},
        )  # fmt: skip
        return 0.0

    def _next_due(
        self, connection: Connection, now: dt.datetime
    ) -> Delivery | dt.datetime | None:
        """Return the next delivery as `sending.next_due`.

        The last message of an hour that a limit allows contains everything that waits.
        """
        hook = self._webhook
        due = sending.next_due(connection, hook.name, now)
        if not isinstance(due, Delivery) or not isinstance(hook, Notification):
            return due
        sent = sending.times_sent(connection, hook.name, now - _HOUR, now)
        if len(sent) >= hook.messages_an_hour:
            return sent[-hook.messages_an_hour] + _HOUR
        if len(sent) == hook.messages_an_hour - 1:
            due, bodies = sending.waiting_with(connection, due, LISTED_TOGETHER)
            if due.others:
                return replace(
                    due, body=several_body(hook.each, bodies, 1 + len(due.others))
                )
        return due

    def _settle(self, connection: Connection, due: Delivery, posted: PostResult) -> str:
        """Store the result of an attempt and return it as a text for the log."""
        now = self._now()
        if posted.is_accepted:
            sending.mark_delivered(connection, due, now)
            return f"accepted ({posted.status})"
        if posted.status == _GONE:
            sending.mark_gone(connection, due, now, posted.problem)
            return f"{posted.problem}; no further deliveries are sent there"
        tuning, asked = self._tuning, posted.retry_after_seconds or 0.0
        gap = max(
            gap_seconds(due.attempts + 1, tuning, self._longest, self._chance()), asked
        )
        is_final = now - (due.first_attempt_at or now) >= dt.timedelta(
            hours=_GIVE_UP_HOURS
        )
        is_final = is_final and steady_clock.is_steady(connection, now, self._steady)
        failures = recipients.failures_of(connection, self._webhook.name) + 1
        gap_of_all = gap_seconds(failures, tuning, self._longest, self._chance())
        pause = max(
            min(gap_of_all, tuning.pause_max_seconds), min(asked, self._longest)
        )
        sending.mark_failed(
            connection,
            due,
            now,
            posted.problem,
            next_at=None if is_final else now + dt.timedelta(seconds=gap),
            resumes_at=now + dt.timedelta(seconds=pause),
        )
        return (
            f"{posted.problem}; given up"
            if is_final
            else f"{posted.problem}; retry in {gap:.0f} s"
        )
