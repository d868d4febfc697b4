"""Who writes to be grouped: floods, stuffed texts, chains. What an article costs is counted, never timed."""

import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from sqlalchemy import event, func, select

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_check import CopyTuning
from aggregator.grouping.pairs.weights import EventTuning
from aggregator.model.entry import Entry
from aggregator.store.engine.database import Database
from aggregator.store.tables import article, sketch, story, story_log
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Clock,
    Rig,
    record,
)
from tests.support.fresh import sqlite_file, with_tables
from tests.support.rows import queried, value
from tests.support.tables import rows

_STEPS = 20  # of SQLite's machine, to one count
_LITTLE = rows("poisoning", "little")


class Work(NamedTuple):
    """What placing took: the same on every machine, at every hour."""

    statements: int
    steps: int  # of the database's machine, in twenties
    calls: int  # of Python functions


class Meter:
    """Counts what is done between `start` and `stop`."""

    def __init__(self, database: Database) -> None:
        self._statements = self._steps = self._calls = 0
        event.listen(database.engine, "connect", self._connected)
        event.listen(database.engine, "before_cursor_execute", self._executed)

    def _connected(self, connection: Any, _record: Any) -> None:
        connection.set_progress_handler(self._stepped, _STEPS)

    def _stepped(self) -> int:
        self._steps += 1
        return 0

    def _executed(self, *_: Any) -> None:
        self._statements += 1

    def _called(self, _frame: Any, what: str, _argument: Any) -> None:
        self._calls += what == "call"

    def of(self, do: Callable[[], object]) -> Work:
        """What `do` took."""
        self._statements = self._steps = self._calls = 0
        sys.setprofile(self._called)
        try:
            do()
        finally:
            sys.setprofile(None)
        return Work(self._statements, self._steps, self._calls)


@pytest.fixture
def database(sqlite: Database) -> Database:
    return sqlite


def _rig(database: Database, **tuning: dict[str, Any]) -> Rig:
    return Rig(database, Clock(), Tuning(tuning) if tuning else None)


def _stories(database: Database) -> list[list[int]]:
    """The numbers of the articles of each story, the largest story first."""
    found: dict[str, list[int]] = {}
    homes = select(article.c.inbox_no, article.c.story).order_by(article.c.inbox_no)
    for n, home in queried(database, homes):
        found.setdefault(home, []).append(n)
    return sorted(found.values(), key=lambda members: (-len(members), members))


def _copied(number: int) -> Entry:
    """One of a flood of posts that differ in a line."""
    return record(
        "flood.example",
        f"copy {number}",
        "Levee breaks at Pennmouth",
        f"{FLOOD}\nPost {number} of our coverage today.",
        published=NOON + timedelta(minutes=number % 600),
        language="en",
    )


def _filled_in(number: int) -> Entry:
    """One of a flood of posts of a template: the same words, other numbers."""
    price = 7000 + 3 * number
    text = (
        f"The price of copper stood at {price} crowns a tonne on the exchange in Sennick on Monday, "
        f"{number + 2} crowns more than the day before. Stocks in the warehouses came to "
        f"{120000 + 37 * number} tonnes. Traders counted {1000 + number} contracts. Aluminium cost "
        f"{2100 + number} crowns and zinc {2500 + 2 * number}. The index of base metals closed at "
        f"{400 + number} points, after {390 + number} points on Friday, the exchange said in its report on "
        f"Monday evening."
    )
    when = NOON + timedelta(minutes=number % 600)
    return record(
        "flood.example",
        f"filled {number}",
        f"Copper at {price} crowns",
        text,
        published=when,
        language="en",
    )


def _growth(
    database: Database,
    meter: Meter,
    rig: Rig,
    post: Callable[[int], Entry],
    early: int,
    late: int,
) -> tuple[Work, Work]:
    """What 32 posts took (so one second look is among them) from number `early` and from number `late`."""
    taken = []
    at = 0
    for start in (early, late):
        rig.take(*(post(number) for number in range(at, start)))
        posts = [post(number) for number in range(start, start + 32)]
        rig.accept(*posts)
        taken.append(meter.of(rig.place))
        at = start + 32
    return taken[0], taken[1]


def _is_flat(early: Work, late: Work, most: float = 1.2) -> bool:
    return all(
        after <= most * before for before, after in zip(early, late, strict=True)
    )


# Copies before the first measure and before the second
SIZES = pytest.mark.parametrize(
    ("early", "late"), [(72, 136), pytest.param(1000, 9960, marks=pytest.mark.torture)]
)


@pytest.mark.later
@SIZES
def test_a_flood_of_copies_is_one_report_and_costs_no_more_and_more(
    database: Database, early: int, late: int
) -> None:
    meter = Meter(database)
    before, after = _growth(database, meter, _rig(database), _copied, early, late)
    assert _is_flat(before, after), (before, after)
    counts = queried(
        database,
        select(story.c.article_count, story.c.outlet_count, story.c.report_count),
    ).all()
    found_by_sketch = queried(
        database, select(func.count()).select_from(sketch)
    ).scalar_one()
    assert [tuple(row) for row in counts] == [(late + 32, 1, 1)]
    # Each has another number, so nearly all are versions of the first one.
    assert found_by_sketch <= 1 + Tuning().section("copies", CopyTuning).key_cap


@pytest.mark.later
@SIZES
def test_a_flood_from_one_template_costs_no_more_and_more(
    database: Database, early: int, late: int
) -> None:
    meter = Meter(database)
    before, after = _growth(database, meter, _rig(database), _filled_in, early, late)
    # The newest reports of a story are found by going through its members, of which there are at most
    # `story_cap`: the machine's steps may grow with them, by a few dozen for each.
    # Late in the long run several stories are full of the template, and all of them are candidates.
    assert _is_flat(before._replace(steps=0), after._replace(steps=0), 1.5), (
        before,
        after,
    )
    members = min(late, Tuning().section("events", EventTuning).story_cap) - early
    assert _STEPS * (after.steps - before.steps) <= 60 * 32 * max(members, 32), (
        before,
        after,
    )
    outlets = value(database, func.max(story.c.outlet_count))
    reports = value(database, func.max(story.c.report_count))
    assert (outlets, reports) == (1, 1), (
        "one outlet is one voice, however often it speaks"
    )


def _others() -> list[Entry]:
    """What ordinary outlets report meanwhile: two reports of one event, and others of their own."""
    museum = """The museum of Tarnow has found a painting by Hannes Voll that had been missing since 1951.
    It hung in an attic above the reading room, behind a cupboard, the director said. Restorers need half a
    year for it. It will be shown in spring, beside the two letters in which the painter speaks of it."""
    court = """A court in Calmouth has acquitted the former harbour master of bribery. The judges found that
    the payments he took from two shipping lines were declared as fees. The prosecution, which had asked for
    three years in prison, wants to appeal. The trial had lasted for eleven weeks."""
    texts = [
        ("a.example", "Levee breaks at Pennmouth, four dead", FLOOD),
        ("b.example", "Dock workers strike in Sennick", STRIKE),
        ("c.example", "Missing painting found in Tarnow", museum),
        ("d.example", "Pennmouth under water after levee breach", FLOOD_ELSEWHERE),
        ("e.example", "Former harbour master acquitted", court),
        ("f.example", "Dock workers strike in Sennick", STRIKE),
    ]
    return [
        record(
            outlet,
            outlet,
            title,
            text,
            published=NOON + timedelta(minutes=30 * at),
            language="en",
        )
        for at, (outlet, title, text) in enumerate(texts)
    ]


def _partition_of_others(database: Database) -> set[frozenset[str]]:
    """How the articles of ordinary outlets are grouped, without those of the flood."""
    found: dict[str, set[str]] = {}
    for home, outlet in queried(database, select(article.c.story, article.c.outlet)):
        if outlet != "flood.example":
            found.setdefault(home, set()).add(outlet)
    return {frozenset(members) for members in found.values()}


@pytest.mark.later
def test_a_flood_changes_nothing_for_others(tmp_path: Path) -> None:
    partitions = []
    for name, floods in (("calm", False), ("flooded", True)):
        database = with_tables(sqlite_file(f"{tmp_path / name}.db"))
        rig = _rig(database)
        for at, entry in enumerate(_others()):
            if floods:
                rig.take(
                    *(_filled_in(number) for number in range(12 * at, 12 * at + 12))
                )
            rig.take(entry)
        partitions.append(_partition_of_others(database))
        database.close()
    assert partitions[0] == partitions[1]
    assert frozenset({"a.example", "d.example"}) in partitions[0], (
        "the two reports of the flood"
    )


def test_a_story_stops_at_its_cap_and_says_so(database: Database) -> None:
    cap = 12
    rig = _rig(database, events={"story_cap": cap})
    random_ = Random(11)
    words = [_word(random_) for _ in range(60)]
    title = _sentence(Random(1), words[:20], 7)
    reports = [
        record(
            f"o{at}.example",
            str(at),
            title,
            _text(random_, words, 10),
            language="en",
        )
        for at in range(30)
    ]
    rig.take(*reports)
    assert len(_stories(database)[0]) == cap
    again = record(
        "late.example",
        "again",
        title,
        reports[0].text or "",
        language="en",
    )
    placed = rig.take(again)
    assert placed[0].outcome == "copy", "a copy of a member always comes in"
    assert placed[0].story is not None
    size = value(database, story.c.article_count, story.c.id == placed[0].story)
    full = value(database, func.count(), story_log.c.kind == "full")
    assert size == cap + 1
    assert full >= 1


@pytest.mark.torture
@pytest.mark.parametrize("dated", [True, False])
def test_a_drift_does_not_take_a_story_along_for_ever(
    database: Database, dated: bool
) -> None:
    """Each text has four words of a hundred anew: those that are 25 texts apart have none in common."""
    length = 600
    clock = Clock()
    rig = Rig(database, clock)
    random_ = Random(5)
    vocabulary = [_word(random_) for _ in range(4 * length + 100)]
    for at in range(length):
        words = vocabulary[4 * at : 4 * at + 100]
        clock.time = max(clock.time, NOON + timedelta(minutes=10 * at))
        entry = record(
            f"o{at}.example",
            str(at),
            _sentence(random_, words, 6),
            _text(random_, words, 14),
            published=clock.time if dated else None,
            language="en",
        )
        rig.take(entry)
    stories = _stories(database)
    longest = max(max(members) - min(members) for members in stories)
    assert longest < 180, "bounded, however long the drift"
    assert len(stories) > 2


def _word(random_: Random) -> str:
    return "".join(
        random_.choice("bdfgklmnprstv") + random_.choice("aeiou")
        for _ in range(random_.randint(2, 4))
    )


def _sentence(random_: Random, words: Sequence[str], count: int) -> str:
    said: list[str] = []
    for _ in range(count):
        said.append(random_.choice(words))
        if random_.random() < 0.6:
            said.append(random_.choice(_LITTLE))
    return " ".join(said).capitalize() + "."


def _text(random_: Random, words: Sequence[str], sentences: int) -> str:
    return "\n".join(_sentence(random_, words, 14) for _ in range(sentences))


def test_a_round_up_of_two_events_is_no_bridge_between_their_stories(
    database: Database,
) -> None:
    rig = _rig(database)
    sentences = [
        line for text in (FLOOD, STRIKE) for line in text.replace("\n", " ").split(". ")
    ]
    Random(3).shuffle(sentences)
    title = "Pennmouth levee breaks, Sennick dock workers strike"
    rig.take(
        record(
            "a.example",
            "1",
            "Levee breaks at Pennmouth, four dead",
            FLOOD,
        ),
        record(
            "b.example",
            "2",
            "Pennmouth under water after levee breach",
            FLOOD_ELSEWHERE,
        ),
        record("c.example", "3", "Dock workers strike in Sennick", STRIKE),
        record("spam.example", "4", title, ". ".join(sentences)),
    )
    fillers = [record("later.example", str(at), "", "") for at in range(40)]
    rig.take(*fillers, *_others()[2:3])
    homes = {n: members for members in _stories(database) for n in members}
    assert homes[1] != homes[3]
