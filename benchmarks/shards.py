"""What placing an archive in shards of time would change: whether each could be placed by its own process.

    python -m benchmarks.shards 6000 [--data ../shared/data]

The second half of the stream of benchmarks/corpus.py is placed twice: behind the first half, and by itself,
as a process would that places one shard of time. Compared are the pairs of articles in one story, before any
merge at the border of the shards; pairs across the border would have to be found by that merge.
"""

import argparse
import collections
import itertools
import tempfile
import time
from pathlib import Path

from sqlalchemy import select

from aggregator.store.engine.database import Database
from aggregator.store.migrate import upgrade
from aggregator.store.tables import article
from benchmarks.corpus import Stream, data_folder
from benchmarks.retention import place


def stories_of(stream: Stream, first: int) -> tuple[dict[int, str], float]:
    """The story of each article from number `first` on, and the CPU seconds of placing one."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/bench.db")
        upgrade(database)
        began = time.process_time()
        place(database, stream, first)
        spent = time.process_time() - began
        found = articles_in_stories(database)
        database.close()
    return found, spent / (len(stream) + 1 - first)


def articles_in_stories(database: Database) -> dict[int, str]:
    """The story of each article of the stream."""
    with database.read() as connection:
        rows = connection.execute(select(article.c.url, article.c.story)).all()
    return {int(row.url.rpartition("/")[2]): row.story for row in rows}


def pairs(stories: dict[int, str]) -> set[tuple[int, int]]:
    """The pairs of numbers in one story."""
    members = collections.defaultdict(list)
    for number, story in sorted(stories.items()):
        members[story].append(number)
    return {pair for numbers in members.values() for pair in itertools.combinations(numbers, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--data", type=Path, default=data_folder())
    given = parser.parse_args()
    stream, border = Stream(given.data, given.count), given.count // 2
    (together, cost), (alone, cost_alone) = stories_of(stream, 1), stories_of(stream, border + 1)
    all_pairs = pairs(together)
    behind = {pair for pair in all_pairs if pair[0] > border}
    across = sum(first <= border < second for first, second in all_pairs)
    found = pairs(alone)
    print(
        f"{given.count} articles, border at {border}: {len(behind)} pairs behind it; a shard alone finds "
        f"{len(found & behind) / len(behind):.2%} of them, and {len(found - behind) / len(found):.2%} of its "
        f"pairs are others; {across / len(all_pairs):.0%} of all pairs cross the border; CPU "
        f"{1e3 * cost:.1f} ms an article, alone {1e3 * cost_alone:.1f}"
    )


if __name__ == "__main__":
    main()
