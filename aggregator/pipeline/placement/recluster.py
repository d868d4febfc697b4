"""`aggregator recluster`: reads all articles and assigns them to stories again under the present rules.

A scratch database gets the placed articles in the order of their inbox numbers, with the corrections in
force. Then both groupings are compared: a group keeps the id of the old story with which it shares most
articles, and the differences are written in one transaction. The same articles and rules give the same
stories, whatever the number of workers.
"""

import datetime as dt
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from aggregator.cluster.entry_identity import story_id
from aggregator.config.tuning import Tuning
from aggregator.model.core import FrozenStruct, Prepared
from aggregator.model.errors import NoScratchFolderError
from aggregator.pipeline.jobs import FingerprintJob, PrepareResult, fingerprints
from aggregator.pipeline.placement.changes import Remove
from aggregator.pipeline.placement.place import Placer
from aggregator.pipeline.placement.story_options import StoryOptions
from aggregator.pipeline.placement.unit_of_work import UnitOfWork
from aggregator.pipeline.workers.executor import Executor
from aggregator.store.engine.database import Database
from aggregator.store.maintenance import recluster
from aggregator.store.maintenance.recluster import GroupedArticle, ReplayedArticle
from aggregator.store.migrate import upgrade
from aggregator.store.stories import commands, stories
from aggregator.store.stories.stories import NewStory

TEXTS_A_JOB = 16
BATCH = 100
CHANGES_LISTED = 40

Progress = Callable[[int, int], None]  # decided articles, all articles


class ReclusterCommand(FrozenStruct, frozen=True, kw_only=True):
    """The command for a running daemon."""

    since: dt.datetime | None = None


class RegroupedStory(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """A story whose articles have changed."""

    story: str
    title: str
    before: int  # articles; 0: the story is new
    after: int  # 0: it is merged
    came: tuple[str, ...] = ()  # articles, at most ten
    went: tuple[str, ...] = ()


class GroupingDifference(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """The changes of a new grouping."""

    articles: int  # that were decided again
    moved: int  # of them in another story than before
    stories_before: int
    stories_after: int
    pairs_kept: float  # share of the pairs of articles that were in one story and still are, 0..1
    changes: tuple[RegroupedStory, ...] = ()  # those with most articles first, at most CHANGES_LISTED
    changed_stories: int = 0
    written: bool = False


class ReclusterPlan(NamedTuple):
    """The ids of scratch stories in this database."""

    names: dict[str, str]  # scratch id → id
    founded: list[str]  # scratch ids of new stories
    retired: dict[str, str]  # id of a merged story → its successor
    difference: GroupingDifference


class Reclusterer:
    """Computes a new grouping; then shows the difference or applies it."""

    def __init__(
        self,
        database: Database,
        executor: Executor,
        all_tuning: Tuning,
        options: StoryOptions,
        *,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._database = database
        self._executor = executor
        self._all_tuning = all_tuning
        self._options = options
        self._now = now

    def difference(
        self, since: dt.datetime | None, progress: Progress = lambda *_: None, *, corrected: bool = True
    ) -> GroupingDifference:
        """Return the changes without writing them. `corrected=False`: without corrections."""
        with self._decided(since, progress, corrected=corrected) as (fresh, start):
            return self._plan(fresh, start).difference

    def assignments(self, progress: Progress = lambda *_: None, *, corrected: bool) -> dict[str, str]:
        """Return article → scratch story, for all articles."""
        decided = self._decided(None, progress, corrected=corrected)
        with decided as (fresh, _), fresh.read() as scratch:
            return {one.id: one.story for one in recluster.grouping(scratch)}

    def take_over(
        self,
        placer: Placer,
        since: dt.datetime | None,
        progress: Progress = lambda *_: None,
        *,
        request: int | None = None,
    ) -> GroupingDifference:
        """Apply the new grouping. Only for the writer, whose `placer` is passed.

        The row `request` is answered with the difference in the same transaction.
        """
        with self._decided(since, progress) as (fresh, start):
            plan = self._plan(fresh, start)
            difference = msgspec.structs.replace(plan.difference, written=True)
            with placer.unit_of_work() as unit_of_work:
                self._write(unit_of_work, fresh, plan, progress)
                if start == 0:  # else the history before it was not counted again
                    with fresh.read() as scratch:
                        recluster.take_stream_history(unit_of_work.connection, scratch, lambda: None)
                if request is not None:
                    answer = msgspec.json.encode(difference).decode()
                    commands.answer(unit_of_work.connection, request, unit_of_work.now, "done", answer)
            placer.forget()
        return difference

    # --- the scratch database -----------------------------------------------------------------------------

    @contextmanager
    def _decided(
        self, since: dt.datetime | None, progress: Progress, *, corrected: bool = True
    ) -> Iterator[tuple[Database, int]]:
        """Yield a scratch database with everything from `since` on placed, and its first inbox number."""
        with _scratch_database(self._database) as scratch:
            yield scratch, self._decide(scratch, since, progress, corrected=corrected)

    def _decide(
        self, scratch: Database, since: dt.datetime | None, progress: Progress, *, corrected: bool
    ) -> int:
        """Place everything from `since` on in the scratch database; return the first inbox number."""
        with self._database.read() as live:
            start = recluster.first_seen_since(live, since)
            total = recluster.count_from(live, start)
        placer = Placer(scratch, self._all_tuning, self._now, self._options)
        if start:
            with self._database.read() as live:
                placer.stream.count_after(recluster.counted_up_to(live, start))
        self._seed(scratch, placer, start, lambda: progress(0, total), corrected=corrected)
        if start:
            with scratch.read() as connection:
                placer.story_writer.window.begin_after(
                    max(start - 1, stories.last_membership_change(connection))
                )
        at, done = start, 0
        while True:
            with self._database.read() as live:
                batch = recluster.placed_from(live, at, BATCH)
            if not batch:
                return start
            placer.place(list(zip([one.waiting for one in batch], self._prepared(batch), strict=True)))
            at = batch[-1].waiting.inbox_no + 1
            done += len(batch)
            progress(done, total)

    def _seed(
        self,
        scratch: Database,
        placer: Placer,
        start: int,
        step: Callable[[], None],
        *,
        corrected: bool,
    ) -> None:
        with self._database.read() as live:
            torn = recluster.split_stories(live, start) if start else []
            with scratch.write() as written:
                recluster.seed(live, written, start, step, corrected=corrected)
        with placer.unit_of_work() as unit_of_work:
            placer.stream.restore(unit_of_work.connection)
            for story in torn:
                placer.story_writer.apply(unit_of_work, Remove(story=story))
                step()

    def _prepared(self, batch: Sequence[ReplayedArticle]) -> list[Prepared]:
        jobs = []
        for start in range(0, len(batch), TEXTS_A_JOB):
            part = tuple(one.clean for one in batch[start : start + TEXTS_A_JOB])
            job = FingerprintJob(articles=part, tuning=self._all_tuning.to_json())
            jobs.append(self._executor.submit(fingerprints, msgspec.msgpack.encode(job)))
        return [
            prepared
            for job in jobs
            for prepared in msgspec.msgpack.decode(job.result(), type=PrepareResult).prepared
        ]

    # --- the comparison -----------------------------------------------------------------------------------

    def _plan(self, fresh: Database, start: int) -> ReclusterPlan:
        with self._database.read() as live, fresh.read() as scratch:
            before, after = recluster.grouping(live), recluster.grouping(scratch)
            numbers = recluster.story_numbers(live)
            names = _matched(before, after, numbers)
            founded = [one for one in dict.fromkeys(x.story for x in after) if one not in names]
            taken: Counter[str] = Counter()
            for one in founded:
                founder = recluster.founder_of(scratch, one)
                names[one] = story_id(founder, stories.foundings(live, founder) + taken[founder])
                taken[founder] += 1
            titles = {names[one]: recluster.state_of(scratch, one).title for one in founded}
            retired = _retired(before, after, names)
            difference = _difference(
                before, after, names, start, lambda story: titles.get(story) or stories.title_of(live, story)
            )
        return ReclusterPlan(names, founded, retired, difference)

    # --- taking over --------------------------------------------------------------------------------------

    def _write(
        self, unit_of_work: UnitOfWork, fresh: Database, plan: ReclusterPlan, progress: Progress
    ) -> None:
        """Write the new grouping; unchanged stories keep their time and headline.

        `progress` is called between two parts as a sign of progress; it may raise to stop.
        """
        live, ledger, now = unit_of_work.connection, unit_of_work.ledger, unit_of_work.now
        done = plan.difference.articles

        def step() -> None:
            progress(done, done)

        with fresh.read() as scratch:
            before = recluster.grouping(live)
            after = recluster.grouping(scratch)
            for one in plan.founded:
                founder = recluster.founder_of(scratch, one)
                state = recluster.state_of(scratch, one)
                # Bumps of the scratch database have their own numbers.
                bumped_at = state.bumped_at.replace(microsecond=ledger.number("bump") % 1_000_000)
                state = msgspec.structs.replace(state, bumped_at=bumped_at)
                number, founding = ledger.number("story"), stories.foundings(live, founder)
                new = NewStory(number, plan.names[one], founder, founding, state)
                ledger.stories.append(new)
                ledger.log(now, plan.names[one], "created", reason="recluster")
                ledger.change(now, plan.names[one], None, state, bump=state.bumped_at)
            ledger.write()  # articles refer to the new stories
            recluster.take_over(live, scratch, plan.names, step)
            members = _members(after, plan.names)
            old_members = _members(before, {})
            new_ids = {plan.names[one] for one in plan.founded}
            for one in dict.fromkeys(x.story for x in after):
                name = plan.names[one]
                if name in new_ids:
                    continue
                step()
                known = recluster.state_of(live, name)
                state = msgspec.structs.replace(recluster.state_of(scratch, one), bumped_at=known.bumped_at)
                if members[name] == old_members[name]:
                    state = msgspec.structs.replace(
                        state,
                        title=known.title,
                        summary=known.summary,
                        membership_changed_no=known.membership_changed_no,
                    )
                else:
                    came, went = members[name] - old_members[name], old_members[name] - members[name]
                    ledger.log(now, name, "regrouped", came=len(came), went=len(went))
                # Of one set of articles there are several standings, all of which count alike.
                if msgspec.structs.replace(state, count_state=known.count_state) != known:
                    stories.update_stories(live, {name: state})
        for gone, winner in plan.retired.items():
            stories.redirect_story(live, gone, winner)
            ledger.log(now, winner, "merged", other=gone, reason="recluster")
            ledger.log(now, gone, "merged", into=winner, reason="recluster")
        for winner in dict.fromkeys(plan.retired.values()):
            state = recluster.state_of(live, winner)
            losers = [gone for gone, into in plan.retired.items() if into == winner]
            ledger.change(now, winner, None, state, bump=state.bumped_at, others=losers, kind="merged")


@contextmanager
def _scratch_database(live: Database) -> Iterator[Database]:
    """Yield an empty database in a private folder next to `live`, for PostgreSQL in that of temporary files.

    The folder is locked while it is used, so that those of killed runs are known, and deleted afterwards.
    """
    drop_scratch(live)
    parent, prefix = _scratch_place(live)
    lock = None
    while lock is None:  # another run deletes what is not locked yet
        try:
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        except OSError as error:
            raise NoScratchFolderError(f"{parent} cannot be written: {error.strerror}") from error
        lock = _locked(folder)
    try:
        with closing(Database(f"sqlite:///{folder / 'scratch.db'}")) as database:
            upgrade(database)
            yield database
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def drop_scratch(live: Database) -> None:
    """Delete the folders of killed runs, because they contain texts."""
    parent, prefix = _scratch_place(live)
    for folder in parent.glob(f"{prefix}*"):
        lock = _locked(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _scratch_place(live: Database) -> tuple[Path, str]:
    """Return the parent and the beginning of the names of scratch folders."""
    parent = live.file.parent if live.file is not None else Path(tempfile.gettempdir())
    return parent, f".recluster-{hashlib.blake2b(live.url.encode(), digest_size=8).hexdigest()}-"


def _locked(folder: Path) -> int | None:
    """Return the descriptor of a locked folder; None if a run has the lock or it is not ours to open."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _matched(
    before: Sequence[GroupedArticle], after: Sequence[GroupedArticle], numbers: Mapping[str, int]
) -> dict[str, str]:
    """Map scratch stories to the stories with which they share most articles, each used once.

    In a tie the older story is first, then the one whose article was placed first.
    """
    assigned_story = {one.id: one.story for one in before}
    shared: Counter[tuple[str, str]] = Counter()
    order: dict[str, int] = {}
    for one in after:
        order.setdefault(one.story, one.inbox_no)
        if one.id in assigned_story:
            shared[one.story, assigned_story[one.id]] += 1
    ranked = sorted(shared, key=lambda pair: (-shared[pair], numbers.get(pair[1], 0), order[pair[0]]))
    names: dict[str, str] = {}
    used: set[str] = set()
    for scratch, here in ranked:
        if scratch not in names and here not in used:
            names[scratch] = here
            used.add(here)
    return names


def _retired(
    before: Sequence[GroupedArticle], after: Sequence[GroupedArticle], names: Mapping[str, str]
) -> dict[str, str]:
    """Map stories without articles to the story that has most of them."""
    now = {one.id: names[one.story] for one in after}
    went: dict[str, Counter[str]] = defaultdict(Counter)
    for one in before:
        if one.id in now:
            went[one.story][now[one.id]] += 1
    kept = set(now.values())
    return {
        story: min(
            assigned_stories, key=lambda assigned_story: (-assigned_stories[assigned_story], assigned_story)
        )
        for story, assigned_stories in sorted(went.items())
        if story not in kept
    }


def _members(grouped: Iterable[GroupedArticle], names: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the articles of each story; `names`: other ids of stories."""
    members: dict[str, set[str]] = defaultdict(set)
    for one in grouped:
        members[names.get(one.story, one.story)].add(one.id)
    return members


def _difference(
    before: Sequence[GroupedArticle],
    after: Sequence[GroupedArticle],
    names: Mapping[str, str],
    start: int,
    title: Callable[[str], str],
) -> GroupingDifference:
    present = {one.id for one in after}
    old = _members((one for one in before if one.id in present), {})
    new = _members(after, names)
    changed = sorted(story for story in old.keys() | new.keys() if old.get(story) != new.get(story))
    sizes = {story: len(old.get(story, set()) ^ new.get(story, set())) for story in changed}
    listed = sorted(changed, key=lambda story: (-sizes[story], story))[:CHANGES_LISTED]
    assigned_stories = {one.id: one.story for one in before}
    return GroupingDifference(
        articles=sum(one.inbox_no >= start for one in after),
        moved=sum(assigned_stories.get(one.id) != names[one.story] for one in after),
        stories_before=len(old),
        stories_after=len(new),
        pairs_kept=_pairs_kept(before, {one.id: names[one.story] for one in after}),
        changes=tuple(
            RegroupedStory(
                story=story,
                title=title(story),
                before=len(old.get(story, ())),
                after=len(new.get(story, ())),
                came=tuple(sorted(new.get(story, set()) - old.get(story, set()))[:10]),
                went=tuple(sorted(old.get(story, set()) - new.get(story, set()))[:10]),
            )
            for story in listed
        ),
        changed_stories=len(changed),
    )


def _pairs_kept(before: Sequence[GroupedArticle], now: Mapping[str, str]) -> float:
    cells = Counter((one.story, now[one.id]) for one in before if one.id in now)
    sizes = Counter(one.story for one in before if one.id in now)
    pairs = sum(n * (n - 1) // 2 for n in sizes.values())
    kept = sum(n * (n - 1) // 2 for n in cells.values())
    return kept / pairs if pairs else 1.0
