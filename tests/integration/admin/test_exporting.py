"""Export and import: the same bytes from either kind of database, all or nothing, and a daemon can go on."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from aggregator.admin.export_file import create_file, export_lines
from aggregator.admin.import_rows import import_into, open_lines
from aggregator.grouping.placing.placement_result import PlacementResult
from aggregator.model.errors import (
    AggregatorError,
    AnotherDaemonError,
    ReadError,
    UsageError,
)
from aggregator.store import api_tokens
from aggregator.store.engine.database import Database
from aggregator.store.engine.process_lock import open_process_lock
from aggregator.store.maintenance import row_stream
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories import storyline_rows
from aggregator.store.tables import known_items, metadata, story
from tests.conftest import Postgres
from tests.support.articles import FLOOD, NOON, Rig, record
from tests.support.fresh import sqlite_at, sqlite_file, with_tables
from tests.support.rich import LATER, later_entries, rich, rig_at
from tests.support.rows import executed, written_by
from tests.support.story_checks import undo, what_is_wrong


def _ignore(_count: int) -> None:
    pass


def _export(database: Database) -> list[bytes]:
    return b"".join(export_lines(database, _ignore)).splitlines(keepends=True)


def _without_checksums(lines: list[bytes]) -> list[bytes]:
    """Return the lines of an export as older versions wrote them."""
    return [line for line in lines if not line.startswith(b'{"crc32"')]


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Database]:
    """With rows in every table: stories, copies, a live blog, corrections, what waits, a reader's marks."""
    with closing(rich(sqlite_file(tmp_path / "filled.db"))) as database:
        yield database


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    with sqlite_at(tmp_path / "empty.db") as database:
        yield database


@pytest.mark.later
def test_from_one_kind_to_the_other_and_back_not_a_byte_changes(
    filled: Database, empty: Database, postgres: Postgres
) -> None:
    first = _export(filled)
    address = postgres.lend()
    server = with_tables(Database(address))
    assert import_into(server, first, _ignore) == json.loads(first[-1])["rows"] > 700
    second = _export(server)
    assert second == first
    import_into(empty, second, _ignore)
    assert _export(empty) == first
    for copied in (server, empty):
        assert what_is_wrong(copied) == []
        found = StoryReader(copied).search("levee OR strike OR goat", 10)
        assert found.hits, "the full-text index was made anew"
    server.close()
    postgres.take_back(address)


@pytest.mark.later
def test_a_daemon_goes_on_where_the_export_ended(
    filled: Database, database: Database
) -> None:
    """What waited is placed, running numbers go on, the correction binds and can be undone."""
    import_into(database, _export(filled), _ignore)
    rigs = [Rig(one) for one in (filled, database)]
    placed = [rig.place() for rig in rigs]
    assert [one.story for one in placed[0]] == [one.story for one in placed[1]] != []
    taken = [rig.take(record("New", "n", "Ferry late", FLOOD[::-1])) for rig in rigs]
    assert taken[0] == taken[1]
    undone = [undo(one) for one in (filled, database)]
    assert undone[0] == undone[1]
    assert what_is_wrong(database) == []


def test_an_export_is_one_state_though_a_daemon_works_meanwhile(
    filled: Database,
) -> None:
    before, taken = _export(filled), list[PlacementResult]()

    def work(_count: int) -> None:
        if not taken:
            taken.extend(rig_at(filled).take(*later_entries()))

    during = b"".join(export_lines(filled, work)).splitlines(keepends=True)
    assert taken
    assert during == before != _export(filled)


def test_a_token_arrives_by_name_and_opens_nothing_until_it_is_created_again(
    filled: Database, database: Database
) -> None:
    _, secret = written_by(filled, api_tokens.create, "newsroom", ("push",), NOON)
    written_by(database, api_tokens.create, "made before", ("admin",), NOON)
    assert import_into(database, _export(filled), _ignore)
    with filled.write() as kept, database.write() as arrived:
        assert api_tokens.holder(kept, secret) is not None
        assert api_tokens.holder(arrived, secret) is None
        listed = {token.name: token for token in api_tokens.all_tokens(arrived)}
        assert listed["newsroom"].scopes == ("push",)
        assert listed["newsroom"].revoked_at == NOON
        assert listed["made before"].revoked_at is None
        _, again = api_tokens.create(arrived, "newsroom", ("push",), LATER)
        assert api_tokens.holder(arrived, again) is not None


def test_every_table_is_in_an_export_or_left_out_by_name() -> None:
    assert {table.name for table in row_stream.tables()} | row_stream.LEFT_OUT == set(
        metadata.tables
    )
    assert not {table.name for table in row_stream.tables()} & row_stream.LEFT_OUT


def _one_more(last: bytes) -> bytes:
    return json.dumps({"rows": json.loads(last)["rows"] + 1}).encode() + b"\n"


BROKEN: list[tuple[str, Callable[[list[bytes]], list[bytes]], str]] = [
    ("cut off", lambda lines: lines[:-1], "truncated"),
    ("a line less", lambda lines: [*lines[:5], *lines[6:]], "damaged or missing"),
    (
        "a line less without checksums",
        lambda lines: _without_checksums([*lines[:5], *lines[6:]]),
        "declares",
    ),
    (
        "other words",
        lambda lines: [line.replace(b'"title":"', b'"title":"~') for line in lines],
        "one of the lines",
    ),
    (
        "the revision",
        lambda lines: [lines[0].replace(b'"00', b'"000'), *lines[1:]],
        "one of the lines 1 to",
    ),
    ("a torn line", lambda lines: [*lines[:7], lines[7][:20], *lines[8:]], "line 8"),
    ("another file", lambda _: [b'{"title": "an article"}\n'], "not an export"),
    ("nothing", lambda _: [], "not an export"),
    ("more at the end", lambda lines: [*lines, lines[3]], "more lines after"),
    (
        "another table",
        lambda lines: [lines[0], b'{"table": "users", "row": {}}\n', *lines[1:]],
        "damaged or missing",
    ),
    (
        "a row twice",
        lambda lines: [*lines[:-1], lines[-3], _one_more(lines[-1])],
        "duplicate",
    ),
    (
        "a wrong column",
        lambda lines: [
            *lines[:-1],
            b'{"table": "counter", "row": {"name": "x", "value": "y"}}\n',
            lines[-1],
        ],
        "Expected `int`",
    ),
]


@pytest.mark.later
@pytest.mark.parametrize(
    ("how", "words"), [one[1:] for one in BROKEN], ids=[one[0] for one in BROKEN]
)
def test_a_broken_export_is_said_and_leaves_nothing(
    filled: Database,
    empty: Database,
    how: Callable[[list[bytes]], list[bytes]],
    words: str,
) -> None:
    before = _export(empty)
    with pytest.raises(AggregatorError, match=words):
        import_into(empty, how(_export(filled)), _ignore)
    assert _export(empty) == before


def test_an_export_of_another_version_is_imported_if_its_rows_fit(
    filled: Database, empty: Database, caplog: pytest.LogCaptureFixture
) -> None:
    executed(filled, delete(known_items))  # feeds of an older export are read whole
    written_by(filled, storyline_rows.compare_all)  # and its stories are compared
    """Its stories are rendered again, and rows of a former table are skipped with a word."""
    executed(filled, update(story).values(text=None, rendered=None))
    head, *rest = _without_checksums(_export(filled))
    newer, older = (
        json.dumps(json.loads(head) | {"revision": revision}).encode() + b"\n"
        for revision in ("9999", "0046")
    )
    with pytest.raises(UsageError, match="revision 9999"):
        import_into(empty, [newer, *rest], _ignore)
    before_a_column = [line.replace(b',"outlet_count":1', b"") for line in rest]
    with pytest.raises(ReadError, match=r"a row of story does not fit: .*outlet_count"):
        import_into(empty, [older, *before_a_column], _ignore)
    *rows, end = rest
    count = json.loads(end)["rows"]
    with_more = [
        older,
        *(
            line.replace(
                b'"unknown_outlet_count":', b'"gone":1,"unknown_outlet_count":'
            )
            for line in rows
        ),
        b'{"table":"gone","row":{"a":1}}\n',
        json.dumps({"rows": count + 1}).encode() + b"\n",
    ]
    import_into(empty, with_more, _ignore)
    assert _export(empty) == _export(filled)
    assert "skipped 1 row of the table gone" in caplog.text


def test_only_an_empty_database_that_nobody_writes_takes_one(
    filled: Database, empty: Database
) -> None:
    lines = _export(filled)
    with pytest.raises(UsageError, match="not empty"):
        import_into(filled, lines, _ignore)
    assert _export(filled) == lines
    lock = open_process_lock(empty)
    assert lock.acquire()
    with pytest.raises(AnotherDaemonError):
        import_into(empty, lines, _ignore)
    lock.release()
    assert import_into(empty, lines, _ignore)


@pytest.mark.parametrize("name", ["all.jsonl", "all.jsonl.gz", "all.jsonl.zst"])
def test_files_are_packed_as_they_are_called_and_always_alike(
    filled: Database, tmp_path: Path, name: str
) -> None:
    files = [tmp_path / "a" / name, tmp_path / "b" / name]
    for file in files:
        file.parent.mkdir()
        with create_file(file) as target:
            for line in export_lines(filled, _ignore):
                target.write(line)
    assert files[0].read_bytes() == files[1].read_bytes()
    with open_lines(str(files[0])) as lines:
        assert list(lines) == _export(filled)
    assert (files[0].read_bytes() == b"".join(_export(filled))) == (name == "all.jsonl")


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl.gz"
    file.write_bytes(b"the last one")

    def half() -> None:
        with create_file(file) as target:
            target.write(b"half")
            raise ReadError("then it failed")

    with pytest.raises(ReadError):
        half()
    assert file.read_bytes() == b"the last one"
    assert [one.name for one in tmp_path.iterdir()] == [file.name]
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b"{" * 99)[:-9])
    for broken in ("cut.jsonl.gz", "nowhere.jsonl"):
        with (
            pytest.raises(UsageError, match="cannot be read"),
            open_lines(str(tmp_path / broken)) as lines,
        ):
            list(lines)
    with (
        pytest.raises(ReadError, match="not an export"),
        open_lines(str(file)) as lines,
    ):
        list(lines)
