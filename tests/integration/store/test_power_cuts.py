"""Power cuts: an SQLite database whose log breaks off opens, is whole, and is a state that there was.

What a power cut leaves is what the disk had by then: SQLite's log up to some byte, or with sectors in it that
never arrived. Everything before that is there, and nothing of a transaction whose end is missing.
"""

import hashlib
import os
import shutil
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select, text

from aggregator.store.engine.database import Connection, Database
from aggregator.store.tables import metadata
from tests.support.articles import Rig, record, settled
from tests.support.fresh import sqlite_file, with_tables
from tests.support.rows import queried
from tests.support.seeds import SEED

CUTS = int(os.environ.get("AGGREGATOR_CUTS", "200"))
ARTICLES = 12
_SECTOR = 512


class Noted(Database):
    """A database that notes what was committed: how long the log was then, and all rows as one sum."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.states: list[tuple[int, str]] = []

    @contextmanager
    def write(self, **how: Any) -> Iterator[Connection]:
        with super().write(**how) as connection:
            yield connection
        self.note()

    def note(self) -> None:
        self.states.append((self.log_bytes(), all_rows(self)))


class Written(NamedTuple):
    """A file, the whole log beside it, what was committed when, and what all of it comes to."""

    file: bytes
    log: bytes
    states: list[tuple[int, str]]
    end: dict[str, list[tuple[Any, ...]]]


def all_rows(database: Database) -> str:
    sum_ = hashlib.blake2b(digest_size=16)
    with database.read() as connection:
        for table in metadata.sorted_tables:
            rows = connection.execute(
                select(table).order_by(*table.primary_key.columns)
            )
            sum_.update(repr([table.name, *map(tuple, rows)]).encode())
    return sum_.hexdigest()


def hand_in(rig: Rig, seed: int) -> None:
    """Some articles in batches, copies and revisions among them: the same for the same seed."""
    chance = Random(seed)
    for number in range(ARTICLES):
        said = Random(f"{seed} {chance.randrange(number + 1)}")
        length = chance.choice((90, 120))
        words = [
            f"{said.choice('bdfglmnprst')}{said.randrange(5000)}" for _ in range(length)
        ]
        guid = str(chance.randrange(ARTICLES))
        rig.take(
            record(
                f"wire{number % 3}",
                guid,
                " ".join(words[:6]),
                " ".join(words),
                published=None,
            )
        )
        rig.pipeline.index_text()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    file = tmp_path_factory.mktemp("whole") / "stories.db"
    with_tables(database := Noted(f"sqlite:///{file}"))
    with closing(database), database.read() as reader:
        # As long as somebody reads the first state, the log only grows and the file stays as it is.
        reader.execute(text("SELECT count(*) FROM story")).scalar()
        database.note()
        hand_in(Rig(database), SEED)
        log = file.with_name(file.name + "-wal").read_bytes()
        return Written(file.read_bytes(), log, database.states, settled(database))


def opened(folder: Path, written: Written, log: bytes) -> Database:
    folder.mkdir()
    (folder / "stories.db").write_bytes(written.file)
    (folder / "stories.db-wal").write_bytes(log)
    return sqlite_file(folder / "stories.db")


def committed_by(written: Written, place: int) -> str:
    """All rows as they were when the log was whole up to `place`."""
    lengths = [length for length, _ in written.states]
    return written.states[bisect_right(lengths, place) - 1][1]


def cut_short(log: bytes, place: int, _chance: Random) -> bytes:
    return log[:place]


def garbled(log: bytes, place: int, chance: Random) -> bytes:
    """A sector that never arrived or holds something else; what follows it did arrive."""
    length = min(_SECTOR, len(log) - place)
    other = bytes(length) if chance.random() < 0.5 else chance.randbytes(length)
    if other == log[place : place + length]:
        other = bytes(byte ^ 255 for byte in other)
    first = next(at for at in range(length) if other[at] != log[place + at])
    return log[: place + first] + other[first:] + log[place + length :]


def cut(written: Written, tmp_path: Path, times: int) -> None:
    print(
        f"AGGREGATOR_SEED={SEED}, {len(written.states)} commits, a log of {len(written.log)} bytes"
    )
    assert len({state for _, state in written.states}) > ARTICLES, (
        "there is little to tell apart"
    )
    chance = Random(SEED)
    for number in range(times):
        place = chance.randrange(len(written.log))
        spoil = cut_short if number % 2 else garbled
        log = spoil(written.log, place, chance)
        kept = next(
            (
                at
                for at, (a, b) in enumerate(zip(log, written.log, strict=False))
                if a != b
            ),
            len(log),
        )
        folder = tmp_path / str(number)
        with closing(opened(folder, written, log)) as database:
            assert queried(
                database, text("PRAGMA integrity_check")
            ).scalars().all() == ["ok"]
            assert all_rows(database) == committed_by(written, kept), (
                f"{spoil.__name__} at {place} of {len(written.log)} is no state that there was"
            )
            # What was lost is read again, and it comes to the same
            if number % 20 == 0:
                hand_in(Rig(database), SEED)
                assert {
                    key: settled(database)[key] for key in ("articles", "keys")
                } == {key: written.end[key] for key in ("articles", "keys")}
        shutil.rmtree(folder)


@pytest.mark.later
def test_a_log_that_breaks_off_is_a_prefix_of_what_was_committed(
    written: Written, tmp_path: Path
) -> None:
    cut(written, tmp_path, 10)


@pytest.mark.torture
def test_two_hundred_power_cuts(written: Written, tmp_path: Path) -> None:
    cut(written, tmp_path, CUTS)
