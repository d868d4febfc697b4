"""The webhooks of config.yaml, with their keys read and their queries looked at, and what runs them."""

import datetime as dt
from collections.abc import Callable

from aggregator.config.settings import Config
from aggregator.config.webhooks import webhooks_from
from aggregator.sources.fetch.client import ClientSettings
from aggregator.sources.fetch.webhook_post import WebhookPoster
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import DatabaseStoryReader
from aggregator.web.settings import PublishSettings
from aggregator.web.webhooks.dispatcher import WebhookDispatcher
from aggregator.web.webhooks.payload import WebhookTuning
from aggregator.web.webhooks.sender import WebhookSender
from aggregator.web.webhooks.threads import WebhookThreads


def poster_of(config: Config, now: Callable[[], dt.datetime]) -> WebhookPoster:
    """What carries deliveries, with the networks and limits that are configured."""
    tuning = config.effective_tuning.section("hooks", WebhookTuning)
    return WebhookPoster(
        ClientSettings(contact=config.fetch.contact, allow_private=config.fetch.allow_private),
        config.effective_tuning,
        deadline_seconds=tuning.deadline_seconds,
        answer_cap_bytes=tuning.answer_cap_bytes,
        now=now,
    )


def webhook_threads(
    config: Config,
    settings: PublishSettings,
    database: Database,
    now: Callable[[], dt.datetime],
    *,
    is_writer: Callable[[], bool],
    heartbeat: Callable[[], None],
    failed: Callable[[BaseException], None],
) -> WebhookThreads:
    """All that sends to the configured hooks, not started."""
    webhooks, tuning = webhooks_from(config), config.effective_tuning.section("hooks", WebhookTuning)
    reading = DatabaseStoryReader(database, config.effective_tuning)
    steady: float = config.effective_tuning.values("retention")["steady_days"]
    dispatcher = WebhookDispatcher(
        database, reading, webhooks, settings, tuning=tuning, steady_days=steady, now=now
    )
    poster = poster_of(config, now)
    senders = {
        webhook.name: WebhookSender(database, webhook, poster, tuning=tuning, steady_days=steady, now=now)
        for webhook in webhooks
    }
    return WebhookThreads(
        dispatcher, senders, poster, is_writer=is_writer, heartbeat=heartbeat, failed=failed
    )
