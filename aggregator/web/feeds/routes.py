"""Feeds behind addresses: `/feeds/stories.rss`, `/feeds/updates.atom`, `/feeds/NAME.json`, and so on.

A reader that has the feed already is answered 304 by what one row of the database says, before anything is
looked for or written.
"""

import datetime as dt
import re
from email.utils import format_datetime, parsedate_to_datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aggregator.config.saved_queries import SavedQuery
from aggregator.web.dependencies import Site, has_tag, not_modified, weak_tag
from aggregator.web.feeds.formats import (
    ENDINGS,
    MEDIA_TYPES,
    STORIES,
    UPDATES,
    FeedSelection,
    channel,
    written,
)
from aggregator.web.feeds.load_items import gather
from aggregator.web.feeds.model import Format
from aggregator.web.filters import ParsedFilter, parse_filter

# Two changes within a second have one Last-Modified: it is given when no more of that second can come.
SETTLED = dt.timedelta(seconds=2)
# Browsers show what they know as XML or JSON, and offer other types for download.
_FOR_BROWSERS: dict[Format, str] = {"rss": "text/xml", "atom": "text/xml", "jsonfeed": "application/json"}
_VARY = {"Vary": "Accept"}
_AS_IN_A_URI = re.compile(r"[0-9A-Za-z;/?:@&=+$,.\-_!~*'()%]{0,2000}")


def routes(site: Site) -> list[Route]:
    """The addresses of all feeds."""
    feeds = _Feeds(site)
    return [
        Route("/feeds/{name}.{ending}", feeds.of_stories, methods=["GET"]),
        Route(f"/feeds/{{name}}/{UPDATES}.{{ending}}", feeds.of_changes, methods=["GET"]),
    ]


class _Feeds:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._started = site.clock()

    def of_stories(self, request: Request) -> Response:
        """All stories, all changes, or the stories of a saved query."""
        name = request.path_params["name"]
        if name in (STORIES, UPDATES):
            return self._answer(request, FeedSelection(updates=name == UPDATES))
        return self._answer(request, FeedSelection(saved=self._saved(name)))

    def of_changes(self, request: Request) -> Response:
        """What is new about the stories of a saved query."""
        return self._answer(
            request, FeedSelection(updates=True, saved=self._saved(request.path_params["name"]))
        )

    def _saved(self, name: str) -> SavedQuery:
        found = next((query for query in self._site.settings.queries if query.name == name), None)
        if found is None:
            raise HTTPException(404)
        return found

    def _answer(self, request: Request, which: FeedSelection) -> Response:
        form = ENDINGS.get(request.path_params["ending"])
        if form is None:
            raise HTTPException(404)
        site = self._site
        wanted = parse_filter(
            request.query_params.multi_items(),
            site.clock(),
            default_limit=site.settings.items,
            queries=site.settings.queries,
            saved=which.saved,
        )
        media_type = _media_type(request, form)
        tag = None
        modified = None
        if _holds_until_a_story_changes(wanted):
            parts = (request.url.query, media_type)
            tag = site.common_tag(request.url.path, *parts)
            if has_tag(request, tag):
                return _unchanged(tag)
            modified = self._last_modified()
            if modified and "if-none-match" not in request.headers and _has_since(request, modified):
                return _unchanged(tag)
        gathered = gather(site.reader, which, wanted, site.settings)
        depth = request.url.path.count("/") - 1
        whole = channel(
            which,
            wanted,
            gathered.items,
            site.settings,
            self_url=site.settings.base_url + request.url.path + _query(request, wanted),
            css_url="../" * depth + "static/feed.css",
        )
        body = written(whole, form)
        if tag is None or not gathered.complete:  # what is told later changes the feed, but no story
            tag, modified = weak_tag(body), None
            if has_tag(request, tag):
                return _unchanged(tag)
        response = Response(body, media_type=f"{media_type}; charset=utf-8")
        response.headers["ETag"] = tag
        response.headers.update(_VARY)
        if modified is not None:
            response.headers["Last-Modified"] = format_datetime(modified, usegmt=True)
        return response

    def _last_modified(self) -> dt.datetime | None:
        """When the newest change was, or this program began (its settings may be others); None soon after."""
        changed = self._site.reader.last_change_at()
        newest = max(changed, self._started) if changed else self._started
        if self._site.clock() - newest < SETTLED:
            return None
        return newest.astimezone(dt.UTC).replace(microsecond=0)


def _unchanged(tag: str) -> Response:
    response = not_modified(tag)
    response.headers.update(_VARY)
    return response


def _holds_until_a_story_changes(wanted: ParsedFilter) -> bool:
    """Not where the same words mean other stories later: "24h", or a folder that sources are moved into."""
    return not wanted.moves_with_clock and wanted.filter.folder is None


def _media_type(request: Request, form: Format) -> str:
    is_browser = "text/html" in request.headers.get("accept", "")
    return _FOR_BROWSERS[form] if is_browser else MEDIA_TYPES[form]


def _query(request: Request, wanted: ParsedFilter) -> str:
    """The parameters as they were typed, so that the feed names the very address that it is read at."""
    typed = request.url.query
    query = typed if _AS_IN_A_URI.fullmatch(typed) else wanted.query_string
    return f"?{query}" if query else ""


def _has_since(request: Request, modified: dt.datetime) -> bool:
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except ValueError:
        return False
    return since.tzinfo is not None and modified <= since
