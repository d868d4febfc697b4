"""Printing: tables that fit the terminal, exact JSON, JSON lines and CSV for programs."""

import csv
import datetime as dt
import io
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from aggregator.errors import UsageError
from aggregator.ops.logs import one_line

_ENDLESS = 100_000  # columns of a table that is piped: every row stays one line
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, wide: Sequence[str] = ()) -> None:
    """A table on standard output; the columns named in `wide` share what room is left and wrap.

    Where standard output is no terminal nothing wraps: a row is a line.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    width = terminal_width()
    now = dt.datetime.now(dt.UTC)
    kept = [tuple(row) for row in rows]
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for place, name in enumerate(columns):
        shown.add_column(
            name,
            overflow="fold",
            no_wrap=name not in wide,
            ratio=1 if name in wide and width else None,
            justify="right" if all(isinstance(row[place], int) for row in kept) else "left",
        )
    for row in kept:
        shown.add_row(*(Text(cell(value, now)) for value in row))
    console = Console(highlight=False, width=width or _ENDLESS)
    with console.capture() as drawn:
        console.print(shown)
    out("".join(f"{line.rstrip()}\n" for line in drawn.get().splitlines()))


def terminal_width() -> int | None:
    """Columns of the terminal that standard output is; None where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(text: str) -> str:
    """`text` fit for the terminal: control characters gone, long lines broken below where they begin."""
    width = terminal_width()
    lines: list[str] = []
    for line in map(one_line, text.split("\n")):
        indent = " " * (len(line) - len(line.lstrip(" -")))
        lines += (
            [line]
            if width is None
            else textwrap.wrap(
                line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
            )
            or [""]
        )
    return "\n".join(lines) + "\n"


def cell(value: object, now: dt.datetime) -> str:
    """A value as people read it, on one line; a time in UTC, with the year where it is not this one."""
    if value is None:
        return "-"
    if isinstance(value, dt.datetime):
        in_utc = value.astimezone(dt.UTC)
        return in_utc.strftime("%m-%d %H:%M" if in_utc.year == now.year else "%Y-%m-%d")
    return one_line(str(value))


def out(data: bytes | str) -> None:
    """Exactly these bytes to standard output."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data.encode() if isinstance(data, str) else data)
    sys.stdout.buffer.flush()


def say(words: str) -> None:
    """A line for the person, on standard error."""
    sys.stderr.write(words + "\n")


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """CSV that a spreadsheet may open: no cell is taken for a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_harmless(value) for value in row])
    out(text.getvalue())


def _harmless(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


def end(text: str, now: dt.datetime) -> dt.datetime:
    """As `moment`; a date as an end means the end of that day."""
    when = moment(text, now)
    is_date = len(text.strip()) == len("2026-11-20") and when.date() < dt.date.max
    return when + dt.timedelta(days=1, microseconds=-1) if is_date else when


def moment(text: str, now: dt.datetime) -> dt.datetime:
    """`24h` or `7d` ago, or a date or time (UTC where it names no zone). Raises UsageError."""
    from aggregator.config import seconds

    try:
        return now - dt.timedelta(seconds=seconds(text))
    except ValueError:
        pass
    except OverflowError:
        return dt.datetime.min.replace(tzinfo=dt.UTC)  # before there was any news: no bound at all
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{text}: give 90m, 24h, 7d, or a date like 2026-11-20 or 2026-11-20T08:00"
        ) from error
    when = when if when.tzinfo else when.replace(tzinfo=dt.UTC)
    try:
        return when.astimezone(dt.UTC)
    except OverflowError as error:
        raise UsageError(f"{text}: that lies outside the years 1 to 9999") from error
