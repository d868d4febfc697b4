"""The ids of deliveries, and their messages, which are written at the time of sending.

A message contains the change and the current story, with excerpts only (docs/sending.md).
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from aggregator.config.messages import story_numbers
from aggregator.config.tuning import Tuning
from aggregator.config.webhook_settings import (
    DigestReader,
    Notification,
    Recipient,
    Webhook,
)
from aggregator.deliver.apprise_process import Notice
from aggregator.deliver.transmit import WebhookTuning
from aggregator.model.clock import in_utc
from aggregator.model.read_model import Change
from aggregator.model.story import StoryView
from aggregator.publish.excerpts.excerpt_words import count_words, first_words
from aggregator.publish.excerpts.story_excerpts import for_reader
from aggregator.publish.output_settings import PublishSettings
from aggregator.publish.sanitise import encode_json, one_line
from aggregator.publish.story_json import story_in_list
from aggregator.store.deliveries.sending import Delivery
from aggregator.store.read.digests import DigestSpan
from aggregator.store.read.reader import StoryReader
from aggregator.text.lines import word_list

_ARTICLES_MAX = 50  # a delivery lists at most this many articles, the newest; its counts include all of them
# The fields of a change, and of its new article, in a delivery; the excerpt limit applies to `lead`.
_OF_CHANGE = word_list("n kind at updated title title_before report_count others")
_OF_ARTICLE = word_list("id outlet url title lead published language")


def delivery_id(hook: str, change: Change) -> str:
    """Return the id of a delivery, which stays the same if the same change is decided and stored again.

    The id does not depend on the clock, because the last decisions may be repeated after a power failure.
    """
    article = change.article.id if change.article else ""
    return _id_of(f"{hook}\0{change.n}\0{change.was}\0{change.kind}\0{article}")


def digest_id(reader: str, last_change: int) -> str:
    """Return the id of a digest, which stays the same if the same digest is stored again."""
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
    """Return a delivery as JSON of at most `body_cap_bytes`; the oldest articles are left out until it fits."""
    bounded_change, shown = _limit_words(change, story, settings.excerpt_words)
    listed = _ARTICLES_MAX
    while True:
        articles = sorted(shown.articles, key=lambda a: (a.effective_at, a.id))
        left_out = max(0, len(articles) - listed)
        members = _members(bounded_change, _OF_CHANGE)
        members["article"] = None
        for article in articles:
            if (
                bounded_change.article is not None
                and article.id == bounded_change.article.id
            ):
                members["article"] = _members(article, _OF_ARTICLE)
        body = encode_json(
            {
                "type": f"story.{bounded_change.kind}",
                "timestamp": in_utc(bounded_change.at),
                "data": {
                    "hook": hook.name,
                    "query": hook.query and hook.query.key,
                    "url": f"{settings.base_url}/stories/{shown.id}",
                    "change": members,
                    "story": story_in_list(
                        replace(shown, articles=tuple(articles[left_out:]))
                    ),
                    "articles_left_out": left_out,
                },
            }
        )
        if len(body) <= tuning.body_cap_bytes or listed == 0:
            return body
        listed //= 2


# The stories listed in a message about several changes take 1,600 characters (the limit of Discord is 2,000)
LISTED_TOGETHER = 10
_LISTED_CHARS = 100  # a headline in a list is cut here
# "@everyone" in a title would call all people of a chat
_MENTION = re.compile(r"@(?=\S)")


class DeliveryWriter:
    """Writes the message of a delivery at the time of sending, without anything that was forgotten meanwhile."""

    def __init__(
        self,
        reader: StoryReader,
        settings: PublishSettings,
        all_tuning: Tuning,
        write_digest: Callable[[DigestSpan], Notice | None],
    ) -> None:
        """`write_digest` returns None if all stories of a digest were forgotten."""
        self._reader = reader
        self._settings = settings
        self._tuning = all_tuning.section("webhooks", WebhookTuning)
        self._write_digest = write_digest

    def write(self, recipient: Recipient, due: Delivery) -> bytes | Notice | None:
        """Return the message; None if all stories of the delivery were forgotten."""
        if isinstance(recipient, DigestReader):
            assert due.body is not None, "a digest has its span"
            return self._write_digest(msgspec.json.decode(due.body, type=DigestSpan))
        news = []
        for change in self._reader.changes((due.change, *due.others)[:LISTED_TOGETHER]):
            # The story may have been merged or forgotten meanwhile.
            story = self._reader.current_story(change.story)
            if story is not None:
                news.append((change, story))
        if not news:
            return None
        if not isinstance(recipient, Notification):
            return delivery_body(recipient, *news[0], self._settings, self._tuning)
        if not due.others:
            return self._notice(*news[0])
        lines = []
        for change, story in news:
            _, shown = _limit_words(change, story, self._settings.excerpt_words)
            title = _plain(shown.title) or "Untitled"
            if len(title) > _LISTED_CHARS:
                title = title[: _LISTED_CHARS - 1].rstrip() + "…"
            lines.append(f"{title}\n{self._settings.base_url}/stories/{story.id}")
        number = 1 + len(due.others)
        if left := number - len(news):
            lines.append(f"and {left:,} more: {self._settings.base_url}/")
        unit = "stories" if recipient.each == "story" else "reports"
        return Notice(f"{number:,} {unit}", "\n".join(lines))

    def _notice(self, change: Change, story: StoryView) -> Notice:
        """Return a notification about one story."""
        _, shown = _limit_words(change, story, self._settings.excerpt_words)
        lines = [", ".join(story_numbers(shown))]
        for article in shown.articles:
            if change.article is not None and article.id == change.article.id:
                names = filter(None, (article.outlet, article.title))
                lines += [": ".join(map(_plain, names)), article.url or ""]
        lines.append(f"Story: {self._settings.base_url}/stories/{shown.id}")
        title = _plain(shown.title) or "Untitled"
        return Notice(title, "\n".join(filter(None, lines)))


def _plain(text: str) -> str:
    """Return a publisher's text on one line, with an invisible U+2060 after each "@" so that it notifies nobody."""
    return _MENTION.sub("@\u2060", one_line(text))


def trial(recipient: Recipient, now: datetime) -> bytes | Notice:
    """Return the message that tests a recipient."""
    if not isinstance(recipient, Webhook):
        return Notice("Test", "This is a test of aggregator.")
    return encode_json(
        {
            "timestamp": in_utc(now),
            "data": {
                "hook": recipient.name,
                "query": recipient.query and recipient.query.key,
            },
            "type": "test",
        }
    )


def _limit_words(
    change: Change, story: StoryView, words: int
) -> tuple[Change, StoryView]:
    """Return the change and the story with at most `words` words of any article.

    A headline that is not the current title of an article may be a former title of any article, so its words count
    for all articles.
    """
    current_titles = {article.title for article in story.articles}
    headlines = dict.fromkeys((story.title, change.title, change.title_before or ""))
    left = words
    cut = {}
    for title in headlines:
        if title not in current_titles:
            cut[title] = first_words(title, left)
            left -= min(left, count_words(title))
    for title in headlines:
        cut.setdefault(title, first_words(title, left))
    title_before = cut[change.title_before] if change.title_before else None
    bounded_change = replace(change, title=cut[change.title], title_before=title_before)
    bounded = for_reader(replace(story, title=""), None, "excerpt", left)[0]
    return bounded_change, replace(bounded, title=cut[story.title])


def _members(source: object, names: Sequence[str]) -> dict[str, object]:
    """Return the named attributes of `source`, with times in UTC."""
    members: dict[str, object] = {}
    for name in names:
        value = getattr(source, name)
        members[name] = in_utc(value) if isinstance(value, datetime) else value
    return members
