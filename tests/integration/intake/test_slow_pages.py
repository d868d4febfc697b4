"""Pages that take workers long: the entries of their source are placed with the feed's words, for an hour."""

import time
from collections import Counter
from concurrent.futures import Future

import msgspec
import pytest
from sqlalchemy import select

from aggregator.config.tuning import Tuning
from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.html.page import read_page
from aggregator.intake.jobs import PrepareJob
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.slow_pages import SlowPages
from aggregator.intake.workers.executor import InlineExecutor, JobFunction
from aggregator.model.entry import Entry
from aggregator.model.errors import WorkError
from aggregator.store.engine.database import Database
from aggregator.store.intake import (
    inbox,
    rejected,
    source_rows,
)
from aggregator.store.tables import article, entry
from tests.support.articles import HOUR, NOON, Clock, Rig
from tests.support.rows import queried, written_by

PAGE = (
    b"<html><body><article><h1>Quay sold</h1><p>"
    + b"The board sold the eastern quay. " * 40
)
OWN = "The board of Sennick harbour has agreed to sell its eastern quay to traders for 84 million crowns."
DEADLINE = 10.0


class Late(InlineExecutor):
    """A machine on which a page of the source "slow" meets the deadline."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def submit(self, function: JobFunction, job: bytes) -> Future[bytes]:
        items = msgspec.msgpack.decode(job, type=PrepareJob).items
        pages = [item.entry.source for item in items if item.page is not None]
        self.asked.update(set(pages))
        if "slow" not in pages:
            return super().submit(function, job)
        late: Future[bytes] = Future()
        late.set_exception(WorkError("timeout", "as the test wants it"))
        return late


def accept_with_pages(database: Database, source: str, count: int) -> None:
    rig = Rig(database)
    for number in range(count):
        one = Entry(
            source=source,
            guid=str(number),
            url=f"https://{source}.example/{number}",
            title=f"Quay {number} of {source} sold",
            html=f"<p>{OWN}</p>",
        )
        rig.brings(rig.waits(one), PAGE)


@pytest.mark.later
def test_three_pages_that_meet_the_deadline_are_the_last_of_their_source(
    database: Database,
) -> None:
    accept_with_pages(database, "slow", 40)
    accept_with_pages(database, "good", 20)
    executor = Late()
    pipeline = Pipeline(database, executor, Tuning(), Clock())
    list(pipeline.place_waiting())
    rows = queried(
        database, select(entry.c.source, entry.c.page_verdict, entry.c.reason)
    ).all()
    texts = {
        row.url: row.text
        for row in queried(database, select(article.c.url, article.c.text))
    }
    slow = [row for row in rows if row.source == "slow"]
    assert len(slow) == 40
    assert {row.page_verdict for row in slow} == {"timeout"}
    assert sum("pages of this source take too long" in row.reason for row in slow) == 37
    assert all(texts[f"https://slow.example/{number}"] == OWN for number in range(40))
    assert all(
        "eastern quay. The board" in texts[f"https://good.example/{number}"]
        for number in range(20)
    )
    assert executor.asked["slow"] <= 3 + 4, (
        "three alone, and the jobs that were under way"
    )
    assert pipeline.slow_pages.resting() == ["slow"]


def test_a_source_rests_for_an_hour_after_the_time_of_three_deadlines() -> None:
    now = 0.0
    slow_pages = SlowPages(DEADLINE, lambda: now)
    for number in range(200):
        assert not slow_pages.note("quick", 0.3)
        assert slow_pages.note("slow", 2.0) is (number == 14)
        if number == 14:
            break
    assert slow_pages.resting() == ["slow"]
    now = 3601.0
    assert slow_pages.resting() == []
    assert not slow_pages.note("slow", 2.0)


def test_slow_pages_of_an_hour_ago_do_not_count() -> None:
    now = 0.0
    slow_pages = SlowPages(DEADLINE, lambda: now)
    for _ in range(50):
        assert not slow_pages.note("seldom", DEADLINE)
        now += 1801.0


@pytest.mark.later
@pytest.mark.parametrize(
    "part",
    [
        "<div class=a><p>Word word word word. <span>x</span></p></div>",
        "<option>a",
        "<table><tr><td>a b c</table>",
        "<li>Word word word.<label>x</label>",
        "<p>a<time>b</time>",
    ],
)
def test_twice_the_paragraphs_take_no_more_than_thrice_the_time(part: str) -> None:
    tuning = Tuning().section("text", ExtractTuning)

    def seconds(count: int) -> float:
        page = f"<html><body>{part * count}"
        began = time.thread_time()
        assert read_page(page, tuning=tuning) is not None
        return time.thread_time() - began

    seconds(10)  # loads the library
    assert (
        min(seconds(6_000) for _ in range(2))
        <= 3 * min(seconds(3_000) for _ in range(2)) + 0.5
    )


def test_what_waits_of_a_removed_source_waits_for_the_source(
    database: Database,
) -> None:
    paper = source_rows.Source(
        id="good",
        kind="feed",
        address="https://good.example/feed",
        interval_seconds=60,
        next_due_at=NOON,
    )
    written_by(database, source_rows.add, paper)
    accept_with_pages(database, "good", 3)
    with database.write() as connection:
        source_rows.remove(connection, "good")
        rejected.mute_of_removed_source(connection, "good", at=NOON)
    pipeline = Pipeline(database, InlineExecutor(), Tuning(), Clock(NOON + HOUR))
    assert list(pipeline.place_waiting()) == []
    assert (
        database.transact(lambda writing: rejected.unmute(writing, lambda *_: False))
        == 0
    )
    with database.write() as connection:
        source_rows.add(connection, paper)
        assert rejected.unmute(connection, lambda *_: True) == 3
    assert [len(batch) for batch in pipeline.place_waiting()] == [3]


def test_many_pages_of_a_source_keep_none_of_another_waiting(
    database: Database,
) -> None:
    accept_with_pages(database, "many", 100)
    accept_with_pages(database, "few", 2)
    turns = []
    with database.write() as connection:
        while count := inbox.put_in_order(connection):
            turns.append(count)
    assert turns == [12, *[10] * 9]
    rows = queried(
        database, select(entry.c.source, entry.c.inbox_no).order_by(entry.c.entry_no)
    ).all()
    assert max(row.inbox_no for row in rows if row.source == "few") <= 12
    many = [row.inbox_no for row in rows if row.source == "many"]
    assert many == sorted(many)


def test_of_a_source_whose_pages_were_slow_one_has_its_turn(database: Database) -> None:
    now = 0.0
    slow_pages = SlowPages(DEADLINE, lambda: now)
    slow_pages.note("many", 0.3)
    assert slow_pages.slow() == []
    slow_pages.note("many", 1.0)
    assert slow_pages.slow() == ["many"]
    accept_with_pages(database, "many", 3)
    accept_with_pages(database, "few", 2)
    turns = []
    with database.write() as connection:
        while count := inbox.put_in_order(connection, slow=slow_pages.slow()):
            turns.append(count)
    assert turns == [3, 1, 1]
    now = 3601.0
    assert slow_pages.slow() == []


def test_pages_of_the_next_turn_have_gathered(database: Database) -> None:
    accept_with_pages(database, "many", 25)
    tuning = Tuning({"placing": {"gathering_seconds": 0.3}})
    pipeline = Pipeline(database, InlineExecutor(), tuning, Clock())
    placed = 0
    while placed == 0:
        placed = sum(len(batch) for batch in pipeline.place_waiting(gathers=True))
    assert placed == 25
