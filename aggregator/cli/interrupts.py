"""Ctrl-C ends a command without a traceback."""

import _thread
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# Shells use it after SIGINT: 128 + 2.
EXIT_CODE = 130


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Make Ctrl-C end the command; yields a function that returns whether it was pressed.

    Python raises KeyboardInterrupt between any two instructions, and libraries can lose it: an exception in a
    finalizer or a weak reference callback is only reported, and an import may raise ImportError instead.
    """
    before = signal.getsignal(signal.SIGINT)
    # The signal may be ignored, for example by nohup.
    if threading.current_thread() is not threading.main_thread() or not callable(
        before
    ):
        yield lambda: False
        return
    interrupt = _Interrupt()
    report = sys.unraisablehook

    def report_others(lost: "sys.UnraisableHookArgs") -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            # The exception must not be raised inside the library again.
            later = threading.Timer(0.1, interrupt.repeat)
            later.daemon = True
            later.start()
        else:
            report(lost)

    signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = report_others
    try:
        yield lambda: interrupt.has_come
    finally:
        if interrupt.is_in_force():
            signal.signal(signal.SIGINT, before)
        sys.unraisablehook = report


class _Interrupt:
    """The handler of Ctrl-C while a command runs."""

    has_come = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.has_come = True
        raise KeyboardInterrupt

    def is_in_force(self) -> bool:
        """Return whether the command still runs, and not the daemon, which sets its own handler."""
        return signal.getsignal(signal.SIGINT) is self

    def repeat(self) -> None:
        """Raise KeyboardInterrupt again, which a library has lost."""
        if self.is_in_force():
            _thread.interrupt_main()
