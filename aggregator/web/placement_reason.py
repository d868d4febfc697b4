"""Evidence in one sentence: why an article is where it is."""

from aggregator.model.core import ArticleView, CopyEvidence, Evidence, Stage

SHOWN_REASONS = 3  # the strongest likenesses; `aggregator explain` has all of them


def reason_in_words(article: ArticleView) -> str | None:
    """Why `article` is in its story, for a person; None where no evidence is stored."""
    evidence = article.evidence
    if evidence is None:
        return None
    if evidence.copy is not None:
        return _copy_in_words(evidence.copy)
    return _STAGES[evidence.stage] + _score_in_words(evidence) + _likenesses(evidence)


_STAGES: dict[Stage, str] = {
    "founded": "founded this story: no live story was alike enough",
    "copy": "the same text as another article of this story",
    "event": "reports the same event",
    "second look": "moved here when more was known: it reports the same event",
    "correction": "put here by a person",
    "revision": "a later version of an article of this story",
}


_SCORED: frozenset[Stage] = frozenset({"event", "second look"})


def _copy_in_words(copy: CopyEvidence) -> str:
    if copy.kind == "excerpt":
        return f"an excerpt: {copy.containment:.0%} of it stands in {copy.other}"
    return f"the same text as {copy.other}: {copy.resemblance:.0%} of all three-word runs are shared"


def _score_in_words(evidence: Evidence) -> str:
    if evidence.stage not in _SCORED or evidence.score is None:
        return ""
    need = f" against {evidence.need:.2f} needed" if evidence.need is not None else ""
    return f", score {evidence.score:.2f}{need}"


def _likenesses(evidence: Evidence) -> str:
    """The names of what spoke most for it."""
    speaking = [reason for reason in evidence.reasons if reason.share > 0]
    strongest = sorted(speaking, key=lambda reason: (-reason.share, reason.name))[:SHOWN_REASONS]
    if evidence.stage not in _SCORED or not strongest:
        return ""
    return "; most alike in " + ", ".join(
        reason.name.removeprefix("across:").replace("_", " ") for reason in strongest
    )
