"""The parts that decide about articles and write them, with their memory, and the transactions that change both.

There is one set of parts for one writer. Their memory is read from the rows. A new set forgets it, for instance after a
failed transaction: both the rows and the memory of the writer change, or neither.
"""

import datetime as dt
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_lookup import CopyFinder
from aggregator.grouping.outlet_memory import (
    BoilerplateLearner,
    OutletNames,
)
from aggregator.grouping.pairs.pair_model import PairTuning
from aggregator.grouping.pairs.weights import shipped_model
from aggregator.grouping.scores.agreement import AgreementCheck
from aggregator.grouping.scores.report_comparison import ReportComparison
from aggregator.grouping.story_options import PlacingTuning, StoryOptions
from aggregator.grouping.stream import NewsStream
from aggregator.grouping.window import LiveWindow, Window
from aggregator.model.errors import UsageError
from aggregator.store.engine.database import Database
from aggregator.store.stories.corrections import Constraints
from aggregator.store.stories.unit_of_work import UnitOfWork
from aggregator.stories.story_tuning import StoryTuning


class GroupingParts:
    """The shared parts of deciders. For one thread of the writer."""

    def __init__(self, all_tuning: Tuning, options: StoryOptions) -> None:
        self._all_tuning = all_tuning
        self.options = options
        self.placing = all_tuning.section("placing", PlacingTuning)
        # A text with so many words comes from a page, not from a feed.
        self.page_words: int = all_tuning.values("polling")["full_text_words"]
        self.rules_version = all_tuning.version
        self.model = shipped_model(all_tuning)
        self.story_tuning = all_tuning.section("stories", StoryTuning)
        pair_tuning = all_tuning.section("pairs", PairTuning)
        self.stream = NewsStream(pair_tuning, self.model.tuning.window_days)
        self.window = LiveWindow(self.model, self.stream)
        self.copy_finder = CopyFinder(all_tuning)
        self.forget_rows()

    def forget_rows(self) -> None:
        """Drop all memory that is quickly read again; window and sampled shingles, which take seconds, stay."""
        self.stream.forget_periods()
        pair_tuning = self._all_tuning.section("pairs", PairTuning)
        self.comparison = ReportComparison(self.model, pair_tuning, self.stream)
        self.agreement = AgreementCheck(self.model, self.comparison, self.stream)
        self.constraints = Constraints()
        self.boilerplate = BoilerplateLearner(self._all_tuning)
        self.outlet_names = OutletNames()


class InTransaction:
    """The parts in one placing transaction; deciders and writers extend this."""

    def __init__(self, parts: GroupingParts, unit_of_work: UnitOfWork) -> None:
        self._parts = parts
        self._unit_of_work = unit_of_work
        self._connection = unit_of_work.connection

    @property
    def _window(self) -> Window:
        return self._parts.window.current(self._connection)


class Transactions:
    """Opens placing transactions. For one thread of the writer.

    `parts` are replaced when they are forgotten, so ask for them anew in each transaction.
    """

    def __init__(
        self,
        database: Database,
        all_tuning: Tuning,
        now: Callable[[], dt.datetime],
        options: StoryOptions = StoryOptions(),  # noqa: B008 - frozen
    ) -> None:
        self.database = database
        self.all_tuning = all_tuning
        self.now = now
        self._options = options
        self._counted_up_to = -1
        self.parts = GroupingParts(all_tuning, options)

    def count_after(self, inbox_no: int) -> None:
        """Count only articles after this inbox number for their sources; earlier ones are counted already."""
        self._counted_up_to = inbox_no
        self.parts.stream.count_after(inbox_no)

    def forget(self) -> None:
        """Drop all parts from memory; the next batch reads their rows again."""
        self.parts = GroupingParts(self.all_tuning, self._options)
        self.parts.stream.count_after(self._counted_up_to)

    @contextmanager
    def unit_of_work(self, *, keeps_caches: bool = False) -> Iterator[UnitOfWork]:
        """Open a placing transaction; on an error rows are rolled back, and memory is forgotten.

        `keeps_caches` is for transactions that change lines of outlets only through the writer.
        """
        if not keeps_caches:
            self.parts.boilerplate.forget()
        try:
            with self.database.write() as connection:
                unit_of_work = UnitOfWork(connection, self.now())
                yield unit_of_work
                unit_of_work.close()
        except UsageError:
            raise  # refused before anything was changed
        except BaseException as error:
            self.forget()
            # Release the objects in the frames of the error, which may live on while the window is read again.
            released: list[BaseException] = []
            cause: BaseException | None = error
            while cause is not None and cause not in released:
                traceback.clear_frames(cause.__traceback__)
                released.append(cause)
                cause = cause.__cause__ or cause.__context__
            raise
