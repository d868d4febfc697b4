"""The routes of stories, their changes, topics and saved queries, and of the description of the API."""

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field
from starlette.responses import RedirectResponse

from aggregator.config.story_query import QueryModel
from aggregator.model.read_model import ChangedStories, StoryPage, StoryRedirect
from aggregator.model.story import StorylineView
from aggregator.publish import story_json
from aggregator.publish.sanitise import encode_json
from aggregator.store.read.browser_mutes import BrowserMutes
from aggregator.web.api.openapi import (
    MOVED,
    IdInPath,
    answer,
    api_router,
    describe_route,
)
from aggregator.web.dependencies import OfSite, Site, conditional, hashed_json
from aggregator.web.list_query import STORIES_AN_ANSWER, ListQuery
from aggregator.web.responses import JSON, JsonResponse
from aggregator.web.security.visit import require_scope

CHANGES_AN_ANSWER = 500
STORYLINES_AN_ANSWER = 200
router = api_router("/api/v1")
muting = api_router("/api/v1")
_MUTED = {204: {"description": "It is done."}}


class ChangesQuery(QueryModel):
    """The parameters of a list of changes."""

    since: int = Field(
        default_factory=int,
        ge=0,
        le=10**9 - 1,
        description="the number of the last change that is known",
    )
    limit: int = Field(
        CHANGES_AN_ANSWER,
        ge=1,
        le=CHANGES_AN_ANSWER,
        description="the maximum number of changes in one response",
    )


class StorylinesQuery(QueryModel):
    """The parameters of a list of storylines."""

    limit: int = Field(
        STORIES_AN_ANSWER,
        ge=1,
        le=STORYLINES_AN_ANSWER,
        description="the maximum number of storylines in one response",
    )
    after: str = Field(
        "",
        json_schema_extra={"pattern": "^([0-9]{1,17}-[0-9]{1,18})?$"},
        description="the `next` of the previous page, unchanged",
    )


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> Response:
    """The description of the API."""
    return conditional(
        request,
        None,
        lambda: Response(encode_json(request.app.openapi()), media_type=JSON),
    )


@router.get("/stories", **describe_route("stories", story_json.PageJson, 400))
def list_stories(
    request: Request, site: OfSite, asked: Annotated[ListQuery, Query()]
) -> Response:
    """Stories, the newest bump first, or in the order of the front page.

    One page of a list; `next` is the cursor of the following page, in the same order.

    A page may have fewer stories than `limit` and still be followed by another. No story appears twice;
    stories that are new or bumped meanwhile are at the top when the list is read again.
    """
    selected = site.select(asked, STORIES_AN_ANSWER)
    mutes = site.mutes(request) if asked.order == "front" else ()
    selected = selected.without(mutes)
    tag = None
    if selected.query.changes_with_stories:
        tag = site.tag(request, f"{asked.query_string}\n{mutes}")

    def render() -> Response:
        query = selected.filter.query
        if query and not any(map(str.isalnum, query)):
            page = StoryPage()  # punctuation alone matches no article
        elif asked.order == "front":
            page = site.reader.ranked_page(selected.filter, site.settings.prefer)
        else:
            page = site.reader.stories(selected.filter)
        shown = (site.bounded(request, story) for story in page.stories)
        return JsonResponse(story_json.page_of(shown, selected.next_of(page.next)))

    return conditional(request, tag, render)


@router.get(
    "/stories/{id}",
    **describe_route(
        "stories", {200: answer(story_json.WholeStoryJson), 301: MOVED}, 400, 404, 410
    ),
)
def read_story(request: Request, site: OfSite, id: IdInPath) -> Response:
    """One story with its lead, what each other report says first, and quotations.

    The id of a merged story redirects to its successor.
    """
    # The tag is computed before the story is read, so that it is never newer than the response.
    tag = site.tag(request, "", id)
    story = site.story(id)
    if story is None:
        raise site.missing(id, "there is no story with this id")
    if isinstance(story, StoryRedirect):
        return RedirectResponse(f"/api/v1/stories/{story.to}", 301)

    def render() -> Response:
        return JsonResponse(
            story_json.whole_story(*site.bounded_with_text(request, story))
        )

    return conditional(request, tag, render)


@router.get("/storylines", **describe_route("stories", story_json.StorylinesJson, 400))
def list_storylines(
    request: Request, site: OfSite, asked: Annotated[StorylinesQuery, Query()]
) -> Response:
    """Storylines of several stories, the last bumped first.

    One page of a list; `next` is the cursor of the following page.
    """
    lines, following = site.reader.storylines(asked.limit, asked.after or None)
    shown = [
        story_json.fill_struct(
            story_json.StorylineJson, site.bounded_storyline(request, line)
        )
        for line in lines
    ]
    return hashed_json(
        request, story_json.StorylinesJson(storylines=tuple(shown), next=following)
    )


@router.get(
    "/storylines/{id}",
    **describe_route("stories", story_json.WholeStorylineJson, 400, 404, 410),
)
def read_storyline(request: Request, site: OfSite, id: IdInPath) -> Response:
    """Return the storyline of a story as it is now, with all of its stories, the newest first.

    `id` is that of the storyline or of any story. A story that stands alone is the only one.
    """
    line = _storyline(site, id)
    stories = site.reader.stories_by_id(tuple(one.id for one in line.stories))
    return hashed_json(
        request,
        story_json.whole_storyline(
            site.bounded_storyline(request, line),
            (site.bounded(request, story) for story in stories),
        ),
    )


@muting.put(
    "/storylines/{id}/mute",
    **describe_route("stories", _MUTED, 400, 404, needs_token=True),
)
def mute_storyline(request: Request, site: OfSite, id: IdInPath) -> Response:
    """Take the stories of a storyline out of the owner's pages, feeds and notifications.

    `id` is that of the storyline or of any of its stories; with the id of a guest, only this guest is muted. Stories
    that join singly are muted, too, but not another storyline that is united with it. The mute ends when the
    storyline is so old that no new article can join it.
    """
    require_scope(request, "admin")
    BrowserMutes(site.sources.database).add("storylines", _muted_by(site, id))
    return Response(status_code=204)


@muting.delete(
    "/storylines/{id}/mute",
    **describe_route("stories", _MUTED, 400, 404, needs_token=True),
)
def unmute_storyline(request: Request, site: OfSite, id: IdInPath) -> Response:
    """Show the stories of a muted storyline again."""
    require_scope(request, "admin")
    BrowserMutes(site.sources.database).remove("storylines", _muted_by(site, id))
    return Response(status_code=204)


def _muted_by(site: Site, id_: str) -> str:
    """Return the story whose mute an id stands for: a guest, or the head of the storyline."""
    line = _storyline(site, id_)
    return id_ if id_ in line.guests and id_ != line.id else line.head


def _storyline(site: Site, id_: str) -> StorylineView:
    """Return the storyline of a story. Raises RefusedError (404, 410)."""
    line = site.storyline(id_)
    if line is None:
        raise site.missing(id_, "there is no story with this id")
    return line


@router.get("/changes", **describe_route("stories", ChangedStories, 400))
def list_changes(
    request: Request, site: OfSite, asked: Annotated[ChangesQuery, Query()]
) -> Response:
    """The stories that changed after a change with a number, each once, as they are now.

    Without `since` it has no stories, and `next` is the number of the last change.
    """
    since = asked.since if asked.has("since") else None
    return hashed_json(request, site.reader.changed_stories(since, asked.limit))


@router.get("/topics", **describe_route("stories", story_json.TopicsJson))
def list_topics(request: Request, site: OfSite) -> Response:
    """The topics of the front page, the most frequent first; each is a value of the parameter `topic`."""
    return hashed_json(request, story_json.TopicsJson(topics=site.reader.topics()))


@router.get("/queries", **describe_route("stories", story_json.SavedQueriesJson))
def list_queries(request: Request, site: OfSite) -> Response:
    """The saved queries of config.yaml, in its order; each is a value of the parameter `saved`."""
    own = {"title", "items", "link"}
    shown = tuple(
        story_json.SavedQueryJson(
            name=query.key,
            title=query.label,
            parameters=query.model_dump(exclude_defaults=True, exclude=own),
        )
        for query in site.settings.queries
    )
    return hashed_json(request, story_json.SavedQueriesJson(queries=shown))
