"""The records of a pushed body, and their schema."""

import datetime as dt
import re

from msgspec.structs import replace

from aggregator.extract.urls import registrable_domain
from aggregator.model.entry import Entry
from aggregator.model.errors import ReadError
from aggregator.sources.parse.feeds.json_feed import is_json_feed
from aggregator.sources.parse.records.jsonl import as_record, decoded_json
from aggregator.sources.parse.records.record_entry import entry_of_record
from aggregator.web.api.openapi import DESCRIPTIONS, named
from aggregator.web.responses import RefusedError

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
named("TextOrNumber", _TEXT_OR_NUMBER)
RECORD_SCHEMA = named("PushedRecord", DESCRIPTIONS["PushedRecord"])
