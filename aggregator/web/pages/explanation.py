"""An explanation as rows of a page: every share of a score with its words, its value and its bar."""

from collections.abc import Sequence

import msgspec

from aggregator.model.core import CopyEvidence, Evidence, Reason
from aggregator.pipeline.placement.explain import Explanation, Pair, reason_name, reason_value

BAR_STEPS = 20  # lengths that the style sheet knows (.w0 to .w20): a style attribute would break the policy


class Share(msgspec.Struct, frozen=True):
    """One line of the sum: `share` in logits, `bar` from 0 to BAR_STEPS, `value` as people say it."""

    words: str
    value: str
    share: float
    bar: int

    @property
    def speaks_for(self) -> bool:
        """Whether it speaks for one event."""
        return self.share >= 0


class Weighing(msgspec.Struct, frozen=True):
    """A score with its parts, the heaviest first; `need` is what was asked for, None where nothing was."""

    score: float
    need: float | None
    shares: tuple[Share, ...]


def weighing(evidence: Evidence) -> Weighing | None:
    """The score that decided; None where none was needed."""
    if evidence.score is None:
        return None
    return _weighing(evidence.score, evidence.need, evidence.bias, evidence.reasons)


def rival(evidence: Evidence) -> Weighing | None:
    """The score of the story that was weighed next; its parts only where they were kept."""
    other = evidence.runner_up
    if other is None:
        return None
    return _weighing(other.score, other.need, evidence.bias if other.reasons else 0.0, other.reasons)


def pair(two: Pair) -> Weighing:
    """The score of two articles with each other."""
    return _weighing(two.score, None, two.bias, two.reasons)


def _weighing(score: float, need: float | None, bias: float, reasons: Sequence[Reason]) -> Weighing:
    longest = max([abs(bias), 1.0, *(abs(reason.share) for reason in reasons)])

    def bar(share: float) -> int:
        return min(BAR_STEPS, round(abs(share) / longest * BAR_STEPS))

    parts = [
        Share(reason_name(reason.name), reason_value(reason), reason.share, bar(reason.share))
        for reason in sorted(reasons, key=lambda reason: (-abs(reason.share), reason.name))
    ]
    start = [Share("two articles are strangers at first", "", bias, bar(bias))] if bias else []
    return Weighing(score, need, (*start, *parts))


def verdict(told: Explanation) -> str:
    """Why the article is where it is, in one sentence."""
    evidence = told.evidence
    if evidence.copy is not None and evidence.stage == "copy":
        return "It is the same text as another article of this story."
    if evidence.stage == "founded":
        return "It opened this story: no story that was still open was near enough."
    if evidence.stage == "correction":
        return "A person put it here."
    if evidence.stage == "second look":
        return "It was moved here when more was known, because it fits this story better."
    if evidence.stage == "revision":
        return "It is a later version of an article of this story."
    return "It reports the same event as the others, by the words that they share."


def objection(name: str) -> str:
    """A veto in words."""
    return reason_name(name).removeprefix("veto: ").replace("_", " ")


def copied(copy: CopyEvidence) -> str:
    """How much of two texts is the same."""
    return (
        f"{copy.resemblance:.0%} of all word triples are in both texts, "
        f"{copy.containment:.0%} of the shorter one in the longer."
    )
