"""Progress with rate and time left: on a terminal only, on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(unit: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar for `total` (None: unknown) things; the function that it yields advances it."""
    import sys

    if not sys.stderr.isatty():
        yield lambda _count: None
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


def as_steps(advance: Callable[[int], None]) -> Callable[[int, int], None]:
    """What tells how many are done of how many, as what a bar is advanced by."""
    before = 0

    def step(done: int, _total: int) -> None:
        nonlocal before
        advance(done - before)
        before = done

    return step
