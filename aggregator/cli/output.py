"""Output of commands: tables that fit the terminal; JSON, JSON lines and CSV; files; progress.

Progress with rate and remaining time goes to standard error: a bar on a terminal, else lines, with -v only
except for `ingest`.
"""

import csv
import datetime as dt
import io
import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aggregator.cli.options import option
from aggregator.config.logging import one_line, writes_json
from aggregator.model.errors import NotWritableError, UsageError

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

_FORMAT_HELP = "Print the result in this format."
TextOrJson = Annotated[Literal["text", "json"], option("--format", "text|json", _FORMAT_HELP)]
TextOrJsonl = Annotated[Literal["text", "jsonl"], option("--format", "text|jsonl", _FORMAT_HELP)]
TableOrJson = Annotated[Literal["table", "json"], option("--format", "table|json", _FORMAT_HELP)]
TableOrJsonl = Annotated[Literal["table", "jsonl"], option("--format", "table|jsonl", _FORMAT_HELP)]
ListFormat = Annotated[
    Literal["table", "json", "jsonl", "csv"], option("--format", "table|json|jsonl|csv", _FORMAT_HELP)
]


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the content of a file by `data`, unless they are equal. Raises UsageError if it cannot be."""
    from aggregator.admin.backup import replacing

    with suppress(OSError):
        if path.is_file() and path.read_bytes() == data:
            return
    with replacing(path) as file:
        file.write(data)


# Spreadsheets treat a cell that begins so as a formula; the last four are the full-width forms.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_ROWS_AT_ONCE = 500  # rows per chunk; the first chunk determines the widths of the columns
_WIDE = (
    "\\u1100-\\u115f\\u2e80-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff00-\\uff60\\uffe0-\\uffe6"
    "\\U00020000-\\U0003fffd"
)
_CLOSING = "\\u3001\\u3002\\uff0c\\uff01\\uff1f\\u300d\\u300f\\uff09"  # no line begins with one of these
_PIECES = re.compile(rf"\s+|[{_WIDE}][{_CLOSING}]*|[^\s{_WIDE}]+")
_LEAST_WIDE = 24  # terminal cells that all wrapped and cut columns should have together, at least


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    wide: Sequence[str] = (),
    cut: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Print a table to standard output, at most as wide as the terminal.

    The columns in `wide` and `cut` share the remaining width: text wraps in `wide` columns and ends with an
    ellipsis in `cut` columns. On a narrow terminal the columns in `spare` are left out, in their order. If
    standard output is no terminal, nothing wraps or is cut: one row is one line.
    """
    now = dt.datetime.now(dt.UTC)
    remaining = iter(rows)
    chunk = [tuple(row) for row in islice(remaining, _ROWS_AT_ONCE)]
    right = {place for place in range(len(columns)) if all(isinstance(row[place], int) for row in chunk)}
    drawn = _Columns(columns, {*wide, *cut}, right)
    cells = [[cell(value, now) for value in row] for row in chunk]
    drawn.measure(cells, spare)
    draw = drawn.as_lines if drawn.terminal is None else partial(drawn.as_grid, wide=wide)
    out(draw(cells, with_header=True))
    while chunk := [tuple(row) for row in islice(remaining, _ROWS_AT_ONCE)]:
        out(draw([[cell(value, now) for value in row] for row in chunk], with_header=False))


class _Columns:
    """The columns of one table, with the widths that its first rows need."""

    def __init__(self, names: Sequence[str], flexible: Collection[str], right: Collection[int]) -> None:
        self.terminal = terminal_width()
        self._names = names
        self._flexible = flexible
        self._right = right
        self._shown = list(range(len(names)))
        self._widths: list[int] = []

    def measure(self, cells: Sequence[Sequence[str]], spare: Sequence[str]) -> None:
        """Compute the widths from these rows, and leave out columns in `spare` that do not fit."""
        from rich.cells import cell_len

        self._widths = [
            max(map(cell_len, (name, *(row[place] for row in cells))))
            for place, name in enumerate(self._names)
        ]
        if self.terminal is None:
            return
        for name in spare:
            if self.terminal - self._fixed() >= min(_LEAST_WIDE, self._widest_flexible()):
                break
            if name in self._names:
                self._shown.remove(self._names.index(name))

    def _fixed(self) -> int:
        """Return the terminal cells that the fixed columns and the gaps between all columns take."""
        return sum(1 if self._is_flexible(place) else self._widths[place] + 1 for place in self._shown) - 1

    def _widest_flexible(self) -> int:
        """Return the terminal cells that the widest flexible column needs."""
        return max((self._widths[place] for place in self._shown if self._is_flexible(place)), default=0)

    def _is_flexible(self, place: int) -> bool:
        return self._names[place] in self._flexible

    def _fitted(self, terminal: int) -> dict[int, int]:
        """Return the width of each column; flexible columns share the remaining cells, narrow ones first."""
        widths = {place: self._widths[place] for place in self._shown}
        room = terminal - self._fixed()
        flexible = sorted(filter(self._is_flexible, self._shown), key=lambda place: self._widths[place])
        for number, place in enumerate(flexible):
            widths[place] = max(1, min(self._widths[place], room // (len(flexible) - number)))
            room -= widths[place]
        return widths

    def as_lines(self, cells: Iterable[Sequence[str]], *, with_header: bool) -> str:
        """Return the rows as text, one line per row, of any length."""
        from rich.cells import cell_len

        def line(row: Sequence[str]) -> str:
            padded = []
            for place in self._shown:
                blank = " " * (self._widths[place] - cell_len(row[place]))
                padded.append(blank + row[place] if place in self._right else row[place] + blank)
            return " ".join(padded).rstrip() + "\n"

        return "".join(map(line, [self._names, *cells] if with_header else cells))

    def as_grid(self, cells: Iterable[Sequence[str]], *, with_header: bool, wide: Collection[str]) -> str:
        """Return the rows as text that fits the terminal; cells may wrap."""
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        assert self.terminal is not None
        grid = Table(
            box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_header=with_header
        )
        for place, width in self._fitted(self.terminal).items():
            name = self._names[place]
            grid.add_column(
                name,
                overflow="ellipsis" if self._is_flexible(place) and name not in wide else "fold",
                no_wrap=name not in wide,
                width=width,
                justify="right" if place in self._right else "left",
            )
        for row in cells:
            grid.add_row(*(Text(row[place]) for place in self._shown))
        console = Console(highlight=False, width=self.terminal)
        with console.capture() as drawn:
            console.print(grid)
        return "".join(f"{line.rstrip()}\n" for line in drawn.get().splitlines())


def terminal_width() -> int | None:
    """Return the columns of the terminal; None if standard output is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def coloured(text: str, colour: str) -> str:
    """Return `text` in a colour on a terminal, unless NO_COLOR is set or TERM is dumb."""
    is_allowed = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return typer.style(text, fg=colour) if is_allowed and sys.stdout.isatty() else text


def wrapped(text: str) -> str:
    """Return `text` without control characters, long lines wrapped to the terminal with their indent."""
    width = terminal_width()
    lines: list[str] = []
    for line in map(one_line, text.split("\n")):
        content = line.lstrip(" -")
        indent = line[: len(line) - len(content)]
        broken = [content] if width is None else _broken(content, width - len(indent))
        lines += [f"{' ' * len(indent) if number else indent}{part}" for number, part in enumerate(broken)]
    return "\n".join(lines) + "\n"


def _broken(text: str, width: int) -> list[str]:
    """Return lines of at most `width` cells; a longer word, such as an address, gets a line of its own.

    Chinese, Japanese and Korean characters take two cells, and a line may end between any two of them.
    """
    from rich.cells import cell_len

    lines, line, room = [], "", width
    for piece in _PIECES.findall(text):
        cells = cell_len(piece)
        if cells > room and line.strip():
            lines.append(line.rstrip())
            line, room = "", width
        if line or not piece.isspace():
            line += piece
            room -= cells
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def shortened(text: str, cells: int, *, around: int = 0) -> str:
    """Return `text`, or the part of it that fits in so many cells and contains the character `around`."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= cells:
        return text
    start, room = around, max(cells // 3, cells - cell_len(text[around:]) - 2)
    while start > 0 and cell_len(text[start - 1 : around]) <= room:
        start -= 1
    if start > 0:  # begin with a whole word
        start = next((at for at in range(start, around) if text[at - 1].isspace()), around)
        text = f"… {text[start:]}"
    return text if cell_len(text) <= cells else set_cell_size(text, cells - 1).rstrip() + "…"


def cell(value: object, now: dt.datetime) -> str:
    """Return a value as one line of text; a time is in UTC, of another year as a date."""
    if value is None:
        return "-"
    if isinstance(value, dt.datetime):
        in_utc = value.astimezone(dt.UTC)
        return in_utc.strftime("%m-%d %H:%M" if in_utc.year == now.year else "%Y-%m-%d")
    return one_line(str(value))


def out(data: bytes | str) -> None:
    """Write exactly these bytes to standard output. Raises NotWritableError, for example on a full disk.

    A text may have the name of a file that is not UTF-8.
    """
    if sys.stdout is None:  # it was closed before the start: `>&-`
        raise NotWritableError("standard output is closed")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data.encode(errors="backslashreplace") if isinstance(data, str) else data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        raise NotWritableError(f"standard output cannot be written: {error.strerror}") from error


def discard_output() -> None:
    """Discard what is still to be written to standard output, which would fail again at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def json_line(value: object) -> None:
    """Write `value` to standard output as one line of JSON."""
    from aggregator.web.sanitise import encode_json

    out(encode_json(value) + b"\n")


def say(message: str) -> None:
    """Write a message for the user to standard error, as a log record if the log format is JSON."""
    if writes_json():
        logging.getLogger("aggregator").info("%s", message, extra={"event": "cli_message"})
    else:
        sys.stderr.write(message + "\n")


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write CSV (RFC 4180, UTF-8) to standard output, for any number of rows.

    A cell that a spreadsheet would treat as a formula gets an apostrophe before it.
    """
    remaining = iter(rows)
    chunk: list[Sequence[Any]] = [columns]
    while chunk:
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(
            [_harmless(value) for value in row] for row in chunk
        )
        out(text.getvalue())
        chunk = list(islice(remaining, _ROWS_AT_ONCE))


def _harmless(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, str):
        from aggregator.web.sanitise import visible

        shown = visible(value)
        return "'" + shown if shown.startswith(_FORMULA) else shown
    return value


def end(text: str, now: dt.datetime) -> dt.datetime:
    """Parse a time as `moment` does; a date means the end of that day."""
    return moment(text, now, is_end=True)


def moment(text: str, now: dt.datetime, *, is_end: bool = False) -> dt.datetime:
    """Parse an age (`24h`, `7d`), or a date or time in ISO 8601 (UTC by default). Raises UsageError."""
    from aggregator.config.messages import parse_end, parse_moment
    from aggregator.config.settings import seconds

    try:
        return now - dt.timedelta(seconds=seconds(text))
    except ValueError:
        pass
    except OverflowError:
        return dt.datetime.min.replace(tzinfo=dt.UTC)  # older than any article: no bound
    try:
        return (parse_end if is_end else parse_moment)(text, now)
    except UsageError as error:
        example = "use 90m, 24h, 7d, or a date such as 2026-11-20 or 2026-11-20T08:00"
        raise UsageError(f"{text}: {example}") from error


SECONDS_A_LINE = 10.0

# Called with the records read, the bytes read, and the bytes in total (None: unknown).
Report = Callable[[int, int, int | None], None]


@contextmanager
def progress_bar(
    unit: str, total: int | None, *, lines: bool = False, every: float | None = None
) -> Iterator[Callable[[int], None]]:
    """Show a progress bar for `total` (None: unknown) units; yields a function that advances it.

    If standard error is no terminal, a line is printed each `every` seconds instead; with `lines` each ten.
    """
    every = SECONDS_A_LINE if lines else every
    if not sys.stderr.isatty():
        shown, done = _Lines(every), 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            shown.show(f"{done:,} {unit}", done, done, total, f"{total or 0:,}")

        yield advance
        return
    from rich.progress import MofNCompleteColumn, ProgressColumn, Task, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed or 0:,.0f} {unit}/s")

    with _bar(MofNCompleteColumn(), Rate(), TimeRemainingColumn()) as bar:
        task = bar.add_task(unit, total=total)
        yield lambda count: bar.advance(task, count)


def _bar(*columns: "ProgressColumn") -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress

    return Progress(BarColumn(), *columns, console=Console(stderr=True), transient=True)


def reading_progress(*, every: float) -> AbstractContextManager[Report]:
    """Show how much is read: a bar on a terminal, else a line each `every` seconds."""
    return _reading_bar() if sys.stderr.isatty() else _reading_lines(every)


@contextmanager
def _reading_lines(every: float) -> Iterator[Report]:
    shown = _Lines(every)

    def show(read: int, read_bytes: int, total_bytes: int | None) -> None:
        mebibytes = f"{(total_bytes or 0) / 2**20:,.1f} MiB"
        shown.show(f"{read:,} read", read, read_bytes, total_bytes if read_bytes else None, mebibytes)

    yield show


@contextmanager
def _reading_bar() -> Iterator[Report]:
    from rich.progress import TaskProgressColumn, TextColumn, TimeRemainingColumn

    started = time.monotonic()
    count, remaining = TextColumn("{task.fields[count]}"), TimeRemainingColumn(elapsed_when_finished=True)
    with _bar(TaskProgressColumn(), count, remaining) as bar:
        task = bar.add_task("", total=None, count="reading")

        def report(read: int, read_bytes: int, total_bytes: int | None) -> None:
            rate = read / max(time.monotonic() - started, 1e-3)
            words = f"{read:,} read, {rate:,.0f}/s"
            bar.update(task, completed=read_bytes, total=total_bytes, count=words)

        yield report


class _Lines:
    """Progress as lines, for logs: one each `every` seconds; None: none."""

    def __init__(self, every: float | None) -> None:
        self._every = every
        self._started = self._printed_at = time.monotonic()

    def show(self, count: str, rate: int, done: int, total: int | None, of: str) -> None:
        """Print `count`, how many units a second `rate` are, and the share of `total` that is done."""
        now = time.monotonic()
        if self._every is None or now - self._printed_at < self._every:
            return
        self._printed_at = now
        seconds = now - self._started
        line = f"{count}, {rate / seconds:,.0f}/s"
        if total:
            left = seconds * (total - done) / max(done, 1)
            line += f", {100 * done // total} % of {of}, about {_span(left)} left"
        say(line)


def _span(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def as_steps(advance: Callable[[int], None]) -> Callable[[int, int], None]:
    """Convert a function that takes an increment to one that takes the units done and the total."""
    done_before = 0

    def step(done: int, _total: int) -> None:
        nonlocal done_before
        advance(done - done_before)
        done_before = done

    return step
