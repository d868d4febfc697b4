"""Watches folders: the articles in new and changed files become entries in the inbox.

A poll lists the files of a folder, and reads the files whose stamp (size and times) differs from the stored stamp. It
reads whole files until its time is over; the next poll reads the others. The stamps of the files that were read are
stored with the last entries. After an interruption, the next poll reads the same files again, which changes nothing.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.intake.jobs import FeedJob, parse_feed, parse_mail
from aggregator.intake.kinds.source_kind import SourceKind
from aggregator.intake.polling.feed_entries import of_source
from aggregator.intake.polling.page_fetch import PollServices
from aggregator.intake.polling.poll_decision import with_counts
from aggregator.intake.polling.poll_result import PollResult, summarise_accepted
from aggregator.intake.workers.executor import Executor
from aggregator.model.entry import Entry
from aggregator.model.errors import FetchError, ReadError
from aggregator.model.structs import FrozenStruct
from aggregator.sources.parse.files.input_items import (
    InputEntry,
    InputFeed,
    InputItem,
    InputProblem,
    ReadOptions,
)
from aggregator.sources.parse.files.open_source import identify_below, read_file
from aggregator.sources.parse.streams.folder_scan import (
    FileStamp,
    FolderChanges,
    scan,
)
from aggregator.sources.source_limits import net_tuning, source_tuning
from aggregator.store import codecs
from aggregator.store.engine.database import Connection
from aggregator.store.intake import acceptance, inbox, rejected
from aggregator.store.intake.folder_names import name_folder, with_folder_name
from aggregator.store.intake.known_entries import AcceptResult
from aggregator.store.intake.source_rows import Source, save

# A transaction holds the write lock, so it has at most this many entries.
ENTRIES_A_TRANSACTION = 100
# Pages and texts are held in memory until their transaction, so a transaction stores about this many characters.
CHARS_A_TRANSACTION = 2_000_000
# The most rejected items listed per poll or ingest: a file of another kind may have a million lines.
REJECTED_LISTED = 1000
# While more entries than this wait to be placed, no further entries are read.
MOST_WAITING = 10_000
# The time between two counts of the waiting entries
_PLACING_REST_SECONDS = 5.0
# Listing takes at most this share of the CPU time of a processor, so a folder of 100,000 files is listed less often
# (chosen).
_SCAN_SHARE = 0.05
# The longest rest after a listing, because a suspended or busy machine may stretch a listing by hours
_MOST_REST_SECONDS = 3600.0
# Before a folder is listed again, its files are read for at least this many times the duration of the listing.
_READING_SHARE = 4


class FolderStamps(FrozenStruct):
    """The stamp that each file of a folder had when it was read, by relative path."""

    stamps: Mapping[str, FileStamp] = {}


class FolderWatcher:
    """Polls watched folders. Thread-safe."""

    def __init__(self, services: PollServices) -> None:
        self._services = services
        self._tuning = source_tuning(services.all_tuning)
        self._reading_seconds = net_tuning(services.all_tuning).fetch_deadline_seconds

    def poll(self, row: Source) -> PollResult:
        """List a folder and read its new and changed files, for the time that a fetch may take.

        After a long listing they are read for longer (`_READING_SHARE`).
        """
        now = self._services.now()
        worked = time.thread_time()
        began = time.monotonic()
        source = self._services.quiet_polls.latest(row)
        folder = Path(os.path.abspath(source.address))  # noqa: PTH100 - Path.resolve follows links
        stamps: Mapping[str, FileStamp] = {}
        if source.folder_state:
            stamps = codecs.decompress_struct(source.folder_state, FolderStamps).stamps
        polled = replace(
            source,
            next_due_at=now + timedelta(seconds=source.interval_seconds),
            last_polled_at=now,
            folder_state=None,
        )
        try:
            changes = scan(folder, stamps, now_ns=int(now.timestamp() * 1e9))
        except ReadError as error:
            failed = replace(
                polled,
                health="failing",
                health_cause=str(error),
                failures=source.failures + 1,
            )
            with self._services.database.write() as connection:
                save(connection, failed)
            return PollResult(succeeded=False, problem=str(error))
        # On a slow disk or network share, listing takes little CPU time, so the rest grows with its duration, too.
        listing_seconds = time.monotonic() - began
        rest = max((time.thread_time() - worked) / _SCAN_SHARE, 2 * listing_seconds)
        rest = max(min(rest, _MOST_REST_SECONDS), source.interval_seconds)
        polled = replace(polled, next_due_at=now + timedelta(seconds=rest))
        if not changes.changed and not changes.gone and source.health == "ok":
            quiet = replace(
                polled, folder_state=source.folder_state, last_success_at=now
            )
            if self._services.quiet_polls.keep(row, quiet, now):
                return PollResult(unchanged=True)
        return self._read_changes(
            polled,
            folder,
            stamps,
            changes,
            seconds=max(self._reading_seconds, _READING_SHARE * listing_seconds),
            now=now,
        )

    def _read_changes(
        self,
        polled: Source,
        folder: Path,
        stamps: Mapping[str, FileStamp],
        changes: FolderChanges,
        *,
        seconds: float,
        now: datetime,
    ) -> PollResult:
        """Read changed files for `seconds`, and store their entries and the `polled` source.

        `stamps` has the stamps of the files when they were last read.
        """
        database = self._services.database
        if changes.changed:
            with database.write() as connection:
                name = name_folder(connection, folder, os.path.isdir)
            polled = replace(polled, folder_name=name)
        unstored = _UnstoredItems(
            now=now,
            source=polled.entry_source,
            touched=[str(folder / path) for path in changes.gone],
        )
        count = self._read_files(polled, folder, changes.changed, unstored, seconds)
        if self._services.stops():
            # All files keep their old stamps, so the next poll reads them again.
            return summarise_accepted(unstored.accepted, None)
        unread = changes.changed[count:]
        if unread:
            polled = replace(polled, next_due_at=now)
        if count or changes.gone:
            # A file that was not read keeps its old stamp, so the next poll reads it.
            new_stamps = {**changes.stamps}
            for path in unread:
                del new_stamps[path]
                if path in stamps:
                    new_stamps[path] = stamps[path]
            polled = replace(
                polled,
                folder_state=codecs.compress_struct(FolderStamps(stamps=new_stamps)),
            )
        with database.write() as connection:
            unstored.store(connection)
            succeeded = replace(
                with_counts(polled, unstored.accepted, unstored.refused),
                first_poll_done=True,
                last_success_at=now,
                health="ok",
                health_cause=rejected.in_words(connection, unstored.source),
                failures=0,
            )
            save(connection, succeeded)
        problem = unstored.last_problem
        if problem is not None and unstored.refused > 1:
            problem += f" (and {unstored.refused - 1} more)"
        return summarise_accepted(unstored.accepted, problem)

    def _read_files(
        self,
        source: Source,
        folder: Path,
        paths: Sequence[str],
        unstored: "_UnstoredItems",
        seconds: float,
    ) -> int:
        """Read files for `seconds`, or until the daemon stops; return how many were read."""
        database, stops = self._services.database, self._services.stops
        executor = self._services.executor
        ends = time.monotonic() + seconds
        options = ReadOptions(
            tuning=self._tuning,
            seen=unstored.now,
            parse_mail=partial(parse_mail, executor),
        )
        for count, path in enumerate(paths, start=1):
            unstored.touched.append(str(folder / path))
            items = read_file(folder / path, identify_below(folder, path), options)
            for item in unpack_feeds(
                items, unstored.now, executor, self._services.all_tuning
            ):
                if isinstance(item, InputProblem):
                    unstored.refused += 1
                    unstored.last_problem = f"{item.where}: {item.reason}"
                    if unstored.refused <= REJECTED_LISTED:
                        unstored.problems.append(item)
                else:
                    entry = of_source(item.entry, source)
                    unstored.entries.append(
                        with_folder_name(entry, folder, unstored.source)
                    )
                    unstored.chars += len(entry.html or "") + len(entry.text or "")
                if (
                    len(unstored.entries) >= ENTRIES_A_TRANSACTION
                    or unstored.chars >= CHARS_A_TRANSACTION
                ):
                    # A file may be an archive of any size, so its entries are stored before its end is read.
                    with database.write() as connection:
                        unstored.store(connection)
                    while not stops():
                        with database.read() as connection:
                            if inbox.waiting_count(connection) <= MOST_WAITING:
                                break
                        self._services.pause(_PLACING_REST_SECONDS)
                if stops():
                    break
            # At least one file is read in each poll, even if the time was over at once on a busy machine.
            if stops() or time.monotonic() >= ends:
                return count
        return len(paths)


def unpack_feeds(
    items: Iterable[InputItem],
    now: datetime,
    executor: Executor,
    all_tuning: Tuning,
) -> Iterator[InputEntry | InputProblem]:
    """Yield the items, but in place of each feed its entries, which a worker parses."""
    for item in items:
        if not isinstance(item, InputFeed):
            yield item
            continue
        try:
            parsed = parse_feed(
                executor,
                FeedJob(
                    data=item.data,
                    source=item.source,
                    seen=now,
                    tuning=source_tuning(all_tuning),
                    all_tuning=all_tuning.to_json(),
                ),
            )
        except FetchError as error:
            yield InputProblem(where=item.where, file=item.file, reason=str(error))
            continue
        for entry in reversed(parsed.entries):
            yield InputEntry(
                entry=replace(entry, authority="handed"),
                where=item.where,
                file=item.file,
            )
        if parsed.problem or not parsed.entries:
            yield InputProblem(
                where=item.where,
                file=item.file,
                reason=parsed.problem or "there is no entry in this feed",
            )


class _UnstoredItems(msgspec.Struct, kw_only=True):
    """The items that a poll has read but not stored yet, and the outcomes of the entries that it has stored."""

    now: datetime
    # The source of the entries
    source: str
    # The files that are new, changed or gone; their earlier problems are deleted at the next `store`
    touched: list[str]
    entries: list[Entry] = []
    # The characters of `entries`
    chars: int = 0
    problems: list[InputProblem] = []
    refused: int = 0
    last_problem: str | None = None
    accepted: list[AcceptResult] = []

    def store(self, connection: Connection) -> None:
        """Store the entries and problems, and forget them."""
        rejected.clear_files(connection, self.touched)
        self.accepted += acceptance.accept(
            connection, self.entries, seen=[self.now] * len(self.entries), gathers=True
        ).accepted
        for problem in self.problems:
            rejected.note(
                connection,
                source=self.source,
                item=problem.where,
                verdict=problem.verdict or "unreadable",
                reason=problem.reason,
                at=self.now,
            )
        self.touched, self.entries, self.problems, self.chars = [], [], [], 0


KIND = SourceKind(
    address=lambda item, config: str(config.path(item.folder or "")),
    poller=lambda poller: FolderWatcher(poller.services).poll,
    is_local=True,
)
