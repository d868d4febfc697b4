"""The pages of a search, the last digest, an explanation and the routes of the API, and robots.txt."""

from collections.abc import Sequence
from functools import partial

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from aggregator.config.story_query import MAX_TEXT_CHARS, ArticleFilters
from aggregator.grouping.corrections import decision_words as words
from aggregator.model.errors import UsageError
from aggregator.model.evidence import Reason
from aggregator.model.read_model import SearchResults
from aggregator.model.story import StoryView
from aggregator.publish.excerpts.single_articles import (
    limit_explanation,
    limit_results,
)
from aggregator.web.feeds.digest_feeds import digest_html, digest_title
from aggregator.web.pages.pages import Pages, typed_text

SEARCH_STORIES = 20
MORE_SEARCH_STORIES = 100  # when a reader asks for more than the best ones


def search(site: Pages, request: Request) -> Response:
    """Answer with stories whose articles match the query."""
    text = typed_text(request, "q")
    is_more = request.query_params.get("more") == "1"
    filters = {name: typed_text(request, name) for name in ArticleFilters.model_fields}
    limit = MORE_SEARCH_STORIES if is_more else SEARCH_STORIES
    results = SearchResults()
    try:
        bounds = ArticleFilters.read(filters).story_filter(site.clock(), 1)
        if text:
            results = site.reader.search(text, limit, bounds)
    except UsageError as error:
        results = SearchResults(problem=str(error))
    stories = limit_results(results, *site.limits(request)).stories
    ids = tuple(story.id for story in stories)
    return site.page(
        request,
        "search.html",
        here="/search",
        text=text,
        filters=filters,
        results=results,
        reading=site.reader.first_reading() if text else None,
        has_more=results.more and not is_more,
        stories=stories,
        marks=site.marks_of(request, ids),
        undated={
            story.id: story.undated_seen for story in site.reader.list_stories(ids)
        },
    )


def show_digest(site: Pages, request: Request) -> Response:
    """Answer with the last digest; without `digest:` in config.yaml, as for an unknown address."""
    settings = site.settings
    if not settings.digest_stories:
        return site.not_found(request)
    heading = "Digest"
    html = Markup()
    wanted = partial(settings.digest_filter, mutes=site.mutes(request))
    for digest in site.reader.digests(wanted, 1):
        heading = digest_title(digest, settings)
        html = Markup(digest_html(digest, settings))  # noqa: S704 - escaped by the feed
    return site.page(request, "digest.html", here="/digest", heading=heading, html=html)


def list_routes(site: Pages, request: Request) -> Response:
    """Answer with the routes of the API, from the description that programs read."""
    return site.page(
        request, "api.html", here="/api", paths=request.app.openapi()["paths"]
    )


def robots(site: Pages, _request: Request) -> Response:
    """Answer with robots.txt, which excludes all pages, or only the search if `publish.index` is true."""
    path = site.settings.base_path + ("/search" if site.settings.index else "/")
    return PlainTextResponse(f"User-agent: *\nDisallow: {path}\n")


OTHERS_SHOWN = 20  # articles to compare with
MAX_URL_CHARS = 2_048


def explain(site: Pages, request: Request) -> Response:
    """Answer why an article is in its story, and compare it with another article.

    `other` is an id, the address of an article, or the address of its explanation.
    """
    text = typed_text(request, "other", MAX_URL_CHARS)
    _before, separator, after = text.partition("/explain/")
    other = after.partition("?")[0] if separator and "/" not in after else text
    article = request.path_params["article"].replace("\x00", "")[:MAX_TEXT_CHARS]
    whole = site.editor.explanation(article, other or None)
    if whole is None:
        return site.problem(
            request,
            404,
            "Article not found",
            "This article, or the one to compare it with, does not exist.",
        )
    others = []
    language = None
    story = site.story(whole.story)
    if isinstance(story, StoryView):
        for shown in site.bounded(request, story).articles:
            if shown.id == whole.article:
                language = shown.language
            else:
                others.append(shown)
    explanation = limit_explanation(whole, *site.limits(request))
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
    """Return the reasons of a score, those with the largest shares first, positive or negative."""
    return sorted(reasons, key=lambda reason: (-abs(reason.share), reason.name))
