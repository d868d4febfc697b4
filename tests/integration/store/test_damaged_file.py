"""Pages of an SQLite file that hold what was never written to them: named, and nothing is written.

A bad sector, a broken controller or a program that writes into the file leave such pages.
"""

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import pytest
import zstandard
from click.testing import Result
from sqlalchemy import select, text, update
from typer.testing import CliRunner

from aggregator.admin.backup import back_up
from aggregator.admin.export_file import export_lines
from aggregator.cli.application import make_app
from aggregator.config.tuning import Tuning
from aggregator.intake.recluster.rebuild import rebuild
from aggregator.model.errors import DamagedFileError
from aggregator.store.engine.database import Database
from aggregator.store.maintenance.integrity_check import balance, faults
from aggregator.store.maintenance.row_stream import Advance
from aggregator.store.migrate import upgrade
from aggregator.store.search import index
from aggregator.store.tables import article, story
from tests.support.articles import render_all
from tests.support.deep_checks import faults as deep_faults
from tests.support.fresh import opened_at, sqlite_at, sqlite_file
from tests.support.later_version import later_version
from tests.support.rows import executed, queried, written_by
from tests.support.seeds import drawn
from tests.support.story_checks import fill
from tests.support.tables import each_row


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("made") / "sound.db"
    with sqlite_at(file) as database:
        fill(database)
        assert written_by(database, index.index_next, 1000)
        render_all(database)
    return file


@pytest.fixture
def file(made: Path, tmp_path: Path) -> Path:
    return shutil.copy(made, tmp_path / "torn.db")


def tear(file: Path, name: str, filling: int = 0xFF) -> None:
    """Overwrite a leaf page in the middle of a table or an index."""
    with closing(sqlite3.connect(file)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        asked = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path"
        pages = [row[0] for row in connection.execute(asked, (name,))]
    with file.open("r+b") as written:
        written.seek((pages[len(pages) // 2] - 1) * size)
        written.write(bytes([filling]) * size)


def ignored(_count: int) -> None:
    pass


@contextmanager
def quietly(_unit: str, _total: int | None) -> Iterator[Advance]:
    yield ignored


def typed(database: Database, *arguments: str) -> Result:
    return CliRunner().invoke(make_app(), ["--database", database.url, *arguments])


@pytest.mark.later
@each_row(
    "damaged_file", "a damaged page is named and nothing is written", "torn", "filling"
)
def test_a_damaged_page_is_named_and_nothing_is_written(
    file: Path, torn: str, filling: int
) -> None:
    with closing(
        without_rows(file, "INSERT INTO sketch (article, hashes) VALUES (99999, x'')")
    ) as database:
        tear(file, torn, filling)
        before = file.read_bytes()
        damage = [one for one in faults(database) if one.is_damage]
        assert len({one.what for one in damage}) == len(damage)
        assert "the file is damaged" in damage[0].what
        assert re.search(r"db restore .* sqlite3 FILE \.recover", damage[0].advice)
        for command in (["db", "check"], ["db", "check", "--repair"]):
            done = typed(database, *command)
            assert isinstance(done.exception, SystemExit | DamagedFileError), (
                done.exception
            )
            said = f"{done.output}{done.exception}"
            assert damage[0].advice in said
            assert not re.search(
                f"(type:|→) aggregator {' '.join(command)}$|computed",
                said,
                re.MULTILINE,
            )
    assert file.read_bytes() == before


def test_text_that_is_not_utf8_is_damage_though_sqlite_finds_none(file: Path) -> None:
    with opened_at(file) as database:
        assert [one for one in faults(database) if one.is_damage] == []
        executed(
            database,
            text(
                "UPDATE article SET root_article = CAST(x'7AFF' AS TEXT) WHERE inbox_no = 1"
            ),
        )
        (damage,) = [one for one in faults(database) if one.is_damage]
    assert "Could not decode to UTF-8 column 'root_article'" in damage.what


# What SQLite's own check passes over: pages that are sound, with other bytes in their values.
@each_row(
    "damaged_file",
    "other bytes in a sound page are named",
    "statement",
    "named",
    "is_damage",
)
def test_other_bytes_in_a_sound_page_are_named(
    file: Path, statement: str, named: str, is_damage: bool
) -> None:
    with closing(without_rows(file)) as database:
        assert list(faults(database)) == []
    with closing(without_rows(file, statement)) as database:
        (found,) = faults(database)
    assert named in found.what
    assert found.is_damage is is_damage


def test_a_file_that_is_read_only_is_checked(file: Path) -> None:
    address = f"sqlite:///file:{file}?mode=ro&uri=true"
    with closing(Database(address)) as database:
        assert list(faults(database)) == []
    with closing(
        without_rows(
            file,
            "UPDATE sketch SET hashes = zeroblob(length(hashes)) WHERE article = 1",
        )
    ):
        pass
    with closing(Database(address)) as database:
        assert [one.what for one in faults(database)] == [
            "rows of sketch hold damaged values"
        ]


def test_a_table_with_a_damaged_page_is_not_exported(file: Path) -> None:
    tear(file, "article")
    with (
        opened_at(file) as database,
        pytest.raises(DamagedFileError, match="aggregator db check"),
    ):
        list(export_lines(database, ignored))


ROUNDS = int(os.environ.get("AGGREGATOR_DAMAGE_ROUNDS") or 24)


@pytest.mark.parametrize(
    "number",
    [0, 1, 2, *(pytest.param(n, marks=pytest.mark.torture) for n in range(3, ROUNDS))],
)
def test_whatever_a_sector_holds_the_check_ends(file: Path, number: int) -> None:
    spoil(file, drawn("damage", number))
    before = file.read_bytes()
    with opened_at(file) as database:
        found = list(faults(database))
        balance(database)
        done = typed(database, "db", "check", "--repair")
        is_refused = isinstance(done.exception, SystemExit)
        assert is_refused or done.exception is None, done.exception
        is_left_alone = is_refused and file.read_bytes() == before
        assert is_left_alone or not any(one.is_damage for one in found)


def spoil(file: Path, draw: Random) -> None:
    """A sector of zeros or noise, or some turned bits, in a page of a table or an index of ours."""
    with closing(sqlite3.connect(file)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        asked = "SELECT pageno FROM dbstat WHERE name NOT LIKE 'sqlite_%' AND name <> 'alembic_version'"
        page = draw.choice(
            [row[0] for row in connection.execute(f"{asked} AND pageno > 1")]
        )
    way = draw.choice(("zeros", "noise", "bits"))
    at = (page - 1) * size + draw.randrange(size // 512) * 512
    with file.open("r+b") as written:
        written.seek(at)
        held = bytearray(written.read(512))
        if way == "zeros":
            held = bytearray(512)
        elif way == "noise":
            held = bytearray(draw.randbytes(512))
        else:
            for place in draw.choices(range(512), k=draw.randint(1, 8)):
                held[place] ^= 1 << draw.randrange(8)
        written.seek(at)
        written.write(held)


def without_rows(file: Path, *statements: str) -> Database:
    """The database after `.recover` has lost rows."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return sqlite_file(file)


def test_an_article_whose_story_is_lost_has_one_again(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        lost = connection.execute(
            "SELECT id FROM story WHERE article_count > 2"
        ).fetchone()[0]
    with closing(
        without_rows(file, f"DELETE FROM story WHERE id = '{lost}'")
    ) as database:
        [found] = faults(database)
        assert "rows of article refer to rows of story that do not exist" in found.what
        rebuild(database, Tuning())
        assert not list(faults(database))
        chosen = select(story.c.article_count).where(story.c.id == lost)
        assert queried(database, chosen).scalar_one() > 2


@pytest.mark.later
def test_what_follows_from_the_rows_that_are_left_is_computed(file: Path) -> None:
    """As `db check --repair` after `.recover`: entries without an article stay lost, all else fits."""
    statements = (
        "DELETE FROM article WHERE inbox_no % 9 = 1",
        "DELETE FROM story WHERE story_no % 7 = 3",
        "DELETE FROM sketch WHERE article % 5 = 2",
        "DELETE FROM counter WHERE name = 'searchable'",
        "UPDATE counter SET value = 1 WHERE name IN ('story', 'change')",
    )
    with closing(without_rows(file, *statements)) as database:
        rebuild(database, Tuning())
        assert [one.what for one in faults(database)] == [
            "placed entries have no article"
        ]
        found = [one.what for one in deep_faults(database)]
        derived = "count", "sampled", "index", "what stories show", "counter", "rows of"
        assert not [what for what in found if any(word in what for word in derived)]


def test_a_text_that_is_no_utf8_is_not_exported(file: Path) -> None:
    changed = (
        "UPDATE article SET title = CAST(x'4c65ff766565' AS TEXT) WHERE inbox_no = 2"
    )
    with (
        closing(without_rows(file, changed)) as database,
        pytest.raises(DamagedFileError),
    ):
        list(export_lines(database, ignored))


@pytest.mark.later
def test_a_damaged_signature_stops_no_rebuild(file: Path) -> None:
    with opened_at(file) as database:
        executed(
            database,
            update(article).where(article.c.inbox_no == 2).values(signature=b"\0\xff"),
        )
        named = [
            one
            for one in deep_faults(database)
            if one.what == "article.signature cannot be read"
        ]
        assert [one.keys for one in named] == [("2",)]
        rebuild(database, Tuning())
        assert balance(database) is not None


def test_an_upgrade_that_meets_damage_says_how_to_recover_the_rest(file: Path) -> None:
    tear(file, "article")
    with (
        opened_at(file) as database,
        later_version(),
        pytest.raises(
            DamagedFileError,
            match=r"cannot be upgraded .* restore a backup, .* \.recover",
        ),
    ):
        upgrade(database)


@pytest.mark.later
@pytest.mark.parametrize("at", ["header", "page"])
def test_a_restore_moves_a_damaged_file_aside(file: Path, at: str) -> None:
    with opened_at(file) as sound:
        back_up(sound, kept := file.with_name("kept.db.zst"), quietly)
        before = list(export_lines(sound, ignored))
    if at == "page":
        tear(file, "article")
    else:
        file.write_bytes(b"\xff" * 4096 + file.read_bytes()[4096:])
    damaged = file.read_bytes()
    log = file.with_name(f"{file.name}-shm")
    with opened_at(file) as database:
        refused = typed(database, "db", "restore", str(kept))
        assert refused.exit_code or refused.exception
        assert "aggregator db restore" not in f"{refused.output}{refused.exception}", (
            "it was just typed"
        )
        assert file.read_bytes() == damaged
        done = typed(database, "db", "restore", str(kept), "--replace")
        assert done.exit_code == 0, done.output
    (folder,) = file.parent.glob("damaged-*Z")
    assert f"moved the damaged database to {folder}" in done.output
    assert (folder / file.name).read_bytes() == damaged
    assert (folder / f"{file.name}.lock").exists()
    assert not log.exists()
    with opened_at(file) as database:
        assert list(export_lines(database, ignored))[1:] == before[1:]
        assert list(faults(database)) == []
        assert typed(database, "db", "restore", str(kept), "--replace").exit_code == 0
    assert [one.name for one in file.parent.glob("damaged-*")] == [folder.name], (
        "the file was sound"
    )


def test_a_restore_refuses_a_damaged_backup_without_sending_to_the_database(
    file: Path,
) -> None:
    torn = Path(shutil.copy(file, file.with_name("copied.db")))
    tear(torn, "article")
    kept = file.with_name("kept.db.zst")
    kept.write_bytes(zstandard.compress(torn.read_bytes()))
    with opened_at(file) as database:
        done = typed(database, "db", "restore", str(kept), "--replace")
    assert re.search(
        r"kept\.db\.zst is damaged \(.*\); use another backup",
        f"{done.output}{done.exception}",
    )
