"""The routes that list sources and their folders."""

from fastapi import Request, Response

from aggregator.publish import story_json
from aggregator.publish.excerpts.sources import bounded_sources
from aggregator.web.api.openapi import api_router, described
from aggregator.web.dependencies import OfSite, hashed_json
from aggregator.web.parameters import Parameter, up_to

SOURCES_AN_ANSWER = 100
MAX_SOURCES = 500  # in one response
_SOURCES_PARAMETERS: dict[str, Parameter] = {
    "limit": Parameter(
        up_to(MAX_SOURCES), "the maximum number of sources in one response"
    ),
    "after": Parameter(
        {"type": "string", "pattern": "^([0-9a-f]{2}){0,400}$"},
        "the `next` of the previous page, unchanged",
    ),
}
router = api_router("/api/v1")


@router.get(
    "/sources",
    **described("sources", story_json.SourcesJson, 400, query=_SOURCES_PARAMETERS),
)
def list_sources(request: Request, site: OfSite) -> Response:
    """The sources and their health, by folder and name.

    One page of a list; `next` is the cursor of the following page. `url` and `problem` are for the owner.
    """
    limit = int(request.query_params.get("limit", SOURCES_AN_ANSWER))
    after = request.query_params.get("after", "")
    page = bounded_sources(site.reader, site.access(request), limit, after=after)
    return hashed_json(request, story_json.sources_page(page))


@router.get("/folders", **described("sources", story_json.FoldersJson))
def list_folders(request: Request, site: OfSite) -> Response:
    """The folders of sources, sorted; each is a value of the parameter `folder`."""
    folders = story_json.FoldersJson(folders=site.reader.folders())
    return hashed_json(request, folders)
