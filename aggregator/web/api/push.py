"""Pushed articles: `POST /api/v1/articles`.

The records of a push are stored in the inbox, and the response is sent after they are on disk; the daemon
places them later. HTML in records is not parsed here but by the workers. A record is the same article whether
it is pushed or read from a file, so its source is its outlet, else the name of the token.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import msgspec
from anyio import CapacityLimiter, to_thread
from fastapi import Request, Response
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.extract.urls import registrable_domain
from aggregator.model.core import Clock, Entry, FrozenStruct
from aggregator.model.errors import FetchError, ReadError
from aggregator.sources.limits import net_tuning
from aggregator.sources.parse.content_coding import decompress_body
from aggregator.sources.parse.feed import is_json_feed
from aggregator.sources.parse.jsonl import as_record, decoded_json, decoded_record
from aggregator.sources.parse.records import entry_of_record
from aggregator.store import api_tokens
from aggregator.store.api_tokens import ApiToken
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import acceptance
from aggregator.store.intake.identity.tombstones import REASON
from aggregator.store.intake.known_entries import AcceptResult
from aggregator.web.api.openapi import answer, api_router, described, named
from aggregator.web.dependencies import of_app
from aggregator.web.responses import JSON, RefusedError, too_many
from aggregator.web.sanitise import encode_json
from aggregator.web.security.middleware import read_body, require_scope, too_large
from aggregator.web.security.token_auth import TokenStore

_MAX_BODY_BYTES = 2**20  # of one request, unpacked too (limit)

PATH = "/api/v1/articles"
# threads; pushes wait for each other in the database, and readers need the other threads
WRITING_AT_ONCE = 2
_JSONL_TYPES = frozenset(
    {
        "application/jsonl",
        "application/x-jsonl",
        "application/jsonlines",
        "application/x-jsonlines",
    }
    | {"application/ndjson", "application/x-ndjson"}
)
_BLANK = b" \t\r\n\0\xef\xbb\xbf"


class PushTuning(FrozenStruct):
    """Section `push` of config/tuning.yaml, which states units and origins."""

    max_items: int
    under_way: int


class PushedItem(FrozenStruct, omit_defaults=False):
    """The result of one record; `record` is its position in the list, or its line, counted from 1."""

    record: int
    status: Literal["accepted", "known", "rejected"]
    article: str | None = None
    revision: bool = False  # a new text of a known article
    reason: str | None = None


class PushResult(FrozenStruct, omit_defaults=False):
    """The response to a push, with one item per record."""

    accepted: int
    known: int
    rejected: int
    items: tuple[PushedItem, ...]


# Number of the record, and its entry or the reason of its rejection
Read = tuple[int, Entry | str]


class PushEndpoint(TokenStore):
    """Stores pushes and looks up tokens. Safe to use from many threads."""

    def __init__(
        self,
        database: Database,
        all_tuning: Tuning,
        now: Clock,
        *,
        fetch_pages: bool = True,
        arrived: Callable[[], None] = lambda: None,
    ) -> None:
        """`fetch_pages`: fetch the page of a record that has only an address.

        `arrived` is called after a push was stored.
        """
        super().__init__(database, now)
        self.tuning = all_tuning.section("push", PushTuning)
        self.deadline_seconds = net_tuning(all_tuning).fetch_deadline_seconds
        # Bounds the memory that bodies take
        self.under_way = CapacityLimiter(self.tuning.under_way)
        self.writing = CapacityLimiter(WRITING_AT_ONCE)
        self._fetch_pages = fetch_pages
        self._arrived = arrived

    def take(self, token: ApiToken, body: bytes, *, lines: bool) -> PushResult:
        """Store the records in `body` and return after they are on disk.

        `lines`: the Content-Type is JSONL. Raises RefusedError if no record can be accepted.
        """
        now = self._now()
        read = read_push(
            body,
            lines=lines,
            source=token.name,
            seen=now,
            max_items=self.tuning.max_items,
        )

        def work(connection: Connection) -> PushResult:
            pushed = self._accept(connection, read, now)
            if api_tokens.is_to_be_noted(token, now):
                api_tokens.note_use(connection, token, now)
            return pushed

        pushed = self._database.transact(work, durable=True)
        self._arrived()
        return pushed

    def _accept(
        self, connection: Connection, read: list[Read], now: dt.datetime
    ) -> PushResult:
        entries = [entry for _, entry in read if isinstance(entry, Entry)]
        accepted = acceptance.accept(
            connection,
            entries,
            seen=[now] * len(entries),
            wants_page=[
                self._fetch_pages and entry.authority == "page" for entry in entries
            ],
            bump_by_clock=True,
        ).accepted
        results = iter(accepted)
        items = tuple(
            _item(number, next(results) if isinstance(found, Entry) else None, found)
            for number, found in read
        )
        if not entries:
            detail = (
                f"the record cannot be accepted: {items[0].reason}"
                if len(items) == 1
                else f"none of the {len(items)} records can be accepted; `items` has the reasons"
            )
            raise RefusedError(422, detail, more={"items": msgspec.to_builtins(items)})
        statuses = [item.status for item in items]
        return PushResult(
            accepted=statuses.count("accepted"),
            known=statuses.count("known"),
            rejected=statuses.count("rejected"),
            items=items,
        )


def _item(number: int, result: AcceptResult | None, found: Entry | str) -> PushedItem:
    if result is None:
        return PushedItem(record=number, status="rejected", reason=str(found))
    if result.outcome == "forgotten":
        return PushedItem(
            record=number, status="rejected", article=result.article, reason=REASON
        )
    return PushedItem(
        record=number,
        status="known" if result.outcome == "known" else "accepted",
        article=result.article,
        revision=result.outcome == "revision",
    )


# --- the records of a body ---------------------------------------------------------------------------------


def read_push(
    body: bytes, *, lines: bool, source: str, seen: dt.datetime, max_items: int
) -> list[Read]:
    """Return the records of a body in order: one record, a list of records, or one record per line.

    `source` is the source of records without an outlet, `seen` the latest accepted time. Raises RefusedError
    if the body is empty, is not JSON, or has more than `max_items` records.
    """
    stripped = body.lstrip(_BLANK)
    if not stripped:
        raise RefusedError(
            400,
            "the body is empty; send a record, a list of records, or one record per line",
        )
    first = 1 + body.count(b"\n", 0, len(body) - len(stripped))
    raw = list(
        _raw_records(
            stripped.rstrip(_BLANK), lines=lines, most=max_items + 1, first_line=first
        )
    )
    if not raw:
        raise RefusedError(400, "the list is empty")
    if len(raw) > max_items:
        raise RefusedError(
            413, f"more than {max_items} records; send them in several requests"
        )
    return [(number, _entry_or_reason(one, source, seen)) for number, one in raw]


def _raw_records(
    body: bytes, *, lines: bool, most: int, first_line: int
) -> Iterator[tuple[int, object]]:
    """Yield at most `most` numbered records: lines as bytes, or decoded JSON values."""
    if not lines:
        record = _whole(body)
        if is_json_feed(record):
            raise RefusedError(
                422,
                "this is a JSON feed; push its items as records, or add it as a source",
            )
        yield from enumerate(
            record[:most] if isinstance(record, list) else [record], start=1
        )
        return
    numbered_lines = (
        (number, line)
        for number, line in enumerate(body.split(b"\n"), start=first_line)
        if line.strip(_BLANK)
    )
    for _, numbered in zip(range(most), numbered_lines, strict=False):
        yield numbered


def _whole(data: bytes) -> list[Any] | dict[str, Any]:
    try:
        value = decoded_json(data)
        return value if isinstance(value, list) else as_record(value)
    except ReadError as error:
        lines = "send one record per line as Content-Type: application/jsonl"
        raise RefusedError(400, f"the body is {error}; {lines}") from error


def _entry_or_reason(raw: object, source: str, seen: dt.datetime) -> Entry | str:
    try:
        record = decoded_record(raw) if isinstance(raw, bytes) else as_record(raw)
        entry = entry_of_record(record, file_name=source, seen=seen)
    except ReadError as error:
        return str(error)
    # As `aggregator ingest URL` does
    if entry.url and not (entry.title or entry.text or entry.html):
        site = registrable_domain(entry.url) or entry.url
        return replace(entry, source=site, guid=None, authority="page")
    return entry


# --- over HTTP ---------------------------------------------------------------------------------------------


_FIELD_DESCRIPTIONS: dict[str, str] = {
    "id": "unique within the outlet; it stays the same when the text changes; at most 1,024 characters",
    "url": "the address, http or https; if it is the only field, the page is fetched",
    "outlet": "the publisher; `source` means the same",
    "title": "the headline",
    "text": "plain text, paragraphs separated by newlines",
    "html": "instead of text: a page or a fragment",
    "published": "an RFC 3339 time or a date; a missing value means unknown",
    "language": "a BCP 47 tag; `lang` means the same",
    "author": "the name of the author",
}
# All ranges of letters and digits, as Python has no \p{Letter} of JavaScript, and the controls that are read
# as ƒ ˆ Š Œ Ž š œ ž Ÿ of Windows-1252. Beyond are extinct scripts and rare Han, and who reads JSON as YAML
# fails at their escapes.
_LETTERS = "".join(
    f"{run[0]}-{run[-1]}"
    for run in re.findall(r"[^\W_]+", "".join(map(chr, range(0x10000))))
)
_TEXT_OR_NUMBER = named(
    "TextOrNumber",
    {
        "type": ["string", "number"],
        "description": "a number, or a text with a letter or digit of any alphabet",
        "pattern": rf"[{_LETTERS}\x83\x88\x8a\x8c\x8e\x9a\x9c\x9e\x9f]",
        "minimum": 1 - 10**30,
        "maximum": 10**30 - 1,
    },
)
_ADDRESS = {"type": "string", "pattern": "^https?://([0-9a-z]+[.])+[a-z]+(/|$)"}
_NEEDED = {
    "title": _TEXT_OR_NUMBER,
    "text": _TEXT_OR_NUMBER,
    "html": _TEXT_OR_NUMBER,
    "url": _ADDRESS,
}
_RECORD = named(
    "PushedRecord",
    {
        "type": "object",
        "description": "At least one of title, text, html and url is required, in any alphabet. All "
        "values are strings; a number is read as its digits, a value of another type as missing. Keys of "
        "other programs are understood, others ignored. A push has at most 200 records.",
        "properties": {
            name: {"description": description}
            for name, description in _FIELD_DESCRIPTIONS.items()
        },
        # With `anyOf` alone, generators of clients make a class for each of the four, without the others.
        "if": {
            "anyOf": [
                {"required": [name], "properties": {name: schema}}
                for name, schema in _NEEDED.items()
            ]
        },
        "else": {"not": {}},
    },
)
_EXAMPLE: dict[str, Any] = {
    "id": "2026-11-20/dam",
    "url": "https://news.example.org/2026/dam",
    "outlet": "Harbour Post",
    "title": "Dam siren sounded by mistake",
    "text": "The siren of the Orrin dam sounded for ten minutes on Friday.\n"
    "No one was in danger, the fire service said.",
    "published": "2026-11-20T08:30:00Z",
    "language": "en",
}


router = api_router()


@router.post(
    PATH,
    **described(
        "articles",
        {202: answer(PushResult)},
        *(400, 408, 413, 415, 422),
        # A list is accepted for its valid records; each invalid one is rejected on its own.
        body={
            "schema": {
                "oneOf": [_RECORD, {"type": "array", "items": {}, "contains": _RECORD}]
            },
            "examples": {
                "one": {"value": _EXAMPLE},
                "several": {
                    "value": [_EXAMPLE, {"url": "https://news.example.org/2026/ferry"}]
                },
            },
        },
        needs_token=True,
    ),
)
async def push_articles(
    request: Request, pushes: Annotated[PushEndpoint, of_app("pushes")]
) -> Response:
    """Push articles: one record, a list of records, or one record per line (JSONL).

    202: every record that is not rejected is stored permanently and is placed within moments.

    A repeated article is `known` and changes nothing; with another text it is accepted as a revision. The
    body may have one record per line (Content-Type: application/jsonl), and may be compressed
    (Content-Encoding: gzip).
    """
    token = require_scope(request, "push")
    lines = _is_jsonl(request)
    if pushes.under_way.available_tokens < 1:
        raise too_many("pushes")
    async with pushes.under_way:
        body = await read_body(request, _MAX_BODY_BYTES, pushes.deadline_seconds)

        def store() -> PushResult:
            return pushes.take(token, _decoded(request, body), lines=lines)

        pushed = await to_thread.run_sync(store, limiter=pushes.writing)
    return Response(encode_json(pushed), 202, media_type=JSON)


def _is_jsonl(request: Request) -> bool:
    """Return whether the Content-Type is JSONL. Raises RefusedError (415) for types other than JSON.

    A page of another site can send forms and plain text without a CORS preflight, and the browser would add
    stored HTTP Basic credentials; therefore these types are refused.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _JSONL_TYPES:
        return True
    if kind == "application/json":
        return False
    raise RefusedError(
        415,
        "send Content-Type: application/json, or application/jsonl for one record per line",
    )


def _decoded(request: Request, body: bytes) -> bytes:
    """Return the body without its Content-Encoding (gzip), within the same size limit."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise RefusedError(
            415, "send the body uncompressed, or with Content-Encoding: gzip"
        )
    try:
        return decompress_body(body, encoding, _MAX_BODY_BYTES, is_strict=True)
    except FetchError as error:
        if error.cause == "too_large":
            raise too_large(_MAX_BODY_BYTES) from error
        raise RefusedError(
            400, "the compressed body is damaged or incomplete"
        ) from error
