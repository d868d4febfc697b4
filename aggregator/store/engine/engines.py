"""An engine for either kind of database, each connection with the house's settings.

A server that hangs: it takes what is sent and never answers, which none of the driver's time-outs ends.

As where it was suspended, or its disk does not answer. Each wait for an answer looks at the clock. After some
seconds without a word it is asked over another connection whether it lets anybody in: a server that is only
slow does, or says why not. Only where nothing is heard there either is the first one given up.
"""

import os
import secrets
import socket
import sqlite3
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from aggregator.model.errors import AggregatorError
from aggregator.store.engine.open_file import OpenFile
from aggregator.store.engine.timeouts import DatabaseTuning, milliseconds

Answer = TypeVar("Answer")
Waiting = Generator[Any, Any, Answer]

SILENT_SECONDS = 5.0  # without a word; then it is asked whether it lives, which takes 10 at most (chosen)


class LivenessConnection(psycopg.Connection[Any]):
    """Raises OperationalError, and is closed, where the server does not live any more."""

    # For an answer of a server that lives, for who is in a hurry: one of its processes alone may hang.
    most_seconds: float | None = None
    _ping: Any = None

    @classmethod
    def opened(cls, **how: Any) -> "LivenessConnection":
        """Connect as `psycopg.connect` does."""
        connection = cls.connect(**how)
        connection._ping = partial(psycopg.connect, **how)
        return connection

    def wait(self, gen: Waiting[Answer], *args: Any, **kwargs: Any) -> Answer:
        """As the driver's own, which comes by each tenth of a second."""
        return super().wait(self._attended(gen), *args, **kwargs)

    def _attended(self, gen: Waiting[Answer]) -> Waiting[Answer]:
        began = heard = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                now = time.monotonic()
                if ready:
                    heard = now
                elif self.most_seconds is not None and now - began > self.most_seconds:
                    self._give_up("no answer came in time")
                elif now - heard > SILENT_SECONDS:
                    self._check_liveness()
                    heard = time.monotonic()
                wanted = gen.send(ready)
        except StopIteration as ended:
            return ended.value  # type: ignore[no-any-return]

    def _check_liveness(self) -> None:
        try:
            self._ping().close()
        except psycopg.errors.ConnectionTimeout:
            self._give_up("it takes what is sent and does not answer")
        except psycopg.OperationalError:
            pass  # an answer, too

    def _give_up(self, why: str) -> None:
        self.close()
        raise psycopg.OperationalError(why)


# A server that vanished without a word is noticed within 10 s, whether we wait for it or have something sent.
_CONNECTING = {
    "connect_timeout": 10,
    "client_encoding": "utf8",  # of a database in SQL_ASCII the driver would hand us bytes
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def session_name() -> str:
    """What this process is called among the sessions of a server, where others may have to end them.

    A server keeps 63 bytes of ASCII.
    """
    machine = "".join(sign for sign in socket.gethostname() if "!" <= sign <= "~")[:24]
    return f"aggregator {machine} {os.getpid()} {secrets.token_hex(4)}"


def sqlite_engine(url: str, tuning: DatabaseTuning, file: OpenFile) -> Engine:
    """Connections to `file` in write-ahead mode; BEGIN is IMMEDIATE where the option `immediate` says so."""
    engine = create_engine(
        url,
        connect_args={"timeout": tuning.lock_seconds, "check_same_thread": False},
        pool_size=8,
        max_overflow=32,
        pool_timeout=tuning.read_seconds,
        pool_use_lifo=True,  # the same few again and again: each keeps pages of the file in memory
    )

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, _args: Any, how: dict[str, Any]) -> sqlite3.Connection:
        return file.connect(_configure, **how)

    def _configure(connection: sqlite3.Connection) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves: pysqlite's own begins too late
        connection.create_function("casefold", 1, _casefold, deterministic=True)
        # Of a new file only (old ones get it by `db prune --vacuum`): asked of any other, SQLite takes the
        # lock of the writer for it, and each new reader would wait for whoever writes.
        if connection.execute("PRAGMA page_count").fetchone()[0] == 0:
            _lay_out(connection)
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",  # a power cut may undo the last commits, never corrupt
            "foreign_keys=ON",
            f"cache_size=-{_CACHE_KIB}",
            "temp_store=MEMORY",
            f"journal_size_limit={tuning.log_mib * 2**20}",  # what a long reader made of it is given back
            "secure_delete=ON",  # what is deleted is overwritten: `forget` promises that
            "schema_version",  # reads the file, which makes its log where there is none yet
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


# Of pages for each connection, which fills it sooner or later; a daemon has four or more. Beside 300,000
# articles placing one takes 38 times its shingles with 32 MiB and 39 with 2 (`python -m benchmarks.placing`).
_CACHE_KIB = 4096

# Measured: beside rows of 1 to 6 KB less room is left unused than on pages of 4,096, and placing takes as
# long (ADR 34).
_PAGE_BYTES = 2048


def _lay_out(connection: sqlite3.Connection) -> None:
    """How a file that is about to be written from its beginning is laid out."""
    connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")


@contextmanager
def laid_out_anew(connection: sqlite3.Connection) -> Iterator[None]:
    """VACUUM in the block lays the file out as a new one; its pages change only where nobody reads it."""
    with suppress(sqlite3.OperationalError):  # SQLite changes that without its log alone
        connection.execute("PRAGMA journal_mode=DELETE")
    _lay_out(connection)
    try:
        yield
    finally:
        connection.execute("PRAGMA journal_mode=WAL")


def _casefold(value: str | None) -> str | None:
    return None if value is None else value.casefold()


def postgres_engine(url: str, tuning: DatabaseTuning, session_name: str) -> Engine:
    """Connections that give a silent server up. Raises AggregatorError where the driver is missing."""
    try:
        pass  # JOINED  # the driver is an extra

        engine = create_engine(
            url,
            pool_size=8,
            max_overflow=32,
            pool_pre_ping=True,
            pool_timeout=tuning.read_seconds,
            connect_args={"application_name": session_name, **_CONNECTING},
        )
    except (ImportError, SQLAlchemyError) as error:
        raise AggregatorError(
            f"Postgres needs the driver psycopg ({error}); type: pip install 'psycopg[binary]>=3.2,<4'"
        ) from error

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, _args: Any, how: dict[str, Any]) -> LivenessConnection:
        return LivenessConnection.opened(**how)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.autocommit = True
        connection.execute(f"SET lock_timeout = {milliseconds(tuning.lock_seconds)}")
        connection.autocommit = False

    return engine
