"""The thread that has texts of stories written by a machine (`summarise:`).

`Summariser` runs in a thread of the writer, after rendering. It holds no lock and no transaction while it
waits for the address, so it delays nothing. Each attempt is stored before it begins: a daemon that was killed
neither asks again at once nor forgets a story.
"""

import datetime as dt
import logging

from aggregator.config.messages import counted
from aggregator.config.settings import Config
from aggregator.deliver.chat_hook import ChatHook, HookError, hook_of
from aggregator.deliver.summary_texts import input_of, sentences_of
from aggregator.model.clock import Clock
from aggregator.model.read_model import MachineSentence, MachineSummary
from aggregator.model.story import StoryView
from aggregator.publish.excerpts.access import Access
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories import summaries
from aggregator.store.stories.summaries import SummaryTask

log = logging.getLogger(__name__)
IDLE_SECONDS = 10.0  # between two looks for a story that needs a text
# Pause after a failed call, doubled after each further one, whatever the story ...
_FAILED_SECONDS = 60.0
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
        now: Clock,
    ) -> None:
        """`access` and `words`: what the hook may see of an article (publish/excerpts)."""
        self._database = database
        self._reader = reader
        self._hook = hook
        self._gap = dt.timedelta(hours=1) / stories_an_hour
        self._access = access
        self._words = words
        self._now = now
        self._failures = 0  # calls in a row
        self._failing_since: dt.datetime | None = None
        # Why the last call gave no text, and since when calls fail
        self.problem: str | None = None

    def step(self) -> float:
        """Have one text written if a story needs it; return the seconds until the next step."""
        now = self._now()
        with self._database.read() as connection:
            last = summaries.last_attempt(connection, now)
            if last is not None and now - last < self._gap:
                return min((last + self._gap - now).total_seconds(), IDLE_SECONDS)
            task = summaries.next_task(connection, now)
        if task is None:
            return IDLE_SECONDS
        story = self._reader.story(task.id)
        facts = None
        if isinstance(story, StoryView):
            facts = input_of(story, task.shown, self._access, self._words)
        with self._database.write() as connection:
            summaries.begin(connection, task, now)
        if facts is None:
            self._store(task, ())  # nothing that the hook may see
            return 0.0
        name = self._hook.name
        try:
            sentences = sentences_of(self._hook.ask(facts[0]), facts[1])
            if not sentences:
                raise HookError("no sentence names an article of the story")
        except (HookError, ValueError) as error:
            self._failures += 1
            self._failing_since = self._failing_since or now
            self.problem = (
                f"summarise: {name} gives no texts since "
                f"{self._failing_since:%Y-%m-%d %H:%M} UTC: {error}"
            )
            log.warning(
                "summarise: %s gave no text for story %s: %s",
                name,
                task.id,
                error,
                extra={"event": "summary_failed", "story": task.id},
            )
            doublings = min(self._failures - 1, 10)
            return min(_FAILED_SECONDS * 2.0**doublings, _FAILED_MAX_SECONDS)
        self._failures = 0
        self._failing_since = None
        self.problem = None
        self._store(task, sentences)
        log.info(
            "%s wrote %s for story %s",
            name,
            counted(len(sentences), "sentence"),
            task.id,
            extra={"event": "summary_written", "story": task.id},
        )
        return 0.0

    def close(self) -> None:
        """End a running call."""
        self._hook.close()

    def _store(self, task: SummaryTask, sentences: tuple[MachineSentence, ...]) -> None:
        summary = MachineSummary(
            written_by=self._hook.name, written_at=self._now(), sentences=sentences
        )
        with self._database.write() as connection:
            summaries.store(connection, task, summary)


def summariser_of(config: Config, database: Database, now: Clock) -> Summariser | None:
    """Return who asks what `summarise:` names; None if it is off. Raises ConfigError."""
    if (hook := hook_of(config, now)) is None:
        return None
    return Summariser(
        database,
        StoryReader(database, config.effective_tuning),
        hook,
        stories_an_hour=config.summarise.stories_an_hour,
        # What leaves the machine is limited as for readers.
        access="all" if config.publish.full_text == "all" else "excerpt",
        words=config.publish.excerpt_words,
        now=now,
    )
