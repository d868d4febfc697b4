"""SIGHUP: the real daemon reads its configuration again while it fetches, places, serves and takes pushes."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from aggregator.web.server import STOP_DEADLINE_SECONDS
from tests.support.daemon_process import PROGRAM, WORKER, WORKERS, DaemonProcess
from tests.support.loopback import LoopbackServer, free_port
from tests.support.outlets import DAM, FIRE, SAMPLES, Outlet
from tests.support.receiver import SECRET, Receiver
from tests.support.seeds import drawn
from tests.support.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.later

SIGNAL_SECONDS = 3.0


# --- what changes, and what stays --------------------------------------------------------------------------


def test_what_can_change_changes_and_a_bad_file_changes_nothing(tmp_path: Path) -> None:
    outlet, receiver = Outlet("Lowland Post", "rss", [FIRE]), Receiver()
    (tmp_path / "secret").write_text(SECRET)
    first: dict[str, Any] = {
        "sources": [{"folder": str(SAMPLES / "Nordkanal"), "name": "samples"}]
    }
    everything = first | {
        "sources": [outlet.settings()],
        "queries": {"fires": {"query": "fire", "title": "Fires"}},
        "publish": {"title": "Changed", "excerpt_words": 5},
        "webhooks": [{"name": "desk", "url": receiver.url(), "secret_file": "secret"}],
        "grouping": {"memory": "400 MB"},
        "log": {"level": "debug"},
        "work": WORKERS,
    }
    with DaemonProcess(tmp_path, first) as daemon:
        daemon.wait_for(daemon.stories, "the samples")
        assert daemon.get("/feeds/fires.rss").status_code == 404
        old_rules = daemon.read_json("/status")["rules_version"]

        daemon.configure(everything)
        daemon.reload()
        assert daemon.feed_title() == "Changed"
        assert daemon.feed_title("fires") == "Fires"
        assert daemon.read_json("/status")["rules_version"] != old_rules
        daemon.wait_for(
            lambda: receiver.taken, "a webhook about the new source's article"
        )
        assert not receiver.false
        daemon.wait_for_line("placed ")
        assert daemon.lines(" debug "), "the level follows"
        listed = daemon.sources()
        assert (listed["samples"]["state"], listed["Lowland Post"]["state"]) == (
            "paused",
            "ok",
        )

        bad_files_change_nothing(daemon, everything)
        it_moves_to_another_port(daemon, everything)

        daemon.configure(everything | {"database": "another.db"})
        assert "another database needs a restart" in daemon.reload()
        assert daemon.stop() == 0
        assert not (tmp_path / "another.db").exists()
    outlet.server.close()


def bad_files_change_nothing(daemon: DaemonProcess, settings: dict[str, Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port, twice = taken.getsockname()[1], {"feed": "http://nowhere.invalid/feed"}
        for broken, words in (
            (
                {"publish": {"titel": "x"}},
                r"config.yaml:\d+: publish.titel: there is no such key",
            ),
            (
                {"sources": [twice, twice]},
                r"config.yaml:\d+: sources.1.feed: .* has the same feed",
            ),
            (
                {
                    "webhooks": [
                        {"name": "a", "url": "http://x.invalid/", "secret_file": "gone"}
                    ]
                },
                "cannot be read",
            ),
            ({"server": {"host": "0.0.0.0"}}, "server.host"),
            (
                {"server": {"port": port}, "log": {"level": "error"}},
                f"127.0.0.1 port {port}: Address already in use",
            ),
        ):
            daemon.configure(settings | broken)
            said = daemon.reload()
            assert re.search(words, said), said
            assert "keeping the current configuration" in said
            assert daemon.feed_title() == "Changed"
            reported = daemon.read_json("/status")["last_reload"]
            assert reported["ok"] is False
            assert "stays" in reported["words"]
    (daemon.folder / "config.yaml").unlink()
    begun = len(daemon.lines("SIGHUP: reading"))
    assert "config.yaml: No such file or directory" in daemon.reload()
    assert len(daemon.lines("SIGHUP: reading")) == begun + 1, (
        "the level of what was not taken is not, either"
    )
    assert daemon.feed_title() == "Changed"


def test_whatever_a_reload_raises_the_old_configuration_stays(tmp_path: Path) -> None:
    """A trigger stands for a fault of ours: the new sources cannot be written, and nobody saw that coming."""
    server, port = LoopbackServer(), free_port()
    first: dict[str, Any] = {
        "server": {"port": port},
        "sources": [{"feed": server.url("/feed"), "name": "old"}],
        "queries": {"fires": {"query": "fire"}},
        "publish": {"title": "Old"},
    }
    with DaemonProcess(tmp_path, first) as daemon:
        with closing(
            sqlite3.connect(tmp_path / "stories.db", timeout=30)
        ) as connection:
            connection.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON source WHEN NEW.name = 'new' "
                "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
            )
        daemon.configure(
            {
                "server": {"port": free_port()},
                "sources": [{"feed": server.url("/new"), "name": "new"}],
                "publish": {"title": "New"},
            }
        )
        said = daemon.reload()
        assert "config reload failed" in said
        assert "not this one" in said
        assert (daemon.feed_title(), daemon.feed_title("fires")) == (
            "Old",
            "Old: fires",
        ), "at the old port"
        assert daemon.read_json("/status")["last_reload"]["ok"] is False
        polls = len(server.paths())
        daemon.wait_for(lambda: len(server.paths()) > polls, "the old source is asked")
        assert "/new" not in server.paths()
        daemon.configure(first | {"publish": {"title": "Newer"}})
        assert "config reloaded" in daemon.reload()
        assert daemon.feed_title() == "Newer"
        many_signals_do_not_block(daemon)
        assert daemon.stop() == 0
    server.close()


def many_signals_do_not_block(daemon: DaemonProcess) -> None:
    """A handler that needs a lock which the interrupted code holds would never return."""
    before, ends = len(daemon.log()), time.monotonic() + SIGNAL_SECONDS
    while time.monotonic() < ends:
        os.kill(daemon.process.pid, signal.SIGHUP)
        time.sleep(0.0002)
    assert len(daemon.lines("event=config_reload_requested")) > 1
    daemon.wait_for(lambda: is_reloaded(daemon.log()), "the end of the last reload")
    assert "event=config_reloaded" in daemon.reload(), "and another one"
    assert "Traceback" not in daemon.log()[before:]


def is_reloaded(log: str) -> bool:
    """Whether every request to reload has been carried out."""
    return log.rfind("event=config_reloaded") > log.rfind(
        "event=config_reload_requested"
    )


def it_moves_to_another_port(daemon: DaemonProcess, settings: dict[str, Any]) -> None:
    old, port = daemon.address, free_port()
    daemon.configure(settings | {"server": {"port": port}})
    daemon.reload()
    with pytest.raises(httpx.ConnectError):
        httpx.get(old, trust_env=False)
    assert daemon.address == f"http://127.0.0.1:{port}" != old
    assert daemon.feed_title() == "Changed"
    assert daemon.read_json("/status")["last_reload"]["ok"] is True


# --- under load --------------------------------------------------------------------------------------------


class Load:
    """Readers and a pusher that go on until the end; what was not answered as it should be is kept.

    What finds no server asks again: at a reload the port is closed for a moment.
    """

    def __init__(self, daemon: DaemonProcess, token: str) -> None:
        self.over = Event()
        self.wrong: list[str] = []
        self.read = 0
        self.pushed: list[str] = []
        self._address = daemon.address
        self._token = token
        self._threads = [
            Thread(target=one, daemon=True)
            for one in (self._reads, lambda: self._reads(kept=False), self._pushes)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def _reads(self, *, kept: bool = True) -> None:
        paths = ("/", "/feeds/stories.rss", "/api/v1/stories?limit=5")
        while not self.over.is_set():
            with httpx.Client(trust_env=False, timeout=PATIENCE_SECONDS) as client:
                while not self.over.is_set():
                    for path in paths:
                        self.read += self._ask(client, 200, "GET", path)
                    time.sleep(0.05)
                    if not kept:
                        break  # a new connection each round

    def _pushes(self) -> None:
        bearer = {"Authorization": f"Bearer {self._token}"}
        with httpx.Client(
            trust_env=False, timeout=PATIENCE_SECONDS, headers=bearer
        ) as client:
            while not self.over.is_set():
                name = f"pushed-{len(self.pushed)}"
                words = " ".join(
                    f"{name} {word}" for word in ("dam", "harbour", "vote")
                )
                record = {
                    "id": name,
                    "title": f"Council {name} meets",
                    "text": f"{words}. " * 12,
                }
                if self._ask(client, 202, "POST", "/api/v1/articles", json=record):
                    self.pushed.append(name)
                time.sleep(0.02)

    def _ask(
        self, client: httpx.Client, status: int, method: str, path: str, **more: Any
    ) -> bool:
        began = time.monotonic()
        try:
            answer = client.request(method, self._address + path, **more)
        except httpx.TransportError:
            return False
        # On a busy machine: a server that stops gives up what takes longer.
        is_given_up = time.monotonic() - began >= STOP_DEADLINE_SECONDS
        if answer.status_code != status and not is_given_up:
            self.wrong.append(f"{path}: {answer.status_code} {answer.text[:200]}")
        return answer.status_code == status


def held(daemon: DaemonProcess) -> tuple[int, int]:
    """Threads and open files of the process."""
    place = Path(f"/proc/{daemon.process.pid}")
    return len(list((place / "task").iterdir())), len(list((place / "fd").iterdir()))


@pytest.mark.parametrize("reloads", [4, pytest.param(50, marks=pytest.mark.torture)])
def test_reloads_under_load_lose_and_leave_nothing(
    reloads: int, tmp_path: Path
) -> None:
    chance = drawn("reloads", reloads)
    outlet = Outlet("Marenholt Courier", "rss", [DAM])
    settings: dict[str, Any] = {
        "server": {"port": free_port()},
        "sources": [{"folder": str(SAMPLES), "name": "samples"}, outlet.settings()],
        "webhooks": [{"name": "desk", "url": "http://127.0.0.1:9/", "secret": SECRET}],
    }
    with DaemonProcess(tmp_path, settings) as daemon:
        token = daemon.token("newsroom", "push")
        daemon.wait_for(daemon.stories, "the first stories")
        with Load(daemon, token) as load:
            daemon.reload()  # whatever is made at first use is there
            before = held(daemon)
            for number in range(reloads):
                daemon.configure(a_change(settings, number, chance))
                daemon.reload()
                time.sleep(chance.uniform(0.0, 0.3))
            daemon.configure(settings | {"publish": {"title": "The last"}})
            daemon.reload()
            daemon.wait_for(lambda: len(load.pushed) > reloads, "pushes meanwhile")
        assert load.wrong == []
        daemon.wait_for(lambda: daemon.waiting() == 0, "an empty inbox")
        assert daemon.feed_title() == "The last"
        daemon.wait_for(
            lambda: held(daemon)[0] <= before[0] + 4, "threads of before to end"
        )
        daemon.wait_for(
            lambda: held(daemon)[1] <= before[1] + 12, "files of before to be closed"
        )
        print(
            f"{load.read} answers, {len(load.pushed)} pushes, threads and files {before} → {held(daemon)}"
        )
        states = dict(daemon.rows("SELECT state, count(*) FROM entry GROUP BY state"))
        assert states == {"done": 36 + 1 + len(load.pushed)}, (
            "nothing lost, nothing twice"
        )
        assert daemon.rows("SELECT count(*) FROM article") == [
            (36 + 1 + len(load.pushed),)
        ]
        assert {row["state"] for row in daemon.sources().values()} <= {
            "ok",
            "paused",
        }, "nothing counted as failed"
        assert daemon.faults() == []
        stops_while_it_reloads(daemon, settings)
    outlet.server.close()


def stops_while_it_reloads(daemon: DaemonProcess, settings: dict[str, Any]) -> None:
    for number in range(5):
        daemon.configure(settings | {"publish": {"title": f"Wish {number}"}})
        daemon.process.send_signal(signal.SIGHUP)
        time.sleep(0.02 * number)

    def is_last() -> bool:
        try:
            return daemon.feed_title() == "Wish 4"
        except httpx.TransportError:  # between the two servers
            return False

    daemon.wait_for(is_last, "the last of several wishes in force")
    daemon.process.send_signal(signal.SIGHUP)
    assert daemon.stop() == 0
    assert daemon.log().rstrip().endswith("stopped event=daemon_stopped")
    assert "Traceback" not in daemon.log()


def a_change(settings: dict[str, Any], number: int, chance: Random) -> dict[str, Any]:
    changes: list[dict[str, Any]] = [
        {"publish": {"title": f"Number {number}", "excerpt_words": 40 + number % 3}},
        {"fetch": {"contact": f"desk{number % 5}@example.org"}},
        {"work": WORKER | {"workers": 1 + number % 2}},
        {"queries": {f"q{number}": {"query": "dam"}}},
        {"grouping": {"memory": f"{500 + number % 3} MB"}},
        {"publish": {"titel": "a mistake"}},
        {"webhooks": []},
        {},
    ]
    return settings | chance.choice(changes)


# --- systemd -----------------------------------------------------------------------------------------------


class Systemd:
    """The other end of the notify socket."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening

    def next(self, *, but: tuple[str, ...] = ("WATCHDOG", "STATUS")) -> dict[str, str]:
        """The next message that is more than these."""
        while True:
            reported = dict(
                line.split("=", 1)
                for line in self._listening.recv(4096).decode().splitlines()
            )
            if not set(reported) <= set(but):
                return reported

    def quiet_for(self, seconds: float) -> bool:
        """Whether no ping comes for so long, once what was sent before is read."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            started = time.monotonic()
            while time.monotonic() - started < seconds:
                self._listening.settimeout(seconds)
                try:
                    if self._listening.recv(4096) == b"WATCHDOG=1":
                        break
                except TimeoutError:
                    self._listening.settimeout(PATIENCE_SECONDS)
                    return True
            else:
                self._listening.settimeout(PATIENCE_SECONDS)
                return True
        return False

    def pings(self) -> bool:
        self._listening.settimeout(PATIENCE_SECONDS)
        while self._listening.recv(4096) != b"WATCHDOG=1":
            pass
        return True


@contextmanager
def notified() -> Iterator[tuple[str, Systemd]]:
    with (
        tempfile.TemporaryDirectory() as place,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening,
    ):
        listening.bind(f"{place}/notify")
        listening.settimeout(PATIENCE_SECONDS)
        yield f"{place}/notify", Systemd(listening)


def test_systemd_hears_of_a_reload_and_of_a_part_that_hangs(tmp_path: Path) -> None:
    (tmp_path / "articles").mkdir()
    settings: dict[str, Any] = {
        "sources": [{"folder": "articles", "name": "articles"}],
        "log": {"format": "json", "level": "debug"},
        "work": WORKER,
    }
    tuning = {
        "watchdog": {"stalled_seconds": 8.0},
        "work": {"parse_deadline_seconds": 600.0},
    }
    sample = next((SAMPLES / "Nordkanal").iterdir())
    with notified() as (place, systemd):
        daemon = DaemonProcess(
            tmp_path,
            settings,
            tuning=tuning,
            NOTIFY_SOCKET=place,
            WATCHDOG_USEC="400000",
        )
        with daemon:
            assert systemd.next(but=())["STATUS"] == "opening the database"
            assert systemd.next(but=("WATCHDOG",))["READY"] == "1", "nothing upgraded"

            began = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            daemon.reload()
            reported = systemd.next()
            assert reported["RELOADING"] == "1"
            assert int(reported["MONOTONIC_USEC"]) >= began
            assert "config reloaded" in systemd.next()["STATUS"]

            (tmp_path / "config.yaml").write_text("publish: {titel: x}\n")
            daemon.reload()
            assert systemd.next()["RELOADING"] == "1"
            reported = systemd.next()
            assert reported["READY"] == "1", "it goes on"
            assert "publish.titel" in reported["STATUS"]
            daemon.configure(settings | {"summarise": {"model": "m"}})
            daemon.reload()
            assert len(daemon.lines("summarise: this key is gone")) == 1

            (tmp_path / "articles" / sample.name).write_bytes(sample.read_bytes())
            daemon.wait_for(daemon.stories, "an article")
            # A busy machine is slow to start a worker
            stalled = daemon.lines("no progress")
            daemon.process.send_signal(signal.SIGSTOP)
            time.sleep(9.0)  # longer than a part may do nothing
            daemon.process.send_signal(signal.SIGCONT)
            assert systemd.pings()
            assert systemd.pings()
            assert daemon.lines("no progress") == stalled, (
                "nobody had the time to get on"
            )

            (worker,) = daemon.workers()
            os.kill(worker, signal.SIGSTOP)
            (tmp_path / "articles" / "other.txt").write_bytes(
                sample.read_bytes() + b"\nMore words of it.\n"
            )
            # What is sent must be read meanwhile: the daemon would wait for a full socket.
            wait_until(
                lambda: (
                    systemd.quiet_for(1.5) and daemon.lines("no progress in: placing")
                ),
                "it to see that placing hangs, and systemd to think so, too",
            )
            os.kill(worker, signal.SIGCONT)
            assert systemd.pings()
            assert daemon.stop() == 0
            assert systemd.next()["STOPPING"] == "1"
    records = [json.loads(line) for line in daemon.log().splitlines()]
    placed = [record for record in records if "story" in record]
    assert len(placed) == 2
    assert all(
        {"time", "level", "logger", "message", "event", "article", "entry"}
        <= record.keys()
        for record in placed
    )
    assert [record for record in records if record.get("source")]


def test_a_daemon_of_a_terminal_ends_with_it(tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path, {})
    master, terminal = os.openpty()
    log = (tmp_path / "daemon.log").open("wb")
    # A session of its own whose terminal that is; without our own nohup, if any
    at_terminal = [
        *(PROGRAM[0], "-c"),
        "import fcntl, os, signal, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        "signal.signal(signal.SIGHUP, signal.SIG_DFL); "
        f"os.execv({PROGRAM[0]!r}, {[*PROGRAM, 'run']!r})",
    ]
    daemon._process = subprocess.Popen(
        at_terminal, cwd=tmp_path, stdin=terminal, stdout=log, stderr=log
    )
    os.close(terminal)
    try:
        daemon.wait_until_listening()
        assert "config reloaded" in daemon.reload(), (
            "while it is there, the signal is a wish"
        )
        os.close(master)
        assert daemon.wait_for_end() == 0
        assert daemon.lines("SIGHUP: stopping")
    finally:
        daemon.kill()
        log.close()
