"""Pushes: their records are read and stored in the inbox, and the response is sent after they are on disk.

The daemon places them later.
"""

import datetime as dt
import re
from collections.abc import Callable
from typing import Literal

import msgspec
from anyio import CapacityLimiter
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.extract.urls import registrable_domain
from aggregator.model.clock import Clock
from aggregator.model.entry import Entry
from aggregator.model.errors import ReadError
from aggregator.model.structs import FrozenStruct
from aggregator.sources.parse.feeds.json_feed import is_json_feed
from aggregator.sources.parse.records.jsonl import as_record, decoded_json
from aggregator.sources.parse.records.record_entry import entry_of_record
from aggregator.sources.source_limits import net_tuning
from aggregator.store import api_tokens
from aggregator.store.api_tokens import ApiToken
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import acceptance
from aggregator.store.intake.identity.tombstones import REASON
from aggregator.web.api.openapi import DESCRIPTIONS, refer_to_schema
from aggregator.web.responses import RefusedError
from aggregator.web.security.request_tokens import TokenStore

_BLANK = b" \t\r\n\0\xef\xbb\xbf"
# Number of the record, and its entry or the reason of its rejection
Read = tuple[int, Entry | str]


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
            advice = "send one record per line as Content-Type: application/jsonl"
            raise RefusedError(400, f"the body is {error}; {advice}") from error
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


# All ranges of letters and digits, as Python has no \p{Letter} of JavaScript. Beyond are extinct scripts and rare Han,
# and who reads JSON as YAML fails at their escapes.
_RUNS = re.findall(r"[^\W_]+", "".join(map(chr, range(0x10000))))
_LETTERS = "".join(f"{run[0]}-{run[-1]}" for run in _RUNS)
_TEXT_OR_NUMBER = DESCRIPTIONS["TextOrNumber"]
_TEXT_OR_NUMBER["pattern"] = _TEXT_OR_NUMBER["pattern"].replace("LETTERS", _LETTERS)
refer_to_schema("TextOrNumber", _TEXT_OR_NUMBER)
RECORD_SCHEMA = refer_to_schema("PushedRecord", DESCRIPTIONS["PushedRecord"])


# threads; pushes wait for each other in the database, and readers need the other threads
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
