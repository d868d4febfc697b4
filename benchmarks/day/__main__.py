"""A real day: 117 feeds of 18 February 2026 are read by the daemon for the first time, then go on.

    python -m benchmarks day [--orders 5] [--idle 10] [--program CHECKOUT] [--json FILE]

The daemon is the real one, in a process of its own with an empty database. All feeds are behind a proxy on
loopback under their own hosts, without TLS; article pages are not fetched; dates are moved so that the feeds
are as fresh as when they were fetched. First all feeds are polled within 30 seconds, without their newest
entries (of feeds with news within a week the newest quarter, at most six). Then come rounds in which each
feed is polled once, one each `--pace` seconds: a feed in five has one or two new entries or an edited title,
the others answer 304.

CPU, memory and bytes are those of all processes of the daemon, from /proc; with PostgreSQL its server's CPU
and memory are not counted, and the bytes are those of its write-ahead log. The CPU of the rounds has that of
unchanged polls in it, and not what the daemon takes idle in the same time. `--program` runs another checkout
on the same feeds in turns, and prints ratios. Orders after the first are of the first reading alone.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text

from benchmarks.day.feeds import real_feeds
from benchmarks.day.run import Day, Run
from benchmarks.day.scores import read_labels

HERE = Path(__file__).parents[2]
Figures = dict[str, Any]

# What is printed: the name of a figure, its words, and digits after the point.
SCORES = [
    ("events", "events of several outlets", 0),
    ("whole", "... found whole", 0),
    ("several", "stories of several outlets", 0),
    ("pure", "... pure", 0),
    ("twice", "events twice on page one", 0),
    ("pairs", "pairs of one event (arguable ones left out)", 0),
    ("pairs_found", "... found", 0),
    ("pairs_wrong", "pairs of different events in one story", 0),
    ("precision", "precision of pairs", 3),
    ("recall", "recall of pairs", 3),
    ("f1", "F1 of pairs", 3),
    ("arguable_pairs", "arguable pairs of one event", 0),
    ("arguable_found", "... found", 0),
    ("articles", "articles", 0),
    ("labelled", "... with a label", 0),
    ("stories", "stories", 0),
]
COSTS = [
    ("start_cpu_seconds", "CPU of the start, s", 2),
    ("first_entries", "entries of the first reading", 0),
    ("first_cpu_ms_an_entry", "CPU an entry, ms", 1),
    ("first_kb_an_entry", "written an entry, KB", 0),
    ("first_article_seconds", "first article after, s", 1),
    ("first_seconds", "first reading, s", 0),
    ("round_polls", "polls of the rounds", 0),
    ("round_changed", "... changed", 0),
    ("round_shown", "new entries served", 0),
    ("round_new", "... new articles", 0),
    ("round_seconds", "the rounds, s", 0),
    ("cpu_ms_a_new_entry", "CPU a new entry, ms", 1),
    ("cpu_ms_a_changed_poll", "CPU a changed poll, ms", 1),
    ("feedparser_ms", "feedparser on the same bytes, ms", 1),
    ("share_of_feedparser", "CPU of the rounds / feedparser", 2),
    ("kb_a_new_entry", "written a new entry, KB", 0),
    ("page_seconds", "from poll to page, s: half", 1),
    ("page_seconds_most", "... the longest", 1),
    ("page_delays", "... entries timed", 0),
    ("new_stories", "new stories in the rounds", 0),
    ("bumped_new", "known stories bumped with a new entry", 0),
    ("round_edits", "titles edited", 0),
    ("bumped_edited", "stories bumped with an edited entry only", 0),
    ("bumped_for_nothing", "stories bumped for nothing", 0),
    ("first_most_mb", "PSS at most in the first reading, MB", 0),
    ("most_mb", "PSS at most, MB", 0),
    ("idle_minutes", "idle minutes", 0),
    ("idle_mb", "PSS after them, MB", 0),
    ("idle_cpu_ms_a_second", "idle CPU, ms a second", 2),
    ("idle_wake_ups_a_second", "idle wake-ups a second", 1),
    ("idle_kb_written", "written while idle, KB", 0),
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks day", description=__doc__.splitlines()[0])
    data = os.environ.get("AGGREGATOR_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(data))
    parser.add_argument("--orders", type=int, default=5, help="orders in which feeds are read first")
    parser.add_argument("--rounds", type=int, default=4, help="rounds of polls after the first reading")
    parser.add_argument("--pace", type=float, default=1.0, help="seconds between two polls of a round")
    parser.add_argument("--idle", type=float, default=10.0, help="minutes without anything, at the end")
    parser.add_argument("--program", type=Path, help="another checkout, in the same run")
    parser.add_argument("--url", help="a PostgreSQL server's database, for databases made beside it")
    parser.add_argument("--folder", type=Path, help="on a disk, for databases; default: the temporary folder")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    given = parser.parse_args()
    day = Day(real_feeds(given.data), read_labels(given.data), given.rounds, given.pace, given.idle)
    programs = [HERE] if given.program is None else [HERE, given.program.resolve()]
    runs: list[list[Figures]] = [[] for _ in programs]
    for order in range(given.orders):
        for program, figures in zip(programs, runs, strict=True):
            print(f"order {order + 1} of {given.orders}, {program.name}", file=sys.stderr, flush=True)
            figures.append(run_order(day, program, order, given.url, given.folder))
            if given.json is not None:
                given.json.write_text(json.dumps(dict(zip(map(str, programs), runs, strict=True)), indent=1))
    print_table([program.name for program in programs], runs)


def run_order(day: Day, program: Path, order: int, url: str | None, folder: Path | None) -> Figures:
    """Run one program on the feeds, polled first in an order of their own; the whole day if it is order 0."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        database = _empty_database(url) if url else ""
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


def _empty_database(url: str) -> str:
    """Make a new database `NAME_day` beside the one of `url`, in place of an earlier one; its address."""
    address = make_url(url.replace("postgresql://", "postgresql+psycopg://", 1))
    name = f"{address.database}_day"
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return address.set(drivername="postgresql", database=name).render_as_string(hide_password=False)


def print_table(names: list[str], runs: list[list[Figures]]) -> None:
    """Print all figures, one program a column; with two of them the ratio of the first to the second."""
    firsts = [figures[0] for figures in runs]
    print(f"{'':<52}" + "".join(f"{name[-14:]:>15}" for name in names))
    for when, title in (("first", "after the first reading"), ("last", "after the last round")):
        if f"{when}_events" in firsts[0]:
            print(title)
            for key, words, digits in SCORES:
                _print_line(words, [figures[f"{when}_{key}"] for figures in firsts], digits)
    orders = len(runs[0])
    if orders > 1:
        print(f"{orders} orders of the first reading: mean and least (of pairs wrong and twice: most)")
        for key, words, worst in (
            ("whole", "events found whole", min),
            ("pure", "stories of several outlets that are pure", min),
            ("impure", "... that are not", max),
            ("f1", "F1 of pairs", min),
            ("pairs_wrong", "pairs of different events in one story", max),
            ("twice", "events twice on page one", max),
        ):
            _print_orders(
                words, [[_number(one[f"first_{key}"]) for one in figures] for figures in runs], worst
            )
    print("costs")
    for key, words, digits in COSTS:
        if key in firsts[0]:
            _print_line(words, [figures[key] for figures in firsts], digits, with_ratio=True)
    for key, words in (
        ("not_whole", "events not whole"),
        ("impure", "stories not pure"),
        ("twice", "twice on page one"),
    ):
        _print_names(f"{words}, after the first reading, after the last round", key, names, firsts)


def _print_names(words: str, key: str, names: list[str], firsts: list[Figures]) -> None:
    """Print the titles of a list, and for each program when they are in it: first, last or both."""
    lists = [[figures.get(f"{when}_{key}", []) for when in ("first", "last")] for figures in firsts]
    titles = sorted({title for first, last in lists for title in [*first, *last]})
    print(f"{words:<52}" + "".join(f"{name[-14:]:>15}" for name in names))
    for title in titles:
        cells = [
            ("first " if title in first else "") + ("last" if title in last else "    ")
            for first, last in lists
        ]
        print(f"  {title[:50]:<50}" + "".join(f"{cell:>15}" for cell in cells))


def _number(value: Any) -> float:
    return len(value) if isinstance(value, list) else value


def _print_line(words: str, values: list[Any], digits: int, *, with_ratio: bool = False) -> None:
    numbers = [None if value is None else _number(value) for value in values]
    cells = [f"{'-':>15}" if number is None else f"{number:15,.{digits}f}" for number in numbers]
    ratio = ""
    if with_ratio and len(numbers) == 2 and numbers[0] is not None and numbers[1]:
        ratio = f"{numbers[0] / numbers[1]:10.2f}"
    print(f"  {words:<50}" + "".join(cells) + ratio)


def _print_orders(words: str, values: list[list[float]], worst: Callable[[list[float]], float]) -> None:
    cells = [f"{statistics.mean(column):8.2f} {worst(column):6.2f}" for column in values]
    print(f"  {words:<50}" + "".join(cells))


if __name__ == "__main__":
    main()
