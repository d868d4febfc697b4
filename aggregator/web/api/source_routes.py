"""The routes that list sources and their folders."""

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field

from aggregator.config.story_query import QueryModel
from aggregator.model.read_model import SourcePage
from aggregator.publish import story_json
from aggregator.publish.excerpts.source_excerpts import bounded_sources
from aggregator.web.api.openapi import api_router, describe_route
from aggregator.web.dependencies import OfSite, hashed_json

SOURCES_AN_ANSWER = 100
# The most sources in one response
MAX_SOURCES = 500
router = api_router("/api/v1")


class SourcesQuery(QueryModel):
    """The parameters of a list of sources."""

    limit: int = Field(
        SOURCES_AN_ANSWER,
        ge=1,
        le=MAX_SOURCES,
        description="the maximum number of sources in one response",
    )
    after: str = Field(
        "",
        json_schema_extra={"pattern": "^([0-9a-f]{2}){0,400}$"},
        description="the `next` of the previous page, unchanged",
    )


@router.get(
    "/sources",
    **describe_route("sources", SourcePage, 400),
)
def list_sources(
    request: Request, site: OfSite, asked: Annotated[SourcesQuery, Query()]
) -> Response:
    """The sources and their health, by folder and name.

    One page of a list; `next` is the cursor of the following page. `url` and `problem` are for the owner.
    """
    access = site.access(request)
    page = bounded_sources(site.reader, access, asked.limit, after=asked.after)
    return hashed_json(request, page)


@router.get("/folders", **describe_route("sources", story_json.FoldersJson))
def list_folders(request: Request, site: OfSite) -> Response:
    """The folders of sources, sorted; each is a value of the parameter `folder`."""
    return hashed_json(request, story_json.FoldersJson(folders=site.reader.folders()))
