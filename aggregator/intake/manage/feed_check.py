"""Reads feeds, pages and files without storing anything, for `sources check` and the search for feeds."""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from aggregator.config.configured_access import (
    Access,
    basic,
    configured_access,
    mailbox_address,
)
from aggregator.config.settings import Config
from aggregator.config.source_settings import split_address
from aggregator.intake.jobs import FeedJob, parse_feed
from aggregator.intake.kinds.imap_kind import preview
from aggregator.intake.polling.sitemap_index import read_sitemaps
from aggregator.intake.workers.executor import Executor, answer_of
from aggregator.intake.workers.factory import workers
from aggregator.model.clock import utc_now
from aggregator.model.entry import ParsedFeed
from aggregator.model.errors import (
    FetchError,
    WorkError,
)
from aggregator.model.structs import FrozenStruct
from aggregator.sources.fetch.client import Client, client_of
from aggregator.sources.fetch.response import FetchResult
from aggregator.sources.parse.feeds.feed_discovery import (
    FeedCandidate,
    PageJob,
    discover,
)
from aggregator.sources.source_limits import source_tuning
from aggregator.store.engine.database import Database

_ENTRIES_CHECKED = 5
_MAILBOX = re.compile(r"imaps?://", re.IGNORECASE)


class FeedCheck(FrozenStruct, omit_defaults=False):
    """A line of `sources check --format jsonl`; `entries` counts all entries of the feed, before limits."""

    what: str
    format: str
    title: str
    entries: int
    newest: tuple[str, ...] = ()  # the titles of the first entries
    problem: str | None


def check(config: Config, what: Sequence[str]) -> Iterator[FeedCheck]:
    """Read feeds (files or addresses) without storing anything; yields one result per feed, in order."""
    with (
        opened_reader(config) as reader,
        ThreadPoolExecutor(config.work.worker_count()) as threads,
    ):
        yield from threads.map(reader.checked, what)


class FeedReader:
    """Reads feeds and pages from addresses and files. Safe to use from several threads."""

    def __init__(self, config: Config, client: Client, executor: Executor) -> None:
        self._client = client
        self._executor = executor
        self._tuning = config.effective_tuning.to_json()
        self._limits = source_tuning(config.effective_tuning)
        self._configured = configured_access(config)
        # The headers, selectors and proxy that the user typed for a new source, which a copy asks with
        self.typed = Access()
        # Addresses by the names that may be typed for them
        self._names: dict[str, str | None] = {}
        self._mailboxes: dict[str | None, str] = {}
        for source in config.sources:
            if source.name:
                self._names[source.name] = source.feed or source.page
            if source.imap:
                at = mailbox_address(source)
                self._mailboxes |= {source.name: at, source.imap: at, at: at}

    def checked(self, what: str) -> FeedCheck:
        try:
            address, userinfo = split_address(self._names.get(what) or what)
            if what in self._mailboxes:
                parsed = preview(
                    self._client,
                    self._executor,
                    self._configured[self._mailboxes[what]],
                    self._limits,
                    _ENTRIES_CHECKED,
                )
            elif _MAILBOX.match(address):
                raise FetchError(
                    "login",
                    "list the mailbox in config.yaml, with its user and password",
                )
            elif address.startswith(("http://", "https://")):
                typed = Access(address, basic(userinfo)) if userinfo else None
                parsed = self.feed_in(self.fetch(address, access=typed), typed)
            else:
                parsed = self._parse(
                    FetchResult(
                        url="", url_final="", status=200, body=self._bytes_of(what)
                    )
                )
        except FetchError as error:
            parsed = ParsedFeed(problem=str(error))
        return FeedCheck(
            what=split_address(what)[0],
            format=parsed.format,
            title=parsed.title,
            entries=parsed.entry_count,
            newest=tuple(entry.title for entry in parsed.entries[:_ENTRIES_CHECKED]),
            problem=parsed.problem,
        )

    def _bytes_of(self, file: str) -> bytes:
        limit = self._limits.max_feed_bytes
        try:
            with Path(file).open("rb") as opened:
                data = opened.read(limit + 1)
        except IsADirectoryError as error:
            raise FetchError(
                "file", f"it is a folder; read it with `aggregator ingest {file}`"
            ) from error
        except (OSError, ValueError) as error:
            reason = (
                getattr(error, "strerror", None) or "this is not the name of a file"
            )
            raise FetchError("file", f"it cannot be read: {reason}") from error
        if len(data) > limit:
            raise FetchError("too_large", f"a feed may have at most {limit} bytes")
        return data

    def fetch(
        self, url: str, linked_from: str | None = None, access: Access | None = None
    ) -> FetchResult:
        """Request an address. Raises FetchError.

        An address from a page (`linked_from`) was not typed by the user. So it may only have the port of the
        page or a standard one, and a public page cannot lead to a private address.
        """
        if linked_from is not None and _port(url) not in (80, 443, _port(linked_from)):
            raise FetchError(
                "refused", f"{url} from a page has another port than the page"
            )
        return self._client.fetch(
            url,
            linked_from=linked_from,
            access=self._access_to(url, access),
        )

    def feed_in(self, fetched: FetchResult, access: Access | None = None) -> ParsedFeed:
        """Parse a feed; `problem` states why it is none. Raises FetchError if parsing fails."""
        parsed = self._parse(fetched)
        if not parsed.sitemaps:
            return parsed
        known = self._access_to(fetched.url, access)
        return read_sitemaps(
            parsed,
            lambda url: self.fetch(url, fetched.url_final, known),
            self._parse,
        )[1]

    def links_in(self, fetched: FetchResult) -> tuple[FeedCandidate, ...]:
        """Return the feeds that a page declares or links to; none if the parser failed."""
        try:
            return answer_of(
                self._executor,
                discover,
                PageJob(
                    page=fetched.body, url=fetched.url_final, charset=fetched.charset
                ),
                tuple[FeedCandidate, ...],
            )
        except WorkError:
            return ()

    def _access_to(self, address: str, access: Access | None = None) -> Access:
        return self._configured.get(address) or access or self.typed

    def _parse(self, fetched: FetchResult) -> ParsedFeed:
        access = self._access_to(fetched.url)
        # Those that were typed are for the page at that address, and not for others that are tried.
        selectors = access.selectors if fetched.url == access.address else ()
        return parse_feed(
            self._executor,
            FeedJob(
                data=fetched.body,
                selectors=selectors,
                source=fetched.url_final or "file",
                seen=utc_now(),
                url=fetched.url_final or None,
                content_type=fetched.content_type or None,
                tuning=self._limits,
                all_tuning=self._tuning,
            ),
        )


@contextmanager
def opened_reader(config: Config) -> Iterator[FeedReader]:
    """Yield a reader with a client and workers of its own."""
    with closing(client_of(config)) as client, workers(config) as executor:
        yield FeedReader(config, client, executor)


class SourceServices(NamedTuple):
    """The services for changing sources in the web; `reader` shares the daemon's client and workers."""

    config: Config
    database: Database
    reader: FeedReader


def _port(url: str) -> int:
    """Return the port of an http or https address; 0 if it has an invalid port."""
    try:
        parts = urlsplit(url)
        return parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        return 0
