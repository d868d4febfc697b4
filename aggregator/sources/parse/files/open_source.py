"""Reads the input of `ingest WHAT`: files, folders, archives, standard input.

An unreadable file gives one problem, and reading goes on. Memory use is bounded, because one article, one record, one
feed or one JSON document is read at a time. Identifiers (`source`, `guid`) never contain a path of this machine: a
folder is identified by its name, and a file by its path below the folder. So `ingest dir` and `ingest dir/x.txt` give
the same identifiers.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path

from msgspec.structs import replace

from aggregator.extract.language import unicode
from aggregator.extract.language.charsets import decode, looks_binary
from aggregator.model.errors import ReadError, UsageError
from aggregator.sources.parse import mail
from aggregator.sources.parse.feeds import feed_format
from aggregator.sources.parse.files.format_readers import READERS
from aggregator.sources.parse.files.input_items import (
    SNIFFED_BYTES,
    FileIdentity,
    InputItem,
    InputItems,
    ReadOptions,
    empty_input,
    whole_file_problem,
)
from aggregator.sources.parse.records import table_file
from aggregator.sources.parse.streams import folder_scan
from aggregator.sources.parse.streams.file_stream import (
    Stream,
    decompress_stream,
    open_decompressed,
)
from aggregator.sources.parse.streams.remote_files import (
    RemoteFile,
    is_remote,
    remote_name,
    require_readable,
    show_address,
)

STDIN = "stdin"

_DATE = re.compile(r"[0-9][0-9._ -]*")
_SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{0,9}")  # and not the end of "Dam repairs No. 5"


def open_source(what: Path | str, reading: ReadOptions) -> Iterator[InputItem]:
    """Read a file, a folder or "-" (standard input), in order of path and line.

    Raise UsageError if it does not exist, and ReadError if a folder cannot be listed, both before the first
    item. The progress of `reading` is updated while the result is read.
    """
    address = str(what)
    if address == "-":
        place = FileIdentity(where=STDIN, source=STDIN, guid=None, name=STDIN)
        return _read(
            decompress_stream(sys.stdin.buffer, reading.progress), "", place, reading
        )
    if is_remote(address):
        require_readable(address)
        return _read_remote(address, reading)
    path = Path(what)
    if os.path.isdir(path):  # noqa: PTH112 - the method of Path raises for invalid names
        files = tuple(folder_scan.list_files(path))
        reading.progress.total_bytes = sum(file.stamp.size for file in files)
        return chain.from_iterable(
            read_file(Path(file.path), identify_below(path, file.relative), reading)
            for file in files
        )
    if not os.path.exists(path):  # noqa: PTH110
        raise UsageError(f"{what}: there is no such file or folder")
    reading.progress.total_bytes = path.stat().st_size
    # A file given by itself is identified as a file below its folder, which does not give it an outlet.
    place = replace(identify_below(_absolute(path).parent, path.name), where=str(path))
    return read_file(path, place, reading)


def identify_below(folder: Path, relative: str) -> FileIdentity:
    """Return the identity of the file at `relative` (parts joined by "/") below `folder`.

    The innermost folder that is not a date gives the outlet: Gazette/x.txt and Gazette/2026-10/x.txt have the outlet
    Gazette.
    """
    plain = folder_scan.plain_name(relative)
    name = _clean_name(plain)
    folders = plain.split("/")[:-1]
    while folders and _DATE.fullmatch(folders[-1]):
        folders.pop()
    return FileIdentity(
        where=str(folder / relative),
        source=_clean_name(_absolute(folder).name or "files"),
        guid=name,
        name=name,
        outlet=(_clean_name(folders[-1]) or None) if folders else None,
    )


def read_file(path: Path, place: FileIdentity, reading: ReadOptions) -> InputItems:
    """Read one file by its extension, or by its first bytes if the extension is unknown.

    A damaged archive gives everything that is readable, and a problem at the end.
    """
    if not path.is_file():
        yield whole_file_problem(place, "this is not a regular file")
        return
    is_mail = folder_scan.is_maildir(path.parent)
    suffix = ".eml" if is_mail else folder_scan.suffix_of(path.name)
    reading = replace(reading, path=str(_absolute(path)))
    yield from _read(open_decompressed(path, reading.progress), suffix, place, reading)


def _read_remote(address: str, reading: ReadOptions) -> InputItems:
    name = unicode.clean(remote_name(address))
    place = FileIdentity(where=show_address(address), source=name, guid=name, name=name)
    try:
        reading.progress.total_bytes = size = RemoteFile(address).size
    except OSError as error:
        yield whole_file_problem(place, f"the file cannot be opened ({error.strerror})")
        return
    if size:
        yield from _read(
            open_decompressed(address, reading.progress),
            folder_scan.suffix_of(name),
            place,
            reading,
        )
    else:
        yield whole_file_problem(place, "there is nothing at this address")


def _read(
    opening: AbstractContextManager[Stream],
    suffix: str,
    place: FileIdentity,
    reading: ReadOptions,
) -> InputItems:
    try:
        with opening as stream:
            sniffed = suffix if suffix in READERS else _sniff(stream)
            if sniffed == ".txt" and suffix != ".txt" and _SUFFIX.fullmatch(suffix):
                advice = f"if it is a text, name it .txt; others: {' '.join(READERS)}"
                if suffix in _SPREADSHEETS:
                    advice = "save it as CSV"
                yield whole_file_problem(
                    place, f"files that end in {suffix} are not read; {advice}"
                )
                return
            is_table = sniffed == ".txt" and table_file.looks_like_table(
                stream.peek(SNIFFED_BYTES)
            )
            reader = READERS[".csv" if is_table else sniffed]
            # A reader yields nothing if there is nothing in the file.
            is_empty = True
            for input_item in reader(stream, place, reading):
                is_empty = False
                yield replace(input_item, file=place.where)
        if is_empty:
            yield replace(empty_input(place.where), file=place.where)
    except ReadError as error:
        yield whole_file_problem(place, str(error))


def _absolute(path: Path) -> Path:
    """Return the absolute path without resolving links, because files are identified by the name that was given."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve follows links


def _clean_name(name: str) -> str:
    """Return a file name as valid Unicode text without control characters, in NFC."""
    return unicode.clean(os.fsencode(name).decode("utf-8", "replace"))


def _sniff(stream: Stream) -> str:
    head = (
        stream.peek(SNIFFED_BYTES)[:SNIFFED_BYTES]
        .removeprefix(b"\xef\xbb\xbf")
        .lstrip()
    )
    if head.startswith(b"WARC/"):
        return ".warc"
    if mail.looks_like_mbox(head):
        return ".mbox"
    if mail.looks_like_mail(head):
        return ".eml"
    if head.lstrip(b"\xff\xfe\0")[:1] in {b"{", b"["}:
        return ".json"
    if not looks_binary(head):
        text = decode(head)
        if text.lstrip().startswith("<"):
            return ".html" if feed_format.looks_like_page(text) else ".xml"
    return ".txt"
