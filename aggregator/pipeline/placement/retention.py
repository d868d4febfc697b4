"""Retention: reduces old articles in five steps, in transactions of bounded length.

    packed     the text is compressed; the full-text index keeps headline, lead and hashes (compress_after)
    unlinked   the article is no longer found as an original (compress_after, and beyond the live reach)
    stripped   no article joins its story; the merged text is rendered on demand (same condition)
    texts      the text is deleted; the merged text is rendered once more, without what only one outlet
               reports (text_after, size)
    stories    the story and its articles are deleted; ids and hashes stay, by which they are refused
               (stories_after)

Age is the time since an article was placed, so an old archive that is read today is new. Each step is one
transaction of the writer and may be repeated.
"""

import datetime as dt
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import msgspec

from aggregator.config.settings import Config
from aggregator.config.tuning import Tuning
from aggregator.model.core import FrozenStruct, MergedStory
from aggregator.model.errors import ConfigError
from aggregator.pipeline.placement.copy_lookup import CopyFinder
from aggregator.pipeline.placement.erase import ForgetHandler
from aggregator.pipeline.placement.story_writer import StoryWriter, UnitOfWork
from aggregator.store import codecs
from aggregator.store.engine.database import Connection, Database
from aggregator.store.maintenance import erase, retention
from aggregator.store.maintenance.retention import OldArticle, OldStory, RetentionStage
from aggregator.store.read.reader import merged_of
from aggregator.store.stories import article_views, articles, stories
from aggregator.stories.counts import with_originals
from aggregator.stories.tuning import StoryTuning

_STEP_SECONDS = 0.03  # a transaction ends after the piece that is in progress by then (chosen)
# Articles compressed, or removed from the indexes, in one piece (python -m benchmarks.retention).
_ARTICLES_AT_ONCE = 4
_STORIES_AT_ONCE = 2  # stories stripped in one piece
_YOUNGEST_DAYS = 2  # since an article was placed; `size` deletes no younger ones
_CHANGE_DAYS = 90.0  # that changes are stored, once all webhooks have read them (chosen)
_COMMAND_DAYS = 30.0  # that finished commands are stored (chosen)
_REJECTED_DAYS = 90.0  # that unreadable files and missing pages are recorded (chosen)
_TARGET_SHARE = 0.95  # of `size`: once above `size`, retention continues down to this share
_FREE_SHARE = 0.1  # of SQLite's file that is free before it is made smaller (chosen: new rows use the rest)
_PAGES_A_STEP = 200  # pages removed from the file in one transaction
# Of all articles: once so many rows of SQLite's full-text index are stale, it is merged (chosen: it writes
# the whole index).
_MERGE_SHARE = 0.1
_MERGE_PAGES = 100  # pages of it in one transaction: 0.4 MB

log = logging.getLogger(__name__)


class RetentionTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `retention` of config/tuning.yaml."""

    members_a_step: int
    rows_a_step: int
    check_seconds: float
    steady_days: float
    min_age_days: float
    free_pages: int
    merge_min_rows: int


class RetentionPlan(FrozenStruct, frozen=True, kw_only=True):
    """The configured ages in seconds (None: never), and the size in bytes (SQLite only)."""

    compress_after: int | None = None
    text_after: int | None = None
    stories_after: int | None = None
    size: int | None = None


class RetentionBacklog(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What waits for each step: articles or stories."""

    packed: int = 0
    unrendered: int = 0
    unlinked: int = 0
    stripped: int = 0
    texts: int = 0
    stories: int = 0
    bytes_over: int = 0  # of `size`
    bytes_free: int = 0  # free pages of the SQLite file

    @property
    def total(self) -> int:
        """Articles and stories of all steps."""
        return self.packed + self.unrendered + self.unlinked + self.stripped + self.texts + self.stories


class PruneResult(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """The answer to a `prune` command; `is_done`: nothing is left to do."""

    is_done: bool


class _Bounds(FrozenStruct, frozen=True, kw_only=True):
    """The number up to which each step may run now."""

    packed: int
    unrendered: int
    unlinked: int
    stripped: int
    texts: int
    stories: int
    youngest: int  # as far as `size` may reach


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
        self._copy_finder = copy_finder
        self._forget_handler = ForgetHandler(story_writer, copy_finder)
        self._tuning = all_tuning.section("retention", RetentionTuning)
        self._story_tuning = all_tuning.section("stories", StoryTuning)
        self._bounds: _Bounds | None = None
        self._bounds_at: dt.datetime | None = None
        self._is_over = False  # over `size`, and not yet well below it

    def step(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Run one short part in one transaction; return False if nothing is left to do now."""
        if stop():
            return False
        bounds = self._current_bounds()
        try:
            done = self._next_stage(bounds) or self._housekeeping()
        except (ValueError, *codecs.UNREADABLE):
            if not self._housekeeping():  # which a damaged row does not hold up
                raise
            done = True
        if not done:
            self._bounds = None
        return done

    def _next_stage(self, bounds: _Bounds) -> bool:
        return (
            self._of_articles("packed", bounds.packed, retention.pack)
            or self._of_stories("unrendered", bounds.unrendered, retention.clear_merged_texts)
            or self._of_articles("unlinked", bounds.unlinked, self._unlink)
            or self._of_stories("stripped", bounds.stripped, self._strip)
            or self._drop_texts(bounds)
            or self._drop_stories(bounds)
            or self._come_back(bounds)
        )

    def _housekeeping(self) -> bool:
        return self._settle() or self._drop_streams() or self._merge_index() or self._give_back()

    def due(self) -> RetentionBacklog:
        """Return what waits now, without a change."""
        bounds = self._bounds_now(self._now())
        with self._database.read() as connection:
            counts = {
                stage: retention.due(connection, stage, getattr(bounds, stage)) for stage in retention.STAGES
            }
            file_space = retention.file_space(connection)
        over = max(0, file_space.used - self._plan.size) if file_space and self._plan.size is not None else 0
        return RetentionBacklog(**counts, bytes_over=over, bytes_free=file_space.free if file_space else 0)

    # --- how far each stage may go ------------------------------------------------------------------------

    def _current_bounds(self) -> _Bounds:
        """Return the bounds, which are read again when all is done, and from time to time."""
        now = self._now()
        age = None if self._bounds_at is None else (now - self._bounds_at).total_seconds()
        if self._bounds is None or age is None or not 0 <= age < self._tuning.check_seconds:
            self._bounds, self._bounds_at = self._bounds_now(now, is_look=True), now
        return self._bounds

    def _bounds_now(self, now: dt.datetime, *, is_look: bool = False) -> _Bounds:
        plan = self._plan
        if is_look:
            with self._database.write() as connection:
                day = dt.timedelta(days=self._tuning.steady_days)
                steady = retention.steady_since(connection, now, day)
            # Irreversible steps wait after a jump of the clock: it may jump back.
            is_sure = self._is_asked or now - steady >= day
        else:
            is_sure = True
        with self._database.read() as connection:
            packed = self._upto(connection, now, plan.compress_after)
            newest = retention.newest(connection)
            live = self._story_writer.oldest_live(connection, newest)
            dead = min(live, newest - self._copy_finder.reach)
            texts = self._upto(connection, now, plan.text_after)
            stories = self._upto(connection, now, plan.stories_after)
            youngest = self._upto(connection, now, _YOUNGEST_DAYS * 86_400)
        return _Bounds(
            packed=max(packed, texts),
            unrendered=packed,
            unlinked=max(min(packed, dead), texts),
            stripped=max(min(packed, dead), texts),
            texts=texts if is_sure else 0,
            stories=stories if is_sure else 0,
            youngest=youngest if is_sure else 0,
        )

    @staticmethod
    def _upto(connection: Connection, now: dt.datetime, age: int | None) -> int:
        if age is None:
            return 0
        return retention.placed_before(connection, now - dt.timedelta(seconds=age), now)

    # --- the stages ---------------------------------------------------------------------------------------

    def _while_time(self, piece: Callable[[UnitOfWork], bool]) -> bool:
        """Run parts of a step in one transaction until its time is over; return whether there was one."""
        ends = time.monotonic() + _STEP_SECONDS
        is_any = False
        with self._unit_of_work() as unit_of_work:
            while piece(unit_of_work):
                is_any = True
                if time.monotonic() >= ends:
                    break
        return is_any

    def _of_articles(
        self, stage: RetentionStage, upto: int, act: Callable[[Connection, list[OldArticle]], None]
    ) -> bool:
        """Run a step for the next articles up to a number; return whether there were any."""

        def piece(unit_of_work: UnitOfWork) -> bool:
            connection = unit_of_work.connection
            old = retention.next_articles(connection, stage, upto, _ARTICLES_AT_ONCE)
            if old:
                act(connection, old)
                retention.reach(connection, stage, old[-1].inbox_no)
            return bool(old)

        return self._while_time(piece)

    def _of_stories(
        self, stage: RetentionStage, upto: int, act: Callable[[Connection, list[OldStory]], None]
    ) -> bool:
        """Run a step for the next stories up to a number; return whether there were any."""

        def piece(unit_of_work: UnitOfWork) -> bool:
            connection = unit_of_work.connection
            old = retention.next_stories(connection, stage, upto, _STORIES_AT_ONCE)
            if old:
                act(connection, old)
                retention.reach(connection, stage, old[-1].last_inbox_no)
            return bool(old)

        return self._while_time(piece)

    def _unlink(self, connection: Connection, old: list[OldArticle]) -> None:
        for one in old:
            self._copy_finder.remove(one.inbox_no, articles.sketch_of(connection, one.inbox_no))
        keys = {one.inbox_no: self._copy_finder.keys(one.signature) for one in old}
        retention.unlink(connection, keys)

    def _strip(self, connection: Connection, old: list[OldStory]) -> None:
        lights = {one.story_no: self._light_centroid(connection, one) for one in old}
        retention.freeze_stories(connection, old, lights)

    def _drop_texts(self, bounds: _Bounds) -> bool:
        upto = max(bounds.texts, self._for_size("texts", bounds))
        with self._database.read() as connection:
            found = retention.next_stories(connection, "texts", upto, 1)
            if not found:
                return False
        self._drop_texts_of(found[0])
        return True

    def _drop_texts_of(self, old: OldStory) -> None:
        with self._database.read() as connection:
            # Rendered before the transaction, because a large story takes long.
            merged = self._merged_text(connection, old)
        with self._unit_of_work() as unit_of_work:
            kept = None if merged is None else _what_stays(merged)
            retention.keep_merged_text(
                unit_of_work.connection, old, self._light_centroid(unit_of_work.connection, old), kept
            )
        self._while_time(lambda unit_of_work: self._some_texts(unit_of_work, old))

    def _merged_text(self, connection: Connection, old: OldStory) -> MergedStory | None:
        """Return the stored merged text of a story, or render it if its articles have texts."""
        merged = merged_of(connection, [old.id]).get(old.id) if old.is_rendered else None
        if merged is not None or not retention.articles_with_text(connection, old.id, 1):
            return merged
        # Loaded here, because only this step needs its patterns.
        from aggregator.stories.text.merged_text import merge

        views = with_originals(article_views.views_of_stories(connection, [old.id], "text")[old.id])
        return merge(views, old.title, self._story_tuning)

    def _some_texts(self, unit_of_work: UnitOfWork, old: OldStory) -> bool:
        """Delete some texts of a story after its last rendering; return whether more are left."""
        connection = unit_of_work.connection
        some = retention.articles_with_text(connection, old.id, _ARTICLES_AT_ONCE)
        self._unlink(connection, some)
        retention.drop_texts(connection, some)
        is_more = len(some) == _ARTICLES_AT_ONCE
        if not is_more:
            retention.done_with(connection, "texts", old)
        return is_more

    def _light_centroid(self, connection: Connection, old: OldStory) -> bytes:
        """Return the centroid without terms; a damaged one is recomputed, or kept if that fails."""
        try:
            return self._story_writer.drop_centroid_terms(
                old.story_no, old.id, old.centroid, old.last_inbox_no
            )
        except ValueError as error:
            log.warning(
                "story %s: its centroid is damaged (%s); `aggregator db check --repair`",
                old.id,
                error,
                extra={"event": "centroid_damaged"},
            )
        try:
            self._story_writer.mend(connection, old.id)
            whole = stories.centroids_of(connection, [old.story_no])[old.story_no]
            return self._story_writer.drop_centroid_terms(old.story_no, old.id, whole, old.last_inbox_no)
        except ValueError:
            return old.centroid

    def _drop_stories(self, bounds: _Bounds) -> bool:
        upto = max(bounds.stories, self._for_size("stories", bounds))
        with self._unit_of_work() as unit_of_work:
            found = retention.next_stories(unit_of_work.connection, "stories", upto, 1)
            for one in found:
                self._drop_part(unit_of_work, one)
        return bool(found)

    def _drop_part(self, unit_of_work: UnitOfWork, old: OldStory) -> None:
        """Delete some articles of a large story; the one with its headline is the last."""
        connection = unit_of_work.connection
        ids = retention.last_to_first(connection, old.id, self._tuning.members_a_step)
        former = erase.with_redirects(connection, {old.id})
        self._forget_handler.carry_out(unit_of_work, ids, {id_: [old.id] for id_ in ids}, "retention")
        if retention.last_to_first(connection, old.id, 1):
            return
        retention.drop_history(connection, former)
        unit_of_work.ledger.log(unit_of_work.now, old.id, "forgotten")
        retention.done_with(connection, "stories", old)

    # --- those that were passed ---------------------------------------------------------------------------

    def _come_back(self, bounds: _Bounds) -> bool:
        """Run a step for one story that it has passed; return whether there was one.

        Erasing, correcting and deleting a large story in parts leave stories before the numbers that the
        steps have reached.
        """
        with self._database.read() as connection:
            noted = retention.late(connection)
            passed = retention.progress(connection)
        return any(self._come_back_to(number, one, passed, bounds) for number, one in noted.items())

    def _come_back_to(
        self, number: int, old: OldStory | None, passed: Mapping[str, int], bounds: _Bounds
    ) -> bool:
        """Run a step for this story unless the clock says that it is too early; return whether it ran."""
        plan, end = self._plan, 0 if old is None else old.last_inbox_no
        youngest = bounds.youngest if plan.size is not None else 0
        if old is not None and end <= passed["stories"] and (plan.stories_after, plan.size) != (None, None):
            if end > max(bounds.stories, youngest):
                return False
            with self._unit_of_work() as unit_of_work:
                self._drop_part(unit_of_work, old)
            return True
        if old is not None and end <= passed["texts"] and (plan.text_after, plan.size) != (None, None):
            if end > max(bounds.texts, youngest):
                return False
            self._drop_texts_of(old)
            return True
        with self._unit_of_work() as unit_of_work:
            if old is not None and end <= passed["stripped"]:
                self._strip(unit_of_work.connection, [old])
            elif old is not None and end <= passed["unrendered"]:
                retention.clear_merged_texts(unit_of_work.connection, [old])
            retention.drop_late(unit_of_work.connection, number)
        return True

    def _settle(self) -> bool:
        with self._database.write() as connection:
            entries = retention.settle_entries(connection, self._tuning.rows_a_step)
            return entries + retention.settle_articles(connection, self._tuning.members_a_step) > 0

    def _drop_streams(self) -> bool:
        now, tuning = self._now(), self._tuning
        with self._database.write() as connection:
            steady = dt.timedelta(days=tuning.steady_days)
            if not self._is_asked and not retention.is_steady(connection, now, steady):
                return False
            before = now - dt.timedelta(days=_CHANGE_DAYS)
            gone = retention.drop_changes(connection, before, tuning.rows_a_step)
            before = now - dt.timedelta(days=_COMMAND_DAYS)
            gone += retention.drop_commands(connection, before, tuning.rows_a_step)
            before = now - dt.timedelta(days=_REJECTED_DAYS)
            gone += retention.drop_rejected(connection, before, tuning.rows_a_step)
        return gone > 0

    def _merge_index(self) -> bool:
        """Merge the full-text index if many words were deleted."""
        tuning = self._tuning
        with self._database.write() as connection:
            least = max(tuning.merge_min_rows, int(_MERGE_SHARE * retention.newest(connection)))
            return retention.merge_index(connection, least, _MERGE_PAGES)

    # --- room ---------------------------------------------------------------------------------------------

    def _for_size(self, stage: RetentionStage, bounds: _Bounds) -> int:
        """Return how far a step runs because of `size`: texts first, then stories."""
        if self._plan.size is None:
            return 0
        with self._database.read() as connection:
            file_space = retention.file_space(connection)
            texts_left = retention.next_stories(connection, "texts", bounds.youngest, 1)
        if file_space is None:
            return 0
        enough = self._plan.size * (_TARGET_SHARE if self._is_over else 1.0)
        self._is_over = file_space.used > enough
        is_its_turn = stage == "texts" or not texts_left
        return bounds.youngest if self._is_over and is_its_turn else 0

    def _give_back(self) -> bool:
        """Free pages of the SQLite file if there are many."""
        with self._database.read() as connection:
            file_space = retention.file_space(connection)
        if file_space is None or not file_space.has_auto_vacuum:
            return False
        tuning = self._tuning
        if file_space.free < max(file_space.file * _FREE_SHARE, tuning.free_pages * file_space.page):
            return False
        self._database.release_free_pages(_PAGES_A_STEP)
        return True


def _what_stays(merged: MergedStory) -> MergedStory:
    """Return lead, facts and timeline: text of only one outlet is deleted."""
    quotations = tuple(said for said in merged.quotations if said.outlets > 1)
    return msgspec.structs.replace(merged, only=(), quotations=quotations)


def retention_plan(config: Config) -> RetentionPlan:
    """Return the plan of `retention:`. Raises ConfigError if the database does not support it."""
    chosen = config.retention
    if chosen.size is not None and not config.database_url.startswith("sqlite"):
        raise ConfigError(
            "retention.size: only for SQLite, since PostgreSQL does not report free space in files; use ages"
        )
    return RetentionPlan(
        compress_after=chosen.compress_after,
        text_after=chosen.text_after,
        stories_after=chosen.stories_after,
        size=chosen.size,
    )
