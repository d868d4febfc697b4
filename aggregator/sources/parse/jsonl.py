"""JSONL records: one article a line, as `ingest`, the API and `eval` take them."""

import datetime as dt
import json
import re
from typing import Any

import msgspec

from aggregator.extract.language import dates, unicode
from aggregator.model.core import Entry, Noun
from aggregator.model.errors import ReadError
from aggregator.sources.parse.entry_builder import (
    absolute_url,
    author_name,
    plain_title,
    primary_language,
    short_key,
)

_MAX_NAME_CHARS = 300
_MAX_KEY_CHARS = 1024
_PAGE = re.compile(r"<(?:html|head|body)\b", re.IGNORECASE)
_ID = re.compile(rb'"id"\s*:\s*(?:"((?:[^"\\]|\\.){1,1000})"|([0-9]{1,30}))')


class Labelled(Noun, frozen=True, kw_only=True):
    """A record of an evaluation set. `id` is as given; `problem` says why a bad record has little in it."""

    entry: Entry
    id: str
    cluster: str | None = None
    copy_of: str | None = None
    problem: str | None = None


def read_record(
    line: bytes | str, *, file_name: str, line_number: int, seen: dt.datetime | None = None
) -> Entry:
    """The entry of one line. Raises ReadError, naming file and line, for what is no record or an empty one.

    `file_name` is the source's identity where the record names no outlet, so it must not be a path of this
    machine. A title without text is a record; unknown keys are passed over. A declared time that cannot be
    read or is absurd (further ahead of `seen`, where that is given, than a day) is unknown.
    """
    try:
        return entry_of_record(decoded_record(line), file_name=file_name, seen=seen)
    except ReadError as error:
        raise ReadError(f"{file_name}, line {line_number}: {error}") from error


def decoded_record(line: bytes | str) -> dict[str, Any]:
    """The JSON object of one line, whatever its encoding; ReadError for anything else."""
    return as_record(decoded_json(line))


def decoded_json(line: bytes | str) -> object:
    """What is in one line, or a whole body, of JSON in whatever encoding; ReadError for what is none."""
    raw = line.strip() if isinstance(line, bytes) else line.strip().encode("utf-8", "surrogatepass")
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decoded_forgivingly(raw)


def as_record(value: object) -> dict[str, Any]:
    """`value` when it is a JSON object; ReadError for any other JSON."""
    if isinstance(value, dict):
        return value
    raise ReadError("this is JSON but not a record; a record is an object in braces")


def _decoded_forgivingly(raw: bytes) -> object:
    """What the strict reader refuses: other encodings, lone surrogates, NaN, raw control characters."""
    try:
        return json.loads(unicode.decode(raw), strict=False)
    except json.JSONDecodeError as error:
        raise ReadError(f"not JSON ({error.msg} at character {error.pos + 1})") from error
    except RecursionError as error:
        raise ReadError("not a record (nested too deeply)") from error
    except ValueError as error:
        raise ReadError("not a record (a number in it has too many digits)") from error


def entry_of_record(record: dict[str, Any], *, file_name: str, seen: dt.datetime | None = None) -> Entry:
    """The entry that a decoded record stands for; ReadError where it says nothing at all."""
    outlet = plain_title(_string(record, "outlet") or _string(record, "source"))[:_MAX_NAME_CHARS] or None
    url = absolute_url(_string(record, "url"), None)
    title = plain_title(_string(record, "title"))
    text = unicode.clean(_string(record, "text")).strip()
    html = unicode.clean(_string(record, "html")).strip()
    if not url and not any(letter.isalnum() for part in (title, text, html) for letter in part):
        raise ReadError("the record is empty: it needs at least a title, a text, html or a url")
    return Entry(
        source=outlet or file_name,
        guid=short_key(_string(record, "id"), _MAX_KEY_CHARS),
        url=url,
        title=title,
        html=html or None,
        text=text or None,
        is_page=_PAGE.search(html, 0, 8192) is not None,
        published=dates.parse_declared(_string(record, "published"), None, seen),
        outlet=outlet,
        author=author_name(_string(record, "author")[:_MAX_NAME_CHARS]),
        language=primary_language(_string(record, "language") or _string(record, "lang")),
    )


def read_labelled(line: bytes | str, *, file_name: str, line_number: int) -> Labelled:
    """The record with its labels. Never raises: eval rejects nothing, a bad record is its own story.

    A record without an id is called by its file and line.
    """
    fallback = f"{file_name}:{line_number}"
    try:
        record = decoded_record(line)
    except ReadError as error:
        found_id = _id_in(line) or fallback
        return Labelled(entry=Entry(source=file_name, guid=found_id), id=found_id, problem=str(error))
    record_id = _writable(_string(record, "id")) or fallback
    labels = {key: _writable(_string(record, key)) or None for key in ("cluster", "copy_of")}
    try:
        entry = entry_of_record(record, file_name=file_name)
    except ReadError as error:
        entry = Entry(source=file_name, guid=short_key(record_id, _MAX_KEY_CHARS))
        return Labelled(entry=entry, id=record_id, problem=str(error), **labels)
    return Labelled(entry=entry, id=record_id, **labels)


def _id_in(line: bytes | str) -> str | None:
    raw = line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")
    found = _ID.search(raw, 0, 65_536)
    if found is None:
        return None
    return (found.group(1) or found.group(2)).decode("utf-8", "replace")


def _writable(label: str) -> str:
    """An id as given, but for what no file can hold: eval's answer must name it as its record does."""
    return label.encode("utf-8", "replace").decode()


def _string(record: dict[str, Any], key: str) -> str:
    """Strings as they are, numbers below 10^30 as their digits (ids, epoch seconds); else it is not there."""
    value = record.get(key)
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if not -(10**30) < value < 10**30:  # no number of anybody's; also false for NaN
        return ""
    return str(int(value)) if value == int(value) and abs(value) < 10**15 else str(value)
