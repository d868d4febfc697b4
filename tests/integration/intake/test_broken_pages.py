"""A page that breaks its worker: the feed's own words are taken, and what broke it is written down."""

from concurrent.futures import Future

import msgspec
import pytest
from sqlalchemy import select

from aggregator.intake.jobs import PrepareJob
from aggregator.intake.workers.executor import InlineExecutor, JobFunction
from aggregator.model.entry import Entry
from aggregator.model.errors import WorkError
from aggregator.store.engine.database import Database
from aggregator.store.tables import article, entry
from tests.support.articles import Rig
from tests.support.rows import column, queried
from tests.support.tables import each_row

OWN = "The board of Sennick harbour has agreed to sell its eastern quay to traders for 84 million crowns."


class Breaking(InlineExecutor):
    """A machine on which every job with a page ends badly, and every job with an entry marked as bad."""

    def __init__(self, verdict: str) -> None:
        self._verdict = verdict

    def submit(self, function: JobFunction, job: bytes) -> Future[bytes]:
        items = msgspec.msgpack.decode(job, type=PrepareJob).items
        if all(item.page is None and item.entry.guid != "bad" for item in items):
            return super().submit(function, job)
        broken: Future[bytes] = Future()
        broken.set_exception(WorkError(self._verdict, "as the test wants it"))
        return broken


@each_row("broken_pages", "a page that breaks its worker", "broken", "verdict")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_page_that_breaks_its_worker(
    database: Database, broken: str, verdict: str
) -> None:
    entries = [
        Entry(
            source="feed",
            guid="both",
            url="https://a.example/1",
            title="Quay sold",
            html=f"<p>{OWN}</p>",
        ),
        Entry(
            source="feed",
            guid="headline",
            url="https://a.example/2",
            title="Mill burns in Orrin",
        ),
        Entry(
            source="feed",
            guid="bad",
            url="https://a.example/3",
            title="Whale below lighthouse",
        ),
    ]
    rig = Rig(database, executor=Breaking(broken))
    for one in entries:
        rig.brings(rig.waits(one), b"<p>x</p>")
    rig.place()
    columns = (entry.c.verdict, entry.c.page_verdict, entry.c.outcome)
    said = [
        tuple(row)
        for row in queried(database, select(*columns).order_by(entry.c.entry_no))
    ]
    reasons = column(database, entry.c.reason)
    assert column(database, article.c.text) == [OWN, ""]
    assert said == [
        ("ok", verdict, "founded"),
        ("stub", verdict, "founded"),
        (verdict, None, "refused"),
    ]
    assert all("as the test wants it" in (reason or "") for reason in reasons)
