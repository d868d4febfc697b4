"""Shared parts of all routes: the story reader, the settings, access rights, and conditional requests (ETag)."""

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Annotated, Any, NamedTuple

from anyio import CapacityLimiter, to_thread
from fastapi import Depends
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import Response

from aggregator import __version__
from aggregator.intake.manage.feed_check import SourceServices
from aggregator.model.clock import Clock
from aggregator.model.read_model import (
    ArticleDetail,
    Mute,
    StoryRedirect,
)
from aggregator.model.story import StorylineView, StoryText, StoryView
from aggregator.publish.excerpts.excerpt_words import Access
from aggregator.publish.excerpts.story_excerpts import bounded_storyline, for_reader
from aggregator.publish.output_settings import PublishSettings
from aggregator.store.read.marks.mark_rows import Reader
from aggregator.store.read.marks.read_marks import ReadMarks
from aggregator.store.read.reader import StoryReader
from aggregator.web.editor import EditorService
from aggregator.web.health.monitor import HealthMonitor
from aggregator.web.jinja import environment
from aggregator.web.list_query import ListQuery, Selection, select_stories
from aggregator.web.responses import GONE, JsonResponse, RefusedError, too_many
from aggregator.web.security.request_tokens import TokenStore
from aggregator.web.security.visit import is_owner, may_edit

_CHANGING_AT_ONCE = 2
# A search for a feed may last a minute, and other requests need the threads.
_SEARCHING_AT_ONCE = 4
# The filters whose rankings are kept; a ranking has some hundred ids.
_RANKINGS_KEPT = 64
# The id of a story or an article
ID = re.compile(r"[0-9A-Za-z_-]{1,40}", re.ASCII)


class Services(NamedTuple):
    """The services of a server beside stories.

    `push` is a `PushEndpoint`; `watch` reports the health of the daemon; `marks` are the marks of the owner on pages
    and of the readers of the Google Reader API.
    """

    push: TokenStore
    editor: EditorService
    watch: HealthMonitor
    marks: ReadMarks
    sources: SourceServices


class Site:
    """The story reader and the settings of one server, with the operations that all routes share."""

    def __init__(
        self,
        reader: StoryReader,
        settings: PublishSettings,
        clock: Clock,
        services: Services,
    ) -> None:
        self.reader = reader
        self.editor = services.editor
        self.sources = services.sources
        self.marks = services.marks
        # Limits the threads that change sources.
        self.changing = CapacityLimiter(_CHANGING_AT_ONCE)
        # Limits the threads that search for a feed, which may last a minute.
        self.searching = CapacityLimiter(_SEARCHING_AT_ONCE)
        self.settings = settings
        self.clock = clock
        self.jinja: Environment = environment()
        self.jinja.globals["root"] = settings.base_path
        # The ranking of a front page with the usual filters changes only with `StoryReader.last_change`, which is
        # therefore a part of the key (`_state`).
        self.rankings = lru_cache(maxsize=_RANKINGS_KEPT)(
            lambda _state, wanted: reader.rank_front_page(wanted, settings.prefer)
        )
        keys = [query.key for query in settings.queries]
        self._settings_text = f"{settings!r}{keys}"

    def access(self, request: Request) -> Access:
        """Return how much of the texts of articles this request may read."""
        if self.settings.full_text != "never" and is_owner(request):
            return "owner"
        return "all" if self.settings.full_text == "all" else "excerpt"

    def limits(self, request: Request) -> tuple[Access, int]:
        """Return the result of `access`, and the maximum number of words of an article in an excerpt."""
        return self.access(request), self.settings.excerpt_words

    def shows_pictures(self, request: Request) -> bool:
        """Return whether to show pictures, which the client loads from the sites of the articles."""
        return self.settings.images == "direct" and self.access(request) == "owner"

    def reader_of_pages(self, request: Request) -> Reader | None:
        """Return the reader whose marks this request sees and sets; None for strangers.

        This reader is the owner, for a token of scope admin or on loopback. Other tokens are for other people.
        """
        return self.marks.owner() if may_edit(request) else None

    def mutes(self, request: Request) -> tuple[Mute, ...]:
        """Return the mutes that the owner set in the browser, which apply to the owner's pages, phones and feeds."""
        return self.reader.mutes() if is_owner(request) else ()

    def is_muted(self, request: Request, stories: Iterable[str]) -> bool:
        """Return whether the owner asks, and a mute of a storyline hides all of these stories."""
        return is_owner(request) and self.reader.hidden_stories().issuperset(stories)

    def bounded(self, request: Request, story: StoryView) -> StoryView:
        """Return a story with the texts that this request may read."""
        return for_reader(story, None, *self.limits(request))[0]

    def bounded_with_text(
        self, request: Request, story: StoryView
    ) -> tuple[StoryView, StoryText | None]:
        """Return a story and its texts, as far as this request may read them."""
        return for_reader(story, self.reader.text(story.id), *self.limits(request))

    def select(self, asked: ListQuery, limit: int) -> Selection:
        """Return the requested stories; `limit` applies to a query without one. Raises UsageError."""
        return select_stories(
            asked, self.settings.saved_query(asked.saved), self.clock(), limit
        )

    def story(self, story_id: str) -> StoryView | StoryRedirect | None:
        """Return a story; None also for a malformed id, without reading the database."""
        return self.reader.story(story_id) if ID.fullmatch(story_id) else None

    def storyline(self, story_id: str) -> StorylineView | None:
        """Return the storyline of a story; None also for a malformed id, without reading the database."""
        return self.reader.storyline(story_id) if ID.fullmatch(story_id) else None

    def bounded_storyline(self, request: Request, line: StorylineView) -> StorylineView:
        """Return a storyline with the headlines that this request may read."""
        access, words = self.limits(request)
        return line if access == "owner" else bounded_storyline(line, words)

    def gone(self, id_: str) -> bool:
        """Return whether the story or article with this id was removed permanently."""
        return bool(ID.fullmatch(id_)) and self.reader.gone(id_)

    def missing(self, id_: str, words: str) -> RefusedError:
        """Return the error for an unknown id: 410 if its story or article was removed permanently, else 404."""
        return RefusedError(410, GONE) if self.gone(id_) else RefusedError(404, words)

    def article(self, article_id: str) -> ArticleDetail | None:
        """Return an article; None also for a malformed id, without reading the database."""
        return self.reader.article(article_id) if ID.fullmatch(article_id) else None

    def tag(self, request: Request, query_string: str, story_id: str = "") -> str:
        """Return an ETag before the response is rendered; it changes whenever the response may change.

        `story_id` is the id of the story whose text the response may contain.
        """
        changed = self.reader.last_change(story_id if ID.fullmatch(story_id) else "")
        parts = (
            __version__,
            self._settings_text,
            changed,
            self.access(request),
            request.url.path,
            query_string,
        )
        return weak_tag("\x00".join(parts).encode())


def whole_number(text: str) -> int | None:
    """Return the value of a text of one to nine digits; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


async def run_in(
    limiter: CapacityLimiter, work: Callable[..., Response], *given: object
) -> Response:
    """Return `work(*given)`, run in a thread. Raises RefusedError (503) if too many are under way."""
    if limiter.available_tokens < 1:
        raise too_many("changes of sources")
    return await to_thread.run_sync(partial(work, *given), limiter=limiter)


def of_app(name: str) -> Any:
    """Return the dependency of a route on `app.state.NAME`."""

    async def state(request: Request) -> object:
        return getattr(request.app.state, name)

    return Depends(state)


# A parameter of a route: the site of the application
OfSite = Annotated[Site, of_app("site")]


def weak_tag(what: bytes) -> str:
    """Return an ETag of `what`, which is weak because the same response is sent compressed and uncompressed."""
    return f'W/"{hashlib.blake2b(what, digest_size=12).hexdigest()}"'


def conditional(
    request: Request, tag: str | None, render: Callable[[], Response]
) -> Response:
    """Return 304 if the client has this response, otherwise the rendered response with its ETag.

    Without a `tag`, the response is rendered first, and its ETag is a hash of its body.
    """
    if tag is not None and has_tag(request, tag):
        return not_modified(tag)
    response = render()
    if response.status_code != 200:
        return response
    tag = tag or weak_tag(bytes(response.body))
    if has_tag(request, tag):
        return not_modified(tag)
    response.headers["ETag"] = tag
    return response


def hashed_json(request: Request, body: object) -> Response:
    """Return 304 if the client has this JSON, else the JSON with a hash as its ETag."""
    return conditional(request, None, lambda: JsonResponse(body))


def has_tag(request: Request, tag: str) -> bool:
    """Return whether If-None-Match contains the tag, or "*"."""
    tags = request.headers.get("if-none-match", "")
    return tags.strip() == "*" or tag in (part.strip() for part in tags.split(","))


def not_modified(tag: str) -> Response:
    """Return the response to a client that has the version with this ETag already."""
    return Response(status_code=304, headers={"ETag": tag})
