"""`aggregator recluster`: decide again, under today's rules, where every article belongs.

It is worked out aside, in a scratch database: the placed articles go through the same placing once more, in
the order of their inbox numbers, with the corrections in force. Then the two groupings are compared. What is
the same stays as it is; a group keeps the id of the old story that it shares most articles with; the rest is
written in one transaction. The same articles and rules give the same stories, whatever the number of workers.

A run that was stopped goes on where it was: the scratch database says how far it came.
"""

import datetime as dt
import fcntl
import hashlib
import os
import stat
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from aggregator.cluster.entry_identity import story_id
from aggregator.config.tuning import Tuning
from aggregator.model.core import CleanArticle, Entry, FrozenStruct, Prepared
from aggregator.model.errors import NotWritableError
from aggregator.pipeline.jobs import FingerprintJob, FingerprintResult, fingerprints
from aggregator.pipeline.placement.place import Placer
from aggregator.pipeline.placement.story_writer import UnitOfWork
from aggregator.pipeline.workers.executor import Executor
from aggregator.store.engine.database import Database
from aggregator.store.intake import tombstones
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.maintenance import recluster
from aggregator.store.maintenance.recluster import GroupedArticle, ReplayedArticle
from aggregator.store.migrate import upgrade
from aggregator.store.read.change_stream import write_change
from aggregator.store.stories import commands, stories

TEXTS_A_JOB = 16
BATCH = 100
CHANGES_LISTED = 40

Progress = Callable[[int, int], None]  # articles decided again, of how many


class ReclusterCommand(FrozenStruct, frozen=True, kw_only=True):
    """What is left for a running daemon to do."""

    since: dt.datetime | None = None


class RegroupedStory(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """One story whose articles are others than before."""

    story: str
    title: str
    before: int  # articles; 0: the story is new
    after: int  # 0: it gives way
    came: tuple[str, ...] = ()  # articles, at most ten
    went: tuple[str, ...] = ()


class GroupingDifference(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What deciding again changes."""

    articles: int  # that were decided again
    moved: int  # of them in another story than before
    stories_before: int
    stories_after: int
    pairs_kept: float  # share of the pairs of articles that were in one story and still are, 0..1
    changes: tuple[RegroupedStory, ...] = ()  # those with most articles first, at most CHANGES_LISTED
    changed_stories: int = 0
    written: bool = False


class ReclusterPlan(NamedTuple):
    """The names that the stories aside have here."""

    names: dict[str, str]  # id aside to id here
    founded: list[str]  # ids aside of stories that are new here
    retired: dict[str, str]  # id here of a story that gives way, to the one it gives way to
    difference: GroupingDifference


class Reclusterer:
    """Decides again, aside; then shows the difference or takes it over."""

    def __init__(
        self,
        database: Database,
        executor: Executor,
        all_tuning: Tuning,
        *,
        summary_words: int,
        now: Callable[[], dt.datetime],
        families: Mapping[str, str] | None = None,
        prefer: Sequence[str] = (),
    ) -> None:
        """`families` and `prefer`: see Placing."""
        self._database = database
        self._executor = executor
        self._all_tuning = all_tuning
        self._words = summary_words
        self._now = now
        self._families = families
        self._prefer = prefer

    def difference(
        self, since: dt.datetime | None, progress: Progress = lambda *_: None, *, corrected: bool = True
    ) -> GroupingDifference:
        """What would change; nothing is written. `corrected=False`: as if nobody had corrected anything."""
        with _ScratchDatabase(self._database, self._all_tuning, since, corrected=corrected) as aside:
            start = self._decide(aside, since, progress, corrected=corrected)
            return self._plan(aside, start).difference

    def assignments(self, progress: Progress = lambda *_: None, *, corrected: bool) -> dict[str, str]:
        """Article to story, as decided again from the first article on; stories named as aside."""
        with _ScratchDatabase(self._database, self._all_tuning, None, corrected=corrected) as aside:
            self._decide(aside, None, progress, corrected=corrected)
            with aside.database.read() as connection:
                return {one.id: one.story for one in recluster.grouping(connection)}

    def take_over(
        self,
        placer: Placer,
        since: dt.datetime | None,
        progress: Progress = lambda *_: None,
        *,
        request: int | None = None,
    ) -> GroupingDifference:
        """Write what is decided now. Only the writer of stories may; `placer` is theirs.

        `request` is the row that it was left in: it is answered with the difference, in the same transaction.
        """
        with _ScratchDatabase(self._database, self._all_tuning, since, corrected=True) as aside:
            start = self._decide(aside, since, progress, corrected=True)
            plan = self._plan(aside, start)
            difference = msgspec.structs.replace(plan.difference, written=True)
            with placer.unit_of_work() as unit_of_work:
                self._write(unit_of_work, aside, plan, progress)
                if request is not None:
                    answer = msgspec.json.encode(difference).decode()
                    commands.answer(unit_of_work.connection, request, unit_of_work.now, "done", answer)
            placer.forget()
        return difference

    # --- aside --------------------------------------------------------------------------------------------

    def _decide(
        self, aside: "_ScratchDatabase", since: dt.datetime | None, progress: Progress, *, corrected: bool
    ) -> int:
        """Place everything from `since` on in the scratch database; returns the first inbox number."""
        with self._database.read() as live:
            start = recluster.first_seen_since(live, since)
            total = recluster.count_from(live, start)
            end = recluster.last_decided(live)
        placer = Placer(
            aside.database,
            self._all_tuning,
            self._now,
            summary_words=self._words,
            families=self._families,
            prefer=self._prefer,
        )
        if not aside.is_seeded():
            self._seed(aside, placer, start, lambda: progress(0, total), corrected=corrected)
        with aside.database.read() as scratch:
            at = max(start, recluster.newest(scratch) + 1)
            done = recluster.count_from(scratch, start)
            if start:
                placer.story_writer.begin_after(max(start - 1, stories.last_membership_change(scratch)))
        while True:
            with self._database.read() as live:
                batch = recluster.placed_from(live, at, BATCH)
            if not batch:
                if end >= start:
                    placer.place([_nothing(end, self._now())])  # a look may be due at a refused entry
                return start
            placer.place(list(zip([one.waiting for one in batch], self._prepared(batch), strict=True)))
            at = batch[-1].waiting.inbox_no + 1
            done += len(batch)
            progress(done, total)

    def _seed(
        self,
        aside: "_ScratchDatabase",
        placer: Placer,
        start: int,
        step: Callable[[], None],
        *,
        corrected: bool,
    ) -> None:
        with self._database.read() as live:
            torn = recluster.torn_stories(live, start) if start else []
            with aside.database.write() as scratch:
                recluster.seed(live, scratch, start, step, corrected=corrected)
        with placer.unit_of_work() as unit_of_work:
            for story in torn:
                placer.story_writer.restate(unit_of_work, story)
                step()
        aside.mark_seeded()

    def _prepared(self, batch: Sequence[ReplayedArticle]) -> list[Prepared]:
        jobs = []
        for start in range(0, len(batch), TEXTS_A_JOB):
            part = tuple(one.clean for one in batch[start : start + TEXTS_A_JOB])
            job = FingerprintJob(articles=part, tuning=self._all_tuning.to_json())
            jobs.append(self._executor.submit(fingerprints, msgspec.msgpack.encode(job)))
        marks = [
            fingerprint
            for job in jobs
            for fingerprint in msgspec.msgpack.decode(job.result(), type=FingerprintResult).fingerprints
        ]
        return [
            Prepared(article=one.clean, fingerprint=fingerprint)
            for one, fingerprint in zip(batch, marks, strict=True)
        ]

    # --- the comparison -----------------------------------------------------------------------------------

    def _plan(self, aside: "_ScratchDatabase", start: int) -> ReclusterPlan:
        with self._database.read() as live, aside.database.read() as scratch:
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
        self, unit_of_work: UnitOfWork, aside: "_ScratchDatabase", plan: ReclusterPlan, progress: Progress
    ) -> None:
        """Rows as they were decided aside; stories that are the same keep their time and headline.

        `progress` is told between two parts, so that who waits sees that it gets on; it may raise to stop.
        """
        live = unit_of_work.connection
        done = plan.difference.articles

        def step() -> None:
            progress(done, done)

        with aside.database.read() as scratch:
            before = {one.id: one.story for one in recluster.grouping(live)}
            after = recluster.grouping(scratch)
            for one in plan.founded:
                founder = recluster.founder_of(scratch, one)
                state = recluster.state_of(scratch, one)
                fraction = (
                    unit_of_work.ledger.number("bump") % 1_000_000
                )  # bumps aside were counted by themselves
                state = msgspec.structs.replace(state, updated=state.updated.replace(microsecond=fraction))
                stories.insert_story(
                    live,
                    n=unit_of_work.ledger.number("story"),
                    id=plan.names[one],
                    founder=founder,
                    founding=stories.foundings(live, founder),
                    state=state,
                )
                unit_of_work.ledger.log(unit_of_work.now, plan.names[one], "created", reason="recluster")
                write_change(
                    unit_of_work.ledger, unit_of_work.now, plan.names[one], None, state, bump=state.updated
                )
            recluster.take_over(live, scratch, plan.names, step)
            recluster.take_links(live, scratch, plan.names, step)
            members = _members(after, plan.names)
            old_members = defaultdict(set)
            for article, story in before.items():
                old_members[story].add(article)
            new_ids = {plan.names[one] for one in plan.founded}
            for one in dict.fromkeys(x.story for x in after):
                name = plan.names[one]
                if name in new_ids:
                    continue
                step()
                known = recluster.state_of(live, name)
                state = msgspec.structs.replace(recluster.state_of(scratch, one), updated=known.updated)
                if members[name] == old_members[name]:
                    state = msgspec.structs.replace(
                        state, title=known.title, summary=known.summary, touched_no=known.touched_no
                    )
                else:
                    unit_of_work.ledger.log(
                        unit_of_work.now,
                        name,
                        "regrouped",
                        came=len(members[name] - old_members[name]),
                        went=len(old_members[name] - members[name]),
                    )
                # Of one set of articles there are several standings, all of which count alike.
                if msgspec.structs.replace(state, standing=known.standing) != known:
                    stories.update_story(live, name, state)
        for gone, winner in plan.retired.items():
            stories.redirect_story(live, gone, winner)
            unit_of_work.ledger.log(unit_of_work.now, winner, "merged", other=gone, reason="recluster")
            unit_of_work.ledger.log(unit_of_work.now, gone, "merged", into=winner, reason="recluster")
        for winner in dict.fromkeys(plan.retired.values()):
            state = recluster.state_of(live, winner)
            losers = [gone for gone, into in plan.retired.items() if into == winner]
            write_change(
                unit_of_work.ledger,
                unit_of_work.now,
                winner,
                None,
                state,
                bump=state.updated,
                others=losers,
                kind="merged",
            )


class _ScratchDatabase:
    """A scratch database for one grouping. It outlives a run that was stopped, and goes when one is done.

    Beside the database, where there is room for a copy of it; for a server in a folder of our own among the
    temporary files. Only one run at a time works on a file: a lock that the kernel frees says who.
    """

    def __init__(
        self, live: Database, all_tuning: Tuning, since: dt.datetime | None, *, corrected: bool
    ) -> None:
        with live.read() as connection:
            start = recluster.first_seen_since(connection, since)
            seeded = [recluster.first_article(connection), recluster.rewritten(connection)]
            if start:  # what was placed before is taken as it is: it must still be that
                seeded.append(str(stories.last_membership_change(connection)))
            seeded.append(str(tombstones.newest(connection)))  # nothing is decided by what is gone
            constraints = recluster.constraints_digest(connection)
        self._folder, self._of_this = _scratch_place(live)
        self._key = _digest(f"{all_tuning.version}\0{start}\0{corrected}\0{constraints}\0{seeded}")
        self._lock: int | None = None

    def __enter__(self) -> "_ScratchDatabase":
        number = 0
        while True:  # somebody else's run under the same rules gets a file of its own
            self._name = f"{self._of_this}{self._key}-{number}"
            self._lock = _locked(self._folder / f"{self._name}.lock")
            if self._lock is not None:
                break
            number += 1
        self._sweep()
        if not self.is_seeded():
            self._remove(self._name)
        self.database = Database(f"sqlite:///{self._folder / self._name}.db")
        upgrade(self.database)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.database.close()
        if kind is None:
            self._remove(self._name)
            (self._folder / f"{self._name}.lock").unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)

    def is_seeded(self) -> bool:
        return (self._folder / f"{self._name}.seeded").exists()

    def mark_seeded(self) -> None:
        (self._folder / f"{self._name}.seeded").touch()

    def _sweep(self) -> None:
        """Remove what was left by runs that were stopped and never went on: rules or articles are others."""
        _remove_left(self._folder, self._of_this, but=self._name)

    def _remove(self, name: str) -> None:
        _remove_files(self._folder, name)


def drop_scratch(live: Database) -> None:
    """Remove what runs that were stopped have left of this database: it holds texts."""
    _remove_left(*_scratch_place(live))


def _scratch_place(live: Database) -> tuple[Path, str]:
    """The folder of scratch files, and how those of this database begin."""
    folder = live.file.parent if live.file is not None else _own_folder()
    return folder, f".recluster-{_digest(live.url)}-"


def _remove_left(folder: Path, beginning: str, but: str | None = None) -> None:
    for path in sorted(folder.glob(f"{beginning}*.lock")):
        lock = None if path.stem == but else _locked(path)
        if lock is not None:
            _remove_files(folder, path.stem)
            path.unlink(missing_ok=True)
            os.close(lock)


def _remove_files(folder: Path, name: str) -> None:
    for ending in (".seeded", ".db", ".db-wal", ".db-shm"):  # the mark first: without it nothing counts
        (folder / f"{name}{ending}").unlink(missing_ok=True)


def _digest(words: str) -> str:
    return hashlib.blake2b(words.encode(), digest_size=8).hexdigest()


def _own_folder() -> Path:
    """A folder that nobody else can write to."""
    folder = Path(tempfile.gettempdir()) / f"aggregator-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & 0o022:
        raise NotWritableError(f"{folder} belongs to somebody else; set TMPDIR to a folder of yours")
    return folder


def _locked(path: Path) -> int | None:
    """The descriptor of a lock file that is held from now on; None where another process holds it."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise NotWritableError(f"{path.parent} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
        os.close(descriptor)  # who held it removed it meanwhile


def _nothing(inbox_no: int, now: dt.datetime) -> tuple[InboxEntry, Prepared]:
    """An entry of which no article comes."""
    waiting = InboxEntry(
        n=0,
        inbox_no=inbox_no,
        article="",
        revises=False,
        bumps_by_clock=False,
        accepted_at=now,
        entry=Entry(source=""),
    )
    return waiting, Prepared(article=CleanArticle(verdict="empty", title=""))


def _matched(
    before: Sequence[GroupedArticle], after: Sequence[GroupedArticle], numbers: Mapping[str, int]
) -> dict[str, str]:
    """Story aside to the story here with which it shares most articles; each is taken once.

    Of equal shares the older story goes first, then the one whose article was placed first.
    """
    assigned_story = {one.id: one.story for one in before}
    shared: Counter[tuple[str, str]] = Counter()
    order: dict[str, int] = {}
    for one in after:
        order.setdefault(one.story, one.n)
        if one.id in assigned_story:
            shared[one.story, assigned_story[one.id]] += 1
    ranked = sorted(shared, key=lambda pair: (-shared[pair], numbers.get(pair[1], 0), order[pair[0]]))
    names: dict[str, str] = {}
    used: set[str] = set()
    for aside, here in ranked:
        if aside not in names and here not in used:
            names[aside] = here
            used.add(here)
    return names


def _retired(
    before: Sequence[GroupedArticle], after: Sequence[GroupedArticle], names: Mapping[str, str]
) -> dict[str, str]:
    """Stories that have no article left, and the one that most of their articles went to."""
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


def _members(after: Sequence[GroupedArticle], names: Mapping[str, str]) -> dict[str, set[str]]:
    members: dict[str, set[str]] = defaultdict(set)
    for one in after:
        members[names[one.story]].add(one.id)
    return members


def _difference(
    before: Sequence[GroupedArticle],
    after: Sequence[GroupedArticle],
    names: Mapping[str, str],
    start: int,
    title: Callable[[str], str],
) -> GroupingDifference:
    present = {one.id for one in after}
    old: dict[str, set[str]] = defaultdict(set)
    for one in before:
        if one.id in present:
            old[one.story].add(one.id)
    new = _members(after, names)
    changed = sorted(story for story in old.keys() | new.keys() if old.get(story) != new.get(story))
    sizes = {story: len(old.get(story, set()) ^ new.get(story, set())) for story in changed}
    listed = sorted(changed, key=lambda story: (-sizes[story], story))[:CHANGES_LISTED]
    assigned_stories = {one.id: one.story for one in before}
    return GroupingDifference(
        articles=sum(one.n >= start for one in after),
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
