"""The body of a delivery: the change and the current story, with excerpts only (see docs/webhooks.md)."""

import datetime as dt
import hashlib
from typing import Literal

import msgspec

from aggregator.config.webhooks import Recipient
from aggregator.model.core import StoryView
from aggregator.model.read_model import Change, ChangeKind
from aggregator.web.excerpts import count_words, first_words, for_reader
from aggregator.web.sanitise import encode_json
from aggregator.web.settings import PublishSettings
from aggregator.web.story_json import StoryJson, in_utc, like, story_in_list

_ARTICLES_MAX = 50  # newest articles listed in one delivery; counts are of all


class WebhookTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `webhooks` of config/tuning.yaml, which states units and origins."""

    deadline_seconds: float
    response_cap_bytes: int
    body_cap_bytes: int
    retry_first_seconds: float
    retry_factor: float
    retry_max_seconds: float
    pause_max_seconds: float
    recovered_after: int
    waiting_max: int
    page_hold_seconds: float


class NewArticleJson(msgspec.Struct, frozen=True, kw_only=True):
    """The new article; `lead` is its beginning, within the excerpt limit."""

    id: str
    outlet: str | None
    url: str | None
    title: str
    lead: str
    published: dt.datetime | None
    language: str | None


class ChangeJson(msgspec.Struct, frozen=True, kw_only=True):
    """A change. `title_before` is null if the headline did not change; `others` are ids of stories."""

    n: int
    kind: ChangeKind
    at: dt.datetime
    updated: dt.datetime
    title: str
    title_before: str | None
    report_count: int
    others: tuple[str, ...]
    article: NewArticleJson | None


class DataJson(msgspec.Struct, frozen=True, kw_only=True):
    """The change and the story; `articles_left_out` counts older articles that are not listed."""

    hook: str
    query: str | None
    url: str
    change: ChangeJson
    story: StoryJson
    articles_left_out: int


class DeliveryJson(msgspec.Struct, frozen=True, kw_only=True):
    """The body, in the form that Standard Webhooks proposes."""

    type: str
    timestamp: dt.datetime
    data: DataJson


class TrialDataJson(msgspec.Struct, frozen=True, kw_only=True):
    """Of a delivery that only tries the way."""

    hook: str
    query: str | None


class TrialJson(msgspec.Struct, frozen=True, kw_only=True):
    """The body that `aggregator webhooks test` sends."""

    timestamp: dt.datetime
    data: TrialDataJson
    type: Literal["test"] = "test"


def delivery_id(hook: str, change: Change) -> str:
    """Return the id of the delivery: the same if the same change is decided and stored again.

    It contains no time of this machine, because the last decisions may be repeated after a power failure.
    """
    article = change.article.id if change.article else ""
    identity = f"{hook}\0{change.n}\0{change.was}\0{change.kind}\0{article}"
    return "msg_" + hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()


def digest_id(reader: str, last_change: int) -> str:
    """Return the id of a digest: the same if the same one is stored again."""
    return "msg_" + hashlib.blake2b(f"{reader}\0{last_change}".encode(), digest_size=16).hexdigest()


def delivery_body(
    hook: Recipient, change: Change, story: StoryView, settings: PublishSettings, tuning: WebhookTuning
) -> bytes:
    """Return JSON of at most `body_cap_bytes`; older articles are left out until it fits."""
    bounded_change, shown = _bounded(change, story, settings.excerpt_words)
    listed = _ARTICLES_MAX
    while True:
        body = encode_json(_delivery(hook, bounded_change, shown, settings, listed))
        if len(body) <= tuning.body_cap_bytes or listed == 0:
            return body
        listed //= 2


def trial_body(hook: Recipient, now: dt.datetime) -> bytes:
    """Return the body of a test delivery."""
    data = TrialDataJson(hook=hook.name, query=hook.query.name if hook.query else None)
    return encode_json(TrialJson(timestamp=in_utc(now), data=data))


def _bounded(change: Change, story: StoryView, words: int) -> tuple[Change, StoryView]:
    """Return the change and the story with at most `words` words of any article.

    A headline that is not the current title of an article may be a former title of any of them, so it counts
    for all.
    """
    current_titles = {article.title for article in story.articles}
    headlines = dict.fromkeys(filter(None, (story.title, change.title, change.title_before)))
    left, cut = words, {}
    for title in headlines:
        if title not in current_titles:
            cut[title] = first_words(title, left) if left else ""
            left -= min(left, count_words(title))
    for title in headlines:
        cut.setdefault(title, first_words(title, left) if left else "")
    bounded_change = msgspec.structs.replace(
        change, title=cut.get(change.title, ""), title_before=cut.get(change.title_before or "")
    )
    bounded = for_reader(msgspec.structs.replace(story, title=""), None, "excerpt", left)[0]
    return bounded_change, msgspec.structs.replace(bounded, title=cut.get(story.title, ""))


def _delivery(
    hook: Recipient, change: Change, story: StoryView, settings: PublishSettings, listed: int
) -> DeliveryJson:
    newest = sorted(story.articles, key=lambda one: (one.effective_at, one.id))[-listed:] if listed else []
    shown = msgspec.structs.replace(story, articles=tuple(newest))
    return DeliveryJson(
        type=f"story.{change.kind}",
        timestamp=in_utc(change.at),
        data=DataJson(
            hook=hook.name,
            query=hook.query.name if hook.query else None,
            url=f"{settings.base_url}/stories/{story.id}",
            change=_change(change, story),
            story=story_in_list(shown),
            articles_left_out=len(story.articles) - len(newest),
        ),
    )


def _change(change: Change, story: StoryView) -> ChangeJson:
    new = change.article
    article = None if new is None else next((one for one in story.articles if one.id == new.id), None)
    return like(ChangeJson, change, article=None if article is None else like(NewArticleJson, article))
