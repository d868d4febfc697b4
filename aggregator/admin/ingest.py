"""`aggregator ingest`: read files, folders, standard input and addresses once.

Entries are read in chunks, each accepted in one transaction, a fixed number of chunks ahead of placing. So
the workers always have entries to prepare, memory is bounded by these chunks for archives of any size, and
the result does not depend on the number and speed of the workers. A run that was stopped can be repeated: it
skips what it accepted before. If another process is the writer, the entries wait in the inbox until that
process has placed them, and reading pauses if it is far behind.
"""

import datetime as dt
import itertools
import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from aggregator.admin.record_ids import RecordIds
from aggregator.extract.language.unicode import decode
from aggregator.extract.urls import registrable_domain
from aggregator.intake.jobs import FeedJob, list_pages
from aggregator.intake.kinds.folder_kind import (
    CHARS_A_TRANSACTION,
    ENTRIES_A_TRANSACTION,
    MOST_WAITING,
    REJECTED_LISTED,
    entries_of,
)
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.polling.parse_in_worker import parse_feed, parse_mail
from aggregator.intake.polling.poll import Poller
from aggregator.intake.prepare_queue import More
from aggregator.intake.workers.executor import answer_of
from aggregator.model.entry import Entry
from aggregator.model.errors import (
    AggregatorError,
    FetchError,
    UsageError,
    WorkError,
)
from aggregator.model.structs import FrozenStruct
from aggregator.sources.limits import source_tuning
from aggregator.sources.parse.files.input_items import (
    ArchiveSpan,
    InputEntry,
    InputItem,
    InputProblem,
    PageList,
    ReadOptions,
)
from aggregator.sources.parse.files.open_source import open_source
from aggregator.sources.parse.files.sort_by_time import in_order_of_time
from aggregator.sources.parse.records.record_entry import RecordNotes
from aggregator.sources.parse.records.record_keys import Field
from aggregator.sources.parse.streams.file_stream import Progress
from aggregator.sources.parse.streams.remote_files import is_address, is_remote, shown
from aggregator.store.engine.database import Connection
from aggregator.store.intake import acceptance, inbox, pending_pages
from aggregator.store.intake import rejected as refused
from aggregator.store.intake.folder_names import known_as, known_folder
from aggregator.store.intake.identity import tombstones
from aggregator.store.intake.known_entries import AcceptResult
from aggregator.store.intake.sources import source_at, source_id
from aggregator.store.read import reader
from aggregator.store.stories.articles import record_ids
from aggregator.store.stories.rendered_stories import render_next, unrendered_of_several
from aggregator.store.tables import counter_value
from aggregator.stories.tuning import StoryTuning

log = logging.getLogger(__name__)
Result = TypeVar("Result")

# The attempt number of a page that is not requested again, since the command ends
_LAST_TRY = 99
_MISSING = "there is no such file or folder"
# From the beginning of rendering, in which stories of one article are rendered, too
RENDER_SECONDS = 5.0
RENDERED_AT_ONCE = 20  # stories
# Of an index that is rebuilt; the daemon or the next run does the rest
REINDEXED_ARTICLES = 5_000
_POLL_SECONDS = 0.2  # between two checks whether the daemon has placed our entries
_PATIENCE_SECONDS = 3600.0  # to wait for a daemon that places nothing
_RESULTS_AT_ONCE = 500
# Chunks of 100 entries: what 30 workers process at once.
CHUNKS_AHEAD = 10


class RejectedItem(FrozenStruct):
    """One rejected item and the reason."""

    where: str
    reason: str


class IngestSummary(FrozenStruct, omit_defaults=False):
    """The counts of an ingest. `waiting` entries are accepted, and another process will place them.

    `new` is `stories_created` + `joined` + `copies`: an article founds a story, joins one, or is a copy.
    `stories_extended` counts stories that existed before. `rejected` has the first rejected items,
    `rejected_count` is the number of all. `notes`: which keys of records were read as what, and which keys,
    dates and ids were not.
    """

    read: int = 0
    new: int = 0
    known: int = 0
    revised: int = 0
    joined: int = 0
    copies: int = 0
    stories_created: int = 0
    stories_extended: int = 0
    waiting: int = 0
    rejected: tuple[RejectedItem, ...] = ()
    rejected_count: int = 0
    notes: tuple[str, ...] = ()


_ReadItem = InputEntry | InputProblem


class IngestProgress(FrozenStruct):
    """The progress of an ingest; bytes are those of all files as stored, so possibly compressed."""

    read: int
    read_bytes: int
    total_bytes: int | None


class Ingest:
    """One run of the command."""

    def __init__(
        self,
        poller: Poller,
        *,
        become_writer: Callable[[], Pipeline | None],
        holds_back: bool = True,
        chosen: Mapping[Field, str] | None = None,
    ) -> None:
        """`become_writer` returns the pipeline, or None while another process is the writer.

        `holds_back`: pause reading while the process that places is far behind. `chosen`: keys of
        records that `--map` names, by field.
        """
        (
            self._database,
            self._client,
            self._executor,
            self._all_tuning,
            self._now,
            *_,
        ) = poller.services
        self._become_writer = become_writer
        self._pipeline = become_writer()
        self._poller = poller
        self._holds_back = holds_back
        self._chosen = chosen or {}
        self._notes = RecordNotes()
        self._record_ids = RecordIds(self._notes)
        # Entries without a result by number: where they stand, and the ids of their records.
        self._pending: dict[int, tuple[str, str | None]] = {}
        self._counts: Counter[str] = Counter()
        self._unrendered: Sequence[str] = ()  # ids of stories of several articles
        self._newest_before = 0  # the newest story at the start
        self._extended: set[str] = set()  # stories of before that have grown
        self._rejected: list[RejectedItem] = []
        # That were begun; sorted together, they are read in turns
        self._files: set[str] = set()
        self._folders: dict[Path, str] = {}

    @property
    def is_writer(self) -> bool:
        """Whether this process places the entries; else another process does."""
        return self._pipeline is not None

    def run(
        self, what: Sequence[str], *, as_one: bool = False
    ) -> Iterator[IngestProgress]:
        """Read all of `what`, in order, or sorted by time `as_one` archive; `summary` returns the result.

        Raises UsageError if nothing of `what` exists; a missing part is rejected.
        """
        missing = [path for path in what if not _exists(path)]
        if missing and len(missing) == len(what):
            raise UsageError("\n".join(f"{path}: {_MISSING}" for path in missing))
        self._newest_before = self._read(partial(counter_value, name="story"))
        archives = [what] if as_one else [[path] for path in what]
        sizes = [sum(map(_size, paths)) for paths in archives]
        done = 0
        for number, paths in enumerate(archives):
            progress = Progress()
            for _ in self._accept_all(
                _chunks(self._items(paths, progress, as_one=as_one))
            ):
                total = progress.total_bytes
                following = sum(sizes[number + 1 :])
                yield IngestProgress(
                    read=self._counts["read"],
                    read_bytes=done + progress.read_bytes,
                    total_bytes=None if total is None else done + total + following,
                )
            done += progress.read_bytes
        for _ in self._finish():
            self._collect_results()

    def count_unrendered(self) -> int:
        """Find the stories that `render` renders in any case, those of several articles; return their number.

        0 if another process is the writer, which renders them.
        """
        self._unrendered = (
            () if self._pipeline is None else self._read(unrendered_of_several)
        )
        return len(self._unrendered)

    def render(self) -> Iterator[int]:
        """Render these stories, then others until RENDER_SECONDS are over; yields the number of each step."""
        tuning, ends = (
            self._all_tuning.section("stories", StoryTuning),
            time.monotonic() + RENDER_SECONDS,
        )
        waiting = [*self._unrendered]
        while self._pipeline is not None and (waiting or time.monotonic() < ends):
            rendered, waiting = (
                waiting[:RENDERED_AT_ONCE] or None,
                waiting[RENDERED_AT_ONCE:],
            )
            if (
                not render_next(self._database, RENDERED_AT_ONCE, tuning, of=rendered)
                and not waiting
            ):
                break
            yield len(rendered or ())

    @property
    def waiting(self) -> int:
        """The entries that are accepted and, as far as is known, not placed yet."""
        return len(self._pending)

    def wait(self, most: int = 0) -> Iterator[int]:
        """Wait for the process that places until at most `most` entries wait; yields how many were placed.

        If that process ends, this one becomes the writer. Returns when none was placed for an hour.
        """
        before, deadline = len(self._pending), time.monotonic() + _PATIENCE_SECONDS
        while (
            waiting := self._collect_results()
        ) > most and time.monotonic() < deadline:
            yield before - waiting
            if waiting < before:
                before, deadline = waiting, time.monotonic() + _PATIENCE_SECONDS
            time.sleep(_POLL_SECONDS)
            self._pipeline = self._pipeline or self._become_writer()
            for _ in self._finish():
                yield before - self._collect_results()
                before = len(self._pending)
        yield before - len(self._pending)

    def _read(self, ask: Callable[[Connection], Result]) -> Result:
        with self._database.read() as connection:
            return ask(connection)

    # --- results ------------------------------------------------------------------------------------------

    def summary(self) -> IngestSummary:
        """Return the counts of all that was read so far."""
        self._collect_results()
        counts = self._counts
        return IngestSummary(
            read=counts["read"],
            new=counts["founded"] + counts["joined"] + counts["copy"],
            known=counts["known"] + counts["unchanged"],
            revised=counts["revised"],
            joined=counts["joined"],
            copies=counts["copy"],
            stories_created=counts["founded"],
            stories_extended=len(self._extended),
            waiting=len(self._pending),
            rejected=tuple(self._rejected),
            rejected_count=counts["refused"],
            notes=tuple(self._notes.notes()),
        )

    def _collect_results(self) -> int:
        """Count the results of the entries that were placed meanwhile; returns how many still wait.

        Entries are placed in about the order of their numbers, so this stops at the first waiting ones.
        """
        while numbers := list(itertools.islice(self._pending, _RESULTS_AT_ONCE)):
            results = self._read(partial(inbox.results, numbers=numbers))
            extended = {
                result.story
                for result in results
                if result.story and result.outcome in ("joined", "copy")
            }
            extended -= self._extended
            self._extended |= self._read(
                partial(reader.of_before, ids=extended, newest=self._newest_before)
            )
            for result in results:
                if result.outcome is None:
                    continue
                where, record_id = self._pending.pop(result.entry_no)
                if result.outcome == "refused":
                    self._reject(where, result.reason or "refused")
                else:
                    self._counts[result.outcome] += 1
                    self._record_ids.became(result.article, record_id, result.outcome)
            if any(number in self._pending for number in numbers):
                break
        return len(self._pending)

    def _reject(self, where: str, reason: str) -> None:
        self._counts["refused"] += 1
        if len(self._rejected) < REJECTED_LISTED:
            self._rejected.append(RejectedItem(where=where, reason=reason))

    # --- reading ------------------------------------------------------------------------------------------

    def _items(
        self, what: Sequence[str], progress: Progress, *, as_one: bool
    ) -> Iterator[_ReadItem]:
        """Yield the entries and problems of these arguments of the command; `as_one`: sorted together."""
        feeds = [path for path in what if is_address(path) and not is_remote(path)]
        for path in feeds:
            yield from self._fetched(path)
        files = [path for path in what if path not in feeds]
        folders: dict[str, Path | None] = {}
        inputs = itertools.chain.from_iterable(
            self._inputs(path, progress, folders) for path in files
        )
        entries: Iterator[_ReadItem] = itertools.chain.from_iterable(
            entries_of(entry, self._now(), self._executor, self._all_tuning)
            for entry in inputs
        )
        # A pipe may never end, so it is not sorted by itself
        if as_one or files != ["-"]:
            entries = in_order_of_time(entries, progress, as_one_file=as_one)
        for entry in entries:
            folder = folders.get(_shown_name(entry.file))
            if isinstance(entry, InputEntry) and folder is not None:
                yield replace(entry, entry=self._with_folder_name(entry.entry, folder))
            else:
                yield entry

    def _inputs(
        self, what: str, progress: Progress, folders: dict[str, Path | None]
    ) -> Iterator[InputItem]:
        """Yield the contents of one argument; `folders` gets the folder that identifies each file."""
        if not _exists(what):
            yield InputProblem(where=what, reason=_MISSING, file=what)
            return
        try:
            limits = source_tuning(self._all_tuning)
            # Only if this process places them: another one may be unable to read the archive.
            listing = (
                self._listed if self._pipeline is not None and what != "-" else None
            )
            inputs = open_source(
                what,
                ReadOptions(
                    tuning=limits,
                    progress=progress,
                    seen=self._now(),
                    list_pages=listing,
                    parse_mail=partial(parse_mail, self._executor, tuning=limits),
                    chosen=self._chosen,
                ),
            )
        # A folder that cannot be listed, or a file that was deleted
        except AggregatorError as error:
            where = shown(what) if is_remote(what) else what
            yield InputProblem(where=where, reason=str(error), file=where)
            return
        folder = _folder_of(what)
        for entry in inputs:
            folders[_shown_name(entry.file)] = folder
            yield entry

    def _listed(self, span: ArchiveSpan) -> PageList:
        """Have a worker list a part of an archive."""
        try:
            return answer_of(self._executor, list_pages, span, PageList)
        except WorkError as error:
            log.warning(
                "%s: %s; this process reads it",
                span.place.where,
                error,
                extra={"event": "archive_not_listed"},
            )
            return PageList(is_whole=False)

    def _with_folder_name(self, entry: Entry, folder: Path) -> Entry:
        if folder not in self._folders:
            self._folders[folder] = self._database.transact(
                lambda it: known_folder(it, folder, os.path.isdir)
            )
        return known_as(entry, folder, self._folders[folder])

    def _fetched(self, url: str) -> Iterator[_ReadItem]:
        """Fetch an address; yields the entries of a feed, under its source, or the article of a page."""
        source = self._read(lambda connection: source_at(connection, url))
        try:
            fetched = self._client.fetch(url)
            parsed = parse_feed(
                self._executor,
                FeedJob(
                    data=fetched.body,
                    source=source.id if source else source_id("feed", None, url),
                    outlet=source.outlet if source else None,
                    name=source.name if source else None,
                    zone=source.timezone if source else None,
                    seen=self._now(),
                    url=fetched.url_final,
                    content_type=fetched.content_type or None,
                    tuning=source_tuning(self._all_tuning),
                    all_tuning=self._all_tuning.to_json(),
                ),
            )
        except FetchError as error:
            yield InputProblem(where=url, file=url, reason=str(error))
            return
        entries = parsed.entries[::-1]
        if not entries and "html" in fetched.content_type:
            page = Entry(
                source=registrable_domain(url) or url,
                url=url,
                html=decode(fetched.body, fetched.charset),
                is_page=True,
                authority="page",
                robots=fetched.robots,
            )
            entries = (page,)
        for entry in entries:
            yield InputEntry(entry=entry, where=url, file=url)
        if not entries:
            reason = parsed.problem or "neither a feed nor the page of an article"
            yield InputProblem(where=url, file=url, reason=reason)

    def _accept_all(self, chunks: Iterator[list[_ReadItem]]) -> Iterator[None]:
        """Accept all chunks, and place them if this process is the writer; yields after each step."""
        while self._pipeline is None:
            chunk = next(chunks, None)
            if chunk is None:
                return
            if self._holds_back and self._collect_results() >= MOST_WAITING:
                # So that the inbox stays small. This may make this process the writer.
                for _ in self.wait(MOST_WAITING // 2):
                    yield
            self._accept(chunk)
            yield
        reached: deque[int] = deque()

        def more() -> int | None:
            """Accept the next chunk; returns the entry number up to which to place, CHUNKS_AHEAD behind."""
            chunk = next(chunks, None)
            if chunk is None:
                return None
            accepted = self._accept(chunk)
            articles = [result.article for result in accepted]
            last = self._read(lambda connection: inbox.last_ready(connection, articles))
            reached.append(max(last, reached[-1] if reached else 0))
            self._collect_results()
            return reached.popleft() if len(reached) > CHUNKS_AHEAD else 0

        yield from self._place(more)

    def _place(self, more: More | None = None) -> Iterator[None]:
        """Place waiting entries in batches if this process is the writer; yields after each batch."""
        if self._pipeline is not None:
            for _ in self._pipeline.place_waiting(more=more):
                yield

    def _accept(self, chunk: Sequence[_ReadItem]) -> Sequence[AcceptResult]:
        read = [
            entry_read for entry_read in chunk if isinstance(entry_read, InputEntry)
        ]
        entries = [entry_read.entry for entry_read in read]
        now = self._now()
        # For feeds as when they are polled, for files never.
        wants_page = [
            entry.authority in ("own", "foreign") and self._poller.wants_page(entry)
            for entry in entries
        ]

        def work(
            connection: Connection,
        ) -> tuple[Sequence[AcceptResult], dict[str, list[str]]]:
            seen = [now] * len(entries)
            accepted = acceptance.accept(
                connection, entries, seen=seen, wants_page=wants_page
            ).accepted
            self._note_rejected(connection, chunk, now)
            known = [
                entry_read.article
                for entry_read in accepted
                if entry_read.outcome != "new"
            ]
            return accepted, record_ids(connection, known)

        accepted, stored_ids = self._database.transact(work)
        self._files.update(entry_read.file for entry_read in chunk)
        self._counts["read"] += len(chunk)
        for entry_read in chunk:
            if isinstance(entry_read, InputProblem):
                self._reject(entry_read.where, entry_read.reason)
            else:
                self._notes.add(entry_read.keys)
                self._record_ids.read(entry_read.file, entry_read.entry)
        for result, entry_read in zip(accepted, read, strict=True):
            if result.outcome == "forgotten":
                self._reject(entry_read.where, tombstones.REASON)
                continue
            record_id = entry_read.entry.record_id
            self._record_ids.became(
                result.article,
                record_id,
                result.outcome,
                stored_ids.get(result.article, ()),
            )
            if result.entry_no is None:
                self._counts["known"] += 1
            else:
                self._pending[result.entry_no] = (entry_read.where, record_id)
        self._fetch_pages(accepted, chunk[-1].file)
        return accepted

    def _note_rejected(
        self, connection: Connection, chunk: Sequence[_ReadItem], now: dt.datetime
    ) -> None:
        """Store the rejected items of the files in `chunk`, instead of those of an earlier run."""
        started = {problem.file for problem in chunk} - self._files
        refused.clear_files(connection, [_absolute(file) for file in started])
        problems = [problem for problem in chunk if isinstance(problem, InputProblem)]
        for problem in problems[: max(0, REJECTED_LISTED - self._counts["refused"])]:
            refused.note(
                connection,
                source="ingest",
                item=_absolute(problem.file) + problem.where.removeprefix(problem.file),
                verdict=problem.verdict or "unreadable",
                reason=problem.reason,
                at=now,
            )

    def _fetch_pages(self, accepted: Sequence[AcceptResult], feed: str) -> None:
        """Fetch the pages of the accepted entries, and of those that an interrupted run accepted.

        `feed` is the address that was typed: if it is private, its pages may be private, too.
        """
        if self._pipeline is None:
            return  # the writer fetches them
        articles = [result.article for result in accepted]
        for page in self._read(
            lambda connection: pending_pages.unfetched_pages(connection, articles)
        ):
            last = replace(page, attempts=_LAST_TRY, feed=feed)
            self._poller.fetch_page(last)

    def _finish(self) -> Iterator[None]:
        """Place all waiting entries and index them if this process is the writer; yields after each batch."""
        yield from self._place()
        if self._pipeline is not None:
            self._pipeline.index_text()
            self._pipeline.index_older(most=REINDEXED_ARTICLES)


def _shown_name(file: str) -> str:
    """Return the name as sorting may return it: bytes of a name that are not UTF-8 become question marks."""
    return file.encode("utf-8", "replace").decode()


def _folder_of(what: str) -> Path | None:
    """Return the absolute folder whose name identifies the files of `what`; None for standard input."""
    if what == "-" or is_address(what):
        return None
    path = Path(os.path.abspath(what))  # noqa: PTH100 - Path.resolve follows links
    return path if path.is_dir() else path.parent


def _exists(what: str) -> bool:
    if what == "-" or is_address(what):
        return True
    return os.path.exists(what)  # noqa: PTH110 - Path.exists raises for impossible names


def _absolute(file: str) -> str:
    """Return the absolute path, which `doctor` shows; addresses and standard input stay as they are."""
    return file if file == "stdin" or is_address(file) else os.path.abspath(file)  # noqa: PTH100 - Path.resolve follows links


def _size(what: str) -> int:
    """Return the size of a file in bytes; 0 for anything else, whose size is known when it is read."""
    try:
        return os.path.getsize(what) if os.path.isfile(what) else 0  # noqa: PTH113, PTH202 - as in _exists
    except OSError:
        return 0


def _chunks(items: Iterator[_ReadItem]) -> Iterator[list[_ReadItem]]:
    chunk: list[_ReadItem] = []
    chars = 0
    for entry in items:
        chunk.append(entry)
        if isinstance(entry, InputEntry):
            chars += len(entry.entry.html or "") + len(entry.entry.text or "")
        if len(chunk) == ENTRIES_A_TRANSACTION or chars >= CHARS_A_TRANSACTION:
            yield chunk
            chunk, chars = [], 0
    if chunk:
        yield chunk
