"""Databases of a server that this program cannot use: one line says what to type, and then all works."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.conftest import Postgres
from tests.support.programs import run_program
from tests.support.tables import each_row

pytestmark = pytest.mark.later


class Server:
    """A database and a role on a server, and what commands of the program say about them."""

    def __init__(self, address: str, folder: Path) -> None:
        self.name = str(make_url(address).database)
        self.role = f"role_{self.name}"
        self.folder = folder
        self._address = address
        (folder / "config.yaml").write_text("sources: []\nserver: {port: 0}\n")

    def type(self, *statements: str) -> None:
        """Execute statements in the database as its superuser."""
        engine = create_engine(self._address, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(
                    text(statement.format(role=self.role, name=self.name))
                )
        engine.dispose()

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run a command as the role; return its exit code and what it says."""
        address = make_url(self._address).set(
            username=self.role, drivername="postgresql"
        )
        command = [
            sys.executable,
            "-m",
            "aggregator",
            "--database",
            address.render_as_string(),
            *arguments,
        ]
        done = run_program(command, cwd=self.folder, env=dict(os.environ), timeout=100)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def server(postgres: Postgres, tmp_path: Path) -> Iterator[Server]:
    server = Server(postgres.make(), tmp_path)
    # As since PostgreSQL 15, on servers of any version.
    server.type(
        "CREATE ROLE {role} LOGIN",
        "GRANT ALL ON DATABASE {name} TO {role}",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    )
    yield server
    server.type(
        "ALTER DATABASE {name} OWNER TO CURRENT_USER",
        "DROP OWNED BY {role} CASCADE",
        "DROP ROLE {role}",
    )


@each_row("unfit_server", "a role that may not create tables gets one line", "command")
def test_a_role_that_may_not_create_tables_gets_one_line(
    server: Server, command: tuple[str, ...]
) -> None:
    code, said = server.run(*command)
    assert code == 5
    assert (
        f"role {server.role} may not create tables in the database {server.name}"
        in said
    )
    assert f"ALTER DATABASE {server.name} OWNER TO {server.role}" in said
    assert f"GRANT CREATE ON SCHEMA public TO {server.role}" in said
    assert len(said.splitlines()) <= 2


def test_doctor_knows_an_empty_database_and_who_may_use_it(server: Server) -> None:
    code, said = server.run("doctor")
    assert (code, "OWNER TO" in said, "older than this program" in said) == (
        1,
        True,
        False,
    )
    server.type("ALTER DATABASE {name} OWNER TO {role}")
    # Which an owner has since PostgreSQL 14
    server.type("GRANT CREATE ON SCHEMA public TO {role}")
    code, said = server.run("doctor")
    assert (code, "will be created at the first use" in said) == (0, True), said
    assert server.run("db", "upgrade")[0] == 0
    assert server.run("stories")[0] == 0


def test_a_schema_of_its_own_is_enough(server: Server) -> None:
    server.type(
        "CREATE SCHEMA app AUTHORIZATION {role}",
        "ALTER ROLE {role} SET search_path = app",
    )
    assert server.run("db", "upgrade")[0] == 0
    assert server.run("stories")[0] == 0


def test_a_role_that_may_not_use_the_tables_of_another_one(server: Server) -> None:
    server.type("GRANT CREATE ON SCHEMA public TO {role}")
    assert server.run("db", "upgrade")[0] == 0
    server.type(
        "REASSIGN OWNED BY {role} TO CURRENT_USER",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
    )
    code, said = server.run("ingest", "--samples")
    assert (code, "Traceback" in said) == (5, False)
    assert f"the role {server.role} may not use the tables" in said
    assert server.run("stories")[0] == 0


def test_a_database_that_cannot_store_all_texts_is_refused(server: Server) -> None:
    latin = f"{server.name}_latin"
    server.type(
        f"CREATE DATABASE {latin} OWNER {{role}} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
    )
    try:
        address = make_url(server._address).set(
            username=server.role, database=latin, drivername="postgresql"
        )
        code, said = server.run(
            "--database", address.render_as_string(), "db", "upgrade"
        )
        assert (
            code,
            "encoding LATIN1" in said,
            "createdb --encoding UTF8" in said,
        ) == (2, True, True), said
    finally:
        server.type(f"DROP DATABASE {latin} WITH (FORCE)")
