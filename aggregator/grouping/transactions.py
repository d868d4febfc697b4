"""The transactions of placing: each changes both the rows and the memory of the writer, or neither.

The services that decide are made when they are first needed. A start needs none of them, and their imports (numpy,
tables of words) would take a fifth of its CPU time.
"""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from aggregator.config.tuning import Tuning
from aggregator.grouping.story_options import StoryOptions
from aggregator.model.errors import UsageError
from aggregator.store.engine.database import Database
from aggregator.store.stories.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from aggregator.grouping.grouping_services import GroupingServices


class Transactions:
    """Opens placing transactions. For one thread of the writer.

    The object in `services` changes when `forget` was called, so read the property again in each transaction.
    """

    def __init__(
        self,
        database: Database,
        all_tuning: Tuning,
        now: Callable[[], datetime],
        options: StoryOptions = StoryOptions(),  # noqa: B008 - frozen
    ) -> None:
        self.database = database
        self.all_tuning = all_tuning
        self.now = now
        self._options = options
        self._counted_up_to = -1
        self._services: GroupingServices | None = None

    @property
    def services(self) -> "GroupingServices":
        """The services that decide, made when they are first needed."""
        if self._services is None:
            from aggregator.grouping.grouping_services import GroupingServices

            self._services = GroupingServices(self.all_tuning, self._options)
            self._services.stream.count_after(self._counted_up_to)
        return self._services

    def count_after(self, inbox_no: int) -> None:
        """Count articles for their sources only after this inbox number; earlier articles are counted already."""
        self._counted_up_to = inbox_no
        self.services.stream.count_after(inbox_no)

    def forget(self) -> None:
        """Drop all services from memory; the next batch reads their rows again."""
        self._services = None

    @contextmanager
    def unit_of_work(self, *, keeps_caches: bool = False) -> Iterator[UnitOfWork]:
        """Open a placing transaction; on an error, rows are rolled back and memory is forgotten.

        `keeps_caches` is for transactions that change the stored lines of outlets only through `BoilerplateLearner`.
        """
        if not keeps_caches and self._services is not None:
            self._services.boilerplate.forget()
        try:
            with self.database.write() as connection:
                unit_of_work = UnitOfWork(connection, self.now())
                yield unit_of_work
                unit_of_work.close()
        except UsageError:
            raise  # the command was refused before memory was changed
        except BaseException as error:
            self.forget()
            # Release the objects in the frames of the error, which may still exist while the window is read again.
            released: list[BaseException] = []
            cause: BaseException | None = error
            while cause is not None and cause not in released:
                traceback.clear_frames(cause.__traceback__)
                released.append(cause)
                cause = cause.__cause__ or cause.__context__
            raise
