"""Articles that are pushed: `POST /api/v1/articles`.

A push is read as records, stored in the inbox and answered once that is on the disk; the daemon places it.
What is in the records is text to us: pages are taken apart by workers, later. A record is the same article
whether it is pushed or read from a file, so its source is its outlet, else the name of the token.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import anyio
import msgspec
from anyio import to_thread
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from aggregator.config.tuning import Tuning
from aggregator.extract.urls import registrable_domain
from aggregator.model.core import Entry, FrozenStruct
from aggregator.model.errors import FetchError, ReadError
from aggregator.sources.fetch.decompress import decompress_body
from aggregator.sources.parse.json_feed import is_json_feed
from aggregator.sources.parse.jsonl import as_record, decoded_json, decoded_record, entry_of_record
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import idempotency_keys, inbox
from aggregator.store.intake.inbox import AcceptResult
from aggregator.store.intake.tombstones import REASON
from aggregator.store.stories import api_tokens
from aggregator.store.stories.api_tokens import ApiToken
from aggregator.web.responses import JSON, RefusedError, problem_of
from aggregator.web.security.middleware import drained, received, token_of, too_large

PATH = "/api/v1/articles"
WRITING_AT_ONCE = 2  # threads: pushes wait for each other in the database, and must not keep readers waiting
_TYPES_OF_LINES = frozenset(
    {"application/jsonl", "application/x-jsonl", "application/jsonlines", "application/x-jsonlines"}
    | {"application/ndjson", "application/x-ndjson"}
)
_BLANK = b" \t\r\n\0\xef\xbb\xbf"


class PushTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `push` of config/tuning.yaml; units and origins stand there."""

    max_body_bytes: int
    max_items: int
    max_buffered_bytes: int
    body_deadline_seconds: float
    max_key_chars: int
    remembered_hours: float


class PushedItem(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What became of one record: `record` is its place in the list, or its line, counted from 1."""

    record: int
    status: Literal["accepted", "known", "rejected"]
    article: str | None = None
    revision: bool = False  # a new text of a known article
    reason: str | None = None


class PushResult(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """The answer to a push, an item a record."""

    accepted: int
    known: int
    rejected: int
    items: tuple[PushedItem, ...]


class PushAnswer(FrozenStruct, frozen=True, kw_only=True):
    """A push as it is answered. `replayed`: its Idempotency-Key came before, nothing was done."""

    body: bytes
    replayed: bool = False


Read = tuple[int, Entry | str]  # number of the record, and what it says or why it is rejected


class PushEndpoint:
    """Where pushes are stored. Safe to use from many threads."""

    def __init__(
        self,
        database: Database,
        all_tuning: Tuning,
        now: Callable[[], dt.datetime],
        *,
        fetch_pages: bool = True,
        arrived: Callable[[], None] = lambda: None,
    ) -> None:
        """`fetch_pages`: the page of a record that is only an address is to be fetched."""
        self.tuning = all_tuning.section("push", PushTuning)
        self._database = database
        self._now = now
        self._fetch_pages = fetch_pages
        self._arrived = arrived

    def holder(self, secret: str) -> ApiToken | None:
        """The token with this secret, while it is in force."""
        with self._database.read() as connection:
            return api_tokens.holder(connection, secret)

    def any_may_read(self) -> bool:
        """Whether there is a token in force that may read."""
        with self._database.read() as connection:
            return any(
                one.may("read") and one.revoked_at is None for one in api_tokens.all_tokens(connection)
            )

    def note_use(self, token: ApiToken) -> None:
        """Remember when the token was used; does nothing where that was noted within the minute."""
        now = self._now()
        if api_tokens.is_to_be_noted(token, now):
            with self._database.write() as connection:
                api_tokens.note_use(connection, token, now)

    def take(self, token: ApiToken, body: bytes, *, lines: bool, key: str | None) -> PushAnswer:
        """Store what `body` holds. Returns when it is on the disk; the same `key` again changes nothing.

        `lines`: the sender says that it is JSONL. Raises RefusedError where nothing can be taken.
        """
        now = self._now()
        read = read_push(body, lines=lines, source=token.name, seen=now, max_items=self.tuning.max_items)

        def work(connection: Connection) -> PushAnswer:
            before = self._before(connection, token, body, key, now)
            if before is not None:
                return before
            pushed = self._accepted(connection, read, now)
            answer = PushAnswer(body=msgspec.json.encode(pushed))
            if key is not None:
                idempotency_keys.keep_answer(connection, token.id, key, answer.body)
            if api_tokens.is_to_be_noted(token, now):
                api_tokens.note_use(connection, token, now)
            return answer

        answer = self._database.transact(work, durable=True)
        self._arrived()
        return answer

    def _before(
        self, connection: Connection, token: ApiToken, body: bytes, key: str | None, now: dt.datetime
    ) -> PushAnswer | None:
        """What this push was answered before; takes the key where it was not."""
        if key is None:
            return None
        idempotency_keys.forget_before(connection, now - dt.timedelta(hours=self.tuning.remembered_hours))
        digest = hashlib.blake2b(body, digest_size=16).digest()
        found = idempotency_keys.open_key(connection, token.id, key, digest, now)
        if found is None:
            return None
        if not found.same_body:
            raise RefusedError(422, "this Idempotency-Key came with another body before; take a new key")
        return PushAnswer(body=found.answer, replayed=True)

    def _accepted(self, connection: Connection, read: list[Read], now: dt.datetime) -> PushResult:
        entries = [entry for _, entry in read if isinstance(entry, Entry)]
        if not entries:
            items = tuple(_item(number, None, found) for number, found in read)
            raise RefusedError(422, _why_nothing(items), more={"items": msgspec.to_builtins(items)})
        results = iter(
            inbox.accept(
                connection,
                entries,
                seen=[now] * len(entries),
                wants_page=[self._fetch_pages and entry.authority == "page" for entry in entries],
                bumps_by_clock=True,
            )
        )
        items = tuple(
            _item(number, next(results) if isinstance(found, Entry) else None, found)
            for number, found in read
        )
        tally = [item.status for item in items]
        return PushResult(
            accepted=tally.count("accepted"),
            known=tally.count("known"),
            rejected=tally.count("rejected"),
            items=items,
        )


def _item(number: int, result: AcceptResult | None, found: Entry | str) -> PushedItem:
    if result is None:
        return PushedItem(record=number, status="rejected", reason=str(found))
    if result.outcome == "forgotten":
        return PushedItem(record=number, status="rejected", article=result.article, reason=REASON)
    return PushedItem(
        record=number,
        status="known" if result.outcome == "known" else "accepted",
        article=result.article,
        revision=result.outcome == "revision",
    )


def _why_nothing(items: tuple[PushedItem, ...]) -> str:
    if len(items) == 1:
        return f"the record cannot be taken: {items[0].reason}"
    return f"none of the {len(items)} records can be taken; `items` says why"


# --- what a body holds -------------------------------------------------------------------------------------


def read_push(body: bytes, *, lines: bool, source: str, seen: dt.datetime, max_items: int) -> list[Read]:
    """The records of a body in order: one, a list of them, or one a line.

    `source` is whose a record is that names no outlet, `seen` bounds declared times. Raises RefusedError for
    what is no JSON at all, for nothing, and for more than `max_items` records.
    """
    body = body.strip(_BLANK)
    if not body:
        raise RefusedError(400, "the body is empty; it holds a record, a list of records, or one a line")
    raw = list(_raw_records(body, lines=lines, most=max_items + 1))
    if not raw:
        raise RefusedError(400, "the list is empty")
    if len(raw) > max_items:
        raise RefusedError(413, f"more than {max_items} records; send them in several requests")
    return [(number, _entry_or_reason(one, source, seen)) for number, one in raw]


def _raw_records(body: bytes, *, lines: bool, most: int) -> Iterator[tuple[int, object]]:
    """Bytes of lines, or what JSON had in the list; at most `most`."""
    if not lines:
        first, _, rest = body.partition(b"\n")
        if not (rest.strip(_BLANK) and _is_record(first)):
            record = _whole(body)
            if isinstance(record, list):
                yield from enumerate(record[:most], start=1)
                return
            if is_json_feed(record):
                raise RefusedError(
                    422, "this is a JSON feed; push its items as records, or add it as a source"
                )
            yield 1, record
            return
    given = ((number, line) for number, line in enumerate(body.split(b"\n"), start=1) if line.strip(_BLANK))
    for _, numbered in zip(range(most), given, strict=False):
        yield numbered


def _whole(data: bytes) -> list[Any] | dict[str, Any]:
    try:
        value = decoded_json(data)
        return value if isinstance(value, list) else as_record(value)
    except ReadError as error:
        raise RefusedError(400, f"the body is {error}") from error


def _is_record(line: bytes) -> bool:
    try:
        decoded_record(line)
    except ReadError:
        return False
    return True


def _entry_or_reason(raw: object, source: str, seen: dt.datetime) -> Entry | str:
    try:
        record = decoded_record(raw) if isinstance(raw, bytes) else as_record(raw)
        entry = entry_of_record(record, file_name=source, seen=seen)
    except ReadError as error:
        return str(error)
    if entry.url and not (entry.title or entry.text or entry.html):  # as `ingest URL` has it
        site = registrable_domain(entry.url) or entry.url
        return msgspec.structs.replace(entry, source=site, guid=None, authority="page")
    return entry


# --- over HTTP ---------------------------------------------------------------------------------------------


class _BodyMemory:
    """How many bytes of bodies may wait in memory; all on one event loop, so nothing is locked."""

    def __init__(self, limit_bytes: int) -> None:
        self._free = limit_bytes

    @contextmanager
    def held(self) -> Iterator[Callable[[int], None]]:
        """The function that takes so many bytes more; they are free again at the end of the block."""
        taken = 0

        def take(count: int) -> None:
            nonlocal taken
            if count > self._free:
                raise RefusedError(503, "too many pushes at once", headers={"Retry-After": "5"})
            taken += count
            self._free -= count

        try:
            yield take
        finally:
            self._free += taken


def router(push_endpoint: PushEndpoint) -> APIRouter:
    """The route that takes articles."""
    api = APIRouter()
    room = _BodyMemory(push_endpoint.tuning.max_buffered_bytes)
    writing = anyio.CapacityLimiter(WRITING_AT_ONCE)

    @api.post(PATH)
    async def push_articles(request: Request) -> Response:
        """Hand articles in: one record, a list of them, or one a line (JSONL).

        Needs a token that may push. 202: all that is not rejected is stored for good, and will be placed
        within moments. The same article again is `known` and changes nothing; with another text it is
        accepted as a revision.
        """
        try:
            token = _pusher(request)
            lines = _says_lines(request)
            key = _idempotency_key(request, push_endpoint.tuning)
            with room.held() as take_room:
                tuning = push_endpoint.tuning
                body = await received(request, tuning.max_body_bytes, tuning.body_deadline_seconds, take_room)

                def store() -> PushAnswer:
                    plain = _unpacked(request, body, push_endpoint.tuning)
                    return push_endpoint.take(token, plain, lines=lines, key=key)

                answer = await to_thread.run_sync(store, limiter=writing)
        except RefusedError as error:
            return await _refusal(request, error, push_endpoint.tuning)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        replayed = {"Idempotency-Replayed": "true"} if answer.replayed else {}
        return Response(answer.body, 202, media_type=JSON, headers=replayed)

    return api


def _pusher(request: Request) -> ApiToken:
    token = token_of(request)
    if token is None:
        words = (
            "pushing needs a token: send `Authorization: Bearer TOKEN`; `aggregator token create` makes one"
        )
        raise RefusedError(401, words, headers={"WWW-Authenticate": "Bearer"})
    if not token.may("push"):
        raise RefusedError(403, f"the token {token.name!r} may not push; make one with --scope push")
    return token


def _says_lines(request: Request) -> bool:
    """Whether the body is said to be JSONL.

    Types that a foreign page can send without asking (a form, plain text, none) are refused: a browser that
    knows a password of ours would add it.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _TYPES_OF_LINES:
        return True
    if kind == "application/json":
        return False
    raise RefusedError(415, "send Content-Type: application/json, or application/jsonl for a record a line")


def _idempotency_key(request: Request, tuning: PushTuning) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not key.strip() or len(key) > tuning.max_key_chars:
        raise RefusedError(400, f"an Idempotency-Key has 1 to {tuning.max_key_chars} characters")
    return key.strip()


def _unpacked(request: Request, body: bytes, tuning: PushTuning) -> bytes:
    """The body without its Content-Encoding; gzip and deflate, under the same limit."""
    encoding = request.headers.get("content-encoding", "")
    if encoding.strip().lower() in ("", "identity"):
        return body
    try:
        return decompress_body([body], encoding, tuning.max_body_bytes)
    except FetchError as error:
        if error.cause == "too_large":
            raise too_large(tuning.max_body_bytes) from error
        if encoding.strip().lower() in ("gzip", "x-gzip", "deflate"):
            raise RefusedError(400, "the compressed body is broken or cut short") from error
        raise RefusedError(415, "send the body plain, or with Content-Encoding: gzip") from error


async def _refusal(request: Request, error: RefusedError, tuning: PushTuning) -> Response:
    """The error as problem+json. The connection ends with it: the rest of the body is nobody's business."""
    if error.status != 408 and "expect" not in request.headers:
        await drained(request, tuning.max_body_bytes)
    response = problem_of(error)
    response.headers["Connection"] = "close"
    return response
