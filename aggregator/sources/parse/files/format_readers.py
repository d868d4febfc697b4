"""The readers of files: one for each format."""

import re
from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from aggregator.extract.language import unicode
from aggregator.extract.language.charsets import decode, looks_binary
from aggregator.model.entry import Entry
from aggregator.model.errors import ReadError
from aggregator.sources.parse import mail
from aggregator.sources.parse.feeds import xml_repair
from aggregator.sources.parse.files.input_items import (
    FileIdentity,
    InputEntry,
    InputFeed,
    InputItems,
    InputProblem,
    ReadOptions,
    empty_input,
    too_long_input,
)
from aggregator.sources.parse.files.record_files import (
    entry_or_problem,
    read_json,
    read_records,
)
from aggregator.sources.parse.files.warc import read_archive
from aggregator.sources.parse.records import table_file
from aggregator.sources.parse.streams.file_stream import (
    Progress,
    Stream,
    open_decompressed,
)

# The element that begins an export of articles by Tiny Tiny RSS
_TTRSS = re.compile(rb"\s*+(?:<\?xml[^>]*+>\s*+)?<articles\s+schema-version=")


def _one_article(stream: Stream, reading: ReadOptions) -> bytes:
    """Return a file with one article. Raise ReadError if it is damaged: half an article would be another article."""
    data = stream.read(reading.tuning.max_article_bytes + 1)
    if stream.damage:
        raise ReadError(stream.damage[0])
    return data


def _document(
    stream: Stream, place: FileIdentity, reading: ReadOptions, *, is_page: bool
) -> InputItems:
    data = _one_article(stream, reading)
    if len(data) > reading.tuning.max_article_bytes:
        yield too_long_input(place.where, reading.tuning.max_article_bytes)
        return
    if looks_binary(data):
        yield InputProblem(
            where=place.where,
            reason="this is binary data and not text",
            verdict="binary",
        )
        return
    content = unicode.clean(decode(data)).strip()
    if not content:
        return
    entry = Entry(
        source=place.source,
        guid=place.guid,
        html=content if is_page else None,
        text=None if is_page else content,
        is_page=is_page,
        is_saved_text=not is_page,
        outlet=place.outlet,
    )
    yield InputEntry(entry=entry, where=place.where)


def _feed(stream: Stream, place: FileIdentity, reading: ReadOptions) -> InputItems:
    """Read a feed, or articles that Tiny Tiny RSS has exported."""
    data = stream.read(reading.tuning.max_feed_bytes + 1)
    if len(data) > reading.tuning.max_feed_bytes:
        yield too_long_input(place.where, reading.tuning.max_feed_bytes)
    elif _TTRSS.match(data):
        root = xml_repair.root_of(
            xml_repair.well_prepared(xml_repair.decode_markup(data))
        )
        exported = () if root is None else root.iter("article")
        for number, article in enumerate(exported, start=1):
            record = {part.tag: part.text for part in article.iterchildren("{*}*")}
            record["published"] = record.pop("updated", None)
            where = f"{place.where}, article {number}"
            yield entry_or_problem(record, where, place, reading)
    elif data.strip():
        yield InputFeed(data=data, source=place.name, where=place.where)


def _table(stream: Stream, place: FileIdentity, reading: ReadOptions) -> InputItems:
    """Read one record per row of a table with a header."""
    limit = reading.tuning.max_article_bytes
    chosen = reading.chosen
    orders = {}
    if reading.path is not None:
        with open_decompressed(reading.path, Progress()) as first_look:
            orders = table_file.date_orders(first_look, limit, chosen)
    number = 0
    for number, row in table_file.read_rows(stream, limit, chosen, orders):
        where = f"{place.where}, line {number}"
        if isinstance(row, str):
            yield InputProblem(where=where, reason=row)
        else:
            yield entry_or_problem(row, where, place, reading, is_row=True)
    if not number:
        yield replace(
            empty_input(place.where), reason="there is no row below its header"
        )


def _message(stream: Stream, place: FileIdentity, reading: ReadOptions) -> InputItems:
    yield _mail(_one_article(stream, reading), place, place.where, reading)


def _mailbox(stream: Stream, place: FileIdentity, reading: ReadOptions) -> InputItems:
    for number, data in enumerate(
        mail.messages(stream, reading.tuning.max_article_bytes), start=1
    ):
        yield _mail(data, place, f"{place.where}, message {number}", reading)


def _mail(
    data: bytes, place: FileIdentity, where: str, reading: ReadOptions
) -> InputEntry | InputProblem:
    """Parse a message. Its identity does not depend on its file, because mail programs rename and move the file."""
    if not data.strip():
        return empty_input(where)
    if len(data) > reading.tuning.max_article_bytes:
        return too_long_input(where, reading.tuning.max_article_bytes)
    try:
        entry = reading.parse_mail(data, source=place.source, seen=reading.seen)
    except ReadError as error:
        return InputProblem(where=where, reason=str(error))
    return InputEntry(entry=entry, where=where)


READERS: dict[str, Callable[[Stream, FileIdentity, ReadOptions], InputItems]] = {
    ".txt": partial(_document, is_page=False),
    ".html": partial(_document, is_page=True),
    ".htm": partial(_document, is_page=True),
    ".xml": _feed,
    ".rss": _feed,
    ".atom": _feed,
    ".json": read_json,
    ".jsonl": read_records,
    ".ndjson": read_records,
    ".jl": read_records,
    ".csv": _table,
    ".tsv": _table,
    ".warc": read_archive,
    ".eml": _message,
    ".mhtml": _message,
    ".mht": _message,
    ".mbox": _mailbox,
}
