"""A database in trouble: the daemon serves on, rests, and goes on by itself."""

import resource
from pathlib import Path

from tests.articles import FLOOD, STRIKE
from tests.e2e.daemon_process import DaemonProcess


def write(folder: Path, name: str, title: str, text: str) -> None:
    outlet = folder / "news" / name
    outlet.mkdir(parents=True)
    (outlet / "a.txt").write_text(f"{title}\n\n12 October 2026\n\n{text}\n", encoding="utf-8")


def test_a_full_disk_stops_nothing_but_writing_and_work_goes_on_by_itself(tmp_path: Path) -> None:
    write(tmp_path, "Gazette", "Levee breaks at Pennmouth, four dead", FLOOD)
    with DaemonProcess(tmp_path, {"sources": [{"folder": "news"}], "work": {"workers": 1}}) as daemon:
        daemon.wait_for(lambda: len(daemon.stories()) == 1, "the first story")
        assert daemon.process is not None
        # What a full disk looks like to a process: nothing may grow beyond what the log needs.
        before = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (32_768, resource.RLIM_INFINITY))
        write(tmp_path, "Herald", "Dock workers strike in Sennick", STRIKE)
        daemon.wait_for(lambda: daemon.lines("cannot be written"), "the daemon to say that it cannot write")
        assert daemon.get("/").status_code == 200
        assert len(daemon.stories()) == 1
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, before)
        daemon.wait_for(lambda: len(daemon.stories()) == 2, "the second story")
        assert daemon.stop() == 0
