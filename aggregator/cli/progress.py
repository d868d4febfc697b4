"""Progress with rate and time left, on standard error: a bar on a terminal, lines for who asks for them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS_A_LINE = 10.0

# How many records were read, and how far that is in bytes, of how many (None: unknown).
Tell = Callable[[int, int, int | None], None]


@contextmanager
def progress_bar(unit: str, total: int | None, *, lines: bool = False) -> Iterator[Callable[[int], None]]:
    """A bar for `total` (None: unknown) things; the function that it yields advances it.

    Where standard error is no terminal, and `lines` are wanted, one every ten seconds.
    """
    import sys

    if not sys.stderr.isatty():
        said = CountedLines(unit, total, lambda words: sys.stderr.write(f"{words}\n"))
        yield said if lines else lambda _count: None
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
def reading_progress(*, lines: bool) -> Iterator[Tell]:
    """How far reading is: a bar on a terminal, else where `lines` are wanted one every ten seconds."""
    import sys

    if sys.stderr.isatty():
        with _reading_bar() as tell:
            yield tell
    elif lines:
        yield Lines(lambda words: sys.stderr.write(f"{words}\n"))
    else:
        yield lambda _read, _read_bytes, _total_bytes: None


@contextmanager
def _reading_bar() -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    clock = _Clock()
    bar = Progress(
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=None, said="reading")

        def tell(read: int, read_bytes: int, total_bytes: int | None) -> None:
            said = f"{read:,} read, {clock.rate(read):,.0f}/s"
            bar.update(task, completed=read_bytes, total=total_bytes, said=said)

        yield tell


class _Clock:
    def __init__(self) -> None:
        import time

        self._monotonic = time.monotonic
        self._started = time.monotonic()

    def seconds(self) -> float:
        return self._monotonic() - self._started

    def rate(self, count: int) -> float:
        """So many a second since the beginning."""
        return count / max(self.seconds(), 1e-3)


class Lines:
    """A line of progress now and then, for logs."""

    def __init__(self, say: Callable[[str], object], clock: Callable[[], float] | None = None) -> None:
        """`clock` gives the seconds since the beginning."""
        self._say = say
        self._seconds = clock or _Clock().seconds
        self._said_at = 0.0

    def __call__(self, read: int, read_bytes: int, total_bytes: int | None) -> None:
        """Says how far it is, unless it has said so lately."""
        seconds = self._seconds()
        if seconds - self._said_at < SECONDS_A_LINE:
            return
        self._said_at = seconds
        words = f"{read:,} read, {read / seconds:,.0f}/s"
        if total_bytes and read_bytes:
            left = seconds * (total_bytes - read_bytes) / read_bytes
            words += f", {100 * read_bytes // total_bytes} % of {total_bytes / 2**20:,.1f} MiB"
            words += f", about {_span(left)} left"
        self._say(words)


class CountedLines:
    """A line now and then of how many of `total` (None: unknown) are done, for logs."""

    def __init__(
        self,
        unit: str,
        total: int | None,
        say: Callable[[str], object],
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`clock` gives the seconds since the beginning."""
        self._unit = unit
        self._total = total
        self._say = say
        self._seconds = clock or _Clock().seconds
        self._done = 0
        self._said_at = 0.0

    def __call__(self, count: int) -> None:
        """So many more are done; says how far it is, unless it has said so lately."""
        self._done += count
        seconds = self._seconds()
        if seconds - self._said_at < SECONDS_A_LINE:
            return
        self._said_at = seconds
        words = f"{self._done:,} {self._unit}, {self._done / seconds:,.0f}/s"
        if self._total:
            left = seconds * (self._total - self._done) / max(self._done, 1)
            words += f", {100 * self._done // self._total} % of {self._total:,}, about {_span(left)} left"
        self._say(words)


def _span(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def as_steps(advance: Callable[[int], None]) -> Callable[[int, int], None]:
    """What tells how many are done of how many, as what a bar is advanced by."""
    before = 0

    def step(done: int, _total: int) -> None:
        nonlocal before
        advance(done - before)
        before = done

    return step
