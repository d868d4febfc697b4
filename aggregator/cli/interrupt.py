"""Ctrl-C ends a command at any point, within seconds and without a traceback."""

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

INTERRUPTED: Final = 130  # the exit code that shells use after SIGINT: 128 + 2
_AGAIN_SECONDS = 0.2  # until an interrupt that did not end the command is raised again
_END_SECONDS = 4.0  # until a command that has not ended is killed


@contextmanager
def interruptible(message: str) -> Iterator[Callable[[], bool]]:
    """Make Ctrl-C end the command; yields a function that returns whether it was pressed.

    Python raises KeyboardInterrupt between any two instructions, and libraries can lose it: an exception in a
    finalizer or a weak reference callback is only reported, and an import may continue or raise ImportError
    instead. So the interrupt is raised again until it is handled.

    It may also leave a lock or a transaction open that the end of the command waits for, and a call of a C
    function does not return for it. So a process that has not ended after `_END_SECONDS` prints `message` and
    exits immediately. The database and the files that commands write stay intact after that.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):  # nohup ignores it
        yield lambda: False
        return
    is_interrupted = False
    report = sys.unraisablehook

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal is_interrupted
        if not (is_interrupted and _is_due_to_interrupt(sys.exc_info()[1])):
            is_interrupted = True
            raise KeyboardInterrupt

    def report_others(lost: "sys.UnraisableHookArgs") -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            report(lost)

    read_end, write_end = os.pipe()  # signal numbers, also while a C function blocks the main thread
    os.set_blocking(write_end, False)
    # Not threading.Thread: the end of the daemon waits for all of those.
    _thread.start_new_thread(_repeat_interrupt, (read_end, threading.get_ident(), interrupt, message))
    write_end_before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = report_others
    try:
        yield lambda: is_interrupted
    finally:
        if signal.getsignal(signal.SIGINT) is interrupt:  # the daemon sets its own handler
            signal.signal(signal.SIGINT, before)
        sys.unraisablehook = report
        signal.set_wakeup_fd(write_end_before)
        os.close(write_end)


def _is_due_to_interrupt(error: BaseException | None) -> bool:
    """Whether `error` is a KeyboardInterrupt or was raised while one was handled."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _repeat_interrupt(read_end: int, main_thread: int, interrupt: object, message: str) -> None:
    """Wait for SIGINT; then send it again repeatedly, and exit if the process does not end."""
    while numbers := os.read(read_end, 64):
        ends = time.monotonic() + _END_SECONDS
        while signal.SIGINT in numbers and signal.getsignal(signal.SIGINT) is interrupt:
            if time.monotonic() > ends:
                os.write(2, message.encode())
                os._exit(INTERRUPTED)
            signal.pthread_kill(main_thread, signal.SIGINT)
            time.sleep(_AGAIN_SECONDS)
    os.close(read_end)
