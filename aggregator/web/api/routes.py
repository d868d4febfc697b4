"""The API for reading: stories, articles, search, sources, explanations, health. `described` documents it."""

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
from aggregator.web.sanitise import without_bidi
from aggregator.web.story_json import page_json, whole_story_json

STORIES_AN_ANSWER = 50
FOUND_AN_ANSWER = 30
MAX_FOUND = 100  # articles and stories in one answer of the search
MAX_ADDRESS_CHARS = 2048  # of an article that is named by its address
_NUMBERS = ("min_outlets", "min_reports", "limit")
_SEARCHED_BY = ("query", "since", "until", "outlet", "language", "limit")
_NAMED = re.compile(rf"[^\s\x00-\x1f\x7f]{{1,{MAX_ADDRESS_CHARS}}}")


def router(site: Site) -> APIRouter:
    """The routes of the API."""
    api = APIRouter()

    @api.get("/api/v1/stories")
    def list_stories(request: Request) -> Response:
        return _stories(site, request)

    @api.get("/api/v1/stories/{id}")
    def one_story(request: Request, id: str) -> Response:  # noqa: A002 - the word that people type
        return _one_story(site, request, id)

    @api.get("/api/v1/articles/{id}")
    def one_article(request: Request, id: str) -> Response:  # noqa: A002
        return _one_article(site, request, id)

    @api.get("/api/v1/search")
    def search(request: Request) -> Response:
        return _search(site, request)

    @api.get("/api/v1/sources")
    def list_sources(request: Request) -> Response:
        refuse_others(request, ())
        return conditional(request, None, lambda: _sources(site, request))

    if site.editor is not None:
        editor = site.editor

        @api.get("/api/v1/explain")
        def explain(request: Request) -> Response:
            return _explain(site, editor, request)

    return api


def refuse_others(request: Request, names: Iterable[str]) -> None:
    """Raises UsageError for a parameter that is none of `names`."""
    known = tuple(names)
    for name in request.query_params:
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "there is none"
            raise UsageError(f"there is no parameter {name[:40]!r}; {there}")


def refuse_empty_numbers(request: Request) -> None:
    """Raises UsageError for a number that is left empty, which the forms of pages may send."""
    for name in _NUMBERS:
        if name in request.query_params and not request.query_params[name].strip():
            raise UsageError(f"{name} must be a whole number, or not be given")


def _stories(site: Site, request: Request) -> Response:
    refuse_empty_numbers(request)
    wanted, began = site.filter_and_start(request, STORIES_AN_ANSWER)
    tag = None if wanted.moves_with_clock else site.tag(request, wanted.query_string)

    def render() -> Response:
        page = site.reader.stories(wanted.filter) if _asks_for_words(wanted.filter.query) else StoryPage()
        shown = (site.bounded(request, story)[0] for story in page.stories)
        return Response(page_json(shown, next_of(page.next, began)), media_type=JSON)

    return conditional(request, tag, render)


def _asks_for_words(query: str) -> bool:
    """False for signs alone: no article holds them, and which ones are words is hard to say beforehand."""
    return not query or any(sign.isalnum() for sign in query)


def _one_story(site: Site, request: Request, story_id: str) -> Response:
    refuse_others(request, ())
    tag = site.tag(request, "")  # before the story is read: a tag may be too old, never too new
    story = site.story(story_id)
    if story is None and site.gone(story_id):
        return problem(410, GONE)
    if story is None:
        return problem(404, "there is no story with that id")
    if isinstance(story, StoryRedirect):
        return RedirectResponse(f"/api/v1/stories/{story.to}", 301)
    found = story

    def render() -> Response:
        shown, merged = site.bounded(request, found, site.reader.merged(found.id))
        return Response(whole_story_json(shown, merged), media_type=JSON)

    return conditional(request, tag, render)


def _one_article(site: Site, request: Request, article_id: str) -> Response:
    refuse_others(request, ())
    tag = site.tag(request, "")
    found = site.article(article_id)
    if found is None and site.gone(article_id):
        return problem(410, GONE)
    if found is None:
        return problem(404, "there is no article with that id")
    one = bounded_article(found, site.access(request), site.settings.excerpt_words)
    return conditional(request, tag, lambda: Response(one_article_json(one), media_type=JSON))


def _search(site: Site, request: Request) -> Response:
    refuse_others(request, _SEARCHED_BY)
    refuse_empty_numbers(request)
    wanted = site.wanted(request, FOUND_AN_ANSWER).filter
    if wanted.limit > MAX_FOUND:
        raise UsageError(f"limit must be a whole number from 1 to {MAX_FOUND}")
    bounds = SearchBounds(
        since=wanted.since, until=wanted.until, outlet=wanted.outlet, language=wanted.language
    )
    if "query" not in request.query_params:
        raise UsageError("query: say what to search for")
    results = site.reader.search(wanted.query, wanted.limit, bounds)
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
    refuse_others(request, ("article", "other"))
    article, other = (request.query_params.get(name, "").strip() for name in ("article", "other"))
    if not article:
        raise UsageError("article: name one, by its id or its address")
    for name, value in (("article", article), ("other", other)):
        if value and not _NAMED.fullmatch(value):
            raise UsageError(
                f"{name}: an id or an address has no blanks and at most {MAX_ADDRESS_CHARS} characters"
            )
    tag = site.tag(request, f"{article} {other}")

    def render() -> Response:
        told = editor.explanation(article, other or None)
        if told is None:
            return problem(404, "there is no such article, or no such other one")
        bounded = bounded_explanation(told, site.access(request), site.settings.excerpt_words)
        return Response(without_bidi(msgspec.json.encode(bounded)) + b"\n", media_type=JSON)

    return conditional(request, tag, render)
