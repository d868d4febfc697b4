"""Reads feeds, pages and files without storing anything, for `sources check` and the search for feeds."""

import os
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
from aggregator.intake.jobs import feed_job, parse_feed
from aggregator.intake.kinds.imap_kind import preview
from aggregator.intake.polling.sitemap_index import read_sitemaps
from aggregator.intake.workers.executor import Executor, answer_of
from aggregator.intake.workers.factory import workers
from aggregator.model.clock import utc_now
from aggregator.model.entry import ParsedFeed
from aggregator.model.errors import FetchError, ReadError, WorkError
from aggregator.model.structs import FrozenStruct
from aggregator.sources.fetch.client import Client, client_of
from aggregator.sources.fetch.response import FetchResult
from aggregator.sources.parse.feeds.feed_discovery import (
    FeedCandidate,
    PageJob,
    discover,
)
from aggregator.sources.parse.streams.file_stream import Progress, open_decompressed
from aggregator.sources.source_limits import source_tuning
from aggregator.store.engine.database import Database

_ENTRIES_CHECKED = 5
_MAILBOX = re.compile(r"imaps?://", re.IGNORECASE)


class FeedCheck(FrozenStruct, omit_defaults=False):
    """A line of `sources check --format jsonl`; `entries` counts all entries, even those beyond a limit."""

    what: str
    format: str
    title: str
    entries: int
    newest: tuple[str, ...] = ()  # the titles of the first entries
    problem: str | None


def check_feeds(config: Config, what: Sequence[str]) -> Iterator[FeedCheck]:
    """Read feeds (files or addresses) without storing anything; yield a result for each, in the same order."""
    with (
        open_reader(config) as reader,
        ThreadPoolExecutor(config.work.worker_count()) as threads,
    ):
        yield from threads.map(reader.check, what)


class FeedReader:
    """Reads feeds and pages from addresses and files. Safe to use from several threads."""

    def __init__(self, config: Config, client: Client, executor: Executor) -> None:
        self._client = client
        self._executor = executor
        self._all_tuning = config.effective_tuning
        self._limits = source_tuning(config.effective_tuning)
        self._configured = configured_access(config)
        # The addresses of configured sources by the names that a user may type instead
        self._names: dict[str, str] = {}
        for source in config.sources:
            address = source.feed or source.page
            if source.imap:
                address = self._names[source.imap] = mailbox_address(source)
            if source.name and address:
                self._names[source.name] = address

    def check(self, what: str) -> FeedCheck:
        """Read a feed by its address, its file, or its name in the configuration; never raise FetchError."""
        try:
            named = self._names.get(what, what)
            address, userinfo = split_address(named)
            if _MAILBOX.match(named):
                access = self._configured.get(named)
                if access is None:
                    raise FetchError(
                        "login",
                        "list the mailbox in config.yaml, with its user and password",
                    )
                parsed = preview(
                    self._client,
                    self._executor,
                    access,
                    self._limits,
                    _ENTRIES_CHECKED,
                )
            elif address.startswith(("http://", "https://")):
                typed = Access(address, basic(userinfo)) if userinfo else None
                parsed = self.parse(self.fetch(address, access=typed), typed)
            else:
                parsed = self._parse(
                    FetchResult(
                        url="", url_final="", status=200, body=self._read_file(what)
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

    def _read_file(self, file: str) -> bytes:
        limit = self._limits.max_feed_bytes
        if os.path.isdir(file):  # noqa: PTH112 - the method of Path raises for invalid names
            raise FetchError(
                "file", f"it is a folder; read it with `aggregator ingest {file}`"
            )
        try:
            with open_decompressed(Path(file), Progress()) as opened:
                data = opened.read(limit + 1)
        except (ReadError, ValueError) as error:
            raise FetchError("file", str(error)) from error
        if len(data) > limit:
            raise FetchError("too_large", f"a feed may have at most {limit} bytes")
        return data

    def fetch(
        self, url: str, linked_from: str | None = None, access: Access | None = None
    ) -> FetchResult:
        """Request an address. Raises FetchError.

        The user did not type an address that a page links to (`linked_from`). So the address may only have the port of
        the page or a standard port, and a public page cannot lead to a private address.
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

    def parse(self, fetched: FetchResult, access: Access | None) -> ParsedFeed:
        """Parse a feed; `problem` states why a response is not a feed. Raises FetchError if parsing fails."""
        parsed = self._parse(fetched, access)
        if not parsed.sitemaps:
            return parsed
        known = self._access_to(fetched.url, access)
        return read_sitemaps(
            parsed,
            lambda url: self.fetch(url, fetched.url_final, known),
            self._parse,
        )[1]

    def find_feeds(self, fetched: FetchResult) -> tuple[FeedCandidate, ...]:
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

    def _access_to(self, address: str, access: Access | None) -> Access:
        return self._configured.get(address) or access or Access()

    def _parse(self, fetched: FetchResult, access: Access | None = None) -> ParsedFeed:
        access = self._access_to(fetched.url, access)
        # Selectors are for the page at their own address, and not for other addresses that are tried.
        selectors = access.selectors if fetched.url == access.address else ()
        return parse_feed(
            self._executor,
            feed_job(
                fetched,
                self._all_tuning,
                source=fetched.url_final or "file",
                seen=utc_now(),
                selectors=selectors,
            ),
        )


@contextmanager
def open_reader(config: Config) -> Iterator[FeedReader]:
    """Yield a reader with a client and workers of its own."""
    with closing(client_of(config)) as client, workers(config) as executor:
        yield FeedReader(config, client, executor)


class SourceServices(NamedTuple):
    """The services for changing sources in the web; `reader` shares the daemon's client and workers."""

    config: Config
    database: Database
    reader: FeedReader


def _port(url: str) -> int:
    """Return the port of an http or https address; 0 if the port is invalid."""
    try:
        parts = urlsplit(url)
        return parts.port or (80 if parts.scheme == "http" else 443)
    except ValueError:
        return 0
