"""Corrections over HTTP: `/api/v1/corrections`. Every request needs a token with the scope admin."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from anyio import to_thread
from fastapi import Request, Response
from msgspec import Meta
from starlette.requests import ClientDisconnect

from aggregator.model.errors import UsageError
from aggregator.pipeline.placement.apply_corrections import CorrectionCommand
from aggregator.web.api.openapi import LOCATION, NumberInPath, answer, api_router, described, schema_of
from aggregator.web.api.routes import refuse_unknown_parameters
from aggregator.web.dependencies import OfSite
from aggregator.web.editor import (
    BODY_DEADLINE_SECONDS,
    MAX_BODY_BYTES,
    CommandStatus,
    CorrectionPage,
    EditorService,
)
from aggregator.web.filters import Parameter, number_up_to, up_to
from aggregator.web.responses import JsonResponse, RefusedError
from aggregator.web.security.middleware import read_body, refused, require_scope

CORRECTIONS_AN_ANSWER = 50
MAX_CORRECTIONS = 500
MAX_NAMED = 200  # articles or stories of one correction, as many as the records of a push

Id = Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{1,40}$")]


class _Request(msgspec.Struct, frozen=True, tag_field="kind", forbid_unknown_fields=True):
    """The body of a correction."""


class MergeRequest(_Request, frozen=True, tag="merge"):
    """A request to merge stories into one."""

    stories: Annotated[tuple[Id, ...], Meta(min_length=2, max_length=MAX_NAMED)]


class SplitRequest(_Request, frozen=True, tag="split"):
    """A request to give articles of a story, with their copies, a story of their own."""

    story: Id
    articles: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=MAX_NAMED)]


class MoveRequest(_Request, frozen=True, tag="move"):
    """A request to move an article, with its copies, to another story."""

    article: Id
    story: Id


PATH = "/api/v1/corrections"
router = api_router(PATH)
_RESPONSES = {200: answer(CommandStatus), 202: answer(CommandStatus, **LOCATION)}
_LIST_PARAMETERS = {
    "limit": Parameter(up_to(MAX_CORRECTIONS), "the maximum number of corrections in one response"),
    "before": Parameter(up_to(10**9 - 1), "the `next` of the previous page"),
}
_EXAMPLES: dict[str, Any] = {
    "merge": {"kind": "merge", "stories": ["q5m2x7k4d1t8w0ya", "z8c3v6b1n4m7k0ja"]},
    "split": {"kind": "split", "story": "q5m2x7k4d1t8w0ya", "articles": ["cu2cfnapd3n3kc2w"]},
    "move": {"kind": "move", "article": "cu2cfnapd3n3kc2w", "story": "z8c3v6b1n4m7k0ja"},
}
_UNDO = described("corrections", _RESPONSES, 400, 404, 408, 409, 413, needs_token=True)


@router.post(
    "",
    **described(
        "corrections",
        _RESPONSES,
        *(400, 408, 409, 413, 415, 422),
        body={
            "schema": schema_of(MergeRequest | SplitRequest | MoveRequest),
            "examples": {name: {"value": value} for name, value in _EXAMPLES.items()},
        },
        needs_token=True,
    ),
)
async def correct(request: Request, site: OfSite) -> Response:
    """Merge stories, split one, or move an article.

    The writer executes the correction, and every later run respects it.

    409: the correction is not possible; 422: the body is not a correction.
    """
    return await _submitted(request, site.editor, lambda body: _command(request, body))


@router.delete("/{number}", name="delete_correction", **_UNDO)
@router.post("/{number}/undo", name="undo_correction", **_UNDO)
async def undo(request: Request, site: OfSite, number: NumberInPath) -> Response:
    """Undo a correction.

    Its articles return to their stories, and the ids of merged stories are valid again.

    Later corrections of the same articles must be undone first.
    """
    return await _submitted(request, site.editor, lambda _: CorrectionCommand(undo=_number(number)))


@router.get("", **described("corrections", CorrectionPage, 400, query=_LIST_PARAMETERS, needs_token=True))
def list_corrections(request: Request, site: OfSite) -> Response:
    """Corrections, the newest first.

    `words` is the correction in one sentence; `undone_at` is null if it is in force.
    """
    assert site.editor is not None
    _admin(request)
    refuse_unknown_parameters(request, _LIST_PARAMETERS)
    limit = _parameter(request, "limit", MAX_CORRECTIONS) or CORRECTIONS_AN_ANSWER
    page = site.editor.corrections(limit, _parameter(request, "before", 10**9 - 1))
    return JsonResponse(page)


@router.get("/requests/{number}", **described("corrections", _RESPONSES, 400, 404, needs_token=True))
def look_at_correction(request: Request, site: OfSite, number: NumberInPath) -> Response:
    """The state of a requested correction.

    The number is `request` of the answer 202.
    """
    assert site.editor is not None
    _admin(request)
    refuse_unknown_parameters(request, ())
    status = site.editor.status(_number(number))
    if status is None:
        raise RefusedError(404, "there is no request with this number")
    return _response(status)


async def _submitted(
    request: Request, editor: EditorService | None, parse: Callable[[bytes], CorrectionCommand]
) -> Response:
    assert editor is not None
    limiter = editor.waiting
    try:
        _admin(request)
        refuse_unknown_parameters(request, ())
        body = await read_body(request, MAX_BODY_BYTES, BODY_DEADLINE_SECONDS)
        command = parse(body)
        if limiter.borrowed_tokens >= limiter.total_tokens:
            raise RefusedError(
                503, "too many corrections at once; try again later", headers={"Retry-After": "5"}
            )
        return _response(await to_thread.run_sync(_execute, editor, command, limiter=limiter))
    except RefusedError as error:
        return await refused(request, error, MAX_BODY_BYTES)
    except ClientDisconnect:
        return Response(status_code=400)  # the client is gone


def _admin(request: Request) -> None:
    require_scope(request, "admin", "a correction", "make corrections")


def _command(request: Request, body: bytes) -> CorrectionCommand:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusedError(415, "send Content-Type: application/json")
    try:
        parsed: MergeRequest | SplitRequest | MoveRequest = msgspec.json.decode(
            body, type=MergeRequest | SplitRequest | MoveRequest
        )
    except msgspec.ValidationError as error:
        raise RefusedError(422, f"the body is not a correction: {str(error)[:300]}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(400, "the body is not valid JSON") from error
    match parsed:
        case MergeRequest():
            return CorrectionCommand(kind="merge", stories=parsed.stories)
        case SplitRequest():
            return CorrectionCommand(kind="split", stories=(parsed.story,), articles=parsed.articles)
        case MoveRequest():
            return CorrectionCommand(kind="move", stories=(parsed.story,), articles=(parsed.article,))


def _execute(editor: EditorService, command: CorrectionCommand) -> CommandStatus:
    if command.undo is not None and not editor.has_correction(command.undo):
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
        response.headers["Retry-After"] = "5"
    return response


def _number(text: str) -> int:
    try:
        return number_up_to(10**9 - 1, text)
    except UsageError as error:
        raise RefusedError(404, f"the number {error}") from error


def _parameter(request: Request, name: str, most: int) -> int | None:
    text = request.query_params.get(name)
    try:
        return None if text is None else number_up_to(most, text)
    except UsageError as error:
        raise UsageError(f"{name} {error}") from None
