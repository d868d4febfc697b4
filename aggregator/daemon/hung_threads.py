"""End a process although one of its threads hangs."""

import logging
import os
import threading
import time

HUNG_SECONDS = 0.2  # a thread may take this long to end after everything is closed


def end_with_hung_threads(code: int = 0) -> None:
    """End the process if a thread hangs, for instance in a database that does not answer.

    Python itself would wait for the thread. Call this last, because the transaction of the thread is not committed.
    """
    ends = time.monotonic() + HUNG_SECONDS
    # Daemon threads are included, because Python joins the threads of an executor even if they are daemon threads.
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(max(0.0, ends - time.monotonic()))
            if thread.is_alive():
                logging.shutdown()
                os._exit(code)
