"""The page of a search."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aggregator.config.story_query import StoryQuery
from aggregator.model.errors import UsageError
from aggregator.model.read_model import SearchResults
from aggregator.publish.excerpts.single_articles import bounded_results
from aggregator.web.dependencies import Site
from aggregator.web.pages.pages import Pages, typed_text

SEARCH_STORIES = 20
MORE_SEARCH_STORIES = 100  # when a reader asks for more than the best ones
_FILTERS = ("since", "until", "outlet", "language")


def routes(site: Site) -> list[Route]:
    """Return the route of the search."""
    return [Route("/search", partial(search, site, Pages(site)))]


def search(site: Site, pages: Pages, request: Request) -> Response:
    """Answer with stories whose articles match the query."""
    text = typed_text(request, "q")
    is_more = request.query_params.get("more") == "1"
    filters = {name: typed_text(request, name) for name in _FILTERS}
    limit = MORE_SEARCH_STORIES if is_more else SEARCH_STORIES
    results = SearchResults()
    try:
        bounds = StoryQuery.read(filters).story_filter(site.clock(), 1)
        if text:
            results = site.reader.search(text, limit, bounds)
    except UsageError as error:
        results = SearchResults(problem=str(error))
    stories = bounded_results(results, *site.limits(request)).stories
    ids = tuple(story.id for story in stories)
    return pages.page(
        request,
        "search.html",
        here="/search",
        text=text,
        filters=filters,
        results=results,
        reading=site.reader.first_reading() if text else None,
        has_more=results.more and not is_more,
        stories=stories,
        marks=pages.marks_of(request, ids),
        undated={
            story.id: story.undated_seen for story in site.reader.list_stories(ids)
        },
    )
