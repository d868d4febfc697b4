"""The page that explains why an article is in its story, by the parts of its score."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from aggregator.config.story_query import MAX_TEXT_CHARS
from aggregator.grouping.corrections import decision_words as words
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
    evidence = explanation.evidence
    copy = evidence.copy
    copied = next((other for other in others if copy and other.id == copy.other), None)
    verdict = words.decision_words(evidence)
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
        strongest_first=strongest_first,
        words=words,
        others=others[:OTHERS_SHOWN],
        copied=copied,
    )


def strongest_first(reasons: Sequence[Reason]) -> list[Reason]:
    """Return the shares of a score, the largest first."""
    return sorted(reasons, key=lambda reason: (-abs(reason.share), reason.name))
