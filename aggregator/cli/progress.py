"""Progress with rate and remaining time on standard error: a bar on a terminal, else lines with -v."""

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
    import sys

    if not sys.stderr.isatty():
        counted_lines = CountedLines(unit, total, say)
        yield counted_lines if lines else lambda _count: None
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
    import sys

    if sys.stderr.isatty():
        with _reading_bar() as report:
            yield report
    elif lines:
        yield Lines(say)
    else:
        yield lambda _read, _read_bytes, _total_bytes: None


@contextmanager
def _reading_bar() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    clock = _Clock()
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
            count = f"{read:,} read, {clock.rate(read):,.0f}/s"
            bar.update(task, completed=read_bytes, total=total_bytes, count=count)

        yield report


class _Clock:
    def __init__(self) -> None:
        import time

        self._monotonic = time.monotonic
        self._started = time.monotonic()

    def seconds(self) -> float:
        return self._monotonic() - self._started

    def rate(self, count: int) -> float:
        """Return `count` per second since the start."""
        return count / max(self.seconds(), 1e-3)


class Lines:
    """Progress of reading as lines, for logs: one every `SECONDS_A_LINE`."""

    def __init__(self, say: Callable[[str], object], clock: Callable[[], float] | None = None) -> None:
        """`clock` returns the seconds since the start."""
        self._say = say
        self._seconds = clock or _Clock().seconds
        self._printed_at = 0.0

    def __call__(self, read: int, read_bytes: int, total_bytes: int | None) -> None:
        """Print a line if the last one is at least `SECONDS_A_LINE` old."""
        seconds = self._seconds()
        if seconds - self._printed_at < SECONDS_A_LINE:
            return
        self._printed_at = seconds
        line = f"{read:,} read, {read / seconds:,.0f}/s"
        if total_bytes and read_bytes:
            left = seconds * (total_bytes - read_bytes) / read_bytes
            line += f", {100 * read_bytes // total_bytes} % of {total_bytes / 2**20:,.1f} MiB"
            line += f", about {_span(left)} left"
        self._say(line)


class CountedLines:
    """Progress of counted work as lines, for logs; `total` is None if it is unknown."""

    def __init__(
        self,
        unit: str,
        total: int | None,
        say: Callable[[str], object],
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`clock` returns the seconds since the start."""
        self._unit = unit
        self._total = total
        self._say = say
        self._seconds = clock or _Clock().seconds
        self._done = 0
        self._printed_at = 0.0

    def __call__(self, count: int) -> None:
        """Count `count` more as done; print a line if the last one is at least `SECONDS_A_LINE` old."""
        self._done += count
        seconds = self._seconds()
        if seconds - self._printed_at < SECONDS_A_LINE:
            return
        self._printed_at = seconds
        line = f"{self._done:,} {self._unit}, {self._done / seconds:,.0f}/s"
        if self._total:
            left = seconds * (self._total - self._done) / max(self._done, 1)
            line += f", {100 * self._done // self._total} % of {self._total:,}, about {_span(left)} left"
        self._say(line)


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
