"""What tests that kill the program share: what a run left, whether it is the same, who its workers are."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from aggregator.store.engine.database import Database
from aggregator.store.search.match import find_newest
from aggregator.store.search.query import parse_query
from aggregator.store.tables import (
    article,
    entry,
    outlet_line,
    sketch,
    source_history,
    story,
    story_log,
    stream_period,
)
from tests.support.articles import settled
from tests.support.rows import unindexed_count

HONEST = [str(Path(sys.executable).with_name("aggregator"))]
CARELESS = [sys.executable, "-m", "tests.support.careless_ingest"]

Settled = dict[str, list[tuple[Any, ...]]]


def left_in(url: str) -> Settled:
    """All that must be the same in a database after the same input, clocks and the rows' own order aside."""
    database = Database(url)
    logged = select(
        story_log.c.story, story_log.c.kind, story_log.c.article, story_log.c.detail
    )
    # What is undated sorts by our clock, to the second: then it matters how quick a run was.
    recent = datetime.now(UTC) - timedelta(days=2)

    dated = story.c.bumped_at < recent
    ordered = (
        select(story.c.id).where(dated).order_by(story.c.bumped_at, story.c.story_no)
    )
    entries = select(entry.c.inbox_no, entry.c.state, entry.c.article, entry.c.outcome)
    with database.read() as connection:
        rows = {
            "log": connection.execute(logged.order_by(story_log.c.log_no)).all(),
            "entries": connection.execute(entries.order_by(entry.c.inbox_no)).all(),
            "order": connection.execute(ordered).all(),
            "sketches": connection.execute(
                select(sketch).order_by(sketch.c.article)
            ).all(),
            "texts": connection.execute(
                select(article.c.inbox_no, article.c.text, article.c.details).order_by(
                    article.c.inbox_no
                )
            ).all(),
            "repeated lines": connection.execute(
                select(outlet_line).order_by(*outlet_line.c[:2])
            ).all(),
            "outlets": connection.execute(
                select(source_history).order_by(source_history.c.source)
            ).all(),
            "periods": connection.execute(
                select(
                    stream_period.c.last_inbox_no,
                    stream_period.c.articles,
                    stream_period.c.terms,
                )
            ).all(),
            "found": [
                (n,)
                for n in find_newest(
                    connection, parse_query("the"), 10_000, reach=10_000
                )
            ],
            "not indexed": [(unindexed_count(connection),)],
            "indexed": [
                (n,)
                for n in find_newest(
                    connection, parse_query("after:1900"), 10_000, reach=10_000
                )
            ],
        }
    whole = settled(database) | {
        name: [tuple(row) for row in held] for name, held in rows.items()
    }
    database.close()
    return whole


def assert_same(left: Settled, expected: Settled) -> None:
    """Say which table differs and where first, not 300 articles."""
    for name, rows in expected.items():
        found = left[name]
        differing = [
            pair for pair in zip(found, rows, strict=False) if pair[0] != pair[1]
        ]
        assert not differing, (
            f"{name}: {len(differing)} rows differ, the first: {differing[0]}"
        )
        assert len(found) == len(rows), (
            f"{name}: {len(found)} rows instead of {len(rows)}"
        )


def children_of(process: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*"):
        try:
            found += [int(one) for one in (task / "children").read_text().split()]
        except OSError:
            continue  # the thread ended meanwhile
    return found


def in_a_child(work: Callable[[], object]) -> int:
    """Do it in a forked process, which may kill itself; how it ended, 1 where the work failed."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)
