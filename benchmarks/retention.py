"""Bytes per article at each stage of retention, and how long its steps take.

    python -m benchmarks.retention 20000 --url sqlite:////tmp/retention.db [--data ../shared/data]

The program itself fills the database, which must be new, with the first articles of the stream of
benchmarks/corpus.py (real articles of `events-fulltext` with exchanged words), and indexes and renders them.
With `--cache FOLDER`, the database is a copy of the file that benchmarks/corpus.py makes for this number (a multiple of
10,000), in order to time the steps in a large database. Its stories are rendered only when their texts are deleted.
Then everything, or with `--due 10000` the oldest 10,000 articles, becomes due at once. Bytes are those in
use: on SQLite all pages but the free ones, on Postgres all tables and indexes after VACUUM FULL. (Autovacuum leaves
more, which is used again.)
"""

import argparse
import shutil
import time
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select, text, update

from aggregator.config.tuning import Tuning
from aggregator.grouping.deletion.retention import Retention, RetentionPlan
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.store import steady_clock
from aggregator.store.engine.database import Database
from aggregator.store.intake import acceptance
from aggregator.store.migrate import upgrade
from aggregator.store.stories.rendered_stories import render_next
from aggregator.store.tables import article, counter
from aggregator.stories.story_tuning import shipped_tuning
from benchmarks.corpus import START, Stream, data_folder, database_of

AT_ONCE = 100
LATER = START + timedelta(days=3 * 365)


def plans(age: int) -> list[tuple[str, RetentionPlan]]:
    """Return the stages in order, for articles that are older than `age` seconds."""
    return [
        ("whole", RetentionPlan()),
        ("texts gone", RetentionPlan(text_after=age)),
        ("stories gone", RetentionPlan(text_after=age, stories_after=age)),
    ]


def place(database: Database, stream: Stream, first: int = 1) -> Pipeline:
    """Place the articles of the stream from number `first` on; return the pipeline."""
    moment = START
    pipeline = Pipeline(database, InlineExecutor(), Tuning(), lambda: moment)
    for start in range(first, len(stream) + 1, AT_ONCE):
        some = [
            stream.article(n)
            for n in range(start, min(start + AT_ONCE, len(stream) + 1))
        ]
        moment = some[-1].time
        with database.write() as connection:
            acceptance.accept(
                connection,
                [one.entry() for one in some],
                seen=[one.time for one in some],
            )
        for _ in pipeline.place_waiting():
            pass
    return pipeline


def fill(database: Database, stream: Stream) -> None:
    """Place, index and render the stream."""
    place(database, stream).index_text()
    while render_next(database, 50, shipped_tuning()):
        pass


def _index(database: Database) -> None:
    """Fill the full-text index, which is empty in the files of benchmarks/corpus.py."""
    with database.write() as connection:
        connection.execute(
            update(counter).where(counter.c.name == "searchable").values(value=0)
        )
    Pipeline(database, InlineExecutor(), Tuning(), lambda: START).index_text()


def used(database: Database) -> int:
    """Return the bytes in use, without free pages."""
    if database.is_sqlite:
        space = database.space()
        return space.total - space.free
    with database.engine.connect().execution_options(
        isolation_level="AUTOCOMMIT"
    ) as connection:
        connection.execute(text("VACUUM FULL"))
        sizes = (
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        return int(connection.execute(text(sizes)).scalar_one())


def parts(database: Database, articles: int) -> str:
    """Return the largest tables (on SQLite, tables and indexes), in bytes per article."""
    wanted = (
        "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT 9"
    )
    if not database.is_sqlite:
        wanted = (
            "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace = 'public'::regnamespace ORDER BY 2 DESC LIMIT 9"
        )
    with database.read() as connection:
        rows = connection.execute(text(wanted)).all()
    return " ".join(f"{name}={size / articles:.0f}" for name, size in rows)


def run(database: Database, plan: RetentionPlan) -> list[float]:
    """Do everything that is due; return the seconds of each step."""
    pipeline = Pipeline(database, InlineExecutor(), Tuning(), lambda: LATER)
    # This makes it look as if the clock had run for a day.
    with database.write() as connection:
        for hours in (40, 16):
            steady_clock.record_time(
                connection, LATER - timedelta(hours=hours), timedelta(days=1)
            )
    retention_job = Retention(pipeline.placer, plan)
    retention_job.step()  # the first step reads the rules and the progress, so it is not timed
    seconds = []
    more = True
    while more:
        began = time.perf_counter()
        more = retention_job.step()
        seconds.append(time.perf_counter() - began)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--url", required=True)
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument(
        "--cache",
        type=Path,
        help="begin with the file of so many rows that is kept there",
    )
    parser.add_argument(
        "--due", type=int, help="only so many articles, the oldest, come of age"
    )
    given = parser.parse_args()
    stream = Stream(given.data, given.count)
    database = Database(given.url)
    if given.cache is not None and database.file is not None:
        shutil.copyfile(
            database_of(given.count, given.cache, given.data), database.file
        )
        _index(database)
    upgrade(database)
    with database.read() as connection:
        is_new = not connection.execute(
            select(counter.c.value).where(counter.c.name == "entry")
        ).scalar()
    began = time.perf_counter()
    if is_new:
        fill(database, stream)
    print(f"{given.count} articles in {time.perf_counter() - began:.0f} s")
    print(f"{'whole':22} {used(database) / given.count:7.0f} bytes an article")
    print(f"{'':22} {parts(database, given.count)}")
    age = 86_400
    if given.due is not None:
        # The articles of several blocks were not placed in the order of time.
        with database.write() as connection:
            values = {"placed_at": START - timedelta(days=2 * 365)}
            connection.execute(
                update(article).where(article.c.inbox_no <= given.due).values(values)
            )
        age = int((LATER - START).total_seconds()) + 365 * 86_400
    for name, plan in plans(age):
        seconds = sorted(run(database, plan))
        line = f"{name:22} {used(database) / given.count:7.0f} bytes an article, {len(seconds):5} steps"
        middle, most = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99)]
        print(
            f"{line}: {1000 * middle:.0f} ms median, {1000 * most:.0f} ms p99, {1000 * seconds[-1]:.0f} most"
        )
        print(f"{'':22} {parts(database, given.count)}", flush=True)
    database.close()


if __name__ == "__main__":
    main()
