"""`POST /api/v1/articles`: pushed articles are stored in the inbox, and the response is sent after they are on disk.

The daemon places them later, and workers parse their HTML. The source of a record is its outlet, otherwise the name of
the token, because a record must be the same article whether it is pushed or read from a file.
"""

import logging
import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from anyio import CapacityLimiter, to_thread
from fastapi import Request, Response
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.extract.urls import registrable_domain
from aggregator.model.clock import Clock
from aggregator.model.entry import Entry
from aggregator.model.errors import FetchError, NotWritableError, ReadError
from aggregator.model.structs import FrozenStruct
from aggregator.publish.sanitise import encode_json
from aggregator.sources.parse.feeds.json_feed import is_json_feed
from aggregator.sources.parse.records.jsonl import as_record, decoded_json
from aggregator.sources.parse.records.record_entry import entry_of_record
from aggregator.sources.parse.streams.content_coding import decompress_body
from aggregator.sources.source_limits import net_tuning
from aggregator.store import api_tokens
from aggregator.store.api_tokens import ApiToken
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import acceptance
from aggregator.store.intake.identity.tombstones import REASON
from aggregator.text.lines import word_list
from aggregator.web.api.openapi import (
    DESCRIPTIONS,
    answer,
    api_router,
    describe_route,
    refer_to_schema,
)
from aggregator.web.dependencies import of_app
from aggregator.web.request_body import media_type, read_body, too_large
from aggregator.web.responses import JSON, RefusedError, too_many
from aggregator.web.security.request_tokens import TokenStore
from aggregator.web.security.visit import require_scope

_BLANK = b" \t\r\n\0\xef\xbb\xbf"
# The number of a record, and its entry or the reason for its rejection
Read = tuple[int, Entry | str]


def read_push(
    body: bytes, *, lines: bool, source: str, seen: datetime, max_items: int
) -> list[Read]:
    """Return the records of a body in order: one record, a list of records, or one record per line.

    `lines`: one record per line. `source` is the source of records without an outlet, `seen` the latest accepted time.
    Raises RefusedError if the body is empty, is not JSON, is a JSON feed, or has more than `max_items` records.
    """
    stripped = body.lstrip(_BLANK)
    if not stripped:
        raise RefusedError(
            400,
            "the body is empty; send a record, a list of records, or one record per line",
        )
    first = 1 + body.count(b"\n", 0, len(body) - len(stripped))
    whole = stripped.rstrip(_BLANK)
    raw: list[tuple[int, object]] = []
    if lines:
        for number, line in enumerate(whole.split(b"\n"), start=first):
            if line.strip(_BLANK):
                raw.append((number, line))
    else:
        try:
            value = decoded_json(whole)
            records = value if isinstance(value, list) else [as_record(value)]
        except ReadError as error:
            raise RefusedError(
                400,
                f"the body is {error}; send one record per line as Content-Type: application/jsonl",
            ) from error
        if is_json_feed(value):
            raise RefusedError(
                422,
                "this is a JSON feed; push its items as records, or add it as a source",
            )
        raw += enumerate(records, start=1)
    if not raw:
        raise RefusedError(400, "the list is empty")
    if len(raw) > max_items:
        raise RefusedError(
            413, f"more than {max_items} records; send them in several requests"
        )
    read: list[Read] = []
    for number, record in raw:
        try:
            value = decoded_json(record) if isinstance(record, bytes) else record
            entry = entry_of_record(as_record(value), file_name=source, seen=seen)
        except ReadError as error:
            read.append((number, str(error)))
            continue
        # A bare address is treated as `aggregator ingest URL` treats it.
        if entry.url and not (entry.title or entry.text or entry.html):
            site = registrable_domain(entry.url) or entry.url
            entry = replace(entry, source=site, guid=None, authority="page")
        read.append((number, entry))
    return read


# All ranges of letters and digits of the basic plane, because Python's patterns have no \p{Letter} as JavaScript has.
# The other planes have extinct scripts and rare Han, and programs that read the JSON as YAML fail at their escapes.
_RUNS = re.findall(r"[^\W_]+", "".join(map(chr, range(0x10000))))
_LETTERS = "".join(f"{run[0]}-{run[-1]}" for run in _RUNS)
_TEXT_OR_NUMBER = DESCRIPTIONS["TextOrNumber"]
_TEXT_OR_NUMBER["pattern"] = _TEXT_OR_NUMBER["pattern"].replace("LETTERS", _LETTERS)
refer_to_schema("TextOrNumber", _TEXT_OR_NUMBER)
RECORD_SCHEMA = refer_to_schema("PushedRecord", DESCRIPTIONS["PushedRecord"])


# The most threads that store pushes: pushes wait for each other in the database, and readers need the other threads
WRITING_AT_ONCE = 2


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
        """`fetch_pages`: whether to fetch the page of a record that has only an address.

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

        `lines`: the Content-Type is JSONL. Raises RefusedError if the body or every record is invalid.
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
            entries = [entry for _, entry in read if isinstance(entry, Entry)]
            accepted = acceptance.accept(
                connection,
                entries,
                seen=[now] * len(entries),
                wants_page=[
                    self._fetch_pages and e.authority == "page" for e in entries
                ],
                bump_by_clock=True,
            ).accepted
            results = iter(accepted)
            items = []
            for number, entry in read:
                if not isinstance(entry, Entry):
                    items.append(
                        PushedItem(record=number, status="rejected", reason=entry)
                    )
                    continue
                result = next(results)
                outcome = result.outcome
                item = PushedItem(
                    record=number,
                    status="known" if outcome == "known" else "accepted",
                    article=result.article,
                    revision=outcome == "revision",
                )
                if outcome == "forgotten":
                    item = replace(item, status="rejected", reason=REASON)
                items.append(item)
            if not entries:
                detail = f"none of the {len(items)} records can be accepted; `items` has the reasons"
                if len(items) == 1:
                    detail = f"the record cannot be accepted: {items[0].reason}"
                raise RefusedError(
                    422, detail, more={"items": msgspec.to_builtins(items)}
                )
            statuses = [item.status for item in items]
            pushed = PushResult(
                accepted=statuses.count("accepted"),
                known=statuses.count("known"),
                rejected=statuses.count("rejected"),
                items=tuple(items),
            )
            if api_tokens.is_to_be_noted(token, now):
                api_tokens.note_use(connection, token, now)
            return pushed

        pushed = self._database.transact(work, durable=True)
        self._arrived()
        return pushed


# The largest body of one request, before and after unpacking (limit)
_MAX_BODY_BYTES = 2**20
_JSONL_TYPES = word_list("""
    application/jsonl application/x-jsonl application/jsonlines application/x-jsonlines application/ndjson
    application/x-ndjson
""")
router = api_router()
log = logging.getLogger(__name__)


@router.post(
    "/api/v1/articles",
    **describe_route(
        "articles",
        {202: answer(PushResult)},
        *(400, 408, 413, 415, 422),
        # The valid records of a list are accepted, and the invalid ones are rejected one by one.
        body={
            "schema": {
                "oneOf": [
                    RECORD_SCHEMA,
                    {"type": "array", "items": {}, "contains": RECORD_SCHEMA},
                ]
            },
            "examples": DESCRIPTIONS["push_examples"],
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
    # A page of another site can send forms and plain text without a CORS preflight, and the browser would add
    # stored HTTP Basic credentials; therefore these types are refused.
    kind = media_type(request)
    if kind != JSON and kind not in _JSONL_TYPES:
        raise RefusedError(
            415,
            "send Content-Type: application/json, or application/jsonl for one record per line",
        )
    if pushes.under_way.available_tokens < 1:
        raise too_many("pushes")
    async with pushes.under_way:
        body = await read_body(request, _MAX_BODY_BYTES, pushes.deadline_seconds)

        def store() -> PushResult:
            return pushes.take(token, _decode(request, body), lines=kind != JSON)

        try:
            pushed = await to_thread.run_sync(store, limiter=pushes.writing)
        except NotWritableError as error:
            # Only the log has the cause, because the message may contain names of files.
            log.error(  # noqa: TRY400
                "a push was not stored: %s", error, extra={"event": "request_failed"}
            )
            raise
    return Response(encode_json(pushed), 202, media_type=JSON)


def _decode(request: Request, body: bytes) -> bytes:
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
