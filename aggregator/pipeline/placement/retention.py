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
from contextlib import AbstractContextManager

import msgspec

from aggregator.config.settings import Config
from aggregator.config.tuning import Tuning
from aggregator.model.core import FrozenStruct, StoryText
from aggregator.pipeline.placement.copy_lookup import CopyFinder
from aggregator.pipeline.placement.erase import ForgetHandler
from aggregator.pipeline.placement.story_writer import StoryWriter
from aggregator.pipeline.placement.unit_of_work import UnitOfWork
from aggregator.store import codecs
from aggregator.store.engine.database import Connection, Database
from aggregator.store.maintenance import erase
from aggregator.store.maintenance.erase import OldStory
from aggregator.store.read.reader import texts_of
from aggregator.store.stories import article_views
from aggregator.stories.tuning import StoryTuning

_STEP_SECONDS = 0.03  # a transaction ends after the piece that is in progress by then (chosen)
_ARTICLES_AT_ONCE = 4  # of which the texts are deleted in one piece (python -m benchmarks.retention)
_CHANGE_DAYS = 90.0  # that changes are stored, once all webhooks have read them (chosen)
_COMMAND_DAYS = 30.0  # that finished commands are stored (chosen)
_REJECTED_DAYS = 90.0  # that unreadable files and missing pages are recorded (chosen)
_FREE_SHARE = 0.1  # of SQLite's file that is free before it is made smaller (chosen: new rows use the rest)
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


class RetentionPlan(FrozenStruct, frozen=True, kw_only=True):
    """The configured ages in seconds; None: never."""

    text_after: int | None = None
    stories_after: int | None = None


class RetentionBacklog(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """The stories whose texts, or which themselves, are due; the free pages of the SQLite file in bytes."""

    texts: int
    stories: int
    bytes_free: int


class PruneResult(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """The answer to a `prune` command; `is_done`: nothing is left to do."""

    is_done: bool


class _Bounds(FrozenStruct, frozen=True, kw_only=True):
    """The inbox number up to which each step may run now."""

    texts: int
    stories: int


class Retention:
    """Runs retention. For one thread of the writer."""

    def __init__(
        self,
        database: Database,
        all_tuning: Tuning,
        plan: RetentionPlan,
        *,
        now: Callable[[], dt.datetime],
        unit_of_work: Callable[[], AbstractContextManager[UnitOfWork]],
        story_writer: StoryWriter,
        copy_finder: CopyFinder,
        is_asked: bool = False,
    ) -> None:
        """`unit_of_work` opens a placing transaction; `story_writer` and `copy_finder` hold indexes.

        `is_asked`: a `prune` command, which trusts the clock.
        """
        self._database = database
        self._plan = plan
        self._now = now
        self._unit_of_work = unit_of_work
        self._is_asked = is_asked
        self._story_writer = story_writer
        self._forget_handler = ForgetHandler(story_writer, copy_finder)
        self._tuning = all_tuning.section("retention", RetentionTuning)
        self._story_tuning = all_tuning.section("stories", StoryTuning)
        self._bounds: _Bounds | None = None
        self._bounds_at: dt.datetime | None = None

    def step(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Run one short part in one transaction; return False if nothing is left to do now."""
        if stop():
            return False
        bounds = self._current_bounds()
        try:
            done = self._drop_texts(bounds.texts) or self._drop_story(bounds.stories) or self._housekeeping()
        except (ValueError, *codecs.UNREADABLE):
            if not self._housekeeping():  # which a damaged row does not hold up
                raise
            done = True
        if not done:
            self._bounds = None
        return done

    def _housekeeping(self) -> bool:
        return self._settle() or self._drop_streams() or self._merge_index() or self._give_back()

    def due(self) -> RetentionBacklog:
        """Return what waits now, without a change."""
        bounds = self._bounds_now(self._now())
        with self._database.read() as connection:
            return RetentionBacklog(
                texts=erase.count_stories(connection, "text", bounds.texts),
                stories=erase.count_stories(connection, "all", bounds.stories),
                bytes_free=self._database.space().free,
            )

    # --- what is old enough ---------------------------------------------------------------------------------

    def _current_bounds(self) -> _Bounds:
        """Return the bounds, which are read again when all is done, and from time to time."""
        now = self._now()
        age = None if self._bounds_at is None else (now - self._bounds_at).total_seconds()
        if self._bounds is None or age is None or not 0 <= age < self._tuning.check_seconds:
            self._bounds, self._bounds_at = self._bounds_now(now, is_look=True), now
        return self._bounds

    def _bounds_now(self, now: dt.datetime, *, is_look: bool = False) -> _Bounds:
        if is_look:
            with self._database.write() as connection:
                day = dt.timedelta(days=self._tuning.steady_days)
                steady = erase.steady_since(connection, now, day)
            # Irreversible steps wait after a jump of the clock: it may jump back.
            if not self._is_asked and now - steady < day:
                return _Bounds(texts=0, stories=0)
        with self._database.read() as connection:
            texts = self._upto(connection, now, self._plan.text_after)
            stories = self._upto(connection, now, self._plan.stories_after)
        return _Bounds(texts=texts, stories=stories)

    @staticmethod
    def _upto(connection: Connection, now: dt.datetime, age: int | None) -> int:
        if age is None:
            return 0
        return erase.placed_before(connection, now - dt.timedelta(seconds=age), now)

    # --- texts and stories ----------------------------------------------------------------------------------

    def _drop_texts(self, upto: int) -> bool:
        """Delete the texts of the next story, or some of them; return whether there was one."""
        with self._database.read() as connection:
            old = erase.next_story(connection, "text", upto)
            if old is None:
                return False
            # Rendered before the transaction, because a large story takes long.
            text = self._text(connection, old)
        with self._unit_of_work() as unit_of_work:
            if erase.drop_terms(unit_of_work.connection, old.id):
                self._story_writer.mend(unit_of_work, old.id)  # so the window has none
            # The first paragraph of the lead stays, as the summary of the story does.
            stays = msgspec.structs.replace(text, lead=text.lead[:1], openings=(), quotations=())
            erase.keep_text(unit_of_work.connection, old, stays)
        ends = time.monotonic() + _STEP_SECONDS
        with self._unit_of_work() as unit_of_work:
            while self._drop_some_texts(unit_of_work.connection, old.id) and time.monotonic() < ends:
                pass
        return True

    def _text(self, connection: Connection, old: OldStory) -> StoryText:
        """Return what a story shows, as it is stored, or render it."""
        stored = texts_of(connection, [old.id]).get(old.id)
        if stored is not None:
            return stored
        # Loaded here, because only this step needs its patterns.
        from aggregator.stories.rendering import story_text

        members = article_views.views_of_stories(connection, [old.id], "text")[old.id]
        return story_text(members, old.title, self._story_tuning)

    def _drop_some_texts(self, connection: Connection, story: str) -> bool:
        """Delete some texts of a story after its last rendering; return whether more are left."""
        some = erase.articles_with_text(connection, story, _ARTICLES_AT_ONCE)
        self._forget_handler.delete_articles(connection, some, "text")
        return len(some) == _ARTICLES_AT_ONCE

    def _drop_story(self, upto: int) -> bool:
        """Delete the next story, or some articles of a large one; return whether there was one.

        The article with its headline is the last.
        """
        with self._unit_of_work() as unit_of_work:
            connection = unit_of_work.connection
            old = erase.next_story(connection, "all", upto)
            if old is None:
                return False
            ids = erase.last_to_first(connection, old.id, self._tuning.rows_a_step)
            former = erase.with_redirects(connection, {old.id})
            self._forget_handler.carry_out(unit_of_work, ids, {id_: [old.id] for id_ in ids}, "retention")
            if not erase.last_to_first(connection, old.id, 1):
                erase.drop_history(connection, former)
                unit_of_work.ledger.log(unit_of_work.now, old.id, "forgotten")
        return True

    # --- short-lived rows, and space ----------------------------------------------------------------------

    def _settle(self) -> bool:
        with self._database.write() as connection:
            return erase.settle_entries(connection, self._tuning.rows_a_step) > 0

    def _drop_streams(self) -> bool:
        now, tuning = self._now(), self._tuning
        with self._database.write() as connection:
            steady = dt.timedelta(days=tuning.steady_days)
            if not self._is_asked and not erase.is_steady(connection, now, steady):
                return False
            before = now - dt.timedelta(days=_CHANGE_DAYS)
            gone = erase.drop_changes(connection, before, tuning.rows_a_step)
            before = now - dt.timedelta(days=_COMMAND_DAYS)
            gone += erase.drop_commands(connection, before, tuning.rows_a_step)
            before = now - dt.timedelta(days=_REJECTED_DAYS)
            gone += erase.drop_rejected(connection, before, tuning.rows_a_step)
        return gone > 0

    def _merge_index(self) -> bool:
        """Merge the full-text index if many words were deleted."""
        tuning = self._tuning
        with self._database.write() as connection:
            least = max(tuning.merge_min_rows, int(_MERGE_SHARE * erase.newest_article(connection)))
            return erase.merge_stale_index(connection, least, _MERGE_PAGES)

    def _give_back(self) -> bool:
        """Free pages of the SQLite file if there are many."""
        space = self._database.space()
        if not space.has_auto_vacuum or space.free < space.total * _FREE_SHARE:
            return False
        self._database.release_free_pages(_PAGES_A_STEP)
        return True


def retention_plan(config: Config) -> RetentionPlan:
    """Return the plan of `retention:`."""
    chosen = config.retention
    return RetentionPlan(text_after=chosen.text_after, stories_after=chosen.stories_after)
