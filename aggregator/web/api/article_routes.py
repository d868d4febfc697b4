"""The routes of articles: one article, search and explanations."""

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field, WithJsonSchema

from aggregator.config.story_query import QueryModel, SearchQuery
from aggregator.grouping.corrections.explained import Explanation
from aggregator.model.read_model import SearchResults
from aggregator.publish import story_json
from aggregator.publish.excerpts.single_articles import (
    limit_article,
    limit_explanation,
    limit_results,
)
from aggregator.web.api.openapi import IdInPath, api_router, describe_route
from aggregator.web.dependencies import OfSite, conditional, hashed_json
from aggregator.web.responses import JsonResponse, problem

FOUND_AN_ANSWER = 30
# The most articles and stories in one response of the search
MAX_FOUND = 100
# The longest address of an article that a parameter may hold
MAX_ADDRESS_CHARS = 2048
# Addresses of articles may have more letters than the pattern in the description of the API.
_IdOrAddress = Annotated[
    str,
    Field(pattern=r"^[^\s\x00-\x1f\x7f]*$", max_length=MAX_ADDRESS_CHARS),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[0-9A-Za-z:/?#@!$&'()*+,;=._~%-]+$",
            "maxLength": MAX_ADDRESS_CHARS,
        }
    ),
]


class LimitedSearch(SearchQuery):
    """The parameters of a search."""

    limit: int = Field(
        FOUND_AN_ANSWER,
        ge=1,
        le=MAX_FOUND,
        description="the maximum number of articles, and of stories, in one response",
    )


class ExplainQuery(QueryModel):
    """The parameters of an explanation."""

    article: _IdOrAddress = Field(description="the id or the address of an article")
    other: _IdOrAddress = Field(
        default_factory=str,
        description="the id or the address of another article to compare with",
    )


router = api_router("/api/v1")
editing = api_router("/api/v1")


@router.get(
    "/articles/{id}",
    name="one_article",
    **describe_route("articles", story_json.OneArticleJson, 400, 404, 410),
)
def read_article(request: Request, site: OfSite, id: IdInPath) -> Response:
    """One article, its story, and why it belongs to the story.

    `text` is for the owner; `copies` are articles of the same story with the same text.
    """
    tag = site.tag(request, "")
    detail = site.article(id)
    if detail is None:
        raise site.missing(id, "there is no article with this id")
    bounded = limit_article(detail, *site.limits(request))
    return conditional(
        request, tag, lambda: JsonResponse(story_json.one_article(bounded))
    )


@router.get("/search", **describe_route("articles", SearchResults, 400))
def search(
    request: Request, site: OfSite, asked: Annotated[LimitedSearch, Query()]
) -> Response:
    """Articles that match the query, and their stories, the best match first.

    `problem` states why the query cannot be searched for; `marks` are ranges of code points.
    """
    results = site.reader.search(
        asked.query, asked.limit, asked.story_filter(site.clock(), asked.limit)
    )
    bounded = limit_results(results, *site.limits(request))
    return hashed_json(request, story_json.remove_invisible(bounded))


@editing.get(
    "/explain",
    **describe_route("articles", Explanation, 400, 404),
)
def explain(
    request: Request, site: OfSite, asked: Annotated[ExplainQuery, Query()]
) -> Response:
    """Why an article is in its story, or why two articles are or are not in one story.

    Shares are logits; the score is their sum plus `bias`.
    """
    tag = site.tag(request, f"{asked.article} {asked.other}")

    def render() -> Response:
        explanation = site.editor.explanation(asked.article, asked.other or None)
        if explanation is None:
            return problem(
                404, "there is no such article, or the other article does not exist"
            )
        return JsonResponse(limit_explanation(explanation, *site.limits(request)))

    return conditional(request, tag, render)
