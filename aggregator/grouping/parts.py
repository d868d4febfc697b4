"""The parts that decide about articles and write them, and what they remember: one set for one writer."""

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_lookup import CopyFinder
from aggregator.grouping.outlets.boilerplate import BoilerplateLearner
from aggregator.grouping.outlets.outlet_names import OutletNames
from aggregator.grouping.pairs.pair_model import PairTuning
from aggregator.grouping.pairs.weights import shipped_model
from aggregator.grouping.report_comparison import ReportComparison
from aggregator.grouping.story_options import StoryOptions
from aggregator.grouping.stream import NewsStream
from aggregator.grouping.write.story_writer import StoryWriter
from aggregator.store.stories.corrections import Constraints
from aggregator.stories.tuning import StoryTuning


class GroupingParts:
    """What deciders share. For one thread of the writer."""

    def __init__(self, all_tuning: Tuning, options: StoryOptions) -> None:
        pair_tuning = all_tuning.section("pairs", PairTuning)
        story_tuning = all_tuning.section("stories", StoryTuning)
        self.rules_version = all_tuning.version
        self.model = shipped_model(all_tuning)
        self.stream = NewsStream(pair_tuning, self.model.tuning.window_days)
        self.comparison = ReportComparison(self.model, pair_tuning, self.stream)
        self.story_writer = StoryWriter(self.model, story_tuning, options, self.stream)
        self.constraints = Constraints()
        self.copy_finder = CopyFinder(all_tuning)
        self.boilerplate = BoilerplateLearner(all_tuning)
        self.outlet_names = OutletNames(self.story_writer.growing)

    def forget(self) -> None:
        """Drop what is in memory; it is read again from the rows."""
        self.copy_finder.forget()
        self.story_writer.forget()
        self.constraints.forget()
        self.stream.forget()
        self.comparison.forget()
        self.boilerplate.forget()
        self.outlet_names.forget()

    def forget_rows(self) -> None:
        """Drop what is read again in no time; window and sampled shingles stay."""
        self.story_writer.growing.forget()
        self.stream.forget_periods()
        self.comparison.forget()
        self.boilerplate.forget()
        self.outlet_names.forget()
