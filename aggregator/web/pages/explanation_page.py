"""The page that explains why an article is in its story."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aggregator.config.story_query import MAX_TEXT_CHARS
from aggregator.grouping.corrections.decision_words import (
    decision_words,
    log_words,
    not_counted,
)
from aggregator.grouping.corrections.explanation import Explanation
from aggregator.model.story import StoryView
from aggregator.publish.excerpts.single_articles import bounded_explanation
from aggregator.web.dependencies import Site
from aggregator.web.editor import EditorService
from aggregator.web.pages.pages import Pages, typed_text
from aggregator.web.pages.score_breakdown import ScoreBreakdown, breakdown

OTHERS_SHOWN = 20  # articles to compare with
MAX_URL_CHARS = 2_048


def routes(site: Site) -> list[Route]:
    """Return the route of explanations, if the site has an editor."""
    if site.editor is None:
        return []
    endpoint = partial(explain, site, Pages(site), site.editor)
    return [Route("/explain/{article}", endpoint)]


def explain(
    site: Site, pages: Pages, editor: EditorService, request: Request
) -> Response:
    """Answer why an article is in its story, compared with another article (`other`: an id or address)."""
    other = _article_id(typed_text(request, "other", MAX_URL_CHARS))
    article = request.path_params["article"].replace("\x00", "")[:MAX_TEXT_CHARS]
    whole = editor.explanation(article, other or None)
    if whole is None:
        detail = "This article, or the one to compare it with, does not exist."
        return pages.problem(request, 404, "Article not found", detail)
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
    copy = explanation.evidence.copy
    copied = next((other for other in others if copy and other.id == copy.other), None)
    verdict = decision_words(explanation.evidence)
    if copied is not None:
        named = ": ".join(filter(None, (copied.outlet, copied.title or copied.id)))
        verdict = verdict.replace(copied.id, named)
    return pages.page(
        request,
        "explain.html",
        here="/explain",
        explanation=explanation,
        language=language,
        verdict=verdict,
        not_counted=not_counted(explanation.evidence),
        breakdown=_of_story(explanation),
        runner_up=_of_runner_up(explanation),
        pair=_of_pair(explanation),
        log=[(line.at, log_words(line)) for line in explanation.log],
        others=others[:OTHERS_SHOWN],
        copied=copied,
    )


def _of_story(explanation: Explanation) -> ScoreBreakdown | None:
    parts = explanation.evidence
    if parts.score is None:
        return None
    return breakdown(
        parts.score,
        parts.need,
        parts.bias,
        parts.reasons,
        is_of_day=explanation.is_of_day,
    )


def _of_runner_up(explanation: Explanation) -> ScoreBreakdown | None:
    parts = explanation.evidence.runner_up
    if parts is None:
        return None
    bias = explanation.evidence.bias if parts.reasons else 0.0
    return breakdown(
        parts.score, parts.need, bias, parts.reasons, is_of_day=explanation.is_of_day
    )


def _of_pair(explanation: Explanation) -> ScoreBreakdown | None:
    pair = explanation.pair
    if pair is None:
        return None
    return breakdown(
        pair.score, None, pair.bias, pair.reasons, is_of_day=pair.is_of_day
    )


def _article_id(text: str) -> str:
    """Return the id in the address of an explanation page; any other text unchanged."""
    _before, separator, after = text.partition("/explain/")
    return after.partition("?")[0] if separator and "/" not in after else text
