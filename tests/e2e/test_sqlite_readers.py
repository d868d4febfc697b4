"""SQLite at full ingest: readers and commands that write beside the daemon, and nobody meets a lock."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.support.daemon_process import WORKERS, DaemonProcess
from tests.support.kill_records import records
from tests.support.loopback import LoopbackServer
from tests.support.rss import item, rss

pytestmark = pytest.mark.later

ARTICLES = 4000
READERS = 2  # each reads all libraries first

# Reads as the pages do, again and again, until it is told to stop; says that it has begun, then how often it
# read, and ends at any error.
READER = """
import sys, threading
from aggregator.config.tuning import Tuning
from aggregator.config.story_query import StoryFilter
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader

shelf = StoryReader(Database(sys.argv[1]), Tuning())
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
rounds = 0
while not over.is_set():
    stories = shelf.stories(StoryFilter(limit=50)).stories
    for one in stories[:5]:
        shelf.story(one.id)
    shelf.search("the", 20)
    rounds += 1
    if rounds == 1:
        print("began", flush=True)
    over.wait(0.002)  # leaves the processors to the commands, too
print(rounds)
"""


FEED = rss(item("News"))


def write_beside(
    daemon: DaemonProcess, server: LoopbackServer, number: int
) -> list[str]:
    """What people type while it runs; what it said where it went wrong."""
    commands = [
        ["sources", "add", server.url(f"/{number}"), "--name", f"feed {number}"],
        ["sources", "pause", f"feed {number}"],
        ["token", "create", f"token {number}", "--scope", "push"],
    ]
    stories = daemon.stories()
    if len(stories) > 1:
        commands.append(["correct", "merge", stories[0]["id"], stories[1]["id"]])
        commands.append(["forget", stories[-1]["articles"][0]["id"], "--yes"])
    ended = [(one, daemon.command(*one)) for one in commands]
    return [
        f"{' '.join(one)}: {done.stderr}"
        for one, done in ended
        # The daemon was quicker
        if done.returncode and "one story already" not in done.stderr
    ]


def busy(folder: Path, seconds: float, count: int) -> None:
    """Ingest, read and write for so long."""
    whole = records(ARTICLES)
    with (
        LoopbackServer({"*": FEED}) as server,
        DaemonProcess(folder, {"work": WORKERS}) as daemon,
    ):
        url = f"sqlite:///{folder}/stories.db"
        readers = [
            subprocess.Popen(
                [sys.executable, "-c", READER, url],
                cwd=REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(count)
        ]
        try:
            wrong: list[str] = []
            for one in readers:  # new processes at once may take long
                assert one.stdout.readline() == "began\n", one.communicate()
            deadline, number = time.monotonic() + seconds, 0
            while time.monotonic() < deadline:
                part = whole[number * 200 % ARTICLES :][:200]
                again = [
                    one | {"id": f"{number} {one['id']}", "url": None} for one in part
                ]
                file = folder / f"{number}.jsonl"
                file.write_text(
                    "".join(json.dumps(one) + "\n" for one in again), encoding="utf-8"
                )
                ended = daemon.command("ingest", "--no-wait", str(file))
                wrong += (
                    [] if ended.returncode in (0, 3) else [f"ingest: {ended.stderr}"]
                )
                wrong += write_beside(daemon, server, number)
                number += 1
            said = [one.communicate("") for one in readers]
        finally:
            for one in readers:
                one.kill()
        assert [one.returncode for one in readers] == [0] * count, said
        assert all(int(out) > 1 for out, _ in said)
        print(
            f"{number} rounds of commands; rounds of readers: {[out.strip() for out, _ in said]}"
        )
        assert not wrong, wrong[:3]
        assert not [
            line
            for line in daemon.log().splitlines()
            if "locked" in line or "error" in line
        ]


def test_readers_and_commands_beside_a_full_ingest_meet_no_lock(tmp_path: Path) -> None:
    busy(tmp_path, 2.0, READERS)
