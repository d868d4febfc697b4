"""The webhooks of config.yaml, with their keys read and their queries looked at, and what runs them."""

import datetime as dt
from collections.abc import Callable

from aggregator.config.settings import Config, WebhookConfig
from aggregator.config.webhook_signature import signing_key
from aggregator.model.errors import ConfigError
from aggregator.sources.fetch.client import ClientSettings
from aggregator.sources.fetch.webhook_post import Poster
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import Reading
from aggregator.web.settings import PublishSettings
from aggregator.web.webhooks.dispatcher import Filling
from aggregator.web.webhooks.payload import Hook, HookRules
from aggregator.web.webhooks.sender import Sending
from aggregator.web.webhooks.threads import Webhooks

_LONGEST_SECRET = 1000  # characters read of a file


def hooks_of(config: Config) -> tuple[Hook, ...]:
    """All of them, in the order of the file.

    Raises ConfigError for a file of a secret that cannot be read or holds none.
    """
    return tuple(_hook(config, number, one) for number, one in enumerate(config.webhooks))


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


def _hook(config: Config, number: int, one: WebhookConfig) -> Hook:
    query = None if one.query is None else config.saved_query(one.query)
    try:
        key = signing_key(_secret(config, one))
    except ConfigError as error:
        raise ConfigError(f"webhooks.{number}: {one.name}: {error}") from error
    return Hook(name=one.name, url=one.url.get_secret_value(), key=key, query=query)


def _secret(config: Config, one: WebhookConfig) -> str:
    if one.secret is not None:
        return one.secret.get_secret_value()
    path = config.secret_path(one.secret_file or "")
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_LONGEST_SECRET)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"secret_file: {path} cannot be read: {why}") from error
