"""End a process although one of its threads hangs."""

import logging
import os
import threading
import time

HUNG_SECONDS = 0.2  # a thread may take this long to end after everything is closed


def end_with_hung_threads(code: int = 0) -> None:
    """End the process if a thread waits for a database that hangs; Python itself would wait for the thread.

    To be called last: the transaction of such a thread is not committed.
    """
    ends = time.monotonic() + HUNG_SECONDS
    # Daemon threads, too: Python joins those of an executor
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(max(0.0, ends - time.monotonic()))
            if thread.is_alive():
                logging.shutdown()
                os._exit(code)
