"""Polling feeds into the inbox.

The entries and the new state of the source (ETag, due time, health) are stored in one transaction. If it
fails, the source is polled again with the same result. intake/polling/poll_decision.py decides the meaning
of a response.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import nlargest
from itertools import compress

from msgspec.structs import replace

from aggregator.config.configured_access import Access
from aggregator.config.messages import pluralise
from aggregator.grouping.mutes import Mutes
from aggregator.intake.jobs import feed_job, parse_feed
from aggregator.intake.polling.feed_entries import completed_entries
from aggregator.intake.polling.page_fetch import PageFetcher, PollServices
from aggregator.intake.polling.poll_decision import (
    PollAnswer,
    decide,
    is_to_be_checked,
    old_entries,
)
from aggregator.intake.polling.poll_result import PollResult, summarise_accepted
from aggregator.intake.polling.sitemap_index import hash_of_body, read_sitemaps
from aggregator.model.entry import Entry, ParsedFeed
from aggregator.model.errors import (
    FetchError,
)
from aggregator.sources.fetch.rate_limiter import ASKED_TO_WAIT
from aggregator.sources.fetch.response import FetchResult
from aggregator.sources.source_limits import net_tuning
from aggregator.store.engine.database import Connection
from aggregator.store.intake import acceptance, inbox, rejected
from aggregator.store.intake.acceptance import AcceptedBatch
from aggregator.store.intake.identity.identify import (
    PollContext,
    WholeFeedNeededError,
)
from aggregator.store.intake.known_item_rows import (
    KnownItems,
    known_items_of,
    save_known_items,
)
from aggregator.store.intake.source_rows import (
    Source,
    restart_merged_sources,
    save,
    source_at,
)

log = logging.getLogger(__name__)


class Poller(PageFetcher):
    """Polls feeds and fetches pages. Safe to use from many threads."""

    def __init__(
        self,
        services: PollServices,
        *,
        robots: bool,
        pages: str,
        mutes: Mutes | None = None,
    ) -> None:
        """`robots`, `pages`: see PageFetcher."""
        super().__init__(services, robots=robots, pages=pages)
        self._mutes = mutes or Mutes()
        all_tuning = services.all_tuning
        self._net_tuning = net_tuning(all_tuning)
        self._window = timedelta(days=all_tuning.values("events")["window_days"])
        # A job has a copy of its feed, so only as many jobs are made at once as keep the workers busy.
        self._parsing = threading.Semaphore(2 * services.executor.workers)

    def poll(
        self,
        row: Source,
        ask: Callable[[Source, datetime], PollAnswer] | None = None,
    ) -> PollResult:
        """Store the answer of `ask` to a poll of the source with this row; a FetchError becomes its health.

        By default the feed or page is requested.
        """
        now = self.services.now()
        source = self.services.quiet_polls.latest(row)
        try:
            answer = (ask or self._answer)(source, now)
            try:
                return self._accepted(row, source, answer, now)
            except WholeFeedNeededError:
                assert answer.whole is not None, "only then items are left out"
                return self._accepted(
                    row, source, answer._replace(feed=answer.whole()), now
                )
        except FetchError as error:
            if error.cause == "stopped" or self.services.stops():
                return PollResult(succeeded=False)
            after = decide(source, error, now, self._net_tuning)
            self.stored(source.shown_name, partial(_write, after=after, before=row))
            log_changes(source, after)
            if error.cause == ASKED_TO_WAIT:
                return PollResult(succeeded=False)
            return PollResult(succeeded=False, problem=str(error))

    def _answer(self, source: Source, now: datetime) -> PollAnswer:
        """Request and parse the feed. Raises FetchError."""
        access = self.access_of(source.id, source.address)
        fetched = self._fetch(source, now, access)
        if fetched.not_modified:
            return PollAnswer(fetched)
        body_hash = _read_as(access) + hash_of_body(fetched.body)
        if body_hash == source.body_hash:
            return PollAnswer(fetched, body_hash)
        whole = partial(self._parse, fetched, source, now, access)
        known = KnownItems()
        if source.first_poll_done:
            with self.services.database.read() as connection:
                known = known_items_of(connection, source.id)
        with self._parsing:
            feed = whole(known)
        if feed.sitemaps:
            body_hash, feed = read_sitemaps(
                feed,
                partial(
                    self.services.client.fetch,
                    access=access,
                    linked_from=source.polled_url,
                ),
                lambda page: self._parse(page, source, now, access),
            )
            # These belong to the index; they say nothing about its sitemaps.
            fetched = replace(fetched, etag=None, last_modified=None)
        elif feed.left_out:
            feed = replace(feed, language=known.language)
        answer = PollAnswer(fetched, body_hash, known=known, whole=whole)
        if body_hash == source.body_hash or (feed.left_out and not feed.entries):
            return answer
        return answer._replace(feed=feed)

    def _fetch(self, source: Source, now: datetime, access: Access) -> FetchResult:
        """Request the feed; from a new redirect target without a condition, to compare the entries.

        The server of a feed without news may answer every condition with 304: after two of its usual gaps, and
        after two more, the request is unconditional. So is that of a page after its selectors changed.
        """
        # The target of a redirect was not configured, and an imported address not typed, so they must not
        # lead into private networks.
        linked_from = None
        if source.origin == "import":
            linked_from = ""
        elif source.redirected_url:
            linked_from = source.address
        fetch = partial(
            self.services.client.fetch,
            source.polled_url,
            access=access,
            linked_from=linked_from,
        )
        is_read_otherwise = not (source.body_hash or b"").startswith(_read_as(access))
        if is_read_otherwise or is_to_be_checked(source, now):
            fetched = fetch()
        else:
            fetched = fetch(etag=source.etag, last_modified=source.last_modified)
        if fetched.not_modified and fetched.permanent_url not in (
            None,
            source.moved_to,
        ):
            return fetch()  # a 304 has no entries to compare
        return fetched

    def _parse(
        self,
        fetched: FetchResult,
        source: Source,
        now: datetime,
        access: Access,
        known: KnownItems = KnownItems(),  # noqa: B008 - frozen
    ) -> ParsedFeed:
        job = feed_job(
            fetched,
            self.services.all_tuning,
            source=source.entry_source,
            seen=now,
            selectors=access.selectors,
            outlet=source.outlet,
            name=source.name,
            zone=source.timezone,
            known_items=frozenset(known.articles),
            frame=known.frame,
            states_days=known.states_days,
        )
        parsed = parse_feed(self.services.executor, job)
        if parsed.problem and not parsed.entries:
            raise FetchError("no feed", parsed.problem)
        return parsed

    def _accepted(
        self, row: Source, source: Source, answer: PollAnswer, now: datetime
    ) -> PollResult:
        """Store the entries, oldest first (feeds list the newest first), and the outcome of the poll."""
        feed = answer.feed
        target = answer.fetched.permanent_url
        if feed is None and target is None:
            quiet = decide(source, answer, now, self._net_tuning)
            if self.services.quiet_polls.keep(row, quiet, now):
                return PollResult(unchanged=True)
        entries = []
        if feed is not None:
            entries = completed_entries(feed, source, now, self._window)

        def work(connection: Connection) -> tuple[Source, PollAnswer]:
            batch = self._accept(connection, source, answer, entries, now)
            full = answer._replace(
                entries=entries,
                accepted=batch.accepted,
                has_void_keys=batch.has_void_keys,
            )
            full = full._replace(old=old_entries(source, full, now, self._tuning))
            if target is not None:
                full = full._replace(at_target=source_at(connection, target))
            after = decide(source, full, now, self._net_tuning)
            inbox.bump_at_own_time(connection, full.old)
            _write(connection, after, row)
            return after, full

        after, full = self.stored(source.shown_name, work)
        log_changes(source, after, full)
        if feed is None:
            return PollResult(unchanged=True)
        return replace(
            summarise_accepted(full.accepted, feed.problem), name=after.shown_name
        )

    def _accept(
        self,
        connection: Connection,
        source: Source,
        answer: PollAnswer,
        entries: Sequence[Entry],
        now: datetime,
    ) -> AcceptedBatch:
        """Put the entries of a feed into the inbox, and note its other items as rejected."""
        for item, reason in answer.refused:
            rejected.note(
                connection,
                source=source.entry_source,
                item=item,
                verdict="unreadable",
                reason=reason,
                at=now,
            )
        if answer.feed is None:
            return AcceptedBatch()
        known = answer.known.articles
        left_out = frozenset(map(known.__getitem__, answer.feed.left_out))
        batch = acceptance.accept(
            connection,
            entries,
            seen=[now] * len(entries),
            wants_page=self._wanted_pages(entries, source),
            bump_by_clock=source.first_poll_done,
            gathers=True,
            poll=PollContext(outlet=source.outlet, left_out=left_out),
        )
        save_known_items(
            connection,
            source.id,
            answer.known,
            answer.feed,
            [*reversed(batch.accepted)],
        )
        # Muted entries stay in the inbox, without a page.
        for entry, result in zip(entries, batch.accepted, strict=True):
            if result.outcome != "new" or result.entry_no is None:
                continue
            muted = self._mutes.why(entry, source)
            if muted is not None:
                rejected.mute_entry(connection, result.entry_no, at=now, reason=muted)
        return batch

    def _wanted_pages(self, entries: Sequence[Entry], source: Source) -> list[bool]:
        """Whether to fetch the page of each entry.

        In a first poll only for the newest entries, and for none if pages of the source take too long.
        """
        slow_pages = self.services.slow_pages
        if slow_pages is not None and slow_pages.rests(source.entry_source):
            return [False] * len(entries)
        wanted = [self.wants_page(entry, source.pages) for entry in entries]
        if source.first_poll_done:
            return wanted
        oldest = datetime.min.replace(tzinfo=UTC)

        def time_of(number: int) -> tuple[datetime, int]:
            published = entries[number].published
            return (published.time if published else oldest, number)

        numbers = range(len(entries))
        newest = nlargest(
            self._tuning.first_poll_pages, compress(numbers, wanted), key=time_of
        )
        return [number in newest for number in numbers]


def _write(connection: Connection, after: Source, before: Source) -> None:
    save(connection, after, before)
    if after.health == "gone":
        restart_merged_sources(connection)


def _read_as(access: Access) -> bytes:
    """Return the beginning of `body_hash`: the same page has other entries for other selectors."""
    if not access.selectors:
        return b""
    return hash_of_body(repr(access.selectors).encode())


def log_changes(
    before: Source, after: Source, answer: PollAnswer | None = None
) -> None:
    """Log the news about a source."""
    name = after.shown_name
    target = answer and answer.fetched.permanent_url
    if answer and answer.has_void_keys:
        log.info(
            "%s: different entries share a GUID or an address, which identifies none of them from now on",
            name,
            extra={"event": "unstable_identifiers_found", "source": before.id},
        )
    if answer and answer.old:
        log.warning(
            "%s: %s at once; stored, not announced",
            name,
            pluralise(len(answer.old), "old entry", "old entries"),
            extra={"event": "old_entries_found", "source": before.id},
        )
    if after.merged_into is not None:
        log.info(
            "%s moved permanently to %s, which is a source already",
            name,
            target,
            extra={"event": "source_merged", "source": after.id},
        )
    elif after.health == "gone":
        log.warning(
            "%s is gone permanently (410); it is no longer polled",
            name,
            extra={"event": "source_gone", "source": after.id},
        )
    elif after.redirected_url == before.redirected_url:
        return
    elif after.redirected_url is not None:
        log.info(
            "%s moved permanently to %s, where it is polled now",
            name,
            target,
            extra={"event": "source_moved", "source": after.id},
        )
    else:
        log.info(
            "%s: %s fails for days; %s is polled",
            name,
            before.redirected_url,
            after.address,
            extra={"event": "source_address_reverted", "source": after.id},
        )
