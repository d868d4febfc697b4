"""The reasons of a decision about an article."""

from typing import Literal, NamedTuple

from aggregator.model.structs import FrozenStruct

# The reason of the shift by the stream (grouping/pairs/pair_model.py)
STREAM = "stream"


class Reason(FrozenStruct):
    """One share of a score, in logits; `value` is the feature: a similarity, a number of days."""

    name: str
    value: float
    share: float
    # Words of names that one of two compared articles has and the other lacks
    differing: tuple[str, ...] = ()


class CopyEvidence(FrozenStruct):
    """The evidence that two texts are copies: shares of word 3-shingles."""

    other: str  # article id
    resemblance: float
    containment: float
    # MinHash estimate of the resemblance
    estimate: float
    kind: Literal["copy", "excerpt"] = "copy"


class TextReuse(FrozenStruct):
    """A text of another outlet that has many of the same words; both have one origin, but neither is a copy."""

    other: str  # article id
    # Share of the shorter text's runs of six words, outside quotations
    share: float


class Agreement(FrozenStruct):
    """How much an article shares with the reports of other outlets in its story."""

    # Inverse document frequencies of shared words that are not in its title, see pair_model.py
    shared: float
    # An article that shares less does not count as a report
    need: float
    # The report whose sentences the article repeats; `shared` then counts the other reports
    copied: str | None = None

    @property
    def is_enough(self) -> bool:
        return self.shared >= self.need


class RunnerUp(FrozenStruct):
    """A story that was scored but not chosen; `need` is the score that it required."""

    story: str
    score: float
    need: float
    # Their sum and the bias of the evidence make the score
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
    """The reasons of a decision. `score` is None if no score was needed: a copy, or no similar story."""

    stage: Stage
    score: float | None = None
    need: float | None = None
    bias: float = 0.0
    reasons: tuple[Reason, ...] = ()
    # Ids of the terms with the largest shares; explaining resolves them
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
        """Whether the text agrees enough with its story to be counted as a report of its own there."""
        return self.agreement is None or self.agreement.is_enough

    @property
    def copied(self) -> str | None:
        """The article that it copies, or whose sentences it repeats without enough of its own."""
        if self.copy is not None:
            return self.copy.other
        if self.agreement is None or self.agreement.is_enough:
            return None
        return self.agreement.copied


class ChangedSentence(NamedTuple):
    """A sentence that two texts tell differently, word for word in each."""

    own: str
    other: str
