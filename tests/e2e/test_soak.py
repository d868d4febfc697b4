"""Half an hour of steady work (`make soak`): memory, threads and open files stay where they were.

AGGREGATOR_SOAK_MINUTES makes it shorter or longer.
"""

import os
import random
import re
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.daemon_process import DaemonProcess, resident_mib
from tests.loopback import LoopbackServer, Resource

MINUTES = float(os.environ.get("AGGREGATOR_SOAK_MINUTES", "30"))
FEEDS = 10
SECONDS_A_NEW_ITEM = 1.0
WARM_UP_SHARE = 0.3  # of the time: caches fill, workers retire for the first time
_WORDS = re.findall(
    r"\w+",
    """river levee mayor rescue council harbour strike union court budget bridge storm school hospital
    minister factory fire railway election province police museum drought vaccine ferry mine reactor vote""",
)


class Vitals(NamedTuple):
    """What a process holds."""

    resident_mib: float
    threads: int
    files: int


def placed(daemon: DaemonProcess) -> int:
    """How many articles have a place."""
    return int(daemon.command("db", "stats").stdout.split("articles")[1].split()[0])


def vitals(pid: int) -> Vitals:
    return Vitals(
        resident_mib=resident_mib(pid),
        threads=len(list(Path(f"/proc/{pid}/task").iterdir())),
        files=len(list(Path(f"/proc/{pid}/fd").iterdir())),
    )


class Newsroom(threading.Thread):
    """Writes a new item into one of the feeds every second; keeps the last twenty of each."""

    def __init__(self, feeds: list[Resource]) -> None:
        super().__init__(daemon=True)
        self.written = 0
        self.done = threading.Event()
        self._feeds = feeds
        self._items: list[list[str]] = [[] for _ in feeds]
        self._random = random.Random(42)

    def run(self) -> None:
        while not self.done.wait(SECONDS_A_NEW_ITEM):
            self.written += 1
            number = self.written % len(self._feeds)
            self._items[number] = [self._item(), *self._items[number][:19]]
            self._feeds[number].body = rss(self._items[number])

    def _item(self) -> str:
        words = self._random.choices(_WORDS, k=160)
        text = ". ".join(" ".join(words[start : start + 10]).capitalize() for start in range(0, 160, 10))
        title = " ".join(self._random.sample(_WORDS, 6)).capitalize()
        said = f"<title>{title}</title><description>{text}.</description>"
        return f"<item><guid>{self.written}</guid>{said}</item>"


def rss(items: list[str]) -> str:
    return f'<rss version="2.0"><channel><title>Wire</title>{"".join(items)}</channel></rss>'


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_nothing_grows_while_it_works(tmp_path: Path) -> None:
    feeds = [Resource(rss([])) for _ in range(FEEDS)]
    newsroom = Newsroom(feeds)
    with LoopbackServer({f"/{number}": feed for number, feed in enumerate(feeds)}) as server:
        sources = [
            {"feed": server.url(f"/{number}"), "outlet": f"Outlet {number}"} for number in range(FEEDS)
        ]
        with DaemonProcess(tmp_path, {"sources": sources}) as daemon:
            newsroom.start()
            assert daemon.process is not None
            seen: list[Vitals] = []
            ends = time.monotonic() + MINUTES * 60
            while time.monotonic() < ends:
                time.sleep(min(5.0, MINUTES * 6))
                daemon.get("/")
                daemon.get("/feeds/stories.rss")
                seen.append(vitals(daemon.process.pid))
            newsroom.done.set()
            daemon.wait_for(lambda: placed(daemon) == newsroom.written, "everything to be placed")
            assert daemon.stop() == 0
    warm = seen[int(len(seen) * WARM_UP_SHARE) :]
    first, last = warm[: len(warm) // 3], warm[-(len(warm) // 3) :]
    grown = mean(last) - mean(first)
    print(f"{MINUTES:g} minutes, {newsroom.written} items: {seen[0]} ... {seen[-1]}, {grown:+.1f} MiB")
    assert grown <= 0.1 * mean(first), "memory is flat after the warm-up"
    assert max(one.threads for one in last) <= max(one.threads for one in first) + 2
    assert max(one.files for one in last) <= max(one.files for one in first) + 8


def mean(samples: list[Vitals]) -> float:
    return sum(one.resident_mib for one in samples) / len(samples)
