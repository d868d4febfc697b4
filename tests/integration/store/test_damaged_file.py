"""Pages of an SQLite file that hold what was never written to them: named, and the rest is written out.

A bad sector, a broken controller or a program that writes into the file leave such pages.
"""

import os
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from typer.testing import CliRunner

from aggregator.admin.export import exported, import_into, salvaged
from aggregator.cli.app import make_app
from aggregator.config.tuning import effective_tuning
from aggregator.model.errors import DamagedFileError, ReadError
from aggregator.pipeline.placement.place import Placer
from aggregator.pipeline.placement.repair import pieces
from aggregator.store.engine.database import Database
from aggregator.store.maintenance.integrity_check import Fault, balance, faults
from aggregator.store.migrate import upgrade
from aggregator.store.search import index
from aggregator.store.stories.merged_texts import render_next
from aggregator.store.tables import article, metadata, story
from aggregator.stories.tuning import StoryTuning
from tests.support.articles import Clock
from tests.support.fresh import sqlite_at, with_tables
from tests.support.later_version import later_version
from tests.support.rows import counted, executed, queried, written_by
from tests.support.seeds import drawn
from tests.support.story_checks import fill, what_is_wrong


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("made") / "sound.db"
    database = with_all_rows(file)
    database.close()
    return file


def with_all_rows(file: Path) -> Database:
    database = with_tables(Database(f"sqlite:///{file}"))
    fill(database)
    assert written_by(database, index.index_next, 1000)
    while render_next(database, 50, effective_tuning().section("stories", StoryTuning)):
        pass
    return database


@pytest.fixture
def file(made: Path, tmp_path: Path) -> Path:
    return shutil.copy(made, tmp_path / "torn.db")


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    with sqlite_at(tmp_path / "new.db") as database:
        yield database


def tear(file: Path, name: str, filling: int = 0xFF) -> None:
    """Overwrite a leaf page in the middle of a table or an index."""
    with closing(sqlite3.connect(file)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        asked = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path"
        pages = [row[0] for row in connection.execute(asked, (name,))]
    assert len(pages) > 1, name
    with file.open("r+b") as written:
        written.seek((pages[len(pages) // 2] - 1) * size)
        written.write(bytes([filling]) * size)


def ignored(_count: int) -> None:
    pass


def damage_of(database: Database) -> list[Fault]:
    return [one for one in faults(database) if not one.is_note]


def brought_over(torn: Database, new: Database) -> Counter[str]:
    """What can be read of one database put into another; what could not, by table."""
    lost: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    import_into(new, b"".join(salvaged(torn, ignored, lost)).splitlines(keepends=True), ignored, skipped)
    assert all(skipped.values())
    return lost


def count(database: Database) -> int:
    return counted(database, article)


@pytest.mark.parametrize(
    ("torn", "filling", "named"),
    [
        ("ix_article_for_views", 0xFF, "an index of article has a damaged page"),
        ("ix_identity_key_article", 0x00, "an index of identity_key has a damaged page"),
        ("article_search_data", 0xFF, "the full-text index has a damaged page"),
        ("article_search_data", 0x00, "the full-text index has a damaged page"),
    ],
)
def test_what_only_finds_rows_loses_none(
    file: Path, empty: Database, torn: str, filling: int, named: str
) -> None:
    with closing(Database(f"sqlite:///{file}")) as sound:
        before = b"".join(exported(sound, ignored)).splitlines()
    tear(file, torn, filling)
    database = Database(f"sqlite:///{file}")
    found = damage_of(database)
    assert found[0].what == named
    assert not any(one.can_repair for one in found), "nothing is written into a damaged file"
    assert not brought_over(database, empty)
    after = b"".join(exported(empty, ignored)).splitlines()
    assert sorted(after[1:]) == sorted(before[1:])
    assert not what_is_wrong(empty)
    database.close()


@pytest.mark.parametrize("torn", ["article", "story", "observation", "story_log", "lsh_band"])
def test_a_table_is_named_and_its_other_rows_are_saved(file: Path, empty: Database, torn: str) -> None:
    with closing(Database(f"sqlite:///{file}")) as sound:
        all_of_them = count(sound)
    tear(file, torn)
    database = Database(f"sqlite:///{file}")
    found = damage_of(database)
    assert f"{torn} has a damaged page" in [one.what for one in found]
    assert "--salvage" in found[0].advice
    assert not any(one.can_repair for one in found)
    with pytest.raises(DamagedFileError, match="aggregator db check"):
        list(exported(database, ignored))
    lost = brought_over(database, empty)
    assert set(lost) == {torn}
    assert count(empty) == all_of_them - lost["article"]
    repair(empty)
    left = [one for one in damage_of(empty) if one.can_repair]
    assert not left, "what follows from the rows that are left is worked out again"
    database.close()


def repair(database: Database) -> None:
    placing = Placer(database, effective_tuning(), Clock())
    for _ in range(4):
        for preference in pieces(list(faults(database))):
            placing.repair(preference)
        while render_next(database, 50, effective_tuning().section("stories", StoryTuning)):
            pass


ROUNDS = int(os.environ.get("AGGREGATOR_DAMAGE_ROUNDS") or 24)


@pytest.mark.parametrize(
    "number", [0, 1, 2, *(pytest.param(n, marks=pytest.mark.torture) for n in range(3, ROUNDS))]
)
def test_whatever_a_sector_holds_the_rest_is_saved(file: Path, empty: Database, number: int) -> None:
    spoil(file, drawn("damage", number))
    database = Database(f"sqlite:///{file}")
    found = damage_of(database)
    if any("damaged page" in one.what for one in found):
        assert not any(one.can_repair for one in found)
    balance(database)
    brought_over(database, empty)
    repair(empty)
    assert not [one for one in damage_of(empty) if one.can_repair]
    database.close()


def spoil(file: Path, draw: random.Random) -> None:
    """A sector of zeros or noise, or some turned bits, in a page of a table or an index of ours."""
    with closing(sqlite3.connect(file)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        asked = "SELECT pageno FROM dbstat WHERE name NOT LIKE 'sqlite_%' AND name <> 'alembic_version'"
        page = draw.choice([row[0] for row in connection.execute(f"{asked} AND pageno > 1")])
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


def test_an_article_whose_story_is_lost_has_one_again(file: Path, empty: Database) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        lost = connection.execute("SELECT id FROM story WHERE article_count > 2").fetchone()[0]
        connection.execute("DELETE FROM story WHERE id = ?", (lost,))
        connection.commit()
    database = Database(f"sqlite:///{file}")
    rows = b"".join(exported(database, ignored)).splitlines(keepends=True)
    with pytest.raises(ReadError):
        import_into(empty, rows, ignored)
    brought_over(database, empty)
    repair(empty)
    chosen = select(story.c.article_count, func.length(story.c.centroid)).where(story.c.id == lost)
    row = queried(empty, chosen).one()
    assert row.article_count > 2
    assert row[1] > 0
    database.close()


def test_a_text_that_is_no_utf8_is_named_and_written_out(file: Path, empty: Database) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE article SET title = CAST(x'4c65ff766565' AS TEXT) WHERE inbox_no = 2")
        connection.commit()
    database = Database(f"sqlite:///{file}")
    named = [one for one in damage_of(database) if "a hash that does not match their text" in one.what]
    assert [one.keys for one in named] == [("2",)]
    with pytest.raises(DamagedFileError):
        list(exported(database, ignored))
    assert not brought_over(database, empty)
    title = queried(empty, select(article.c.title).where(article.c.inbox_no == 2)).scalar_one()
    assert title == "Le�vee"
    database.close()


def test_a_damaged_signature_is_named_and_stops_no_question(file: Path) -> None:
    with closing(Database(f"sqlite:///{file}")) as database:
        executed(database, update(article).where(article.c.inbox_no == 2).values(signature=b"\0\xff"))
        named = [one for one in damage_of(database) if one.what == "article.signature cannot be read"]
        assert [one.keys for one in named] == [("2",)]
        repair(database)
        assert balance(database) is not None


@pytest.mark.parametrize("torn", ["article", "observation", "outlet_line"])
def test_a_damaged_older_file_is_saved_without_an_upgrade(
    file: Path, empty: Database, tmp_path: Path, torn: str
) -> None:
    sound = Database(f"sqlite:///{shutil.copy(file, tmp_path / 'sound.db')}")
    with closing(sqlite3.connect(file)) as connection:  # a later version has brought a table and a column
        connection.execute("DROP TABLE stream_period")
        connection.execute("ALTER TABLE source DROP COLUMN site_url")
    tear(file, torn)
    before = file.read_bytes()
    options = (
        "--database",
        f"sqlite:///{file}",
        "export",
        "--salvage",
        "--output",
        str(tmp_path / "saved.jsonl"),
    )
    with later_version():
        done = CliRunner().invoke(make_app(), options)
        assert done.exit_code == 0, done.output
        assert file.read_bytes() == before
        with (tmp_path / "saved.jsonl").open("rb") as lines:
            import_into(empty, lines, ignored)
    assert f"at least: {torn} " in done.output
    with sound.read() as of_sound, empty.read() as saved:
        for name in ("article", "entry", "observation", "story_log", "story", "counter"):
            all_rows = set(map(tuple, of_sound.execute(select(metadata.tables[name]))))
            rows = set(map(tuple, saved.execute(select(metadata.tables[name]))))
            assert rows
            assert rows <= all_rows or name in ("story", "counter"), name
            assert name == torn or len(rows) == len(all_rows), name
    sound.close()


def test_an_upgrade_that_meets_damage_says_how_to_save_the_rest(file: Path, tmp_path: Path) -> None:
    tear(file, "article")
    database = Database(f"sqlite:///{file}")
    options = ("--database", database.url, "export", "--salvage", "--output", str(tmp_path / "saved.jsonl"))
    with later_version():
        with pytest.raises(DamagedFileError, match=r"cannot be upgraded .* aggregator export --salvage"):
            upgrade(database)
        done = CliRunner().invoke(make_app(), options)
    assert done.exit_code == 0, done.output
    assert "article" in done.output
    database.close()
