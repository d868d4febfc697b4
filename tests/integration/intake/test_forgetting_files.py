"""What forgetting leaves in the files of a Postgres server: nothing, once its operator has done his part."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from aggregator.store.engine.database import Database
from aggregator.store.migrate import upgrade
from tests.support.articles import Rig
from tests.support.forgetting import MARK, alone, forget, settle, the_article, words_in
from tests.support.own_postgres import OwnPostgres
from tests.support.story_checks import fill

pytestmark = pytest.mark.torture


def test_after_vacuum_full_and_a_new_log_no_file_of_the_server_holds_it(
    own_postgres: OwnPostgres,
) -> None:
    address = own_postgres.make()
    database = Database(address)
    upgrade(database)
    fill(database)
    rig = Rig(database)
    rig.take(alone("1"))
    settle(rig)
    own_postgres.run("VACUUM ANALYZE", address.rsplit("/", 1)[1])
    assert _holding(own_postgres) >= {"base", "pg_wal"}, "the test would see it"
    forget(rig, the_article(database))
    assert words_in(database) == []
    rig.database.close()
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("VACUUM (FULL, ANALYZE)"))
        # Which ANALYZE has just written
        connection.execute(text("VACUUM FULL pg_statistic"))
    engine.dispose()
    assert _holding(own_postgres) <= {"pg_wal"}


def _holding(server: OwnPostgres) -> set[str]:
    """The folders of the server's files in which the word stands; it is stopped for that."""
    server.stop()
    found = {
        file.relative_to(server.data).parts[0]
        for file in _files(server.data)
        if _has(file)
    }
    server.start()
    return found


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def _has(file: Path) -> bool:
    return MARK.encode() in file.read_bytes().lower()
