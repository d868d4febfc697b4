"""Corrections over HTTP: `/api/v1/corrections`. All of it needs a token of scope admin."""

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
from aggregator.web.api.routes import refuse_others
from aggregator.web.editor import CommandStatus, EditorService
from aggregator.web.responses import JSON, RefusedError, problem_of
from aggregator.web.sanitise import without_bidi
from aggregator.web.security.middleware import drained, received, token_of

PATH = "/api/v1/corrections"
CORRECTIONS_AN_ANSWER = 50
MAX_CORRECTIONS = 500
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
MAX_NAMED = 200  # articles or stories that one correction names: as many as a push has records

Id = Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{1,40}$")]


class MergeRequest(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="merge", forbid_unknown_fields=True
):
    """These stories are one."""

    stories: Annotated[tuple[Id, ...], Meta(min_length=2, max_length=MAX_NAMED)]


class SplitRequest(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="split", forbid_unknown_fields=True
):
    """These articles of the story, with their copies, are a story of their own."""

    story: Id
    articles: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=MAX_NAMED)]


class MoveRequest(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="move", forbid_unknown_fields=True
):
    """This article, with its copies, belongs to that story."""

    article: Id
    story: Id


def router(editor: EditorService) -> APIRouter:
    """The routes that correct."""
    api = APIRouter()
    limiter = anyio.CapacityLimiter(editor.tuning.waiting_at_once)

    async def asked(request: Request, command: Callable[[bytes], CorrectionCommand]) -> Response:
        try:
            _admin(request)
            refuse_others(request, ())
            body = await received(request, editor.tuning.max_body_bytes, editor.tuning.body_deadline_seconds)
            wanted = command(body)
            if limiter.borrowed_tokens >= limiter.total_tokens:
                raise RefusedError(503, "too many corrections at once", headers={"Retry-After": "5"})
            answer = await to_thread.run_sync(lambda: _carried_out(editor, wanted), limiter=limiter)
        except RefusedError as error:
            if error.status != 408:
                await drained(request, editor.tuning.max_body_bytes)
            response = problem_of(error)
            response.headers["Connection"] = "close"
            return response
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        return _answer(answer)

    @api.post(PATH)
    async def correct(request: Request) -> Response:
        return await asked(request, lambda body: _command(request, body))

    @api.post(PATH + "/{number}/undo")
    @api.delete(PATH + "/{number}")
    async def undo(request: Request, number: str) -> Response:
        return await asked(request, lambda _: CorrectionCommand(undo=_number(number)))

    @api.get(PATH)
    def list_corrections(request: Request) -> Response:
        _admin(request)
        refuse_others(request, ("limit", "before"))
        limit = _parameter(request, "limit", MAX_CORRECTIONS) or CORRECTIONS_AN_ANSWER
        page = editor.corrections(limit, _parameter(request, "before", 10**9 - 1))
        return Response(without_bidi(msgspec.json.encode(page)) + b"\n", media_type=JSON)

    @api.get(PATH + "/requests/{number}")
    def look(request: Request, number: str) -> Response:
        _admin(request)
        refuse_others(request, ())
        found = editor.asked(_number(number))
        if found is None:
            raise RefusedError(404, "there is no such request")
        return _answer(found)

    return api


def _admin(request: Request) -> None:
    token = token_of(request)
    if token is None:
        words = (
            "correcting needs a token: send `Authorization: Bearer TOKEN`; "
            "`aggregator token create NAME --scope admin` makes one"
        )
        raise RefusedError(401, words, headers={"WWW-Authenticate": 'Bearer realm="aggregator"'})
    if not token.may("admin"):
        raise RefusedError(403, f"the token {token.name!r} may not correct; make one with --scope admin")


def _command(request: Request, body: bytes) -> CorrectionCommand:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusedError(415, "send Content-Type: application/json")
    try:
        said: MergeRequest | SplitRequest | MoveRequest = msgspec.json.decode(
            body, type=MergeRequest | SplitRequest | MoveRequest
        )
    except msgspec.ValidationError as error:
        raise RefusedError(422, f"the body is no correction: {str(error)[:300]}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(400, "the body is no JSON") from error
    match said:
        case MergeRequest():
            return CorrectionCommand(kind="merge", stories=said.stories)
        case SplitRequest():
            return CorrectionCommand(kind="split", stories=(said.story,), articles=said.articles)
        case MoveRequest():
            return CorrectionCommand(kind="move", stories=(said.story,), articles=(said.article,))


def _carried_out(editor: EditorService, command: CorrectionCommand) -> CommandStatus:
    if command.undo is not None and not editor.has_correction(command.undo):
        raise RefusedError(404, "there is no such correction")
    try:
        return editor.ask(command)
    except UsageError as error:
        raise RefusedError(409, str(error)) from error


def _answer(asked: CommandStatus) -> Response:
    response = Response(without_bidi(msgspec.json.encode(asked)) + b"\n", media_type=JSON)
    if asked.state == "waiting":
        response.status_code = 202
        response.headers["Location"] = f"{PATH}/requests/{asked.request}"
        response.headers["Retry-After"] = "5"
    return response


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise RefusedError(404, "there is no such number")
    return int(text)


def _parameter(request: Request, name: str, most: int) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or int(text) > most:
        raise UsageError(f"{name} must be a whole number from 1 to {most}")
    return int(text)
