"""Retention: deletes the texts of old stories, later the stories, in transactions of bounded length.

    text_after      the texts of a story are deleted; the title, the first paragraph of the lead and the
                    counts stay
    stories_after   the story and its articles are deleted; ids and hashes stay, so that their entries are
                    refused when they come again

Age is the time since an article was placed, so an old archive that is read today is new; a story is as old as
its newest article. Each step is one transaction of the writer and may be repeated.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from aggregator.config.settings import Config
from aggregator.grouping.deletion.erase_articles import delete_articles, erase_articles
from aggregator.grouping.transactions import Transactions
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs, steady_clock
from aggregator.store.maintenance import erased_rows, expired_rows
from aggregator.store.read.rendered_texts import texts_of
from aggregator.store.search import index
from aggregator.store.stories import article_views

# After this time, a transaction ends with the piece that is in progress (chosen)
_STEP_SECONDS = 0.03
# Articles whose texts are deleted in one piece (python -m benchmarks.retention)
_ARTICLES_AT_ONCE = 4
# SQLite's file is made smaller once this share of it is free (chosen: new rows use a smaller free part)
_FREE_SHARE = 0.1
_PAGES_A_STEP = 200  # pages removed from the file in one transaction
# SQLite's full-text index is merged once it has stale rows for this share of all articles (chosen: merging writes the
# whole index).
_MERGE_SHARE = 0.1
_MERGE_PAGES = 100  # pages of the index in one transaction: 0.4 MB


class RetentionTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `retention` of config/tuning.yaml."""

    rows_a_step: int
    check_seconds: float
    steady_days: float
    merge_min_rows: int


class RetentionPlan(FrozenStruct):
    """The configured ages in seconds; None: never."""

    text_after: int | None = None
    stories_after: int | None = None


class RetentionBacklog(FrozenStruct, omit_defaults=False):
    """How many stories have due texts, how many are due themselves, and how many bytes of the SQLite file are free."""

    texts: int
    stories: int
    bytes_free: int


class PruneResult(FrozenStruct, omit_defaults=False):
    """The answer to a `prune` command; `is_done` is whether nothing is left to do."""

    is_done: bool


class _Bounds(FrozenStruct):
    """The highest inbox numbers whose texts, and whose stories, are due at the time `at`."""

    texts: int = 0
    stories: int = 0
    at: datetime


class Retention:
    """Runs retention. For one thread of the writer."""

    def __init__(
        self, transactions: Transactions, plan: RetentionPlan, *, is_asked: bool = False
    ) -> None:
        """Prepare the services; `is_asked`: a `prune` command asked for this, so the clock is trusted."""
        self._transactions = transactions
        self._database = transactions.database
        self._now = transactions.now
        self._plan = plan
        self._is_asked = is_asked
        self._tuning = transactions.all_tuning.section("retention", RetentionTuning)
        # None: the bounds must be read. This is so after all is done; otherwise they are read every `check_seconds`.
        self._bounds: _Bounds | None = None
        self._is_steady = False

    def step(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Run one short part in one transaction; return False if nothing is left to do now, or `stop` is true."""
        if stop():
            return False
        now = self._now()
        bounds = self._bounds
        if (
            bounds is None
            or not 0 <= (now - bounds.at).total_seconds() < self._tuning.check_seconds
        ):
            with self._database.write() as connection:
                gap = timedelta(days=self._tuning.steady_days)
                steady_clock.record_time(connection, now, gap)
                # After a jump of the clock, nothing is deleted by age, because the clock may jump back.
                self._is_steady = self._is_asked or steady_clock.is_steady(
                    connection, now, gap
                )
            bounds = self._bounds_at(now) if self._is_steady else _Bounds(at=now)
            self._bounds = bounds
        try:
            is_changed = (
                self._drop_texts(bounds.texts)
                or self._drop_story(bounds.stories)
                or self._housekeeping()
            )
        except (ValueError, *codecs.UNREADABLE):
            # A damaged row must not keep the rest from being done.
            if not self._housekeeping():
                raise
            is_changed = True
        if not is_changed:
            self._bounds = None
        return is_changed

    def due(self) -> RetentionBacklog:
        """Return how many stories are due now; nothing is deleted."""
        bounds = self._bounds_at(self._now())
        with self._database.read() as connection:
            return RetentionBacklog(
                texts=expired_rows.count_expired_stories(
                    connection, "text", bounds.texts
                ),
                stories=expired_rows.count_expired_stories(
                    connection, "all", bounds.stories
                ),
                bytes_free=self._database.space().free,
            )

    def _bounds_at(self, now: datetime) -> _Bounds:
        plan = self._plan
        with self._database.read() as connection:
            return _Bounds(
                texts=expired_rows.last_expired_number(
                    connection, "text", plan.text_after, now
                ),
                stories=expired_rows.last_expired_number(
                    connection, "all", plan.stories_after, now
                ),
                at=now,
            )

    def _drop_texts(self, upto: int) -> bool:
        """Delete the texts of the next story, or some of them; return whether a story was due."""
        services = self._transactions.services
        with self._database.read() as connection:
            old = expired_rows.find_expired_story(connection, "text", upto)
            if old is None:
                return False
            # The text is rendered before the transaction, because this takes long for a large story.
            text = texts_of(connection, [old.id]).get(old.id)
            if text is None:
                # Imported here, because only this step needs the patterns of the module.
                from aggregator.stories.rendering import story_text

                members = article_views.views_of_stories(connection, [old.id], "text")
                text = story_text(members[old.id], old.title, services.story_tuning)
        with self._transactions.unit_of_work() as unit_of_work:
            connection = unit_of_work.connection
            if expired_rows.delete_terms(connection, old.id):
                # The window must drop the terms of these articles, too.
                services.window.renew(connection, [(old.story_no, old.id)])
            expired_rows.shorten_story_text(connection, old.story_no, text)
            ends = time.monotonic() + _STEP_SECONDS
            while True:
                aged = expired_rows.load_articles_with_text(
                    connection, old.id, _ARTICLES_AT_ONCE
                )
                delete_articles(services.copy_finder, connection, aged, "text")
                if len(aged) < _ARTICLES_AT_ONCE or time.monotonic() >= ends:
                    return True

    def _drop_story(self, upto: int) -> bool:
        """Delete the next story, or some articles of a large story; return whether a story was due.

        The article that gave the story its headline is deleted last.
        """
        with self._transactions.unit_of_work() as unit_of_work:
            connection = unit_of_work.connection
            old = expired_rows.find_expired_story(connection, "all", upto)
            if old is None:
                return False
            ids = expired_rows.list_articles_to_delete(
                connection, old.id, self._tuning.rows_a_step
            )
            with_redirects = erased_rows.with_redirects(connection, [old.id])
            erase_articles(self._transactions.services, unit_of_work, ids, "retention")
            if not expired_rows.list_articles_to_delete(connection, old.id, 1):
                expired_rows.delete_history(connection, with_redirects)
                unit_of_work.log(old.id, "forgotten")
        return True

    def _housekeeping(self) -> bool:
        """Shorten streams, or make the files smaller; return whether anything was done."""
        now = self._now()
        rows = self._tuning.rows_a_step
        with self._database.write() as connection:
            least = max(
                self._tuning.merge_min_rows,
                int(_MERGE_SHARE * expired_rows.last_inbox_number(connection)),
            )
            is_changed = (
                expired_rows.shorten_entries(connection, rows)
                or (
                    self._is_steady
                    and expired_rows.delete_old_rows(connection, now, rows) > 0
                )
                or index.merge_stale_index(connection, least, _MERGE_PAGES)
            )
        if is_changed:
            return True
        space = self._database.space()
        if not space.has_auto_vacuum or space.free < space.total * _FREE_SHARE:
            return False
        self._database.release_free_pages(_PAGES_A_STEP)
        return True


def retention_plan(config: Config) -> RetentionPlan:
    """Return the ages after which the configuration deletes texts and stories."""
    return RetentionPlan(
        text_after=config.retention.text_after,
        stories_after=config.retention.stories_after,
    )
