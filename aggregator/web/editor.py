"""The news desk: what a person asks of the grouping over HTTP: corrections, and why things are so.

Corrections go the way of the command line: a request row for the one writer of stories, which carries it out
between two batches (`asking`, `correcting`). An answer waits for that a bounded time only.
"""

import datetime as dt
import threading
from collections.abc import Callable
from typing import Literal

import msgspec

from aggregator.config.tuning import Tuning
from aggregator.model.core import FrozenStruct
from aggregator.model.errors import UsageError
from aggregator.pipeline import command_queue
from aggregator.pipeline.placement.apply_corrections import CorrectionCommand, CorrectionResult
from aggregator.pipeline.placement.explain import Explanation, explanation
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import DatabaseStoryReader
from aggregator.store.stories import commands, corrections
from aggregator.store.stories.corrections import Correction, CorrectionKind
from aggregator.web.responses import RefusedError

EXPLAINING_AT_ONCE = 2  # comparing two texts is work for a processor: the others are not to wait for it
EXPLAINING_PATIENCE_SECONDS = 5.0


class EditorTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `desk` of config/tuning.yaml; units and origins stand there."""

    patience_seconds: float
    waiting_at_once: int
    max_body_bytes: int
    body_deadline_seconds: float


class CommandStatus(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What became of a request so far; `reason` holds the writer's words where it was refused."""

    request: int
    state: Literal["waiting", "done", "refused"]
    corrected: CorrectionResult | None = None
    reason: str | None = None


class CorrectionSummary(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """One correction: the stories that it touched, and the articles that it took elsewhere."""

    n: int
    at: dt.datetime
    kind: CorrectionKind
    undone_at: dt.datetime | None
    stories: tuple[str, ...]
    articles: tuple[str, ...]
    words: str


class CorrectionPage(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Corrections, the newest first; `next` is the number to go on before, None at the end."""

    corrections: tuple[CorrectionSummary, ...]
    next: int | None


class EditorService:
    """Safe to use from many threads."""

    def __init__(
        self,
        database: Database,
        all_tuning: Tuning,
        now: Callable[[], dt.datetime],
        *,
        arrived: Callable[[], None] = lambda: None,
    ) -> None:
        """`arrived` is called when something was left for the writer."""
        self.tuning = all_tuning.section("desk", EditorTuning)
        self._database = database
        self._all_tuning = all_tuning
        self._now = now
        self._arrived = arrived
        self._explaining = threading.BoundedSemaphore(EXPLAINING_AT_ONCE)

    def ask(self, command: CorrectionCommand, patience_seconds: float | None = None) -> CommandStatus:
        """Leave a wish for the writer and wait for the answer, `desk.patience_seconds` unless told otherwise.

        Raises UsageError with the writer's words where it was refused.
        """
        number = command_queue.enqueue(self._database, self._now(), "correct", msgspec.json.encode(command))
        self._arrived()
        patience = self.tuning.patience_seconds if patience_seconds is None else patience_seconds
        answer = command_queue.wait_for_answer(self._database, number, patience_seconds=patience)
        if answer is None:
            return CommandStatus(request=number, state="waiting")
        return _done(number, answer)

    def asked(self, number: int) -> CommandStatus | None:
        """What became of a request, now; None where there is none of that number."""
        with self._database.read() as connection:
            found = commands.found(connection, number, "correct")
        if found is None:
            return None
        if found.state == "done" and found.answer is not None:
            return _done(number, found.answer)
        return CommandStatus(request=number, state=found.state, reason=found.answer)

    def corrections(self, limit: int, before: int | None = None) -> CorrectionPage:
        """What persons decided, the newest first, those with numbers below `before`."""
        with self._database.read() as connection:
            found = corrections.newest(connection, limit + 1, before)
        shown = found[:limit]
        return CorrectionPage(
            corrections=tuple(map(_decided, shown)),
            next=shown[-1].n if shown and len(found) > limit else None,
        )

    def has_correction(self, number: int) -> bool:
        """Whether there is a correction of that number, undone or not."""
        page = self.corrections(1, number + 1)
        return any(one.n == number for one in page.corrections)

    def explanation(self, article: str, other: str | None = None) -> Explanation | None:
        """Why an article is where it is, and how it stands to `other`; None where one of them is not there.

        All of it: what may be shown to others is for `bounds` to say. Raises RefusedError (503) where too
        many are asked for at once.
        """
        if not self._explaining.acquire(timeout=EXPLAINING_PATIENCE_SECONDS):
            raise RefusedError(503, "too much is being explained at once", headers={"Retry-After": "5"})
        try:
            return explanation(
                DatabaseStoryReader(self._database, self._all_tuning), article, other, self._all_tuning
            )
        except UsageError:
            return None
        finally:
            self._explaining.release()


def _decided(one: Correction) -> CorrectionSummary:
    moved = one.detail.moved
    stories = dict.fromkeys(story for each in moved for story in (each.after, each.before))
    return CorrectionSummary(
        n=one.n,
        at=one.at,
        kind=one.kind,
        undone_at=one.undone_at,
        stories=tuple(stories),
        articles=tuple(each.article for each in moved),
        words=one.detail.words,
    )


def _done(number: int, answer: str) -> CommandStatus:
    return CommandStatus(
        request=number, state="done", corrected=msgspec.json.decode(answer, type=CorrectionResult)
    )
