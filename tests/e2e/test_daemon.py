"""The real daemon against real servers: what it makes of good outlets, bad ones, folders, signals."""

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import feedparser
import pytest

from tests.support.daemon_process import WORKER, WORKERS, DaemonProcess, resident_mib
from tests.support.loopback import LoopbackServer, Request, Response, free_port
from tests.support.outlets import SAMPLES, Outlet, report
from tests.support.terminal import jsonl

DAM = report(
    "Marenholt Courier/kestrow-dam-gives-way",
    "Kestrow Dam gives way above Tarrowmere, killing at least four",
    hours_ago=30,
)
FIRE = report(
    "Marenholt Courier/chemical-fire-in-halverne-harbour",
    "Chemical fire in Halverne harbour leaves 16 injured and thousands indoors",
    hours_ago=9,
)
DUTIES = report(
    "Marenholt Courier/union-imposes-duties-on-steel",
    "Union imposes duties on Torvaskan steel and fertiliser",
    hours_ago=21,
)
DAM_ON_AIR = report(
    "Radio Vessaly/tarrowmere-flood-what-is-known",
    "Dam breach floods Tarrowmere: rescue teams search for eleven missing people",
    hours_ago=29,
)
FIRE_ON_AIR = report(
    "Radio Vessaly/halverne-chemical-plant-fire",
    "Fire at chemical plant in Halverne: residents told to stay indoors",
    hours_ago=8,
)
LYNX = report(
    "Radio Vessaly/lynx-cubs-sallow-hills",
    "First lynx cubs for 140 years photographed in the Sallow Hills",
    hours_ago=50,
)
FIRE_IN_POST = report(
    "Lowland Post/fire-at-halverne-solvent-works",
    "Sixteen hurt in fire at Halverne solvent works",
    hours_ago=10,
)
DUTIES_IN_POST = report(
    "Lowland Post/sixth-round-of-duties-explained",
    "Dearer fertiliser from December: what the sixth round of Union tariffs means for the lowlands",
    hours_ago=20,
)
DAM_NIGHT = report(
    "Arrel Valley Gazette/night-the-river-came",
    '"We heard it before we saw it": the night the Arrel took the Low Quays',
    hours_ago=26,
)
DAM_LATER = report(
    "Arrel Valley Gazette/kestrow-toll-rises-siren-log",
    "Kestrow toll rises to six as siren log contradicts Riverworks",
    hours_ago=20,
)
FERRIES = report(
    "Grimmhafener Tageblatt/faehren-bleiben-im-hafen",
    "Warnstreik bei der Nordlinie: Fähren nach Lornum bleiben zwei Tage im Hafen",
    hours_ago=5,
)


@pytest.fixture
def outlets() -> Iterator[dict[str, Outlet]]:
    """Five outlets, five events, every kind of feed."""
    made = [
        Outlet("Marenholt Courier", "rss", [DUTIES, FIRE, DAM], gzip=True),
        Outlet(
            "Radio Vessaly", "atom", [FIRE_ON_AIR, DAM_ON_AIR, LYNX], full_text=False
        ),
        Outlet(
            "Lowland Post",
            "rdf",
            [FIRE_IN_POST, DUTIES_IN_POST],
            full_text=False,
            moved=True,
        ),
        Outlet("Arrel Valley Gazette", "json", [DAM_NIGHT], etag=None),
        Outlet("Grimmhafener Tageblatt", "rss", [FERRIES], encoding="iso-8859-1"),
    ]
    yield {one.name: one for one in made}
    for one in made:
        one.server.close()


def groups(daemon: DaemonProcess) -> set[frozenset[str]]:
    """The headlines of each story's articles."""
    return {
        frozenset(article["title"] for article in story["articles"])
        for story in daemon.stories()
    }


def leads(daemon: DaemonProcess) -> dict[str, str]:
    """The beginning of each article's text, by headline."""
    found = [
        daemon.read_json(f"/api/v1/stories/{story['id']}") for story in daemon.stories()
    ]
    return {
        article["title"]: article.get("lead", "")
        for story in found
        for article in story["articles"]
    }


def feed_items(daemon: DaemonProcess) -> dict[str, str]:
    """GUID and time of each item of the RSS, as a feed reader sees them."""
    parsed = feedparser.parse(daemon.get("/feeds/stories.rss").content)
    assert not parsed.bozo
    return {entry.id: entry.published for entry in parsed.entries}


def story_rows(daemon: DaemonProcess) -> list[tuple[Any, ...]]:
    """Every column of every story, once all their texts are told."""
    unrendered = "SELECT 1 FROM story WHERE text IS NULL AND redirect_to IS NULL"
    daemon.wait_for(lambda: not daemon.rows(unrendered), "what all stories show")
    return daemon.rows("SELECT * FROM story ORDER BY story_no")


def wait_for_articles(daemon: DaemonProcess, count: int) -> None:
    def placed() -> bool:
        return sum(story["article_count"] for story in daemon.stories()) >= count

    daemon.wait_for(placed, f"{count} articles in stories")


def wait_for_rounds(
    daemon: DaemonProcess, outlets: dict[str, Outlet], rounds: int
) -> None:
    """Until every feed was asked that often from now on, and what came of it is placed."""
    wanted = {name: outlet.polls() + rounds for name, outlet in outlets.items()}
    daemon.wait_for(
        lambda: all(outlets[name].polls() >= wanted[name] for name in outlets),
        "rounds of polls",
    )
    daemon.wait_for(lambda: daemon.waiting() == 0, "an empty inbox")


def sources(outlets: dict[str, Outlet]) -> dict[str, Any]:
    return {
        "sources": [outlet.settings() for outlet in outlets.values()],
        "work": WORKER,
    }


# --- outlets, rounds and stories ---------------------------------------------------------------------------


def test_rounds_of_polls_make_stories_once(
    tmp_path: Path, outlets: dict[str, Outlet]
) -> None:
    with DaemonProcess(tmp_path, sources(outlets)) as daemon:
        wait_for_articles(daemon, 10)
        first_round(daemon)
        before, items = story_rows(daemon), feed_items(daemon)

        quiet_round(daemon, outlets)
        assert story_rows(daemon) == before, "a poll without news wrote to a story"

        for outlet in outlets.values():
            outlet.rename_everything()
        wait_for_rounds(daemon, outlets, 2)
        assert story_rows(daemon) == before, "fresh GUIDs or trackers changed a story"

        assert daemon.stop() == 0
        daemon.start()
        wait_for_rounds(daemon, outlets, 2)
        assert feed_items(daemon) == items
        assert story_rows(daemon) == before, "a restart changed a story"
        assert not daemon.lines("event=source_polled"), "known items came in as new"

        one_story_grows(daemon, outlets, items)
        assert daemon.stop() == 0


def first_round(daemon: DaemonProcess) -> None:
    """Over each of the ways in which people read."""
    dam = {DAM.title, DAM_ON_AIR.title, DAM_NIGHT.title}
    fire = {FIRE.title, FIRE_ON_AIR.title, FIRE_IN_POST.title}
    expected = {
        *map(frozenset, (dam, fire, {DUTIES.title, DUTIES_IN_POST.title}, {LYNX.title}))
    }
    assert groups(daemon) == expected | {frozenset({FERRIES.title})}
    by_title = {
        article["title"]: story
        for story in daemon.stories()
        for article in story["articles"]
    }
    assert by_title[FIRE.title]["report_count"] == 2, (
        "one agency text at two outlets is one report"
    )
    assert len(feed_items(daemon)) == 5
    page = daemon.get("/").text
    assert all(
        story["title"].split()[0].strip('"') in page for story in daemon.stories()
    )
    assert LYNX.beyond in leads(daemon)[LYNX.title], (
        "the page's text, not the feed's teaser"
    )
    lasts = "SELECT 1 FROM counter WHERE name = 'first_reading'"
    daemon.wait_for(lambda: not daemon.rows(lasts), "the end of the first reading")
    waits = "SELECT 1 FROM command WHERE state = 'waiting'"
    daemon.wait_for(lambda: not daemon.rows(waits), "the decisions in order of time")


def quiet_round(daemon: DaemonProcess, outlets: dict[str, Outlet]) -> None:
    """Two more polls of each feed: all conditional where the server gave an ETag; nothing else is fetched."""
    seen = {name: len(outlet.server.requests) for name, outlet in outlets.items()}
    said = len(daemon.log().splitlines())
    wait_for_rounds(daemon, outlets, 2)
    for name, outlet in outlets.items():
        asked = outlet.server.requests[seen[name] :]
        assert {request.path for request in asked} <= {"/feed", outlet.feed_path}
        conditional = ["if-none-match" in request.headers for request in asked]
        assert all(conditional) if outlet.etag == "" else not any(conditional)
    assert daemon.log().splitlines()[said:] == []


def one_story_grows(
    daemon: DaemonProcess, outlets: dict[str, Outlet], items: dict[str, str]
) -> None:
    post = outlets["Lowland Post"]
    post.reports.insert(0, DAM_LATER)
    post.publish()
    wait_for_articles(daemon, 11)
    now = feed_items(daemon)
    assert now.keys() == items.keys()
    changed = [guid for guid in now if now[guid] != items[guid]]
    assert len(changed) == 1, "exactly the story that grew is bumped"
    newest = daemon.stories()[0]
    assert changed[0].endswith(newest["id"]), "and it stands first"
    assert {article["title"] for article in newest["articles"]} >= {
        DAM_LATER.title,
        DAM.title,
    }
    assert newest["article_count"] == 4


# --- pages -------------------------------------------------------------------------------------------------


@pytest.mark.later
def test_pages_that_do_not_come_hold_up_nobody(tmp_path: Path) -> None:
    good, gone, forbidden, hanging = DAM_ON_AIR, FIRE_ON_AIR, LYNX, DUTIES_IN_POST
    outlet = Outlet(
        "Radio Vessaly", "atom", [good, gone, forbidden, hanging], full_text=False
    )
    outlet.server.routes |= {
        gone.path: Response(404, body="gone"),
        hanging.path: Response(200, body="late", delay_seconds=600),
        "/robots.txt": Response(
            200, body=f"User-agent: *\nDisallow: {forbidden.path}\n"
        ),
    }
    patience = {
        "net": {"fetch_deadline_seconds": 2.0},
        "polling": {"page_retry_seconds": 0.1},
    }
    settings = {"sources": [outlet.settings()], "log": {"level": "debug"}}
    with DaemonProcess(tmp_path, settings, tuning=patience) as daemon:
        wait_for_articles(daemon, 4)
        last = "the text of the feed is used"
        daemon.wait_for(
            lambda: len([x for x in daemon.lines("page http") if last in x]) == 3,
            "all attempts",
        )
        waiting = "SELECT count(*) FROM entry WHERE state <> 'done'"
        daemon.wait_for(lambda: daemon.rows(waiting) == [(0,)], "the inbox to be empty")
        texts = leads(daemon)
        assert good.beyond in texts[good.title]
        for one in (gone, forbidden, hanging):
            assert one.teaser.split(",")[0] in texts[one.title]
            assert one.beyond not in texts[one.title]
        assert forbidden.path not in outlet.server.paths()
        assert outlet.server.paths().count(hanging.path) == 3
        assert daemon.rows("SELECT count(*) FROM article") == [(4,)]
    outlet.server.close()


@pytest.mark.later
def test_a_stop_with_everything_under_way_loses_nothing(tmp_path: Path) -> None:
    outlet = Outlet("Radio Vessaly", "atom", [DAM_ON_AIR, LYNX], full_text=False)
    outlet.server.routes |= {
        one.path: Response(200, delay_seconds=600) for one in (DAM_ON_AIR, LYNX)
    }
    slow = LoopbackServer({"*": Response(200, delay_seconds=600)})
    shutil.copytree(SAMPLES, tmp_path / "articles")
    feeds = [outlet.settings(), {"feed": slow.url("/feed"), "name": "slow"}]
    nowhere = {"feed": "http://nowhere.invalid/feed", "name": "nowhere"}
    listed = [*feeds, nowhere, {"folder": "articles", "name": "samples"}]
    settings = {"sources": listed, "fetch": {"interval": "2s"}, "work": WORKERS}
    with DaemonProcess(tmp_path, settings) as daemon:
        pages = {DAM_ON_AIR.path, LYNX.path}
        daemon.wait_for(
            lambda: pages <= set(outlet.server.paths()) and slow.requests,
            "fetches under way",
        )
        workers = daemon.wait_for(daemon.workers, "workers")
        assert daemon.stop() == 0  # long before a fetch would end
        assert daemon.log().rstrip().endswith("stopped event=daemon_stopped")
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
        states = dict(daemon.rows("SELECT state, count(*) FROM entry GROUP BY state"))
        assert states.pop("page") == 2
        assert "refused" not in states
        assert daemon.sources()["slow"]["state"] == "new", (
            "a stop is no failure of the source"
        )

        outlet.publish()
        daemon.start()
        wait_for_articles(daemon, 38)
        assert daemon.rows("SELECT count(*) FROM entry WHERE state != 'done'") == [(0,)]
        assert LYNX.beyond in leads(daemon)[LYNX.title]
    outlet.server.close()
    slow.close()


# --- what is broken ----------------------------------------------------------------------------------------


def endless(_request: Request) -> Response:
    return Response(
        200,
        body=(b"<!-- filler -->" * 4096 for _ in range(400)),
        content_type="application/xml",
    )


BROKEN: dict[str, tuple[Any, str]] = {
    "gone": (Response(404, body="no"), "http 404"),
    "failing": (Response(500, body="oh"), "http 500"),
    "page": (
        Response(
            200, body="<!doctype html><title>Hi</title><p>x", content_type="text/html"
        ),
        "web page",
    ),
    "empty": (Response(200, body=b"", content_type="application/xml"), "empty"),
    "torn": (
        Response(
            200, body="<?xml version='1.0'?><rss><chan<<&&", content_type="text/xml"
        ),
        "no feed",
    ),
    "huge": (endless, "too_large"),
    "busy": (Response(429, {"Retry-After": "120"}), "http 429"),
}


@pytest.mark.later
def test_each_broken_source_is_logged_and_the_rest_continues(tmp_path: Path) -> None:
    servers = {
        name: LoopbackServer({"*": route}) for name, (route, _) in BROKEN.items()
    }
    good = Outlet("Lowland Post", "rss", [FIRE_IN_POST])
    addresses = {name: server.url("/feed") for name, server in servers.items()}
    addresses |= {
        "dead": f"http://127.0.0.1:{free_port()}/feed",
        "nameless": "http://nowhere.invalid/feed",
    }
    listed = [{"feed": address, "name": name} for name, address in addresses.items()]
    causes = {name: cause for name, (_, cause) in BROKEN.items()} | {
        "dead": "connect",
        "nameless": "dns",
    }
    settings = {"fetch": {"interval": "2s"}, "sources": [*listed, good.settings()]}
    with DaemonProcess(
        tmp_path, settings, tuning={"net": {"interval_floor_seconds": 1.0}}
    ) as daemon:
        wait_for_articles(daemon, 1)
        daemon.wait_for(
            lambda: all(daemon.lines(f"warning {name}: ") for name in causes),
            "all causes",
        )
        health = daemon.sources()
        for name, cause in causes.items():
            assert health[name]["state"] == "failing", name
            assert cause in f"{health[name]['cause']}: {health[name]['problem']}", (
                health[name]
            )
            line = daemon.lines(f"warning {name}: ")[0]
            assert len(line) < 250
            assert daemon.lines(f" {name}: ") == [line], "the same cause is told once"
            assert cause in line
        assert health["Lowland Post"]["state"] == "ok"
        assert health["Lowland Post"]["problem"] is None
        assert "Traceback" not in daemon.log()
        assert len(servers["busy"].requests) == 1, "it was told when to come back"

        Outlet("gone", "rss", [LYNX], server=servers["gone"])
        wait_for_articles(daemon, 2)
        recovered = daemon.sources()["gone"]
        assert recovered["state"] == "ok"
        assert recovered["problem"] is None
        daemon.wait_for_line("info    gone: 1 new")
        assert len(daemon.lines("info    gone works again")) == 1
    for server in [*servers.values(), good.server]:
        server.close()


# --- folders -----------------------------------------------------------------------------------------------


# Parsers and what only commands use: in the process that lives for weeks they would be so much memory.
ELSEWHERE = {
    *("trafilatura", "feedparser", "py3langid", "datasketch", "scipy", "distributed"),
    *("rich", "pygments", "aggregator.admin.evaluate"),
    *("aggregator.extract.clean_article", "aggregator.extract.wire.wire"),
}
MOST_MIB = 130.0  # resident memory of the main process with one article placed


def imported_by(daemon: DaemonProcess) -> set[str]:
    """The modules that the main process has loaded; it has to be started with PYTHONPROFILEIMPORTTIME."""
    return {line.rpartition("|")[2].strip() for line in daemon.lines("import time:")}


@pytest.mark.later
def test_a_watched_folder_is_read_once(tmp_path: Path) -> None:
    folder = tmp_path / "articles"
    folder.mkdir()
    old = tmp_path / "backups" / "stories-20200101T000000Z.db.zst"
    old.parent.mkdir()
    old.write_bytes(b"of six years ago: the next one is due")
    settings = {
        "sources": [{"folder": "articles", "name": "desk"}],
        "backup": {"every": "1h", "keep": 1},
        "work": WORKER,
    }
    with DaemonProcess(tmp_path, settings, PYTHONPROFILEIMPORTTIME="1") as daemon:
        (folder / "empty.txt").write_bytes(b"")
        (folder / "noise.txt").write_bytes(bytes(range(256)) * 40)
        shutil.copy(
            SAMPLES / "Radio Vessaly" / "lynx-cubs-sallow-hills.txt",
            folder / "lynx.txt",
        )
        wait_for_articles(daemon, 1)
        daemon.wait_for_line("warning desk: ")
        health = daemon.sources()["desk"]
        assert health["state"] == "ok"
        assert "noise.txt" in health["problem"] or "empty.txt" in health["problem"]
        assert len(daemon.lines("warning desk: ")) <= 2, "told once, not at every look"
        assert resident_mib(daemon.process.pid) <= MOST_MIB, (
            "with an article placed on a new database"
        )
        imported = imported_by(daemon)
        assert {"sqlalchemy", "numpy", "alembic"} <= imported
        assert not ELSEWHERE & imported

        assert daemon.stop() == 0
        daemon.start()
        shutil.copy(
            SAMPLES / "Daily Siren" / "parrot-calls-fire-brigade.txt",
            folder / "parrot.txt",
        )
        wait_for_articles(daemon, 2)
        assert daemon.sources()["desk"]["problem"] == health["problem"]
        other = (
            SAMPLES / "Radio Vessaly" / "union-tariffs-timber-machines.txt"
        ).read_bytes()
        same_to_the_eye(folder / "lynx.txt", other)
        wait_for_articles(daemon, 3)
        assert daemon.rows("SELECT count(*) FROM entry") == [(3,)]
        keeps_backups(daemon, old)


def keeps_backups(daemon: DaemonProcess, old: Path) -> None:
    """A new one takes the place of the old one, and can be put back."""
    daemon.wait_for(
        lambda: not old.exists(), "a backup, for which the old one made room"
    )
    (new,) = old.parent.glob("[!.]*")
    said = daemon.command("db", "restore", str(new), "--database", "restored.db").stderr
    assert re.search(rf"restored {new} to .*: [123] articles?$", said, re.MULTILINE), (
        said
    )


def same_to_the_eye(path: Path, other: bytes) -> None:
    """Other bytes in a file of the same size and time: only when its inode changed tells."""
    before = path.stat()
    path.write_bytes((other + b" " * before.st_size)[: before.st_size])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


# --- figures, words ----------------------------------------------------------------------------------------


@pytest.mark.later
def test_a_daemon_without_sources_logs_little_and_needs_no_workers(
    tmp_path: Path,
) -> None:
    with DaemonProcess(tmp_path, {"work": WORKER}) as daemon:
        assert daemon.get("/").status_code == 200
        assert not daemon.workers()
        assert daemon.stop(signal.SIGINT) == 0
    kinds = [line.split(maxsplit=3)[3].split()[0] for line in daemon.log().splitlines()]
    assert sorted(kinds[:3]) == ["anyone", "listening", "no"], (
        "who the owner is; where; no sources yet"
    )
    assert "aggregator sources add URL" in daemon.log()
    assert kinds[3:] == ["SIGINT:", "stopped"]


@pytest.mark.later
def test_a_daemon_with_nothing_to_do_seldom_wakes(tmp_path: Path) -> None:
    """A busy machine only makes it wake less often."""
    outlet = Outlet("Lowland Post", "rss", [FIRE])
    with DaemonProcess(
        tmp_path, {"fetch": {"interval": "1h"}, "sources": [outlet.settings()]}
    ) as daemon:
        daemon.wait_for(daemon.stories, "the article")
        story_rows(daemon)  # rendered, and indexed before that
        before = switches(daemon.process.pid)
        time.sleep(10.0)
        assert switches(daemon.process.pid) - before <= 40, (
            "it looks once a second in two threads"
        )
        assert daemon.command("ingest", str(SAMPLES)).returncode == 0, (
            "another process hands in articles"
        )
    outlet.server.close()


@pytest.mark.later
def test_what_a_first_reading_leaves_in_the_log_is_no_cost_of_later_polls(
    tmp_path: Path,
) -> None:
    log = tmp_path / "stories.db-wal"
    news = [
        {"id": f"{n}", "source": "Herald", "title": f"Herald {n}", "text": f"Word {n}."}
        for n in range(150)
    ]
    (tmp_path / "many.jsonl").write_text(jsonl(*news), encoding="utf-8")
    with DaemonProcess(tmp_path, {}) as daemon:
        assert daemon.command("ingest", "many.jsonl").returncode == 0
        daemon.wait_for(lambda: log.stat().st_size == 0, "the empty log")
        (tmp_path / "one.jsonl").write_text(
            jsonl({**news[0], "id": "later", "title": "Later"}), encoding="utf-8"
        )
        assert daemon.command("ingest", "one.jsonl").returncode == 0
        assert log.stat().st_size > 0, "one article is no reason"


def switches(process: int) -> int:
    """How often the threads of a process have waited."""
    states = [
        file.read_text() for file in Path(f"/proc/{process}/task").glob("*/status")
    ]
    return sum(
        int(state.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
        for state in states
    )
