"""JSONL records: one article per line, for `ingest`, the API and `eval`.

Also splits JSON of any length into pieces: the elements of a list, or consecutive values. Splitting looks
only at brackets, commas and strings. The caller decodes each piece, so a malformed one does not affect the
others as long as its brackets match.
"""

import datetime as dt
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from aggregator.extract.language import dates, unicode
from aggregator.model.core import Entry, FrozenStruct
from aggregator.model.errors import ReadError
from aggregator.sources.parse.entry_builder import (
    absolute_url,
    author_name,
    plain_title,
    primary_language,
    short_key,
)

_READ_BYTES = 65_536
_SILENT_BYTES = 1_048_576
_SILENT_SIGNS = 100_000
# A string without an end in the buffer matches up to the end of the buffer.
_SIGN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[][{},]', re.DOTALL)
_SIGN_INSIDE = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[][{}]', re.DOTALL
)  # inside a value, commas do not matter
_OPENING, _CLOSING = b"[{", b"]}"
_BETWEEN = b" \t\r\n\0,"
_GAP = re.compile(rb"[ \t\r\n\0,]+")


def pieces(stream: io.BufferedReader, limit_bytes: int) -> Iterator[bytes | None]:
    """Yield the elements of the list that `stream` begins with, else the values in it.

    Yield None for a piece longer than `limit_bytes`; at most twice that is kept in memory. Data after the
    list is ignored; an unfinished piece is yielded as it is. Yield b"" from time to time if no piece is
    complete, so that the caller may do other work.
    """
    yield from _Splitter(stream, limit_bytes).split()


class _Splitter:
    def __init__(self, stream: io.BufferedReader, limit_bytes: int) -> None:
        self._stream = stream
        self._limit = limit_bytes
        self._buffer = bytearray()  # data from the beginning of a piece on
        self._at = 0  # position up to which it was scanned
        self._depth = 0
        self._is_too_long = False
        self._silent_bytes = self._silent_signs = 0  # read since the last yield

    def split(self) -> Iterator[bytes | None]:
        self._fill()
        opening = self._buffer.find(b"[")
        is_list = opening >= 0 and not self._buffer[:opening].strip(b" \t\r\n\0\xef\xbb\xbf")
        if is_list:
            self._drop(opening + 1)
        while True:
            self._silent_signs += 1
            if self._silent_bytes >= _SILENT_BYTES or self._silent_signs >= _SILENT_SIGNS:
                self._silent_bytes = self._silent_signs = 0
                yield b""
            if (
                not (self._at or self._is_too_long)
                and self._buffer[:1] in _BETWEEN
                and (gap := _GAP.match(self._buffer))
            ):
                self._drop(gap.end())
            match = (_SIGN_INSIDE if self._depth > 0 else _SIGN).search(self._buffer, self._at)
            if match is None or (match.end() == len(self._buffer) and match[0][:1] == b'"'):
                # No more signs in the buffer, or a string without its end.
                self._at = len(self._buffer) if match is None else match.start()
                if not self._fill():
                    break
                continue
            self._at = match.end()
            sign = match[0]
            if sign in _OPENING:
                self._depth += 1
            elif sign in _CLOSING:
                self._depth -= 1
                if is_list and self._depth < 0:
                    yield from self._piece(match.start())
                    return
                if not is_list and self._depth <= 0:
                    yield from self._piece(match.end())
            elif sign == b"," and is_list and self._depth <= 0:
                yield from self._piece(match.start())
        yield from self._piece(len(self._buffer))

    def _fill(self) -> bool:
        """Read more, twice as much each time, so that a long string is not scanned again and again."""
        if len(self._buffer) > self._limit:
            self._is_too_long = True
            del self._buffer[: self._at]
            self._at = 0
            if len(self._buffer) > self._limit:  # one string: only its first byte and a final escape matter
                is_escape = (len(self._buffer) - len(self._buffer.rstrip(b"\\"))) % 2 == 1
                self._buffer[1:] = b"\\" if is_escape else b""
        more = self._stream.read(max(_READ_BYTES, len(self._buffer)))
        self._buffer += more
        self._silent_bytes += len(more)
        return bool(more)

    def _piece(self, end: int) -> Iterator[bytes | None]:
        piece = bytes(self._buffer[:end]).strip(_BETWEEN)
        is_too_long, self._is_too_long = self._is_too_long or len(piece) > self._limit, False
        self._drop(max(end, self._at))
        self._depth = 0
        if is_too_long or piece:
            self._silent_bytes = self._silent_signs = 0
            yield None if is_too_long else piece

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._at = 0


_MAX_NAME_CHARS = 300
_MAX_KEY_CHARS = 1024
_PAGE = re.compile(r"<(?:html|head|body)\b", re.IGNORECASE)
_ID = re.compile(rb'"id"\s*:\s*(?:"((?:[^"\\]|\\.){1,1000})"|([0-9]{1,30}))')


class LabelledRecord(FrozenStruct, frozen=True, kw_only=True):
    """A record of an evaluation set. `id` is as given; `problem` is the reason why a record is invalid."""

    entry: Entry
    id: str
    cluster: str | None = None
    copy_of: str | None = None
    problem: str | None = None


def decoded_record(line: bytes | str) -> dict[str, Any]:
    """Return the JSON object of one line in any encoding. Raise ReadError for anything else."""
    return as_record(decoded_json(line))


def decoded_json(line: bytes | str) -> object:
    """Decode a line, or a whole body, of JSON in any encoding. Raise ReadError if it is not JSON."""
    raw = line.strip() if isinstance(line, bytes) else line.strip().encode("utf-8", "surrogatepass")
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decoded_forgivingly(raw)


def as_record(value: object) -> dict[str, Any]:
    """Return `value` if it is a JSON object. Raise ReadError for other JSON."""
    if isinstance(value, dict):
        return value
    raise ReadError("this is JSON but not a record; a record is an object in braces")


def _decoded_forgivingly(raw: bytes) -> object:
    """Decode what the strict decoder rejects: other encodings, lone surrogates, NaN, control characters."""
    try:
        return json.loads(unicode.decode(raw), strict=False)
    except json.JSONDecodeError as error:
        raise ReadError(f"not JSON ({error.msg} at character {error.pos + 1})") from error
    except RecursionError as error:
        raise ReadError("not a record (nested too deeply)") from error
    except ValueError as error:
        raise ReadError("not a record (a number in it has too many digits)") from error


def entry_of_record(record: dict[str, Any], *, file_name: str, seen: dt.datetime | None = None) -> Entry:
    """Return the entry of a decoded record. Raise ReadError if it has no content at all."""
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


def read_labelled(line: bytes | str, *, file_name: str, line_number: int) -> LabelledRecord:
    """Return the record with its labels. Never raises: in eval an invalid record is a story of its own.

    A record without an id gets one from its file and line.
    """
    fallback = f"{file_name}:{line_number}"
    try:
        record = decoded_record(line)
    except ReadError as error:
        found_id = _id_in(line) or fallback
        return LabelledRecord(entry=Entry(source=file_name, guid=found_id), id=found_id, problem=str(error))
    record_id = _writable(_string(record, "id")) or fallback
    labels = {key: _writable(_string(record, key)) or None for key in ("cluster", "copy_of")}
    try:
        entry = entry_of_record(record, file_name=file_name)
    except ReadError as error:
        entry = Entry(source=file_name, guid=short_key(record_id, _MAX_KEY_CHARS))
        return LabelledRecord(entry=entry, id=record_id, problem=str(error), **labels)
    return LabelledRecord(entry=entry, id=record_id, **labels)


def _id_in(line: bytes | str) -> str | None:
    raw = line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")
    match = _ID.search(raw, 0, 65_536)
    if match is None:
        return None
    return (match.group(1) or match.group(2)).decode("utf-8", "replace")


def _writable(label: str) -> str:
    """Return an id as given, except for characters that a file cannot hold, so that results can name it."""
    return label.encode("utf-8", "replace").decode()


def _string(record: dict[str, Any], key: str) -> str:
    """Return a string, or a number below 10^30 as its digits (ids, epoch seconds); else ""."""
    value = record.get(key)
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if not -(10**30) < value < 10**30:  # not a plausible number; also true for NaN
        return ""
    return str(int(value)) if value == int(value) and abs(value) < 10**15 else str(value)
