"""Corrections over HTTP: `/api/v1/corrections`. Every request needs a token with the scope admin."""

import re
from collections.abc import Callable
from typing import Annotated

import anyio
import msgspec
from anyio import to_thread
from fastapi import APIRouter, Request, Response
from msgspec import Meta
from starlette.requests import ClientDisconnect

from aggregator.model.errors import UsageError
from aggregator.pipeline.placement.apply_corrections import CorrectionCommand
from aggregator.web.api.routes import refuse_unknown_parameters
from aggregator.web.editor import CommandStatus, EditorService
from aggregator.web.responses import JSON, RefusedError, problem_of
from aggregator.web.sanitise import encode_json
from aggregator.web.security.middleware import discard_body, read_body, token_of

PATH = "/api/v1/corrections"
CORRECTIONS_AN_ANSWER = 50
MAX_CORRECTIONS = 500
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
MAX_NAMED = 200  # articles or stories of one correction, as many as the records of a push

Id = Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{1,40}$")]


class MergeRequest(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="merge", forbid_unknown_fields=True
):
    """A request to merge stories into one."""

    stories: Annotated[tuple[Id, ...], Meta(min_length=2, max_length=MAX_NAMED)]


class SplitRequest(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="split", forbid_unknown_fields=True
):
    """A request to give articles of a story, with their copies, a story of their own."""

    story: Id
    articles: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=MAX_NAMED)]


class MoveRequest(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="move", forbid_unknown_fields=True
):
    """A request to move an article, with its copies, to another story."""

    article: Id
    story: Id


def router(editor: EditorService) -> APIRouter:
    """Return the routes of corrections."""
    api = APIRouter()
    limiter = anyio.CapacityLimiter(editor.tuning.max_waiting)

    async def submit(request: Request, parse: Callable[[bytes], CorrectionCommand]) -> Response:
        try:
            _admin(request)
            refuse_unknown_parameters(request, ())
            body = await read_body(request, editor.tuning.max_body_bytes, editor.tuning.body_deadline_seconds)
            command = parse(body)
            if limiter.borrowed_tokens >= limiter.total_tokens:
                raise RefusedError(
                    503, "too many corrections at once; try again later", headers={"Retry-After": "5"}
                )
            status = await to_thread.run_sync(lambda: _execute(editor, command), limiter=limiter)
        except RefusedError as error:
            if error.status != 408:
                await discard_body(request, editor.tuning.max_body_bytes)
            response = problem_of(error)
            response.headers["Connection"] = "close"
            return response
        except ClientDisconnect:
            return Response(status_code=400)  # the client is gone
        return _response(status)

    @api.post(PATH)
    async def correct(request: Request) -> Response:
        return await submit(request, lambda body: _command(request, body))

    @api.post(PATH + "/{number}/undo")
    @api.delete(PATH + "/{number}")
    async def undo(request: Request, number: str) -> Response:
        return await submit(request, lambda _: CorrectionCommand(undo=_number(number)))

    @api.get(PATH)
    def list_corrections(request: Request) -> Response:
        _admin(request)
        refuse_unknown_parameters(request, ("limit", "before"))
        limit = _parameter(request, "limit", MAX_CORRECTIONS) or CORRECTIONS_AN_ANSWER
        page = editor.corrections(limit, _parameter(request, "before", 10**9 - 1))
        return Response(encode_json(page) + b"\n", media_type=JSON)

    @api.get(PATH + "/requests/{number}")
    def request_status(request: Request, number: str) -> Response:
        _admin(request)
        refuse_unknown_parameters(request, ())
        status = editor.status(_number(number))
        if status is None:
            raise RefusedError(404, "there is no request with this number")
        return _response(status)

    return api


def _admin(request: Request) -> None:
    token = token_of(request)
    if token is None:
        detail = (
            "a correction needs a token: send `Authorization: Bearer TOKEN`; "
            "create one with `aggregator token create NAME --scope admin`"
        )
        raise RefusedError(401, detail, headers={"WWW-Authenticate": 'Bearer realm="aggregator"'})
    if not token.may("admin"):
        raise RefusedError(
            403, f"the token {token.name!r} may not make corrections; create one with --scope admin"
        )


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
    response = Response(encode_json(status) + b"\n", media_type=JSON)
    if status.state == "waiting":
        response.status_code = 202
        response.headers["Location"] = f"{PATH}/requests/{status.request}"
        response.headers["Retry-After"] = "5"
    return response


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise RefusedError(404, f"the number must be a whole number from 1 to {10**9 - 1}")
    return int(text)


def _parameter(request: Request, name: str, most: int) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or int(text) > most:
        raise UsageError(f"{name} must be a whole number from 1 to {most}")
    return int(text)
