"""The reasons of a decision about an article."""

from typing import Literal

from aggregator.model.structs import FrozenStruct


class Reason(FrozenStruct):
    """One share of a score, in logits; `value` is the feature: a similarity, a number of days."""

    name: str
    value: float
    share: float
    # Words of names that one of two compared articles has and the other lacks
    differing: tuple[str, ...] = ()


class CopyEvidence(FrozenStruct):
    """Why two texts are copies: shares of word 3-shingles."""

    other: str  # article id
    resemblance: float
    containment: float
    estimate: float  # of the resemblance, by MinHash
    kind: Literal["copy", "excerpt"] = "copy"


class TextReuse(FrozenStruct):
    """A text of another outlet that has many of the same words; both are one origin, and no copies."""

    other: str  # article id
    share: float  # of the runs of six words outside quotations, of the shorter text


class Agreement(FrozenStruct):
    """How much an article shares with the reports of others in its story."""

    # Inverse document frequencies of shared words that are not in its title, see pair_model.py
    shared: float
    need: float  # with less it does not count as a report
    # The report of which it repeats sentences; `shared` is then of the others
    copied: str | None = None

    @property
    def is_enough(self) -> bool:
        return self.shared >= self.need


class RunnerUp(FrozenStruct):
    """A story that was scored but not chosen; `need` is the score that it required."""

    story: str
    score: float
    need: float
    # With the bias of the evidence they sum up to the score
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
# An article joined by its score
SCORED_STAGES: frozenset[Stage] = frozenset({"event", "second look"})


class Evidence(FrozenStruct):
    """The reasons of a decision. `score` is None where none was needed: a copy, or no similar story."""

    stage: Stage
    score: float | None = None
    need: float | None = None
    bias: float = 0.0
    reasons: tuple[Reason, ...] = ()
    # Ids of the terms with the largest shares; explaining resolves them
    shared: tuple[int, ...] = ()
    copy: CopyEvidence | None = None
    # Stored articles whose text is part of this one
    excerpts: tuple[CopyEvidence, ...] = ()
    reuse: TextReuse | None = None
    # None where it is not asked for; of a copy that of its original
    agreement: Agreement | None = None
    runner_up: RunnerUp | None = None
    rules_version: str = ""

    @property
    def counts_as_report(self) -> bool:
        """Whether the text agrees enough with its story to be counted as a report of its own there."""
        return self.agreement is None or self.agreement.is_enough

    @property
    def copied(self) -> str | None:
        """The article that it copies, or of which it repeats sentences beside what nobody else tells."""
        if self.copy is not None:
            return self.copy.other
        if self.agreement is None or self.agreement.is_enough:
            return None
        return self.agreement.copied
