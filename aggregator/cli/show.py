"""Printing: tables that fit the terminal, exact JSON, JSON lines and CSV for programs."""

import csv
import datetime as dt
import io
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from aggregator.errors import UsageError
from aggregator.ops.logs import one_line

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, wide: Sequence[str] = ()) -> None:
    """A table on standard output; the columns named in `wide` share what room is left and wrap."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        shown.add_column(name, overflow="fold", no_wrap=name not in wide, ratio=1 if name in wide else None)
    for row in rows:
        shown.add_row(*(Text(cell(value)) for value in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=160)
    console.print(shown)


def cell(value: object) -> str:
    """A value as people read it, on one line."""
    if value is None:
        return "-"
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M")
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
