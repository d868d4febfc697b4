"""Progress with rate and remaining time on standard error: a bar on a terminal, else lines with -v."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aggregator.cli.output import say

SECONDS_A_LINE = 10.0

# Called with the records read, the bytes read, and the bytes in total (None: unknown).
Report = Callable[[int, int, int | None], None]


@contextmanager
def progress_bar(unit: str, total: int | None, *, lines: bool = False) -> Iterator[Callable[[int], None]]:
    """Show a progress bar for `total` (None: unknown) units; yields a function that advances it.

    If standard error is no terminal, `lines` prints a line every ten seconds instead.
    """
    if not sys.stderr.isatty():
        shown, done = _Lines(), 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            if lines:
                shown.show(f"{done:,} {unit}", done, done, total, f"{total or 0:,}")

        yield advance
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed or 0:,.0f} {unit}/s")

    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(unit, total=total)
        yield lambda count: bar.advance(task, count)


@contextmanager
def reading_progress(*, lines: bool) -> Iterator[Report]:
    """Show how much is read: a bar on a terminal, else with `lines` a line every ten seconds."""
    if sys.stderr.isatty():
        with _reading_bar() as report:
            yield report
        return
    shown = _Lines()

    def show(read: int, read_bytes: int, total_bytes: int | None) -> None:
        if lines:
            mebibytes = f"{(total_bytes or 0) / 2**20:,.1f} MiB"
            shown.show(f"{read:,} read", read, read_bytes, total_bytes if read_bytes else None, mebibytes)

    yield show


@contextmanager
def _reading_bar() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    started = time.monotonic()
    bar = Progress(
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[count]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=None, count="reading")

        def report(read: int, read_bytes: int, total_bytes: int | None) -> None:
            rate = read / max(time.monotonic() - started, 1e-3)
            count = f"{read:,} read, {rate:,.0f}/s"
            bar.update(task, completed=read_bytes, total=total_bytes, count=count)

        yield report


class _Lines:
    """Progress as lines, for logs: one every `SECONDS_A_LINE`."""

    def __init__(self) -> None:
        self._started = self._printed_at = time.monotonic()

    def show(self, count: str, rate: int, done: int, total: int | None, of: str) -> None:
        """Print `count`, how many units a second `rate` are, and the share of `total` that is done."""
        now = time.monotonic()
        if now - self._printed_at < SECONDS_A_LINE:
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
