"""`aggregator ingest`: read files, folders, standard input and addresses once.

Entries are read in chunks. Each is accepted in one transaction, a fixed number of chunks ahead of placing. This way,
the workers always have entries to prepare, memory is bounded by these chunks for archives of any size, and
the result depends on neither the number nor the speed of the workers. A run that was stopped can be repeated, because
entries that were accepted before are skipped. If another process is the writer, the entries wait in the inbox until
that process has placed them, and reading pauses if the writer is far behind.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from aggregator.admin.ingest import inputs
from aggregator.admin.ingest.ingest_results import IngestResults
from aggregator.admin.ingest.inputs import IngestServices, InputReader, ReadItem
from aggregator.intake.kinds.folder_kind import MOST_WAITING
from aggregator.intake.pipeline import Pipeline
from aggregator.model.errors import UsageError
from aggregator.sources.parse.files.input_items import InputEntry, InputProblem
from aggregator.sources.parse.records.record_keys import Field
from aggregator.sources.parse.streams.file_stream import Progress
from aggregator.sources.parse.streams.remote_files import is_address
from aggregator.store.engine.database import Connection
from aggregator.store.intake import acceptance, inbox, pending_pages, rejected
from aggregator.store.intake.known_entries import AcceptResult
from aggregator.store.read.marks.read_marks import OWNER, ReadMarks
from aggregator.store.stories.rendered_stories import render_next, unrendered_of_several
from aggregator.store.stories.stored_articles import assigned_stories
from aggregator.stories.story_tuning import StoryTuning

# The attempt number of a page: high enough that a failed page is not tried again, because the command ends before
_LAST_TRY = 99
# Stories of one article are rendered, too, until rendering has taken this long.
RENDER_SECONDS = 5.0
# The number of stories that are rendered in one step
RENDERED_AT_ONCE = 20
# A run adds at most this many articles to an index that is being rebuilt. The daemon or the next run does the rest.
REINDEXED_ARTICLES = 5_000
# The time between two checks whether the daemon has placed the entries
_POLL_SECONDS = 0.2
# The longest wait for a daemon that places nothing
_PATIENCE_SECONDS = 3600.0
# Ten chunks of 100 entries keep 30 workers busy.
CHUNKS_AHEAD = 10


class Ingest:
    """One run of the command."""

    def __init__(
        self,
        services: IngestServices,
        *,
        become_writer: Callable[[], Pipeline | None],
        holds_back: bool = True,
        chosen: Mapping[Field, str] = {},
    ) -> None:
        """`become_writer` returns the pipeline, or None while another process is the writer.

        With `holds_back`, reading pauses while the writer is far behind. `chosen` has the keys of records that `--map`
        names, by field.
        """
        self._services = services
        self._database = services.database
        self._become_writer = become_writer
        self._pipeline = become_writer()
        self._holds_back = holds_back
        self._inputs = InputReader(services, chosen=chosen)
        self.results = IngestResults(self._database, chosen)
        # Ids of stories of several articles
        self._unrendered: Sequence[str] = ()
        # The files that were begun; a set, because files that are sorted together are read in turns
        self._files: set[str] = set()

    @property
    def is_writer(self) -> bool:
        """Whether this process places the entries, and not another one."""
        return self._pipeline is not None

    def run(
        self, what: Sequence[str], *, as_one: bool = False
    ) -> Iterator[tuple[int, int, int | None]]:
        """Read all of `what`, in order, or sorted by time `as_one` archive; `results` has the result.

        Yield after each step the number of items read, of bytes read, and of all bytes (None: unknown). Bytes are
        those of the files, which may be compressed. Raises UsageError if nothing of `what` exists; otherwise missing
        files are rejected items.
        """
        missing = [path for path in what if not inputs.exists(path)]
        if missing and len(missing) == len(what):
            raise UsageError("\n".join(f"{path}: {inputs.MISSING}" for path in missing))
        archives = [what] if as_one else [[path] for path in what]
        sizes = [sum(map(inputs.size, paths)) for paths in archives]
        done = 0
        for number, paths in enumerate(archives):
            progress = Progress()
            for _ in self._accept_all(
                self._inputs.chunks(paths, progress, as_one=as_one)
            ):
                total = progress.total_bytes
                if total is not None:
                    total += done + sum(sizes[number + 1 :])
                yield self.results.read, done + progress.read_bytes, total
            done += progress.read_bytes
        for _ in self._finish():
            self.results.collect()

    def count_unrendered(self) -> int:
        """Find the stories of several articles, which `render` always renders; return their number.

        Return 0 if another process is the writer, because that process renders them.
        """
        if self._pipeline is not None:
            with self._database.read() as connection:
                self._unrendered = unrendered_of_several(connection)
        return len(self._unrendered)

    def render(self) -> Iterator[int]:
        """Render the stories of several articles, then others until RENDER_SECONDS are over.

        Yield after each step how many stories of several articles it rendered.
        """
        if self._pipeline is None:
            return
        tuning = self._services.all_tuning.section("stories", StoryTuning)
        ends = time.monotonic() + RENDER_SECONDS
        waiting = list(self._unrendered)
        while waiting or time.monotonic() < ends:
            stories = waiting[:RENDERED_AT_ONCE]
            del waiting[:RENDERED_AT_ONCE]
            has_rendered = render_next(
                self._database, RENDERED_AT_ONCE, tuning, of=stories or None
            )
            if not has_rendered and not waiting:
                break
            yield len(stories)

    def save_stories(self) -> tuple[int, int]:
        """Save the stories of the articles for the owner, except articles whose records have no star.

        Return the number of saved stories, and the number of articles that still wait to be placed, and so have no
        story. Raises UsageError if the owner has saved too many stories.
        """
        marks = ReadMarks(self._database, self._services.now)
        owner = marks.sign_in(OWNER)
        with self._database.read() as connection:
            stories = assigned_stories(connection, self.results.articles)
            waiting = inbox.waiting_articles(
                connection, self.results.articles - stories.keys()
            )
        rows = marks.of_stories(owner, set(stories.values()))
        marks.edit(owner, [row.number for row in rows.values()], starred=True)
        return len(rows), len(waiting)

    def wait(self, most: int = 0) -> Iterator[int]:
        """Wait for the writer until at most `most` entries wait; yield how many were placed since the last time.

        If the writer ends, this process becomes the writer. Stop waiting when no entry was placed for an hour.
        """
        before = self.results.waiting
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (
            waiting := self.results.collect()
        ) > most and time.monotonic() < deadline:
            yield before - waiting
            if waiting < before:
                before = waiting
                deadline = time.monotonic() + _PATIENCE_SECONDS
            time.sleep(_POLL_SECONDS)
            self._pipeline = self._pipeline or self._become_writer()
            for _ in self._finish():
                yield before - self.results.collect()
                before = self.results.waiting
        yield before - self.results.waiting

    def _accept_all(self, chunks: Iterator[list[ReadItem]]) -> Iterator[object]:
        """Accept all chunks; if this process is the writer, place them, CHUNKS_AHEAD behind. Yield after each step."""
        while self._pipeline is None:
            chunk = next(chunks, None)
            if chunk is None:
                return
            if self._holds_back and self.results.collect() >= MOST_WAITING:
                # Waiting keeps the inbox small. It may make this process the writer.
                yield from self.wait(MOST_WAITING // 2)
            yield self._accept(chunk)
        reached: deque[int] = deque()

        def more() -> int | None:
            """Accept the next chunk; return the last entry number to place, which is CHUNKS_AHEAD behind.

            Return 0 if nothing is to be placed yet, and None after the last chunk.
            """
            chunk = next(chunks, None)
            if chunk is None:
                return None
            articles = [result.article for result in self._accept(chunk)]
            with self._database.read() as connection:
                last = inbox.last_ready(connection, articles)
            reached.append(max(last, reached[-1] if reached else 0))
            self.results.collect()
            return reached.popleft() if len(reached) > CHUNKS_AHEAD else 0

        yield from self._pipeline.place_waiting(more=more)

    def _accept(self, chunk: Sequence[ReadItem]) -> Sequence[AcceptResult]:
        entries = [item.entry for item in chunk if isinstance(item, InputEntry)]
        now = self._services.now()
        # Pages are fetched for entries of feeds as in a poll, and never for files.
        wants_page = [
            entry.authority in ("own", "foreign")
            and self._services.fetcher().wants_page(entry)
            for entry in entries
        ]
        started = {item.file for item in chunk} - self._files

        def work(connection: Connection) -> Sequence[AcceptResult]:
            accepted = acceptance.accept(
                connection, entries, seen=[now] * len(entries), wants_page=wants_page
            ).accepted
            rejected.clear_files(connection, [_absolute(file) for file in started])
            problems = [item for item in chunk if isinstance(item, InputProblem)]
            for problem in problems[: self.results.unlisted]:
                rejected.note(
                    connection,
                    source="ingest",
                    item=_absolute(problem.file)
                    + problem.where.removeprefix(problem.file),
                    verdict=problem.verdict or "unreadable",
                    reason=problem.reason,
                    at=now,
                )
            return accepted

        accepted = self._database.transact(work)
        self._files |= started
        self.results.add(chunk, accepted)
        if self._pipeline is not None:  # else the writer fetches the pages
            with self._database.read() as connection:
                # This includes the pages of entries that an interrupted run accepted.
                pages = pending_pages.load_unfetched_pages(
                    connection, [result.article for result in accepted]
                )
            for page in pages:
                # If the typed address is private, its pages may be private, too.
                wanted = replace(page, attempts=_LAST_TRY, feed=chunk[-1].file)
                self._services.fetcher().fetch_page(wanted)
        return accepted

    def _finish(self) -> Iterator[object]:
        """If this process is the writer, place all waiting entries and index them; yield after each batch."""
        if self._pipeline is not None:
            yield from self._pipeline.place_waiting()
            self._pipeline.index_text()
            self._pipeline.index_older(most=REINDEXED_ARTICLES)


def _absolute(file: str) -> str:
    """Return the absolute path of a file, which `doctor` shows. Addresses and standard input stay as they are."""
    return file if file == "stdin" or is_address(file) else os.path.abspath(file)  # noqa: PTH100 - Path.resolve follows links
