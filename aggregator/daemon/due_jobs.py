"""Which sources and pages are due, and which of them may be polled now: few of each host at once."""

import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import msgspec

from aggregator.intake.polling.page_fetch import PollServices
from aggregator.sources.fetch.server_keys import key_of_address
from aggregator.store.intake import pending_pages
from aggregator.store.intake.pending_pages import PendingPage
from aggregator.store.intake.source_rows import (
    DueSource,
    Source,
    schedule,
    sources_with_ids,
)

TICK_SECONDS = 1
# The pages that are read in a tick. If none of them may start, because their hosts are not ready, the next tick reads
# twice as many, up to MOST_PAGES_READ.
PAGES_READ = 1000
MOST_PAGES_READ = 16_000


class FetchJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job for a fetch thread. `host` is empty if the job sends no request, because it reads a folder."""

    name: str
    host: str
    work: Source | PendingPage

    @property
    def is_page(self) -> bool:
        """Whether the job fetches a page; otherwise it polls a source."""
        return isinstance(self.work, PendingPage)


class DueJobs:
    """The due times of the sources and pages. For one thread."""

    def __init__(self, services: PollServices) -> None:
        self._database = services.database
        self._rate_limiter = services.client.rate_limiter
        # A hundred pages of one host must not occupy all threads: jobs beyond the requests that the host may get at
        # the same time would only wait.
        self._jobs_a_host = self._rate_limiter.host_concurrency
        self._quiet_polls = services.quiet_polls
        self._pages_read = PAGES_READ
        # The version of the database when the schedule was read
        self._version: int | str | None = None
        self._schedule: list[DueSource] = []
        # When the first page is due, or the present if a new entry waits for its page; None if no entry waits
        self._pages_at: datetime | None = None

    def read(self, now: datetime) -> None:
        """Read the due times, unless nothing was stored since they were read."""
        version = self._database.data_version()
        if version != self._version:
            with self._database.read() as connection:
                self._schedule = schedule(connection)
                self._pages_at = pending_pages.find_next_due_time(connection, now)
            self._version = version

    def has_pages(self, now: datetime) -> bool:
        """Return whether a page is due, or a new entry waits for its page, and so may be overdue."""
        return self._pages_at is not None and self._pages_at <= now

    def next(
        self,
        now: datetime,
        under_way: Mapping[str, str],
        backing_off: Mapping[str, float],
        most: int,
    ) -> list[FetchJob]:
        """Return at most `most` jobs that may start, sources before pages.

        The sources and pages that have waited longest come first, except that pages of a first poll come last.
        `under_way` has the host of each running job, `backing_off` the time (monotonic) from which a failed job may
        start again, both by the name of the job.
        """
        # Jobs under way and jobs that back off are also due, but may not start.
        limit = most + len(under_way) + len(backing_off)
        jobs = self._due_sources(now, limit)
        if self.has_pages(now):
            with self._database.read() as connection:
                pages = pending_pages.load_due_pages(connection, now, self._pages_read)
            for page in pages:
                jobs.append(
                    FetchJob(
                        name=f"page {page.entry_no}",
                        host=key_of_address(page.url),
                        work=page,
                    )
                )
        at_host = Counter(under_way.values())
        startable = []
        for job in jobs:
            if (
                job.name in under_way
                or backing_off.get(job.name, 0.0) > time.monotonic()
            ):
                continue
            # Folders have no host and never wait. A host that is not ready within a tick gets no further job.
            if job.host:
                if at_host[job.host] >= self._jobs_a_host:
                    continue
                ready_in = self._rate_limiter.ready_in(job.host, is_page=job.is_page)
                if ready_in > TICK_SECONDS:
                    at_host[job.host] = self._jobs_a_host
                    continue
                at_host[job.host] += 1
            startable.append(job)
        startable = startable[:most]
        # If none of these pages may start, pages of other hosts may wait behind them: read more in the next tick.
        if sum(job.is_page for job in jobs) < self._pages_read:
            self._pages_read = PAGES_READ
        elif not any(job.is_page for job in startable):
            self._pages_read = min(2 * self._pages_read, MOST_PAGES_READ)
        return startable

    def _due_sources(self, now: datetime, limit: int) -> list[FetchJob]:
        """Return jobs for at most `limit` due sources, including those under way, the longest waiting first.

        The list has only a few sources of each host, so that the hundred feeds of a slow host cannot fill it.
        """
        blocked = self._rate_limiter.not_ready(TICK_SECONDS)
        at_host = Counter(dict.fromkeys(blocked, self._jobs_a_host))
        chosen: list[str] = []
        for source in self._schedule:
            if self._quiet_polls.due_at(source) > now:
                continue
            if source.host is not None:  # folders have none
                if at_host[source.host] >= self._jobs_a_host:
                    continue
                at_host[source.host] += 1
            chosen.append(source.id)
            if len(chosen) == limit:
                break
        if not chosen:
            return []
        with self._database.read() as connection:
            sources = sources_with_ids(connection, chosen)
        return [
            FetchJob(
                name=f"source {source.id}",
                host=key_of_address(source.polled_url) if source.host else "",
                work=source,
            )
            for source in sources
        ]
