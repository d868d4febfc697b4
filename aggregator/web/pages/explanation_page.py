"""The page that explains why an article is in its story, by the parts of its score."""

from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from aggregator.config.story_query import MAX_TEXT_CHARS
from aggregator.grouping.corrections.decision_words import (
    decision_words,
    log_words,
    not_counted,
    reason_name,
    reason_value,
)
from aggregator.model.evidence import Reason
from aggregator.model.story import StoryView
from aggregator.publish.excerpts.single_articles import bounded_explanation
from aggregator.web.pages.pages import Pages, typed_text

OTHERS_SHOWN = 20  # articles to compare with
MAX_URL_CHARS = 2_048


def explain(site: Pages, request: Request) -> Response:
    """Answer why an article is in its story, compared with another article (`other`: an id or address)."""
    text = typed_text(request, "other", MAX_URL_CHARS)
    _before, separator, after = text.partition("/explain/")
    other = after.partition("?")[0] if separator and "/" not in after else text
    article = request.path_params["article"].replace("\x00", "")[:MAX_TEXT_CHARS]
    whole = site.editing.explanation(article, other or None)
    if whole is None:
        detail = "This article, or the one to compare it with, does not exist."
        return site.problem(request, 404, "Article not found", detail)
    others = []
    language = None
    story = site.story(whole.story)
    if isinstance(story, StoryView):
        for shown in site.bounded(request, story).articles:
            if shown.id == whole.article:
                language = shown.language
            else:
                others.append(shown)
    explanation = bounded_explanation(whole, *site.limits(request))
    evidence, pair = explanation.evidence, explanation.pair
    runner_up, is_of_day = evidence.runner_up, explanation.is_of_day
    of_story = of_runner_up = of_pair = None
    if evidence.score is not None:
        of_story = breakdown(
            evidence.score,
            evidence.need,
            evidence.bias,
            evidence.reasons,
            is_of_day=is_of_day,
        )
    if runner_up is not None:
        bias = evidence.bias if runner_up.reasons else 0.0
        of_runner_up = breakdown(
            runner_up.score,
            runner_up.need,
            bias,
            runner_up.reasons,
            is_of_day=is_of_day,
        )
    if pair is not None:
        of_pair = breakdown(
            pair.score, None, pair.bias, pair.reasons, is_of_day=pair.is_of_day
        )
    copy = evidence.copy
    copied = next((other for other in others if copy and other.id == copy.other), None)
    verdict = decision_words(evidence)
    if copied is not None:
        named = ": ".join(filter(None, (copied.outlet, copied.title or copied.id)))
        verdict = verdict.replace(copied.id, named)
    return site.page(
        request,
        "explain.html",
        here="/explain",
        explanation=explanation,
        language=language,
        verdict=verdict,
        not_counted=not_counted(evidence),
        breakdown=of_story,
        runner_up=of_runner_up,
        pair=of_pair,
        log=[(line.at, log_words(line)) for line in explanation.log],
        others=others[:OTHERS_SHOWN],
        copied=copied,
    )


# The classes .w0 to .w20; the Content-Security-Policy forbids style attributes
BAR_STEPS = 20


class ScorePart(msgspec.Struct, frozen=True):
    """One part of a score: `share` in logits, `bar` from 0 to BAR_STEPS, `value` formatted for people."""

    label: str
    value: str
    share: float
    bar: int


class ScoreBreakdown(msgspec.Struct, frozen=True):
    """A score and its parts, the largest first; `need` is the threshold, None if there was none."""

    score: float
    need: float | None
    shares: tuple[ScorePart, ...]


def breakdown(
    score: float,
    need: float | None,
    bias: float,
    reasons: Sequence[Reason],
    *,
    is_of_day: bool,
) -> ScoreBreakdown:
    """Return a score and its parts; none if they are not stored. `is_of_day`: see `reason_value`."""
    longest = max([abs(bias), 1.0, *(abs(reason.share) for reason in reasons)])

    def bar(share: float) -> int:
        return min(BAR_STEPS, round(abs(share) / longest * BAR_STEPS))

    shares = []
    if bias:
        shares.append(ScorePart("start value of two articles", "", bias, bar(bias)))
    for reason in sorted(reasons, key=lambda r: (-abs(r.share), r.name)):
        value = reason_value(reason, is_of_day=is_of_day)
        share = reason.share
        shares.append(ScorePart(reason_name(reason), value, share, bar(share)))
    return ScoreBreakdown(score, need, tuple(shares))
