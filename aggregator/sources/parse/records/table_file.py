"""Tables (CSV, TSV) as records: each row is a record, with the names of the columns in the first line.

The separator is the character by which the header has the most known names. Rows are read one after the other, so a
table may have any length.
"""

import codecs
import contextlib
import csv
import io
import itertools
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from aggregator.config.messages import pluralise
from aggregator.extract.language import unicode
from aggregator.extract.language.charsets import decode
from aggregator.model.errors import ReadError
from aggregator.sources.parse.records.record_keys import RECORD_KEYS, Chosen, plain_name
from aggregator.sources.parse.streams.file_stream import Stream
from aggregator.text.lines import word_set

_SEPARATORS = ",;\t|"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ADDRESSES = word_set("url link href weburl pageurl articleurl permalink")
# What pandas and databases write for a missing value
_MISSING = frozenset({"", "nan", "NaN", "NULL", "None", r"\N"})
_HEADER_CHARS = 65_536
_COLUMNS_NAMED = 20
# The order of day and month is determined from this many rows, some tens of MB of articles (chosen)
_ROWS_SAMPLED = 20_000
# Each key is a template that writes an ambiguous date with its year first. A date that matches the pattern shows that
# the template is right for its column, because one of its numbers can only be a day.
_ORDERS = {
    r"\3-\2-\1": re.compile(
        r"\s*(?:1[3-9]|2[0-9]|3[01])[/-][0-9]{1,2}[/-](?:19|20)[0-9]{2}(?![0-9])"
    ),
    r"\3-\1-\2": re.compile(
        r"\s*[0-9]{1,2}[/-](?:1[3-9]|2[0-9]|3[01])[/-](?:19|20)[0-9]{2}(?![0-9])"
    ),
}
_AMBIGUOUS = re.compile(
    r"\A\s*(0?[1-9]|1[0-2])[/-](0?[1-9]|1[0-2])[/-]((?:19|20)[0-9]{2})(?![0-9])"
)
# A message shows this much of a column's name
_NAME_CHARS = 60

Row = dict[str, str]


def looks_like_table(head: bytes) -> bool:
    """Return whether bytes begin with the header of a table.

    The columns must name at least two fields, and at least half as many fields as there are columns. One of the fields
    must be a title, a text, HTML or an address.
    """
    columns = _split(decode(head.partition(b"\n")[0]))[1]
    known = _count_known(columns)
    return known >= 2 and 2 * known >= len(columns) and _has_content(columns)


def date_orders(stream: Stream, limit: int, chosen: Chosen) -> dict[str, str]:
    """Return, for each column of dates, the template that writes dates such as 3/4/2026 with the year first.

    The other dates of the column show the order: a number above 12 is a day. A column that has such numbers in both
    places is not in the result. For `limit` and `chosen`, see read_rows.
    """
    date_names = {
        *RECORD_KEYS.content.keys["published"],
        plain_name(chosen.get("published", "")),
    }
    orders: dict[str, set[str]] = {}
    # A table that cannot be read is reported when its rows are read.
    with contextlib.suppress(ReadError):
        for _, row in itertools.islice(read_rows(stream, limit, chosen), _ROWS_SAMPLED):
            if isinstance(row, str):
                continue
            for name, cell in row.items():
                for order, settling in _ORDERS.items():
                    if settling.match(cell) and plain_name(name) in date_names:
                        orders.setdefault(name, set()).add(order)
    return {name: order.pop() for name, order in orders.items() if len(order) == 1}


def read_rows(
    stream: Stream,
    limit: int,
    chosen: Chosen,
    orders: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[int, Row | str]]:
    """Yield each row with the number of its first line; in place of an unreadable row, yield the reason.

    A line may have `limit` bytes, and a cell as many characters. `orders` is the result of date_orders, by which dates
    such as 3/4/2026 are understood. Raise ReadError for a longer line, and for a table whose first line names no column
    that can be read, or lacks a column that `chosen` names.
    """
    lines = _lines(stream, limit)
    separator, columns = _header(next(lines, ""), chosen)
    # The limit of `csv` is 131,072 characters, which an article may exceed. The limit applies to the whole process, so
    # another reader may have raised it further.
    csv.field_size_limit(max(limit, csv.field_size_limit()))
    # The reader is strict, because a quotation mark that is never closed would silently take in all further rows.
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        # The reader counts the lines that it has read, without the header; the next row begins on the line after them.
        number = reader.line_num + 2
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            is_unclosed = "end of data" in str(error) or "limit" in str(error)
            problem = (
                "the row cannot be read, is a quotation mark in a cell not doubled?"
            )
            if is_unclosed:
                problem = (
                    "a quotation mark is not closed; what is behind it is not read"
                )
            yield number, f"{problem} ({error})"
            if is_unclosed:
                return
        else:
            if cells:
                yield number, _row(columns, cells, orders)


def _lines(stream: Stream, limit: int) -> Iterator[str]:
    source: Stream | io.TextIOWrapper = stream
    if stream.peek(2)[:2] in _UTF16:
        source = io.TextIOWrapper(stream, "utf-16", "replace", newline="")
    number = 0
    while line := source.readline(limit + 1):
        number += 1
        if len(line) > limit:
            raise ReadError(
                f"line {number} is longer than {limit / 2**20:.0f} MiB; what follows is not read"
            )
        if isinstance(line, str):
            yield line
            continue
        try:
            text = line.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = decode(line)
        yield text
    if isinstance(source, io.TextIOWrapper):
        source.detach()  # otherwise the wrapper would close the caller's stream


def _header(first: str, chosen: Chosen) -> tuple[str, list[str]]:
    """Return the separator and the names of the columns."""
    if not first.strip():
        raise ReadError("there is nothing in it, or its first line is empty")
    separator, cells = _split(first)
    columns: list[str] = []
    for number, cell in enumerate(cells, start=1):
        name = unicode.clean(cell).strip() or f"column {number}"
        columns.append(f"{name} ({number})" if name in columns else name)
    shown = ", ".join(f"`{name[:_NAME_CHARS]}`" for name in columns[:_COLUMNS_NAMED])
    for key in chosen.values():
        if key and key not in columns:
            raise ReadError(
                f"there is no column `{key}`, which --map names; the columns are {shown}"
            )
    if not chosen and not _has_content(columns):
        raise ReadError(
            "the first line of a table must name its columns, one of them title, text, html or url; here it "
            f"is {shown}. If these are names, say which are which: --map title=NAME,text=NAME"
        )
    return separator, columns


def _split(line: str) -> tuple[str, list[str]]:
    """Return the separator that gives a header the most known names, then the most cells; and these cells."""
    best = (-1, 0, "", [""])
    for separator in _SEPARATORS:
        try:
            cells = next(
                csv.reader([line[:_HEADER_CHARS].rstrip("\r\n")], delimiter=separator),
                [],
            )
        except csv.Error:
            continue
        best = max(best, (_count_known(cells), len(cells), separator, cells))
    return best[2], best[3]


def _count_known(columns: list[str]) -> int:
    """Return the number of fields that the columns of a header name."""
    names = set(map(plain_name, columns))
    return sum(not names.isdisjoint(keys) for keys in RECORD_KEYS.content.keys.values())


def _has_content(columns: list[str]) -> bool:
    keys = RECORD_KEYS.content.keys
    content = _ADDRESSES.union(keys["title"], keys["text"], keys["html"])
    return not content.isdisjoint(map(plain_name, columns))


def _row(columns: list[str], cells: list[str], orders: Mapping[str, str]) -> Row | str:
    """Return the cells of a row by column; a message if there are more or fewer cells than columns."""
    while len(cells) > len(columns) and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) != len(columns):
        return f"the row has {pluralise(len(cells), 'cell')}, and the header {len(columns)}"
    row = {}
    for name, cell in zip(columns, cells, strict=True):
        if cell.strip() not in _MISSING:
            row[name] = _AMBIGUOUS.sub(orders[name], cell) if name in orders else cell
    return row
