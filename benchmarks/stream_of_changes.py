"""The stream of changes at a million rows: bytes a row, and how long readers and webhooks wait for it.

    python -m benchmarks.stream_of_changes sqlite:////tmp/stream.db
    python -m benchmarks.stream_of_changes postgresql+psycopg://USER@HOST/NAME

The database must be empty. One story in 20 has two reports, none has five.
"""

import datetime as dt
import random
import sys
import time
from collections.abc import Callable

from sqlalchemy import insert, text

from aggregator.model.read_model import StoryFilter
from aggregator.store.engine.database import Database
from aggregator.store.migrate import upgrade
from aggregator.store.read import story_list
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import change, story

CHANGES, STORIES, AT_ONCE = 1_000_000, 600_000, 10_000
BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TITLE = "Council of Eastgate passes budget after nine-hour session, tram fares to rise"


def fill(database: Database) -> None:
    """Stories and changes, in parts."""
    rng = random.Random(1)
    with database.write() as connection:
        for start in range(0, STORIES, AT_ONCE):
            connection.execute(insert(story), [_story(n) for n in range(start, start + AT_ONCE)])
        for start in range(0, CHANGES, AT_ONCE):
            rows = [_change(n, rng.randrange(STORIES)) for n in range(start, start + AT_ONCE)]
            connection.execute(insert(change), rows)
        if not database.is_sqlite:
            connection.execute(text("ANALYZE"))


def _story(n: int) -> dict[str, object]:
    times = dict.fromkeys(("first_published", "last_published", "bumped_at"), BEGIN)
    counts = {"article_count": 2, "outlet_count": 2, "report_count": 1 + (n % 20 == 0)}
    row = {
        "story_no": n + 1,
        "id": f"story{n:011d}",
        "founding_article": f"a{n}",
        "founding_no": 0,
        "title": TITLE,
    }
    return (
        row
        | times
        | counts
        | {"summary": "s", "last_inbox_no": n, "membership_changed_no": n, "centroid": b""}
    )


def _change(n: int, of: int) -> dict[str, object]:
    at = BEGIN + dt.timedelta(seconds=n * 20)
    times = {"at": at, "bumped_at": at.replace(microsecond=n % 1_000_000)}
    row = {"change_no": n + 1, "story": f"story{of:011d}", "kind": "report", "article": f"art{n:013d}"}
    return row | times | {"title": TITLE, "report_count": 2}


def size(database: Database) -> int:
    """Bytes of the table with its indexes."""
    with database.read() as connection:
        if not database.is_sqlite:
            return int(connection.execute(text("SELECT pg_total_relation_size('change')")).scalar_one())
        like = "SELECT sum(pgsize) FROM dbstat WHERE name = 'change' OR name LIKE 'ix_change%'"
        return int(connection.execute(text(like)).scalar_one())


def timed(name: str, look: Callable[[], object], times: int = 15) -> None:
    look()
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        look()
        seconds.append(time.perf_counter() - began)
    seconds.sort()
    print(f"{name:44}{seconds[times // 2] * 1000:8.1f} ms median {seconds[-1] * 1000:8.1f} ms most")


def main() -> None:
    database = Database(sys.argv[1])
    upgrade(database)
    fill(database)
    print(f"{size(database) / CHANGES:.0f} bytes a change")
    reading = StoryReader(database)

    def following(last: int) -> object:
        with database.read() as connection:
            return story_list.following(connection, last, 100, indexed_to=2**62)

    timed("the newest 100", lambda: reading.changes(StoryFilter(limit=100)))
    timed("of a filter that fits one in 20", lambda: reading.changes(StoryFilter(limit=100, min_reports=2)))
    timed("of a filter that fits none", lambda: reading.changes(StoryFilter(limit=100, min_reports=5)))
    timed("for webhooks: the next 100", lambda: following(CHANGES - 100))
    timed("for webhooks: nothing new", lambda: following(CHANGES))
    database.close()


if __name__ == "__main__":
    main()
