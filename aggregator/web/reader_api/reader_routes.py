"""The routes of the Google Reader API: signing in, and one address for each call."""

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

from anyio import to_thread
from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aggregator.store.api_tokens import TOKEN_PREFIX
from aggregator.store.read.marks.read_marks import OWNER, reader_name
from aggregator.web.dependencies import Site, run_in
from aggregator.web.forms.posted_form import NO_STORE
from aggregator.web.reader_api import lists, reader_changes, reader_items
from aggregator.web.reader_api.fields import Fields, read_fields
from aggregator.web.reader_api.session import Session
from aggregator.web.responses import JsonResponse, RefusedError
from aggregator.web.security.request_tokens import (
    BAD_READER_TOKEN,
    reader_of,
    secret_in,
)
from aggregator.web.security.visit import is_owner, require_scope, sign_in

_MAX_SIGN_IN_BYTES = 4096
_MAX_BODY_BYTES = 2**20  # (limit) ids of the longer form take about 50 bytes each
_NO_TOKEN = "-"  # noqa: S105 - in the place of a token, for the owner on this machine
_STREAM = "stream/contents"
_ATOM = "atom"  # beside `api/0`

# These calls have the same answer for all readers. No settings are kept, and the value of `T`, which clients send
# back, is only as long as in Google Reader.
_CONSTANT: dict[str, Any] = {
    "token": "0" * 57,
    "preference/list": {"prefs": []},
    "preference/stream/list": {"streamprefs": {}},
}
_Answer = lists.Json | str | Response
_Call = Callable[[Session, Fields], _Answer]
_READING: dict[str, _Call] = {
    "user-info": lists.user_info,
    "tag/list": lists.tags,
    "subscription/list": lists.subscriptions,
    "subscription/export": lists.export,
    "unread-count": lists.unread_counts,
    _STREAM: reader_items.list_items,
    _ATOM: reader_items.list_items_as_atom,
    "stream/items/count": lists.item_count,
    "stream/items/ids": reader_items.list_item_ids,
    "stream/items/contents": reader_items.list_named_items,
}
_MARKING: dict[str, _Call] = {
    "edit-tag": reader_changes.edit_tag,
    "rename-tag": reader_changes.rename_tag,
    "disable-tag": reader_changes.disable_tag,
    "mark-all-as-read": reader_changes.mark_all_as_read,
}
# These calls may search for a feed, and need a token of scope admin.
_CHANGING: dict[str, _Call] = {
    "subscription/quickadd": reader_changes.quick_add,
    "subscription/edit": reader_changes.edit_subscription,
}


def routes(site: Site) -> list[Route]:
    """Return the routes of the Google Reader API."""
    call = partial(answer, site)
    return [
        Route("/accounts/ClientLogin", partial(sign_in_reader, site), methods=["POST"]),
        Route("/reader/api/0/{call:path}", call, methods=["GET", "POST"]),
        Route("/reader/{call:path}", call),
    ]


async def sign_in_reader(site: Site, request: Request) -> Response:
    """Answer with the authorization of a reader, who is added if the name is new."""
    fields = await read_fields(request, _MAX_SIGN_IN_BYTES)
    return await to_thread.run_sync(_sign_in, site, request, fields)


def _sign_in(site: Site, request: Request, fields: Fields) -> Response:
    secret = fields.get("Passwd", "").strip()
    if is_owner(request) and not secret.startswith(TOKEN_PREFIX):
        secret = _NO_TOKEN
        is_owners = True
        token_id = None
    else:
        token = sign_in(request, secret)
        if token is None or not token.may("read"):
            raise RefusedError(401, "Error=BadAuthentication", headers=BAD_READER_TOKEN)
        is_owners = token.may("admin")
        token_id = token.id
    name = reader_name(fields.get("Email", ""))
    if is_owners and site.marks.reader(name) is None:
        name = OWNER  # so that phones and pages have the same marks
    reader = site.marks.sign_in(name, token_id)
    auth = f"{quote(reader.name, safe='')}/{secret}"
    if fields.get("output") == "json":
        return JsonResponse({"SID": auth, "LSID": auth, "Auth": auth}, headers=NO_STORE)
    return PlainTextResponse(
        f"SID={auth}\nLSID={auth}\nAuth={auth}\n", headers=NO_STORE
    )


async def answer(site: Site, request: Request) -> Response:
    """Answer a call."""
    fields = await read_fields(request, _MAX_BODY_BYTES)
    path = request.path_params["call"]
    call = path.rstrip("/")
    # The path of these two calls may end with the id of a stream, which may itself end with a slash.
    for named in (_STREAM, _ATOM):
        if path.startswith(f"{named}/") and call != named:
            stream = path.removeprefix(f"{named}/")
            call = named
            fields = ImmutableMultiDict([*fields.multi_items(), ("s", stream)])
    if call in _CHANGING:
        return await run_in(site.searching, _answer, site, request, call, fields)
    return await to_thread.run_sync(_answer, site, request, call, fields)


def _answer(site: Site, request: Request, call: str, fields: Fields) -> Response:
    given = request.headers.get("authorization", "")
    if not given and request.method == "POST":
        given = f"GoogleLogin {fields.get('auth') or fields.get('T', '')}"
        if secret := secret_in(given):
            sign_in(request, secret)
    name = reader_of(given)
    reader = site.marks.reader(name) if name and is_owner(request) else None
    if reader is None:
        raise RefusedError(401, "Unauthorized", headers=BAD_READER_TOKEN)
    content: _Answer | None = _CONSTANT.get(call)
    if content is None:
        session = Session(site, reader, request)
        if call in _READING:
            content = _READING[call](session, fields)
        elif call not in _MARKING and call not in _CHANGING:
            raise HTTPException(404, "this call is not supported")
        elif request.method != "POST":
            raise HTTPException(405, headers={"Allow": "POST"})
        elif call in _MARKING:
            content = _MARKING[call](session, fields)
        else:
            require_scope(request, "admin")
            content = _CHANGING[call](session, fields)
    if isinstance(content, Response):
        return content
    if isinstance(content, str):
        return PlainTextResponse(content)
    return JsonResponse(content)
