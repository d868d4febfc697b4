"""Looking at one watched folder: files that are new or changed become entries in the inbox.

A look ends after `look_seconds`, and the next one goes on: files that are new first, then those that were
begun. The folder's stamps (size and time of each file that was read) and how far others were read are written
with the last of its entries: whatever stops a look, the next one reads the same again, which changes nothing.
"""

import datetime as dt
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from aggregator.config.tuning import Tuning
from aggregator.model.core import Entry, FrozenStruct
from aggregator.model.errors import AggregatorError, FetchError, TooManyFilesError
from aggregator.pipeline.jobs import FeedJob
from aggregator.pipeline.poll import PollResult, of_source, parse_feed, summarise_accepted
from aggregator.pipeline.workers.executor import Executor
from aggregator.sources.limits import source_tuning
from aggregator.sources.parse.files import (
    Finding,
    InputEntry,
    InputFeed,
    InputProblem,
    ReadOptions,
    identify_below,
    read_file,
)
from aggregator.sources.parse.folder_scan import FileStamp, scan
from aggregator.sources.parse.streams import Progress
from aggregator.store import codecs
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import inbox, rejected
from aggregator.store.intake.folder_names import folder_name, known_as
from aggregator.store.intake.inbox import AcceptResult
from aggregator.store.intake.sources import Source, save

ENTRIES_A_TRANSACTION = 100  # house.md: up to 100 whole articles
CHARS_A_TRANSACTION = 2_000_000  # of pages and texts: what is read ahead must fit into memory
REJECTED_LISTED = 1000  # of one look, or one ingest: a file of another kind may have a million lines
MOST_WAITING = 10_000  # entries; an archive is read on when placing has got on
_PLACING_REST = dt.timedelta(seconds=5)  # while so many wait nothing is read
_MOST_OPEN = 4  # files that are left open between two looks, of all folders together
# Of a processor: a folder of 100,000 files is looked at less often (chosen). Not of the clock: a machine that
# is suspended or busy with other things may stretch a look by hours.
_SCAN_SHARE = 0.05
_MOST_REST_SECONDS = 3600.0
_READING_SHARE = 4  # times as long as listing a folder took, at least, it is read before it is listed again


class Begun(FrozenStruct, frozen=True, kw_only=True):
    """A file of which a part was read: so many things were found in it."""

    stamp: FileStamp
    count: int


class FolderStamps(FrozenStruct, frozen=True, kw_only=True):
    """The files of a folder as they were when they were read.

    `begun`: those that are being read, the one that has waited longest first; `told`: how many refusals were
    noted since all was read.
    """

    stamps: Mapping[str, FileStamp] = {}
    begun: Mapping[str, Begun] = {}
    told: int = 0


class FolderWatcher:
    """Looks at folders. Safe to use from many threads."""

    def __init__(
        self,
        database: Database,
        executor: Executor,
        all_tuning: Tuning,
        now: Callable[[], dt.datetime],
        stops: Callable[[], bool] = lambda: False,
    ) -> None:
        """`stops` says that the program is ending: a look then ends at once."""
        self._database = database
        self._executor = executor
        self._all_tuning = all_tuning
        self._source_rules = source_tuning(all_tuning)
        self._now = now
        self._stops = stops
        self._open: dict[tuple[str, str], tuple[Begun, Finding]] = {}

    def poll(self, source: Source) -> PollResult:
        """Look at a watched folder; read the files that are new or changed, for `look_seconds` at most."""
        now, worked, started = self._now(), time.thread_time(), time.monotonic()
        state = codecs.decompress_struct(source.stamps, FolderStamps) if source.stamps else FolderStamps()
        folder = Path(os.path.abspath(source.address))  # noqa: PTH100 - as sources.files names folders
        due = msgspec.structs.replace(
            source,
            next_due_at=now + dt.timedelta(seconds=source.interval_seconds),
            last_polled_at=now,
            stamps=None,
        )
        try:
            changes = scan(folder, state.stamps, now_ns=int(now.timestamp() * 1e9), tuning=self._source_rules)
        except TooManyFilesError:
            raise
        except AggregatorError as error:
            self._open = {key: one for key, one in self._open.items() if key[0] != source.id}
            return self._folder_failed(due, str(error))
        # At least as long as it took, on a slow disk or share.
        listing = time.monotonic() - started
        rest = max((time.thread_time() - worked) / _SCAN_SHARE, 2 * listing)
        rest = min(rest, _MOST_REST_SECONDS)
        if rest > source.interval_seconds:
            due = msgspec.structs.replace(due, next_due_at=now + dt.timedelta(seconds=rest))
        if changes.changed:
            with self._database.write() as connection:
                name = folder_name(connection, folder, os.path.isdir)
            source, due = (msgspec.structs.replace(one, known_as=name) for one in (source, due))
        there = {*changes.stamps, *changes.unsettled}
        gone = [*changes.gone, *(path for path in state.begun if path not in there)]
        begun = {path: one for path, one in state.begun.items() if path in there}
        left = deque(path for path in changes.changed if path not in begun)
        left += begun
        looked = _FolderScan(
            now=now,
            ends=time.monotonic() + max(self._source_rules.look_seconds, _READING_SHARE * listing),
            touched=[str(folder / path) for path in gone],
            told=state.told,
        )
        looked.is_behind = bool(left) and self._is_behind()
        read: dict[str, FileStamp] = {}
        while left and not looked.is_over:
            path = left.popleft()
            # A file that changes meanwhile keeps the stamp that it had, and is read again then.
            before = begun.pop(path, None) or Begun(stamp=changes.stamps[path], count=0)
            reached = self._read(source, folder, path, before, looked)
            if self._stops():
                return looked.polled(None)  # what was not read keeps its old stamp
            if reached is None:
                read[path] = before.stamp
            else:
                begun[path] = reached
        rest_of_it = {*left, *begun}
        if rest_of_it:
            due = msgspec.structs.replace(due, next_due_at=now + _PLACING_REST * looked.is_behind)
        if rest_of_it or read or gone:
            kept = FolderStamps(
                stamps={path: one for path, one in changes.stamps.items() if path not in rest_of_it}
                | {path: state.stamps[path] for path in rest_of_it if path in state.stamps}
                | read,
                begun=begun,
                told=looked.told if rest_of_it else 0,
            )
            due = msgspec.structs.replace(due, stamps=codecs.compress_struct(kept))
        return self._folder_done(due, looked, now)

    def _read(
        self, source: Source, folder: Path, path: str, before: "Begun", looked: "_FolderScan"
    ) -> "Begun | None":
        """Read on in a file, which may be an archive of any size; None where it was read to its end."""
        if not before.count:
            looked.touched.append(str(folder / path))
        kept, now = self._open.pop((source.id, path), None), looked.now
        if kept is not None and kept[0] == before:
            found = kept[1]
        else:
            reading = ReadOptions(
                tuning=self._source_rules, progress=Progress(), seen=now, passed=before.count
            )
            found = read_file(folder / path, identify_below(folder, path), reading)
        count = before.count
        for item in found:
            count += item is not None
            for one in () if item is None else entries_of(item, now, self._executor, self._all_tuning):
                if isinstance(one, InputProblem):
                    looked.refuse(one)
                else:
                    looked.take(known_as(of_source(one, source), folder, source.entry_source))
                if looked.is_full:
                    self._accept_files(source, looked, now)
            if looked.is_over or self._stops():
                break
        else:
            return None
        reached = msgspec.structs.replace(before, count=count)
        self._open[source.id, path] = (reached, found)  # else this much would be passed over the next time
        if len(self._open) > _MOST_OPEN:
            self._open.pop(next(iter(self._open)))
        return reached

    def _accept_files(self, source: Source, looked: "_FolderScan", now: dt.datetime) -> None:
        """What was read since the last time, before a folder of many files fills the memory."""
        with self._database.write() as connection:
            self._take_in(connection, source, looked, now)
        looked.is_behind = self._is_behind()

    def _is_behind(self) -> bool:
        with self._database.read() as connection:
            return inbox.waiting_count(connection) > MOST_WAITING

    def _take_in(
        self, connection: Connection, source: Source, looked: "_FolderScan", now: dt.datetime
    ) -> None:
        entries = looked.entries
        rejected.clear_files(connection, looked.touched)
        looked.touched = []
        looked.count(inbox.accept(connection, entries, seen=[now] * len(entries)))
        for problem in looked.problems[looked.noted :]:
            rejected.note(
                connection,
                source=source.entry_source,
                item=problem.where,
                verdict=problem.verdict or "unreadable",
                reason=problem.reason,
                at=now,
            )
        looked.taken()

    def _folder_done(self, source: Source, looked: "_FolderScan", now: dt.datetime) -> PollResult:
        """The rest of what was read, with the folder's new state."""
        with self._database.write() as connection:
            self._take_in(connection, source, looked, now)
            polled = looked.polled(looked.words())
            new = len(polled.accepted) - polled.revised
            state = msgspec.structs.replace(
                source,
                first_poll_done=True,
                last_success_at=now,
                health="ok",
                health_cause=rejected.in_words(connection, source.entry_source),
                failures=0,
                entries_new=source.entries_new + new,
                entries_known=source.entries_known + polled.read - new - polled.forgotten,
                entries_refused=source.entries_refused + looked.refused + polled.forgotten,
            )
            save(connection, state)
        return polled

    def _folder_failed(self, source: Source, cause: str) -> PollResult:
        failed = msgspec.structs.replace(
            source, health="failing", health_cause=cause, failures=source.failures + 1
        )
        with self._database.write() as connection:
            save(connection, failed)
        return PollResult(problem=cause)


def entries_of(
    found: InputEntry | InputFeed | InputProblem, now: dt.datetime, executor: Executor, all_tuning: Tuning
) -> list[Entry | InputProblem]:
    """What a file holds, with feeds in it parsed by a worker."""
    if isinstance(found, InputProblem):
        return [found]
    if isinstance(found, InputEntry):
        return [found.entry]
    job = FeedJob(data=found.data, source=found.source, seen=now, tuning=all_tuning.to_json())
    try:
        parsed = parse_feed(executor, job)
    except FetchError as error:
        return [InputProblem(where=found.where, reason=str(error))]
    entries: list[Entry | InputProblem] = [
        msgspec.structs.replace(entry, authority="handed") for entry in reversed(parsed.entries)
    ]
    if parsed.problem or not entries:
        reason = parsed.problem or "there is no entry in this feed"
        entries.append(InputProblem(where=found.where, reason=reason))
    return entries


class _FolderScan:
    """What one look at a folder has found so far."""

    def __init__(self, *, now: dt.datetime, ends: float, touched: list[str], told: int) -> None:
        self.now = now
        self.ends = ends  # monotonic
        self.touched = touched  # files that are new, changed or gone, while their refusals still stand
        self.told = told  # how many refusals were noted, here and before
        self.is_behind = False  # placing: so many entries wait that nothing is to be read
        self.entries: list[Entry] = []  # read, not accepted yet
        self.problems: list[InputProblem] = []
        self.noted = 0  # of the problems
        self.refused = 0
        self._came: list[int] = []  # numbers of entries: of an archive there may be millions
        self._known = self._revised = self._forgotten = 0
        self._chars = 0

    def take(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._chars += len(entry.html or "") + len(entry.text or "")

    def refuse(self, problem: InputProblem) -> None:
        self.refused += 1
        if self.told < REJECTED_LISTED:
            self.told += 1
            self.problems.append(problem)

    @property
    def is_over(self) -> bool:
        return self.is_behind or time.monotonic() >= self.ends

    @property
    def is_full(self) -> bool:
        return len(self.entries) >= ENTRIES_A_TRANSACTION or self._chars >= CHARS_A_TRANSACTION

    def count(self, accepted: Sequence[AcceptResult]) -> None:
        some = summarise_accepted(accepted, None)
        self._came += some.accepted
        self._known += some.known
        self._forgotten += some.forgotten
        self._revised += some.revised

    def taken(self) -> None:
        """What was found so far is stored."""
        self.entries, self.noted, self._chars = [], len(self.problems), 0

    def words(self) -> str | None:
        """What is told of it: the last problem, and how many more there are."""
        if not self.problems:
            return None
        last = self.problems[-1]
        more = f" (and {self.refused - 1} more)" if self.refused > 1 else ""
        return f"{last.where}: {last.reason}{more}"

    def polled(self, problem: str | None) -> PollResult:
        return PollResult(
            accepted=tuple(self._came),
            read=len(self._came) + self._known + self._forgotten,
            revised=self._revised,
            known=self._known,
            forgotten=self._forgotten,
            problem=problem,
        )
