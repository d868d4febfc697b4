"""Looking at one watched folder: files that are new or changed become entries in the inbox.

The folder's stamps (size and time of each file) are written with the last of the entries: whatever stops a
look, the next one reads the same files again, which changes nothing.
"""

import datetime as dt
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from aggregator.errors import AggregatorError, FetchError, TooManyFilesError
from aggregator.model import Entry, Noun
from aggregator.polling import Polled, of_source, parse_feed, polled_of
from aggregator.rules import RuleBook
from aggregator.sources.files import FoundBytes, FoundEntry, FoundProblem, Reading, place_below, read_file
from aggregator.sources.folders import Stamp, scan
from aggregator.sources.limits import source_rules
from aggregator.sources.opening import Progress
from aggregator.stages import FeedJob
from aggregator.store import blobs, inbox, refused
from aggregator.store.database import Connection, Database
from aggregator.store.folders import folder_name, known_as
from aggregator.store.inbox import Accepted
from aggregator.store.sources import Source, save
from aggregator.work.executor import Executor

ENTRIES_A_TRANSACTION = 100  # house.md: up to 100 whole articles
CHARS_A_TRANSACTION = 2_000_000  # of pages and texts: what is read ahead must fit into memory
REFUSALS_TOLD = 1000  # of one look, or one ingest: a file of another kind may have a million lines
MOST_WAITING = 10_000  # entries; an archive is read on when placing has got on
_REST_SECONDS = 0.5
# Of a processor: a folder of 100,000 files is looked at less often (chosen). Not of the clock: a machine that
# is suspended or busy with other things may stretch a look by hours.
_LOOKING_SHARE = 0.05
_MOST_REST_SECONDS = 3600.0


class FolderStamps(Noun, frozen=True, kw_only=True):
    """The files of a folder as they were at the last look."""

    stamps: Mapping[str, Stamp] = {}


class Watching:
    """Looks at folders. Safe to use from many threads."""

    def __init__(
        self,
        database: Database,
        executor: Executor,
        book: RuleBook,
        now: Callable[[], dt.datetime],
        stops: Callable[[], bool] = lambda: False,
    ) -> None:
        """`stops` says that the program is ending: a look then ends between two files."""
        self._database = database
        self._executor = executor
        self._book = book
        self._source_rules = source_rules(book)
        self._now = now
        self._stops = stops

    def look(self, source: Source) -> Polled:
        """Look at a watched folder; read the files that are new or changed since the last look."""
        now, worked, started = self._now(), time.thread_time(), time.monotonic()
        known = blobs.expand_noun(source.stamps, FolderStamps).stamps if source.stamps else {}
        folder = Path(os.path.abspath(source.address))  # noqa: PTH100 - as sources.files names folders
        due = msgspec.structs.replace(
            source,
            next_due_at=now + dt.timedelta(seconds=source.interval_seconds),
            last_polled_at=now,
            stamps=None,
        )
        try:
            changes = scan(folder, known, now_ns=int(now.timestamp() * 1e9), rules=self._source_rules)
        except TooManyFilesError:
            raise
        except AggregatorError as error:
            return self._folder_failed(due, str(error))
        # At least as long as it took, on a slow disk or share.
        rest = max((time.thread_time() - worked) / _LOOKING_SHARE, 2 * (time.monotonic() - started))
        rest = min(rest, _MOST_REST_SECONDS)
        if rest > source.interval_seconds:
            due = msgspec.structs.replace(due, next_due_at=now + dt.timedelta(seconds=rest))
        if changes.changed:
            with self._database.write() as connection:
                name = folder_name(connection, folder, os.path.isdir)
            source, due = (msgspec.structs.replace(one, known_as=name) for one in (source, due))
        looked = _Looked([str(folder / path) for path in (*changes.changed, *changes.gone)])
        for relative in changes.changed:
            for found in self._read(folder, relative, now):
                if self._stops():
                    return looked.polled(None)  # what was not read keeps its old stamp
                if isinstance(found, FoundProblem):
                    looked.refuse(found)
                else:
                    looked.take(known_as(of_source(found, source), folder, source.entry_source))
                if looked.is_full:
                    self._accept_files(source, looked, now)
        if changes.changed or changes.gone:
            due = msgspec.structs.replace(due, stamps=blobs.squeeze_noun(FolderStamps(stamps=changes.stamps)))
        return self._folder_done(due, looked, now)

    def _read(self, folder: Path, relative: str, now: dt.datetime) -> Iterator[Entry | FoundProblem]:
        """The entries of one file below a folder, as they are read: it may be an archive of any size."""
        reading = Reading(rules=self._source_rules, progress=Progress(), seen=now)
        for item in read_file(folder / relative, place_below(folder, relative), reading):
            yield from entries_of(item, now, self._executor, self._book)

    def _accept_files(self, source: Source, looked: "_Looked", now: dt.datetime) -> None:
        """What was read since the last time, before a folder of many files fills the memory."""
        with self._database.write() as connection:
            self._take_in(connection, source, looked, now)
        while not self._stops() and self._waiting() > MOST_WAITING:
            time.sleep(_REST_SECONDS)

    def _waiting(self) -> int:
        with self._database.read() as connection:
            return inbox.waiting_count(connection)

    def _take_in(self, connection: Connection, source: Source, looked: "_Looked", now: dt.datetime) -> None:
        entries = looked.entries
        refused.forget_files(connection, looked.touched)
        looked.touched = []
        looked.count(inbox.accept(connection, entries, seen=[now] * len(entries)))
        for problem in looked.problems[looked.noted :]:
            refused.note(
                connection,
                source=source.entry_source,
                item=problem.where,
                verdict=problem.verdict or "unreadable",
                reason=problem.reason,
                at=now,
            )
        looked.taken()

    def _folder_done(self, source: Source, looked: "_Looked", now: dt.datetime) -> Polled:
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
                health_cause=refused.in_words(connection, source.entry_source),
                failures=0,
                entries_new=source.entries_new + new,
                entries_known=source.entries_known + polled.read - new - polled.forgotten,
                entries_refused=source.entries_refused + looked.refused + polled.forgotten,
            )
            save(connection, state)
        return polled

    def _folder_failed(self, source: Source, cause: str) -> Polled:
        failed = msgspec.structs.replace(
            source, health="failing", health_cause=cause, failures=source.failures + 1
        )
        with self._database.write() as connection:
            save(connection, failed)
        return Polled(problem=cause)


def entries_of(
    found: FoundEntry | FoundBytes | FoundProblem, now: dt.datetime, executor: Executor, book: RuleBook
) -> list[Entry | FoundProblem]:
    """What a file holds, with feeds in it parsed by a worker."""
    if isinstance(found, FoundProblem):
        return [found]
    if isinstance(found, FoundEntry):
        return [found.entry]
    job = FeedJob(data=found.data, source=found.source, seen=now, rules=book.to_json())
    try:
        parsed = parse_feed(executor, job)
    except FetchError as error:
        return [FoundProblem(where=found.where, reason=str(error))]
    entries: list[Entry | FoundProblem] = [
        msgspec.structs.replace(entry, authority="handed") for entry in reversed(parsed.entries)
    ]
    if parsed.problem or not entries:
        reason = parsed.problem or "there is no entry in this feed"
        entries.append(FoundProblem(where=found.where, reason=reason))
    return entries


class _Looked:
    """What one look at a folder has found so far."""

    def __init__(self, touched: Sequence[str]) -> None:
        self.touched = touched  # files that are new, changed or gone, while their refusals still stand
        self.entries: list[Entry] = []  # read, not accepted yet
        self.problems: list[FoundProblem] = []
        self.noted = 0  # of the problems
        self.refused = 0
        self._came: list[int] = []  # numbers of entries: of an archive there may be millions
        self._known = self._revised = self._forgotten = 0
        self._chars = 0

    def take(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._chars += len(entry.html or "") + len(entry.text or "")

    def refuse(self, problem: FoundProblem) -> None:
        self.refused += 1
        if len(self.problems) < REFUSALS_TOLD:
            self.problems.append(problem)

    @property
    def is_full(self) -> bool:
        return len(self.entries) >= ENTRIES_A_TRANSACTION or self._chars >= CHARS_A_TRANSACTION

    def count(self, accepted: Sequence[Accepted]) -> None:
        some = polled_of(accepted, None)
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

    def polled(self, problem: str | None) -> Polled:
        return Polled(
            accepted=tuple(self._came),
            read=len(self._came) + self._known + self._forgotten,
            revised=self._revised,
            known=self._known,
            forgotten=self._forgotten,
            problem=problem,
        )
