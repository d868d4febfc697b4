"""A real day: the daemon reads 117 feeds of 18 February 2026 for the first time, then polls them again.

    python -m benchmarks day [--orders 5] [--idle 10] [--program CHECKOUT] [--json FILE]

The daemon is the real one, in a process of its own with an empty database. All feeds are behind a proxy on
loopback under their own hosts, without TLS. Article pages are not fetched. Dates are moved so that the feeds
are as fresh as when they were fetched. First, all feeds are polled within 30 seconds, without their newest
entries: feeds with news within a week lack the newest quarter, at most six entries. Then follow rounds in which each
feed is polled once, one every `--pace` seconds: a feed in five has one or two new entries or an edited title, and
the others answer 304. Finally, each XML feed is polled with a new comment and no other change.

If lemon24/reader is installed, it reads the same feeds after each of these steps.

CPU, memory and bytes are summed over all processes of the daemon, from /proc. With PostgreSQL, the CPU and memory of
the server are not counted, and the bytes are all write-ahead log that the server writes, for any client. A tmpfs
counts no bytes, so use `--folder`. The CPU of the rounds includes unchanged polls, but not what the idle daemon takes
in the same time. `--program` runs another checkout on the same feeds in turns, and prints ratios. After the first
order, only the first reading is run.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from benchmarks.day.feeds import real_feeds
from benchmarks.day.run import Day, Run
from benchmarks.day.scores import read_labels
from benchmarks.day.table import Figures, print_table

HERE = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks day", description=__doc__.splitlines()[0]
    )
    data = os.environ.get("AGGREGATOR_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(data))
    parser.add_argument(
        "--orders", type=int, default=5, help="orders in which feeds are read first"
    )
    parser.add_argument(
        "--rounds", type=int, default=4, help="rounds of polls after the first reading"
    )
    parser.add_argument(
        "--pace", type=float, default=1.0, help="seconds between two polls of a round"
    )
    parser.add_argument(
        "--idle", type=float, default=10.0, help="minutes without anything, at the end"
    )
    parser.add_argument(
        "--program", type=Path, help="another checkout, in the same run"
    )
    parser.add_argument(
        "--url", help="a PostgreSQL server's database, for databases made beside it"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="on a disk, for databases; default: the temporary folder",
    )
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    given = parser.parse_args()
    day = Day(
        real_feeds(given.data),
        read_labels(given.data),
        given.rounds,
        given.pace,
        given.idle,
    )
    programs = [HERE] if given.program is None else [HERE, given.program.resolve()]
    runs: list[list[Figures]] = [[] for _ in programs]
    for order in range(given.orders):
        for program, figures in zip(programs, runs, strict=True):
            print(
                f"order {order + 1} of {given.orders}, {program.name}",
                file=sys.stderr,
                flush=True,
            )
            figures.append(run_order(day, program, order, given.url, given.folder))
            if given.json is not None:
                given.json.write_text(
                    json.dumps(
                        dict(zip(map(str, programs), runs, strict=True)), indent=1
                    )
                )
    print_table([program.name for program in programs], runs)


def run_order(
    day: Day, program: Path, order: int, url: str | None, folder: Path | None
) -> Figures:
    """Run one program on the feeds, and return its figures. `order` is the seed of the order of the first polls.

    Order 0 runs the whole day, and the others only the first reading.
    """
    with tempfile.TemporaryDirectory(dir=folder) as own, _database(url) as database:
        run = Run(day, program, Path(own), url=database, order=order)
        try:
            run.read_first()
            if order == 0:
                run.go_on()
                run.idle()
                run.divide()
        finally:
            run.close()
    return run.figures


@contextmanager
def _database(url: str | None) -> Iterator[str]:
    """Create an empty PostgreSQL database `NAME_day` on the server of `url` for the block; yield its address.

    Yield "" if there is no `url`.
    """
    if url is None:
        yield ""
        return
    address = make_url(url.replace("postgresql://", "postgresql+psycopg://", 1))
    name = f"{address.database}_day"
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    drop = text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    with engine.connect() as connection:
        connection.execute(drop)
        connection.execute(text(f'CREATE DATABASE "{name}"'))
        try:
            yield address.set(drivername="postgresql", database=name).render_as_string(
                hide_password=False
            )
        finally:
            connection.execute(drop)
    engine.dispose()


if __name__ == "__main__":
    main()
