"""The parts that decide about articles and write them, and what they remember: one set for one writer.

What they remember is read from the rows. To forget it, as after a transaction that failed, a new set is made.
"""

from typing import Self

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_lookup import CopyFinder
from aggregator.grouping.live_window import LiveWindow
from aggregator.grouping.outlets.boilerplate import BoilerplateLearner
from aggregator.grouping.outlets.outlet_names import OutletNames
from aggregator.grouping.pairs.pair_model import PairTuning
from aggregator.grouping.pairs.weights import shipped_model
from aggregator.grouping.scores.agreement import AgreementCheck
from aggregator.grouping.scores.report_comparison import ReportComparison
from aggregator.grouping.story_options import PlacingTuning, StoryOptions
from aggregator.grouping.stream import NewsStream
from aggregator.grouping.write.story_writer import StoryWriter
from aggregator.store.stories.corrections import Constraints
from aggregator.stories.tuning import StoryTuning


class GroupingParts:
    """What deciders share. For one thread of the writer."""

    def __init__(
        self, all_tuning: Tuning, options: StoryOptions, kept: Self | None = None
    ) -> None:
        """`kept`: parts of which the window and the sampled shingles stay, which take seconds to read."""
        pair_tuning = all_tuning.section("pairs", PairTuning)
        story_tuning = all_tuning.section("stories", StoryTuning)
        self.options = options
        self.placing = all_tuning.section("placing", PlacingTuning)
        # Words from which on a text is that of a page, and not of a feed.
        self.page_words: int = all_tuning.values("polling")["full_text_words"]
        self.rules_version = all_tuning.version
        self.model = shipped_model(all_tuning)
        self.stream: NewsStream = (
            kept.stream
            if kept
            else NewsStream(pair_tuning, self.model.tuning.window_days)
        )
        self.comparison = ReportComparison(self.model, pair_tuning, self.stream)
        self.agreement = AgreementCheck(self.model, self.comparison, self.stream)
        self.window: LiveWindow = (
            kept.window if kept else LiveWindow(self.model, self.stream)
        )
        self.story_writer = StoryWriter(
            self.model, story_tuning, options, self.stream, self.window
        )
        self.constraints = Constraints()
        self.copy_finder: CopyFinder = (
            kept.copy_finder if kept else CopyFinder(all_tuning)
        )
        self.boilerplate = BoilerplateLearner(all_tuning)
        self.outlet_names = OutletNames(self.story_writer.growing)
