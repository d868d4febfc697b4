"""A day with real feeds: 117 feeds of 18 February 2026, three polls each, and what must hold then.

    python -m benchmarks.realday [--url postgresql://...] [--pages mixed|none|429] [--show DIR]

The feeds of `feeds/real` are served under their addresses (feeds/addresses.tsv) with the names of the
reader's OPML; one more, invented feed has 300 items with GUIDs and without links, one minute apart. Nothing
leaves this machine: names are resolved and dialled by stand-ins, and TLS is left out. A clock of its own
starts at 2026-02-18 03:31 UTC. Each page is one of `pages` and `pages-world`, or 404, 429 or 500, by a hash
of its address. Its words are hardly ever those of its entry, so pages test times and counts; `--pages none`
(404 for all) shows the stories that the feeds alone make.

Rounds: 1. first poll; 2. unchanged (304, the same bytes, or the same entries in other bytes); 3. edited, each
feed in one way: GUIDs, links, order, dates or titles. A second run, with a new database, answers 429 for all
pages; it ends after the first hour.

A request that waits moves the clock of its job alone, as if each job had its own thread; parsing and placing
take no time on that clock. The CPU is that of this program without the server; PSS is that of all its
processes, the benchmark's server included. The database of `--url` must be empty, and gets the first run
only.
"""

import argparse
import contextlib
import datetime as dt
import gzip
import hashlib
import html
import os
import random
import re
import resource
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpcore
import httpx
from sqlalchemy import func, select

from aggregator.config.memory import collect_garbage_seldom, set_malloc_options
from aggregator.config.settings import Config
from aggregator.config.tuning import Tuning
from aggregator.daemon.poll_scheduler import PollScheduler
from aggregator.extract.urls import canonical_url
from aggregator.intake.configured import story_options
from aggregator.intake.jobs import read_feed
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.poll import Poller, PollResult, PollServices
from aggregator.intake.workers.factory import open_executor
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.store.engine.database import Database
from aggregator.store.intake.pending_pages import PendingPage
from aggregator.store.intake.sources import Source, add, all_sources, set_due, source_id
from aggregator.store.migrate import upgrade
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories.rendered_stories import render_next
from aggregator.store.tables import article, entry, story
from aggregator.stories.tuning import StoryTuning
from aggregator.web.server import Server
from aggregator.web.settings import PublishSettings
from tests.support.deep_checks import faults
from tests.support.loopback import LoopbackServer, Request, Resource, Response
from tests.support.world import Time

START = dt.datetime(2026, 2, 18, 3, 31, tzinfo=dt.UTC)
ALERTS = "https://alerts.example/feed.xml"  # the invented feed
ALERT_ITEMS = 300
VISIBLE_SECONDS = 90
FIRST = 50  # entries of page and feed that must have a date
LONGEST_ROUND = dt.timedelta(hours=12)
IDLE_SECONDS = 60.0  # that the clock runs at once, at most, while nothing is asked
PSS_EVERY = 20  # batches of placed articles
TICKS = 8  # a second: each starts at most eight jobs, and eight threads take as many
EDITS = ("guids", "links", "order", "dates", "titles")


def share_of(text: str) -> float:
    """A number in 0..1 that depends on the text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big") / (1 << 48)


# --- the world ---------------------------------------------------------------------------------------------


class _PlainStream(httpcore.NetworkStream):
    """A connection whose TLS does nothing."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, *_args: Any, **_more: Any) -> httpcore.NetworkStream:
        return self

    def get_extra_info(self, info: str) -> Any:
        return None if info == "ssl_object" else self._stream.get_extra_info(info)


class JobTime(Time):
    """The clock; what a job waits is its own, and forgotten when the next one begins."""

    def __init__(self) -> None:
        super().__init__(START)
        self._waited = 0.0

    def __call__(self) -> dt.datetime:
        return self.now + dt.timedelta(seconds=self._waited)

    def monotonic(self) -> float:
        return super().monotonic() + self._waited

    def wait(self, seconds: float) -> None:
        self._waited += seconds

    def next_job(self) -> None:
        self._waited = 0.0


class JobPoller(Poller):
    """Tells the clock when a job begins and ends."""

    clock: JobTime

    def poll(self, source: Source, read: Callable[[bytes], bytes] = read_feed) -> PollResult:
        with self._alone():
            return super().poll(source, read)

    def fetch_page(self, wanted: PendingPage) -> bool:
        with self._alone():
            return super().fetch_page(wanted)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        self.clock.next_job()
        try:
            yield
        finally:
            self.clock.next_job()


class Feed(NamedTuple):
    address: str
    name: str
    file: Path | None = None  # None: the invented feed

    @property
    def body(self) -> bytes:
        """Read at each request: what other servers hold is not memory of this program."""
        return _alerts() if self.file is None else self.file.read_bytes()


def feeds_of(data: Path) -> list[Feed]:
    """The real feeds and the invented one."""
    lines = (data / "feeds" / "addresses.tsv").read_text(encoding="utf-8").splitlines()[1:]
    real = [
        Feed(address, html.unescape(name), data / "feeds" / "real" / file)
        for file, address, name in (line.split("\t") for line in lines)
    ]
    return [*real, Feed(ALERTS, "Harbour alerts")]


_PLACES = ("Calmouth", "Sennick", "Pennmouth", "Arrel Bridge", "Port Selwyn", "Lind", "Brannock")
_CAUSES = ("Broken crane", "Fog", "Oil spill", "Strike of pilots", "Fire alarm", "High water", "Ice")
_EFFECTS = ("closes the north quay", "stops ferries", "delays freight trains", "shuts the lock",
            "diverts traffic", "empties the fish market", "stops the tram to the port")  # fmt: skip


def _alerts() -> bytes:
    """The invented feed: short items of one form, with GUIDs and dates and no links."""
    chance = random.Random(7)
    items = []
    for number in range(ALERT_ITEMS):
        place, other = chance.sample(_PLACES, 2)
        cause, effect = chance.choice(_CAUSES), chance.choice(_EFFECTS)
        at = format_datetime(START - dt.timedelta(minutes=number + 1))
        title = f"{cause} {effect} in {place}"
        text = (
            f"{place}: {cause} {effect}. The harbour office expects {chance.randint(2, 40)} minutes of delay "
            f"and sends ships to {other}, pier {chance.randint(1, 30)}."
        )
        items.append(
            f"<item><guid isPermaLink='false'>alert-{ALERT_ITEMS - number}</guid><title>{title}</title>"
            f"<description>{text}</description><pubDate>{at}</pubDate></item>"
        )
    return f"<rss version='2.0'><channel><title>Alerts</title>{''.join(items)}</channel></rss>".encode()


class RealWorld:
    """All hosts behind one server on loopback."""

    def __init__(self, data: Path, feeds: list[Feed], pages: str) -> None:
        """`pages`: mixed, none (404) or 429."""
        self.round = 1
        self.requests = 0
        self.answers: Counter[int] = Counter()  # of pages, by status
        self._feeds = {one.address: one for one in feeds}
        self._pages = pages
        self._files = sorted((data / "pages" / "html").iterdir()) + sorted(
            (data / "pages-world" / "html").iterdir()
        )
        self._numbers: dict[str, str] = {}
        self.server = LoopbackServer({"*": self._answer})

    def client(self, all_tuning: Tuning, clock: JobTime) -> Client:
        return Client(
            ClientSettings(),
            all_tuning,
            resolve=self._resolve,
            dial=lambda _address, _port, seconds: _PlainStream(
                httpcore.SyncBackend().connect_tcp("127.0.0.1", self.server.port, timeout=seconds)
            ),
            now=clock,
            clock=clock.monotonic,
            pause=clock.wait,
        )

    def _resolve(self, name: str, _port: int, _seconds: float) -> list[str]:
        number = len(self._numbers)
        return [self._numbers.setdefault(name, f"93.184.{number // 250}.{number % 250 + 1}")]

    def _answer(self, request: Request) -> Response:
        host = request.headers["host"].partition(":")[0]
        path = f"{request.path}?{request.query}" if request.query else request.path
        self.server.requests.clear()
        self.requests += 1
        for scheme in ("https", "http"):
            if (feed := self._feeds.get(f"{scheme}://{host}{path}")) is not None:
                return self._feed(feed, request)
        if path == "/robots.txt":
            return Response(404)
        answer = self._page(f"{host}{path}")
        self.answers[answer.status] += 1
        return answer

    def _feed(self, feed: Feed, request: Request) -> Response:
        body, way = feed.body, share_of(feed.address)
        if self.round == 3:
            body = edited(body, edit_of(feed.address))
        elif self.round == 2 and way >= 2 / 3:
            body += f"<!-- {self.round} -->".encode() if body.lstrip()[:1] != b"{" else b"\n"
        return Resource(body, etag="" if way < 1 / 3 else None)(request)

    def _page(self, address: str) -> Response:
        way = share_of(address)
        if self._pages != "mixed":
            return Response(404 if self._pages == "none" else 429)
        if way < 0.7:
            file = self._files[int(way / 0.7 * len(self._files))]
            return Response(body=gzip.decompress(file.read_bytes()), content_type="text/html")
        return Response(404 if way < 0.8 else 429 if way < 0.9 else 500)


# --- the third round ---------------------------------------------------------------------------------------


def edit_of(address: str) -> str:
    return EDITS[int(share_of(f"{address} edit") * len(EDITS))]


_ITEM = re.compile(r"<(item|entry)[\s>].*?</\1>", re.DOTALL)
_GUID = re.compile(r"(<(guid|id)(?:\s[^>]*)?>(?:<!\[CDATA\[)?\s*)(.*?)(\s*(?:\]\]>)?</\2>)", re.DOTALL)
_LINK = re.compile(r"(<link>(?:<!\[CDATA\[)?\s*|<link\s[^>]*?href=[\"'])(https?://[^<\"'\]\s]+)")
_TITLE = re.compile(r"(<title(?:\s[^>]*)?>(?:<!\[CDATA\[)?)(.*?)((?:\]\]>)?</title>)", re.DOTALL)
_DATE = re.compile(r"(<(pubDate|published|updated|dc:date)>\s*)(.*?)(\s*</\2>)", re.DOTALL)


def edited(body: bytes, how: str) -> bytes:
    """The feed with other GUIDs, links, dates or titles, or in another order; a JSON feed as it is."""
    text = body.decode("utf-8", "surrogateescape")
    items = [match.group() for match in _ITEM.finditer(text)]
    change: Callable[[str], str] = {
        "guids": lambda item: _GUID.sub(r"\1urn:moved:\3\4", item, count=1),
        "links": lambda item: _LINK.sub(_other_link, item),
        "order": lambda item: item,
        "dates": lambda item: _DATE.sub(_later, item),
        "titles": lambda item: _TITLE.sub(r"\1Updated: \2\3", item, count=1),
    }[how]
    changed = [change(item) for item in (reversed(items) if how == "order" else items)]
    left = iter(changed)
    return _ITEM.sub(lambda _match: next(left), text).encode("utf-8", "surrogateescape")


def _other_link(match: re.Match[str]) -> str:
    """The link below another path, as after a move to another system."""
    host, slash, path = match[2].partition("://")[2].partition("/")
    return f"{match[1]}{match[2].partition('://')[0]}://{host}/archive/{path}" if slash else match.group()


def _later(match: re.Match[str]) -> str:
    """The date two hours later, in its format."""
    try:
        moved = format_datetime(parsedate_to_datetime(match[3]) + dt.timedelta(hours=2))
    except ValueError:
        try:
            moved = (dt.datetime.fromisoformat(match[3]) + dt.timedelta(hours=2)).isoformat()
        except ValueError:
            return match.group()
    return f"{match[1]}{moved}{match[4]}"


# --- a run -------------------------------------------------------------------------------------------------


class Day:
    """A database, the parts of the daemon that fill it, and their clock."""

    def __init__(self, database: Database, world: RealWorld, feeds: list[Feed]) -> None:
        self.database = database
        self.world = world
        self.clock = JobTime()
        self.peak_pss = 0.0
        self._began = START
        self._batches = 0
        all_tuning = Tuning()
        self._stories = all_tuning.section("stories", StoryTuning)
        settings = Config()
        self._executor = open_executor("processes", settings.work.worker_count, all_tuning)
        self._client = world.client(all_tuning, self.clock)
        shared = (database, self._client, self._executor, all_tuning, self.clock)
        poller = JobPoller(PollServices(*shared), robots=True, pages="auto")
        poller.clock = self.clock
        self._scheduler = PollScheduler(poller, threads=0, arrived=lambda: None)
        self.pipeline = Pipeline(
            database,
            self._executor,
            all_tuning,
            self.clock,
            story_options(settings),
        )
        with database.write() as connection:
            for one in feeds:
                add(
                    connection,
                    Source(
                        id=source_id("feed", None, one.address),
                        kind="feed",
                        address=one.address,
                        name=one.name,
                        interval_seconds=settings.fetch.interval,
                        next_due_at=START,
                    ),
                )
        self._scheduler.cap_due_times(self.clock())

    def run_until(self, ends: dt.datetime) -> None:
        """Let the clock run; stop earlier when every feed was polled in this round and no page is awaited."""
        idle = 0.0
        while self.clock() < ends:
            asked = self.world.requests
            for _ in range(TICKS):
                before = self.world.requests
                self._scheduler.tick()
                if self.world.requests == before:
                    break
            placed = sum(len(batch) for batch in self.pipeline.place_waiting())
            if placed:
                self.pipeline.index_text()
                while render_next(self.database, 20, self._stories):
                    pass
                self._batches += 1
                if self._batches % PSS_EVERY == 1:
                    self.peak_pss = max(self.peak_pss, pss_of_tree())
            elif self._is_settled():
                return
            idle = 0.0 if self.world.requests > asked else min(idle + 1.0, IDLE_SECONDS)
            self.clock.run(1 + idle)

    def ask_all(self) -> None:
        """Begin a round: every feed is due."""
        self.clock.run(60)
        self._began = self.clock()
        with self.database.write() as connection:
            set_due(connection, {one.id: self.clock() for one in all_sources(connection)})

    def close(self) -> None:
        self._client.close()
        self._executor.close()

    def _is_settled(self) -> bool:
        with self.database.read() as connection:
            waiting = select(entry.c.entry_no).where(entry.c.state == "page").limit(1)
            waits = connection.execute(waiting).first()
            polled = [one.last_polled_at for one in all_sources(connection)]
        return waits is None and all(at is not None and at >= self._began for at in polled)


def pss_of_tree() -> float:
    """Megabytes of this process and those that it started."""
    children: dict[str, list[str]] = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            children[stat.read_text().rpartition(")")[2].split()[1]].append(stat.parent.name)
    tree, total = [str(os.getpid())], 0
    for process in tree:
        tree += children[process]
        with contextlib.suppress(OSError, StopIteration):
            lines = Path("/proc", process, "smaps_rollup").read_text().splitlines()
            total += int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return total / 1024


# --- what must hold ----------------------------------------------------------------------------------------


def report(name: str, wrong: list[str], of: str = "") -> None:
    """A property with ok or failed, and the first examples."""
    print(f"{'failed' if wrong else 'ok':<7} {name}{f' ({len(wrong)} of {of})' if wrong else ''}", flush=True)
    for one in wrong[:5]:
        print(f"        {one}")


def check_output(database: Database, show: Path | None, when: str) -> None:
    """The first entries of page and feed have a date."""
    with database.read() as connection:
        dated = select(article.c.story).where(article.c.published.is_not(None))
        undated = {
            row.id: row.title
            for row in connection.execute(select(story.c.id, story.c.title).where(story.c.id.not_in(dated)))
        }
    reader = StoryReader(database, Tuning())
    server = Server(reader, PublishSettings(port=0, full_text="never"))
    with httpx.Client(base_url=server.start(), trust_env=False, timeout=60) as client:
        front = client.get("/").text + client.get("/?page=2").text
        rss = client.get("/feeds/stories.rss").text
    server.stop()
    if show is not None:
        show.mkdir(parents=True, exist_ok=True)
        (show / f"{when}.html").write_text(front)
        (show / f"{when}.rss").write_text(rss)
    for name, found in (
        ("page", re.findall(r"href=\"[^\"]*/stories/(\w+)\"", front)),
        ("feed", re.findall(r"tag:aggregator,2026:story/(\w+)<", rss)),
    ):
        first = list(dict.fromkeys(found))[:FIRST]
        wrong = [f"{undated[id_]} ({id_})" for id_ in first if id_ in undated] if first else ["it is empty"]
        report(f"no undated entry among the first {FIRST} of the {name}, {when}", wrong, str(len(first)))


def check_counts(database: Database) -> None:
    """Counts are at most what a reader can check, and one address is one article.

    An agency that an outlet names is a name, too: its text beside the outlet's own is a second report. Within
    one feed GUIDs tell entries apart: some feeds give all of their items one address.
    """
    names: dict[str, set[str]] = defaultdict(set)
    addresses: dict[str, list[str]] = defaultdict(list)
    with database.read() as connection:
        rows = connection.execute(
            select(article.c.story, article.c.outlet, article.c.wire, article.c.url, article.c.source)
        ).all()
        stories = connection.execute(
            select(story.c.id, story.c.title, story.c.report_count, story.c.outlet_count).where(
                story.c.redirect_to.is_(None)
            )
        ).all()
    for row in rows:
        names[row.story] |= {row.outlet, row.wire} - {None}
        if row.url and (canonical := canonical_url(row.url)):
            addresses[canonical].append(row.source)
    report(
        "no story has more reports than named outlets and agencies",
        [
            f"{one.report_count} reports, {len(names[one.id])} names: {one.title}"
            for one in stories
            if max(one.report_count, one.outlet_count) > len(names[one.id])
        ],
        str(len(stories)),
    )
    twice = [url for url, sources in addresses.items() if len(sources) > 1 and len(set(sources)) > 1]
    of_one_feed = sum(len(sources) > 1 == len(set(sources)) for sources in addresses.values())
    name = f"one article per canonical URL ({of_one_feed} that one feed repeats left out)"
    report(name, twice, str(len(rows)))


def check_waits(database: Database, now: dt.datetime, name: str) -> None:
    """Every entry is placed soon after it was read."""
    with database.read() as connection:
        columns = entry.c.article, entry.c.url, entry.c.accepted_at, entry.c.done_at
        rows = connection.execute(select(*columns).where(~entry.c.is_revision)).all()
    waits: dict[tuple[str, str], float] = {}  # of the first row: the second one waits for a late page
    for row in rows:
        wait = ((row.done_at or now) - row.accepted_at).total_seconds()
        waits[row.article, row.url] = min(wait, waits.get((row.article, row.url), wait))
    late = sorted(((wait, url) for (_, url), wait in waits.items() if wait > VISIBLE_SECONDS), reverse=True)
    report(
        f"every entry is visible within {VISIBLE_SECONDS} s, {name}",
        [f"{wait:,.0f} s: {url}" for wait, url in late],
        str(len(waits)),
    )
    longest = max(waits.values(), default=0.0)
    print(f"        the longest wait is {longest:,.0f} s", flush=True)


def snapshot(database: Database) -> tuple[set[str], dict[str, dt.datetime]]:
    """All articles, and the bumps of all stories."""
    with database.read() as connection:
        articles = set(connection.execute(select(article.c.id)).scalars())
        bumps = {row.id: row.bumped_at for row in connection.execute(select(story.c.id, story.c.bumped_at))}
    return articles, bumps


def check_quiet(database: Database, before: tuple[set[str], dict[str, dt.datetime]], name: str) -> None:
    """A round without news changes nothing that readers are told."""
    articles, bumps = snapshot(database)
    new = articles - before[0]
    with database.read() as connection:
        rows = [
            row
            for row in connection.execute(select(article.c.id, article.c.source, article.c.title))
            if row.id in new
        ]
        names = {one.entry_source: one.address for one in all_sources(connection)}
        titles = {row.id: row.title for row in connection.execute(select(story.c.id, story.c.title))}
    report(
        f"no new article in the {name} round",
        [f"{edit_of(names[row.source])}, {names[row.source]}: {row.title}" for row in rows],
        str(len(before[0])),
    )
    moved = [titles[id_] for id_, at in bumps.items() if before[1].get(id_) != at]
    report(f"no bump in the {name} round", moved, str(len(bumps)))


def check_rows(database: Database, now: dt.datetime) -> None:
    found = [one for one in faults(database, now=now) if not one.is_note]
    report("the deep checks find nothing", [f"{one.what} ({one.rows})" for one in found], "all checks")


def tell_largest(database: Database) -> None:
    """The ten largest stories of several outlets."""
    several = story.c.redirect_to.is_(None), story.c.outlet_count > 1
    largest = story.c.report_count.desc(), story.c.article_count.desc(), story.c.story_no
    with database.read() as connection:
        count = connection.execute(select(func.count()).select_from(story).where(*several)).scalar_one()
        print(f"        {count} stories of several outlets; the largest:")
        for row in connection.execute(select(story).where(*several).order_by(*largest).limit(10)).all():
            print(f"        {row.report_count} reports, {row.article_count} articles: {row.title}")
            members = select(article.c.outlet, article.c.title).where(article.c.story == row.id)
            for one in connection.execute(members):
                print(f"            {one.outlet}: {one.title[:90]}")


def run(data: Path, url: str, pages: str, show: Path | None) -> None:
    """The three rounds."""
    feeds = feeds_of(data)
    database = Database(url)
    upgrade(database)
    world = RealWorld(data, feeds, pages)
    spent, children = time.thread_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    day = Day(database, world, feeds)
    day.run_until(START + dt.timedelta(hours=1))
    check_output(database, show, "after the first hour")
    tell_largest(database)
    if pages != "429":
        day.run_until(START + LONGEST_ROUND)
    check_waits(database, day.clock(), f"pages {pages}")
    check_counts(database)
    for number, name in ((2, "unchanged"), (3, "edited")) if pages != "429" else ():
        before = snapshot(database)
        world.round = number
        day.ask_all()
        day.run_until(day.clock() + LONGEST_ROUND)
        check_quiet(database, before, name)
        check_output(database, show, f"after the {name} round")
        check_counts(database)
    check_rows(database, day.clock())
    day.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = time.thread_time() - spent
    workers = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    with database.read() as connection:
        articles = connection.execute(select(func.count()).select_from(article)).scalar_one()
        failing = sum(one.health == "failing" for one in all_sources(connection))
    print(
        f"        {len(feeds)} feeds ({failing} failing), {articles:,} articles, pages by status "
        f"{dict(world.answers)}; CPU {spent + workers:.0f} s ({workers:.0f} s in workers), "
        f"PSS at most {day.peak_pss:.0f} MB",
        flush=True,
    )
    world.server.close()
    database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = os.environ.get("AGGREGATOR_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(data))
    parser.add_argument("--url", help="an empty database; without it a new SQLite file")
    parser.add_argument("--pages", choices=["mixed", "none", "429"], help="one run; without it mixed and 429")
    parser.add_argument("--show", type=Path, help="write page and feed to this folder")
    given = parser.parse_args()
    set_malloc_options()  # both as the daemon does
    collect_garbage_seldom()
    for pages in [given.pages] if given.pages else ["mixed", "429"]:
        with tempfile.TemporaryDirectory() as folder:
            print(f"== pages {pages}", flush=True)
            is_first = pages == (given.pages or "mixed")
            url = given.url if given.url and is_first else f"sqlite:///{folder}/realday.db"
            run(given.data, url, pages, given.show)


if __name__ == "__main__":
    main()
