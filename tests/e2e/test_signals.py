"""Signals that arrive while the daemon handles others."""

import os
import signal
import time
from pathlib import Path

from tests.support.daemon_process import DaemonProcess

SECONDS = 5.0


def test_many_signals_in_a_row_do_not_block_the_daemon(tmp_path: Path) -> None:
    """A handler that needs a lock which the interrupted code holds would never return."""
    with DaemonProcess(tmp_path, {"sources": []}) as daemon:
        assert daemon.process is not None
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            os.kill(daemon.process.pid, signal.SIGHUP)
            time.sleep(0.0002)
        reloads = len(daemon.lines("event=config_reload_requested"))
        assert reloads > 1
        daemon.wait_for(lambda: is_reloaded(daemon.log()), "the end of the last reload")
        settled = len(daemon.lines("event=config_reloaded"))
        daemon.process.send_signal(signal.SIGHUP)
        daemon.wait_for(lambda: len(daemon.lines("event=config_reloaded")) > settled, "another reload")
        assert "Traceback" not in daemon.log()
        assert daemon.stop() == 0


def is_reloaded(log: str) -> bool:
    """Whether every request to reload has been carried out."""
    return log.rfind("event=config_reloaded") > log.rfind("event=config_reload_requested")
