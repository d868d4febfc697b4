"""Placing transactions: both the rows and the memory of the writer change, or neither."""

import datetime as dt
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aggregator.config.tuning import Tuning
from aggregator.grouping.parts import GroupingParts
from aggregator.grouping.story_options import StoryOptions
from aggregator.model.errors import UsageError
from aggregator.store.engine.database import Database
from aggregator.store.stories import samples
from aggregator.store.stories.unit_of_work import UnitOfWork


class Transactions:
    """Opens placing transactions. For one thread of the writer.

    `parts` are replaced when they are forgotten, so ask for them anew in each transaction.
    """

    def __init__(
        self,
        database: Database,
        all_tuning: Tuning,
        now: Callable[[], dt.datetime],
        options: StoryOptions,
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

    def forget_rows(self) -> None:
        """Drop all memory that is quickly read again; window and sampled shingles stay."""
        self.parts.stream.forget_periods()
        self.parts = GroupingParts(self.all_tuning, self._options, kept=self.parts)

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
                samples.rank_last(connection)
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
