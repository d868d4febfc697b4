"""Fetches the pages of entries that wait in the inbox."""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from aggregator.config.configured_access import Access
from aggregator.config.tuning import Tuning
from aggregator.extract.sites import is_page_of
from aggregator.extract.urls import registrable_domain, same_site
from aggregator.intake.polling.poll_decision import (
    PollTuning,
)
from aggregator.intake.polling.quiet_polls import QuietPolls
from aggregator.intake.slow_pages import SlowPages
from aggregator.intake.workers.executor import Executor
from aggregator.model.clock import Clock
from aggregator.model.entry import Entry, FetchPages
from aggregator.model.errors import (
    DatabaseAwayError,
    DatabaseBusyError,
    FetchError,
    NotWritableError,
)
from aggregator.model.prepared import Verdict
from aggregator.sources.fetch.client import Client
from aggregator.sources.fetch.rate_limiter import ASKED_TO_WAIT
from aggregator.sources.fetch.robots import Robots
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import pending_pages
from aggregator.store.intake.pending_pages import PendingPage
from aggregator.store.intake.source_access_rows import typed_access

# A response is kept this long while the database cannot be written; then the source is polled again (chosen).
_STORE_SECONDS = 900.0
# The pause before the second attempt to store it (chosen). The pause doubles before each further attempt, ...
_STORE_PAUSE_SECONDS = 0.5
# ... up to this maximum, because a daemon that stops waits for the pause (chosen).
_STORE_PAUSE_MAX_SECONDS = 5.0
# After these causes, another request would not get the page, either.
_FINAL = (
    "refused",
    "redirect",
    "address",
    "too_large",
    "encoding",
    "robots",
    "http 404",
    "http 410",
)
# The server refuses this client; the page may exist.
_BLOCKED = (401, 403, 407, 429, 451)
log = logging.getLogger(__name__)
Stored = TypeVar("Stored")


class PollServices(NamedTuple):
    """The services that polls need.

    `stops` returns whether the program ends; interrupted work does not count as a failure. The default of
    `quiet_polls` writes every poll. `slow_pages` knows the sources whose pages are not fetched at present; None:
    the pages of all sources are fetched. `configured` has the access that config.yaml gives, by the address of the
    source.
    """

    database: Database
    client: Client
    executor: Executor
    all_tuning: Tuning
    now: Clock
    stops: Callable[[], bool] = lambda: False
    configured: Mapping[str, Access] = {}
    pause: Callable[[float], object] = time.sleep
    quiet_polls: QuietPolls = QuietPolls()
    slow_pages: SlowPages | None = None


class PageFetcher:
    """Fetches pages. Safe to use from many threads."""

    def __init__(
        self, services: PollServices, *, robots: bool, pages: FetchPages
    ) -> None:
        """`robots`: whether robots.txt is followed. `pages`: the setting for sources without a setting."""
        self.services = services
        self._tuning = services.all_tuning.section("polling", PollTuning)
        self._robots = Robots(services.client) if robots else None
        self._pages = pages

    def wants_page(self, entry: Entry, pages: FetchPages = "auto") -> bool:
        """Return whether to fetch the page of `entry`; `pages` is the setting of its source."""
        setting = self._pages if pages == "auto" else pages
        if setting == "never" or not entry.url:
            return False
        words = len((entry.text or entry.html or "").split())
        return setting == "always" or words < self._tuning.full_text_words

    def place_without_pages(self, now: datetime) -> bool:
        """Queue new entries without their pages if these have not come in time; return whether there are any."""
        with self.services.database.read() as connection:
            overdue = pending_pages.list_overdue_entries(
                connection, now, timedelta(seconds=self._tuning.page_wait_seconds)
            )
        if not overdue:
            return False
        placed = self.services.database.transact(
            partial(pending_pages.release_copies, numbers=overdue)
        )
        return placed > 0

    def fetch_page(self, wanted: PendingPage) -> bool:
        """Fetch the page of an entry, or give up; return whether there is something to place."""
        # A page on the site of the feed may have the port of the feed, too.
        port = None
        if wanted.feed is not None and same_site(wanted.feed, wanted.url):
            with suppress(ValueError):
                port = urlsplit(wanted.feed).port
        # "" is an unknown linking page: the entry was pushed, or its feed was removed.
        linked_from = wanted.feed or ""
        access = self.access_of(wanted.source_id, wanted.source_address)
        try:
            if self._robots is not None:
                answer = self._robots.answer(
                    wanted.url,
                    source_port=port,
                    linked_from=linked_from,
                    proxy=access.proxy,
                )
                if answer == "no":
                    raise FetchError(
                        "robots", "robots.txt of the site forbids this page"
                    )
                if answer == "not now":
                    raise FetchError(
                        "no robots", "robots.txt of the site cannot be read"
                    )
            fetched = self.services.client.fetch(
                wanted.url,
                accept="page",
                source_port=port,
                linked_from=linked_from,
                access=access,
            )
        except FetchError as error:
            return self._without_page(wanted, error)
        # A redirect to another site leads to another article, or to none.
        is_own = same_site(wanted.url, fetched.url_final) or is_page_of(
            registrable_domain(wanted.url) or "", fetched.url_final
        )
        store = partial(
            pending_pages.store_page,
            n=wanted.entry_no,
            page=None,
            url=fetched.url_final,
            charset=fetched.charset,
        )
        if is_own:
            store = partial(store, page=fetched.body, robots=fetched.robots)
        self.store_response(wanted.url, store)
        return True

    def _without_page(self, wanted: PendingPage, error: FetchError) -> bool:
        """Request the page later, or give it up; return whether there is something to place without the page."""
        if error.cause == "stopped" or self.services.stops():
            return False
        # No request is sent while the host has asked to wait, so that is not an attempt.
        is_sent = error.cause != ASKED_TO_WAIT
        tries = wanted.attempts + is_sent
        if error.cause in _FINAL or tries >= self._tuning.page_attempts:
            outcome = "the text of the feed is used"
            self.store_response(
                wanted.url,
                partial(
                    pending_pages.release_without_page,
                    n=wanted.entry_no,
                    verdict=verdict_of(error),
                    reason=f"its page: {error}; {outcome}",
                ),
            )
            is_ready = True
        else:
            outcome = "it is requested again later"
            due = self.services.now() + timedelta(
                seconds=self._tuning.page_retry_seconds * 2 ** max(tries - 1, 0)
            )

            def postpone(connection: Connection) -> bool:
                is_placed = (
                    is_sent
                    and pending_pages.release_copies(connection, [wanted.entry_no]) > 0
                )
                pending_pages.postpone_page(
                    connection, wanted.entry_no, due, attempts=tries
                )
                return is_placed

            is_ready = self.store_response(wanted.url, postpone)
        log.debug(
            "page %s: %s; %s",
            wanted.url,
            error,
            outcome,
            extra={"event": "page_failed"},
        )
        return is_ready

    def store_response(
        self, name: str, transaction: Callable[[Connection], Stored]
    ) -> Stored:
        """Store a response in a transaction, and repeat the transaction while the database cannot be written.

        So the response is not lost and need not be requested again. The error is raised after `_STORE_SECONDS`, if
        the program stops, or if the transaction may have been committed; then the source is polled again.
        """
        ends = time.monotonic() + _STORE_SECONDS
        pause = _STORE_PAUSE_SECONDS
        while True:
            try:
                return self.services.database.transact(transaction)
            except (DatabaseBusyError, DatabaseAwayError, NotWritableError) as error:
                unknown = isinstance(error, DatabaseAwayError) and error.commit_unknown
                if unknown or self.services.stops() or time.monotonic() >= ends:
                    raise
                log.info(
                    "%s: storing the response is postponed: %s",
                    name,
                    error,
                    extra={"event": "response_store_delayed"},
                )
            self.services.pause(pause)
            pause = min(2 * pause, _STORE_PAUSE_MAX_SECONDS)

    def access_of(self, source_id: str | None, address: str | None) -> Access:
        """Return the access to a source as config.yaml states it, else as it was typed in the browser."""
        configured = self.services.configured.get(address or "")
        if configured is not None or source_id is None:
            return configured or Access()
        with self.services.database.read() as connection:
            return typed_access(connection, source_id)


def verdict_of(error: FetchError) -> Verdict | None:
    """Return the verdict on a page that could not be fetched; None if no response says why."""
    if error.status in _BLOCKED:
        return "block"
    if error.cause == "too_large":
        return "too_long"
    if error.cause == "timeout":
        return "timeout"
    return "not_article" if error.status is not None else None
