"""The records of a pushed body, and their schema."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from aggregator.extract.urls import registrable_domain
from aggregator.model.entry import Entry
from aggregator.model.errors import ReadError
from aggregator.sources.parse.feeds.json_feed import is_json_feed
from aggregator.sources.parse.records.jsonl import (
    as_record,
    decoded_json,
    decoded_record,
)
from aggregator.sources.parse.records.record_entry import entry_of_record
from aggregator.web.api.openapi import named
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
    return [(n, _entry_or_reason(record, source, seen)) for n, record in raw]


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
    for number, line in enumerate(body.split(b"\n"), start=first_line):
        if line.strip(_BLANK) and most > 0:
            most -= 1
            yield number, line


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
_RUNS = re.findall(r"[^\W_]+", "".join(map(chr, range(0x10000))))
_LETTERS = "".join(f"{run[0]}-{run[-1]}" for run in _RUNS)
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
RECORD_SCHEMA = named(
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
EXAMPLE: dict[str, Any] = {
    "id": "2026-11-20/dam",
    "url": "https://news.example.org/2026/dam",
    "outlet": "Harbour Post",
    "title": "Dam siren sounded by mistake",
    "text": "The siren of the Orrin dam sounded for ten minutes on Friday.\n"
    "No one was in danger, the fire service said.",
    "published": "2026-11-20T08:30:00Z",
    "language": "en",
}
