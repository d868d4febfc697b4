"""`/api/v1/corrections`: every request needs a token with the scope admin."""

from typing import Annotated

import msgspec
from anyio import to_thread
from fastapi import Depends, Query, Request, Response
from msgspec import Meta
from pydantic import Field

from aggregator.config.story_query import QueryModel
from aggregator.grouping.corrections.correction_command import CorrectionCommand
from aggregator.model.errors import UsageError
from aggregator.web.api.openapi import (
    DESCRIPTIONS,
    LOCATION,
    NumberInPath,
    answer,
    api_router,
    describe_route,
    schema_of,
)
from aggregator.web.dependencies import OfSite, whole_number
from aggregator.web.editor import (
    BODY_DEADLINE_SECONDS,
    MAX_BODY_BYTES,
    CommandStatus,
    CorrectionPage,
    EditorService,
)
from aggregator.web.request_body import json_body, read_body
from aggregator.web.responses import (
    RETRY_AFTER_SECONDS,
    JsonResponse,
    RefusedError,
    too_many,
)
from aggregator.web.security.visit import require_scope

router = api_router("/api/v1")
DEFAULT_CORRECTIONS = 50
MAX_CORRECTIONS = 500
# The most articles or stories in one correction, the same as the most records in a push
MAX_NAMED = 200
Id = Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{1,40}$")]
SeveralIds = Annotated[tuple[Id, ...], Meta(min_length=2, max_length=MAX_NAMED)]


class _Request(
    msgspec.Struct, frozen=True, tag_field="kind", forbid_unknown_fields=True
):
    """The body of a correction."""


class MergeRequest(_Request, frozen=True, tag="merge"):
    """A request to merge stories into one."""

    stories: SeveralIds


class SplitRequest(_Request, frozen=True, tag="split"):
    """A request to give articles of a story, with their copies, a story of their own."""

    story: Id
    articles: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=MAX_NAMED)]


class MoveRequest(_Request, frozen=True, tag="move"):
    """A request to move an article, with its copies, to another story."""

    article: Id
    story: Id


class JoinRequest(_Request, frozen=True, tag="join"):
    """A request to make the storylines of stories one."""

    stories: SeveralIds


class LeaveRequest(_Request, frozen=True, tag="leave"):
    """A request to take a story out of its storyline."""

    story: Id


class PartRequest(_Request, frozen=True, tag="part"):
    """A request to undo the union that brought a story into its storyline."""

    story: Id


AnyRequest = (
    MergeRequest | SplitRequest | MoveRequest | JoinRequest | LeaveRequest | PartRequest
)


async def _editor_of_admin(request: Request, site: OfSite) -> EditorService:
    require_scope(request, "admin")
    return site.editor


OfEditor = Annotated[EditorService, Depends(_editor_of_admin)]
PATH = "/api/v1/corrections"
_RESPONSES = {200: answer(CommandStatus), 202: answer(CommandStatus, **LOCATION)}
_UNDO = describe_route(
    "corrections", _RESPONSES, 400, 404, 408, 409, 413, needs_token=True
)


@router.post(
    "/corrections",
    **describe_route(
        "corrections",
        _RESPONSES,
        400,
        408,
        409,
        413,
        415,
        422,
        body={
            "schema": schema_of(AnyRequest),
            "examples": DESCRIPTIONS["correction_examples"],
        },
        needs_token=True,
    ),
)
async def correct(request: Request, editor: OfEditor) -> Response:
    """Merge stories, split one, or move an article; join storylines, leave one, or part united ones.

    The writer executes the correction, and every later run respects it.

    409: the correction is not possible; 422: the body is not a correction.
    """
    sent = await read_body(request, MAX_BODY_BYTES, BODY_DEADLINE_SECONDS)
    body: AnyRequest = json_body(request, sent, AnyRequest, "a correction")
    match body:
        case MergeRequest():
            command = CorrectionCommand(kind="merge", stories=body.stories)
        case JoinRequest():
            command = CorrectionCommand(kind="join", stories=body.stories)
        case LeaveRequest():
            command = CorrectionCommand(kind="leave", stories=(body.story,))
        case PartRequest():
            command = CorrectionCommand(kind="part", stories=(body.story,))
        case SplitRequest():
            command = CorrectionCommand(
                kind="split", stories=(body.story,), articles=body.articles
            )
        case MoveRequest():
            command = CorrectionCommand(
                kind="move", stories=(body.story,), articles=(body.article,)
            )
    return await _submit(editor, command)


@router.delete("/corrections/{number}", name="delete_correction", **_UNDO)
@router.post("/corrections/{number}/undo", name="undo_correction", **_UNDO)
async def undo(request: Request, editor: OfEditor, number: NumberInPath) -> Response:
    """Undo a correction.

    Its articles return to their stories, and the ids of merged stories are valid again.

    Later corrections of the same articles must be undone first.
    """
    await read_body(request, MAX_BODY_BYTES, BODY_DEADLINE_SECONDS)
    return await _submit(editor, CorrectionCommand(undo=_number(number)))


class CorrectionsQuery(QueryModel):
    """The parameters of a list of corrections."""

    limit: int = Field(
        DEFAULT_CORRECTIONS,
        ge=1,
        le=MAX_CORRECTIONS,
        description="the maximum number of corrections in one response",
    )
    before: int = Field(
        10**9 - 1, ge=1, le=10**9 - 1, description="the `next` of the previous page"
    )


@router.get(
    "/corrections",
    **describe_route("corrections", CorrectionPage, 400, needs_token=True),
)
def list_corrections(
    editor: OfEditor, asked: Annotated[CorrectionsQuery, Query()]
) -> Response:
    """Corrections, the newest first.

    `words` is the correction in one sentence; `undone_at` is null if it is in force.
    """
    return JsonResponse(editor.corrections(asked.limit, asked.before))


@router.get(
    "/corrections/requests/{number}",
    **describe_route("corrections", _RESPONSES, 400, 404, needs_token=True),
)
def look_at_correction(editor: OfEditor, number: NumberInPath) -> Response:
    """The state of a requested correction.

    The number is the `request` of the 202 response.
    """
    status = editor.status(_number(number))
    if status is None:
        raise RefusedError(404, "there is no request with this number")
    return _response(status)


async def _submit(editor: EditorService, command: CorrectionCommand) -> Response:
    limiter = editor.waiting
    if limiter.borrowed_tokens >= limiter.total_tokens:
        raise too_many("corrections")
    return _response(
        await to_thread.run_sync(_execute, editor, command, limiter=limiter)
    )


def _execute(editor: EditorService, command: CorrectionCommand) -> CommandStatus:
    if command.undo is not None:
        # If there is such a correction, it is the newest one before the next number.
        page = editor.corrections(1, command.undo + 1)
        if all(correction.n != command.undo for correction in page.corrections):
            raise RefusedError(404, "there is no correction with this number")
    try:
        return editor.submit(command)
    except UsageError as error:
        raise RefusedError(409, str(error)) from error


def _response(status: CommandStatus) -> Response:
    response = JsonResponse(status)
    if status.state == "waiting":
        response.status_code = 202
        response.headers["Location"] = f"{PATH}/requests/{status.request}"
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    return response


def _number(text: str) -> int:
    if not (number := whole_number(text)):
        raise RefusedError(404, "the number must be a whole number from 1 to 999999999")
    return number
