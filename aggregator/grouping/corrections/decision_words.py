"""Decisions, scores and lines of the story log in words, for pages and the command line."""

import json
from typing import Any

from aggregator.config.messages import pluralise
from aggregator.model.evidence import HOURS, STREAM, Evidence, Reason
from aggregator.store.read.article_detail import LogLine

# The format of the score of a decision or of the runner-up
SCORE = "score {0.score:+.2f}, threshold {0.need:+.2f}"
# How much of two texts is shared, in the words of `CopyEvidence`
COPY_SHARES = (
    "the texts share {0.resemblance:.0%} of all word triples, and {0.containment:.0%} of those of the "
    "shorter one (compared with {0.other})"
)
_NAMES = {
    "texts": "words of the whole text",
    "titles": "words of the title",
    "leads": "words of the lead",
    "days": "time between the reports",
    HOURS: "nearness in hours and titles",
    "lengths": "lengths of title and text",
    "neighbours": "nearness of other articles",
    "unlike": "reports that are most unlike",
    "title frame": "difference of like titles",
    "contrast": "names and counts that differ",
}
# Names of the shift by the stream, which makes the same texts need more or less in another stream
_FEW = "few of the last articles share a story with others"
_MANY = "many of the last articles share a story with others"
_EVENTS = {
    "created": "the story was founded",
    "joined": "the article joined",
    "merged": "stories were merged",
    "moved": "the article changed its story",
    "regrouped": "the articles were regrouped",
    "headline": "the headline changed",
    "revised": "the text of the article was revised",
    "corrected": "corrected by a person",
    "full": "the story reached its limit; it accepts only copies, unless sources without standing filled it",
    "forgotten": "an article was erased",
}
# Words for an event that has a detail with the name of the key
_EVENTS_WITH = {
    "into": "merged into {into}",
    "other": "story {other} was merged into it",
    "to": "moved to {to}",
    "from": "came from {from}",
    "went": "regrouped: {articles} added, {went:,} removed",
    "words": "{words}",
}
_WHY = {
    "correction": "correction",
    "undone": "undo of a correction",
    "recluster": "all decisions were repeated",
    "second look": "second look",
    "series": "entries of one form",
    "empty": "it had no articles left",
}


def decision_words(evidence: Evidence) -> str:
    """Return how the article got into its story, in one sentence."""
    if evidence.stage == "copy" and evidence.copy is not None:
        return f"It is a copy: {COPY_SHARES.format(evidence.copy)}."
    if evidence.stage == "version":
        return "It joined this story: it is another state of a text of its outlet."
    if evidence.score is not None:
        how = (
            "was moved here by the second look"
            if evidence.stage == "second look"
            else "joined this story"
        )
        return f"It {how}: {SCORE.format(evidence)}."
    if evidence.stage == "founded":
        return "It founded this story: no live story was similar enough."
    if evidence.stage == "series":
        return "It has its own story: three entries of its source fill one form with different names."
    return f"It was placed here by {evidence.stage}."


def not_counted(evidence: Evidence) -> str | None:
    """Return why the text of an article keeps it from being counted as a report; None if it does not."""
    if evidence.agreement is None or evidence.counts_as_report:
        return None
    which = "the text that it copies" if evidence.stage == "copy" else "its text"
    return (
        f"not counted as a report: {which} shares too little with the reports of the story beside the title "
        f"({evidence.agreement.shared:.1%}, required {evidence.agreement.need:.1%})"
    )


def log_words(line: LogLine) -> str:
    """Return a line of the story log with ids and the reason, but without titles, so that it may be public."""
    detail: dict[str, Any] = json.loads(line.detail or "{}")
    words = _EVENTS.get(line.kind, line.kind)
    for name, template in _EVENTS_WITH.items():
        if name in detail:
            words = template.format(
                articles=pluralise(detail.get("came", 0), "article"), **detail
            )
    why = _WHY.get(detail.get("reason", ""))
    if why is None:
        return words
    if detail.get("score") is not None:
        why = f"{why}, score {detail['score']:+.2f}"
    return f"{words} ({why})"


def reason_name(reason: Reason) -> str:
    """Return the name of a reason of a score."""
    if reason.name == STREAM:
        return _FEW if reason.share < 0 else _MANY
    if reason.differing:
        *others, last = reason.differing
        return f"{', '.join(others)} and {last} differ"
    return _NAMES.get(reason.name, reason.name)


def reason_value(reason: Reason, *, is_of_day: bool = False) -> str:
    """Return a similarity, or a time in a suitable unit: days if an article is dated to the day."""
    if reason.name == HOURS:
        return f"{reason.value:.1f} h"
    if reason.name != "days":
        return f"{reason.value:.2f}"
    # A negative time stands for an article without a date
    if reason.value < 0:
        return "unknown"
    if is_of_day:
        return pluralise(round(reason.value), "day")
    hours = reason.value * 24
    if hours < 1:
        return f"{hours * 60:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{reason.value:.1f} d"
