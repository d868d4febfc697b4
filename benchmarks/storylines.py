"""How steady storylines are over days of polls, what they cost in a large database, and how long feeds get.

    python -m benchmarks.storylines DATASET [--articles N]

The records are placed in the order of their times, an hour at a time. Printed are:

- how many stories have another storyline at the end than six hours after they began;
- the processor time that affinities and storylines take for each article of the last tenth. Before these are placed,
  all rows are repeated until the database has N articles (100,000). New articles cannot join the repeated stories;
- how many different items a reader sees, by story and by storyline, if each feed is read every hour before then.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Column, func, insert, literal, select

from aggregator.admin.evaluate import place_records
from aggregator.admin.labelled_data import read_dataset
from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.grouping.placing import place_entry
from aggregator.grouping.storylines import join_near
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.clock import utc_now
from aggregator.sources.parse.records.jsonl import LabelledRecord
from aggregator.store.engine.database import Connection, Database
from aggregator.store.migrate import upgrade
from aggregator.store.read import story_list
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.tables import affinity, article, story

SETTLED = timedelta(hours=6)
LINE = func.coalesce(story.c.storyline, story.c.id)
ITEMS = 100  # items of a feed, as in config.yaml
FEEDS = {
    "main feed": StoryFilter(),
    "min_reports=2": StoryFilter(min_reports=2),
    "main feed, folded": StoryFilter(fold="storylines"),
    "min_reports=2, folded": StoryFilter(fold="storylines", min_reports=2),
}


def by_hour(
    records: list[LabelledRecord],
) -> Iterator[tuple[datetime, list[LabelledRecord]]]:
    """Yield the records of each hour. An undated record belongs to the hour of the record before it."""
    last = datetime.min.replace(tzinfo=UTC)

    def hour(record: LabelledRecord) -> datetime:
        nonlocal last
        if record.entry.published is not None:
            last = record.entry.published.time.replace(
                minute=0, second=0, microsecond=0
            )
        return last

    for when, group in groupby(records, key=hour):
        yield when, list(group)


def repeat_rows(connection: Connection, articles: int) -> None:
    """Repeat all rows of articles, stories and affinities until there are about `articles` articles."""
    newest = connection.scalar(select(func.max(article.c.inbox_no))) or 1
    numbers = connection.scalar(select(func.max(story.c.story_no))) or 1
    count = connection.scalar(select(func.count()).select_from(article)) or 1
    for copy in range(1, articles // count + 1):
        suffix = literal(f"-{copy}")
        given: dict[Column[Any], Any] = {
            story.c.story_no: story.c.story_no + 10**9 + copy * numbers,
            story.c.id: story.c.id + suffix,
            story.c.founding_article: story.c.founding_article + suffix,
            story.c.storyline: story.c.storyline + suffix,
            story.c.last_inbox_no: literal(-(10**9)),
            story.c.membership_changed_no: literal(-1),
            article.c.inbox_no: article.c.inbox_no - copy * newest - 10**6,
            article.c.id: article.c.id + suffix,
            article.c.story: article.c.story + suffix,
            article.c.root_article: article.c.root_article + suffix,
            affinity.c.article: affinity.c.article - copy * newest - 10**6,
            affinity.c.story: affinity.c.story + 10**9 + copy * numbers,
        }
        of_tables = (
            (story, story.c.story_no.between(1, numbers)),
            (article, article.c.inbox_no.between(1, newest)),
            (affinity, affinity.c.article.between(1, newest)),
        )
        for table, which in of_tables:
            rows = select(*(given.get(column, column) for column in table.c)).where(
                which
            )
            connection.execute(insert(table).from_select(list(table.c.keys()), rows))


class Timed:
    """Adds up the processor time of calls."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def of(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return call(*given, **named)
            finally:
                self.seconds += time.process_time() - began

        return timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dataset")
    parser.add_argument("--articles", type=int, default=100_000)
    asked = parser.parse_args()
    records = read_dataset(asked.dataset)
    tuning = Tuning()
    spent = Timed()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/storylines.db")
        upgrade(database)
        pipeline = Pipeline(database, InlineExecutor(), tuning, utc_now, keep_all=True)
        begun: dict[str, datetime] = {}
        settled: dict[str, str] = {}
        lines: dict[str, str] = {}
        items: dict[str, set[str]] = {name: set() for name in FEEDS}
        placed = measured = 0
        for when, of_hour in by_hour(records):
            for story_id, began in begun.items():
                is_due = story_id not in settled and when - began >= SETTLED
                if is_due and story_id in lines:  # otherwise the story was merged
                    settled[story_id] = lines[story_id]
            if not measured and placed >= len(records) * 0.9:
                with database.write() as connection:
                    repeat_rows(connection, asked.articles)
                place_entry.join_near = spent.of(join_near)  # type: ignore[attr-defined]
                article_writes.insert_affinities = spent.of(
                    article_writes.insert_affinities
                )
                measured = placed
            place_records(of_hour, database, pipeline, lambda _: None, first=placed)
            placed += len(of_hour)
            with database.read() as connection:
                of_run = story.c.story_no < 10**9
                lines = dict(
                    connection.execute(
                        select(story.c.id, LINE).where(
                            story.c.redirect_to.is_(None), of_run
                        )
                    ).all()
                )
                for name, wanted in () if measured else FEEDS.items():
                    listed, _ = story_list.places(connection, wanted, ITEMS)
                    items[name] |= {
                        lines[row.id] if wanted.fold else row.id for row in listed
                    }
            for story_id in lines:
                begun.setdefault(story_id, when)
        database.close()
    left = {id_: line for id_, line in settled.items() if id_ in lines}
    changed = sum(lines[id_] != line for id_, line in left.items())
    share = changed / max(len(left), 1)
    print(
        f"{changed} of {len(left)} stories ({share:.2%}) changed their storyline after six hours"
    )
    for name, seen in items.items():
        print(f"{len(seen)} items: {name}")
    each = 1000 * spent.seconds / max(placed - measured, 1)
    print(
        f"{each:.3f} ms of processor time for each of the last {placed - measured} articles, of {asked.articles:,}"
    )


if __name__ == "__main__":
    main()
