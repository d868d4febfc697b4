"""The real daemon as a process of its own, in a folder of its own, as a user would start it.

with DaemonProcess(tmp_path, {"sources": [{"feed": server.url("/feed")}]}) as daemon:
    daemon.wait_for(lambda: daemon.stories(), "a story")
    assert daemon.stop() == 0
"""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import yaml

from aggregator.config.loader import load
from aggregator.extract.wire.agencies import family_table
from aggregator.store.engine.database import Database
from tests.support import deep_checks, forked
from tests.support.loopback import Closing, http_client
from tests.support.waiting import PATIENCE_SECONDS

MAIN = "from aggregator.cli.application import main; main()"
PROGRAM = [sys.executable, "-c", MAIN]
_LISTENING = re.compile(r"listening on (http://\S+),")
_RELOADED = re.compile(r"\bconfig_reload(ed|_failed)\b")

Got = TypeVar("Got")

# As quick as it goes, so that all is due at every tick; no workers are started. Else as shipped.
QUICK: dict[str, Any] = {
    "database": "stories.db",
    "server": {"port": 0},
    "fetch": {"interval": "0s", "host_gap": "0s", "allow_private": ["127.0.0.0/8"]},
    "work": {"executor": "inline"},
}
_AT_ONCE = {"gathering_seconds": 0.0}
# Forked with all libraries it is large from the start
_NEVER_ANEW = {"renewed_from_bytes": 1 << 40}
_QUICK_NET = {
    "interval_floor_seconds": 0.5,
    "quiet_stretch": 1.0,
    "backoff_factor": 1.0,
    "jitter_share": 0.0,
}

# For `work`, where workers matter
WORKER: dict[str, Any] = {"executor": "processes", "workers": 1}
WORKERS = WORKER | {"workers": 2}


class DaemonProcess(Closing):
    """`aggregator run` on a config.yaml in `folder`, and other commands on the same settings.

    `settings` are laid over QUICK, part by part, `tuning` over its constants. A daemon that was stopped may
    be started again. It is forked from a process that has all libraries, unless it is to have a `program`
    (Python, as MAIN) or an environment of its own.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        *,
        tuning: Mapping[str, Any] | None = None,
        program: str = "",
        **environment: str,
    ) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | forked.Process | None = None
        quick = {"net": _QUICK_NET, "placing": _AT_ONCE, "watchdog": _NEVER_ANEW}
        self.tuning = _laid_over(quick, tuning or {})
        self._program = program or (MAIN if environment else "")
        self.address = ""
        self._log_file = folder / "daemon.log"
        self._log_start = 0
        # One client for all: each new one reads the system's certificates first.
        self._client = http_client(verify=False)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AGGREGATOR_")
        }
        self._environment = kept | environment
        self.configure(settings)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write config.yaml anew; a daemon reads it when it starts and at SIGHUP, never half of it.

        Folders without an interval are checked at every tick.
        """
        merged = _laid_over(QUICK, settings)
        if isinstance(merged.get("sources"), list):
            merged["sources"] = [
                {"interval": "0s"} | one
                if isinstance(one, dict) and "folder" in one
                else one
                for one in merged["sources"]
            ]
        written = self.folder / "config.yaml.new"
        written.write_text(yaml.safe_dump(merged, sort_keys=False), encoding="utf-8")
        written.replace(self.folder / "config.yaml")

    # --- the process --------------------------------------------------------------------------------------

    def launch(self) -> None:
        """Start the process, without waiting for anything. Its log begins anew for `log()`."""
        if self._client.is_closed:
            self._client = http_client(verify=False)
        self._log_start = (
            self._log_file.stat().st_size if self._log_file.exists() else 0
        )
        with self._log_file.open("ab") as log, Path(os.devnull).open("rb") as nothing:
            if self._program:
                self._process = subprocess.Popen(
                    [*self.program(), "run"],
                    cwd=self.folder,
                    env=self._environment,
                    stderr=log,
                    stdout=log,
                )
            else:
                streams = (nothing.fileno(), log.fileno(), log.fileno())
                self._process = forked.start(
                    ["run"], self.folder, self._environment, streams, tuning=self.tuning
                )

    def program(self) -> list[str]:
        """What starts the program with its constants as a process that is not forked."""
        tuned = (
            "from aggregator.config import tuning",
            f"for name, values in {self.tuning!r}.items():",
            "    tuning._SHIPPED.content[name].update(values)",
            self._program or MAIN,
        )
        return [sys.executable, "-c", "\n".join(tuned)]

    def start(self) -> None:
        """Start it and wait until it listens."""
        self.launch()
        self.wait_until_listening()

    def wait_until_listening(self) -> None:
        """After `launch`."""
        self.address = self.wait_for(
            lambda: _LISTENING.findall(self.log()), "the daemon to listen"
        )[-1]

    @property
    def process(self) -> subprocess.Popen[bytes] | forked.Process:
        """The one that was started last."""
        assert self._process is not None
        return self._process

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def wait_for_end(self) -> int:
        """The exit code of a process that ends by itself."""
        return self.process.wait(PATIENCE_SECONDS)

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self.is_running():
            self.process.kill()
            self.process.wait()

    def workers(self) -> list[int]:
        """Process ids of its children that are alive."""
        return [pid for pid in _processes() if _parent(pid) == self.process.pid]

    def __enter__(self) -> Self:
        self.start()
        return self

    def close(self) -> None:
        self.kill()
        self._client.close()

    # --- what it says -------------------------------------------------------------------------------------

    def log(self) -> str:
        """What this start of the daemon has logged so far."""
        if not self._log_file.exists():
            return ""
        return self._log_file.read_bytes()[self._log_start :].decode("utf-8", "replace")

    def lines(self, words: str) -> list[str]:
        """The lines of its log that hold `words`."""
        return [line for line in self.log().splitlines() if words in line]

    def wait_for(self, look: Callable[[], Got], what: str) -> Got:
        """Look again and again until `look()` is true, and return what it gave; fails with the log's end."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (got := look()):
            ended = self._process is not None and not self.is_running()
            if ended or time.monotonic() > deadline:
                state = (
                    f"ended with {self._process and self._process.returncode}"
                    if ended
                    else "lives"
                )
                raise AssertionError(
                    f"waited for {what}; the daemon {state}. Its log:\n{self.log()[-6000:]}"
                )
            time.sleep(0.05)
        return got

    def wait_for_line(self, words: str) -> list[str]:
        """Wait until lines of its log hold `words`, and return them."""
        return self.wait_for(lambda: self.lines(words), f"a line with {words!r}")

    def wait_for_stories(self, count: int) -> None:
        """Wait until it shows so many stories."""
        self.wait_for(lambda: len(self.stories()) == count, f"{count} stories")

    def wait_for_status(self, path: str, status: int) -> None:
        """Wait until it answers a path with this status."""
        self.wait_for(
            lambda: self.get(path).status_code == status, f"{status} from {path}"
        )

    def get(self, path: str) -> httpx.Response:
        """One GET from its web server."""
        return self._client.get(self.address + path)

    def read_json(self, path: str) -> Any:
        """The JSON of an answer of its web server."""
        return self.get(path).json()

    def feed_title(self, feed: str = "stories") -> str:
        """The title of one of its RSS feeds."""
        return self.get(f"/feeds/{feed}.rss").text.split("<title>")[1].split("<")[0]

    def stories(self) -> list[dict[str, Any]]:
        """All stories of the API, the last bumped first."""
        return self.read_json("/api/v1/stories?limit=200")["stories"]

    def waiting(self) -> int:
        """Articles accepted and not placed yet."""
        return int(self.read_json("/healthz")["waiting"])

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of its SQLite file."""
        with closing(
            sqlite3.connect(self.folder / "stories.db", timeout=30)
        ) as connection:
            return connection.execute(statement).fetchall()

    def reload(self) -> str:
        """Send SIGHUP and wait for its end: the line of the log that says what came of it."""
        before = len(self.reloads())
        self.process.send_signal(signal.SIGHUP)
        self.wait_for(lambda: len(self.reloads()) > before, "the end of a reload")
        self.wait_until_listening()
        return self.reloads()[-1]

    def reloads(self) -> list[str]:
        """The lines of its log that say what came of a reload."""
        return [line for line in self.log().splitlines() if _RELOADED.search(line)]

    def faults(self) -> list[str]:
        """What `db check` and the deep checks find in its database, while it runs or later."""
        config = load(self.folder / "config.yaml")
        with closing(Database(config.database_url)) as database:
            families = family_table(config.families)
            found = deep_checks.faults(
                database, config.effective_tuning, families=families
            )
        return [one.what for one in found if not one.is_note]

    # --- commands beside it -------------------------------------------------------------------------------

    def command(
        self, *arguments: str, given: str = "", seconds: float = 120.0
    ) -> subprocess.CompletedProcess[str]:
        """Run another command of the program on the same settings, to its end; after so long it is killed."""
        ended = forked.run(
            arguments,
            self.folder,
            self._environment,
            given.encode(),
            seconds=seconds,
            tuning=self.tuning,
        )
        return subprocess.CompletedProcess(
            arguments, ended.code, ended.out.decode(), ended.err.decode()
        )

    def token(self, name: str, scope: str) -> str:
        """Make a token by the command, and return its secret."""
        return self.command("token", "create", name, "--scope", scope).stdout.strip()

    def sources(self) -> dict[str, dict[str, Any]]:
        """`aggregator sources list --format jsonl`, by the sources' names."""
        listed = self.command("sources", "list", "--format", "jsonl")
        assert listed.returncode == 0, listed.stderr
        rows = [json.loads(line) for line in listed.stdout.splitlines()]
        return {row["name"]: row for row in rows}


def resident_mib(pid: int) -> float:
    """Resident memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found.group(1)) / 1024


def _processes() -> list[int]:
    return [
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()
    ]


def _parent(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None  # it ended meanwhile
    state, parent = stat.rpartition(")")[2].split()[:2]
    return None if state == "Z" else int(parent)


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = (
            _laid_over(old, value)
            if isinstance(old, dict) and isinstance(value, Mapping)
            else value
        )
    return merged
