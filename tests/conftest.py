"""What tests share: databases of both kinds, the data that others made, invented articles."""

import gc
import itertools
import logging
import os
import secrets
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from aggregator.config.logging import LIBRARY_LEVELS
from aggregator.store.engine.database import Database
from tests.support.certificate import certificate
from tests.support.fresh import emptied, shape, sqlite_file, with_tables
from tests.support.house_certificates import house
from tests.support.loopback import LoopbackServer
from tests.support.own_postgres import own_postgres, own_postgres_server
from tests.support.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from tests.support.articles import Rig
    from tests.support.world import World

# fixtures: pytest finds them here
__all__ = ["certificate", "house", "own_postgres", "own_postgres_server"]

REPOSITORY = Path(__file__).parent.parent
_NUMBERS = itertools.count()
# Databases that are dropped: as many connections as SQLAlchemy makes to a server
_AT_ONCE = 15

# Beside models and thousands of fixtures, looking for cycles as often as Python does is an eighth of it.
gc.set_threshold(100_000, 50, 1000)

# A machine that is busy with other things makes no property false. `make test-all` takes "random".
_ANY_MACHINE = hypothesis.settings(
    deadline=None,
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        # A database that the examples of one test share is what such tests want.
        hypothesis.HealthCheck.function_scoped_fixture,
    ],
    print_blob=True,
)
hypothesis.settings.register_profile("random", _ANY_MACHINE)
hypothesis.settings.register_profile("fixed", _ANY_MACHINE, derandomize=True)
hypothesis.settings.load_profile("fixed")

# The time limit of tests that are marked as slow or for later; of others: pyproject.toml
LONG_SECONDS = 900


_LEVELS = {name: logging.getLogger(name).level for name in ("", *LIBRARY_LEVELS)}
_HOOKS = sys.excepthook, threading.excepthook


@pytest.fixture(autouse=True)
def _log_of_commands() -> Iterator[None]:
    """Undo what a command that ran in this process did to logging: its standard error is closed by now."""
    root = logging.getLogger()
    root.handlers[:] = [
        one for one in root.handlers if type(one) is not logging.StreamHandler
    ]
    yield
    if any(type(one) is logging.StreamHandler for one in root.handlers):
        root.handlers[:] = [
            one for one in root.handlers if type(one) is not logging.StreamHandler
        ]
        for name, level in _LEVELS.items():
            logging.getLogger(name).setLevel(level)
        logging.captureWarnings(capture=False)
        sys.excepthook, threading.excepthook = _HOOKS


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Number bytes as pytest does objects: compressed ones hold the time, and workers must find the same."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the Postgres twins of tests that run on SQLite, too, and give what is slow or for later more time.

    A file tests one use case and begins with its main case: `make test` runs its first twin, and all twins of
    tests/integration/store, where SQL is written; `make test-later` the others.
    """
    begun = set[Path]()
    for item in items:
        parameters = getattr(item, "callspec", None)
        if parameters and parameters.params.get("database_url") == "postgres":
            if item.path in begun and "integration/store" not in item.path.as_posix():
                item.add_marker(pytest.mark.later)
            begun.add(item.path)
        is_long = item.get_closest_marker("later") or item.get_closest_marker("slow")
        if is_long and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG_SECONDS))


def postgres_server() -> str | None:
    """The address of a server that tests may make databases on; None where none answers."""
    address = os.environ.get(
        "AGGREGATOR_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432"
    )
    try:
        engine = create_engine(
            f"{address}/postgres",
            connect_args={"connect_timeout": int(PATIENCE_SECONDS)},
        )
        with engine.connect():
            pass
        engine.dispose()
    except (OperationalError, ImportError):
        return None
    return address


class Postgres:
    """Makes databases on a server and drops them again."""

    def __init__(self, server: str) -> None:
        self._server = server
        # Other runs may use the server, of other machines too, or have ended without dropping theirs.
        self._prefix = f"aggregator_test_{os.getpid()}_{secrets.token_hex(4)}"
        self._made: list[str] = []
        self._free: list[str] = []
        self._laid: list[str] = []  # with tables
        self._shapes: dict[str, str] = {}  # of those that were lent with tables
        self._admin = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")

    def make(self) -> str:
        """The address of a new, empty database."""
        name = f"{self._prefix}_{next(_NUMBERS)}"
        with self._admin.connect() as connection:
            connection.execute(
                text(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
            )
        self._made.append(name)
        return f"{self._server}/{name}"

    def lend(self, *, has_tables: bool = False) -> str:
        """The address of an empty database, or of one with empty tables; to be given back."""
        free = self._laid if has_tables else self._free
        address = free.pop() if free else self.make()
        if has_tables and address not in self._shapes:
            database = with_tables(Database(address))
            self._shapes[address] = shape(database)
            database.close()
        return address

    def take_back(self, address: str) -> None:
        """Empty a database for the next one: making and dropping each would take most of the tests' time."""
        name = address.rsplit("/", 1)[1]
        with self._admin.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
                ),
                {"name": name},
            )
        database = Database(address)
        if address in self._shapes and shape(database) == self._shapes[address]:
            emptied(database)
            self._laid.append(address)
        else:
            self._shapes.pop(address, None)
            with database.write() as connection:
                connection.execute(text("DROP SCHEMA public CASCADE"))
                connection.execute(text("CREATE SCHEMA public"))
            self._free.append(address)
        database.close()

    def drop(self) -> None:
        """Drop all that were made, at once: each waits for a checkpoint, and so they share it."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._drop, self._made))
        self._admin.dispose()

    def _drop(self, name: str) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server; skips aloud where none is."""
    server = postgres_server()
    if server is None:
        pytest.skip(
            "no Postgres on 127.0.0.1:5432; set AGGREGATOR_TEST_POSTGRES to test on one"
        )
    made = Postgres(server)
    yield made
    made.drop()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh database, once for each kind; with tables where `each_kind` is asked for."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    address = server.lend(has_tables="each_kind" in request.fixturenames)
    yield address
    server.take_back(address)


@pytest.fixture
def each_kind(database_url: str) -> Iterator[Database]:
    """A fresh database with tables, once for each kind."""
    opened = Database(database_url)
    with_tables(opened)
    yield opened
    opened.close()


@pytest.fixture
def database(each_kind: Database) -> Database:
    """The same, where a module does not say otherwise."""
    return each_kind


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def of_module(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """Likewise one for all tests of a module."""
    if request.param == "sqlite":
        address = f"sqlite:///{tmp_path_factory.mktemp('module') / 'test.db'}"
    else:
        address = request.getfixturevalue("postgres").make()
    with closing(with_tables(Database(address))) as opened:
        yield opened


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """A fresh SQLite database with tables, where the question is not how it is kept."""
    opened = with_tables(sqlite_file(tmp_path / "test.db"))
    yield opened
    opened.close()


@pytest.fixture
def shared(postgres: Postgres) -> Iterator[Database]:
    """A fresh database with tables on a server."""
    address = postgres.lend(has_tables=True)
    opened = Database(address)
    yield opened
    opened.close()
    postgres.take_back(address)


@pytest.fixture
def grouped(database: Database) -> Database:
    """The stories of a small labelled set, once for each kind of database."""
    from tests.support.story_checks import fill  # which needs this module

    fill(database)
    return database


@pytest.fixture
def rig(database: Database) -> "Rig":
    """An empty database with its pipeline."""
    from tests.support.articles import Rig

    return Rig(database)


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """A web server on loopback, without routes."""
    with LoopbackServer() as made:
        yield made


@pytest.fixture
def world() -> Iterator["World"]:
    """Sites and a time that a test sets."""
    from tests.support.world import World

    with World() as made:
        yield made


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with what others made (feeds, pages, labelled articles); skips where it is absent."""
    folder = Path(
        os.environ.get("AGGREGATOR_DATA", REPOSITORY.parent / "shared" / "data")
    )
    if not folder.is_absolute():
        folder = REPOSITORY / folder
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}; set AGGREGATOR_DATA")
    return folder
