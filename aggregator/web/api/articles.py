"""The routes of articles: one article, search and explanations."""

import re

from fastapi import Request, Response

from aggregator.grouping.corrections.explain import Explanation
from aggregator.model.errors import UsageError
from aggregator.model.read_model import SearchResults
from aggregator.publish import story_json
from aggregator.publish.excerpts.single_articles import (
    bounded_article,
    bounded_explanation,
    bounded_results,
)
from aggregator.web.api.openapi import IdInPath, api_router, described
from aggregator.web.dependencies import OfSite, conditional, hashed_json
from aggregator.web.filters import search_bounds
from aggregator.web.parameters import PARAMETERS, Parameter, up_to
from aggregator.web.responses import JsonResponse, problem

FOUND_AN_ANSWER = 30
MAX_FOUND = 100  # articles and stories in one response of the search
MAX_ADDRESS_CHARS = 2048  # of the address of an article as a parameter
_SEARCH_PARAMETERS: dict[str, Parameter] = {
    "query": PARAMETERS["query"]._replace(is_required=True),
    **{name: PARAMETERS[name] for name in ("since", "until", "outlet", "language")},
    "limit": Parameter(
        up_to(MAX_FOUND),
        "the maximum number of articles, and of stories, in one response",
    ),
}
_ID_OR_ADDRESS = re.compile(rf"[^\s\x00-\x1f\x7f]{{1,{MAX_ADDRESS_CHARS}}}")
_ADDRESS_SCHEMA = {
    "type": "string",
    "pattern": "^[0-9A-Za-z:/?#@!$&'()*+,;=._~%-]+$",
    "maxLength": MAX_ADDRESS_CHARS,
}
_EXPLAIN_PARAMETERS = {
    "article": Parameter(
        _ADDRESS_SCHEMA, "the id or the address of an article", is_required=True
    ),
    "other": Parameter(
        _ADDRESS_SCHEMA, "the id or the address of another article to compare with"
    ),
}
router = api_router("/api/v1")
editing = api_router("/api/v1")  # only with an editor service


@router.get(
    "/articles/{id}",
    name="one_article",
    **described("articles", story_json.OneArticleJson, 400, 404, 410),
)
def read_article(request: Request, site: OfSite, id: IdInPath) -> Response:
    """One article, its story, and why it belongs to the story.

    `text` is for the owner; `copies` are articles of the same story with the same text.
    """
    tag = site.tag(request, "")
    detail = site.article(id)
    if detail is None:
        raise site.missing(id, "there is no article with this id")
    bounded = bounded_article(detail, *site.limits(request))
    return conditional(
        request, tag, lambda: JsonResponse(story_json.one_article(bounded))
    )


@router.get(
    "/search", **described("articles", SearchResults, 400, query=_SEARCH_PARAMETERS)
)
def search(request: Request, site: OfSite) -> Response:
    """Articles that match the query, and their stories, the best match first.

    `problem` states why the query cannot be searched for; `marks` are ranges of code points.
    """
    story_filter = site.filter(request, FOUND_AN_ANSWER)[0].filter
    results = site.reader.search(
        story_filter.query, story_filter.limit, search_bounds(story_filter)
    )
    bounded = bounded_results(results, *site.limits(request))
    return hashed_json(request, story_json.search_results(bounded))


@editing.get(
    "/explain",
    **described("articles", Explanation, 400, 404, query=_EXPLAIN_PARAMETERS),
)
def explain(request: Request, site: OfSite) -> Response:
    """Why an article is in its story, or why two articles are or are not in one story.

    Shares are logits; the score is their sum plus `bias`.
    """
    article = request.query_params["article"].strip()
    other = request.query_params.get("other", "").strip()
    for name, value in (("article", article), ("other", other)):
        if value and not _ID_OR_ADDRESS.fullmatch(value):
            raise UsageError(
                f"{name}: an id or an address has no spaces and at most {MAX_ADDRESS_CHARS} characters"
            )
    tag = site.tag(request, f"{article} {other}")

    def render() -> Response:
        assert site.editor is not None
        explanation = site.editor.explanation(article, other or None)
        if explanation is None:
            return problem(
                404, "there is no such article, or the other article does not exist"
            )
        return JsonResponse(bounded_explanation(explanation, *site.limits(request)))

    return conditional(request, tag, render)
