"""The front page: stories by rank, or the newest first."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from urllib.parse import parse_qsl, urlencode

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from aggregator.config.story_query import StoryFilter
from aggregator.model.clock import in_utc
from aggregator.model.read_model import FrontPageStory, StoryListItem
from aggregator.model.story import Passage
from aggregator.publish.excerpts.excerpt_words import first_words
from aggregator.store.read.cursors import read_cursor
from aggregator.store.read.marks.read_marks import VIEWS
from aggregator.store.read.marks.story_streams import StoryStream
from aggregator.web.dependencies import conditional
from aggregator.web.list_query import ListQuery, Selection, filter_words
from aggregator.web.pages.front_layout import arrange_stories, by_day
from aggregator.web.pages.pages import Pages, typed_number
from aggregator.web.pages.visitor import Visitor, remember, visitor_of
from aggregator.web.security.visit import is_owner

STORIES_A_PAGE = 20
# The most entries of a first reading that are shown before there are stories
READ_ENTRIES = 100
# The ranked stories end long before this page.
MOST_PAGES = 99


def show_front(site: Pages, request: Request) -> Response:
    """Answer with stories by rank, or the newest first (`view=newest`, `unread` or `saved`)."""
    # Other parameters are ignored: social networks and mail programs add some to links.
    parameters = request.query_params.items()
    query = ListQuery.read(
        {name: value for name, value in parameters if name in ListQuery.model_fields}
    )
    selection = site.select(query, STORIES_A_PAGE).without(site.mutes(request))
    before = visitor_of(request)
    visitor = before.at(site.clock())
    view = request.query_params.get("view", "")
    number = typed_number(request, "page") or 1
    number = min(number, MOST_PAGES)
    tag = None
    # Before there is a story, the page has no tag, because it shows the progress of the first reading.
    if (
        selection.query.changes_with_stories
        and site.reader.last_change_at() is not None
    ):
        trouble = _trouble(site, request)
        today = _today(site)
        reading = site.reader.first_reading()
        key = (query.query_string, view, number, today, visitor.since, trouble)
        tag = site.page_tag(request, f"{key}{reading}{selection.filter.mutes}")

    def render() -> Response:
        if view in ("newest", *VIEWS) or query.after:
            return _newest(site, request, selection, visitor)
        return _ranked_list(site, request, selection, number, visitor)

    response = conditional(request, tag, render)
    remember(request, response, before, visitor, site)
    return response


def _ranked_list(
    site: Pages, request: Request, selection: Selection, number: int, visitor: Visitor
) -> Response:
    """Return a page of the stories by rank."""
    filters = selection.filter
    usual = StoryFilter(
        min_reports=filters.min_reports, limit=filters.limit, mutes=filters.mutes
    )
    if filters == usual:
        # This ranking is computed once for each change of a story. The stories on a page are read for each request.
        ranking = site.rankings(site.reader.last_change(), filters)
    else:
        # Other rankings are not kept, because moved sources, topics that are found and relative times change them
        # without a change of a story.
        ranking = site.reader.rank_front_page(filters, site.settings.prefer)
    if not ranking and not selection.typed.query_string and not filters.mutes:
        return _first_run(site, request)
    size = filters.limit
    on_page = ranking[(number - 1) * size : number * size]
    ids = tuple(story.id for story in on_page)
    has_more = len(ranking) > number * size
    following = ("page", str(number + 1)) if has_more else ("view", "newest")
    since = visitor.since
    new = [story.id for story in ranking if since is not None and story.updated > since]
    listed = site.reader.list_stories(ids)
    if [_state(story) for story in listed] != [_state(story) for story in on_page]:
        site.rankings.cache_clear()  # an article was erased
    sources = site.reader.story_sources(ids)
    lines = site.reader.storylines_by_story(ids)
    storylines = {}
    for id_ in ids:
        if id_ in lines and id_ not in lines[id_].guests:
            storylines[id_] = site.bounded_storyline(request, lines[id_])
    lead: Sequence[Passage] = ()
    if number == 1 and ids and site.access(request) == "owner":
        # The owner reads the lead of the first story whole.
        text = site.reader.text(ids[0])
        lead = text.lead if text else ()
    return _list_page(
        site,
        request,
        "front.html",
        selection,
        visitor,
        stories=listed,
        view="",
        front=arrange_stories(
            site.list_items(request, listed),
            _today(site),
            is_first=number == 1,
            several={s.id for s in ranking if s.outlets > 1} | storylines.keys(),
            undated={story.id for story in ranking if story.is_undated},
            folders={} if filters.folder else sources.folders,
        ),
        lead=lead,
        # The number of new stories is shown below the list if no page follows or if this page has all of them.
        all_new=len(new) if not has_more or set(new) <= {*ids} else None,
        number=number,
        next=_address(selection, following),
        next_is_newest=not has_more,
        before=_address(selection, ("page", str(number - 1))),
        languages=_languages(ranking),
        source_links=sources.by_outlet,
        storylines=storylines,
    )


def _first_run(site: Pages, request: Request) -> Response:
    """Return the page of a new database: the progress of its first reading, or how to add sources."""
    reading = site.reader.first_reading(READ_ENTRIES)
    if reading is not None and site.access(request) != "owner":
        words = site.settings.excerpt_words
        entries = [
            read._replace(title=first_words(read.title, words))
            for read in reading.entries
        ]
        reading = reading._replace(entries=tuple(entries))
    return site.page(
        request,
        "first_run.html",
        reading=reading,
        here="/",
        has_sources=site.reader.sources(1).total > 0,
        trouble=_trouble(site, request),
    )


def _newest(
    site: Pages, request: Request, selection: Selection, visitor: Visitor
) -> Response:
    """Return a page of the newest stories, or only of those that the owner has not read, or has saved."""
    view = site.view_of(request)
    shown_view = view or "newest"
    cursor = selection.filter.after
    # The bump of the last story on the page before
    above = read_cursor(cursor)[0] if cursor else None
    seen_by = site.reader_of_pages(request)
    if seen_by is None or view is None:
        page = site.reader.stories(selection.filter)
        ids, after = tuple(story.id for story in page.stories), page.next
    else:
        stream = StoryStream(
            filters=selection.filter, after=cursor, is_starred=view == "saved"
        )
        if view == "unread":
            stream = replace(stream, is_read=False)
        rows, after = site.marks.items(seen_by, stream, selection.filter.limit)
        ids = tuple(row.story for row in rows)
    listed = site.reader.list_stories(ids)
    # The first story that is not new since the last visit, unless it is on another page
    first_old = None
    for story in listed:
        if visitor.since is not None and story.updated <= visitor.since:
            if above is not None and above > visitor.since:
                first_old = story.id
            break
        above = story.updated
    following = None
    if after:
        following = _address(
            selection, ("view", shown_view), ("after", selection.next_of(after) or "")
        )
    return _list_page(
        site,
        request,
        "newest.html",
        selection,
        visitor,
        stories=listed,
        view=shown_view,
        days=by_day(site.list_items(request, listed)),
        first_old=first_old,
        next=following,
        languages=_languages(listed),
        source_links=site.reader.story_sources(ids).by_outlet,
        storylines={},
    )


def _list_page(
    site: Pages,
    request: Request,
    template: str,
    selection: Selection,
    visitor: Visitor,
    *,
    stories: Sequence[StoryListItem],
    view: str,
    **values: object,
) -> Response:
    """Return a list of stories, by rank or by time, with the values that both templates need."""
    reader = site.reader
    ids = tuple(story.id for story in stories)
    parameters = dict(_without_cursor(selection))
    words = filter_words(selection.typed)
    if selection.saved is not None:
        words.insert(0, selection.saved.label)
    new_reports = {}
    if visitor.since and ids:
        new_reports = reader.new_reports(ids, visitor.since)
    return site.page(
        request,
        template,
        here="/",
        samples=reader.samples(),
        reading=reader.first_reading(),
        trouble=_trouble(site, request),
        view=view,
        last_visit=visitor.since,
        words=", ".join(words),
        filtered=urlencode(parameters),
        parameters=parameters,
        least_reports=selection.filter.min_reports,
        topics=reader.topics(),
        folders=reader.folders(),
        today=_today(site),
        marks=site.marks_of(request, ids),
        new_reports=new_reports,
        **values,
    )


def _trouble(site: Pages, request: Request) -> str | None:
    return site.reader.all_feeds_fail() if is_owner(request) else None


def _today(site: Pages) -> date:
    return in_utc(site.clock()).date()


def _state(story: FrontPageStory | StoryListItem) -> tuple[str, datetime, int]:
    return story.id, story.updated, story.report_count


def _languages(stories: Iterable[FrontPageStory | StoryListItem]) -> list[str]:
    return sorted({story.language for story in stories if story.language})


def _address(selection: Selection, *parameters: tuple[str, str]) -> str:
    return "?" + urlencode([*_without_cursor(selection), *parameters])


def _without_cursor(selection: Selection) -> list[tuple[str, str]]:
    pairs = parse_qsl(selection.typed.query_string)
    return [(name, value) for name, value in pairs if name != "after"]
