"""Printing: tables that fit the terminal, exact JSON, JSON lines and CSV for programs.

Files that commands write.
"""

import csv
import datetime as dt
import io
import os
import re
import shutil
import sys
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import typer

from aggregator.config.logging import one_line
from aggregator.model.errors import UsageError


def write_atomically(path: Path, data: bytes) -> bool:
    """Put `data` in the place of the file; False where it holds that already, and is left alone.

    Whoever reads the file sees the old or the new one, also after a power cut. Raises UsageError where it
    cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.is_file() and path.read_bytes() == data:
            return False
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    return True


# A spreadsheet takes a cell that begins so for a formula; the last four are the full-width forms.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_ROWS_AT_ONCE = 500  # widths of columns are those of the first so many rows; then they flow through
_WIDE = (
    "\\u1100-\\u115f\\u2e80-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff00-\\uff60\\uffe0-\\uffe6"
    "\\U00020000-\\U0003fffd"
)
_CLOSING = "\\u3001\\u3002\\uff0c\\uff01\\uff1f\\u300d\\u300f\\uff09"  # no line begins with one of these
_PIECES = re.compile(rf"\s+|[{_WIDE}][{_CLOSING}]*|[^\s{_WIDE}]+")
_LEAST_WIDE = 24  # cells that the columns that wrap or are cut should have, at least


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    wide: Sequence[str] = (),
    cut: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """A table on standard output, as wide as the terminal at most.

    The columns named in `wide` and `cut` share what room is left: text in `wide` ones wraps, in `cut` ones it
    ends with an ellipsis. Where the terminal is narrow the columns named in `spare` are left out, the first
    one first. Where standard output is no terminal nothing wraps or is cut: a row is a line.
    """
    now = dt.datetime.now(dt.UTC)
    waiting = iter(rows)
    chunk = [tuple(row) for row in islice(waiting, _ROWS_AT_ONCE)]
    right = {place for place in range(len(columns)) if all(isinstance(row[place], int) for row in chunk)}
    drawn = _Columns(columns, {*wide, *cut}, right)
    cells = [[cell(value, now) for value in row] for row in chunk]
    drawn.measure(cells, spare)
    draw = drawn.as_lines if drawn.terminal is None else partial(drawn.as_grid, wide=wide)
    out(draw(cells, with_header=True))
    while chunk := [tuple(row) for row in islice(waiting, _ROWS_AT_ONCE)]:
        out(draw([[cell(value, now) for value in row] for row in chunk], with_header=False))


class _Columns:
    """The columns of one table, with the widths that its first rows ask for."""

    def __init__(self, names: Sequence[str], flexible: Collection[str], right: Collection[int]) -> None:
        self.terminal = terminal_width()
        self._names = names
        self._flexible = flexible
        self._right = right
        self._shown = list(range(len(names)))
        self._widths: list[int] = []

    def measure(self, cells: Sequence[Sequence[str]], spare: Sequence[str]) -> None:
        """Take the widths of these rows, and leave out columns that there is no room for."""
        from rich.cells import cell_len

        self._widths = [
            max(map(cell_len, (name, *(row[place] for row in cells))))
            for place, name in enumerate(self._names)
        ]
        if self.terminal is None:
            return
        for name in spare:
            if self.terminal - self._fixed() >= min(_LEAST_WIDE, self._asked()):
                break
            if name in self._names:
                self._shown.remove(self._names.index(name))

    def _fixed(self) -> int:
        """Cells that all but the flexible columns take, and the gaps between all of them."""
        return sum(1 if self._is_flexible(place) else self._widths[place] + 1 for place in self._shown) - 1

    def _asked(self) -> int:
        """Cells that the widest of the flexible columns asks for."""
        return max((self._widths[place] for place in self._shown if self._is_flexible(place)), default=0)

    def _is_flexible(self, place: int) -> bool:
        return self._names[place] in self._flexible

    def _fitted(self, terminal: int) -> dict[int, int]:
        """The width of each column: the flexible ones share what the others leave, the narrow ones first."""
        widths = {place: self._widths[place] for place in self._shown}
        room = terminal - self._fixed()
        flexible = sorted(filter(self._is_flexible, self._shown), key=lambda place: self._widths[place])
        for number, place in enumerate(flexible):
            widths[place] = max(1, min(self._widths[place], room // (len(flexible) - number)))
            room -= widths[place]
        return widths

    def as_lines(self, cells: Iterable[Sequence[str]], *, with_header: bool) -> str:
        """A row a line, however long."""
        from rich.cells import cell_len

        def line(row: Sequence[str]) -> str:
            padded = []
            for place in self._shown:
                blank = " " * (self._widths[place] - cell_len(row[place]))
                padded.append(blank + row[place] if place in self._right else row[place] + blank)
            return " ".join(padded).rstrip() + "\n"

        return "".join(map(line, [self._names, *cells] if with_header else cells))

    def as_grid(self, cells: Iterable[Sequence[str]], *, with_header: bool, wide: Collection[str]) -> str:
        """As the terminal has room."""
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
    """Columns of the terminal that standard output is; None where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def coloured(words: str, colour: str) -> str:
    """`words` in a colour, on a terminal that has any and wants them (NO_COLOR, TERM=dumb: no)."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return typer.style(words, fg=colour) if wanted and sys.stdout.isatty() else words


def wrapped(text: str) -> str:
    """`text` fit for the terminal: control characters gone, long lines broken below where they begin."""
    width = terminal_width()
    lines: list[str] = []
    for line in map(one_line, text.split("\n")):
        words = line.lstrip(" -")
        begin = line[: len(line) - len(words)]
        broken = [words] if width is None else _broken(words, width - len(begin))
        lines += [f"{' ' * len(begin) if number else begin}{part}" for number, part in enumerate(broken)]
    return "\n".join(lines) + "\n"


def _broken(words: str, width: int) -> list[str]:
    """Lines of at most so many cells; a longer word (an address) stays whole on a line of its own.

    Between two characters of Chinese, Japanese or Korean, which take two cells, a line may end anywhere.
    """
    from rich.cells import cell_len

    lines, line, room = [], "", width
    for piece in _PIECES.findall(words):
        cells = cell_len(piece)
        if cells > room and line.strip():
            lines.append(line.rstrip())
            line, room = "", width
        if line or not piece.isspace():
            line += piece
            room -= cells
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


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
    """CSV as RFC 4180 has it, in UTF-8, that a spreadsheet may open: no cell is taken for a formula.

    A cell that looks like one gets an apostrophe before it. Rows flow through: there may be any number.
    """
    waiting = iter(rows)
    chunk: list[Sequence[Any]] = [columns]
    while chunk:
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(
            [_harmless(value) for value in row] for row in chunk
        )
        out(text.getvalue())
        chunk = list(islice(waiting, _ROWS_AT_ONCE))


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
    from aggregator.config.settings import seconds

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
