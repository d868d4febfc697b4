"""What a delivery says: the change and the story as it stands, bounded as for anybody (promise 9).

A webhook as configured, and the constants of this room.
"""

import datetime as dt
import hashlib
from typing import Any, Literal

import msgspec

from aggregator.config.webhooks import Webhook
from aggregator.model.core import ArticleView, StoryView
from aggregator.model.read_model import Change, ChangeKind
from aggregator.web.excerpts import count_words, first_words, for_reader
from aggregator.web.sanitise import without_bidi
from aggregator.web.settings import PublishSettings
from aggregator.web.story_json import StoryJson, story_in_list


class WebhookTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `hooks` of config/tuning.yaml."""

    old_hours: float
    deadline_seconds: float
    answer_cap_bytes: int
    batch_changes: int
    articles_most: int
    body_cap_bytes: int
    retry_first_seconds: float
    retry_factor: float
    retry_most_seconds: float
    retry_jitter: float
    give_up_hours: float
    pause_most_seconds: float
    recovered_after: int
    waiting_most: int
    kept_days: float


class NewArticleJson(msgspec.Struct, frozen=True, kw_only=True):
    """The article that came; `lead` is as much of its beginning as may be shown."""

    id: str
    outlet: str | None
    url: str | None
    title: str
    lead: str
    published: dt.datetime | None
    language: str | None


class ChangeJson(msgspec.Struct, frozen=True, kw_only=True):
    """What is new. `title_before` is null where the headline stayed; `others` are ids of stories."""

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
    """`articles_left_out`: older articles of the story that this delivery does not list."""

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
    """`aggregator webhooks test` sends it."""

    timestamp: dt.datetime
    data: TrialDataJson
    type: Literal["test"] = "test"


def delivery_id(hook: str, change: Change) -> str:
    """The id of the delivery: the same whenever the same change is decided and written again.

    So it holds no clock: after a power cut the last decisions may be made once more.
    """
    article = change.article.id if change.article else ""
    said = f"{hook}\0{change.n}\0{change.was}\0{change.kind}\0{article}"
    return "msg_" + hashlib.blake2b(said.encode(), digest_size=16).hexdigest()


def delivery_body(
    hook: Webhook, change: Change, story: StoryView, settings: PublishSettings, tuning: WebhookTuning
) -> bytes:
    """JSON of at most `body_cap_bytes`: older articles are left out until it fits."""
    told, shown = _bounded(change, story, settings.excerpt_words)
    listed = tuning.articles_most
    while True:
        body = without_bidi(msgspec.json.encode(_delivery(hook, told, shown, settings, listed)))
        if len(body) <= tuning.body_cap_bytes or listed == 0:
            return body
        listed //= 2


def trial_body(hook: Webhook, now: dt.datetime) -> bytes:
    """A body that says nothing but that the way is open."""
    data = TrialDataJson(hook=hook.name, query=hook.query.name if hook.query else None)
    return msgspec.json.encode(TrialJson(timestamp=_utc(now), data=data))


def _bounded(change: Change, story: StoryView, words: int) -> tuple[Change, StoryView]:
    """Both, within `words` of any article.

    A headline that no article of the story carries any more may be a former one of any of them, so it counts
    for all.
    """
    carried = {article.title for article in story.articles}
    headlines = dict.fromkeys(filter(None, (story.title, change.title, change.title_before)))
    room, cut = words, {}
    for title in headlines:
        if title not in carried:
            cut[title] = first_words(title, room) if room else ""
            room -= min(room, count_words(title))
    for title in headlines:
        cut.setdefault(title, first_words(title, room) if room else "")
    told = msgspec.structs.replace(
        change, title=cut.get(change.title, ""), title_before=cut.get(change.title_before or "")
    )
    bounded = for_reader(msgspec.structs.replace(story, title=""), None, "excerpt", room)[0]
    return told, msgspec.structs.replace(bounded, title=cut.get(story.title, ""))


def _delivery(
    hook: Webhook, change: Change, story: StoryView, settings: PublishSettings, listed: int
) -> DeliveryJson:
    newest = sorted(story.articles, key=lambda one: (one.effective, one.id))[-listed:] if listed else []
    shown = msgspec.structs.replace(story, articles=tuple(newest))
    return DeliveryJson(
        type=f"story.{change.kind}",
        timestamp=_utc(change.at),
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
    came = change.article
    article = None if came is None else next((one for one in story.articles if one.id == came.id), None)
    values: dict[str, Any] = {
        name: getattr(change, name)
        for name in ("n", "kind", "title", "title_before", "report_count", "others")
    }
    return ChangeJson(
        at=_utc(change.at),
        updated=_utc(change.updated),
        article=None if article is None else _new_article(article),
        **values,
    )


def _new_article(article: ArticleView) -> NewArticleJson:
    return NewArticleJson(
        id=article.id,
        outlet=article.outlet,
        url=article.url,
        title=article.title,
        lead=article.lead,
        published=_utc(article.published) if article.published else None,
        language=article.language,
    )


def _utc(time: dt.datetime) -> dt.datetime:
    return time.astimezone(dt.UTC)
