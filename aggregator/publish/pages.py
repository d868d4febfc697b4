"""The pages: stories, one story, search, sources."""

from collections.abc import Sequence
from itertools import groupby
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from aggregator.model import ArticleView, Attributed, MergedStory, StoryView, TimelineItem
from aggregator.publish.filters import MAX_TEXT_CHARS, Wanted
from aggregator.publish.rendering import day
from aggregator.publish.rights import first_words
from aggregator.publish.rss import best_article
from aggregator.publish.site import Site, conditional
from aggregator.shelf import Moved, SearchHit, SearchResults, StoryPage
from aggregator.stories.lead import lead_and_facts
from aggregator.stories.render import differ_title

STORIES_A_PAGE = 30
SEARCH_HITS = 30
LINK_WORDS = 40  # of what a live blog of another story tells
FACTS_SHOWN = 12  # further ones unfold (merged-story design: a page of 700-900 words)


def routes(site: Site) -> list[Route]:
    """The routes of all pages."""
    pages = Pages(site)
    return [
        Route("/", pages.front),
        Route("/stories/{id}", pages.story),
        Route("/search", pages.search),
        Route("/sources", pages.sources),
        Route("/robots.txt", pages.robots),
    ]


class Pages:
    """A method a page; each asks the shelf, bounds what may be seen, and renders."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def front(self, request: Request) -> Response:
        """The newest stories, a page at a time."""
        wanted = self._site.wanted(request, STORIES_A_PAGE, ignore_unknown=True)
        tag = None if wanted.moves_with_clock else self._site.tag(request, wanted.query_string)
        return conditional(request, tag, lambda: self._front(request, wanted))

    def _front(self, request: Request, wanted: Wanted) -> Response:
        page = self._site.shelf.stories(wanted.filter)
        if not page.stories and not wanted.query_string:
            return self._page("first_run.html", here="/", has_sources=bool(self._site.shelf.sources()))
        stories = [self._site.bounded(request, story)[0] for story in page.stories]
        days = [(when, list(them)) for when, them in groupby(stories, key=lambda story: day(story.updated))]
        several = wanted.filter.min_reports > 1
        return self._page(
            "front.html", here="/", days=days, older=_older(page, wanted), several=several, wanted=wanted
        )

    def story(self, request: Request) -> Response:
        """One story; a merged one's old address leads to its new one."""
        tag = self._site.tag(request, "")  # before the story is read: a tag may be too old, never too new
        story = self._site.story(request.path_params["id"])
        if story is None:
            return self.not_found()
        if isinstance(story, Moved):
            return RedirectResponse(f"/stories/{story.to}", 301)
        found = story
        return conditional(request, tag, lambda: self._story(request, found))

    def _story(self, request: Request, story: StoryView) -> Response:
        shown, merged = self._site.bounded(request, story, self._site.shelf.merged(story.id))
        articles = {article.id: article for article in shown.articles}
        lead, facts = lead_and_facts(merged) if merged else (None, ())
        several = shown.report_count > 1
        return self._page(
            "story.html",
            here="/stories",
            story=shown,
            links=[msgspec.structs.replace(x, text=first_words(x.text, LINK_WORDS)) for x in shown.links],
            merged=merged,
            articles=articles,
            best=best_article(shown.articles),
            lead=lead if several else None,
            facts=facts,
            differ_title=differ_title(merged) if merged else "",
            only=only_by_outlet(merged.only, shown.articles) if merged and several else [],
            timeline=timeline_days(merged) if merged else [],
            facts_shown=FACTS_SHOWN,
        )

    def search(self, request: Request) -> Response:
        """Articles that hold the words."""
        text = request.query_params.get("q", "").strip().replace("\x00", "")[:MAX_TEXT_CHARS]
        results = self._site.shelf.search(text, SEARCH_HITS) if text else SearchResults()
        hits = [self._bounded_hit(request, hit) for hit in results.hits]
        return self._page("search.html", here="/search", text=text, results=results, hits=hits)

    def _bounded_hit(self, request: Request, hit: SearchHit) -> SearchHit:
        if self._site.access(request) == "owner":
            return hit
        words = 0 if hit.nosnippet else self._site.settings.excerpt_words // 2
        title = first_words(hit.title, self._site.settings.excerpt_words // 2)
        entries = hit.entries[:1] if words else ()  # what is shown of one article is counted together
        entries = tuple(
            msgspec.structs.replace(one, snippet=first_words(one.snippet, words)) for one in entries
        )
        snippet = "" if entries else first_words(hit.snippet, words)
        return msgspec.structs.replace(hit, snippet=snippet, title=title, entries=entries)

    def sources(self, request: Request) -> Response:
        """Where the articles come from, and how each source does; addresses only for the owner."""
        owner = self._site.access(request) == "owner"
        every = self._site.shelf.sources()
        folders = [(folder, list(them)) for folder, them in groupby(every, key=lambda s: s.folder or "")]
        return self._page("sources.html", here="/sources", folders=folders, owner=owner)

    def robots(self, _request: Request) -> Response:
        """What search engines may read: nothing, unless switched on."""
        refused = "/search" if self._site.settings.index else "/"
        return PlainTextResponse(f"User-agent: *\nDisallow: {refused}\n")

    def not_found(self) -> Response:
        """A page for an address that is none of ours."""
        return self.problem(
            404, "There is nothing here", "The address may be mistyped, or the story no longer exists."
        )

    def problem(self, status: int, title: str, detail: str) -> Response:
        """A page that says what went wrong."""
        return self._page("problem.html", status=status, here="", heading=title, detail=detail)

    def _page(self, template: str, status: int = 200, **values: object) -> Response:
        settings = self._site.settings
        values |= {"site_title": settings.title, "index": settings.index}
        return HTMLResponse(self._site.jinja.get_template(template).render(values), status)


def _older(page: StoryPage, wanted: Wanted) -> str | None:
    """The query string of the next page."""
    if page.next is None:
        return None
    return urlencode([*_pairs_without(wanted, "after"), ("after", page.next)])


def _pairs_without(wanted: Wanted, name: str) -> list[tuple[str, str]]:
    return [(key, value) for key, value in parse_qsl(wanted.query_string) if key != name]


class Alone(msgspec.Struct, frozen=True):
    """What one outlet alone says: its sentences by article; `reprints` of them stand in other outlets."""

    outlet: str | None
    told: list[tuple[str, list[str]]]  # article id, sentences
    reprints: int
    agency: str | None


def only_by_outlet(said: Sequence[Attributed], articles: Sequence[ArticleView]) -> list[Alone]:
    """What only one report says, each outlet once, in the order they come."""
    by_outlet: dict[str, dict[str, list[str]]] = {}
    names: dict[str, str | None] = {}
    for each in said:
        key = each.outlet or each.article
        names[key] = each.outlet
        by_outlet.setdefault(key, {}).setdefault(each.article, []).append(each.text)
    return [
        Alone(
            outlet=names[key],
            told=list(told.items()),
            reprints=sum(1 for a in articles if a.copy_of in told and a.role != "excerpt"),
            agency=next((a.wire for a in articles if a.id in told and a.wire), None),
        )
        for key, told in by_outlet.items()
    ]


def timeline_days(merged: MergedStory) -> list[tuple[str, list[TimelineItem]]]:
    """The timeline under the heading of its days, in its own order; a day that is not known says so."""
    return [(title, list(items)) for title, items in groupby(merged.timeline, key=_day_title)]


def _day_title(item: TimelineItem) -> str:
    known = item.time or item.day
    return day(known) if known else "Day not known"
