"""The thread that has texts written for stories, in the writer, after rendering.

It holds no lock and no transaction while it waits for the address, so it delays nothing. Each
attempt is stored before it begins: a daemon that was killed neither asks again at once nor forgets a story.
"""

import datetime as dt
import logging
import threading
from collections.abc import Callable

from aggregator.config.messages import counted
from aggregator.config.settings import Config
from aggregator.model.errors import AggregatorError
from aggregator.model.read_model import MachineSentence, MachineSummary, StoryRedirect
from aggregator.pipeline.workers.thread_pool import is_left_behind
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories import summaries
from aggregator.store.stories.summaries import SummaryQueue, SummaryTask
from aggregator.web.excerpts import Access
from aggregator.web.summaries.summary_hooks import ChatHook, HookError, hook_of
from aggregator.web.summaries.summary_text import input_of, sentences_of

log = logging.getLogger(__name__)

IDLE_SECONDS = 10.0  # between two looks for a story that needs a text
REST_SECONDS = 60.0  # back-off after an error of the database
_FAILED_SECONDS = 60.0  # pause after a failed call, doubled after each further one, whatever the story ...
_FAILED_MAX_SECONDS = 3600.0  # ... up to this


class Summariser:
    """Asks for the text of one story after the other, at most so many an hour."""

    def __init__(
        self,
        database: Database,
        reader: StoryReader,
        hook: ChatHook,
        *,
        stories_an_hour: int,
        access: Access,
        words: int,
        now: Callable[[], dt.datetime],
    ) -> None:
        """`access` and `words`: what the hook may see of an article (web/excerpts.py)."""
        self._database = database
        self._reader = reader
        self._hook = hook
        self._gap = dt.timedelta(hours=1) / stories_an_hour
        self._access = access
        self._words = words
        self._now = now
        self._queue = SummaryQueue()
        self._failures = 0  # calls in a row
        self._failing_since: dt.datetime | None = None
        self.problem: str | None = None  # why the last call gave no text, and since when calls fail

    def step(self) -> float:
        """Have one text written if a story needs it; return the seconds until the next step."""
        now = self._now()
        with self._database.read() as connection:
            last = summaries.last_attempt(connection, now)
            if last is not None and now - last < self._gap:
                return min((last + self._gap - now).total_seconds(), IDLE_SECONDS)
            task = self._queue.next_task(connection, now)
        if task is None:
            return IDLE_SECONDS
        story = self._reader.story(task.id)
        given = (
            None
            if story is None or isinstance(story, StoryRedirect)
            else input_of(story, task.merged, self._access, self._words)
        )
        with self._database.write() as connection:
            summaries.begin(connection, task, now)
        if given is None:
            self._store(task, ())  # nothing that the hook may see
            return 0.0
        try:
            found = sentences_of(self._hook.ask(given[0]), given[1])
            if not found:
                raise HookError("no sentence names an article of the story")
        except (HookError, ValueError) as error:
            self._failures += 1
            self._failing_since = self._failing_since or now
            since = f"{self._failing_since:%Y-%m-%d %H:%M} UTC"
            self.problem = f"summarise: {self._hook.name} gives no texts since {since}: {error}"
            log.warning(
                "summarise: %s gave no text for story %s: %s",
                self._hook.name,
                task.id,
                error,
                extra={"event": "summary_failed", "story": task.id},
            )
            return float(min(_FAILED_SECONDS * 2 ** min(self._failures - 1, 10), _FAILED_MAX_SECONDS))
        self._failures, self._failing_since, self.problem = 0, None, None
        self._store(task, found)
        log.info(
            "%s wrote %s for story %s",
            self._hook.name,
            counted(len(found), "sentence"),
            task.id,
            extra={"event": "summary_written", "story": task.id},
        )
        return 0.0

    def close(self) -> None:
        """End a running call."""
        self._hook.close()

    def _store(self, task: SummaryTask, sentences: tuple[MachineSentence, ...]) -> None:
        summary = MachineSummary(written_by=self._hook.name, written_at=self._now(), sentences=sentences)
        with self._database.write() as connection:
            summaries.store(connection, task, summary)


class SummaryThread:
    """Runs a Summariser while this process is the writer, until `stop`."""

    def __init__(self, summariser: Summariser, *, is_writer: Callable[[], bool]) -> None:
        self._summariser = summariser
        self._is_writer = is_writer
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="summaries", daemon=True)

    @property
    def problem(self) -> str | None:
        """Why the last call gave no text; None if it gave one."""
        return self._summariser.problem

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end, and end a running call."""
        self._stopping.set()
        self._summariser.close()

    def join(self, seconds: float) -> bool:
        """After `stop`: wait `seconds`; return whether the thread still runs."""
        return is_left_behind(self._thread, seconds)

    def _run(self) -> None:
        rest = 0.0
        while not self._stopping.wait(rest):
            rest = self._summarise()

    def _summarise(self) -> float:
        try:
            return self._summariser.step() if self._is_writer() else IDLE_SECONDS
        except AggregatorError as error:  # of the database; other threads report it
            log.debug("summaries are paused: %s", error, extra={"event": "summaries_paused"})
        except Exception:  # the daemon does not depend on it
            log.exception("summaries failed", extra={"event": "summaries_failed"})
        return REST_SECONDS


def summary_thread(
    config: Config,
    database: Database,
    now: Callable[[], dt.datetime],
    *,
    is_writer: Callable[[], bool],
) -> SummaryThread | None:
    """Return the thread, not started; None if `summarise:` is off. Raises ConfigError."""
    if (hook := hook_of(config, now)) is None:
        return None
    # What leaves the machine is limited as for readers.
    access: Access = "all" if config.publish.full_text == "all" else "excerpt"
    summariser = Summariser(
        database,
        StoryReader(database, config.effective_tuning),
        hook,
        stories_an_hour=config.summarise.stories_an_hour,
        access=access,
        words=config.publish.excerpt_words,
        now=now,
    )
    return SummaryThread(summariser, is_writer=is_writer)
