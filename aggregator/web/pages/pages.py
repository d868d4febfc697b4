"""The pages for reading: the front page, one story, explanations, search and sources."""

import datetime as dt
from collections.abc import Collection, Sequence
from functools import lru_cache, partial
from typing import cast
from urllib.parse import parse_qsl, urlencode

from markupsafe import Markup
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

from aggregator.grouping.corrections.decision_words import (
    decision_words,
    log_words,
    not_counted,
)
from aggregator.model.core import ArticleView, StoryText, StoryView, in_utc
from aggregator.model.errors import UsageError
from aggregator.model.read_model import (
    FrontPageStory,
    SearchResults,
    StoryFilter,
    StoryListItem,
    StoryRedirect,
)
from aggregator.store.read.cursors import read_cursor
from aggregator.store.read.marks.mark_rows import ReaderItem
from aggregator.store.read.marks.read_marks import VIEWS, View
from aggregator.store.read.marks.story_streams import StoryStream
from aggregator.web import excerpts
from aggregator.web.dependencies import Site, conditional
from aggregator.web.editor import EditorService
from aggregator.web.feeds.formats import STORIES
from aggregator.web.feeds.items import digest_html, digest_title
from aggregator.web.filters import (
    MAX_TEXT_CHARS,
    ParsedFilter,
    filter_words,
    parse_filter,
    search_bounds,
    whole_number,
)
from aggregator.web.pages import views
from aggregator.web.pages.visitor import Visitor, remember, visitor_of
from aggregator.web.pictures import picture_for
from aggregator.web.responses import GONE
from aggregator.web.security.middleware import (
    form_value,
    is_owner,
    may_edit,
    may_not_read,
    prefix_of,
    token_of,
)
from aggregator.web.settings import PublishSettings

STORIES_A_PAGE = 30
SEARCH_STORIES = 20
MORE_SEARCH_STORIES = 100  # when a reader asks for more than the best ones
SOURCES_A_PAGE = 100
OTHERS_SHOWN = 20  # articles to compare with on the page of an explanation
MAX_URL_CHARS = 2_048
RANKINGS_KEPT = 64  # filters; a ranking has some hundred ids
MOST_PAGES = 99  # the ranked stories end long before


def routes(site: Site) -> list[Route]:
    """Return the routes of all pages for reading."""
    pages = Pages(site)
    all_routes = [
        Route("/", pages.rank_front_page),
        Route("/stories/{id}", pages.story),
        Route("/search", pages.search),
        Route("/digest", pages.digest),
        Route("/sources", pages.sources),
        Route("/api", pages.api),
        Route("/docs", pages.api),  # where FastAPI has its viewer
        Route("/robots.txt", pages.robots),
    ]
    if site.editor is not None:
        all_routes.append(
            Route("/explain/{article}", partial(pages.explain, site.editor))
        )
    return all_routes


class Pages:
    """One method per page; each reads stories, applies the excerpt limit, and renders a template."""

    def __init__(self, site: Site) -> None:
        self._site = site
        # Of a state of the stories, which the first argument identifies.
        self._ranking = lru_cache(maxsize=RANKINGS_KEPT)(
            lambda _state, wanted, prefer: site.reader.rank_front_page(wanted, prefer)
        )

    # --- the front page -------------------------------------------------------------------------------------

    def rank_front_page(self, request: Request) -> Response:
        """Answer with stories by rank, the newest first (`view=newest`)."""
        wanted, _ = self._site.filter(request, STORIES_A_PAGE, ignore_unknown=True)
        wanted = replace(
            wanted, filter=replace(wanted.filter, mutes=self._site.mutes(request))
        )
        visitor = visitor_of(request)
        now = visitor.at(self._site.clock())
        view = request.query_params.get("view", "")
        number = min(
            max(1, whole_number(request.query_params.get("page", "")) or 1), MOST_PAGES
        )
        trouble = self._trouble(request)
        shown = (
            wanted.query_string,
            view,
            number,
            self._today(),
            now.since,
            trouble,
            wanted.filter.mutes,
        )
        key = "\n".join(map(str, shown))
        is_first_run = self._site.reader.last_change_at() is None  # sources change it
        tag = (
            self.tag(request, key)
            if wanted.changes_with_stories and not is_first_run
            else None
        )

        def render() -> Response:
            is_newest = view in ("newest", *VIEWS) or wanted.filter.after is not None
            return (self._newest if is_newest else self._ranked)(
                request, wanted, number, now
            )

        response = conditional(request, tag, render)
        return self._noted(request, response, visitor, now)

    def _noted(
        self, request: Request, response: Response, before: Visitor, visitor: Visitor
    ) -> Response:
        if (
            visitor != before
            and not prefix_of(request)
            and response.status_code in (200, 304)
        ):
            remember(request, response, visitor, self._site)
        return response

    def _ranked(
        self, request: Request, wanted: ParsedFilter, number: int, visitor: Visitor
    ) -> Response:
        ranking = self._ranked_stories(wanted.filter, self._site.settings.prefer)
        if not ranking and not wanted.query_string and not wanted.filter.mutes:
            has_sources = self._site.reader.sources(1).total > 0
            trouble = self._trouble(request)
            return self.page(
                request,
                "first_run.html",
                here="/",
                has_sources=has_sources,
                trouble=trouble,
            )
        size = wanted.filter.limit
        chosen = tuple(one.id for one in ranking[(number - 1) * size : number * size])
        more = len(ranking) > number * size
        after = {"page": str(number + 1)} if more else {"view": "newest"}
        listed = self._site.reader.list_stories(chosen)
        numbers = {one.id: (one.updated, one.report_count) for one in ranking}
        if [(one.updated, one.report_count) for one in listed] != [
            numbers[id_] for id_ in chosen
        ]:
            self._ranking.cache_clear()  # an article was erased
        stories = self._list_items(request, listed)
        sources = self._site.reader.story_sources(chosen)
        return self.page(
            request,
            "front.html",
            front=views.arranged(
                stories,
                self._today(),
                is_first=number == 1,
                undated={one.id for one in ranking if one.is_undated},
                folders={} if wanted.filter.folder else sources.folders,
            ),
            number=number,
            next="?" + urlencode([*_without_cursor(wanted), *after.items()]),
            next_is_newest=not more,
            before="?"
            + urlencode([*_without_cursor(wanted), ("page", str(number - 1))]),
            languages=sorted({one.language for one in ranking if one.language}),
            **self._front_values(request, wanted, ""),
            marks=self.marks_of(request, chosen),
            new_reports=self._new_reports(visitor, chosen),
            source_links=sources.by_outlet,
        )

    def _newest(
        self, request: Request, wanted: ParsedFilter, _number: int, visitor: Visitor
    ) -> Response:
        view = self.view_of(request)
        cursor = wanted.filter.after
        above = read_cursor(cursor)[0] if cursor else None
        ids, following = self._newest_ids(request, wanted.filter, view)
        stories = self._list_items(request, self._site.reader.list_stories(ids))
        return self.page(
            request,
            "newest.html",
            days=views.by_day(stories),
            last_visit=visitor.since,
            first_old=views.first_old_story(stories, visitor.since, above),
            next=following
            and "?"
            + urlencode(
                [
                    *_without_cursor(wanted),
                    ("view", view or "newest"),
                    ("after", following),
                ]
            ),
            languages=sorted({story.language for story in stories if story.language}),
            **self._front_values(request, wanted, view or "newest"),
            marks=self.marks_of(request, ids),
            new_reports=self._new_reports(visitor, ids),
            source_links=self._site.reader.story_sources(ids).by_outlet,
        )

    def _newest_ids(
        self, request: Request, wanted: StoryFilter, view: View | None
    ) -> tuple[tuple[str, ...], str | None]:
        """Return the ids of a page of stories, the newest bump first, and the cursor of the next page."""
        seen_by = self._site.reader_of_pages(request)
        if seen_by is None or view is None:
            page = self._site.reader.stories(wanted)
            return tuple(story.id for story in page.stories), page.next
        marks, who = seen_by
        stream = StoryStream(
            wanted=wanted, after=wanted.after, is_starred=view == "saved"
        )
        if view == "unread":
            stream = replace(stream, is_read=False)
        items, following = marks.items(who, stream, wanted.limit)
        return tuple(item.story for item in items), following

    def _list_items(
        self, request: Request, stories: Sequence[StoryListItem]
    ) -> list[StoryListItem]:
        """Limit the texts of each story together to the words of one article that this request may read.

        The summary may be from the article with the longest of the other titles.
        """
        if self._site.access(request) == "owner":
            return [
                replace(one, picture=picture_for(self._site, request, one.picture))
                for one in stories
            ]
        return [self._excerpt(story) for story in stories]

    def _excerpt(self, story: StoryListItem) -> StoryListItem:
        words = self._site.settings.excerpt_words
        title = excerpts.first_words(story.title, words)
        left = max(0, words - excerpts.count_words(title))
        titles = tuple(
            replace(one, title=excerpts.first_words(one.title, left))
            for one in story.titles
        )
        longest = max((excerpts.count_words(one.title) for one in titles), default=0)
        summary = excerpts.first_words(story.summary, max(0, left - longest))
        return replace(story, title=title, summary=summary, titles=titles, picture=None)

    def _ranked_stories(
        self, wanted: StoryFilter, prefer: tuple[str, ...]
    ) -> tuple[FrontPageStory, ...]:
        """Return the ranking; read once for each change of a story. Its stories are read for each page."""
        usual = StoryFilter(
            min_reports=wanted.min_reports, limit=wanted.limit, mutes=wanted.mutes
        )
        if wanted != usual:
            # Sources are moved and topics are found without a change of a story; times move with the clock.
            return self._site.reader.rank_front_page(wanted, prefer)
        return self._ranking(self._site.reader.last_change(), wanted, prefer)

    def _front_values(
        self, request: Request, wanted: ParsedFilter, view: str
    ) -> dict[str, object]:
        without_page = dict(_without_cursor(wanted))
        with_view = without_page | ({"view": view} if view else {})
        folders = self._site.reader.folders()
        saved = wanted.saved
        named = (saved.title or saved.name,) if saved else ()
        return {
            "here": "/",
            "samples": self._site.reader.samples(),
            "trouble": self._trouble(request),
            "view": view,
            "words": ", ".join((*named, *filter_words(wanted))),
            "filtered": urlencode(without_page),
            "parameters": without_page,
            "sections": views.section_tabs(
                with_view,
                folders,
                self._site.reader.topics(),
                self._site.settings.queries,
            ),
            "depths": views.depth_tabs(with_view, wanted.filter.min_reports),
            "folders": folders,
            "today": self._today(),
        }

    def _trouble(self, request: Request) -> str | None:
        return self._site.reader.all_feeds_fail() if is_owner(request) else None

    def _new_reports(self, visitor: Visitor, ids: tuple[str, ...]) -> dict[str, int]:
        return (
            self._site.reader.new_reports(ids, visitor.since)
            if visitor.since and ids
            else {}
        )

    def _today(self) -> dt.date:
        return in_utc(self._site.clock()).date()

    # --- one story ------------------------------------------------------------------------------------------

    def story(self, request: Request) -> Response:
        """Answer with one story; the address of a merged story redirects to its successor."""
        # The tag is computed before the story is read, so that it is never newer than the page.
        visitor = visitor_of(request)
        now = visitor.at(self._site.clock()) if visitor.seen else visitor
        story_id = request.path_params["id"]
        tag = self.tag(request, f"{request.url.query}\n{now.since}", story_id)
        story = self._site.story(story_id)
        if story is None and self._site.gone(story_id):
            return self.problem(request, 410, "This story was removed", GONE)
        if story is None:
            return self.not_found(request)
        if isinstance(story, StoryRedirect):
            return RedirectResponse(f"/stories/{story.to}", 301)
        found = story
        response = conditional(request, tag, lambda: self._story(request, found, now))
        return self._noted(request, response, visitor, now)

    def _story(self, request: Request, story: StoryView, visitor: Visitor) -> Response:
        shown, text, summarised = self._site.bounded_with_summary(request, story)
        return self.page(
            request,
            "story.html",
            here="/stories",
            story=shown,
            span=views.time_span(shown),
            text=text or StoryText(title=shown.title),
            openings={opening.article_id: opening.text for opening in text.openings}
            if text
            else {},
            summarised=summarised if summarised and summarised.sentences else None,
            articles={article.id: article for article in shown.articles},
            with_pictures=self._site.shows_pictures(request),
            picture=picture_for(self._site, request, shown.picture),
            reports=views.report_groups(shown.articles, visitor.since),
            lines_shown=views.LINES_SHOWN,
            single=views.single_text(shown.articles),
            explains=self._site.editor is not None,
            source_links=self._site.reader.story_sources((story.id,)).by_outlet,
            marks=self.marks_of(request, (story.id,)),
            near=self._near(story) if self.may_correct(request) else (),
            done=whole_number(request.query_params.get("done", "")),
            undone=whole_number(request.query_params.get("undone", "")),
        )

    def _near(self, story: StoryView) -> tuple[StoryListItem, ...]:
        """Return the runners-up of the articles, which are the likely stories to merge with."""
        ids = dict.fromkeys(
            article.evidence.runner_up.story
            for article in story.articles
            if article.evidence is not None and article.evidence.runner_up is not None
        )
        return self._site.reader.list_stories(
            tuple(one for one in ids if one != story.id)[:5]
        )

    def explain(self, editor: EditorService, request: Request) -> Response:
        """Answer why an article is in its story, compared with another one (`other`: an id or address)."""
        other = _typed(request, "other", MAX_URL_CHARS)
        article = request.path_params["article"].replace("\x00", "")[:MAX_TEXT_CHARS]
        explained = editor.explanation(article, _article_id(other) or None)
        if explained is None:
            detail = "This article, or the one to compare it with, does not exist."
            return self.problem(request, 404, "Article not found", detail)
        assigned = self._site.story(explained.story)
        others: Sequence[ArticleView] = ()
        language = None
        if isinstance(assigned, StoryView):
            shown = self._site.bounded(request, assigned).articles
            others = [one for one in shown if one.id != explained.article][
                :OTHERS_SHOWN
            ]
            language = next(
                (one.language for one in shown if one.id == explained.article), None
            )
        explained = excerpts.bounded_explanation(
            explained, self._site.access(request), self._site.settings.excerpt_words
        )
        own, other_story, two = (
            explained.evidence,
            explained.evidence.runner_up,
            explained.pair,
        )
        return self.page(
            request,
            "explain.html",
            here="/explain",
            explanation=explained,
            language=language,
            verdict=decision_words(own),
            not_counted=not_counted(own),
            breakdown=None
            if own.score is None
            else views.breakdown(
                own.score,
                own.need,
                own.bias,
                own.reasons,
                is_of_day=explained.is_of_day,
            ),
            runner_up=other_story
            and views.breakdown(
                other_story.score,
                other_story.need,
                own.bias if other_story.reasons else 0.0,
                other_story.reasons,
                is_of_day=explained.is_of_day,
            ),
            pair=two
            and views.breakdown(
                two.score, None, two.bias, two.reasons, is_of_day=two.is_of_day
            ),
            log=[(line.at, log_words(line)) for line in explained.log],
            others=others,
        )

    # --- search, sources ------------------------------------------------------------------------------------

    def search(self, request: Request) -> Response:
        """Answer with stories whose articles match the query."""
        text, is_more = _typed(request, "q"), request.query_params.get("more") == "1"
        filters = {
            name: _typed(request, name)
            for name in ("since", "until", "outlet", "language")
        }
        try:
            chosen = parse_filter(
                filters.items(), self._site.clock(), default_limit=1
            ).filter
            results = SearchResults()
            if text:
                limit = MORE_SEARCH_STORIES if is_more else SEARCH_STORIES
                results = self._site.reader.search(text, limit, search_bounds(chosen))
        except UsageError as error:
            results = SearchResults(problem=str(error))
        access, words = self._site.access(request), self._site.settings.excerpt_words
        stories = excerpts.bounded_results(results, access, words).stories
        ids = tuple(one.story for one in stories)
        return self.page(
            request,
            "search.html",
            here="/search",
            text=text,
            filters=filters,
            results=results,
            has_more=results.more and not is_more,
            stories=stories,
            marks=self.marks_of(request, ids),
            undated={
                one.id: one.undated_seen for one in self._site.reader.list_stories(ids)
            },
        )

    def sources(self, request: Request) -> Response:
        """Answer with the sources and their health; addresses are for the owner only."""
        access = self._site.access(request)
        text, after, asked = (
            _typed(request, "q"),
            request.query_params.get("after", ""),
            request.query_params,
        )
        reader = self._site.reader
        page = excerpts.bounded_sources(
            reader, access, SOURCES_A_PAGE, after=after, text=text, failing_first=True
        )
        added = reader.source(asked.get("added", ""))
        return self.page(
            request,
            "sources.html",
            here="/sources",
            listed=page,
            owner=access == "owner",
            text=text,
            done={
                name: whole_number(asked.get(name, ""))
                for name in ("imported", "known", "removed")
            },
            added=excerpts.bounded_source(added, access).name if added else None,
        )

    def digest(self, request: Request) -> Response:
        """Answer with the last digest; an unknown address without `digest:` in config.yaml."""
        settings = self._site.settings
        if not settings.digest_stories:
            return self.not_found(request)
        last = self._site.reader.digests(
            partial(settings.digest_filter, mutes=self._site.mutes(request)), 1
        )
        heading = digest_title(last[0], settings) if last else "Digest"
        html = Markup(digest_html(last[0], settings)) if last else ""  # noqa: S704 - escaped by the feed
        return self.page(
            request, "digest.html", here="/digest", heading=heading, html=html
        )

    def api(self, request: Request) -> Response:
        """Answer with the routes of the API, from the description that programs read."""
        paths: dict[str, dict[str, dict[str, str]]] = request.app.openapi()["paths"]
        described = [
            (method.upper(), path, about.get("summary", ""))
            for path, methods in paths.items()
            for method, about in methods.items()
        ]
        return self.page(request, "api.html", here="/api", described=described)

    def robots(self, _request: Request) -> Response:
        """Answer with robots.txt, which excludes all pages unless `publish.index` is true."""
        disallowed = "/search" if self._site.settings.index else "/"
        return PlainTextResponse(
            f"User-agent: *\nDisallow: {self._site.settings.base_path}{disallowed}\n"
        )

    # --- common to all pages --------------------------------------------------------------------------------

    def not_found(self, request: Request) -> Response:
        """Return the page for an unknown address."""
        return self.problem(
            request,
            404,
            "Page not found",
            "The address may be misspelled, or the story no longer exists.",
        )

    def problem(
        self, request: Request, status: int, title: str, detail: str
    ) -> Response:
        """Return a page with an error. Its links never contain a token."""
        values = {
            "prefix": self._site.settings.base_path,
            "signed_in": False,
            "may_correct": False,
            "may_change": False,
        }
        return self.page(
            request,
            "problem.html",
            status,
            here="",
            heading=title,
            detail=detail,
            **values,
        )

    def view_of(self, request: Request) -> View | None:
        """Return which marks the stories of a list must have; None for all stories, as strangers get."""
        view = request.query_params.get("view", "")
        if view not in VIEWS or self._site.reader_of_pages(request) is None:
            return None
        return cast("View", view)

    def marks_of(
        self, request: Request, ids: Collection[str]
    ) -> dict[str, ReaderItem] | None:
        """Return which of these stories the owner has read and saved; None for strangers."""
        seen_by = self._site.reader_of_pages(request)
        if seen_by is None:
            return None
        marks, who = seen_by
        return marks.of_stories(who, ids)

    def may_correct(self, request: Request) -> bool:
        """Return whether the request may make corrections."""
        return self._site.editor is not None and may_edit(request)

    def tag(
        self, request: Request, query_string: str, story_id: str = ""
    ) -> str | None:
        """Return the ETag of a page; None if it has marks, or forms with the CSRF value of a token."""
        if self._site.marks is not None and may_edit(request):
            return None
        if token_of(request) is not None and not prefix_of(request):
            return None
        key = f"{prefix_of(request)}\n{form_value(request)}\n{query_string}"
        return self._site.tag(request, key, story_id)

    def page(
        self, request: Request, template: str, status: int = 200, /, **values: object
    ) -> Response:
        """Render a template with `values` and the values that every page needs."""
        settings = self._site.settings
        signed_in = token_of(request) is not None and not prefix_of(request)
        common: dict[str, object] = {
            "site_title": settings.title,
            "index": settings.index,
            "prefix": settings.base_path + prefix_of(request),
            "feeds": () if may_not_read(request) else feed_links(settings),
            "has_status": self._site.has_status,
            "explains": self._site.editor is not None,
            "signed_in": signed_in,
            "may_correct": self.may_correct(request),
            "has_digest": settings.digest_stories > 0,
            "may_change": self._site.sources is not None and may_edit(request),
            "form": form_value(request),
            "marks": None,
            "place": request.url.path
            + (f"?{request.url.query}" if request.url.query else ""),
        }
        return HTMLResponse(
            self._site.jinja.get_template(template).render(common | values), status
        )


def feed_links(settings: PublishSettings) -> list[tuple[str, str]]:
    """Return title and path of the feeds of several reports, all stories, the digest and each saved query.

    Feed readers offer the first one, so it is the one with the least noise.
    """
    links = [
        (f"{settings.title}: 2+ reports", f"/feeds/{STORIES}.atom?min_reports=2"),
        (settings.title, f"/feeds/{STORIES}.atom"),
    ]
    if settings.digest_stories:
        links.append((f"{settings.title}: digest", "/feeds/digest.atom"))
    return links + [
        (query.title or query.name, f"/feeds/{query.name}.atom")
        for query in settings.queries
    ]


def _article_id(text: str) -> str:
    """Return the id in the address of an explanation page; any other text unchanged."""
    _before, separator, after = text.partition("/explain/")
    return after.partition("?")[0] if separator and "/" not in after else text


def _typed(request: Request, name: str, most: int = MAX_TEXT_CHARS) -> str:
    """Return a text that was typed into a form."""
    return request.query_params.get(name, "").strip().replace("\x00", "")[:most]


def _without_cursor(wanted: ParsedFilter) -> list[tuple[str, str]]:
    return [
        (key, value) for key, value in parse_qsl(wanted.query_string) if key != "after"
    ]
