"""The webhooks of config.yaml, with their keys read and their queries looked at, and what runs them."""

import datetime as dt
from collections.abc import Callable

from aggregator.config.settings import Config
from aggregator.config.webhooks import hooks_of
from aggregator.sources.fetch.client import ClientSettings
from aggregator.sources.fetch.webhook_post import Poster
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import Reading
from aggregator.web.settings import PublishSettings
from aggregator.web.webhooks.dispatcher import Filling
from aggregator.web.webhooks.payload import HookRules
from aggregator.web.webhooks.sender import Sending
from aggregator.web.webhooks.threads import Webhooks


def poster_of(config: Config, now: Callable[[], dt.datetime]) -> Poster:
    """What carries deliveries, with the networks and limits that are configured."""
    rules = config.rule_book.section("hooks", HookRules)
    return Poster(
        ClientSettings(contact=config.fetch.contact, allow_private=config.fetch.allow_private),
        config.rule_book,
        deadline_seconds=rules.deadline_seconds,
        answer_cap_bytes=rules.answer_cap_bytes,
        now=now,
    )


def webhooks_of(
    config: Config,
    settings: PublishSettings,
    database: Database,
    now: Callable[[], dt.datetime],
    *,
    is_writer: Callable[[], bool],
    beat: Callable[[], None],
    failed: Callable[[BaseException], None],
) -> Webhooks:
    """All that sends to the configured hooks, not started."""
    hooks, rules = hooks_of(config), config.rule_book.section("hooks", HookRules)
    reading = Reading(database, config.rule_book)
    steady: float = config.rule_book.values("retention")["steady_days"]
    filling = Filling(database, reading, hooks, settings, rules=rules, steady_days=steady, now=now)
    poster = poster_of(config, now)
    sendings = {
        hook.name: Sending(database, hook, poster, rules=rules, steady_days=steady, now=now) for hook in hooks
    }
    return Webhooks(filling, sendings, poster, is_writer=is_writer, beat=beat, failed=failed)
