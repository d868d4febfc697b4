"""The clock of the machine jumps under a running daemon, and back: libfaketime moves it, the rest is real."""

import json
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.daemon_process import DaemonProcess
from tests.support.loopback import Response
from tests.support.outlets import Outlet, Report, report
from tests.support.receiver import SECRET, Receiver
from tests.support.rows import queried

pytestmark = pytest.mark.torture

HOUR, DAY = 3600, 86_400
JUMPS = (
    (8 * HOUR, "8 h ahead"),
    (400 * DAY, "400 days ahead"),
    (-HOUR, "1 h back"),
    (-DAY, "1 day back"),
)
_LIBRARY = "faketime/libfaketimeMT.so.1"
_SETTINGS: dict[str, Any] = {
    "fetch": {"interval": "2s"},
    "retention": {"text_after": "30d", "stories_after": "60d"},
}
_TUNING: dict[str, Any] = {
    "retention": {"check_seconds": 0.5},
    "webhooks": {"retry_first_seconds": 0.5, "pause_max_seconds": 1.0},
}


@pytest.fixture
def library() -> Path:
    found = sorted(Path("/usr/lib").glob(f"*/{_LIBRARY}")) + sorted(
        Path("/usr/lib").glob(_LIBRARY)
    )
    if not found:
        pytest.skip("libfaketime is not installed; on Debian: apt-get install faketime")
    return found[0]


class Newsroom:
    """An outlet that publishes one more article when it is asked to, each of an event of its own."""

    def __init__(self) -> None:
        self._chance = Random(1)
        self.outlet = Outlet("Lowland Post", "rss", [self._report(0)])

    def publish(self) -> str:
        """The title of what is new."""
        self.outlet.reports = [
            *self.outlet.reports,
            self._report(len(self.outlet.reports)),
        ]
        self.outlet.publish()
        return self.outlet.reports[-1].title

    def _report(self, number: int) -> Report:
        sample = report("Lowland Post/fire-at-halverne-solvent-works", "", hours_ago=0)
        names = [
            "".join(self._chance.choices("abdegiklmnorstu", k=8)).capitalize()
            for _ in range(90)
        ]
        paragraphs = tuple(
            " ".join(names[at : at + 30]) + "." for at in range(0, 90, 30)
        )
        title = f"{names[0]} {names[1]} {names[2]}"
        return Report(
            f"/news/{number}", title, paragraphs, sample.published, f"id-{number}"
        )


class Clock:
    """What the daemon takes for the time: the real one and so many seconds."""

    def __init__(self, folder: Path, library: Path) -> None:
        self._file = folder / "faketime"
        self.jump(0)
        # Its clock_nanosleep refuses what Python 3.11 asks of it; select() sleeps as long.
        (folder / "sitecustomize.py").write_text(
            "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds) and None\n"
        )
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(folder),
            "NO_FAKE_STAT": "1",
        }

    def jump(self, seconds: int) -> None:
        written = self._file.with_suffix(".new")
        written.write_text(f"{seconds:+d}\n")
        written.replace(self._file)


def test_a_clock_that_jumps_harms_nothing(
    database_url: str, library: Path, tmp_path: Path
) -> None:
    clock, newsroom, receiver = Clock(tmp_path, library), Newsroom(), Receiver()
    settings = _SETTINGS | {
        "database": database_url,
        "sources": [newsroom.outlet.settings()],
        "webhooks": [{"name": "desk", "url": receiver.url(), "secret": SECRET}],
    }

    def count(what: str) -> int:
        return queried(database_url, text(f"SELECT count(*) FROM {what}")).scalar_one()

    with DaemonProcess(
        tmp_path, settings, tuning=_TUNING, **clock.environment
    ) as daemon:

        def publish(when: str) -> str:
            """Something new, which becomes a story."""
            title = newsroom.publish()
            daemon.wait_for(
                lambda: title in {one["title"] for one in daemon.stories()},
                f"what came {when}",
            )
            return title

        def asked_twice(words: str) -> None:
            polls = newsroom.outlet.polls()
            daemon.wait_for(
                lambda: newsroom.outlet.polls() > polls + 1, f"polls {words}"
            )

        daemon.wait_for(daemon.stories, "the first story")
        for _ in range(4):
            publish("before")
        for seconds, words in JUMPS:
            # What is tried meanwhile must not be given up
            receiver.answer = lambda _request: Response(500)
            before = publish(f"before it was {words}")
            daemon.wait_for(
                lambda title=before: title in failed(receiver), "a delivery that failed"
            )
            rows = {
                name: count(name) for name in ("article", "story", "change", "outbox")
            }
            clock.jump(seconds)
            asked_twice(words)
            publish(f"when it was {words}")
            time.sleep(3)  # several looks of retention and of the clock
            clock.jump(0)
            asked_twice(f"{words}, and right again")
            after = publish(f"after it was {words}")
            now = {name: count(name) for name in rows}
            assert [now[name] - rows[name] for name in ("article", "story")] == [2, 2]
            assert 2 <= now["change"] - rows["change"] <= 4, (
                "no flood of bumps, and none is deleted"
            )
            assert now["outbox"] >= rows["outbox"]
            daemon.wait_for(
                lambda title=after: daemon.stories()[0]["title"] == title,
                "the newest in front",
            )
            receiver.answer = lambda _request: Response(204)
            titles = {one.title for one in newsroom.outlet.reports}
            daemon.wait_for(
                lambda titles=titles: titles <= taken(receiver),
                f"all deliveries: {words}",
            )
        assert count("article WHERE text IS NULL") == 0
        assert count("outbox WHERE state = 'given_up'") == 0
        assert "config reloaded" in daemon.reload()
        publish("after a reload")
        assert not daemon.lines("no progress")
        assert "Traceback" not in daemon.log()
        assert daemon.faults() == []
        assert daemon.stop() == 0
    newsroom.outlet.server.close()


def taken(receiver: Receiver) -> set[str]:
    """Headlines of the stories of which the receiver was told."""
    return {json.loads(one.body)["data"]["story"]["title"] for one in receiver.taken}


def failed(receiver: Receiver) -> set[str]:
    """Headlines of which the receiver did not take what came."""
    came = {
        json.loads(one.body)["data"]["story"]["title"] for one in list(receiver.came)
    }
    return came - taken(receiver)
