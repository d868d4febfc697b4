"""The routes of the API that read: stories, articles, search, sources, explanations.

`openapi` describes them.
"""

import re
from collections.abc import Iterable

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from aggregator.model.errors import UsageError
from aggregator.model.read_model import SearchBounds, StoryPage, StoryRedirect
from aggregator.web.article_json import one_article_json, search_json, sources_json
from aggregator.web.dependencies import Site, conditional
from aggregator.web.editor import EditorService
from aggregator.web.excerpts import (
    bounded_article,
    bounded_explanation,
    bounded_hit,
    bounded_source,
    bounded_story_hit,
)
from aggregator.web.filters import next_of
from aggregator.web.responses import GONE, JSON, problem
from aggregator.web.sanitise import encode_json
from aggregator.web.story_json import page_json, whole_story_json

STORIES_AN_ANSWER = 50
FOUND_AN_ANSWER = 30
MAX_FOUND = 100  # articles and stories in one response of the search
MAX_ADDRESS_CHARS = 2048  # of the address of an article as a parameter
_NUMBERS = ("min_outlets", "min_reports", "limit")
_SEARCH_PARAMETERS = ("query", "since", "until", "outlet", "language", "limit")
_ID_OR_ADDRESS = re.compile(rf"[^\s\x00-\x1f\x7f]{{1,{MAX_ADDRESS_CHARS}}}")


def router(site: Site) -> APIRouter:
    """Return the routes that read."""
    api = APIRouter()

    @api.get("/api/v1/stories")
    def list_stories(request: Request) -> Response:
        return _stories(site, request)

    @api.get("/api/v1/stories/{id}")
    def one_story(request: Request, id: str) -> Response:  # noqa: A002 - the name in the path
        return _one_story(site, request, id)

    @api.get("/api/v1/articles/{id}")
    def one_article(request: Request, id: str) -> Response:  # noqa: A002
        return _one_article(site, request, id)

    @api.get("/api/v1/search")
    def search(request: Request) -> Response:
        return _search(site, request)

    @api.get("/api/v1/sources")
    def list_sources(request: Request) -> Response:
        refuse_unknown_parameters(request, ())
        return conditional(request, None, lambda: _sources(site, request))

    if site.editor is not None:
        editor = site.editor

        @api.get("/api/v1/explain")
        def explain(request: Request) -> Response:
            return _explain(site, editor, request)

    return api


def refuse_unknown_parameters(request: Request, names: Iterable[str]) -> None:
    """Raise UsageError if the query has a parameter that is not one of `names`."""
    allowed = tuple(names)
    for name in request.query_params:
        if name not in allowed:
            hint = f"the parameters are {', '.join(allowed)}" if allowed else "this address has none"
            raise UsageError(f"unknown parameter {name[:40]!r}; {hint}")


def refuse_empty_numbers(request: Request) -> None:
    """Raise UsageError if a numeric parameter is empty; only the forms of pages may send that."""
    for name in _NUMBERS:
        if name in request.query_params and not request.query_params[name].strip():
            raise UsageError(f"{name} must be a whole number; omit the parameter if you do not need it")


def _stories(site: Site, request: Request) -> Response:
    refuse_empty_numbers(request)
    wanted, began = site.filter_and_start(request, STORIES_AN_ANSWER)
    tag = None if wanted.moves_with_clock else site.tag(request, wanted.query_string)

    def render() -> Response:
        page = site.reader.stories(wanted.filter) if _has_words(wanted.filter.query) else StoryPage()
        shown = (site.bounded(request, story)[0] for story in page.stories)
        return Response(page_json(shown, next_of(page.next, began)), media_type=JSON)

    return conditional(request, tag, render)


def _has_words(query: str) -> bool:
    """Return False for punctuation alone, which matches no article; an empty query is True."""
    return not query or any(sign.isalnum() for sign in query)


def _one_story(site: Site, request: Request, story_id: str) -> Response:
    refuse_unknown_parameters(request, ())
    tag = site.tag(request, "")  # before the story is read, so that it is never newer than the response
    story = site.story(story_id)
    if story is None and site.gone(story_id):
        return problem(410, GONE)
    if story is None:
        return problem(404, "there is no story with this id")
    if isinstance(story, StoryRedirect):
        return RedirectResponse(f"/api/v1/stories/{story.to}", 301)
    found = story

    def render() -> Response:
        shown, merged = site.bounded(request, found, site.reader.merged(found.id))
        return Response(whole_story_json(shown, merged), media_type=JSON)

    return conditional(request, tag, render)


def _one_article(site: Site, request: Request, article_id: str) -> Response:
    refuse_unknown_parameters(request, ())
    tag = site.tag(request, "")
    found = site.article(article_id)
    if found is None and site.gone(article_id):
        return problem(410, GONE)
    if found is None:
        return problem(404, "there is no article with this id")
    one = bounded_article(found, site.access(request), site.settings.excerpt_words)
    return conditional(request, tag, lambda: Response(one_article_json(one), media_type=JSON))


def _search(site: Site, request: Request) -> Response:
    refuse_unknown_parameters(request, _SEARCH_PARAMETERS)
    refuse_empty_numbers(request)
    story_filter = site.filter(request, FOUND_AN_ANSWER).filter
    if story_filter.limit > MAX_FOUND:
        raise UsageError(f"limit must be a whole number from 1 to {MAX_FOUND}")
    bounds = SearchBounds(
        since=story_filter.since,
        until=story_filter.until,
        outlet=story_filter.outlet,
        language=story_filter.language,
    )
    if "query" not in request.query_params:
        raise UsageError("query: the parameter is missing; it contains the words to search for")
    results = site.reader.search(story_filter.query, story_filter.limit, bounds)
    access, words = site.access(request), site.settings.excerpt_words
    bounded = msgspec.structs.replace(
        results,
        hits=tuple(bounded_hit(hit, access, words) for hit in results.hits),
        stories=tuple(bounded_story_hit(one, access, words) for one in results.stories),
    )
    return conditional(request, None, lambda: Response(search_json(bounded), media_type=JSON))


def _sources(site: Site, request: Request) -> Response:
    access = site.access(request)
    return Response(
        sources_json(bounded_source(source, access) for source in site.reader.sources()), media_type=JSON
    )


def _explain(site: Site, editor: EditorService, request: Request) -> Response:
    refuse_unknown_parameters(request, ("article", "other"))
    article, other = (request.query_params.get(name, "").strip() for name in ("article", "other"))
    if not article:
        raise UsageError("article: the parameter is missing; it is the id or the address of an article")
    for name, value in (("article", article), ("other", other)):
        if value and not _ID_OR_ADDRESS.fullmatch(value):
            raise UsageError(
                f"{name}: an id or an address has no spaces and at most {MAX_ADDRESS_CHARS} characters"
            )
    tag = site.tag(request, f"{article} {other}")

    def render() -> Response:
        explanation = editor.explanation(article, other or None)
        if explanation is None:
            return problem(404, "there is no such article, or the other article does not exist")
        bounded = bounded_explanation(explanation, site.access(request), site.settings.excerpt_words)
        return Response(encode_json(bounded) + b"\n", media_type=JSON)

    return conditional(request, tag, render)
