"""The routes of feeds: `/feeds/stories.rss`, `/feeds/NAME.json`, `/feeds/digest.atom`, and so on.

A client that has the current feed of stories usually receives 304 before stories are read. Other feeds are rendered
first: those of digests and storylines, and those whose filter has a relative time, a folder, a topic or a name.
"""

import re
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aggregator.config.story_query import SavedQuery
from aggregator.model.clock import in_utc
from aggregator.model.errors import UsageError
from aggregator.web.dependencies import (
    Site,
    conditional,
    has_tag,
    not_modified,
)
from aggregator.web.feeds.channel import (
    ENDINGS,
    MEDIA_TYPES,
    STORIES,
    STORYLINES,
    Channel,
    Format,
    channel,
    newest_first,
)
from aggregator.web.feeds.digest_feeds import FEED_DIGESTS, digest_channel
from aggregator.web.feeds.feed_items import gather, items_of
from aggregator.web.feeds.feed_texts import feed_title
from aggregator.web.feeds.formats import encode_feed
from aggregator.web.list_query import ListQuery, select_stories

# Last-Modified has whole seconds, so it is sent only if no further change can fall into the same second.
SETTLED = timedelta(seconds=2)
_FEEDS_KEPT = 16  # encoded, of some 100 KB each (limit)
_URI_QUERY = re.compile(r"[0-9A-Za-z;/?:@&=+$,.\-_!~*'()%]{0,2000}")


def routes(site: Site) -> list[Route]:
    """Return the routes of all feeds."""
    feeds = _Feeds(site)
    return [
        Route("/feeds/{name}.{ending}", feeds.answer),
        Route(STORYLINES + "/{id}.{ending}", feeds.storyline),
    ]


class _Feeds:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._started = site.clock()
        self._kept: dict[str, bytes] = {}  # feeds by ETag

    def answer(self, request: Request) -> Response:
        """Answer with the feed of digests, of all stories, or of the stories of a saved query."""
        site = self._site
        name = request.path_params["name"]
        form = ENDINGS.get(request.path_params["ending"])
        queries = {query.key: query for query in site.settings.queries}
        if form is None:
            raise HTTPException(404)
        if name == "digest" and site.settings.digest_stories:
            wanted = partial(site.settings.digest_filter, mutes=site.mutes(request))
            digests = site.reader.digests(wanted, FEED_DIGESTS)
            return _respond_hashed(
                request,
                digest_channel(
                    digests,
                    site.settings,
                    self_url=site.settings.base_url + request.url.path,
                ),
                form,
            )
        if name in queries or name == STORIES:
            return self._stories(request, form, queries.get(name))
        raise HTTPException(404)

    def storyline(self, request: Request) -> Response:
        """Answer with the feed of a storyline; the id may be the id of any story that belongs to it now."""
        site, settings = self._site, self._site.settings
        form = ENDINGS.get(request.path_params["ending"])
        line = site.storyline(request.path_params["id"])
        if form is None or line is None:
            raise HTTPException(404)
        stories = site.reader.stories_by_id(tuple(one.id for one in line.stories))
        loaded = items_of(
            site.reader, stories, settings, are_whole=site.access(request) == "owner"
        )
        title = site.bounded_storyline(request, line).title
        whole = Channel(
            id=f"tag:aggregator,2026:storylines/{line.id}",
            title=feed_title(f"{settings.title}: {title}") or "Storyline",
            base_url=settings.base_url,
            page=f"{STORYLINES}/{line.id}",
            self_url=settings.base_url + request.url.path,
            items=newest_first(loaded.items),
        )
        return _respond_hashed(request, whole, form)

    def _stories(
        self, request: Request, form: Format, named: SavedQuery | None
    ) -> Response:
        """Answer with a feed of stories, except those that the reader muted. Raises UsageError."""
        site, settings = self._site, self._site.settings
        asked = ListQuery.read(request.query_params)
        if asked.order == "front" or asked.after:
            raise UsageError("order and after: a feed has the newest stories only")
        saved = settings.saved_query(asked.saved) or named
        limit = (saved and saved.items) or settings.items
        selected = select_stories(asked, saved, site.clock(), limit)
        selected = selected.without(site.mutes(request))
        query = request.url.query
        tag = modified = None
        if selected.query.changes_with_stories:
            tag = site.tag(request, f"{selected.filter.mutes}\n{query}")
            if has_tag(request, tag):
                return not_modified(tag)
            modified = self._last_modified()
            if _is_unmodified(request, modified):
                return not_modified(tag)
            if (kept := self._kept.get(tag)) is not None:
                return _feed(kept, form, tag, modified)
        loaded = gather(
            site.reader, selected, settings, are_whole=site.access(request) == "owner"
        )
        # A feed contains its own address as the client sent it.
        if not _URI_QUERY.fullmatch(query):
            query = asked.query_string
        self_url = settings.base_url + request.url.path
        if query:
            self_url += f"?{query}"
        whole = channel(named, selected, loaded.items, settings, self_url=self_url)
        if tag is None or not loaded.complete:
            # Rendering will change the feed without a change of a story, so the tag would not change.
            return _respond_hashed(request, whole, form)
        body = encode_feed(whole, form)
        # The newest feeds are kept, so that many readers of one state cost one rendering. The dictionary is replaced,
        # because other threads read it.
        self._kept = dict([*self._kept.items(), (tag, body)][-_FEEDS_KEPT:])
        return _feed(body, form, tag, modified)

    def _last_modified(self) -> datetime | None:
        """Return the time of the newest change, or of the start if it is later, because settings may have changed.

        Return None while a further change within the same second is possible.
        """
        changed = self._site.reader.last_change_at()
        newest = max(changed, self._started) if changed else self._started
        if self._site.clock() - newest < SETTLED:
            return None
        return in_utc(newest).replace(microsecond=0)


def _respond_hashed(request: Request, whole: Channel, form: Format) -> Response:
    """Return 304 if the client has this feed, else the feed with a hash as its ETag."""
    return conditional(request, None, lambda: _feed(encode_feed(whole, form), form))


def _feed(
    body: bytes,
    form: Format,
    tag: str | None = None,
    modified: datetime | None = None,
) -> Response:
    response = Response(body, media_type=f"{MEDIA_TYPES[form]}; charset=utf-8")
    if tag is not None:
        response.headers["ETag"] = tag
    if modified is not None:
        response.headers["Last-Modified"] = format_datetime(modified, usegmt=True)
    return response


def _is_unmodified(request: Request, modified: datetime | None) -> bool:
    """Return whether If-Modified-Since shows that the client has the feed; an ETag in the request counts instead."""
    if modified is None or "if-none-match" in request.headers:
        return False
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    # A year or an offset with many digits overflows.
    except (ValueError, OverflowError):
        return False
    return since.tzinfo is not None and modified <= since
