"""`aggregator ingest`: read files, folders, standard input and addresses once.

Reading goes on in chunks: accept (one transaction), then place what waits. Stopped at any moment and started
again it finds what it accepted before, and goes on where it was. Where another process is the writer, the
entries are left in the inbox and this one waits until they are placed.
"""

import datetime as dt
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from aggregator.errors import AggregatorError, FetchError, UsageError
from aggregator.model import Entry, Noun
from aggregator.net.client import Client
from aggregator.pipeline import Pipeline
from aggregator.polling import Polling, parse_feed
from aggregator.rules import RuleBook
from aggregator.sources.files import FoundProblem, open_source
from aggregator.sources.limits import source_rules
from aggregator.sources.opening import Progress
from aggregator.stages import FeedJob
from aggregator.store import inbox
from aggregator.store.database import Database
from aggregator.store.folders import folder_name, known_as
from aggregator.store.inbox import Accepted
from aggregator.store.sources import feed_at, source_id
from aggregator.store.telling import tell_next
from aggregator.stories.tuning import StoryRules
from aggregator.text.characters import decode
from aggregator.text.urls import registrable_domain
from aggregator.watching import entries_of
from aggregator.work.executor import Executor

ENTRIES_A_TRANSACTION = 100
_LAST_TRY = 99  # a page that cannot be had now is done without: the command ends, nobody comes back to it
_MISSING = "there is no such file or folder"
TELLING_SECONDS = 5.0
_POLL_SECONDS = 0.2  # between two looks whether the daemon has placed what we left


class Rejected(Noun, frozen=True, kw_only=True):
    """One thing that was not taken, and why."""

    where: str
    reason: str


class Summary(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """What an ingest did. `waiting` entries are accepted, and another process will place them.

    `new` is `stories_created` + `joined` + `copies`: an article opens a story, joins one, or is a copy in it.
    `stories_extended` counts stories, and only those that this ingest did not open itself.
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
    rejected: tuple[Rejected, ...] = ()


class Step(Noun, frozen=True, kw_only=True):
    """How far an ingest is, for a progress bar."""

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
        polling: Polling,
        client: Client,
        executor: Executor,
        book: RuleBook,
        now: Callable[[], dt.datetime],
    ) -> None:
        """`become_writer` gives the pipeline, or None while another process is the writer of stories."""
        self._database = database
        self._become_writer = become_writer
        self._pipeline = become_writer()
        self._polling = polling
        self._client = client
        self._executor = executor
        self._book = book
        self._now = now
        self._accepted: list[Accepted] = []
        self._where: dict[int, str] = {}
        self._rejected: list[Rejected] = []
        self._read = 0
        self._folder_names: dict[Path, str] = {}

    @property
    def is_writer(self) -> bool:
        """Whether this process places; else it leaves that to the one that does."""
        return self._pipeline is not None

    def run(self, what: Sequence[str]) -> Iterator[Step]:
        """Read all of `what`, in order; `summary` then tells what came of it.

        Raises UsageError where there is nothing at all of what was named; a part of it is rejected.
        """
        missing = [one for one in what if not _is_there(one)]
        if missing and len(missing) == len(what):
            raise UsageError("\n".join(f"{one}: {_MISSING}" for one in missing))
        for one in what:
            progress = Progress()
            for chunk in _chunks(self._found(one, progress)):
                self._take(chunk)
                yield Step(
                    what=one,
                    read=self._read,
                    read_bytes=progress.read_bytes,
                    total_bytes=progress.total_bytes,
                )
        self._finish()

    def wait(self, patience_seconds: float) -> Iterator[int]:
        """Wait for the process that places; yields how many still wait, until none does or patience ends.

        Where that process has ended meanwhile, this one takes its place.
        """
        deadline = time.monotonic() + patience_seconds
        while (left := self.summary().waiting) and time.monotonic() < deadline:
            yield left
            time.sleep(_POLL_SECONDS)
            self._pipeline = self._pipeline or self._become_writer()
            self._finish()

    def summary(self) -> Summary:
        """What came of all that was read so far."""
        numbers = [item.n for item in self._accepted if item.n is not None]
        with self._database.read() as connection:
            results = inbox.results(connection, numbers)
        refused = [
            Rejected(where=self._where.get(one.n, one.url or "?"), reason=one.reason or "refused")
            for one in results
            if one.outcome == "refused"
        ]
        tally = [one.outcome for one in results]
        founded = {one.story for one in results if one.outcome == "founded"}
        grown = {one.story for one in results if one.outcome in ("joined", "copy")}
        return Summary(
            read=self._read,
            new=sum(outcome in ("founded", "joined", "copy") for outcome in tally),
            known=len(self._accepted) - len(numbers) + tally.count("unchanged"),
            revised=tally.count("revised"),
            joined=tally.count("joined"),
            copies=tally.count("copy"),
            stories_created=tally.count("founded"),
            stories_extended=len(grown - founded),
            waiting=tally.count(None),
            rejected=(*self._rejected, *refused),
        )

    # --- reading ------------------------------------------------------------------------------------------

    def _found(self, what: str, progress: Progress) -> Iterator[tuple[Entry | FoundProblem, str]]:
        """Entries and problems, each with words for where it is."""
        if what.startswith(("http://", "https://")):
            yield from ((item, what) for item in self._fetched(what))
            return
        if not _is_there(what):
            yield FoundProblem(where=what, reason=_MISSING), what
            return
        try:
            found = open_source(what, rules=source_rules(self._book), progress=progress, seen=self._now())
        except AggregatorError as error:  # a folder that cannot be listed, a file that went away
            yield FoundProblem(where=what, reason=str(error)), what
            return
        folder = _folder_of(what)
        for item in found:
            for one in entries_of(item, self._now(), self._executor, self._book):
                yield (self._known_as(one, folder) if isinstance(one, Entry) and folder else one), item.where

    def _known_as(self, entry: Entry, folder: Path) -> Entry:
        if folder not in self._folder_names:
            with self._database.write() as connection:
                self._folder_names[folder] = folder_name(connection, folder, os.path.isdir)
        return known_as(entry, folder, self._folder_names[folder])

    def _fetched(self, url: str) -> list[Entry | FoundProblem]:
        """A feed's entries, as the daemon would know them, or the one article of a page."""
        with self._database.read() as connection:
            polled = feed_at(connection, url)
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
                    rules=self._book.to_json(),
                ),
            )
        except FetchError as error:
            return [FoundProblem(where=url, reason=str(error))]
        if parsed.entries:
            return list(reversed(parsed.entries))
        if "html" in fetched.content_type:
            page = decode(fetched.body, fetched.charset)
            source = registrable_domain(url) or url
            return [Entry(source=source, url=url, html=page, is_page=True, authority="page")]
        return [FoundProblem(where=url, reason=parsed.problem or "neither a feed nor an article's page")]

    def _take(self, chunk: Sequence[tuple[Entry | FoundProblem, str]]) -> None:
        self._read += len(chunk)
        entries = [(item, where) for item, where in chunk if isinstance(item, Entry)]
        problems = [(item, where) for item, where in chunk if isinstance(item, FoundProblem)]
        now = self._now()
        with self._database.write() as connection:
            wants = [self._wants_page(entry) for entry, _ in entries]
            accepted = inbox.accept(
                connection,
                [entry for entry, _ in entries],
                seen=[now] * len(entries),
                wants_page=wants,
            )
            inbox.forget_refusals(connection, source="ingest", items=[where for _, where in entries])
            for problem, where in problems:
                inbox.note_refusal(
                    connection,
                    source="ingest",
                    item=where,
                    verdict=problem.verdict or "unreadable",
                    reason=problem.reason,
                    at=now,
                )
        self._accepted += accepted
        self._where |= {
            item.n: where for item, (_, where) in zip(accepted, entries, strict=True) if item.n is not None
        }
        self._rejected += [Rejected(where=where, reason=problem.reason) for problem, where in problems]
        self._fetch_pages(accepted)
        self._place()

    def _wants_page(self, entry: Entry) -> bool:
        """A feed given by hand is read like a polled one; what comes from files has all there is."""
        return entry.authority in ("own", "foreign") and self._polling.wants_page(entry)

    def _fetch_pages(self, accepted: Sequence[Accepted]) -> None:
        """The pages of what was just accepted, and of what a run that was stopped accepted and left."""
        if self._pipeline is None:
            return  # the writer fetches them
        with self._database.read() as connection:
            left = inbox.pages_left(connection, [item.article for item in accepted])
        for wanted in left:
            self._polling.fetch_page(msgspec.structs.replace(wanted, tries=_LAST_TRY))

    def _place(self) -> None:
        if self._pipeline is not None:
            for _ in self._pipeline.place_waiting():
                pass

    def _finish(self) -> None:
        self._place()
        if self._pipeline is not None:
            self._pipeline.index_text()
            self._tell()

    def _tell(self) -> None:
        """The merged texts, for those who read with SQL; a large archive's are left to the daemon."""
        rules = self._book.section("stories", StoryRules)
        ends = time.monotonic() + TELLING_SECONDS
        while time.monotonic() < ends and tell_next(self._database, 20, rules):
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


def _chunks(
    found: Iterator[tuple[Entry | FoundProblem, str]],
) -> Iterator[list[tuple[Entry | FoundProblem, str]]]:
    chunk: list[tuple[Entry | FoundProblem, str]] = []
    for item in found:
        chunk.append(item)
        if len(chunk) == ENTRIES_A_TRANSACTION:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
