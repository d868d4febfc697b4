"""The daemon of one checkout in its own process, with its configuration, commands and database.

The benchmark reads only what users can read: the output of commands, the views of docs/sql.md, and the front page. It
writes only when each source is due, in order to control the order and the pace of polls.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import yaml
from sqlalchemy import Connection, DateTime, bindparam, create_engine, event, text

from benchmarks.day.feeds import Feed
from benchmarks.day.processes import usage_of

QUIET_SECONDS = 10.0  # a round is over after this time without work
QUIET_CPU = 0.04  # seconds of CPU per second; a daemon that uses less counts as idle
LONGEST_WAIT_SECONDS = 1800.0
_LOOK_SECONDS = 0.5


class Daemon:
    """A database, `aggregator run` on it, and other commands."""

    def __init__(self, checkout: Path, folder: Path, url: str, proxy_port: int) -> None:
        """`url` is an empty database; if it is "", SQLite in `folder` is used, which must be on a disk."""
        self.folder = folder
        self._url = url or f"sqlite:///{folder / 'stories.db'}"
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self._port = unused.getsockname()[1]
        settings = {
            "database": self._url,
            "server": {"port": self._port},
            "fetch": {"proxy": f"http://127.0.0.1:{proxy_port}", "pages": "never"},
            "backup": {"every": "never"},
            "sources": [],
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AGGREGATOR_")
        }
        self._environment = kept | {"PYTHONPATH": str(checkout)}
        self._process: subprocess.Popen[bytes] | None = None
        driver_url = self._url.replace("postgresql://", "postgresql+psycopg://", 1)
        self._engine = create_engine(driver_url)
        if self._engine.dialect.name == "sqlite":

            @event.listens_for(self._engine, "connect")
            def _leave_checkpoints(connection: Any, _record: Any) -> None:
                # Checkpoints are left to the daemon, because the bytes that it writes are counted.
                connection.execute("PRAGMA wal_autocheckpoint=0")
                connection.execute("PRAGMA busy_timeout=30000")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    # The process ------------------------------------------------------------------------------------------

    def command(self, *arguments: str) -> None:
        """Run a command and wait until it ends. Raises CalledProcessError."""
        subprocess.run(self._program(*arguments), cwd=self.folder, env=self._environment, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip

    def subscribe(self, feeds: Sequence[Feed]) -> None:
        """Create the database and import the feeds from an OPML file, as a user would."""
        outlines = "".join(
            f"<outline type='rss' text={quoteattr(feed.name)} xmlUrl={quoteattr(feed.address)}/>"
            for feed in feeds
        )
        opml = self.folder / "feeds.opml"
        opml.write_text(
            f"<opml version='2.0'><head/><body>{outlines}</body></opml>",
            encoding="utf-8",
        )
        self.command("db", "upgrade")
        self.command("sources", "import", str(opml))

    def start(self) -> None:
        """Start the daemon and wait until its web server answers."""
        with (self.folder / "daemon.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._program("run"),
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        self.wait_for(lambda: bool(self.page("/healthz")))

    def stop(self) -> None:
        """Stop the daemon as a service manager does."""
        self._engine.dispose()
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def page(self, path: str) -> str:
        """Return a page of the daemon; "" if it does not answer."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self._port}{path}", timeout=60
            ) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def wait_for(self, is_true: Callable[[], bool]) -> None:
        """Wait until `is_true()`. Raises TimeoutError, also if the daemon ended."""
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        while not is_true():
            has_ended = self._process is not None and self._process.poll() is not None
            if has_ended or time.monotonic() > deadline:
                log = (self.folder / "daemon.log").read_text(errors="replace")
                raise TimeoutError(
                    f"the daemon {'ended' if has_ended else 'goes on'}: {log[-3000:]}"
                )
            time.sleep(_LOOK_SECONDS)

    def wait_until_quiet(self, or_event: str = "") -> None:
        """Wait until no entry waits to be placed and the daemon was idle for QUIET_SECONDS.

        If `or_event` is given, the wait also ends when the log contains this event.
        """
        log = self.folder / "daemon.log"
        looks = [(time.monotonic(), usage_of(self.pid).cpu_seconds)]

        def is_quiet() -> bool:
            if or_event and f"event={or_event}" in log.read_text(errors="replace"):
                return True
            looks.append((time.monotonic(), usage_of(self.pid).cpu_seconds))
            while len(looks) > 2 and looks[1][0] <= looks[-1][0] - QUIET_SECONDS:
                del looks[0]
            seconds, cpu = looks[-1][0] - looks[0][0], looks[-1][1] - looks[0][1]
            return (
                seconds >= QUIET_SECONDS
                and cpu <= QUIET_CPU * seconds
                and not self.waiting()
            )

        self.wait_for(is_quiet)

    def _program(self, *arguments: str) -> list[str]:
        return [
            sys.executable,
            "-m",
            "aggregator",
            "--config",
            str(self.folder / "config.yaml"),
            *arguments,
        ]

    # Its database -----------------------------------------------------------------------------------------

    def rows(self, statement: str, **values: object) -> list[Any]:
        """Return the rows of a query."""
        with self._engine.connect() as connection:
            return list(connection.execute(text(statement), values))

    def set_due(self, due_at: Mapping[str, datetime]) -> None:
        """Set when the sources with these addresses are polled next."""
        statement = text(
            "UPDATE source SET next_due_at = :due WHERE address = :address"
        )
        typed = statement.bindparams(bindparam("due", type_=DateTime(timezone=True)))
        with self._engine.begin() as connection:
            rows = [
                {"address": a, "due": self._stored(connection, due)}
                for a, due in due_at.items()
            ]
            connection.execute(typed, rows)

    @staticmethod
    def _stored(connection: Connection, moment: datetime) -> datetime:
        return (
            moment.replace(tzinfo=None)
            if connection.dialect.name == "sqlite"
            else moment
        )

    def waiting(self) -> int:
        """Return how many accepted entries wait to be placed."""
        return int(self.rows("SELECT count(*) FROM v_waiting")[0][0])

    def written_by_server(self) -> int:
        """Return the bytes of write-ahead log that a PostgreSQL server wrote so far; 0 for SQLite."""
        if self._engine.dialect.name == "sqlite":
            return 0
        return int(self.rows("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")[0][0])

    def places_on_page_one(self) -> list[set[str]]:
        """Return the ids of the stories at each place of the front page, from top to bottom."""
        places = re.findall(r"<article .*?</article>", self.page("/"), re.DOTALL)
        return [set(re.findall(r"/stories/(\w+)\"", place)) for place in places]
