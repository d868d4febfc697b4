"""Reads records from JSON: one per line, a list, or consecutive values. Reads their labels for `eval`."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from msgspec.structs import replace

from aggregator.extract.language.charsets import decode
from aggregator.model.entry import Entry
from aggregator.model.errors import ReadError
from aggregator.model.structs import FrozenStruct
from aggregator.sources.parse.feeds.entry_builder import short_key
from aggregator.sources.parse.records.record_entry import KeysRead, read_record
from aggregator.sources.parse.records.record_keys import (
    Chosen,
    Record,
    texts_in,
    value_at,
)

_DECODER = json.JSONDecoder(strict=False)
_GAP = re.compile(r"[ \t\r\n\0\ufeff,]*+")


def values(data: bytes) -> Iterator[tuple[object, int]]:
    """Yield each element of the list that `data` begins with, else each value in `data`, with its length in characters.

    Raise ReadError at the first value that is not JSON; later values are not read. Data after a list are ignored, and
    so is a missing end of the list.
    """
    text = decode(data)
    at = _behind_gap(text, 0)
    is_list = text.startswith("[", at)
    at = _behind_gap(text, at + is_list)
    while at < len(text) and not (is_list and text[at] == "]"):
        with _as_read_error():
            value, end = _DECODER.raw_decode(text, at)
        yield value, end - at
        at = _behind_gap(text, end)


def _behind_gap(text: str, at: int) -> int:
    gap = _GAP.match(text, at)
    assert gap is not None
    return gap.end()


# The id in a line that is not valid JSON
_ID = re.compile(rb'"id"\s*:\s*(?:"((?:[^"\\]|\\.){1,1000})"|([0-9]{1,30}))')


class LabelledRecord(FrozenStruct):
    """A record of an evaluation set. `id` is the given id; `problem` is the reason why a record is invalid."""

    entry: Entry
    id: str
    cluster: str | None = None
    # A label for events that follow from one another
    saga: str | None = None
    copy_of: str | None = None
    # False: labelled with a `kind` other than report, or with `sure` 0, which means that the labels are arguable
    is_sure_report: bool = True
    problem: str | None = None
    keys: KeysRead = KeysRead()


def decoded_record(line: bytes | str) -> Record:
    """Return the JSON object of one line in any encoding. Raise ReadError for anything else."""
    return as_record(decoded_json(line))


def decoded_json(line: bytes | str) -> object:
    """Decode a line, or a whole body, of JSON in any encoding. Raise ReadError if it is not JSON."""
    raw = _as_bytes(line.strip()).removeprefix(b"\xef\xbb\xbf")
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Python's decoder also reads NaN, lone surrogates and control characters; `decode` reads other encodings.
        with _as_read_error():
            return _DECODER.decode(decode(raw))


def as_record(value: object) -> Record:
    """Return `value` if it is a JSON object. Raise ReadError for other JSON."""
    if isinstance(value, dict):
        return value
    raise ReadError("this is JSON but not a record; a record is an object in braces")


@contextmanager
def _as_read_error() -> Iterator[None]:
    try:
        yield
    except json.JSONDecodeError as error:
        raise ReadError(
            f"not JSON ({error.msg} at character {error.pos + 1})"
        ) from error
    except RecursionError as error:
        raise ReadError("not a record (nested too deeply)") from error
    except ValueError as error:
        raise ReadError("not a record (a number in it has too many digits)") from error


def read_labelled(
    line: bytes | str | dict[str, str],
    *,
    file_name: str,
    line_number: int,
    chosen: Chosen,
) -> LabelledRecord:
    """Return the record of a line, or of a row of a table, with its labels.

    `chosen` has the keys that `--map` names, by field. A record without an id gets one from its file and line. This
    never raises: an invalid record has a `problem`, and counts as a story of its own.
    """
    record_id = f"{file_name}:{line_number}"
    record: Record
    if isinstance(line, dict):
        record = line
    else:
        try:
            record = decoded_record(line)
        except ReadError as error:
            if found := _ID.search(_as_bytes(line), 0, 65_536):
                record_id = (found[1] or found[2]).decode("utf-8", "replace")
            entry = Entry(source=file_name, guid=record_id)
            return LabelledRecord(entry=entry, id=record_id, problem=str(error))
    record_id = _label(record, chosen.get("id", "id")) or record_id
    cluster_key = chosen.get("cluster", "cluster")
    cluster = _label(record, cluster_key) or None
    problem = None
    keys = KeysRead()
    try:
        entry, keys = read_record(record, chosen=chosen, file_name=file_name)
    except ReadError as error:
        entry = Entry(source=file_name, guid=short_key(record_id))
        problem = str(error)
    if cluster and cluster_key in keys.unread:
        unread = [key for key in keys.unread if key != cluster_key]
        read = (*keys.read, (cluster_key, "cluster"))
        keys = replace(keys, read=read, unread=tuple(unread))
    return LabelledRecord(
        entry=entry,
        id=record_id,
        cluster=cluster,
        saga=_label(record, "saga") or None,
        copy_of=_label(record, "copy_of") or None,
        is_sure_report=(record.get("kind", "report") == "report")
        and record.get("sure", 1) not in (0, "0"),
        problem=problem,
        keys=keys,
    )


def _as_bytes(line: bytes | str) -> bytes:
    return line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")


def _label(record: Record, key: str) -> str:
    """Return a string as given, or a number as its digits; "" for anything else.

    Characters that a file cannot hold are replaced, so that results can name it.
    """
    value = value_at(record, key)
    if isinstance(value, list | dict):
        return ""
    return next(texts_in(value, "id"), "").encode("utf-8", "replace").decode()
