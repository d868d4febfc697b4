"""The way of a reader: import an OPML file, read on a phone, mute a word, receive the digest by mail.

The outlets are those of examples/articles, each with a feed on loopback. Screenshots go to tests/output, or
to AGGREGATOR_PICTURES (`make picture`: docs).
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from playwright.sync_api import Browser, ViewportSize

from tests.conftest import REPOSITORY
from tests.support.browser import OUTPUT, PHONE
from tests.support.daemon_process import DaemonProcess
from tests.support.loopback import LoopbackServer, Resource
from tests.support.mail_server import MailServer
from tests.support.reader_client import libgreader_client
from tests.support.rss import item, rss

pytestmark = pytest.mark.later

PICTURES = Path(os.environ.get("AGGREGATOR_PICTURES", OUTPUT))
MUTED = "Kestrow"  # the dam failure, with most outlets
DIGEST_SIZE: ViewportSize = {"width": 640, "height": 430}
SOURCE_SIZE: ViewportSize = {"width": 1200, "height": 900}


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def daemon(tmp_path: Path, mail: MailServer) -> Iterator[DaemonProcess]:
    digest = {
        "every": "daily",
        "stories": 2,
        "to": ["anna@b.example"],
        "address": mail.address,
    }
    settings = {"queries": {"quiet": {"query": f"-{MUTED}"}}, "digest": digest}
    with DaemonProcess(tmp_path, settings) as opened:
        yield opened


def outlets(daemon: DaemonProcess) -> dict[str, list[dict[str, str]]]:
    """The sample articles by their outlets, as the program itself reads them."""
    printed = daemon.command(
        "extract", str(REPOSITORY / "examples" / "articles"), "--format", "jsonl"
    ).stdout
    found = defaultdict(list)
    for one in map(json.loads, printed.splitlines()):
        found[Path(one["what"]).parent.name].append(one)
    return found


def feed(outlet: str, articles: list[dict[str, str]]) -> Resource:
    now = datetime.now(UTC) - timedelta(minutes=5)
    site = f"https://{outlet.replace(' ', '').lower()}.example"
    items = (
        item(
            one["title"],
            one["text"],
            guid=one["what"],
            link=f"{site}/{number}",
            published=now,
        )
        for number, one in enumerate(articles)
    )
    return Resource(rss(*items, title=escape(outlet)))


@contextmanager
def imported(
    daemon: DaemonProcess, samples: dict[str, list[dict[str, str]]]
) -> Iterator[None]:
    """From an OPML file, in one folder; all are placed, and their servers answer within the block."""
    with LoopbackServer(
        {f"/{n}": feed(*one) for n, one in enumerate(samples.items())}
    ) as server:
        lines = "".join(
            f'<outline text="{escape(name)}" type="rss" xmlUrl="{server.url(f"/{n}")}"/>'
            for n, name in enumerate(samples)
        )
        opml = f'<opml version="2.0"><body><outline text="News">{lines}</outline></body></opml>'
        (daemon.folder / "outlets.opml").write_text(opml, encoding="utf-8")
        done = daemon.command("sources", "import", "--allow-private", "outlets.opml")
        assert done.returncode == 0, done.stderr
        titles = {one["title"] for articles in samples.values() for one in articles}

        def is_placed() -> bool:
            found = {
                article["title"]
                for story in daemon.stories()
                for article in story["articles"]
            }
            return found >= titles and not daemon.waiting()

        daemon.wait_for(is_placed, "all articles")
        yield


def test_a_reader_imports_reads_mutes_and_gets_the_digest(
    browser: Browser,
    daemon: DaemonProcess,
    mail: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = browser.new_page(viewport=SOURCE_SIZE, color_scheme="light")
    with imported(daemon, outlets(daemon)):
        page.goto(f"{daemon.address}/sources")
        page.locator("main th a").first.click()
        assert page.locator("main article, main li").count() > 1
        page.screenshot(path=str(PICTURES / "source-page.png"))
    stories = daemon.stories()
    found = daemon.read_json(f"/api/v1/stories?query={MUTED}")["stories"]
    dam = max(found, key=lambda one: one["outlet_count"])
    assert dam["outlet_count"] >= 3

    token = daemon.token("phone", "read")
    client = libgreader_client(daemon.address, "anna", token, monkeypatch)
    assert client.buildSubscriptionList()
    (news,) = client.getCategories()
    assert news.label == "News"
    news.loadItems(excludeRead=True, loadLimit=50)
    assert len(news.items) == len(stories)
    (item,) = [one for one in news.items if one.title == dam["title"]]
    assert item.markRead()
    assert item.star()
    news.clearItems()
    news.loadItems(excludeRead=True, loadLimit=50)
    assert dam["title"] not in [one.title for one in news.items]

    quiet = daemon.read_json("/feeds/quiet.json")["items"]
    assert 0 < len(quiet) < len(stories)
    assert MUTED not in json.dumps(quiet)
    assert daemon.command("digest").returncode == 0
    mail.wait(lambda: len(mail.taken) == 1)
    body = mail.taken[0].get_body(("html",))
    page.set_viewport_size(PHONE)
    page.goto(daemon.address)
    assert dam["title"] in page.inner_text("main")
    page.goto(f"{daemon.address}/?query=-{MUTED}")
    assert dam["title"] not in page.inner_text("main")
    page.screenshot(path=str(PICTURES / "muted-phone.png"))
    page.set_viewport_size(DIGEST_SIZE)
    page.set_content(body.get_content())
    assert page.locator("h2").count() == 2
    page.screenshot(path=str(PICTURES / "digest-mail.png"))
