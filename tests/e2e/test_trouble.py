"""A machine in trouble: the daemon serves on, rests, says what is the matter, and goes on by itself."""

import contextlib
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from tests.support.articles import FLOOD, STRIKE
from tests.support.daemon_process import WORKER, DaemonProcess
from tests.support.kill_records import invented
from tests.support.loopback import LoopbackServer, Resource
from tests.support.rss import item, rss

pytestmark = pytest.mark.later

FERRY = "A ferry with ninety passengers ran aground off Callow Head in fog on Friday. Nobody was hurt."


def write(folder: Path, name: str, title: str, text: str) -> None:
    outlet = folder / "news" / name
    outlet.mkdir(parents=True)
    (outlet / "a.txt").write_text(
        f"{title}\n\n12 October 2026\n\n{text}\n", encoding="utf-8"
    )


def health(daemon: DaemonProcess) -> tuple[int, bool]:
    answer = daemon.get("/healthz")
    return answer.status_code, answer.json()["writable"]


def test_a_full_disk_stops_nothing_but_writing_and_work_goes_on_by_itself(
    tmp_path: Path,
) -> None:
    write(tmp_path, "Gazette", "Levee breaks at Pennmouth, four dead", FLOOD)
    with DaemonProcess(
        tmp_path, {"sources": [{"folder": "news"}], "work": WORKER}
    ) as daemon:
        daemon.wait_for_stories(1)
        # What a full disk looks like to a process. No page of the log fits: noticed while nothing is written.
        limit, pid = resource.RLIMIT_FSIZE, daemon.process.pid
        before = resource.prlimit(pid, limit, (4_096, resource.RLIM_INFINITY))
        daemon.wait_for(lambda: health(daemon) == (503, False), "/healthz to tell")
        resource.prlimit(pid, limit, before)
        daemon.wait_for(lambda: health(daemon) == (200, True), "/healthz to recover")
        # Nothing may grow beyond what the log needs.
        resource.prlimit(pid, limit, (32_768, resource.RLIM_INFINITY))
        write(tmp_path, "Herald", "Dock workers strike in Sennick", STRIKE)
        daemon.wait_for_line("cannot be written")
        assert daemon.get("/").status_code == 200
        assert len(daemon.stories()) == 1
        daemon.wait_for(lambda: health(daemon) == (503, False), "/healthz to tell")
        problems = daemon.read_json("/healthz")["problems"]
        assert "cannot be written" in " ".join(problems)
        resource.prlimit(pid, limit, before)
        daemon.wait_for_stories(2)
        assert daemon.get("/healthz").status_code == 200
        assert "Traceback" not in daemon.log()
        assert daemon.stop() == 0


def test_another_program_that_keeps_the_database_stops_nothing_but_writing(
    tmp_path: Path,
) -> None:
    """As somebody who typed BEGIN IMMEDIATE in sqlite3 and went to lunch."""
    write(tmp_path, "Gazette", "Levee breaks at Pennmouth, four dead", FLOOD)
    settings = {"sources": [{"folder": "news"}]}
    impatient = {
        "watchdog": {"stalled_seconds": 5.0, "check_seconds": 0.2},
        "database": {
            "lock_seconds": 2.0,
            "read_seconds": 1.0,
            "short_wait_seconds": 0.2,
        },
    }
    with DaemonProcess(tmp_path, settings, tuning=impatient) as daemon:
        secret = daemon.token("wire", "push")
        daemon.wait_for_stories(1)
        with contextlib.closing(
            sqlite3.connect(tmp_path / "stories.db", isolation_level=None)
        ) as somebody:
            somebody.execute("BEGIN IMMEDIATE")
            write(tmp_path, "Herald", "Dock workers strike in Sennick", STRIKE)
            daemon.wait_for_line("event=placing_paused")
            # A busy machine is slow to prepare an article
            stalled = daemon.lines("no progress")
            record = {
                "id": "1",
                "outlet": "Wire",
                "title": "Ferry runs aground",
                "text": FERRY,
            }
            refused = [push(daemon, secret, record) for _ in range(3)]
            assert [
                (one.status_code, one.headers.get("Retry-After")) for one in refused
            ] == [(503, "5")] * 3
            reported = daemon.read_json("/status")
            assert any(
                "another program" in one["what"] for one in reported["process_findings"]
            )
            assert reported["writable"] is False
            time.sleep(6.0)  # longer than is taken for a stall
            assert len(daemon.stories()) == 1
            assert daemon.lines("no progress") == stalled
            somebody.execute("ROLLBACK")
        daemon.wait_for_stories(2)
        daemon.wait_for_line("event=placing_resumed")
        assert push(daemon, secret, record).status_code == 202
        daemon.wait_for_status("/healthz", 200)
        assert "Traceback" not in daemon.log()
        assert daemon.stop() == 0


def push(
    daemon: DaemonProcess, secret: str, record: Mapping[str, object]
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {secret}"}
    address = f"{daemon.address}/api/v1/articles"
    return httpx.post(
        address, json=record, headers=headers, trust_env=False, timeout=60, verify=False
    )


@contextlib.contextmanager
def idle_connections(daemon: DaemonProcess, count: int) -> Iterator[None]:
    """So many clients that connect and send half a request."""
    host, _, port = daemon.address.removeprefix("http://").partition(":")
    with contextlib.ExitStack() as held:
        for _ in range(count):
            one = held.enter_context(
                socket.create_connection((host, int(port)), timeout=20)
            )
            with contextlib.suppress(OSError):  # it may be closed at once
                one.sendall(b"GET /heal")
        yield


def open_files(daemon: DaemonProcess) -> int:
    return sum(1 for _ in Path(f"/proc/{daemon.process.pid}/fd").iterdir())


def test_a_daemon_without_free_files_blames_nobody_and_goes_on_when_there_are_some(
    tmp_path: Path,
) -> None:
    """Sources, files and articles that come meanwhile are neither failed nor refused nor lost."""
    write(tmp_path, "Gazette", "Levee breaks at Pennmouth, four dead", FLOOD)
    feed = Resource(rss())
    with LoopbackServer({"/feed": feed}) as server:
        settings = {
            "sources": [
                {"feed": server.url("/feed"), "name": "feed"},
                {"folder": "news", "name": "folder"},
            ],
            "fetch": {"pages": "never"},
            "work": WORKER,
        }
        with DaemonProcess(tmp_path, settings) as daemon:
            daemon.wait_for(
                lambda: len(daemon.stories()) == 1 and server.requests,
                "the first story",
            )
            pid = daemon.process.pid
            before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(
                pid, resource.RLIMIT_NOFILE, (open_files(daemon), before[1])
            )
            for worker in daemon.workers():  # none can be started in its place
                os.kill(worker, signal.SIGKILL)
            with idle_connections(daemon, 30):
                daemon.wait_for_line("no connection is accepted")
                write(tmp_path, "Herald", "Dock workers strike in Sennick", STRIKE)
                feed.body = rss(item("Ferry aground", FERRY))
                daemon.wait_for_line("sources are polled again")
                time.sleep(3.0)  # asyncio tries to take connections each second
            assert daemon.process.poll() is None
            assert len(daemon.log().splitlines()) < 50
            reported = daemon.wait_for(
                lambda: problems_with_two_free_files(daemon), "/status to say it"
            )
            assert "LimitNOFILE" in reported[0]
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
            daemon.wait_for(lambda: articles_in(daemon) == 3, "what came meanwhile")
            assert {one["state"] for one in daemon.sources().values()} == {"ok"}
            assert daemon.get("/status").status_code == 200
            assert not problems_of(daemon, "are open")
            assert "Traceback" not in daemon.log()
            assert daemon.stop() == 0
            assert daemon.faults() == []


def problems_with_two_free_files(daemon: DaemonProcess) -> list[str]:
    """What `/status` says of open files while two more can be opened, however many there are."""
    most = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(
        daemon.process.pid, resource.RLIMIT_NOFILE, (open_files(daemon) + 2, most)
    )
    return problems_of(daemon, "are open")


def problems_of(daemon: DaemonProcess, words: str) -> list[str]:
    answer = daemon.get("/status")
    if answer.status_code >= 500:  # it found no free file itself
        return []
    return [
        one["what"] for one in answer.json()["process_findings"] if words in one["what"]
    ]


# A daemon that may open few files from its start.
FEW_FILES = """
import resource
from aggregator.cli.application import main
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
main()
"""


def test_what_is_the_matter_is_shown_without_a_free_file(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, {"sources": [], "work": WORKER}) as daemon:
        # What a first request loads is there
        assert daemon.get("/status").status_code == 200
        pid, connection = daemon.process.pid, 1
        most = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(
            pid, resource.RLIMIT_NOFILE, (open_files(daemon) + connection, most)
        )
        assert daemon.get("/status").status_code == 200
        answer = daemon.get("/no-such-page")
        assert answer.status_code == 404
        assert "Page not found" in answer.text


def test_open_connections_leave_files_to_the_rest_of_the_daemon(tmp_path: Path) -> None:
    feeds = {f"/feed{number}": Resource(rss()) for number in range(6)}
    with LoopbackServer(feeds) as server:
        settings = {
            "sources": [{"feed": server.url(path)} for path in feeds],
            "fetch": {"pages": "never"},
        }
        with DaemonProcess(tmp_path, settings, program=FEW_FILES) as daemon:
            daemon.wait_for(
                lambda: len(server.requests) > len(feeds), "all feeds to be asked"
            )
            with idle_connections(daemon, 200):
                asked = len(server.requests)
                daemon.wait_for(
                    lambda: len(server.requests) > asked + 2 * len(feeds),
                    "them to be asked on",
                )
            daemon.wait_for_status("/healthz", 200)
            assert {one["state"] for one in daemon.sources().values()} == {"ok"}
            assert len(daemon.log().splitlines()) < 50
            assert daemon.stop() == 0


# The writer opens a file, as for words that it needs for the first time, at the limit of open files.
FULL_ONCE_PLACED = """
import logging, os, resource
from aggregator.cli.application import main

made = logging.getLogRecordFactory()

def limited(*args, **kwargs):
    record = made(*args, **kwargs)
    if record.getMessage().startswith("placed 1 article") and not os.path.exists("full"):
        open("full", "w").close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (1, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        open(os.devnull)
    return record

logging.setLogRecordFactory(limited)
main()
"""


def test_the_writer_waits_for_free_files(tmp_path: Path) -> None:
    write(tmp_path, "Gazette", "Levee breaks at Pennmouth, four dead", FLOOD)
    settings = {"sources": [{"folder": "news"}], "work": WORKER}
    with DaemonProcess(tmp_path, settings, program=FULL_ONCE_PLACED) as daemon:
        before = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
        daemon.wait_for_line("placing is paused")
        assert "LimitNOFILE" in daemon.lines("placing is paused")[0]
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, before)
        daemon.wait_for_line("placing resumed")
        assert len(daemon.stories()) == 1
        assert "Traceback" not in daemon.log()
        assert daemon.stop() == 0


# A thread of the daemon's process that dies when it is told to, as any may.
DYING = """
import sys, threading, time
from pathlib import Path
from aggregator.cli.application import main

def wait_and_die():
    while not Path("die").exists():
        time.sleep(0.02)
    raise MemoryError

threading.Thread(target=wait_and_die, name="fetch-3", daemon=True).start()
main()
"""


def test_a_thread_that_dies_ends_the_daemon_with_words(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, {"sources": []}, program=DYING) as daemon:
        (tmp_path / "die").touch()
        assert daemon.wait_for_end() == 1
        last = daemon.log().splitlines()[-1]
        why = "thread fetch-3 ended (MemoryError)"
        assert last == f"aggregator: the daemon ends because {why}; nothing is lost"


# The log keeps no room from before, which would do for a while.
NO_ROOM = {"database": {"free_mib": 1, "wal_mib": 0}}


@contextlib.contextmanager
def small_disk(folder: Path, mib: int) -> Iterator[Path]:
    """A file system of its own; skips aloud where this user may not mount one."""
    folder.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(
            f"no small file system can be mounted here: {mounted.stderr.decode().strip()}"
        )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def fill(disk: Path) -> None:
    """Not a byte is left, nor comes back until the file is removed."""
    with (
        contextlib.suppress(OSError),
        (disk / "filler").open("ab", buffering=0) as file,
    ):
        while True:
            file.write(bytes(2**16))


def test_a_disk_that_fills_with_all_that_the_daemon_writes(tmp_path: Path) -> None:
    """Database, log and backups on one disk: reads go on, what was acknowledged is there, it is said once."""
    feed = Resource(rss(item("Ferry aground", FERRY)))
    with (
        small_disk(tmp_path / "disk", 24) as disk,
        LoopbackServer({"/feed": feed}) as server,
    ):
        settings = {
            "sources": [{"feed": server.url("/feed")}],
            "fetch": {"pages": "never"},
        }
        with DaemonProcess(disk, settings, tuning=NO_ROOM) as daemon:
            secret = daemon.token("wire", "push")
            daemon.wait_for_stories(1)
            records = invented(30)
            acknowledged = [
                push(daemon, secret, record).status_code for record in records[:5]
            ]
            asked = len(server.requests)
            daemon.wait_for(
                lambda: len(server.requests) > asked, "the feed to be asked on"
            )
            fill(disk)
            lines = len(daemon.log().splitlines())
            feed.body = rss(item("Ferry aground", FERRY), item("Strike", STRIKE))
            daemon.wait_for_status("/healthz", 503)
            asked = len(server.requests)
            acknowledged += [
                push(daemon, secret, record).status_code for record in records[5:]
            ]
            assert acknowledged[:5] == [202] * 5
            assert set(acknowledged[5:]) <= {202, 503}
            assert 503 in acknowledged
            for path in (
                "/",
                "/api/v1/stories",
                "/feeds/stories.rss",
                "/api/v1/search?query=ferry",
            ):
                assert daemon.get(path).status_code == 200, path
            assert daemon.command("search", "ferry").returncode == 0
            assert daemon.command("db", "backup").returncode == 5
            time.sleep(3.0)  # many intervals of the feed
            assert len(server.requests) <= asked + 1, (
                "an answer that cannot be stored is not asked for again"
            )
            assert len(daemon.log().splitlines()) <= lines + 20
            (disk / "filler").unlink()
            expected = 2 + acknowledged.count(202)  # two of the feed
            daemon.wait_for(
                lambda: articles_in(daemon) == expected, "all that was acknowledged"
            )
            daemon.wait_for_status("/healthz", 200)
            assert daemon.command("search", "roster").stdout, "the index follows"
            assert "Traceback" not in daemon.log()
            assert daemon.stop() == 0
            assert daemon.faults() == []


def articles_in(daemon: DaemonProcess) -> int:
    counted = daemon.command("db", "stats")
    assert counted.returncode == 0, counted.stderr
    return int(counted.stdout.split("articles")[1].split()[0])


def test_a_daemon_that_was_suspended_goes_on_without_alarm_or_burst(
    tmp_path: Path,
) -> None:
    """As a laptop that was closed: many intervals pass in which nobody asked."""
    feed = Resource(rss())
    with LoopbackServer({"/feed": feed}) as server:
        settings = {"sources": [{"feed": server.url("/feed")}]}
        impatient = {"watchdog": {"stalled_seconds": 5.0, "check_seconds": 0.3}}
        with DaemonProcess(tmp_path, settings, tuning=impatient) as daemon:
            daemon.wait_for(lambda: len(server.requests) > 2, "it to poll")
            stalled = daemon.lines("no progress")  # a busy machine is slow to start
            daemon.process.send_signal(signal.SIGSTOP)
            time.sleep(6.0)  # longer than is taken for a stall
            asked = len(server.requests)
            daemon.process.send_signal(signal.SIGCONT)
            began = time.monotonic()
            daemon.wait_for(lambda: len(server.requests) > asked, "it to poll again")
            time.sleep(1.0)
            # At most one poll in half a second is asked for (QUICK), and what was missed is not made up for.
            assert len(server.requests) - asked <= (time.monotonic() - began) / 0.5 + 2
            assert daemon.lines("no progress") == stalled
            assert daemon.stop() == 0
