"""Corrections of stories and explanations of decisions, for pages and the API.

A correction becomes a row in the command queue, like one from the command line; the writer executes it between two
batches. The response waits for the result for a limited time.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Literal

import msgspec
from anyio import CapacityLimiter

from aggregator.config.tuning import Tuning
from aggregator.grouping.corrections.correction_command import (
    CorrectionCommand,
    CorrectionResult,
)
from aggregator.grouping.corrections.explained import Explanation
from aggregator.intake import command_handlers
from aggregator.model.clock import Clock
from aggregator.model.errors import UsageError
from aggregator.model.structs import FrozenStruct
from aggregator.store import commands
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories import corrections
from aggregator.store.stories.corrections import CorrectionKind
from aggregator.web.responses import too_many

# The most corrections of the API that wait for the writer at once, each in a thread (chosen)
_MAX_WAITING = 4

# Comparing two texts keeps a processor busy, and other requests need it.
EXPLAINING_AT_ONCE = 2
EXPLAINING_PATIENCE_SECONDS = 5.0
# The largest body of a correction or a form; 200 ids take 4,000 bytes.
MAX_BODY_BYTES = 65_536
BODY_DEADLINE_SECONDS = 10.0


class EditorTuning(FrozenStruct):
    """Section `editor` of config/tuning.yaml, which states units and origins."""

    response_wait_seconds: float


class CommandStatus(FrozenStruct, omit_defaults=False):
    """The result of a command, or that it waits for the writer; `reason` is why the writer refused it."""

    request: int
    state: Literal["waiting", "done", "refused"]
    corrected: CorrectionResult | None = None
    reason: str | None = None


class CorrectionSummary(FrozenStruct, omit_defaults=False):
    """One correction: the stories that it changed, and the articles that it moved."""

    n: int
    at: datetime
    kind: CorrectionKind
    undone_at: datetime | None
    stories: tuple[str, ...]
    articles: tuple[str, ...]
    words: str


class CorrectionPage(FrozenStruct, omit_defaults=False):
    """Corrections, the newest first; `next` is the value of `before` for the next page, null at the end."""

    corrections: tuple[CorrectionSummary, ...]
    next: int | None


class EditorService:
    """Submits corrections and explains decisions. Safe to use from many threads."""

    def __init__(
        self,
        database: Database,
        all_tuning: Tuning,
        now: Clock,
        *,
        arrived: Callable[[], None] = lambda: None,
    ) -> None:
        """`arrived` is called after a command was stored for the writer."""
        self.tuning = all_tuning.section("editor", EditorTuning)
        self._database = database
        self._all_tuning = all_tuning
        self._now = now
        self._arrived = arrived
        self.waiting = CapacityLimiter(_MAX_WAITING)  # threads that wait for results
        self._explaining = threading.BoundedSemaphore(EXPLAINING_AT_ONCE)

    def submit(self, command: CorrectionCommand) -> CommandStatus:
        """Store a command for the writer and wait `editor.response_wait_seconds` for its result.

        Raises UsageError with the message of the writer if it refuses the command.
        """
        number = command_handlers.enqueue(
            self._database, self._now(), "correct", msgspec.json.encode(command)
        )
        self._arrived()
        answer = command_handlers.wait_for_answer(
            self._database,
            number,
            patience_seconds=self.tuning.response_wait_seconds,
        )
        if answer is None:
            return CommandStatus(request=number, state="waiting")
        return _end_command(number, answer)

    def status(self, number: int) -> CommandStatus | None:
        """Return the state of a correction; None if no correction was requested with this number."""
        with self._database.read() as connection:
            command = commands.command_numbered(connection, number)
        if command is None or command.kind != "correct":
            return None
        if command.state == "done" and command.result is not None:
            return _end_command(number, command.result)
        return CommandStatus(request=number, state=command.state, reason=command.result)

    def corrections(self, limit: int, before: int | None = None) -> CorrectionPage:
        """Return corrections, the newest first; with `before`, those with lower numbers."""
        with self._database.read() as connection:
            rows = corrections.all_corrections(
                connection, before=before, limit=limit + 1
            )
        shown = []
        for row in rows[:limit]:
            stories: dict[str, None] = {}
            for article in row.detail.moved:
                stories[article.after] = None
                stories[article.before] = None
            shown.append(
                CorrectionSummary(
                    n=row.correction_no,
                    at=row.at,
                    kind=row.kind,
                    undone_at=row.undone_at,
                    stories=tuple(stories),
                    articles=tuple(moved.article for moved in row.detail.moved),
                    words=row.detail.words,
                )
            )
        following = shown[-1].n if shown and len(rows) > limit else None
        return CorrectionPage(corrections=tuple(shown), next=following)

    def explanation(self, article: str, other: str | None = None) -> Explanation | None:
        """Explain the placement of an article, and compare it with `other`; None if one does not exist.

        The texts are not limited, which `single_articles.limit_explanation` does. Raises RefusedError (503) if too many
        explanations are requested at once.
        """
        # Imported here, because this module imports all code that decides about articles.
        from aggregator.grouping.corrections.explanation import explain_article

        if not self._explaining.acquire(timeout=EXPLAINING_PATIENCE_SECONDS):
            raise too_many("explanations")
        try:
            return explain_article(
                StoryReader(self._database, self._all_tuning),
                article,
                other,
                self._all_tuning,
            )
        except UsageError:
            return None
        finally:
            self._explaining.release()


def _end_command(number: int, answer: str) -> CommandStatus:
    return CommandStatus(
        request=number,
        state="done",
        corrected=msgspec.json.decode(answer, type=CorrectionResult),
    )
