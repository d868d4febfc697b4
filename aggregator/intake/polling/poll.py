"""Poll a source: request its feed, put the new entries into the inbox, and store the outcome.

The entries and the new state of the source (ETag, due time, health) are stored in one transaction. If it
fails, the source is polled again with the same result. poll_decision.py decides the consequences of a response
for the source.
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
from aggregator.intake.polling.response_hash import hash_response
from aggregator.intake.polling.sitemap_index import read_sitemaps
from aggregator.model.entry import Entry, FetchPages, ParsedFeed
from aggregator.model.errors import FetchError
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
        pages: FetchPages,
        mutes: Mutes | None = None,
    ) -> None:
        """`robots` and `pages` are explained in PageFetcher; the pages of entries in `mutes` are not fetched."""
        super().__init__(services, robots=robots, pages=pages)
        self._mutes = mutes or Mutes()
        all_tuning = services.all_tuning
        self._net_tuning = net_tuning(all_tuning)
        self._window = timedelta(days=all_tuning.values("events")["window_days"])
        # Each job holds a copy of its feed in memory, so no more jobs are made at once than keep the workers busy.
        self._parsing = threading.Semaphore(2 * services.executor.workers)

    def poll(
        self,
        row: Source,
        request: Callable[[Source, datetime], PollAnswer] | None = None,
    ) -> PollResult:
        """Request the feed of a source and store the answer; a FetchError is stored as the source's health.

        `row` is the source as stored; its state in memory may be newer, see QuietPolls. Kinds of sources other
        than feeds give their own `request`.
        """
        now = self.services.now()
        source = self.services.quiet_polls.latest(row)
        try:
            answer = (request or self._request_feed)(source, now)
            try:
                return self._store_answer(row, source, answer, now)
            except WholeFeedNeededError:
                # The worker left out items that seemed known, but one of them may be another entry.
                assert answer.parse_whole is not None, "only then items are left out"
                whole = answer._replace(feed=answer.parse_whole())
                return self._store_answer(row, source, whole, now)
        except FetchError as error:
            if error.cause == "stopped" or self.services.stops():
                return PollResult(succeeded=False)
            after = decide(source, error, now, self._net_tuning)
            self.store_response(
                source.shown_name, partial(_save_source, after=after, before=row)
            )
            log_changes(source, after)
            if error.cause == ASKED_TO_WAIT:
                return PollResult(succeeded=False)
            return PollResult(succeeded=False, problem=str(error))

    def _request_feed(self, source: Source, now: datetime) -> PollAnswer:
        """Request the feed, and parse it unless it is the same as at the last poll. Raises FetchError."""
        access = self.access_of(source.id, source.address)
        fetched = self._fetch(source, now, access)
        if fetched.not_modified:
            return PollAnswer(fetched)
        body_hash = _selectors_hash(access) + hash_response(fetched.body)
        if body_hash == source.body_hash:
            return PollAnswer(fetched, body_hash)
        parse_whole = partial(self._parse, fetched, source, now, access)
        # Most items are known from the last poll. The worker leaves them out, because parsing them costs CPU time.
        known = KnownItems()
        if source.first_poll_done:
            with self.services.database.read() as connection:
                known = known_items_of(connection, source.id)
        with self._parsing:
            feed = parse_whole(known)
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
            # ETag and Last-Modified are those of the index, and may stay the same when a sitemap changes.
            fetched = replace(fetched, etag=None, last_modified=None)
        elif feed.left_out:
            feed = replace(feed, language=known.language)
        answer = PollAnswer(fetched, body_hash, known=known, parse_whole=parse_whole)
        if body_hash == source.body_hash or (feed.left_out and not feed.entries):
            return answer
        return answer._replace(feed=feed)

    def _fetch(self, source: Source, now: datetime, access: Access) -> FetchResult:
        """Request the feed, usually on the condition that it has changed (ETag, Last-Modified).

        The request is unconditional if the selectors of the page have changed. It is so at intervals, too, if the
        feed has had no news for long, because some servers answer every conditional request with 304. If a new
        target of permanent redirects answers 304, it is asked again unconditionally, so that its entries can be
        compared with the known ones.
        """
        # `linked_from` says who named the address. None means the owner, who may name an address in a private
        # network; a redirect or an imported list must not lead there.
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
        has_other_selectors = not (source.body_hash or b"").startswith(
            _selectors_hash(access)
        )
        if has_other_selectors or is_to_be_checked(source, now):
            fetched = fetch()
        else:
            fetched = fetch(etag=source.etag, last_modified=source.last_modified)
        has_new_target = fetched.permanent_url not in (None, source.moved_to)
        return fetch() if fetched.not_modified and has_new_target else fetched

    def _parse(
        self,
        fetched: FetchResult,
        source: Source,
        now: datetime,
        access: Access,
        known: KnownItems = KnownItems(),  # noqa: B008 - frozen
    ) -> ParsedFeed:
        """Parse the feed in a worker, without its `known` items. Raises FetchError if it is not a feed."""
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

    def _store_answer(
        self, row: Source, source: Source, answer: PollAnswer, now: datetime
    ) -> PollResult:
        """Store the entries, the oldest first, and the outcome of the poll.

        Raises WholeFeedNeededError if an item that was left out may not be known.
        """
        feed = answer.feed
        target = answer.fetched.permanent_url
        if feed is None and target is None:  # no news: keep the state in memory
            quiet = decide(source, answer, now, self._net_tuning)
            if self.services.quiet_polls.keep(row, quiet, now):
                return PollResult(unchanged=True)
        entries = []
        if feed is not None:
            entries = completed_entries(feed, source, now, self._window)

        def store(connection: Connection) -> tuple[Source, PollAnswer]:
            """Accept the entries; return the source after the poll, and the answer with their outcomes."""
            batch = self._accept_entries(connection, source, answer, entries, now)
            outcome = answer._replace(
                entries=entries,
                accepted=batch.accepted,
                has_void_keys=batch.has_void_keys,
            )
            old = old_entries(source, outcome, now, self._tuning)
            outcome = outcome._replace(old=old)
            if target is not None:
                outcome = outcome._replace(at_target=source_at(connection, target))
            after = decide(source, outcome, now, self._net_tuning)
            inbox.bump_at_own_time(connection, old)
            _save_source(connection, after, row)
            return after, outcome

        after, outcome = self.store_response(source.shown_name, store)
        log_changes(source, after, outcome)
        if feed is None:
            return PollResult(unchanged=True)
        return replace(
            summarise_accepted(outcome.accepted, feed.problem), name=after.shown_name
        )

    def _accept_entries(
        self,
        connection: Connection,
        source: Source,
        answer: PollAnswer,
        entries: Sequence[Entry],
        now: datetime,
    ) -> AcceptedBatch:
        """Put the entries of a feed into the inbox, and note unreadable items and muted entries as rejected."""
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
        left_out = frozenset(known[item] for item in answer.feed.left_out)
        batch = acceptance.accept(
            connection,
            entries,
            seen=[now] * len(entries),
            wants_page=self._want_pages(entries, source),
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
        # A muted entry stays stored, but it is not placed and its page is not fetched.
        for entry, result in zip(entries, batch.accepted, strict=True):
            if result.outcome != "new" or result.entry_no is None:
                continue
            mute = self._mutes.why(entry, source)
            if mute is not None:
                rejected.mute_entry(connection, result.entry_no, at=now, reason=mute)
        return batch

    def _want_pages(self, entries: Sequence[Entry], source: Source) -> list[bool]:
        """Return for each entry whether to fetch its page.

        No page is fetched while the pages of the source take workers too long. After a first poll, only the pages of
        the newest entries are fetched.
        """
        slow_pages = self.services.slow_pages
        if slow_pages is not None and slow_pages.rests(source.entry_source):
            return [False] * len(entries)
        wants_page = [self.wants_page(entry, source.pages) for entry in entries]
        if source.first_poll_done:
            return wants_page
        undated = datetime.min.replace(tzinfo=UTC)

        def time_of(number: int) -> tuple[datetime, int]:
            published = entries[number].published
            return (published.time if published else undated, number)

        numbers = range(len(entries))
        newest = nlargest(
            self._tuning.first_poll_pages, compress(numbers, wants_page), key=time_of
        )
        return [number in newest for number in numbers]


def _save_source(connection: Connection, after: Source, before: Source) -> None:
    save(connection, after, before)
    if after.health == "gone":  # sources that were merged into it are polled again
        restart_merged_sources(connection)


def _selectors_hash(access: Access) -> bytes:
    """Return the beginning of `body_hash`, which depends on the selectors: others find other entries in a page."""
    if not access.selectors:
        return b""
    return hash_response(repr(access.selectors).encode())


def log_changes(
    before: Source, after: Source, answer: PollAnswer | None = None
) -> None:
    """Log how a poll changed a source; `answer` is the response, or None if the poll failed."""
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
