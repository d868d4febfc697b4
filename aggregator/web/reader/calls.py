"""The Google Reader API, as FreshRSS and Miniflux serve it: `/accounts/ClientLogin`, `/reader/api/0/...`.

A client signs in with the name of a reader and a token as password, and gets `NAME/TOKEN` as `Auth`. It sends
that in every request as `Authorization: GoogleLogin auth=...`, which RequestGuard checks like other tokens.
Browsers never send this header by themselves, so a page of another site cannot act for a reader; `T` is
checked if a client sends it. The calls that change subscriptions are missing.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote

import msgspec
from anyio import to_thread
from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aggregator.model.errors import UsageError
from aggregator.store.read.read_marks import Reader, ReadMarks
from aggregator.store.stories.api_tokens import TOKEN_PREFIX
from aggregator.web.dependencies import Site
from aggregator.web.filters import whole_number
from aggregator.web.pages.editor_forms import NO_STORE, sign_in
from aggregator.web.reader.streams import READING_LIST, Json, Streams, item_number, moment
from aggregator.web.responses import JsonResponse, RefusedError
from aggregator.web.security.middleware import BAD_READER_TOKEN, is_owner, read_body
from aggregator.web.security.token_auth import reader_of

_MAX_SIGN_IN_BYTES = 4096
_MAX_BODY_BYTES = 2**20  # (limit) ids of the longer form take about 50 bytes each
_BODY_SECONDS = 10.0
MOST_IDS = 10_000  # in one request or response
MOST_CONTENTS = 250  # items with texts in one response of a stream
_USUAL_ITEMS = 20  # without `n`, as Google Reader
_NO_TOKEN = "-"  # noqa: S105 - in the place of a token, for the owner on this machine
_ANY_T = ("", "x")  # of clients that do not fetch one

Fields = ImmutableMultiDict[str, str]  # of the query and of the form
Call = Callable[["_Session", Fields], Json | str]


def routes(site: Site, marks: ReadMarks) -> list[Route]:
    """Return the routes of the Google Reader API."""
    api = _Api(site, marks)
    return [
        Route("/accounts/ClientLogin", api.sign_in, methods=["POST"]),
        Route("/reader/api/0/{call:path}", api.answer, methods=["GET", "POST"]),
    ]


class _Api:
    def __init__(self, site: Site, marks: ReadMarks) -> None:
        self._site = site
        self._marks = marks

    async def sign_in(self, request: Request) -> Response:
        """Answer with the authorization of a reader, who is added if new."""
        fields = await _fields(request, _MAX_SIGN_IN_BYTES)
        return await to_thread.run_sync(self._sign_in, request, fields)

    def _sign_in(self, request: Request, fields: Fields) -> Response:
        secret = fields.get("Passwd", "").strip()
        if is_owner(request) and not secret.startswith(TOKEN_PREFIX):
            secret = _NO_TOKEN
        else:
            token = sign_in(request, secret)
            if token is None or not token.may("read"):
                raise RefusedError(401, "Error=BadAuthentication", headers=BAD_READER_TOKEN)
        who = self._marks.sign_in(fields.get("Email", ""))
        given = f"{quote(who.name, safe='')}/{secret}"
        names = {"SID": given, "LSID": given, "Auth": given}
        if fields.get("output") == "json":
            return JsonResponse(names, headers=NO_STORE)
        return PlainTextResponse(
            "".join(f"{key}={value}\n" for key, value in names.items()), headers=NO_STORE
        )

    async def answer(self, request: Request) -> Response:
        """Answer a call."""
        fields = await _fields(request, _MAX_BODY_BYTES)
        return await to_thread.run_sync(self._answer, request, fields)

    def _answer(self, request: Request, fields: Fields) -> Response:
        name = reader_of(request.headers.get("authorization", ""))
        who = self._marks.reader(name) if name and is_owner(request) else None
        if who is None:
            raise RefusedError(401, "Unauthorized", headers=BAD_READER_TOKEN)
        call: str = request.path_params["call"]
        stream = call.removeprefix("stream/contents/")
        if stream not in ("", call):
            call, fields = "stream/contents", ImmutableMultiDict([*fields.multi_items(), ("s", stream)])
        run = _CALLS.get(call := call.rstrip("/"))
        if run is None:
            raise HTTPException(404, "this call is not supported")
        session = _Session(self._site, self._marks, who, request.headers["authorization"])
        if call in _EDITS:
            if request.method != "POST":
                raise HTTPException(405)
            if fields.get("T", "") not in (*_ANY_T, session.edit_token):
                raise RefusedError(401, "Unauthorized", headers=BAD_READER_TOKEN)
        answered = run(session, fields)
        return PlainTextResponse(answered) if isinstance(answered, str) else JsonResponse(answered)


class _Session:
    """One request of a reader."""

    def __init__(self, site: Site, marks: ReadMarks, who: Reader, authorization: str) -> None:
        self.marks = marks
        self.who = who
        self.streams = Streams(site, marks, who)
        self.clock = site.clock
        # 57 characters, as those of Google Reader were; no other reader or token has the same.
        signed = hmac.new(authorization.encode(), b"aggregator edit", hashlib.sha256)
        self.edit_token = signed.hexdigest()[:57]

    def page(self, fields: Fields, most: int) -> tuple[Json, list[Any]]:
        """Return the common part of a response, and the items of a page."""
        name = fields.get("s", READING_LIST)
        stream = self.streams.named(name)
        chosen: dict[str, Any] = {}
        for key, is_in in (("it", True), ("xt", False)):
            for state in fields.getlist(key):
                if state.endswith("/read"):
                    chosen["is_read"] = is_in
                elif is_in and state.endswith("/starred"):
                    chosen["is_starred"] = True
        for key, field in (("ot", "since"), ("nt", "until")):
            if time := moment(fields.get(key, "")):
                chosen[field] = time
        limit = min(most, whole_number(fields.get("n", "")) or _USUAL_ITEMS)
        stream = msgspec.structs.replace(stream, **chosen, after=fields.get("c") or None)
        items, after = self.marks.items(self.who, stream, limit)
        common: Json = {"id": name, "updated": int(self.clock().timestamp())}
        return common | ({"continuation": after} if after else {}), items

    def numbers(self, fields: Fields) -> list[int]:
        """Return the numbers of the items that the client names; others are ignored."""
        named = (item_number(one) for one in fields.getlist("i")[:MOST_IDS])
        return [one for one in named if one is not None]


def _user_info(session: _Session, _: Fields) -> Json:
    number, name = str(session.who.reader_no), session.who.name
    return {"userId": number, "userName": name, "userProfileId": number, "userEmail": ""}


def _item_ids(session: _Session, fields: Fields) -> Json:
    common, items = session.page(fields, MOST_IDS)
    return common | {"itemRefs": session.streams.references(items)}


def _contents(session: _Session, fields: Fields) -> Json:
    common, items = session.page(fields, MOST_CONTENTS)
    return common | {"items": session.streams.contents(items)}


def _item_contents(session: _Session, fields: Fields) -> Json:
    items = session.marks.items_with(session.who, session.numbers(fields)[:1000])
    now = int(session.clock().timestamp())
    return {"id": READING_LIST, "updated": now, "items": session.streams.contents(items)}


def _edit_tag(session: _Session, fields: Fields) -> str:
    changes: dict[str, bool] = {}
    for key, is_added in (("a", True), ("r", False)):
        for tag in fields.getlist(key):
            match tag.rpartition("/state/com.google/")[2]:
                case "read":
                    changes["read"] = is_added
                case "kept-unread":
                    changes["read"] = not is_added
                case "starred":
                    changes["starred"] = is_added
    if changes:
        session.marks.edit(session.who, session.numbers(fields), **changes)
    return "OK"


def _mark_all_as_read(session: _Session, fields: Fields) -> str:
    until = moment(fields.get("ts", "")) or session.clock()
    session.marks.mark_all_read(session.who, session.streams.named(fields.get("s", READING_LIST)), until)
    return "OK"


_CALLS: dict[str, Call] = {
    "user-info": _user_info,
    "token": lambda session, _: session.edit_token,
    "tag/list": lambda session, _: session.streams.tags(),
    "subscription/list": lambda session, _: session.streams.subscriptions(),
    "unread-count": lambda session, _: session.streams.unread_counts(),
    "stream/contents": _contents,
    "stream/items/ids": _item_ids,
    "stream/items/contents": _item_contents,
    "edit-tag": _edit_tag,
    "mark-all-as-read": _mark_all_as_read,
}
_EDITS = frozenset({"edit-tag", "mark-all-as-read"})


async def _fields(request: Request, most_bytes: int) -> Fields:
    """Return the fields of the query and the form. Raises UsageError if they cannot be read."""
    try:
        body = await read_body(request, most_bytes, _BODY_SECONDS) if request.method == "POST" else b""
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_IDS + 20)
    except ValueError as error:
        raise UsageError("the form is invalid") from error
    return ImmutableMultiDict([*request.query_params.multi_items(), *pairs])
