"""No door shows a read token what is secret in the address of a source.

Each source has a key in another form, in its address, as its name, in its redirect and in its problem. A crawler with
a read token opens every page, feed, client list and export, and follows every link.
"""

import logging
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urljoin, urlsplit

import pytest

from aggregator.config.logging import set_up
from aggregator.config.messages import redact_address
from aggregator.model.errors import FetchError
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import add, update_source
from tests.support.newsroom import STRANGER, Newsroom
from tests.support.polling import feed_source
from tests.support.reader_client import ReaderClient
from tests.support.rows import written_by

KEY = "qX7mArker9"
FORMS = {
    "key": f"?key={KEY}",
    "t": f"?t={KEY}",
    "k": f"?page=2&k={KEY}",
    "pw": f"?pw={KEY}",
    "code": f"?code={KEY}",
    "hash": f"?hash={KEY}",
    "sid": f"?sid={KEY}",
    "session in the path": f";jsessionid={KEY}",
    "session in the path before a query": f";jsessionid={KEY}?page=2",
    "token in data": f"?data=token:{KEY}",
    "token in JSON": "?data=%7B%22token%22%3A%22" + KEY + "%22%7D",
    "name that is escaped": f"?p%61ssword={KEY}",
    "value that is escaped": "?feed=%71X7mArker9",
    "part of the path": f"/{KEY}/all.xml",
    "last part of the path": f"/{KEY}",
    "key in the path": f"/key={KEY}/all",
    "part behind its name": "/token/marker/all",
    "parameter without a name": f"?{KEY}",
    "parameter after a semicolon": f"?lang=en;u={KEY}",
    "nested address": f"?url=https%3A%2F%2Fh.example%2F%3Fkey%3D{KEY}",
    "fragment": f"#{KEY}",
    "public name": f"?lang={KEY}",
    "upper case": f"?KEY={KEY}",
    "two question marks": f"?page=2?k={KEY}",
}
MARKS = (KEY, "%71X7mArker9", "/token/marker")
ADDRESSES = {
    "user and password": f"https://reader:{KEY}@h.example/feed",
    "user": f"https://{KEY}@h.example/feed",
    **{form: f"https://h.example/feed{end}" for form, end in FORMS.items()},
}


def shows_a_key(text: str) -> bool:
    return any(mark in text for mark in MARKS)


@pytest.fixture
def room(database: Database) -> Iterator[Newsroom]:
    """A newsroom with a source for each form; half of them have no name but their address."""
    with Newsroom(database).fill().start_writing() as room:
        for number, (form, address) in enumerate(ADDRESSES.items()):
            source = feed_source(address, name=form if number % 2 else None)
            written_by(database, add, source)
            written_by(
                database,
                update_source,
                source.id,
                health="failing",
                health_cause=str(
                    FetchError("http 404", f"{address} leads to {address}")
                ),
                failures=3,
                redirected_url=address,
                site_url=address,
                self_url=address,
            )
        yield room


def links_of(page: str, at: str) -> set[str]:
    """Return the paths that a page links to on this server."""
    found = re.findall(r"""(?:href|src|action)=["']([^"'#]+)""", page)
    paths = set()
    for link in found:
        parts = urlsplit(urljoin(f"http://here{at}", unescape(link)))
        if parts.netloc == "here":
            paths.add(parts.path + (f"?{parts.query}" if parts.query else ""))
    return paths


READER = (
    "subscription/list",
    "subscription/export",
    "tag/list",
    "unread-count",
    "user-info",
    "stream/contents/user/-/state/com.google/reading-list",
)


@pytest.mark.parametrize("headers", [{}, STRANGER], ids=["owner", "stranger"])
def test_a_crawl_with_a_read_token_finds_no_key_of_a_source(
    room: Newsroom, headers: dict[str, str]
) -> None:
    secret = room.token("crawler", "read")
    described = room.get("/api/v1/openapi.json", secret).json()
    waiting = {"/", "/sources", "/status", "/metrics", "/healthz", "/readyz", "/mutes"}
    waiting |= {path for path in described["paths"] if "{" not in path}
    sources = room.get("/api/v1/sources?limit=500", secret).json()["sources"]
    assert len(sources) == len(ADDRESSES)
    waiting |= {f"/sources/{source['id']}" for source in sources}
    waiting |= {"/feeds/stories.rss", "/feeds/stories.atom", "/feeds/stories.json"}
    seen: set[str] = set()
    while waiting and len(seen) < 400:
        path = waiting.pop()
        seen.add(path)
        answer = room.get(path, secret, **headers)
        said = f"{answer.text} {answer.headers}"
        assert not shows_a_key(said), f"{path} shows a key of a source"
        waiting |= links_of(answer.text, path) - seen
    assert len(seen) > 50, "the crawler found its way"


def test_a_client_with_a_read_token_gets_no_key_of_a_source(room: Newsroom) -> None:
    client = ReaderClient(
        room.client.base_url, "phone", room.token("phone", "read"), **STRANGER
    )
    for call in READER:
        answer = client.http.get(f"/reader/api/0/{call}", params={"output": "json"})
        assert answer.status_code == 200, answer.text
        assert not shows_a_key(answer.text), f"{call} shows a key of a source"
    subscriptions = client.get("subscription/list")["subscriptions"]
    addresses = [subscription["url"] for subscription in subscriptions]
    assert len(set(addresses)) == len(addresses), "clients tell sources by addresses"


@pytest.mark.parametrize("form", ADDRESSES)
def test_no_log_has_a_key_of_a_source(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up("debug", "text")
    log = logging.getLogger("aggregator.test")
    log.warning("%s: moved to %s.", ADDRESSES[form], ADDRESSES[form])
    try:
        raise FetchError("http 404", ADDRESSES[form])
    except FetchError:
        log.exception("cannot read (%s)", ADDRESSES[form])
    logged = capsys.readouterr().err
    assert "cannot read" in logged
    assert not shows_a_key(logged)


def test_what_is_public_in_an_address_stays() -> None:
    """117 real feeds were looked at; these are their kinds."""
    for address in (
        "https://feeds.bbci.co.uk/news/world/rss.xml",
        "https://news.google.com/rss/search?q=ferry&hl=en-US&gl=US&ceid=US:en",
        "https://www.esa.int/rssfeed/Our_Activities/Space_News",
        "https://video.example/feeds/videos.xml?channel_id=UC16niRr50aMSBwiO3Y",
        "https://h.example/2026/11/26/ferry-in-fog-off-lindmar?page=2",
        "https://h.example/%D0%BD%D0%BE%D0%B2%D0%BE%D1%81%D1%82%D0%B8/rss2",
    ):
        assert redact_address(address) == address
