"""The forms of corrections and of undoing them, and the page of all corrections.

A correction form leads to a confirmation page with the effect; the correction is made when that page is
submitted (`sure`). The response redirects to the story, where it can be undone.
"""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aggregator.grouping.corrections.correction_command import CorrectionCommand
from aggregator.model.errors import UsageError
from aggregator.model.story import StoryView
from aggregator.web.dependencies import ID, whole_number
from aggregator.web.editor import CommandStatus
from aggregator.web.forms.posted_form import Fields
from aggregator.web.pages.pages import Pages, typed_number
from aggregator.web.security.visit import may_edit

CORRECTIONS_A_PAGE = 50


def correct(site: Pages, request: Request, fields: Fields) -> Response:
    """Show the effect of a correction, or make it if it was confirmed. Raises UsageError."""
    command = _command(fields)
    if fields.get("sure", ""):
        shown_on = (
            "storylines" if command.kind in ("join", "leave", "part") else "stories"
        )
        return _show_result(site, request, site.editor.submit(command), shown_on)
    stories = [_current(site, story) for story in command.stories]
    if command.kind in ("merge", "join") and stories[0].id == stories[-1].id:
        raise UsageError("both are one story already")
    leaving = None
    if command.kind == "move":
        article_id = command.articles[0]
        article = site.reader.article(article_id)
        if article is None:
            raise UsageError(f"there is no article {article_id[:40]!r}")
        if article.story == stories[0].id:
            raise UsageError("the article is in that story already")
        leaving = _current(site, article.story)
    articles = []
    for story in [leaving] if leaving is not None else stories:
        articles += [a for a in story.articles if a.id in command.articles]
    if len(articles) != len(command.articles):
        raise UsageError(
            "a selected article is no longer in the story; open the story again"
        )
    return site.page(
        request,
        "confirm.html",
        here="/correct",
        command=command,
        stories=stories,
        chosen=articles,
        leaving=leaving,
    )


def _current(site: Pages, story_id: str) -> StoryView:
    story = site.reader.current_story(story_id)
    if story is None:
        raise UsageError(
            f"there is no story {story_id[:40]!r}; copy the id or address from its page"
        )
    return story


def undo(site: Pages, request: Request, _fields: Fields) -> Response:
    """Undo a correction. Raises UsageError if a later correction depends on it."""
    number = whole_number(request.path_params["number"])
    if number is None:
        return site.not_found(request)
    status = site.editor.submit(CorrectionCommand(undo=number))
    return _show_result(site, request, status, "stories", done="undone")


def list_corrections(site: Pages, request: Request) -> Response:
    """Return the page of all corrections, the newest first."""
    if not may_edit(request):
        return RedirectResponse("/sign-in", 303)
    page = site.editor.corrections(CORRECTIONS_A_PAGE, typed_number(request, "before"))
    ids = {}
    for correction in page.corrections:
        ids.update(dict.fromkeys(correction.stories))
    stories = site.reader.list_stories(tuple(ids))
    return site.page(
        request,
        "corrections.html",
        here="/corrections",
        page=page,
        titles={story.id: story.title for story in stories},
    )


def _show_result(
    site: Pages,
    request: Request,
    status: CommandStatus,
    shown_on: str,
    *,
    done: str = "done",
) -> Response:
    corrected = status.corrected
    if corrected is None:
        return site.page(request, "waiting.html", here="/corrections")
    address = "/corrections"
    if corrected.stories:
        address = f"/{shown_on}/{corrected.stories[0]}?{done}={corrected.n}"
    return RedirectResponse(address, 303)


def _command(fields: Fields) -> CorrectionCommand:
    """Return the command of a form. Raises UsageError."""
    story = _story_id(fields.get("story", ""))
    articles = fields.getlist("article")
    if any(not ID.fullmatch(article) for article in articles):
        raise UsageError("invalid article id; open the page again")
    kind = fields.get("kind", "")
    if kind == "split":
        if not articles:
            raise UsageError("select the articles that report another event")
        return CorrectionCommand(
            kind="split", stories=(story,), articles=tuple(dict.fromkeys(articles))
        )
    if kind == "leave":
        return CorrectionCommand(kind="leave", stories=(story,))
    if kind == "part":
        return CorrectionCommand(kind="part", stories=(story,))
    other = _story_id(fields.get("address", "") or fields.get("other", ""))
    if kind == "merge":
        return CorrectionCommand(kind="merge", stories=(story, other))
    if kind == "join":
        return CorrectionCommand(kind="join", stories=(story, other))
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
