"""The reasons of a decision about an article."""

from typing import Literal, NamedTuple

from aggregator.model.structs import FrozenStruct

# The name of the reason that stands for the shift by the stream (grouping/pairs/pair_model.py)
STREAM = "stream"
# The name of the reason that stands for the hours between two reports (grouping/pairs/hours.py)
HOURS = "hours"


class Reason(FrozenStruct):
    """One share of a score, in logits. `value` is the measured feature: a similarity, a number of days."""

    name: str
    value: float
    share: float
    # Words of names that only one of the two compared articles has
    differing: tuple[str, ...] = ()


class CopyEvidence(FrozenStruct):
    """The evidence that a text is a copy or an excerpt of another: shares of word 3-shingles."""

    other: str  # article id
    resemblance: float
    containment: float
    # MinHash estimate of the resemblance
    estimate: float
    kind: Literal["copy", "excerpt"] = "copy"


class TextReuse(FrozenStruct):
    """A text of another outlet that shares many words. Both texts have one origin, but neither is a copy."""

    other: str  # article id
    # Share of the shorter text's runs of six words, outside quotations
    share: float


class Agreement(FrozenStruct):
    """How much an article shares with the reports of other outlets in its story."""

    # The similarity, from 0 to 1, of its own words to the reports; words of its title and words that it copied do not
    # count (`shared_beside_title` in grouping/pairs/pair_article.py)
    shared: float
    # An article with a lower similarity does not count as a report
    need: float
    # The report from which the article copied most words; None: it copied none
    copied: str | None = None

    @property
    def is_enough(self) -> bool:
        return self.shared >= self.need


class RunnerUp(FrozenStruct):
    """A story that was scored but not chosen; `need` is the score that it required."""

    story: str
    score: float
    need: float
    # Their shares and the bias of the evidence add up to the score
    reasons: tuple[Reason, ...] = ()


Stage = Literal[
    "founded",
    "copy",
    "version",
    "event",
    "second look",
    "series",
    "correction",
    "revision",
]
# Stages that join an article by its score
SCORED_STAGES: frozenset[Stage] = frozenset({"event", "second look"})


class Evidence(FrozenStruct):
    """The reasons of a decision. `score` is None if none was needed, as for a copy or without a similar story."""

    stage: Stage
    score: float | None = None
    need: float | None = None
    bias: float = 0.0
    reasons: tuple[Reason, ...] = ()
    # The ids of the terms with the largest shares; `explain` turns them into words
    shared: tuple[int, ...] = ()
    copy: CopyEvidence | None = None
    # Stored articles whose text is part of the placed article
    excerpts: tuple[CopyEvidence, ...] = ()
    reuse: TextReuse | None = None
    # None if it was not computed; a copy has the agreement of its original
    agreement: Agreement | None = None
    runner_up: RunnerUp | None = None
    rules_version: str = ""

    @property
    def counts_as_report(self) -> bool:
        """Whether the text agrees enough with its story to be counted as a report there."""
        return self.agreement is None or self.agreement.is_enough

    @property
    def copied(self) -> str | None:
        """The article that this one copies, or whose words it repeats without enough words of its own."""
        if self.copy is not None:
            return self.copy.other
        if self.agreement is None or self.agreement.is_enough:
            return None
        return self.agreement.copied


class ChangedSentence(NamedTuple):
    """A sentence that two texts tell differently, in the words of each text."""

    own: str
    other: str
