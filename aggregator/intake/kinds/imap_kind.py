"""Mailboxes: the messages that arrive in a folder of an IMAP server.

The position in the folder is stored in the column where feeds have their ETag, in one transaction with the entries.
After an interruption, the next poll reads the same messages again, which changes nothing.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from aggregator.config.configured_access import Access, mailbox_address
from aggregator.config.settings import Config
from aggregator.config.source_settings import SourceConfig
from aggregator.intake.jobs import parse_mail
from aggregator.intake.kinds.source_kind import SourceKind
from aggregator.intake.polling.page_fetch import PollServices
from aggregator.intake.polling.poll_decision import PollAnswer
from aggregator.intake.workers.executor import Executor
from aggregator.model.clock import utc_now
from aggregator.model.entry import Entry, ParsedFeed
from aggregator.model.errors import ConfigError, FetchError, ReadError
from aggregator.sources.fetch.client import Client
from aggregator.sources.fetch.mails.mailbox import Message, read_mailbox
from aggregator.sources.fetch.response import FetchResult
from aggregator.sources.source_limits import SourceTuning, source_tuning
from aggregator.store.intake.source_rows import Source


def _address(item: SourceConfig, _: Config) -> str:
    address = mailbox_address(item)
    try:
        parts = urlsplit(address)
        is_valid = (
            bool(parts.hostname) and parts.port != 0 and unquote(address).isprintable()
        )
    except ValueError:
        is_valid = False
    if not is_valid or parts.query or parts.fragment:
        raise ConfigError("this is not a valid address")
    return address


def _answer(services: PollServices, source: Source, now: datetime) -> PollAnswer:
    """Return the new messages. Raises FetchError."""
    tuning = source_tuning(services.all_tuning)
    access = services.configured.get(source.address)
    if access is None:
        raise FetchError("login", "config.yaml has no password for it")
    mailbox = read_mailbox(
        services.client, source.address, access.password, tuning, source.etag
    )
    parse = partial(parse_mail, services.executor, source=source.entry_source, seen=now)
    feed, refused = _feed(source.address, mailbox.messages, parse)
    # The stop may have ended the workers, which looks like unreadable messages.
    if services.stops():
        raise FetchError("stopped", "the program ends")
    is_same = not mailbox.messages and source.first_poll_done
    return PollAnswer(
        FetchResult(
            url=source.address,
            url_final=source.address,
            status=200,
            etag=mailbox.state,
            is_unchecked=services.client.is_unchecked(
                urlsplit(source.address).hostname or ""
            ),
        ),
        feed=None if is_same else feed,
        refused=refused,
        has_more=mailbox.has_more,
    )


def preview(
    client: Client, executor: Executor, access: Access, tuning: SourceTuning, most: int
) -> ParsedFeed:
    """Return the `most` newest messages, without storing anything. Raises FetchError."""
    tuning = replace(tuning, max_entries=most)
    mailbox = read_mailbox(client, access.address, access.password, tuning)
    feed, _ = _feed(
        access.address,
        mailbox.messages,
        partial(parse_mail, executor, source="mailbox", seen=utc_now()),
    )
    return replace(feed, entry_count=mailbox.count)


def _feed(
    address: str, messages: tuple[Message, ...], parse: Callable[[bytes], Entry]
) -> tuple[ParsedFeed, list[tuple[str, str]]]:
    """Return the messages as a feed, the newest first, and the messages that cannot be read, each with the reason."""
    entries: list[Entry] = []
    refused: list[tuple[str, str]] = []
    for message in messages:
        try:
            if message.data is None:
                raise ReadError(message.problem)
            entries.append(parse(message.data))
        except ReadError as error:
            refused.append((f"message {message.number}", str(error)))
    return ParsedFeed(
        format="mailbox",
        title=unquote(urlsplit(address).path[1:]),
        entries=tuple(reversed(entries)),
        entry_count=len(entries),
        problem=": ".join(refused[-1]) if refused else None,
    ), refused


KIND = SourceKind(
    address=_address,
    poller=lambda poller: partial(
        poller.poll, request=partial(_answer, poller.services)
    ),
    pages="never",
)
