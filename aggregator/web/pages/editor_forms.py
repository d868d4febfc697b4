"""The pages of the person with the token: signing in, correcting the grouping, taking a correction back.

Nothing is done by a GET. A correction is asked for, shown with what it will do, and done when it is sent
again (`sure`); the answer leads to the story, where it can be undone.

Signing in with a browser: the token as a cookie, and what our own forms carry.

The cookie goes with requests that come from pages of ours or from a link (SameSite=Lax), never with a form of
another site. `form_is_ours` holds where a browser knows nothing of that, and for passwords (HTTP Basic),
which browsers send along from anywhere.
"""

import hmac
import re
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from aggregator.model.core import StoryView
from aggregator.model.errors import UsageError
from aggregator.model.read_model import StoryRedirect
from aggregator.pipeline.placement.apply_corrections import CorrectionCommand, CorrectionResult
from aggregator.store.stories.api_tokens import ApiToken
from aggregator.web.dependencies import Site
from aggregator.web.editor import CommandStatus, EditorService
from aggregator.web.pages.pages import Pages
from aggregator.web.security.middleware import BEARERS, form_value, received, token_of
from aggregator.web.security.token_auth import COOKIE, BearerAuthenticator, GivenSecret
from aggregator.web.settings import PublishSettings

REMEMBERED_SECONDS = 90 * 86400  # a browser keeps the cookie; a token that is revoked opens nothing before
MAX_SECRET_CHARS = 200


def sign_in(request: Request, secret: str) -> ApiToken | None:
    """The token with this secret; None for a wrong one. Asks the database: not for the event loop.

    Raises RefusedError (429) after too many wrong ones from one address within a minute.
    """
    bearers: BearerAuthenticator | None = request.scope.get(BEARERS)
    if bearers is None:
        return None
    secret = secret.strip()[:MAX_SECRET_CHARS]
    bearer = bearers.bearer(GivenSecret(secret, "cookie"))
    if bearer is None:
        bearers.refuse_more(request.client.host if request.client else "")
        return None
    return bearer.token


def keep_signed_in(response: Response, secret: str, settings: PublishSettings, *, is_https: bool) -> None:
    """Have the browser send the token with its further requests; `is_https`: this one came over TLS."""
    response.set_cookie(
        COOKIE,
        secret.strip(),
        max_age=REMEMBERED_SECONDS,
        path="/",
        httponly=True,
        samesite="lax",
        secure=is_https or settings.public_url.lower().startswith("https:"),
    )


def sign_out(response: Response) -> None:
    """Have the browser forget the token."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")


def form_is_ours(request: Request, given: str) -> bool:
    """Whether a form that was posted is one that this token's holder got from us."""
    wanted = form_value(request)
    return bool(wanted) and hmac.compare_digest(wanted.encode(), given.encode("utf-8", "surrogatepass"))


MAX_BODY_BYTES = 65_536
BODY_DEADLINE_SECONDS = 10.0
MAX_FIELDS = 2_100  # a story may have 2,000 articles to tick
CORRECTIONS_A_PAGE = 50
NO_STORE = {"Cache-Control": "no-store"}
_ID = re.compile(r"[0-9A-Za-z_-]{1,40}", re.ASCII)

Handler = Callable[[Request, "Fields"], Response]


class Fields:
    """What a form holds; names may come several times."""

    def __init__(self, body: bytes) -> None:
        """Raises UsageError for what no form of ours sends."""
        try:
            text = body.decode("ascii")
            self._pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError as error:
            raise UsageError("that is not a form of this server") from error

    def one(self, name: str) -> str:
        """The last value of `name`, "" where it did not come."""
        return (self.all(name) or [""])[-1]

    def all(self, name: str) -> list[str]:
        """All values of `name`, in their order."""
        return [value.strip() for key, value in self._pairs if key == name]


def routes(site: Site) -> list[Route]:
    """The routes of signing in, and of corrections where there is a desk."""
    forms = Forms(site)
    posted = partial(_posted, Pages(site))
    found = [
        Route("/sign-in", forms.ask_to_sign_in, methods=["GET"]),
        Route("/sign-in", posted(forms.sign_in), methods=["POST"]),
        Route("/sign-out", posted(forms.sign_out), methods=["POST"]),
    ]
    if site.editor is not None:
        found += [
            Route("/correct", posted(partial(forms.correct, site.editor)), methods=["POST"]),
            Route("/corrections", partial(forms.corrections, site.editor), methods=["GET"]),
            Route("/corrections/waiting/{number}", partial(forms.waiting, site.editor), methods=["GET"]),
            Route("/corrections/{number}/undo", posted(partial(forms.undo, site.editor)), methods=["POST"]),
        ]
    return found


def _posted(pages: Pages, handler: Handler) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """A handler of a form: its body is bounded in size and time, its work done in a thread.

    What cannot be done is said on a page of its own, in the words of the error.
    """

    def done(request: Request, body: bytes) -> Response:
        try:
            return handler(request, Fields(body))
        except UsageError as error:
            return pages.problem(request, 409, "That cannot be done", str(error))

    async def answer(request: Request) -> Response:
        try:
            body = await received(request, MAX_BODY_BYTES, BODY_DEADLINE_SECONDS)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        return await to_thread.run_sync(done, request, body)

    return answer


class Forms:
    """A method a form."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pages = Pages(site)

    # --- signing in and out ---------------------------------------------------------------------------------

    def ask_to_sign_in(self, request: Request) -> Response:
        """The page that takes the token."""
        return self._sign_in_page(request, story=request.query_params.get("story", ""))

    def _sign_in_page(self, request: Request, status: int = 200, **values: object) -> Response:
        shown = {"here": "/sign-in", "wrong": False, "story": ""} | values
        response = self._pages.page(request, "sign_in.html", **shown)
        response.status_code = status
        response.headers.update(NO_STORE)
        return response

    def sign_in(self, request: Request, fields: Fields) -> Response:
        """Keep the token as a cookie. Raises RefusedError after too many wrong ones."""
        story = fields.one("story")
        if sign_in(request, fields.one("token")) is None:
            return self._sign_in_page(request, 403, wrong=True, story=story)
        response = RedirectResponse(f"/stories/{story}" if _ID.fullmatch(story) else "/", 303)
        is_https = request.url.scheme == "https"
        keep_signed_in(response, fields.one("token"), self._site.settings, is_https=is_https)
        return response

    def sign_out(self, request: Request, fields: Fields) -> Response:
        """Forget the token."""
        if not form_is_ours(request, fields.one("form")):
            return self._not_ours(request)
        response = RedirectResponse("/", 303)
        sign_out(response)
        return response

    # --- corrections ----------------------------------------------------------------------------------------

    def correct(self, editor: EditorService, request: Request, fields: Fields) -> Response:
        """Show what a correction will do; do it when it was confirmed. Raises UsageError."""
        if not self._may(request, fields):
            return self._not_ours(request)
        wish = _command(fields)
        if fields.one("sure"):
            return self._asked(request, editor.ask(wish))
        return self._ask_again(request, wish)

    def _ask_again(self, request: Request, wish: CorrectionCommand) -> Response:
        stories = [self._live(one) for one in wish.stories]
        articles = [article for story in stories for article in story.articles if article.id in wish.articles]
        leaving = None
        if wish.kind == "move":
            leaving = self._story_of(wish.articles[0], stories[0])
            articles = [article for article in leaving.articles if article.id == wish.articles[0]]
        if wish.articles and len(articles) != len(wish.articles):
            raise UsageError("an article that was ticked is not in the story any more; open it again")
        if wish.kind == "merge" and stories[0].id == stories[-1].id:
            raise UsageError("these are one story already")
        return self._pages.page(
            request,
            "confirm.html",
            here="/correct",
            wish=wish,
            stories=stories,
            chosen=articles,
            leaving=leaving,
        )

    def _live(self, story_id: str) -> StoryView:
        story = self._site.story(story_id)
        if isinstance(story, StoryRedirect):
            story = self._site.story(story.to)
        if not isinstance(story, StoryView):
            raise UsageError(f"there is no story {story_id[:40]!r}; take its id or address from its page")
        return story

    def _story_of(self, article_id: str, target: StoryView) -> StoryView:
        found = self._site.reader.article(article_id)
        if found is None:
            raise UsageError(f"there is no article {article_id[:40]!r}")
        if found.story == target.id:
            raise UsageError("the article is in that story already")
        return self._live(found.story)

    def undo(self, editor: EditorService, request: Request, fields: Fields) -> Response:
        """Take a correction back. Raises UsageError where a later one holds it."""
        if not self._may(request, fields):
            return self._not_ours(request)
        number = _number(request.path_params["number"])
        if number is None:
            return self._pages.not_found(request)
        return self._asked(request, editor.ask(CorrectionCommand(undo=number)), undone=True)

    def corrections(self, editor: EditorService, request: Request) -> Response:
        """What persons decided, the newest first."""
        if not self._pages.may_correct(request):
            return RedirectResponse("/sign-in", 303)
        page = editor.corrections(CORRECTIONS_A_PAGE, _number(request.query_params.get("before", "")))
        return self._pages.page(request, "corrections.html", here="/corrections", page=page)

    def waiting(self, editor: EditorService, request: Request) -> Response:
        """What became of a correction that was not made at once."""
        if not self._pages.may_correct(request):
            return RedirectResponse("/sign-in", 303)
        number = _number(request.path_params["number"])
        asked = None if number is None else editor.asked(number)
        if asked is None:
            return self._pages.not_found(request)
        return self._asked(request, asked)

    def _asked(self, request: Request, asked: CommandStatus, *, undone: bool = False) -> Response:
        if asked.state == "refused":
            raise UsageError(asked.reason or "the correction was refused")
        if asked.corrected is None:
            return self._pages.page(request, "waiting.html", here="/corrections", number=asked.request)
        return RedirectResponse(_place_of(asked.corrected, undone=undone), 303)

    # --- who may --------------------------------------------------------------------------------------------

    def _may(self, request: Request, fields: Fields) -> bool:
        return self._pages.may_correct(request) and form_is_ours(request, fields.one("form"))

    def _not_ours(self, request: Request) -> Response:
        if token_of(request) is None:
            return self._pages.problem(
                request, 403, "Sign in first", "Only the person with the token may do this."
            )
        return self._pages.problem(
            request,
            403,
            "That form is not valid here",
            "It was made for another token, or the token has no right to correct. Open the page again.",
        )


def _command(fields: Fields) -> CorrectionCommand:
    """What a form asks for. Raises UsageError."""
    story, articles = _story_id(fields.one("story")), fields.all("article")
    if any(not _ID.fullmatch(article) for article in articles):
        raise UsageError("that is no id of an article")
    kind = fields.one("kind")
    if kind == "split":
        if not articles:
            raise UsageError("tick the articles that tell of another event")
        return CorrectionCommand(kind="split", stories=(story,), articles=tuple(dict.fromkeys(articles)))
    other = _story_id(fields.one("address") or fields.one("other"))
    if kind == "merge":
        return CorrectionCommand(kind="merge", stories=(story, other))
    if kind == "move":
        if len(articles) != 1:
            raise UsageError("tick one article: one is moved at a time")
        return CorrectionCommand(kind="move", stories=(other,), articles=(articles[0],))
    raise UsageError("that is not a form of this server")


def _story_id(given: str) -> str:
    """The id in what was typed: an id, or the address of a story's page."""
    if not given:
        raise UsageError("name the other story: its id, or the address of its page")
    try:
        found = urlsplit(given).path.rstrip("/").rpartition("/")[2]
    except ValueError:
        found = ""
    if not _ID.fullmatch(found):
        raise UsageError(f"{given[:60]!r} is no id of a story and no address of its page")
    return found


def _place_of(corrected: CorrectionResult, *, undone: bool) -> str:
    """The story to show, and what to say there."""
    if not corrected.stories:
        return "/corrections"
    return f"/stories/{corrected.stories[0]}?{'undone' if undone else 'done'}={corrected.n}"


def _number(given: str) -> int | None:
    return int(given) if given.isascii() and given.isdigit() and len(given) <= 9 else None
