"""Half an hour of steady work (part of `make test-all`): memory, threads and open files stay as they were.

Of the database no more stays of each article than the ids and hashes by which it is known again.

Beside it pages, feeds, metrics and status are read, the configuration is read again, backups are made, and
what was stored loses its text, then itself within minutes. AGGREGATOR_SOAK_MINUTES makes it shorter or
longer.
"""

import os
import re
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.daemon_process import MAIN, WORKER, DaemonProcess, resident_mib
from tests.support.growing_feeds import Newsroom
from tests.support.loopback import LoopbackServer, Resource
from tests.support.rss import rss

MINUTES = float(os.environ.get("AGGREGATOR_SOAK_MINUTES", "30"))
FEEDS = 10
# Of the time: caches fill, workers retire for the first time, the first stories go
WARM_UP_SHARE = 0.3
SEEN = (
    "/",
    "/feeds/stories.rss",
    "/metrics",
    "/status",
    "/readyz",
    "/api/v1/stories?limit=200",
)
BYTES_OF_WHAT_WENT = 1_250  # ids and hashes, which stay for good (measured: 1,090)


class Vitals(NamedTuple):
    """What the daemon holds, and its database."""

    resident_mib: float
    workers_mib: float
    threads: int
    files: int
    database_mib: float
    written: int  # items so far


def vitals(daemon: DaemonProcess, written: int) -> Vitals:
    pid = daemon.process.pid
    return Vitals(
        resident_mib=resident_mib(pid),
        workers_mib=sum(_resident_or_gone(worker) for worker in daemon.workers()),
        threads=len(list(Path(f"/proc/{pid}/task").iterdir())),
        files=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        database_mib=sum(
            file.stat().st_size for file in daemon.folder.glob("stories.db*")
        )
        / 1_048_576,
        written=written,
    )


def _resident_or_gone(pid: int) -> float:
    try:
        return resident_mib(pid)
    except (OSError, AssertionError):  # it ended between two looks
        return 0.0


def settings(server: LoopbackServer, *, is_odd: bool) -> dict[str, Any]:
    """Two configurations by turns; one of them leaves a feed out. Both ages of retention within a third."""
    return {
        "sources": [
            {"feed": server.url(f"/{number}"), "outlet": f"Outlet {number}"}
            for number in range(FEEDS - is_odd)
        ],
        "work": WORKER,
        "publish": {"title": "Odd" if is_odd else "Even"},
        "retention": {
            "text_after": f"{MINUTES * 4:.0f}s",
            "stories_after": f"{MINUTES * 10:.0f}s",
        },
    }


# The 5 MiB of free pages that a file may keep are as much as all the rest of this one.
TUNING = {"retention": {"check_seconds": 1.0, "steady_days": 0.0}}


def accepted(daemon: DaemonProcess) -> int:
    """How many articles ever came, whatever became of them."""
    with closing(
        sqlite3.connect(daemon.folder / "stories.db", timeout=30)
    ) as connection:
        new = connection.execute(
            "SELECT sum(count) FROM intake_count WHERE outcome = 'new'"
        )
        return int(new.fetchone()[0])


def disturb(daemon: DaemonProcess, server: LoopbackServer, turn: int) -> None:
    """Another configuration, and a backup over the last one beside the restart of the server."""
    before = len(daemon.reloads())
    daemon.configure(settings(server, is_odd=turn % 2 == 1))
    daemon.process.send_signal(signal.SIGHUP)
    backup = daemon.command("db", "backup", "--to", str(daemon.folder / "kept.db.zst"))
    assert backup.returncode == 0, backup.stderr
    daemon.wait_for(lambda: len(daemon.reloads()) > before, "the end of a reload")
    daemon.wait_until_listening()
    # It answers 503 until the next runtime places, which takes seconds on a busy machine.
    daemon.wait_for_status("/readyz", 200)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_nothing_grows_while_it_works(tmp_path: Path) -> None:
    feeds = [Resource(rss()) for _ in range(FEEDS)]
    newsroom = Newsroom(feeds)
    seen: list[Vitals] = []
    with (
        LoopbackServer(
            {f"/{number}": feed for number, feed in enumerate(feeds)}
        ) as server,
        DaemonProcess(
            tmp_path, settings(server, is_odd=False), tuning=TUNING, program=MAIN
        ) as daemon,
    ):
        newsroom.start()
        ends = time.monotonic() + MINUTES * 60
        turn = 0
        turns_at = time.monotonic() + MINUTES * 2
        while time.monotonic() < ends:
            time.sleep(min(5.0, MINUTES * 6))
            for path in SEEN:
                assert daemon.get(path).status_code == 200, path
            seen.append(vitals(daemon, newsroom.written))
            if time.monotonic() > turns_at:
                turn += 1
                turns_at = time.monotonic() + MINUTES * 2
                disturb(daemon, server, turn)
        newsroom.done.set()
        newsroom.join()
        daemon.configure(settings(server, is_odd=False))
        daemon.reload()
        daemon.wait_for(
            lambda: accepted(daemon) == newsroom.written, "everything to be accepted"
        )
        daemon.wait_for(lambda: not daemon.waiting(), "everything to be placed")
        assert daemon.stop() == 0
        # Ages of seconds are allowed by the tuning of its process only
        daemon.configure({})
        reloads = len(re.findall("event=config_reloaded", daemon.log()))
        found = daemon.faults()
    warm = seen[int(len(seen) * WARM_UP_SHARE) :]
    first, last = warm[: len(warm) // 3], warm[-(len(warm) // 3) :]
    grown = mean(last) - mean(first)
    print(
        f"{MINUTES:g} minutes, {newsroom.written} items, {reloads} reloads, {turn} backups; "
        f"{mean(first):.1f} MiB {grown:+.1f}; at first, warm, at last:"
    )
    print(seen[0], first[-1], last[-1], sep="\n")
    assert found == []
    assert not [line for line in daemon.log().splitlines() if " error " in line]
    assert reloads >= turn
    assert grown <= 0.1 * mean(first), "memory is flat after the warm-up"
    assert max(one.threads for one in last) <= max(one.threads for one in first) + 2
    assert max(one.files for one in last) <= max(one.files for one in first) + 8
    went = mean(last, "written") - mean(first, "written")
    more = (mean(last, "database_mib") - mean(first, "database_mib")) * 1_048_576
    print(f"  {more / went:.0f} bytes of each article that went")
    assert more <= BYTES_OF_WHAT_WENT * went, "what goes makes room for what comes"


def mean(samples: list[Vitals], name: str = "resident_mib") -> float:
    return float(sum(getattr(one, name) for one in samples) / len(samples))
