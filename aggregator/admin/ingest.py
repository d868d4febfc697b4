"""`aggregator ingest`: read files, folders, standard input and addresses once.

Reading goes on in chunks, each accepted in one transaction, and a fixed number of chunks ahead of placing: so
the workers always have something to prepare, an archive of any size takes no more memory than these chunks,
and neither the number of workers nor their speed decides what is known when a chunk is accepted. Stopped at
any moment and started again it finds what it accepted before, and goes on where it was. Where another process
is the writer, the entries are left in the inbox and this one waits until they are placed; it reads no further
ahead than that process can follow. A database server that goes away is waited for, some minutes at a time.
"""

import datetime as dt
import itertools
import logging
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import msgspec

from aggregator.config.tuning import Tuning
from aggregator.extract.language.unicode import decode
from aggregator.extract.urls import registrable_domain
from aggregator.model.core import Entry, FrozenStruct
from aggregator.model.errors import (
    AggregatorError,
    DatabaseAwayError,
    DatabaseBusyError,
    DatabaseLockedError,
    FetchError,
    LeaseLostError,
    UsageError,
)
from aggregator.pipeline.jobs import FeedJob
from aggregator.pipeline.pipeline import More, Pipeline
from aggregator.pipeline.poll import Poller, parse_feed
from aggregator.pipeline.watch_folder import (
    CHARS_A_TRANSACTION,
    ENTRIES_A_TRANSACTION,
    MOST_WAITING,
    REJECTED_LISTED,
    entries_of,
)
from aggregator.pipeline.workers.executor import Executor
from aggregator.sources.fetch.client import Client
from aggregator.sources.limits import source_tuning
from aggregator.sources.parse.files import InputProblem, open_source
from aggregator.sources.parse.sort_by_time import in_order_of_time
from aggregator.sources.parse.streams import Progress
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import inbox, pending_pages, tombstones
from aggregator.store.intake import rejected as refused
from aggregator.store.intake.folder_names import folder_name, known_as
from aggregator.store.intake.inbox import AcceptResult
from aggregator.store.intake.sources import feed_at, source_id
from aggregator.store.read import reader
from aggregator.store.stories.merged_texts import render_next
from aggregator.stories.tuning import StoryTuning

log = logging.getLogger(__name__)
Result = TypeVar("Result")

_LAST_TRY = 99  # a page that cannot be had now is done without: the command ends, nobody comes back to it
_MISSING = "there is no such file or folder"
RENDER_SECONDS = 5.0
INDEXED_ANEW = 5_000  # articles of an index that is made anew: the rest waits for the daemon or the next run
_ASKED_SECONDS = 1.0  # between two looks whether a daemon wants to place
_POLL_SECONDS = 0.2  # between two looks whether the daemon has placed what we left
_PATIENCE_SECONDS = 3600.0  # with a daemon that places nothing at all
_AWAY_SECONDS = 300.0  # so long a database server that does not answer is waited for
_AWAY_PAUSE_SECONDS = 1.0  # between two tries
_ASKED_AT_ONCE = 500
# Of 100 entries: what 30 workers have under way at once (64 texts each would be too few chunks for more).
CHUNKS_AHEAD = 10


def samples_folder() -> Path:
    """The sample articles that come with the program, for a checkout and for an installed wheel."""
    installed = Path(str(files("aggregator").joinpath("_shipped", "examples", "articles")))
    return installed if installed.is_dir() else Path(__file__).parents[2] / "examples" / "articles"


class RejectedItem(FrozenStruct, frozen=True, kw_only=True):
    """One thing that was not taken, and why."""

    where: str
    reason: str


class IngestSummary(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What an ingest did. `waiting` entries are accepted, and another process will place them.

    `new` is `stories_created` + `joined` + `copies`: an article opens a story, joins one, or is a copy in it.
    `stories_extended` counts stories, and only those that this ingest did not open itself. Of many rejected
    things the first are named in `rejected`; `rejected_count` is how many there are.
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


class _ReadItem(FrozenStruct, frozen=True, kw_only=True):
    """An entry or a problem, with words for where it is: `file`, and a place in it."""

    item: Entry | InputProblem
    where: str
    file: str

    @property
    def chars(self) -> int:
        return len(self.item.html or "") + len(self.item.text or "") if isinstance(self.item, Entry) else 0


class IngestProgress(FrozenStruct, frozen=True, kw_only=True):
    """How far an ingest is, for a progress bar; bytes are those of all files, as they lie on the disk."""

    what: str
    read: int
    read_bytes: int
    total_bytes: int | None


class Ingest:
    """One run of the command."""

    def __init__(
        self,
        database: Database,
        *,
        become_writer: Callable[[], Pipeline | None],
        poller: Poller,
        client: Client,
        executor: Executor,
        all_tuning: Tuning,
        now: Callable[[], dt.datetime],
        holds_back: bool = True,
        is_awaited: Callable[[], bool] = lambda: False,
        give_up: Callable[[], None] = lambda: None,
    ) -> None:
        """`become_writer` gives the pipeline, or None while another process is the writer of stories.

        `is_awaited` says that a daemon wants to be that, `give_up` lets it.

        `holds_back`: read no further ahead than that process follows.
        """
        self._database = database
        self._become_writer = become_writer
        self._pipeline = become_writer()
        self._is_awaited = is_awaited
        self._give_up = give_up
        self._is_wanted, self._asked_at = False, 0.0  # whether a daemon waits, and when that was asked
        self._away_since: float | None = None  # the server does not answer, monotonic
        self._polling = poller
        self._client = client
        self._executor = executor
        self._all_tuning = all_tuning
        self._now = now
        self._holds_back = holds_back
        self._pending: dict[int, str] = {}  # where entries are of which it is not known yet what became
        self._tally: Counter[str] = Counter()
        self._newest_before = 0  # story, when this began
        self._extended: set[str] = set()  # of the stories that were there before
        self._rejected: list[RejectedItem] = []
        self._file = ""  # that is being read
        self._folder_names: dict[Path, str] = {}

    @property
    def is_writer(self) -> bool:
        """Whether this process places; else it leaves that to the one that does."""
        return self._pipeline is not None

    def run(self, what: Sequence[str]) -> Iterator[IngestProgress]:
        """Read all of `what`, in order; `summary` then tells what came of it.

        Raises UsageError where there is nothing at all of what was named; a part of it is rejected.
        """
        missing = [one for one in what if not _is_there(one)]
        if missing and len(missing) == len(what):
            raise UsageError("\n".join(f"{one}: {_MISSING}" for one in missing))
        self._newest_before = self._read(reader.newest_story)
        sizes = [_size(one) for one in what]
        done = 0
        for number, one in enumerate(what):
            progress = Progress()
            for _ in self._taken(_chunks(self._found(one, progress))):
                total = progress.total_bytes
                behind = sum(sizes[number + 1 :])
                yield IngestProgress(
                    what=one,
                    read=self._tally["read"],
                    read_bytes=done + progress.read_bytes,
                    total_bytes=None if total is None else done + total + behind,
                )
            done += progress.read_bytes
        self._finish()

    def wait(self, patience_seconds: float) -> Iterator[int]:
        """Wait for the process that places; yields how many still wait, until none does or patience ends.

        Where that process has ended meanwhile, this one takes its place.
        """
        deadline = time.monotonic() + patience_seconds
        while self._settle() and time.monotonic() < deadline:
            yield len(self._pending)
            self._rest()

    def _rest(self) -> None:
        """A moment for the process that places; its place is taken where it has ended."""
        time.sleep(_POLL_SECONDS)
        self._pipeline = self._pipeline or self._patiently(self._become_writer)
        self._finish()

    # --- a server that goes away --------------------------------------------------------------------------

    def _read(self, ask: Callable[[Connection], Result]) -> Result:
        def work() -> Result:
            with self._database.read() as connection:
                return ask(connection)

        return self._patiently(work)

    def _patiently(self, work: Callable[[], Result]) -> Result:
        """What `work` returns; done again while the server does not answer. It may be done twice."""
        while True:
            try:
                result = work()
            except (DatabaseAwayError, DatabaseBusyError, LeaseLostError) as error:
                self._recover(error)
            else:
                self._is_back()
                return result

    def _recover(self, error: AggregatorError) -> None:
        """Wait a moment before the next try; raises `error` where that has no sense, or not any more."""
        if self._database.is_sqlite or isinstance(error, DatabaseLockedError):
            raise error
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            log.warning("%s; trying again for up to %d minutes", error, _AWAY_SECONDS / 60)
        elif now - self._away_since > _AWAY_SECONDS:
            raise error
        time.sleep(_AWAY_PAUSE_SECONDS)
        if isinstance(error, LeaseLostError):
            self._pipeline = None
            self._give_up()
            try:
                self._pipeline = self._become_writer()
            except (DatabaseAwayError, DatabaseBusyError) as away:
                log.debug("not the writer yet: %s", away)  # whatever is tried next finds it away too

    def _is_back(self) -> None:
        if self._away_since is not None:
            self._away_since = None
            log.warning("the database answers again; it goes on")

    # --- what came of it ----------------------------------------------------------------------------------

    def summary(self) -> IngestSummary:
        """What came of all that was read so far."""
        self._settle()
        tally = self._tally
        return IngestSummary(
            read=tally["read"],
            new=tally["founded"] + tally["joined"] + tally["copy"],
            known=tally["known"] + tally["unchanged"],
            revised=tally["revised"],
            joined=tally["joined"],
            copies=tally["copy"],
            stories_created=tally["founded"],
            stories_extended=len(self._extended),
            waiting=len(self._pending),
            rejected=tuple(self._rejected),
            rejected_count=tally["refused"],
        )

    def _settle(self) -> int:
        """Count what became of the entries that were placed since; returns how many still wait.

        They are placed in about the order they came, so the oldest are asked first, and no more where some of
        them wait.
        """
        while numbers := list(itertools.islice(self._pending, _ASKED_AT_ONCE)):
            results = self._read(partial(inbox.results, numbers=numbers))
            grown = {one.story for one in results if one.story and one.outcome in ("joined", "copy")}
            grown -= self._extended
            self._extended |= self._read(partial(reader.of_before, ids=grown, newest=self._newest_before))
            for one in results:
                if one.outcome is not None:
                    self._count(one, self._pending.pop(one.n))
            if any(number in self._pending for number in numbers):
                break
        return len(self._pending)

    def _count(self, result: inbox.EntryResult, where: str) -> None:
        if result.outcome == "refused":
            self._reject(where, result.reason or "refused")
            return
        self._tally[str(result.outcome)] += 1

    def _reject(self, where: str, reason: str) -> None:
        self._tally["refused"] += 1
        if len(self._rejected) < REJECTED_LISTED:
            self._rejected.append(RejectedItem(where=where, reason=reason))

    # --- reading ------------------------------------------------------------------------------------------

    def _found(self, what: str, progress: Progress) -> Iterator[_ReadItem]:
        """Entries and problems of one of the things that were named."""
        if what.startswith(("http://", "https://")):
            yield from (_ReadItem(item=item, where=what, file=what) for item in self._fetched(what))
            return
        if not _is_there(what):
            yield _ReadItem(item=InputProblem(where=what, reason=_MISSING), where=what, file=what)
            return
        try:
            tuning = source_tuning(self._all_tuning)
            found = open_source(what, tuning=tuning, progress=progress, seen=self._now())
        except AggregatorError as error:  # a folder that cannot be listed, a file that went away
            yield _ReadItem(item=InputProblem(where=what, reason=str(error)), where=what, file=what)
            return
        folder = _folder_of(what)
        if what != "-":  # what comes in through a pipe may never end
            found = in_order_of_time(found, progress, run_chars=tuning.run_chars)
        for item in found:
            for one in entries_of(item, self._now(), self._executor, self._all_tuning):
                entry = self._known_as(one, folder) if isinstance(one, Entry) and folder else one
                yield _ReadItem(item=entry, where=item.where, file=item.file)

    def _known_as(self, entry: Entry, folder: Path) -> Entry:
        if folder not in self._folder_names:
            self._folder_names[folder] = self._patiently(
                lambda: self._database.transact(lambda it: folder_name(it, folder, os.path.isdir))
            )
        return known_as(entry, folder, self._folder_names[folder])

    def _fetched(self, url: str) -> list[Entry | InputProblem]:
        """A feed's entries, as the daemon would know them, or the one article of a page."""
        polled = self._read(lambda connection: feed_at(connection, url))
        try:
            fetched = self._client.fetch(url)
            parsed = parse_feed(
                self._executor,
                FeedJob(
                    data=fetched.body,
                    source=polled.id if polled else source_id("feed", None, url),
                    outlet=polled.outlet if polled else None,
                    zone=polled.timezone if polled else None,
                    seen=self._now(),
                    url=fetched.url_final,
                    content_type=fetched.content_type or None,
                    tuning=self._all_tuning.to_json(),
                ),
            )
        except FetchError as error:
            return [InputProblem(where=url, reason=str(error))]
        if parsed.entries:
            return list(reversed(parsed.entries))
        if "html" in fetched.content_type:
            page = decode(fetched.body, fetched.charset)
            source = registrable_domain(url) or url
            return [
                Entry(
                    source=source,
                    url=url,
                    html=page,
                    is_page=True,
                    authority="page",
                    robots=fetched.robots,
                )
            ]
        return [InputProblem(where=url, reason=parsed.problem or "neither a feed nor an article's page")]

    def _taken(self, chunks: Iterator[list[_ReadItem]]) -> Iterator[None]:
        """Accept all of it, and place it where that is ours to do; yields whenever some of it is done."""
        is_read = False
        while not is_read:
            if self._pipeline is None:
                chunk = next(chunks, None)
                if chunk is None:
                    return
                self._take(chunk)
                self._hold_back()  # which may make us the writer
                yield
            else:
                is_read = yield from self._placed_along(chunks)

    def _placed_along(self, chunks: Iterator[list[_ReadItem]]) -> Generator[None, None, bool]:
        """Place while it is read; whether all is read, and not left to a daemon that came meanwhile."""
        reached: deque[int] = deque()
        is_read = False

        def more() -> int | None:
            """The next chunk; what may be placed is what was accepted CHUNKS_AHEAD before it."""
            nonlocal is_read
            chunk = next(chunks, None)
            if chunk is None:
                is_read = True
                return None
            accepted = self._take(chunk)
            articles = [one.article for one in accepted]
            last = self._read(lambda connection: inbox.last_ready(connection, articles))
            reached.append(max(last, reached[-1] if reached else 0))
            self._settle()
            return reached.popleft() if len(reached) > CHUNKS_AHEAD else 0

        for _ in self._placed(more):
            yield
        return not self._yield_placing() and is_read

    def _placed(self, more: More | None = None) -> Iterator[None]:
        """Place what waits, batch by batch, while this process is the writer."""
        while (pipeline := self._pipeline) is not None:
            try:
                for _ in pipeline.place_waiting(self._is_to_stop, more=more):
                    self._is_back()
                    yield
                return
            except (DatabaseAwayError, DatabaseBusyError, LeaseLostError) as error:
                pipeline.forget()  # what was committed at last is unknown: the rows say it
                self._recover(error)

    def _is_to_stop(self) -> bool:
        """Whether a daemon waits for this process; asked for each text, so the answer is some moments old."""
        if time.monotonic() - self._asked_at < _ASKED_SECONDS:
            return self._is_wanted
        self._asked_at = time.monotonic()
        self._is_wanted = self._patiently(self._is_awaited)
        return self._is_wanted

    def _yield_placing(self) -> bool:
        """Leave placing to a daemon where one waits; it goes on with what is in the inbox."""
        if self._pipeline is None or not self._is_wanted:
            return False
        self._pipeline, self._is_wanted = None, False
        self._give_up()
        return True

    def _take(self, chunk: Sequence[_ReadItem]) -> list[AcceptResult]:
        entries = [found.item for found in chunk if isinstance(found.item, Entry)]
        places = [found.where for found in chunk if isinstance(found.item, Entry)]
        now = self._now()
        wants_page = [self._wants_page(entry) for entry in entries]

        def work(connection: Connection) -> list[AcceptResult]:
            seen = [now] * len(entries)
            accepted = inbox.accept(connection, entries, seen=seen, wants_page=wants_page)
            self._note_rejected(connection, chunk, now)
            return accepted

        accepted = self._patiently(lambda: self._database.transact(work))
        self._file = chunk[-1].file
        self._tally["read"] += len(chunk)
        for found in chunk:
            if isinstance(found.item, InputProblem):
                self._reject(found.where, found.item.reason)
        for item, where in zip(accepted, places, strict=True):
            if item.outcome == "forgotten":
                self._reject(where, tombstones.REASON)
            elif item.n is None:
                self._tally["known"] += 1
            else:
                self._pending[item.n] = where
        self._fetch_pages(accepted, chunk[-1].file)
        return accepted

    def _note_rejected(self, connection: Connection, chunk: Sequence[_ReadItem], now: dt.datetime) -> None:
        """What is refused of a file now, in the place of what was refused of it before."""
        begun = {found.file for found in chunk} - {self._file}
        refused.clear_files(connection, [_absolute(file) for file in begun])
        problems = [found for found in chunk if isinstance(found.item, InputProblem)]
        for found in problems[: max(0, REJECTED_LISTED - self._tally["refused"])]:
            assert isinstance(found.item, InputProblem)
            refused.note(
                connection,
                source="ingest",
                item=_absolute(found.file) + found.where.removeprefix(found.file),
                verdict=found.item.verdict or "unreadable",
                reason=found.item.reason,
                at=now,
            )

    def _hold_back(self) -> None:
        """Wait where the process that places is far behind: the inbox is no place for an archive."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        if self._settle() < MOST_WAITING or not self._holds_back:
            return
        while self._settle() > MOST_WAITING // 2 and time.monotonic() < deadline:
            self._rest()

    def _wants_page(self, entry: Entry) -> bool:
        """A feed given by hand is read like a polled one; what comes from files has all there is."""
        return entry.authority in ("own", "foreign") and self._polling.wants_page(entry)

    def _fetch_pages(self, accepted: Sequence[AcceptResult], feed: str) -> None:
        """The pages of what was just accepted, and of what a run that was stopped accepted and left.

        `feed` is the address that was typed: where it is the operator's own, its pages may be so too.
        """
        if self._pipeline is None:
            return  # the writer fetches them
        articles = [item.article for item in accepted]
        for wanted in self._read(lambda connection: pending_pages.unfetched_pages(connection, articles)):
            last = msgspec.structs.replace(wanted, tries=_LAST_TRY, feed=feed)
            self._patiently(partial(self._polling.fetch_page, last))

    def _finish(self) -> None:
        for _ in self._placed():
            pass
        if not self._yield_placing():
            self._patiently(self._index)

    def _index(self) -> None:
        if self._pipeline is not None:
            self._pipeline.index_text()
            self._pipeline.index_older(most=INDEXED_ANEW)
            self._render_texts()

    def _render_texts(self) -> None:
        """The merged texts, for those who read with SQL; a large archive's are left to the daemon."""
        tuning = self._all_tuning.section("stories", StoryTuning)
        ends = time.monotonic() + RENDER_SECONDS
        while time.monotonic() < ends and render_next(self._database, 20, tuning):
            pass


def _folder_of(what: str) -> Path | None:
    """The absolute folder whose name the files of `what` are known by; None for standard input."""
    if what == "-":
        return None
    path = Path(os.path.abspath(what))  # noqa: PTH100 - as sources.files names folders
    return path if path.is_dir() else path.parent


def _is_there(what: str) -> bool:
    if what == "-" or what.startswith(("http://", "https://")):
        return True
    return os.path.exists(what)  # noqa: PTH110 - Path's own raises for names that cannot be


def _absolute(file: str) -> str:
    """As `doctor` names it: whoever asks that may be in another folder."""
    is_elsewhere = file == "stdin" or file.startswith(("http://", "https://"))
    return file if is_elsewhere else os.path.abspath(file)  # noqa: PTH100 - as sources.files names folders


def _size(what: str) -> int:
    """Bytes of a file; 0 for what is none, of which that is known when it is read."""
    try:
        return os.path.getsize(what) if os.path.isfile(what) else 0  # noqa: PTH113, PTH202 - as in _is_there
    except OSError:
        return 0


def _chunks(found: Iterator[_ReadItem]) -> Iterator[list[_ReadItem]]:
    chunk: list[_ReadItem] = []
    chars = 0
    for one in found:
        chunk.append(one)
        chars += one.chars
        if len(chunk) == ENTRIES_A_TRANSACTION or chars >= CHARS_A_TRANSACTION:
            yield chunk
            chunk, chars = [], 0
    if chunk:
        yield chunk
