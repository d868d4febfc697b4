"""Retention: deletes the texts of old stories, later the stories, in transactions of bounded length.

    text_after      the texts of a story are deleted; of what it shows the title, the first paragraph of the
                    lead and the counts stay
    stories_after   the story and its articles are deleted; ids and hashes stay, by which they are refused

Age is the time since an article was placed, so an old archive that is read today is new; a story is as old as
its newest article. Each step is one transaction of the writer and may be repeated.
"""

import datetime as dt
import time
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from aggregator.config.settings import Config
from aggregator.grouping.deletion.erase import ForgetHandler
from aggregator.grouping.transactions import Transactions
from aggregator.model.story import StoryText
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs, steady_clock
from aggregator.store.engine.database import Connection
from aggregator.store.maintenance import erase, index_merge, retention
from aggregator.store.read.rendered_texts import texts_of
from aggregator.store.stories import article_views
from aggregator.stories.tuning import StoryTuning

# A transaction ends after the piece that is in progress by then (chosen)
_STEP_SECONDS = 0.03
# Of which the texts are deleted in one piece (python -m benchmarks.retention)
_ARTICLES_AT_ONCE = 4
# Of SQLite's file that is free before it is made smaller (chosen: new rows use the rest)
_FREE_SHARE = 0.1
_PAGES_A_STEP = 200  # pages removed from the file in one transaction
# Of all articles: once so many rows of SQLite's full-text index are stale, it is merged (chosen: it writes
# the whole index).
_MERGE_SHARE = 0.1
_MERGE_PAGES = 100  # pages of it in one transaction: 0.4 MB


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
    """The stories whose texts, or which themselves, are due; the free pages of the SQLite file in bytes."""

    texts: int
    stories: int
    bytes_free: int


class PruneResult(FrozenStruct, omit_defaults=False):
    """The answer to a `prune` command; `is_done`: nothing is left to do."""

    is_done: bool


class _Bounds(FrozenStruct):
    """The inbox number up to which each step may run, as of `at`."""

    texts: int = 0
    stories: int = 0
    at: dt.datetime


class Retention:
    """Runs retention. For one thread of the writer."""

    def __init__(
        self, transactions: Transactions, plan: RetentionPlan, *, is_asked: bool = False
    ) -> None:
        """`is_asked`: a `prune` command, which trusts the clock."""
        self._transactions = transactions
        self._database = transactions.database
        self._now = transactions.now
        self._plan = plan
        self._is_asked = is_asked
        self._tuning = transactions.all_tuning.section("retention", RetentionTuning)
        self._gap = dt.timedelta(days=self._tuning.steady_days)
        self._story_tuning = transactions.all_tuning.section("stories", StoryTuning)
        # None: all is done, so that they are read again
        self._bounds: _Bounds | None = None

    def step(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Run one short part in one transaction; return False if nothing is left to do now."""
        if stop():
            return False
        bounds = self._current_bounds()
        try:
            done = (
                self._drop_texts(bounds.texts)
                or self._drop_story(bounds.stories)
                or self._housekeeping()
            )
        except (ValueError, *codecs.UNREADABLE):
            if not self._housekeeping():  # which a damaged row does not hold up
                raise
            done = True
        if not done:
            self._bounds = None
        return done

    def due(self) -> RetentionBacklog:
        """Return what waits now, without a change."""
        bounds = self._bounds_at(self._now())
        with self._database.read() as connection:
            return RetentionBacklog(
                texts=retention.count_stories(connection, "text", bounds.texts),
                stories=retention.count_stories(connection, "all", bounds.stories),
                bytes_free=self._database.space().free,
            )

    def _current_bounds(self) -> _Bounds:
        now = self._now()
        bounds = self._bounds
        if (
            bounds is None
            or not 0 <= (now - bounds.at).total_seconds() < self._tuning.check_seconds
        ):
            with self._database.write() as connection:
                steady_clock.record_time(connection, now, self._gap)
                is_steady = self._is_steady(connection, now)
            bounds = self._bounds = (
                self._bounds_at(now) if is_steady else _Bounds(at=now)
            )
        return bounds

    def _is_steady(self, connection: Connection, now: dt.datetime) -> bool:
        """Return whether to delete by age, which waits after a jump of the clock: it may jump back."""
        return self._is_asked or steady_clock.is_steady(connection, now, self._gap)

    def _bounds_at(self, now: dt.datetime) -> _Bounds:
        with self._database.read() as connection:

            def bound(age: int | None) -> int:
                if age is None:
                    return 0
                return retention.placed_before(
                    connection, now - dt.timedelta(seconds=age), now
                )

            texts = bound(self._plan.text_after)
            stories = bound(self._plan.stories_after)
        return _Bounds(texts=texts, stories=stories, at=now)

    def _drop_texts(self, upto: int) -> bool:
        """Delete the texts of the next story, or some of them; return whether there was one."""
        with self._database.read() as connection:
            old = retention.next_story(connection, "text", upto)
            if old is None:
                return False
            # Rendered before the transaction, because a large story takes long.
            text = self._text(connection, old.id, old.title)
        # The first paragraph of the lead stays, as the summary of the story does.
        stays = replace(text, lead=text.lead[:1], openings=(), quotations=())
        with self._transactions.unit_of_work() as unit_of_work:
            connection = unit_of_work.connection
            if retention.drop_terms(connection, old.id):  # so the window has none
                self._transactions.parts.window.renew(
                    unit_of_work, [(old.story_no, old.id)]
                )
            retention.keep_text(connection, old.story_no, stays)
            self._delete_texts(connection, old.id)
        return True

    def _delete_texts(self, connection: Connection, story: str) -> None:
        """Delete the texts of the articles of a story, at least of some of them."""
        ends = time.monotonic() + _STEP_SECONDS
        while True:
            aged = retention.articles_with_text(connection, story, _ARTICLES_AT_ONCE)
            ForgetHandler(self._transactions.parts).delete_articles(
                connection, aged, "text"
            )
            if len(aged) < _ARTICLES_AT_ONCE or time.monotonic() >= ends:
                return

    def _text(self, connection: Connection, id: str, title: str) -> StoryText:
        """Return what story `id` shows, as it is stored, or render it."""
        stored = texts_of(connection, [id]).get(id)
        if stored is not None:
            return stored
        # Loaded here, because only this step needs its patterns.
        from aggregator.stories.rendering import story_text

        return story_text(
            article_views.views_of_stories(connection, [id], "text")[id],
            title,
            self._story_tuning,
        )

    def _drop_story(self, upto: int) -> bool:
        """Delete the next story, or some articles of a large one; return whether there was one.

        The article with its headline is the last.
        """
        with self._transactions.unit_of_work() as unit_of_work:
            connection = unit_of_work.connection
            old = retention.next_story(connection, "all", upto)
            if old is None:
                return False
            ids = retention.last_to_first(connection, old.id, self._tuning.rows_a_step)
            with_redirects = erase.with_redirects(connection, [old.id])
            ForgetHandler(self._transactions.parts).carry_out(
                unit_of_work, ids, {}, "retention"
            )
            if not retention.last_to_first(connection, old.id, 1):
                retention.drop_history(connection, with_redirects)
                unit_of_work.log(old.id, "forgotten")
        return True

    def _housekeeping(self) -> bool:
        """Shorten streams, or make the files smaller; return whether there was something to do."""
        now = self._now()
        rows = self._tuning.rows_a_step
        with self._database.write() as connection:
            least = max(
                self._tuning.merge_min_rows,
                int(_MERGE_SHARE * retention.newest_article(connection)),
            )
            done = (
                retention.settle_entries(connection, rows)
                or (
                    self._is_steady(connection, now)
                    and retention.drop_streams(connection, now, rows) > 0
                )
                or index_merge.merge_stale_index(connection, least, _MERGE_PAGES)
            )
        return done or self._give_back()

    def _give_back(self) -> bool:
        """Free pages of the SQLite file if there are many."""
        space = self._database.space()
        if not space.has_auto_vacuum or space.free < space.total * _FREE_SHARE:
            return False
        self._database.release_free_pages(_PAGES_A_STEP)
        return True


def retention_plan(config: Config) -> RetentionPlan:
    """Return the plan of `retention:`."""
    return RetentionPlan(
        text_after=config.retention.text_after,
        stories_after=config.retention.stories_after,
    )
