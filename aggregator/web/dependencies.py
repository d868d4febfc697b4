"""What the routes share: the shelf, the settings, who is asking, and answers that need not be sent twice."""

import datetime as dt
import hashlib
import re
from collections.abc import Callable

import msgspec
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import Response

from aggregator.model.core import MergedStory, StoryView
from aggregator.model.read_model import ArticleDetail, StoryReader, StoryRedirect
from aggregator.web.editor import EditorService
from aggregator.web.excerpts import Access, for_reader
from aggregator.web.filters import ParsedFilter, cursor_time, going_on, parse_filter
from aggregator.web.jinja import environment, output_version
from aggregator.web.security.middleware import is_owner
from aggregator.web.settings import PublishSettings

Clock = Callable[[], dt.datetime]
_ID = re.compile(r"[0-9A-Za-z_-]{1,40}", re.ASCII)


def utc_now() -> dt.datetime:
    """The clock of the running server; tests bring their own."""
    return dt.datetime.now(dt.UTC)


class Site:
    """One server's shelf and settings, with what every route does alike."""

    def __init__(
        self,
        reader: StoryReader,
        settings: PublishSettings,
        clock: Clock,
        editor: EditorService | None = None,
    ) -> None:
        self.reader = reader
        self.editor = editor
        self.settings = settings
        self.clock = clock
        self.jinja: Environment = environment()
        self.version = output_version()
        self._settings_word = msgspec.json.encode(settings).decode()

    def access(self, request: Request) -> Access:
        """What of an article's text this request may carry away."""
        if self.settings.full_text == "all":
            return "owner" if is_owner(request) else "all"
        return "owner" if self.settings.full_text == "owner" and is_owner(request) else "excerpt"

    def bounded(
        self, request: Request, story: StoryView, merged: MergedStory | None = None
    ) -> tuple[StoryView, MergedStory | None]:
        """A story as this request may see it."""
        return for_reader(story, merged, self.access(request), self.settings.excerpt_words)

    def wanted(self, request: Request, default_limit: int, *, ignore_unknown: bool = False) -> ParsedFilter:
        """The filter in the address. Raises UsageError."""
        return self.filter_and_start(request, default_limit, ignore_unknown=ignore_unknown)[0]

    def filter_and_start(
        self, request: Request, default_limit: int, *, ignore_unknown: bool = False
    ) -> tuple[ParsedFilter, dt.datetime]:
        """The filter in the address, and when the walk began that this page is of. Raises UsageError."""
        after = request.query_params.get("after", "").strip()
        began = cursor_time(after) or self.clock()
        wanted = parse_filter(
            request.query_params.multi_items(),
            began,
            default_limit=default_limit,
            ignore_unknown=ignore_unknown,
            queries=self.settings.queries,
        )
        return going_on(wanted), began

    def story(self, story_id: str) -> StoryView | StoryRedirect | None:
        """One story; None also for what cannot be an id, without asking the shelf."""
        return self.reader.story(story_id) if _ID.fullmatch(story_id) else None

    def gone(self, id_: str) -> bool:
        """Whether there was a story or an article with this id, and there never will be again."""
        return bool(_ID.fullmatch(id_)) and self.reader.gone(id_)

    def article(self, article_id: str) -> ArticleDetail | None:
        """One article; None also for what cannot be an id, without asking the shelf."""
        return self.reader.article(article_id) if _ID.fullmatch(article_id) else None

    def tag(self, request: Request, query_string: str) -> str:
        """An ETag that is known before anything is rendered; changes whenever the answer could."""
        return self.common_tag(self.access(request), request.url.path, query_string)

    def common_tag(self, *parts: str) -> str:
        """`tag` for what everybody gets alike; `parts` say which answer it is."""
        common = (self.version, self._settings_word, self.reader.last_change())
        return weak_tag("\x00".join((*common, *parts)).encode())


def weak_tag(what: bytes) -> str:
    """Weak, because the same answer goes out compressed and plain."""
    return f'W/"{hashlib.blake2b(what, digest_size=12).hexdigest()}"'


def conditional(request: Request, tag: str | None, render: Callable[[], Response]) -> Response:
    """304 when the reader has this answer already, else the answer with its ETag.

    Without a `tag` the answer is rendered first and tagged by its bytes.
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


def has_tag(request: Request, tag: str) -> bool:
    """Whether the reader says that it has this answer."""
    asked = request.headers.get("if-none-match", "")
    return asked.strip() == "*" or tag in (part.strip() for part in asked.split(","))


def not_modified(tag: str) -> Response:
    """304 with its tag."""
    return Response(status_code=304, headers={"ETag": tag})
