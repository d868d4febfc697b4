"""The API for reading: stories, one story, health."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from aggregator.publish.answers import JSON, problem
from aggregator.publish.filters import FILTER_NAMES, MAX_LIMIT, Wanted
from aggregator.publish.site import Site, conditional
from aggregator.publish.story_json import page_json, whole_story_json
from aggregator.shelf import Moved

STORIES_AN_ANSWER = 50

_MEANINGS: dict[str, tuple[str, str]] = {
    "query": ("string", "words that stand in the title or an article"),
    "since": ("string", "last_published at or after: 24h, 7d, a date or an RFC 3339 time"),
    "until": ("string", "last_published at or before"),
    "min_outlets": ("integer", "at least so many outlets"),
    "min_reports": ("integer", "at least so many independent reports"),
    "outlet": ("string", "with an article of this outlet"),
    "folder": ("string", "with an article of a source in this folder"),
    "language": ("string", "with an article in this language"),
    "limit": ("integer", f"stories in one answer, 1 to {MAX_LIMIT}"),
    "after": ("string", "the `next` of the page before"),
}
FILTER_PARAMETERS: dict[str, Any] = {
    "parameters": [
        {"name": name, "in": "query", "required": False, "description": meaning, "schema": {"type": kind}}
        for name, (kind, meaning) in ((name, _MEANINGS[name]) for name in FILTER_NAMES)
    ]
}


def router(site: Site) -> APIRouter:
    """The routes of the API."""
    api = APIRouter()

    @api.get("/api/v1/stories", openapi_extra=FILTER_PARAMETERS, response_class=Response, tags=["stories"])
    def list_stories(request: Request) -> Response:
        """Stories, newest bump first."""
        wanted = site.wanted(request, STORIES_AN_ANSWER)
        tag = None if wanted.moves_with_clock else site.tag(request, wanted.query_string)
        return conditional(request, tag, lambda: _stories(site, request, wanted))

    @api.get("/api/v1/stories/{id}", response_class=Response, tags=["stories"])
    def one_story(request: Request, id: str) -> Response:  # noqa: A002 - the word that people type
        """One story with its merged text, timeline and disagreements."""
        return _one_story(site, request, id)

    @api.get("/healthz", response_class=Response, tags=["health"])
    def health(request: Request) -> Response:
        """200 while articles can be accepted, 503 when they cannot."""
        return _health(site, request)

    return api


def _stories(site: Site, request: Request, wanted: Wanted) -> Response:
    page = site.shelf.stories(wanted.filter)
    shown = (site.bounded(request, story)[0] for story in page.stories)
    return Response(page_json(shown, page.next), media_type=JSON)


def _one_story(site: Site, request: Request, story_id: str) -> Response:
    tag = site.tag(request, "")  # before the story is read: a tag may be too old, never too new
    story = site.story(story_id)
    if story is None:
        return problem(404, "Not Found", "there is no story with that id")
    if isinstance(story, Moved):
        return RedirectResponse(f"/api/v1/stories/{story.to}", 301)
    found = story

    def render() -> Response:
        shown, merged = site.bounded(request, found, site.shelf.merged(found.id))
        return Response(whole_story_json(shown, merged), media_type=JSON)

    return conditional(request, tag, render)


def _health(site: Site, request: Request) -> Response:
    """Problems may name files of this machine: others learn only how many there are."""
    is_owner = site.access(request) == "owner"
    state = site.shelf.state()
    well = state.writable and not state.problems
    body = {
        "status": "ok" if well else "degraded",
        "writable": state.writable,
        "waiting": state.waiting,
        "last_placed": state.last_placed,
        "problem_count": len(state.problems),
        "problems": state.problems if is_owner else None,
    }
    return Response(msgspec.json.encode(body), 200 if state.writable else 503, media_type=JSON)
