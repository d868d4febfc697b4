"""A PostgreSQL server of the tests' own, to be stopped, killed and started again without harm to others.

    def test_it(own_postgres: OwnPostgres) -> None:
        address = own_postgres.make()          # a new, empty database
        own_postgres.stop("immediate")         # as if it had crashed
        own_postgres.start()

The data folder is made once a session (`initdb` takes three seconds). PostgreSQL refuses to run as root, so
there it runs as the user postgres or nobody.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from tests.support.loopback import free_port
from tests.support.waiting import PATIENCE_SECONDS, wait_until

# Small and quick. Without fsync only a machine that stops loses what was answered: a killed server does not.
_INITDB = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "fsync": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_size": "128MB",
    "autovacuum": "off",
    "log_min_messages": "warning",
    "checkpoint_timeout": "30min",
    "jit": "off",
    "deadlock_timeout": "100ms",
}
_NUMBERS = itertools.count()

Mode = Literal["smart", "fast", "immediate"]


class OwnPostgres:
    """One server in `folder`; it runs after `start`."""

    def __init__(self, folder: Path) -> None:
        """Raises FileNotFoundError, PermissionError or CalledProcessError where no server can be made."""
        self._bin = _programs()
        self._user = _user()
        self._folder = folder / "data"
        self._log = folder / "log"
        self._as_user(["mkdir", "-p", str(folder)])
        self._as_user(
            [f"{self._bin}/initdb", f"--pgdata={self._folder}", "--locale=C", *_INITDB]
        )
        # Asked for last: another process could take it meanwhile
        self.port = free_port()
        reached = {"port": str(self.port), "unix_socket_directories": f"'{folder}'"}
        lines = [f"{name} = {value}\n" for name, value in (SETTINGS | reached).items()]
        with (self._folder / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(lines)

    @property
    def data(self) -> Path:
        """Its data folder; to be read when the server is stopped."""
        return self._folder

    @property
    def server(self) -> str:
        """The address without a database, as `AGGREGATOR_TEST_POSTGRES` has it."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}"

    def make(self) -> str:
        """The address of a new, empty database."""
        name = f"own_{next(_NUMBERS)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        return f"{self.server}/{name}"

    def run(
        self, statement: str, database: str = "postgres"
    ) -> list[tuple[object, ...]]:
        """One statement as the administrator, and its rows."""
        engine = create_engine(
            f"{self.server}/{database}", isolation_level="AUTOCOMMIT"
        )
        try:
            with engine.connect() as connection:
                result = connection.execute(text(statement))
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            engine.dispose()

    def start(self) -> None:
        """Start it and wait until it answers; nothing where it runs."""
        if not self.is_running:
            self._pg_ctl(
                "start", "-l", str(self._log), "-w", "-t", str(int(PATIENCE_SECONDS))
            )
        # pg_ctl may answer before a recovery is over
        wait_until(self._answers, "the server to answer")

    def _answers(self) -> bool:
        with suppress(OperationalError):
            return bool(self.run("SELECT 1"))
        return False

    def stop(self, mode: Mode = "fast") -> None:
        """Stop it; "immediate" is a crash: nothing is written any more, and the next start recovers."""
        if self.is_running:
            self.resume()  # else it would not hear it
            self._pg_ctl("stop", "-m", mode, "-w", "-t", str(int(PATIENCE_SECONDS)))

    def restart(self, mode: Mode = "fast") -> None:
        """Stop and start it."""
        self.stop(mode)
        self.start()

    def suspend(self) -> None:
        """All its processes stop as they are: it takes what is sent and answers nothing, until `resume`."""
        for process in self._processes():
            os.kill(process, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        for process in self._processes():
            os.kill(process, signal.SIGCONT)

    def _processes(self) -> list[int]:
        first = int(
            (self._folder / "postmaster.pid").read_text(encoding="ascii").split()[0]
        )
        children = Path(f"/proc/{first}/task/{first}/children").read_text(
            encoding="ascii"
        )
        return [first, *map(int, children.split())]

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        asked = [
            *self._prefix(),
            f"{self._bin}/pg_ctl",
            "-D",
            str(self._folder),
            "status",
        ]
        return (
            subprocess.run(asked, capture_output=True, check=False, cwd="/").returncode
            == 0
        )

    def log(self) -> str:
        """What the server has logged."""
        return (
            self._log.read_text(encoding="utf-8", errors="replace")
            if self._log.exists()
            else ""
        )

    def _pg_ctl(self, *arguments: str) -> None:
        self._as_user(
            [f"{self._bin}/pg_ctl", "-D", str(self._folder), "-s", *arguments]
        )

    def _as_user(self, command: list[str]) -> None:
        # Into a file: the server inherits what is given here, and a pipe would stay open as long as it runs.
        with tempfile.TemporaryFile() as said:
            streams = {"stdin": subprocess.DEVNULL, "stdout": said, "stderr": said}
            ended = subprocess.run(
                [*self._prefix(), *command], check=False, cwd="/", **streams
            )
            if ended.returncode:
                said.seek(0)
                words = said.read().decode("utf-8", "replace")
                raise subprocess.CalledProcessError(
                    ended.returncode, command, output=words
                )

    def _prefix(self) -> list[str]:
        if self._user is None:
            return []
        who = f"{self._user.pw_uid}"
        return [
            "setpriv",
            f"--reuid={who}",
            f"--regid={self._user.pw_gid}",
            "--clear-groups",
            "--",
        ]


@pytest.fixture
def own_postgres(own_postgres_server: OwnPostgres) -> OwnPostgres:
    """The session's server, running whatever the test before left of it."""
    own_postgres_server.start()
    return own_postgres_server


@pytest.fixture(scope="session")
def own_postgres_server() -> Iterator[OwnPostgres]:
    """The server of this session, gone afterwards; skips aloud where no data folder can be made."""
    # Below /tmp itself: a folder of pytest's is closed to the user that the server must run as.
    folder = Path(tempfile.mkdtemp(prefix="own-postgres-"))
    server = None
    try:
        try:
            user = _user()
            if user is not None:
                os.chown(folder, user.pw_uid, user.pw_gid)
            server = OwnPostgres(folder)
        except (OSError, LookupError) as error:
            pytest.skip(f"no PostgreSQL of the test's own: {error}")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no PostgreSQL of the test's own: {error}: {error.output}")
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """The folder of initdb and pg_ctl, the newest where there are several."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version)
    folders += sorted(Path("/usr").glob("pgsql-*/bin"))
    for folder in reversed(folders):
        if all(
            os.access(folder / name, os.X_OK)
            for name in ("initdb", "pg_ctl", "postgres")
        ):
            return folder
    raise FileNotFoundError("initdb is not installed")


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.parent.name.split(".") if part.isdigit())


def _user() -> pwd.struct_passwd | None:
    """Whom the server runs as; None: as we do."""
    if os.geteuid() != 0:
        return None
    if shutil.which("setpriv") is None:
        raise FileNotFoundError(
            "setpriv is not installed, and PostgreSQL refuses to run as root"
        )
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise LookupError("no user but root, and PostgreSQL refuses to run as root")
