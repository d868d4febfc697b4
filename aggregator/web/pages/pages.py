"""The pages for reading: the front page, one story, search, sources, and how well grouping does.

An explanation as rows of a page: every share of a score with its words, its value and its bar.

The front page as a value: what leads, what stands beside it, what follows under which heading. Pure.
"""

import datetime as dt
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from aggregator.config.saved_queries import parse_end, parse_moment
from aggregator.model.core import (
    ArticleView,
    AttributedSentence,
    CopyEvidence,
    Evidence,
    MergedStory,
    Reason,
    StoryView,
    TimelineItem,
)
from aggregator.model.errors import UsageError
from aggregator.model.read_model import (
    HistoryEvent,
    SearchBounds,
    SearchResults,
    StoryListItem,
    StoryPage,
    StoryRedirect,
)
from aggregator.pipeline.placement.explain import (
    Explanation,
    PairExplanation,
    log_words,
    reason_name,
    reason_value,
)
from aggregator.stories.text.merged_text import lead_and_facts
from aggregator.stories.text.plain_text import differ_title
from aggregator.web.dependencies import Site, conditional
from aggregator.web.editor import EditorService
from aggregator.web.excerpts import (
    bounded_explanation,
    bounded_quality,
    bounded_source,
    bounded_story_hit,
    count_words,
    first_words,
)
from aggregator.web.filters import MAX_TEXT_CHARS, ParsedFilter
from aggregator.web.jinja import day
from aggregator.web.responses import GONE
from aggregator.web.security.middleware import form_value, is_stranger, prefix_of, token_of
from aggregator.web.settings import PublishSettings

BESIDE = 3  # further stories of several reports beside the one that leads


class FrontPage(msgspec.Struct, frozen=True):
    """One page of stories by weight. `lead` and `beside` are empty on all but the first."""

    lead: StoryListItem | None
    beside: tuple[StoryListItem, ...]
    groups: tuple[tuple[str, tuple[StoryListItem, ...]], ...]  # heading, stories; the newest group first


def arranged(stories: Sequence[StoryListItem], today: dt.date, *, is_first: bool) -> FrontPage:
    """`stories` are in the order of their weight, which is kept within each group."""
    rest = list(stories)
    lead = rest.pop(0) if is_first and rest else None
    beside = tuple(story for story in rest if story.report_count > 1)[:BESIDE] if lead is not None else ()
    named = {story.id for story in beside}
    groups: dict[str, list[StoryListItem]] = {}
    headings = sorted(
        {_heading(story.updated, today) for story in rest if story.id not in named},
        key=("Today", "Yesterday", "Earlier").index,
    )
    for heading in headings:
        groups[heading] = [
            story for story in rest if story.id not in named and _heading(story.updated, today) == heading
        ]
    return FrontPage(lead, beside, tuple((heading, tuple(them)) for heading, them in groups.items()))


def list_item_of(story: StoryView) -> StoryListItem:
    """A story as a list shows it."""
    shared = {name: getattr(story, name) for name in StoryListItem.__struct_fields__ if name != "outlets"}
    outlets = dict.fromkeys(article.outlet for article in story.articles if article.outlet)
    return StoryListItem(**shared, outlets=tuple(outlets))


def by_day(stories: Sequence[StoryListItem]) -> tuple[tuple[str, tuple[StoryListItem, ...]], ...]:
    """The newest view: stories under their days, in the order they come."""
    days: dict[str, list[StoryListItem]] = {}
    for story in stories:
        days.setdefault(day(story.updated), []).append(story)
    return tuple((title, tuple(them)) for title, them in days.items())


def _heading(moment: dt.datetime, today: dt.date) -> str:
    """By the day in UTC; what a file or a wrong clock dates ahead of us is of today."""
    before = (today - moment.astimezone(dt.UTC).date()).days
    return "Today" if before <= 0 else "Yesterday" if before == 1 else "Earlier"


BAR_STEPS = 20  # lengths that the style sheet knows (.w0 to .w20): a style attribute would break the policy


class ScorePart(msgspec.Struct, frozen=True):
    """One line of the sum: `share` in logits, `bar` from 0 to BAR_STEPS, `value` as people say it."""

    words: str
    value: str
    share: float
    bar: int

    @property
    def speaks_for(self) -> bool:
        """Whether it speaks for one event."""
        return self.share >= 0


class ScoreBreakdown(msgspec.Struct, frozen=True):
    """A score with its parts, the heaviest first; `need` is what was asked for, None where nothing was."""

    score: float
    need: float | None
    shares: tuple[ScorePart, ...]


def weighing(evidence: Evidence) -> ScoreBreakdown | None:
    """The score that decided; None where none was needed."""
    if evidence.score is None:
        return None
    return _weighing(evidence.score, evidence.need, evidence.bias, evidence.reasons)


def rival(evidence: Evidence) -> ScoreBreakdown | None:
    """The score of the story that was weighed next; its parts only where they were kept."""
    other = evidence.runner_up
    if other is None:
        return None
    return _weighing(other.score, other.need, evidence.bias if other.reasons else 0.0, other.reasons)


def pair(two: PairExplanation) -> ScoreBreakdown:
    """The score of two articles with each other."""
    return _weighing(two.score, None, two.bias, two.reasons)


def _weighing(score: float, need: float | None, bias: float, reasons: Sequence[Reason]) -> ScoreBreakdown:
    longest = max([abs(bias), 1.0, *(abs(reason.share) for reason in reasons)])

    def bar(share: float) -> int:
        return min(BAR_STEPS, round(abs(share) / longest * BAR_STEPS))

    parts = [
        ScorePart(reason_name(reason.name), reason_value(reason), reason.share, bar(reason.share))
        for reason in sorted(reasons, key=lambda reason: (-abs(reason.share), reason.name))
    ]
    start = [ScorePart("two articles are strangers at first", "", bias, bar(bias))] if bias else []
    return ScoreBreakdown(score, need, (*start, *parts))


def verdict(told: Explanation) -> str:
    """Why the article is where it is, in one sentence."""
    evidence = told.evidence
    if evidence.copy is not None and evidence.stage == "copy":
        return "It is the same text as another article of this story."
    if evidence.stage == "founded":
        return "It opened this story: no story that was still open was near enough."
    if evidence.stage == "correction":
        return "A person put it here."
    if evidence.stage == "second look":
        return "It was moved here when more was known, because it fits this story better."
    if evidence.stage == "revision":
        return "It is a later version of an article of this story."
    return "It reports the same event as the others, by the words that they share."


def objection(name: str) -> str:
    """A veto in words."""
    return reason_name(name).removeprefix("veto: ").replace("_", " ")


def copied(copy: CopyEvidence) -> str:
    """How much of two texts is the same."""
    return (
        f"{copy.resemblance:.0%} of all word triples are in both texts, "
        f"{copy.containment:.0%} of the shorter one in the longer."
    )


STORIES_A_PAGE = 30
SEARCH_STORIES = 20
LINK_WORDS = 40  # of what a live blog of another story tells
FACTS_SHOWN = 12  # further ones unfold (merged-story design: a page of 700-900 words)
MOMENTS_SHOWN = 24  # of the timeline; later days unfold
HISTORY_SHOWN = 60  # steps in the life of one story
OTHERS_SHOWN = 20  # articles to compare with, on the page of an explanation
MAX_URL_CHARS = 2_048
MOST_PAGES = 99  # the ranked window ends long before
_BOUNDS = {"since": parse_moment, "until": parse_end}


def routes(site: Site) -> list[Route]:
    """The routes of all pages for reading."""
    pages = Pages(site)
    found = [
        Route("/", pages.rank_front_page),
        Route("/stories/{id}", pages.story),
        Route("/search", pages.search),
        Route("/sources", pages.sources),
        Route("/quality", pages.quality),
        Route("/robots.txt", pages.robots),
    ]
    if site.editor is not None:
        found.append(Route("/explain/{article}", partial(pages.explain, site.editor)))
    return found


class Pages:
    """A method a page; each asks the shelf, bounds what may be seen, and renders."""

    def __init__(self, site: Site) -> None:
        self._site = site

    # --- the front page -------------------------------------------------------------------------------------

    def rank_front_page(self, request: Request) -> Response:
        """Stories by weight, or the newest first (`view=newest`), a page at a time."""
        wanted = self._site.wanted(request, STORIES_A_PAGE, ignore_unknown=True)
        newest = request.query_params.get("view") == "newest" or wanted.filter.after is not None
        number = _page_number(request)
        shape = f"{wanted.query_string}\n{newest}\n{number}\n{self._today()}"
        tag = None if wanted.moves_with_clock else self.tag(request, shape)
        render = self._newest if newest else self._weighed
        return conditional(request, tag, lambda: render(request, wanted, number))

    def _weighed(self, request: Request, wanted: ParsedFilter, number: int) -> Response:
        ranking = self._site.reader.rank_front_page(wanted.filter, self._site.settings.prefer)
        if not ranking and not wanted.query_string:
            has_sources = bool(self._site.reader.sources())
            return self.page(request, "first_run.html", here="/", has_sources=has_sources)
        size = wanted.filter.limit
        chosen = ranking[(number - 1) * size : number * size]
        shown = self._list_items(request, self._site.reader.list_stories(tuple(one.id for one in chosen)))
        more = len(ranking) > number * size
        after = {"page": str(number + 1)} if more else {"view": "newest"}
        return self.page(
            request,
            "front.html",
            front=arranged(shown, self._today(), is_first=number == 1),
            newest=False,
            number=number,
            next="?" + urlencode([*_pairs_without(wanted, "after"), *after.items()]),
            next_is_newest=not more,
            languages=sorted({one.language for one in ranking if one.language}),
            **self._front_values(wanted),
        )

    def _newest(self, request: Request, wanted: ParsedFilter, _number: int) -> Response:
        page = self._site.reader.stories(wanted.filter)
        stories = self._list_items(request, [list_item_of(story) for story in page.stories])
        return self.page(
            request,
            "newest.html",
            days=by_day(stories),
            newest=True,
            next=_older(page, wanted),
            languages=sorted({story.language for story in stories if story.language}),
            **self._front_values(wanted),
        )

    def _list_items(self, request: Request, stories: Sequence[StoryListItem]) -> list[StoryListItem]:
        """As this request may see them: of a title and the summary beside it so many words together."""
        if self._site.access(request) == "owner":
            return list(stories)
        words = self._site.settings.excerpt_words
        shown = []
        for story in stories:
            title = first_words(story.title, words)
            summary = first_words(story.summary, max(0, words - count_words(title)))
            shown.append(msgspec.structs.replace(story, title=title, summary=summary))
        return shown

    def _front_values(self, wanted: ParsedFilter) -> dict[str, object]:
        without_page = _pairs_without(wanted, "after")
        return {
            "here": "/",
            "wanted": wanted,
            "filtered": urlencode(without_page),
            "asked": dict(without_page),
            "folders": self._site.reader.folders(),
            "queries": self._site.settings.queries,
            "today": self._today(),
        }

    def _today(self) -> dt.date:
        return self._site.clock().astimezone(dt.UTC).date()

    # --- one story ------------------------------------------------------------------------------------------

    def story(self, request: Request) -> Response:
        """One story; a merged one's old address leads to its new one."""
        # The tag before the story: it may be too old, never too new.
        tag = self.tag(request, request.url.query)
        story = self._site.story(request.path_params["id"])
        if story is None and self._site.gone(request.path_params["id"]):
            return self.problem(request, 410, "This story is gone", GONE)
        if story is None:
            return self.not_found(request)
        if isinstance(story, StoryRedirect):
            return RedirectResponse(f"/stories/{story.to}", 301)
        found = story
        return conditional(request, tag, lambda: self._story(request, found))

    def _story(self, request: Request, story: StoryView) -> Response:
        shown, merged = self._site.bounded(request, story, self._site.reader.merged(story.id))
        articles = {article.id: article for article in shown.articles}
        lead, facts = lead_and_facts(merged) if merged else (None, ())
        several = shown.report_count > 1
        timeline = timeline_days(merged) if merged else []
        shown_days = days_shown(timeline)
        return self.page(
            request,
            "story.html",
            here="/stories",
            story=shown,
            links=[msgspec.structs.replace(x, text=first_words(x.text, LINK_WORDS)) for x in shown.links],
            merged=merged,
            articles=articles,
            lead=lead if several else None,
            facts=facts,
            differ_title=differ_title(merged) if merged else "",
            only=only_by_outlet(merged.only, shown.articles) if merged and several else [],
            timeline=timeline,
            timeline_shown=shown_days,
            timeline_more=sum(len(items) for _, items in timeline[shown_days:]),
            growth=shown_history(self._site.reader.story_history(shown.id, HISTORY_SHOWN), shown),
            facts_shown=FACTS_SHOWN,
            explains=self._site.editor is not None,
            near=self._near(story) if self.may_correct(request) else (),
            done=_number_in(request, "done"),
            undone=_number_in(request, "undone"),
        )

    def _near(self, story: StoryView) -> tuple[StoryListItem, ...]:
        """Stories that its articles were weighed against and did not go to: the likely ones to merge with."""
        rivals = dict.fromkeys(
            article.evidence.runner_up.story
            for article in story.articles
            if article.evidence is not None and article.evidence.runner_up is not None
        )
        return self._site.reader.list_stories(tuple(one for one in rivals if one != story.id)[:5])

    def explain(self, editor: EditorService, request: Request) -> Response:
        """Why an article is in its story, and how it stands to another one (`other`: an id or address)."""
        other = request.query_params.get("other", "").strip().replace("\x00", "")[:MAX_URL_CHARS]
        told = editor.explanation(request.path_params["article"][:MAX_TEXT_CHARS], _article_id(other) or None)
        if told is None:
            detail = "There is no such article, or none with the id or address that was to be compared."
            return self.problem(request, 404, "There is nothing to explain", detail)
        home = self._site.story(told.story)
        others: Sequence[ArticleView] = ()
        language = None
        if isinstance(home, StoryView):
            shown = self._site.bounded(request, home)[0].articles
            others = [one for one in shown if one.id != told.article][:OTHERS_SHOWN]
            language = next((one.language for one in shown if one.id == told.article), None)
        beside = {one.id: one.title for one in others}
        told = bounded_explanation(
            told, self._site.access(request), self._site.settings.excerpt_words, beside
        )
        copy = told.pair.copy if told.pair is not None else None
        return self.page(
            request,
            "explain.html",
            here="/explain",
            told=told,
            language=language,
            verdict=verdict(told),
            weighing=weighing(told.evidence),
            rival=rival(told.evidence),
            vetoes=[objection(name) for name in told.evidence.vetoes],
            copied=copied(told.evidence.copy) if told.evidence.copy else "",
            pair=pair(told.pair) if told.pair else None,
            pair_copied=copied(copy) if copy else "",
            log=[(line.at, log_words(line)) for line in told.log],
            others=others,
        )

    # --- search, sources, quality ---------------------------------------------------------------------------

    def search(self, request: Request) -> Response:
        """Stories with articles that hold the words."""
        text = request.query_params.get("q", "").strip().replace("\x00", "")[:MAX_TEXT_CHARS]
        asked = {
            name: request.query_params.get(name, "").strip().replace("\x00", "")[:MAX_TEXT_CHARS]
            for name in ("since", "until", "outlet", "language")
        }
        try:
            bounds = self._bounds(asked)
            results = self._site.reader.search(text, SEARCH_STORIES, bounds) if text else SearchResults()
        except UsageError as error:
            results = SearchResults(problem=str(error))
        access, words = self._site.access(request), self._site.settings.excerpt_words
        stories = [bounded_story_hit(one, access, words) for one in results.stories]
        return self.page(
            request, "search.html", here="/search", text=text, asked=asked, results=results, stories=stories
        )

    def _bounds(self, asked: dict[str, str]) -> SearchBounds:
        now = self._site.clock()
        moments: dict[str, dt.datetime | None] = {}
        for name, read in _BOUNDS.items():
            try:
                moments[name] = read(asked[name], now) if asked[name] else None
            except UsageError as error:
                raise UsageError(f"{name} {error}: {asked[name][:40]!r}") from None
        return SearchBounds(**moments, outlet=asked["outlet"] or None, language=asked["language"] or None)

    def sources(self, request: Request) -> Response:
        """Where the articles come from, and how each source does; addresses only for the owner."""
        access = self._site.access(request)
        every = [bounded_source(source, access) for source in self._site.reader.sources()]
        folders = [(folder, list(them)) for folder, them in groupby(every, key=lambda s: s.folder or "")]
        return self.page(
            request,
            "sources.html",
            here="/sources",
            folders=folders,
            owner=access == "owner",
            failing=sum(1 for source in every if source.state == "failing"),
            total=len(every),
        )

    def quality(self, request: Request) -> Response:
        """How well grouping does, as far as the database can tell."""
        found = self._site.reader.quality(self._site.clock())
        if self._site.access(request) != "owner":
            found = bounded_quality(found, self._site.settings.excerpt_words)
        return self.page(request, "quality.html", here="/quality", quality=found)

    def robots(self, _request: Request) -> Response:
        """What search engines may read: nothing, unless switched on."""
        refused = "/search" if self._site.settings.index else "/"
        return PlainTextResponse(f"User-agent: *\nDisallow: {refused}\n")

    # --- what all pages do ----------------------------------------------------------------------------------

    def not_found(self, request: Request) -> Response:
        """A page for an address that is none of ours."""
        return self.problem(
            request,
            404,
            "There is nothing here",
            "The address may be mistyped, or the story no longer exists.",
        )

    def problem(self, request: Request, status: int, title: str, detail: str) -> Response:
        """A page that says what went wrong. No address of it holds a token."""
        values: dict[str, object] = {"prefix": "", "signed_in": False, "may_correct": False}
        response = self.page(request, "problem.html", here="", heading=title, detail=detail, **values)
        response.status_code = status
        return response

    def may_correct(self, request: Request) -> bool:
        """Whether forms for corrections are shown: a token with the scope admin came.

        One in the address of a page opens reading alone (guard.py).
        """
        token = token_of(request)
        return self._site.editor is not None and token is not None and token.may("admin")

    def tag(self, request: Request, query_string: str) -> str | None:
        """The ETag of a page; None where the page holds forms, which belong to one token."""
        if token_of(request) is not None and not prefix_of(request):
            return None
        return self._site.tag(request, f"{prefix_of(request)}\n{query_string}")

    def page(self, request: Request, template: str, **values: object) -> Response:
        """A rendered template, with what every page needs."""
        settings = self._site.settings
        signed_in = token_of(request) is not None and not prefix_of(request)
        given: dict[str, object] = {
            "site_title": settings.title,
            "index": settings.index,
            "prefix": prefix_of(request),
            "feeds": () if is_stranger(request) else feed_links(settings),
            "signed_in": signed_in,
            "may_correct": self.may_correct(request),
            "form": form_value(request) if signed_in else "",
        }
        return HTMLResponse(self._site.jinja.get_template(template).render(given | values))


class FeedLink(msgspec.Struct, frozen=True):
    """A feed that a page leads to."""

    title: str
    path: str
    type: str


_RSS, _ATOM, _JSON = "application/rss+xml", "application/atom+xml", "application/feed+json"
_FORMATS = (("rss", _RSS), ("atom", _ATOM), ("json", _JSON))


def feed_links(settings: PublishSettings) -> list[FeedLink]:
    """Where programs find the feeds: of all stories in three formats, then of each saved query."""
    links = [
        FeedLink(f"{settings.title} ({ending.upper()})", f"/feeds/stories.{ending}", type_)
        for ending, type_ in _FORMATS
    ]
    links.append(FeedLink(f"{settings.title}: what is new in them", "/feeds/updates.atom", _ATOM))
    links += [
        FeedLink(query.title or query.name, f"/feeds/{query.name}.atom", _ATOM) for query in settings.queries
    ]
    return links


def _article_id(given: str) -> str:
    """The id in the address of an explanation of ours; anything else as it is."""
    _before, found, after = given.partition("/explain/")
    return after.partition("?")[0] if found and "/" not in after else given


def _page_number(request: Request) -> int:
    found = _number_in(request, "page")
    return min(max(1, found or 1), MOST_PAGES)


def _number_in(request: Request, name: str) -> int | None:
    """A small whole number of the address; None for anything else."""
    given = request.query_params.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) <= 9 else None


def _older(page: StoryPage, wanted: ParsedFilter) -> str | None:
    """The query string of the next page."""
    if page.next is None:
        return None
    return "?" + urlencode([*_pairs_without(wanted, "after"), ("view", "newest"), ("after", page.next)])


def _pairs_without(wanted: ParsedFilter, name: str) -> list[tuple[str, str]]:
    return [(key, value) for key, value in parse_qsl(wanted.query_string) if key != name]


class SingleOutletStatements(msgspec.Struct, frozen=True):
    """What one outlet alone says: its sentences by article; `reprints` of them stand in other outlets."""

    outlet: str | None
    told: list[tuple[str, list[str]]]  # article id, sentences
    reprints: int
    agency: str | None


def only_by_outlet(
    said: Sequence[AttributedSentence], articles: Sequence[ArticleView]
) -> list[SingleOutletStatements]:
    """What only one report says, each outlet once, in the order they come."""
    by_outlet: dict[str, dict[str, list[str]]] = {}
    names: dict[str, str | None] = {}
    for each in said:
        key = each.outlet or each.article
        names[key] = each.outlet
        by_outlet.setdefault(key, {}).setdefault(each.article, []).append(each.text)
    return [
        SingleOutletStatements(
            outlet=names[key],
            told=list(told.items()),
            reprints=sum(1 for a in articles if a.copy_of in told and a.role != "excerpt"),
            agency=next((a.wire for a in articles if a.id in told and a.wire), None),
        )
        for key, told in by_outlet.items()
    ]


def shown_history(steps: Sequence[HistoryEvent], story: StoryView) -> list[HistoryEvent]:
    """The steps that a page tells: of titles only those that stand on it anyway (promise 9)."""
    titles = {story.title, *(article.title for article in story.articles)}

    def known(title: str) -> str:
        return title if title in titles else ""

    return [
        msgspec.structs.replace(step, before=known(step.before), after=known(step.after))
        for step in steps
        if step.kind != "other"
    ]


def timeline_days(merged: MergedStory) -> list[tuple[str, list[TimelineItem]]]:
    """The timeline under the heading of its days, in its own order; a day that is not known says so."""
    return [(title, list(items)) for title, items in groupby(merged.timeline, key=_day_title)]


def days_shown(timeline: Sequence[tuple[str, list[TimelineItem]]]) -> int:
    """How many of the days stand open: whole days, until so many moments are told that the rest unfolds."""
    told = 0
    for number, (_, items) in enumerate(timeline, 1):
        told += len(items)
        if told >= MOMENTS_SHOWN:
            return number
    return len(timeline)


def _day_title(item: TimelineItem) -> str:
    known = item.time or item.day
    return day(known) if known else "Day not known"
