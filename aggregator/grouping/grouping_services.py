"""The services that decide about articles and write them, with their data in memory.

A writer has one set of services. All their data is read from the rows of the database, so they can be replaced by a new
set, for instance after a failed transaction (grouping/transactions.py).
"""

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_lookup import CopyFinder
from aggregator.grouping.outlet_memory import (
    BoilerplateLearner,
    OutletNames,
)
from aggregator.grouping.pairs.hours import HoursTuning
from aggregator.grouping.pairs.pair_model import PairTuning
from aggregator.grouping.pairs.weights import shipped_model
from aggregator.grouping.scores.agreement import AgreementCheck
from aggregator.grouping.scores.report_comparison import ReportComparison
from aggregator.grouping.story_options import PlacingTuning, StoryOptions
from aggregator.grouping.stream import NewsStream
from aggregator.grouping.window import LiveWindow, Window
from aggregator.store.stories.corrections import Constraints
from aggregator.store.stories.unit_of_work import UnitOfWork
from aggregator.stories.story_tuning import StoryTuning


class GroupingServices:
    """The services that all deciders share. For one thread of the writer."""

    def __init__(self, all_tuning: Tuning, options: StoryOptions) -> None:
        self._all_tuning = all_tuning
        self.options = options
        self.placing = all_tuning.section("placing", PlacingTuning)
        # A text with at least this many words counts as the text of a page, not of a feed.
        self.page_words: int = all_tuning.values("polling")["full_text_words"]
        self.rules_version = all_tuning.version
        self.model = shipped_model(all_tuning)
        self.story_tuning = all_tuning.section("stories", StoryTuning)
        self._pair_tuning = all_tuning.section("pairs", PairTuning)
        self._hours_tuning = all_tuning.section("hours", HoursTuning)
        self.stream = NewsStream(self._pair_tuning, self.model.tuning.window_days)
        self.window = LiveWindow(self.model, self.stream)
        self.copy_finder = CopyFinder(all_tuning)
        self.forget_rows()

    def forget_rows(self) -> None:
        """Drop all data that is quickly read again. The window and the sampled shingles, which take seconds, stay."""
        self.stream.forget_periods()
        self.comparison = ReportComparison(
            self.model, self._pair_tuning, self._hours_tuning, self.stream
        )
        self.agreement = AgreementCheck(self.model, self.comparison, self.stream)
        self.constraints = Constraints()
        self.boilerplate = BoilerplateLearner(self._all_tuning)
        self.outlet_names = OutletNames()


class InTransaction:
    """The services within one transaction: the base of deciders and writers."""

    def __init__(self, services: GroupingServices, unit_of_work: UnitOfWork) -> None:
        self._services = services
        self._unit_of_work = unit_of_work
        self._connection = unit_of_work.connection

    @property
    def _window(self) -> Window:
        return self._services.window.current(self._connection)
