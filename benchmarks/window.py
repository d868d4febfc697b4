"""What the live window holds in memory: bytes of a story, hours at a rate, CPU of a look-up.

    python -m benchmarks.window [--stories 100000] [--rate 100000]

The stories are invented and written as rows of an SQLite database: of one report with 400 terms, 32 of them
keys, of words whose frequency falls with their rank. The index of stories is built from the rows, as at a
start, and then asked for the candidates of articles that share half of the keys of a story; means are read
from the rows. Then a quarter of the stories leave and as many come, one by one, as in a daemon: lists that
grew so have room for more. Bytes are those of the table and of the lists with their headers, as malloc rounds
them; beside them what the process takes more than before (VmRSS). The window is what tuning.yaml makes of
600 MB.
"""

import argparse
import dataclasses
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from aggregator.cluster.events import centroid
from aggregator.cluster.events.centroid import CentroidMember
from aggregator.cluster.events.scorer import ScoringInput
from aggregator.cluster.events.story_index import IndexedStory, StoryIndex
from aggregator.cluster.events.term_codec import HASH_BITS, Ints, pack
from aggregator.cluster.events.weights import MINUTES_A_DAY, shipped_model
from aggregator.config.garbage import give_back_memory
from aggregator.config.tuning import Tuning

MODEL = shipped_model(Tuning())
FIRST = 20_000 * MINUTES_A_DAY  # minutes since 1970
LOG_RANKS = (8, 19)  # of the words that are keys: base-2 logarithm, evenly between these
PATTERNS = 500  # of the terms that are no keys; they are not compared here
QUERIES = 300
HEADER = 16  # bytes that malloc adds to a block, and rounding


@dataclasses.dataclass
class Invented:
    """Stories of one report, the same for the same number."""

    count: int
    a_day: int

    def __post_init__(self) -> None:
        draw = np.random.default_rng(1)
        self._rest = [self._packed(draw, MODEL.tuning.packed_terms) for _ in range(PATTERNS)]

    @staticmethod
    def _packed(draw: np.random.Generator, terms: int) -> bytes:
        ranks = np.exp2(draw.uniform(*LOG_RANKS, terms)).astype(np.int64) - 1
        ids: Ints = draw.integers(0, 4, terms) << HASH_BITS | ranks * 0x9E3779B1 % (1 << HASH_BITS)
        return pack(np.unique(ids), np.full(len(np.unique(ids)), 1 << 14)).astype("<u4").tobytes()

    def terms(self, number: int) -> bytes:
        keys = self._packed(np.random.default_rng(number), MODEL.tuning.key_terms)
        return keys + self._rest[number % PATTERNS][len(keys) :]

    def minutes(self, number: int) -> int:
        return FIRST + number * MINUTES_A_DAY // self.a_day

    def rows(self, first: int, last: int) -> Iterator[IndexedStory]:
        member = CentroidMember(terms=self._rest[0], minutes=0)
        blob = centroid.to_bytes(centroid.add(centroid.Centroid(), member), MODEL)
        mean = centroid.read_summary(blob).trimmed
        at, end = blob.index(mean), blob.index(mean) + len(mean)
        for number in range(first, last + 1):
            terms = self.terms(number)[: len(mean)].ljust(len(mean), b"\0")
            date = self.minutes(number).to_bytes(4, "little")
            yield IndexedStory(number, f"{number:016}", blob[:at] + terms + date + blob[end + 4 :], number)


class Rows:
    """The rows in a file, read as the program reads them."""

    def __init__(self, file: Path) -> None:
        engine, metadata = sa.create_engine(f"sqlite:///{file}"), sa.MetaData()
        number = sa.Column("number", sa.Integer, primary_key=True)
        others = (
            sa.Column("story", sa.Text),
            sa.Column("blob", sa.LargeBinary),
            sa.Column("inbox", sa.Integer),
        )
        self._table = sa.Table("story", metadata, number, *others)
        metadata.create_all(engine)
        self._connection = engine.connect()

    def write(self, given: Iterator[IndexedStory]) -> None:
        while some := [row._asdict() for _, row in zip(range(5_000), given, strict=False)]:
            values = [{**row, "inbox": row.pop("last_inbox")} for row in some]
            self._connection.execute(self._table.insert(), values)
        self._connection.commit()

    def up_to(self, last: int) -> Iterator[IndexedStory]:
        chosen = self._table.select().where(self._table.c.number <= last)
        yield from map(IndexedStory._make, self._connection.execute(chosen).yield_per(1_000))

    def read(self, numbers: Iterable[int]) -> list[IndexedStory]:
        chosen = self._table.select().where(self._table.c.number.in_(list(numbers)))
        return list(map(IndexedStory._make, self._connection.execute(chosen)))


def size_of(index: StoryIndex) -> tuple[int, int]:
    """The bytes of the headers of all lists, and of the rest, which grows with the stories."""
    lists = [one for one in index._postings._lists if one is not None]
    headers = sys.getsizeof(index._postings._lists) + sum(sys.getsizeof(one[:0]) + HEADER for one in lists)
    entries = sum(sys.getsizeof(one) - sys.getsizeof(one[:0]) for one in lists)
    maps = sys.getsizeof(index._numbers) + sys.getsizeof(index._slots)
    return headers, entries + maps + index._rows.itemsize * len(index)


def turn_over(index: StoryIndex, invented: Invented) -> None:
    """Replace the oldest quarter of the stories one by one."""
    for row in invented.rows(invented.count + 1, invented.count + invented.count // 4):
        index.remove_story(row.number - invented.count)
        index.add_story(row)


def resident() -> int:
    """Bytes of memory that this process takes."""
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def look_ups(index: StoryIndex, invented: Invented) -> str:
    taken = []
    for number in range(QUERIES):
        keys, half = MODEL.tuning.key_terms * 4, MODEL.tuning.key_terms * 2
        own = invented.terms(2 * invented.count + 1 + number)
        like = invented.terms(invented.count // 4 + 1 + number * (invented.count // QUERIES))
        now = invented.count + invented.count // 4 + number
        article = ScoringInput(like[:half] + own[half:keys], invented.minutes(now), 300, inbox=now)
        began = time.thread_time()
        found = index.candidates(article)
        taken.append(1e3 * (time.thread_time() - began))
        assert found, "an article that shares 16 keys with a story has a candidate"
    return "median {:.2f}, 99 % {:.2f} ms of CPU".format(*np.quantile(taken, (0.5, 0.99)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stories", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=100_000, help="articles a day")
    given = parser.parse_args()
    invented = Invented(given.stories, given.rate)
    with tempfile.TemporaryDirectory() as folder:
        rows = Rows(Path(folder) / "rows.db")
        rows.write(invented.rows(1, invented.count + invented.count // 4))
        before, began = resident(), time.thread_time()
        index = StoryIndex(MODEL, rows.up_to(given.stories), read=rows.read)
        give_back_memory()
        seconds = time.thread_time() - began
        for when in ("loaded", "a quarter replaced"):
            if when != "loaded":
                turn_over(index, invented)
            fixed, growing = size_of(index)
            kept = sum(len(one.summary.trimmed) + 300 for one in index._kept.values())  # measured: objects
            more = resident() - before
            each, own = growing / given.stories, (more - fixed - kept) / given.stories
            print(
                f"{given.stories:,} live stories of one article, {when}: {each:.0f} bytes each; heads "
                f"of lists {fixed / 1e6:.0f} MB, means in memory {kept / 1e6:.0f} MB; the process takes "
                f"{more / 1e6:.0f} MB more, {own:.0f} bytes a story without heads and means",
                flush=True,
            )
        print(f"built in {seconds:.1f} s of CPU")
        print(f"candidates of an article: {look_ups(index, invented)}")
    tuning = MODEL.tuning
    hours = [24 * reach / given.rate for reach in (tuning.live_reach, tuning.several_reach)]
    print(
        f"{given.rate:,} articles a day: stories of one report stay {hours[0]:.0f} hours, "
        f"of several {hours[1]:.0f} (window_days: {24 * tuning.window_days:.0f} hours)"
    )


if __name__ == "__main__":
    main()
