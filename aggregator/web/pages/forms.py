"""The forms of pages: signing in, corrections and their undoing, and changes of sources.

A GET never changes anything. A correction form leads to a confirmation page with the effect; the correction
is made when that page is submitted (`sure`). The response redirects to the story, where it can be undone.
Sources are changed by a token of scope admin, and by the owner on loopback, who needs no terminal to begin.

Browsers sign in with the token as a cookie. They send it with requests from pages of this server and from
links (SameSite=Lax), never with a form of another site. `form_is_valid` also protects browsers without
SameSite, and HTTP Basic, whose password browsers send with every request.
"""

import hmac
from collections.abc import Callable, Coroutine
from email.parser import BytesParser
from email.policy import HTTP
from functools import partial
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from anyio import to_thread
from msgspec import UNSET
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from aggregator.config.settings import duration_as_typed
from aggregator.grouping.corrections.apply_corrections import CorrectionCommand
from aggregator.intake.manage import adding, changing, feed_lists, feed_search
from aggregator.intake.manage.adding import SourceOptions
from aggregator.model.core import StoryView
from aggregator.model.errors import FetchError, ReadError, UsageError
from aggregator.model.read_model import StoryRedirect
from aggregator.store.intake.sources import Source
from aggregator.web.api.edit_sources import (
    MAX_OPML_BYTES,
    ChangeSourceRequest,
    change,
    found,
    log_change,
)
from aggregator.web.dependencies import ID, Site, run_in
from aggregator.web.editor import (
    BODY_DEADLINE_SECONDS,
    MAX_BODY_BYTES,
    CommandStatus,
    EditorService,
)
from aggregator.web.filters import whole_number
from aggregator.web.pages.pages import Pages
from aggregator.web.pages.visitor import set_cookie
from aggregator.web.security.middleware import form_value, may_edit, read_body, sign_in
from aggregator.web.security.token_auth import COOKIE

# The lifetime of the cookie; a revoked token becomes invalid at once
REMEMBERED_SECONDS = 90 * 86400


def form_is_valid(request: Request, value: str) -> bool:
    """Return whether `value` is the CSRF value that this server put into the forms of this token."""
    expected = form_value(request)
    return bool(expected) and hmac.compare_digest(
        expected.encode(), value.encode("utf-8", "surrogatepass")
    )


MAX_FIELDS = 2_100  # a story may have 2,000 articles to select
CORRECTIONS_A_PAGE = 50
NO_STORE = {"Cache-Control": "no-store"}

Fields = ImmutableMultiDict[str, str]  # of a form; a name may have several values
Handler = Callable[[Request, Fields], Response]


def fields_of(_request: Request, body: bytes) -> Fields:
    """Return the fields of a form. Raises UsageError if the body is not a form of this server."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS
        )
    except ValueError as error:
        raise UsageError("the form is invalid; open the page again") from error
    return ImmutableMultiDict([(name, value.strip()) for name, value in pairs])


def routes(site: Site) -> list[Route]:
    """Return the routes of signing in, and of corrections and sources if the site has their services."""
    forms = Forms(site)
    pages = Pages(site)
    posted = partial(posted_form, pages)
    edited = partial(posted_form, pages, may=pages.may_correct)
    all_routes = [
        Route("/sign-in", forms.ask_to_sign_in, methods=["GET"]),
        Route("/sign-in", posted(forms.sign_in), methods=["POST"]),
        Route(
            "/sign-out",
            posted(forms.sign_out, may=lambda _request: True),
            methods=["POST"],
        ),
    ]
    if site.editor is not None:
        all_routes += [
            Route(
                "/correct",
                edited(partial(forms.correct, site.editor)),
                methods=["POST"],
            ),
            Route(
                "/corrections", partial(forms.corrections, site.editor), methods=["GET"]
            ),
            Route(
                "/corrections/{number}/undo",
                edited(partial(forms.undo, site.editor)),
                methods=["POST"],
            ),
        ]
    return all_routes if site.sources is None else [*_source_routes(site), *all_routes]


def posted_form(
    pages: Pages,
    handler: Handler,
    *,
    may: Callable[[Request], bool] | None = None,
    read: Callable[[Request, bytes], Fields] = fields_of,
    most_bytes: int = MAX_BODY_BYTES,
    run: Callable[..., Coroutine[Any, Any, Response]] = to_thread.run_sync,
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Return an endpoint that reads a form within limits of size and time and runs `handler` in a thread.

    `may`: whether the client may send this form, which then needs its CSRF value. A UsageError, ReadError or
    FetchError becomes a page with its message.
    """

    def handle(request: Request, body: bytes) -> Response:
        try:
            fields = read(request, body)
            if may is None or (
                may(request) and form_is_valid(request, fields.get("form", ""))
            ):
                return handler(request, fields)
            detail = "The form belongs to another token, or it needs one of scope admin. Open the page again."
            return pages.problem(request, 403, "Not allowed", detail)
        except (UsageError, ReadError, FetchError) as error:
            return pages.problem(request, 409, "Not possible", str(error))

    async def answer(request: Request) -> Response:
        return await run(
            handle, request, await read_body(request, most_bytes, BODY_DEADLINE_SECONDS)
        )

    return answer


class Forms:
    """One method per form or page."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pages = Pages(site)

    # --- signing in and out ---------------------------------------------------------------------------------

    def ask_to_sign_in(
        self,
        request: Request,
        status: int = 200,
        *,
        story: str = "",
        wrong: bool = False,
    ) -> Response:
        """Return the page that asks for the token."""
        story = story or request.query_params.get("story", "")
        response = self._pages.page(
            request, "sign_in.html", status, here="/sign-in", wrong=wrong, story=story
        )
        response.headers.update(NO_STORE)
        return response

    def sign_in(self, request: Request, fields: Fields) -> Response:
        """Set the cookie with the token. Raises RefusedError (429) after too many wrong tokens."""
        story = fields.get("story", "")
        if sign_in(request, fields.get("token", "")) is None:
            return self.ask_to_sign_in(request, 403, wrong=True, story=story)
        response = RedirectResponse(
            f"/stories/{story}" if ID.fullmatch(story) else "/", 303
        )
        token = fields.get("token", "")
        set_cookie(
            request,
            response,
            self._site,
            COOKIE,
            value=token,
            max_age=REMEMBERED_SECONDS,
        )
        return response

    def sign_out(self, _request: Request, _fields: Fields) -> Response:
        """Delete the cookie with the token."""
        response = RedirectResponse("/", 303)
        path = self._site.settings.base_path or "/"
        response.delete_cookie(COOKIE, path=path, httponly=True, samesite="lax")
        return response

    # --- corrections ----------------------------------------------------------------------------------------

    def correct(
        self, editor: EditorService, request: Request, fields: Fields
    ) -> Response:
        """Show the effect of a correction, or make it if it was confirmed. Raises UsageError."""
        command = _command(fields)
        if fields.get("sure", ""):
            return self._result(request, editor.submit(command))
        return self._confirmation(request, command)

    def _confirmation(self, request: Request, command: CorrectionCommand) -> Response:
        stories = [self._current(one) for one in command.stories]
        articles = [
            article
            for story in stories
            for article in story.articles
            if article.id in command.articles
        ]
        leaving = None
        if command.kind == "move":
            leaving = self._story_of(command.articles[0], stories[0])
            articles = [
                article
                for article in leaving.articles
                if article.id == command.articles[0]
            ]
        if command.articles and len(articles) != len(command.articles):
            raise UsageError(
                "a selected article is no longer in the story; open the story again"
            )
        if command.kind == "merge" and stories[0].id == stories[-1].id:
            raise UsageError("both are one story already")
        return self._pages.page(
            request,
            "confirm.html",
            here="/correct",
            command=command,
            stories=stories,
            chosen=articles,
            leaving=leaving,
        )

    def _current(self, story_id: str) -> StoryView:
        story = self._site.story(story_id)
        if isinstance(story, StoryRedirect):
            story = self._site.story(story.to)
        if not isinstance(story, StoryView):
            raise UsageError(
                f"there is no story {story_id[:40]!r}; copy the id or address from its page"
            )
        return story

    def _story_of(self, article_id: str, target: StoryView) -> StoryView:
        article = self._site.reader.article(article_id)
        if article is None:
            raise UsageError(f"there is no article {article_id[:40]!r}")
        if article.story == target.id:
            raise UsageError("the article is in that story already")
        return self._current(article.story)

    def undo(
        self, editor: EditorService, request: Request, _fields: Fields
    ) -> Response:
        """Undo a correction. Raises UsageError if a later correction depends on it."""
        number = whole_number(request.path_params["number"])
        if number is None:
            return self._pages.not_found(request)
        return self._result(
            request, editor.submit(CorrectionCommand(undo=number)), undone=True
        )

    def corrections(self, editor: EditorService, request: Request) -> Response:
        """Return the page of all corrections, the newest first."""
        if not self._pages.may_correct(request):
            return RedirectResponse("/sign-in", 303)
        page = editor.corrections(
            CORRECTIONS_A_PAGE, whole_number(request.query_params.get("before", ""))
        )
        ids = dict.fromkeys(
            story for each in page.corrections for story in each.stories
        )
        titles = {
            story.id: story.title
            for story in self._site.reader.list_stories(tuple(ids))
        }
        return self._pages.page(
            request, "corrections.html", here="/corrections", page=page, titles=titles
        )

    def _result(
        self, request: Request, status: CommandStatus, *, undone: bool = False
    ) -> Response:
        if status.corrected is None:
            return self._pages.page(request, "waiting.html", here="/corrections")
        corrected, stories = status.corrected, status.corrected.stories
        done = f"{'undone' if undone else 'done'}={corrected.n}"
        return RedirectResponse(
            f"/stories/{stories[0]}?{done}" if stories else "/corrections", 303
        )


def _command(fields: Fields) -> CorrectionCommand:
    """Return the command of a form. Raises UsageError."""
    story, articles = _story_id(fields.get("story", "")), fields.getlist("article")
    if any(not ID.fullmatch(article) for article in articles):
        raise UsageError("invalid article id; open the page again")
    kind = fields.get("kind", "")
    if kind == "split":
        if not articles:
            raise UsageError("select the articles that report another event")
        return CorrectionCommand(
            kind="split", stories=(story,), articles=tuple(dict.fromkeys(articles))
        )
    other = _story_id(fields.get("address", "") or fields.get("other", ""))
    if kind == "merge":
        return CorrectionCommand(kind="merge", stories=(story, other))
    if kind == "move":
        if len(articles) != 1:
            raise UsageError("select one article: only one can be moved at a time")
        return CorrectionCommand(kind="move", stories=(other,), articles=(articles[0],))
    raise UsageError("the form is invalid; open the page again")


def _story_id(text: str) -> str:
    """Return the id in `text`, which is an id or the address of the story's page. Raises UsageError."""
    if not text:
        raise UsageError("enter the id of the other story or the address of its page")
    try:
        id_ = urlsplit(text).path.rstrip("/").rpartition("/")[2]
    except ValueError:
        id_ = ""
    if not ID.fullmatch(id_):
        raise UsageError(
            f"{text[:60]!r} is not the id of a story or the address of its page"
        )
    return id_


ENTRIES_SHOWN = 5  # in a preview
_ACTS = ("pause", "resume")
_MOST_PARTS = 10  # of a form
OTHERS_SHOWN = 8  # feeds that the page declares, beside the one that was found


def _source_routes(site: Site) -> list[Route]:
    forms = SourceForms(site)

    def form(path: str, handler: Handler, **options: Any) -> Route:
        given = {"run": partial(run_in, site.changing)} | options
        return Route(
            path,
            posted_form(Pages(site), handler, may=may_edit, **given),
            methods=["POST"],
        )

    return [
        form("/sources/preview", forms.preview, run=partial(run_in, site.searching)),
        form("/sources/add", forms.add, run=partial(run_in, site.searching)),
        form("/sources/opml", forms.upload, read=uploaded, most_bytes=MAX_OPML_BYTES),
        form("/sources/{id}", forms.save),
    ]


def uploaded(request: Request, body: bytes) -> Fields:
    """Return the fields of a form with files as text. Raises UsageError if the body is not such a form."""
    if not may_edit(request):
        return ImmutableMultiDict()  # refused
    kind = request.headers.get("content-type", "").encode("ascii", "replace")
    form = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + kind + b"\r\n\r\n" + body
    )
    if not form.is_multipart():
        raise UsageError("the form is invalid; open the page again")
    pairs = []
    for part in islice(form.iter_parts(), _MOST_PARTS):
        name = part.get_param("name", "", "content-disposition")
        data = part.get_payload(decode=True)
        pairs.append(
            (str(name), data.decode("latin-1") if isinstance(data, bytes) else "")
        )
    return ImmutableMultiDict(pairs)


class SourceForms:
    """One method per form or page."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pages = Pages(site)

    def preview(self, request: Request, fields: Fields) -> Response:
        """Show the feed at an address, or of that site, before it is added. Raises UsageError, ReadError."""
        config, _, reader = self._site.source_services
        feed = feed_search.find(config, fields.get("url", ""), reader)
        return self._pages.page(
            request,
            "source_preview.html",
            here="/sources",
            found=feed,
            entries=feed.feed.entries[:ENTRIES_SHOWN],
            others=feed.others[:OTHERS_SHOWN],
            folders=self._site.reader.folders(),
        )

    def add(self, request: Request, fields: Fields) -> Response:
        """Add a feed. Raises UsageError, ReadError."""
        options = SourceOptions(
            name=adding.given(fields.get("name", "")[:200]),
            folder=adding.given(fields.get("folder", "")[:200]),
        )
        config, database, reader = self._site.source_services
        added = adding.add(config, database, fields.get("url", ""), options, reader)
        log_change(request, "save")
        return _to_sources(added=added.source.id)

    def upload(self, request: Request, fields: Fields) -> Response:
        """Add the feeds of an OPML file. Raises UsageError, ReadError."""
        config, database, _ = self._site.source_services
        data = fields.get("file", "").encode("latin-1")
        result = feed_lists.import_feeds(
            config, database, data, "the file", allow_private="allow_private" in fields
        )
        log_change(request, "save")
        if result.skipped:
            return self._pages.page(
                request, "imported.html", here="/sources", result=result
            )
        return _to_sources(imported=result.added, known=result.known)

    def save(self, request: Request, fields: Fields) -> Response:
        """Change, pause, resume or remove a source. Raises UsageError, RefusedError (404)."""
        config, database, _ = self._site.source_services
        source, act = (
            found(self._site, request.path_params["id"]),
            fields.get("act", ""),
        )
        if act == "remove":
            changing.remove(config, database, source)
            log_change(request, act)
            return _to_sources(removed=1)
        if act in _ACTS:
            asked = ChangeSourceRequest(paused=act == "pause")
        elif act not in ("save", ""):  # "": the form was sent without a button
            raise UsageError("there is no such change of a source")
        else:
            name, folder = (fields.get(one, "")[:200] for one in ("name", "folder"))
            typed = fields.get("interval")
            interval = (
                UNSET if typed is None or typed == interval_as_typed(source) else typed
            )
            asked = ChangeSourceRequest(name=name, folder=folder, interval=interval)
        change(self._site, source, asked)
        log_change(request, act or "save")
        return RedirectResponse(f"/sources/{source.id}?saved=1", 303)


def interval_as_typed(source: Source) -> str:
    """Return the interval as it is typed; "" for the configured one."""
    return duration_as_typed(source.interval_seconds) if source.has_own_interval else ""


def _to_sources(**done: str | int) -> Response:
    return RedirectResponse(f"/sources?{urlencode(done)}", 303)
