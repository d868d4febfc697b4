"""Output of commands: tables that fit the terminal; JSON, JSON lines and CSV; files; progress.

If standard error is a terminal, progress is shown there, with the rate and the remaining time.
"""

import csv
import io
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from itertools import chain, islice
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from aggregator.config.logging import one_line, writes_json
from aggregator.model.clock import in_utc, utc_now
from aggregator.model.errors import NotWritableError, UsageError

# These functions declare options and arguments. They are shorter than those of Typer, and require a help text, and a
# metavar for each value.


def option(name: str, metavar: str, words: str, **more: Any) -> Any:
    """Return an option with a value; `more` is passed to `typer.Option`."""
    return typer.Option(name, metavar=metavar, help=words, **more)


def flag(name: str, words: str) -> Any:
    """Return an option without a value."""
    return typer.Option(name, help=words)


def argument(metavar: str, words: str, **more: Any) -> Any:
    """Return an argument; `more` is passed to `typer.Argument`."""
    return typer.Argument(metavar=metavar, help=words, **more)


_FORMAT_HELP = "Print the result in this format."
TextOrJson = Annotated[
    Literal["text", "json"], option("--format", "text|json", _FORMAT_HELP)
]
TextOrJsonl = Annotated[
    Literal["text", "jsonl"], option("--format", "text|jsonl", _FORMAT_HELP)
]
TableOrJson = Annotated[
    Literal["table", "json"], option("--format", "table|json", _FORMAT_HELP)
]
TableOrJsonl = Annotated[
    Literal["table", "jsonl"], option("--format", "table|jsonl", _FORMAT_HELP)
]
ListFormat = Annotated[
    Literal["table", "json", "jsonl", "csv"],
    option("--format", "table|json|jsonl|csv", _FORMAT_HELP),
]
KeyMap = Annotated[
    list[str] | None,
    option(
        "--map",
        "FIELD=KEY,...",
        "Read a field of records from this key: title=headline,text=body. Fields: id url outlet title text "
        "html published author language; `eval` alone reads cluster.",
    ),
]


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the content of a file by `data`, unless they are equal. Raises UsageError if it cannot be written."""
    from aggregator.admin.backup import replacing

    with suppress(OSError):
        if path.is_file() and path.read_bytes() == data:
            return
    with replacing(path) as file:
        file.write(data)


# A spreadsheet treats a cell that begins with one of these as a formula. The last four are full-width forms.
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_ROWS_AT_ONCE = 500  # rows per chunk; the columns of each chunk have their own widths


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    wide: Sequence[str] = (),
) -> None:
    """Print a table to standard output, as wide as the terminal. Text in the columns `wide` wraps.

    If standard output is not a terminal, nothing wraps: one row is one line.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    width = terminal_width()
    now = utc_now()
    console = Console(
        highlight=False,
        width=width or sys.maxsize,
        force_terminal=None if width else False,
    )
    remaining = iter(rows)
    has_header = True
    while (chunk := list(islice(remaining, _ROWS_AT_ONCE))) or has_header:
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.show_header = has_header
        for place, name in enumerate(columns):
            is_number = all(isinstance(row[place], int) for row in chunk)
            grid.add_column(
                name,
                no_wrap=name not in wide,
                justify="right" if is_number else "left",
            )
        for row in chunk:
            grid.add_row(*(Text(cell(value, now)) for value in row))
        has_header = False
        with console.capture() as drawn:
            console.print(grid)
        out("".join(f"{line.rstrip()}\n" for line in drawn.get().splitlines()))


def terminal_width() -> int | None:
    """Return the width of the terminal in characters; None if standard output is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrap_text(text: str) -> str:
    """Return `text` without control characters, with long lines wrapped to the terminal and indented as before."""
    from rich.console import Console
    from rich.text import Text

    width = terminal_width()
    lines: list[str] = []
    for line in map(one_line, text.split("\n")):
        content = line.lstrip(" -")
        indent = line[: len(line) - len(content)]
        if width is None:
            lines.append(line)
            continue
        for part in Text(content).wrap(Console(), max(1, width - len(indent))) or [
            Text()
        ]:
            lines.append(f"{indent}{part.plain}".rstrip())
            indent = " " * len(indent)
    return "\n".join(lines) + "\n"


def fill_template(template: str, **values: object) -> str:
    """Return the text that a template makes of `values`, without a newline at its end.

    Besides the filters of pages, a template may use `cell`, and `rows`, which aligns a number in a column.
    """
    from aggregator.web.jinja import environment

    templates = environment().overlay(finalize=None)
    templates.filters.update(cell=partial(cell, now=utc_now()), rows="{:9,}".format)
    return templates.get_template(template).render(values).rstrip("\n")


def cell(value: object, now: datetime) -> str:
    """Return a value as one line of text. Times are in UTC; a time of another year becomes a date."""
    if value is None:
        return "-"
    if isinstance(value, datetime):
        moment = in_utc(value)
        form = "%m-%d %H:%M" if moment.year == now.year else "%Y-%m-%d"
        return moment.strftime(form)
    return one_line(str(value))


def out(data: bytes | str) -> None:
    """Write exactly these bytes to standard output. Raises NotWritableError, for example on a full disk.

    A text may contain a file name that is not UTF-8; its surrogates are written as backslash escapes.
    """
    if sys.stdout is None:  # it was closed before the start: `>&-`
        raise NotWritableError("standard output is closed")
    if isinstance(data, str):
        data = data.encode(errors="backslashreplace")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        raise NotWritableError(
            f"standard output cannot be written: {error.strerror}"
        ) from error


def discard_output() -> None:
    """Discard pending standard output, because Python would fail to write it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def confirm(question: str) -> None:
    """Ask for confirmation. Raises UsageError if it is refused, or standard input is not a terminal."""
    if not sys.stdin.isatty():
        raise UsageError(
            "standard input is not a terminal, so the command cannot ask for confirmation: add --yes"
        )
    if not typer.confirm(question, err=True):
        raise UsageError("nothing was changed")


def json_line(value: object) -> None:
    """Write `value` to standard output as one line of JSON."""
    from aggregator.publish.sanitise import encode_json

    out(encode_json(value) + b"\n")


def say(message: str) -> None:
    """Write a message for the user to standard error, as log records if the log format is JSON."""
    for line in message.splitlines():
        if writes_json():
            logging.getLogger("aggregator").info(
                "%s", line, extra={"event": "cli_message"}
            )
        else:
            sys.stderr.write(line + "\n")


def json_lines(values: Iterable[object]) -> None:
    """Write each value to standard output as one line of JSON."""
    for value in values:
        json_line(value)


def write_csv(
    columns: Sequence[str],
    values: Iterable[object],
    attributes: Mapping[str, str] = {},
) -> None:
    """Write any number of values as CSV (RFC 4180, UTF-8) to standard output.

    A column shows the attribute with its name, unless `attributes` names another. A cell that a
    spreadsheet would treat as a formula is prefixed with an apostrophe.
    """
    names = (attributes.get(column, column) for column in columns)
    rows = chain([columns], map(attrgetter(*names), values))
    while chunk := list(islice(rows, _ROWS_AT_ONCE)):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        for row in chunk:
            writer.writerow(map(_harmless, row))
        out(text.getvalue())


def _harmless(value: Any) -> Any:
    if isinstance(value, datetime):
        return in_utc(value).isoformat().replace("+00:00", "Z")
    if isinstance(value, str):
        from aggregator.publish.sanitise import visible

        shown = visible(value)
        return f"'{shown}" if shown.startswith(_FORMULA) else shown
    return value


# A function that is called with the units done, the part of the total that is done, and the total (None: unknown).
Report = Callable[[int, int, int | None], None]


@contextmanager
def progress_bar(unit: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar for `total` units (None: unknown); yield a function that advances the bar."""
    done = 0
    units = "?" if total is None else f"{total:,}"
    with bar(f"{{:,}}/{units}, {{:,.0f}} {unit}/s") as show:
        show(0, 0, total)

        def advance(count: int) -> None:
            nonlocal done
            done += count
            show(done, done, total)

        yield advance


@contextmanager
def bar(beside: str) -> Iterator[Report]:
    """Show a progress bar if standard error is a terminal; yield a function that updates it.

    `beside` is the format of the text beside the bar, for the units done and their number per second.
    """
    if not sys.stderr.isatty():
        yield lambda _count, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    started = time.monotonic()

    def draw(count: int, done: int, total: int | None) -> None:
        rate = count / max(time.monotonic() - started, 1e-3)
        bar.update(
            task, completed=done, total=total, description=beside.format(count, rate)
        )

    with Progress(
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.description}", markup=False),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None)
        yield draw
