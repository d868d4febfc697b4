"""Whatever persons correct, in whatever order: rows and memory agree, and what is undone is as it was."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregator.grouping.corrections.correction_command import CorrectionCommand
from aggregator.grouping.place import Placer
from aggregator.model.errors import UsageError
from aggregator.store.engine.database import Database
from aggregator.store.stories.corrections import ConstraintTable, all_constraints
from aggregator.store.tables import link_constraint, story_log
from tests.support.fresh import sqlite_at, sqlite_file
from tests.support.rows import read_by
from tests.support.story_checks import (
    assigned,
    fill,
    partition,
    placing_of,
    recluster,
    redirects,
    rows_of,
    what_is_wrong,
)

pytestmark = pytest.mark.later

# What to do, and numbers that choose among the stories and articles there are.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["merge", "split", "move"]),
        st.lists(st.integers(0, 10_000), min_size=4, max_size=4),
    ),
    min_size=1,
    max_size=5,
)


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A file that nobody has open."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "template.db"
        with sqlite_at(file) as database:
            fill(database)
        yield file


class Fresh:
    """A database of its own for one example."""

    def __init__(self, template: Path) -> None:
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / "stories.db"
        shutil.copy(template, file)
        self.database = sqlite_file(file)

    def __enter__(self) -> Database:
        return self.database

    def __exit__(self, *_: object) -> None:
        self.database.close()
        self._folder.cleanup()


def command(database: Database, kind: str, numbers: list[int]) -> CorrectionCommand:
    """One of what could be asked for; ids that gave way are among the stories."""
    known = sorted(redirects(database))
    placed = sorted(assigned(database))
    now = partition(database)
    if kind == "merge":
        return CorrectionCommand(
            kind="merge",
            stories=tuple(known[number % len(known)] for number in numbers[:3]),
        )
    if kind == "move":
        return CorrectionCommand(
            kind="move",
            stories=(known[numbers[0] % len(known)],),
            articles=(placed[numbers[1] % len(placed)],),
        )
    home = assigned(database)[placed[numbers[0] % len(placed)]]
    members = sorted(now[home])
    chosen = {
        members[number % len(members)] for number in numbers[: 1 + len(members) // 3]
    }
    return CorrectionCommand(
        kind="split", stories=(home,), articles=tuple(sorted(chosen))
    )


def carried_out(placing: Placer, asked: CorrectionCommand) -> int | None:
    try:
        return placing.correct(asked).n
    except UsageError:
        return None


def in_memory(database: Database) -> Placer:
    """A writer with its index in memory from now on."""
    placing = placing_of(database)
    read_by(database, placing.services.window.current)
    return placing


SLOW = settings(
    max_examples=5,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


@SLOW
@given(steps=STEPS)
def test_undone_in_reverse_all_is_as_it_was(
    template: Path, steps: list[tuple[str, list[int]]]
) -> None:
    with Fresh(template) as database:
        placing = in_memory(database)
        before, led = partition(database), redirects(database)
        done = []
        for kind, numbers in steps:
            rows = rows_of(database, story_log), partition(database)
            number = carried_out(placing, command(database, kind, numbers))
            if number is None:
                assert (rows_of(database, story_log), partition(database)) == rows
            else:
                done.append(number)
            assert what_is_wrong(database, placing) == []
        for number in reversed(done):
            placing.correct(CorrectionCommand(undo=number))
        assert what_is_wrong(database, placing) == []
        assert partition(database) == before
        assert {id_: to for id_, to in redirects(database).items() if id_ in led} == led


@SLOW
@given(steps=STEPS, order=st.permutations(range(5)))
def test_undone_in_any_order_all_is_taken_back_in_the_end(
    template: Path, steps: list[tuple[str, list[int]]], order: list[int]
) -> None:
    with Fresh(template) as database:
        placing = in_memory(database)
        done = [
            carried_out(placing, command(database, kind, numbers))
            for kind, numbers in steps
        ]
        left = [number for number in done if number is not None]
        while left:
            taken_back = [
                number for number in _by(order, left) if _undone(placing, number)
            ]
            assert taken_back, "the last one is never held by a later one"
            left = [number for number in left if number not in taken_back]
            assert what_is_wrong(database, placing) == []
        assert rows_of(database, link_constraint) == []


def _by(order: list[int], numbers: list[int]) -> list[int]:
    return sorted(numbers, key=lambda number: order[number % len(order)])


def _undone(placing: Placer, number: int) -> bool:
    return carried_out(placing, CorrectionCommand(undo=number)) is not None


@settings(SLOW, max_examples=3)
@given(steps=STEPS)
def test_deciding_again_keeps_to_every_word(
    template: Path, steps: list[tuple[str, list[int]]]
) -> None:
    with Fresh(template) as database:
        placing = placing_of(database)
        for kind, numbers in steps:
            carried_out(placing, command(database, kind, numbers))
        kept_to(database)
        recluster(database)
        assert what_is_wrong(database) == []
        kept_to(database)
        before = partition(database)
        assert recluster(database).changed_stories == 0
        assert partition(database) == before


def kept_to(database: Database) -> None:
    """Of any two articles that corrections name together or apart, the latest word holds."""
    constraints = read_by(database, all_constraints)
    table = ConstraintTable(constraints)
    now = assigned(database)
    for article in {constraint.article for constraint in constraints}:
        with_, never = table.linked_articles(article)
        assert all(now[other] == now[article] for other in with_)
        assert not any(now[other] == now[article] for other in never)
