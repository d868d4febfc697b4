"""How fast a large database is read: pages, feeds, lists with filters, search, on SQLite or Postgres.

    python -m benchmarks.library 1000000 --url sqlite:////tmp/library.db
    python -m benchmarks.reading --url sqlite:////tmp/library.db [--only search]

The four figures are milliseconds: the median and the 95th percentile of the clock, and the same of the CPU of this
process. On a busy machine, the clock includes the work of other programs, and only the clock includes the work of
Postgres. The first run of each measurement is left out. Pages are requested from the real server without a login, over
one kept connection. The server and the client are both in this process. There are 21 searches, each with ten runs.
"""

import argparse
import http.client
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from itertools import cycle, permutations
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from sqlalchemy import select

from aggregator.config.memory import collect_garbage_seldom
from aggregator.config.story_query import StoryFilter
from aggregator.publish.output_settings import PublishSettings
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import story
from aggregator.web.server import Server
from benchmarks.library import END, NAMES, vocabulary
from tests.support.services import all_services

RUNS = 40
DAY = timedelta(days=1)


def searches() -> dict[str, str]:
    """Return the searches by name, with words of the invented languages."""
    en, de, zh, ar = (vocabulary(name) for name in ("en", "de", "zh", "ar"))
    return {
        "the most frequent word": en[0],
        "a common word": en[40],
        "a less common word": en[600],
        "a word in one of 1,000": en[4000],
        "a rare word": en[30_000],
        "a very rare word": en[59_000],
        "no word": "unheardof",
        "two common words": f"{en[3]} {en[60]}",
        "a common and a rare word": f"{en[2]} {en[20_000]}",
        "three words": f"{en[100]} {en[300]} {en[900]}",
        "a phrase of common words": f'"{en[0]} {en[1]}"',
        "a phrase that hardly stands anywhere": f'"{en[50]} {en[700]}"',
        "the beginning of words": f"{en[500][:5]}*",
        "a word or another": f"{en[200]} OR {en[5000]}",
        "a word, not another": f"{en[30]} -{en[0]}",
        "in the headline": f"title:{en[400]}",
        "by an outlet, in a month": f'{en[20]} outlet:"{NAMES[7]}" after:2026-10 before:2026-11',
        "German": f"{de[30]} {de[900]}",
        "Chinese, one word": zh[300],
        "Chinese, two words as one": zh[20] + zh[500],
        "Arabic": ar[200],
    }


def filters() -> dict[str, StoryFilter]:
    """Return lists by name, with filters that fit many stories, few, and none."""
    en = vocabulary("en")
    return {
        "no filter, 50": StoryFilter(),
        "since 24 hours, 50": StoryFilter(since=END - DAY),
        "since 24 hours, 500": StoryFilter(since=END - DAY, limit=500),
        "since tomorrow (none)": StoryFilter(since=END + DAY),
        "one day, three months ago": StoryFilter(
            since=END - 90 * DAY, until=END - 89 * DAY
        ),
        "until three months ago": StoryFilter(until=END - 90 * DAY),
        "min_reports 3": StoryFilter(min_reports=3),
        "min_reports 20": StoryFilter(min_reports=20),
        "min_reports 500 (none)": StoryFilter(min_reports=500),
        "min_outlets 500 (none)": StoryFilter(min_outlets=500),
        "the largest outlet": StoryFilter(outlet=NAMES[0]),
        "the smallest outlet": StoryFilter(outlet=NAMES[-1].upper()),
        "an unknown outlet (none)": StoryFilter(outlet="Nobody"),
        "language de": StoryFilter(language="de"),
        "language mt (1 in 10,000)": StoryFilter(language="mt"),
        "language xx (none)": StoryFilter(language="xx"),
        "a folder": StoryFilter(folder="folder 3"),
        "a common word": StoryFilter(query=en[5]),
        "a rare word": StoryFilter(query=en[30_000]),
        "a word in one of 1,000": StoryFilter(query=en[4000]),
        "common word, language, 5 reports": StoryFilter(
            query=en[5], language="de", min_reports=5
        ),
        "common word of another language (none)": StoryFilter(
            query=en[5], language="zh"
        ),
    }


def measured(runs: int, one: Callable[[], object]) -> list[tuple[float, float]]:
    """Return the milliseconds of each run but the first: by the clock, and of the CPU of this process."""
    one()
    taken = []
    for _ in range(runs):
        began, worked = time.perf_counter(), time.process_time()
        one()
        ended, done = time.perf_counter(), time.process_time()
        taken.append(((ended - began) * 1000, (done - worked) * 1000))
    return taken


def tell(name: str, taken: Sequence[tuple[float, float]], wanted: str = "") -> None:
    """Print a line with the median and the 95th percentile of the clock, and those of the CPU."""
    clock, cpu = (sorted(column) for column in zip(*taken, strict=True))
    last = min(len(taken) - 1, int(len(taken) * 0.95))
    half = len(taken) // 2
    print(
        f"{name:<44} {clock[half]:8.1f} {clock[last]:8.1f} {cpu[half]:8.1f} {cpu[last]:8.1f}   {wanted}",
        flush=True,
    )


@contextmanager
def serving(
    reading: StoryReader,
) -> Iterator[Callable[..., tuple[int, dict[str, str], bytes]]]:
    """Start the real server, and yield a function that requests a path."""
    server = Server(
        reading,
        PublishSettings(port=0, full_text="never"),
        all_services(reading.database),
    )
    at = urlsplit(server.start())
    connection = http.client.HTTPConnection(at.hostname or "", at.port)

    def ask(path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status in (200, 304), (path, answer.status, body[:200])
        return answer.status, dict(answer.getheaders()), body

    try:
        yield ask
    finally:
        connection.close()
        server.stop()


def pages(reading: StoryReader, database: Database) -> None:
    """Print the times of what browsers and feed readers request."""
    with database.read() as connection:
        large = (
            select(story.c.id)
            .where(story.c.redirect_to.is_(None))
            .order_by(story.c.bumped_at.desc())
        )
        one = connection.execute(
            large.where(story.c.article_count == 1).limit(1)
        ).scalar_one()
        four = connection.execute(
            large.where(story.c.article_count == 4).limit(1)
        ).scalar_one()
        forty = connection.execute(
            large.where(story.c.article_count >= 30).limit(1)
        ).scalar_one()
    word = vocabulary("en")[600]
    with serving(reading) as ask:
        for name, path, wanted in (
            ("front page", "/", "50"),
            ("RSS, 100 stories", "/feeds/stories.rss", "50"),
            ("Atom, 100 stories", "/feeds/stories.atom", ""),
            ("JSON Feed, 100 stories", "/feeds/stories.json", ""),
            ("RSS, min_reports=3", "/feeds/stories.rss?min_reports=3", ""),
            ("RSS, a word", f"/feeds/stories.rss?query={quote(word)}", ""),
            ("API, 50 stories", "/api/v1/stories", ""),
            (
                "API, since a day",
                f"/api/v1/stories?{urlencode({'since': (END - DAY).isoformat()})}",
                "",
            ),
            ("story page, one report", f"/stories/{one}", ""),
            ("story page, four reports", f"/stories/{four}", ""),
            ("story page, 30 or more", f"/stories/{forty}", ""),
            ("search page", f"/search?q={quote(word)}", ""),
            ("sources page", "/sources", ""),
        ):
            tell(name, measured(RUNS, partial(ask, path)), wanted)
        # The cache of feeds holds fewer addresses than these, so each request costs as much as after a change.
        defaults = permutations(
            ("min_reports=1", "min_outlets=1", "query=", "language=", "outlet=")
        )
        anew = cycle(["/feeds/stories.rss?" + "&".join(one) for one in defaults][:30])
        tell(
            "RSS, 100 stories, after a change",
            measured(RUNS, lambda: ask(next(anew))),
            "20",
        )
        for name, path in (
            ("front page, 304", "/"),
            ("RSS, 304", "/feeds/stories.rss"),
        ):
            tag = ask(path)[1]["etag"]
            again = {"If-None-Match": tag}
            assert ask(path, **again)[0] == 304
            tell(
                name,
                measured(RUNS * 3, partial(ask, path, **again)),
                "5",
            )


def lists(reading: StoryReader) -> None:
    """Print the times of `StoryReader.stories`, with the number of stories, because a page may be short."""
    for name, wanted in filters().items():
        found = reading.stories(wanted)
        more = " and more" if found.next else ""
        reported = f"{len(found.stories)} stories{more}"
        tell(name, measured(10, partial(reading.stories, wanted)), reported)


def command(url: str) -> None:
    """Print the times of whole commands, from start to end."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        config.write_text(f"database: {url.removeprefix('sqlite:///')}\nsources: []\n")
        since = (END - DAY).strftime("%Y-%m-%dT%H:%M")
        program = [
            Path(sys.executable).with_name("aggregator"),
            "stories",
            "--since",
            since,
        ]
        run = [*program, "--config", str(config), "--format", "json"]
        tell("aggregator stories --since (a day)", measured(10, lambda: _run(run)), "")
        tell(
            "aggregator --version",
            measured(10, lambda: _run([program[0], "--version"])),
            "",
        )


def _run(program: Sequence[object]) -> None:
    subprocess.run([str(part) for part in program], check=True, capture_output=True)


def search(reading: StoryReader) -> None:
    """Print the times of the searches, which return up to 20 hits each."""
    everything: list[tuple[float, float]] = []
    for name, asked in searches().items():
        results = reading.search(asked, 20, StoryFilter())
        assert results.problem is None, results.problem
        taken = measured(10, partial(reading.search, asked, 20, StoryFilter()))
        everything += taken
        tell(
            f"search: {name}",
            taken,
            f"{len(results.hits)} hits{' and more' if results.more else ''}",
        )
    tell("search, all", everything, "300")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--only", choices=["pages", "lists", "search", "command"])
    given = parser.parse_args()
    database = Database(given.url)
    reading = StoryReader(database)
    collect_garbage_seldom()  # as the daemon does
    print(
        f"{'milliseconds':<44} {'half':>8} {'95 %':>8} {'CPU half':>8} {'95 %':>8}   wanted"
    )
    if given.only in (None, "pages"):
        pages(reading, database)
    if given.only in (None, "lists"):
        lists(reading)
    if given.only in (None, "command"):
        command(given.url)
    if given.only in (None, "search"):
        search(reading)
    database.close()


if __name__ == "__main__":
    main()
