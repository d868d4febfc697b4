"""A source whose server refuses programs, or that has no feed, is made to work in the browser."""

import re
from collections.abc import Iterator

import httpx
import pytest

from aggregator.config.configured_access import Access
from aggregator.intake.polling.poll_result import PollResult
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_access_rows import (
    save_access,
    typed_access,
)
from aggregator.store.intake.source_rows import all_sources
from aggregator.store.maintenance import row_stream
from tests.support.loopback import LoopbackServer, Request, Response
from tests.support.newsroom import Newsroom
from tests.support.polling import poll_configured
from tests.support.rows import read_by, written_by
from tests.support.tables import rows

FEED = "<rss><channel><title>Courier</title><item><title>Levee breaks</title><link>/1</link></item></channel></rss>"
LISTING = (
    '<html><body><div class="all"><p class="item"><a href="/a">Levee breaks at Pennmouth</a></p>'
    '<p class="item"><a href="/b">Dock workers walk out</a></p></div></body></html>'
)
SECRET = "session=Kek5-secret"


@pytest.fixture
def room(database: Database) -> Iterator[Newsroom]:
    with Newsroom(database) as opened:
        yield opened


@pytest.fixture
def other() -> Iterator[LoopbackServer]:
    with LoopbackServer({}) as elsewhere:
        yield elsewhere


def form_of(room: Newsroom) -> dict[str, str]:
    """The field that every form of this browser has."""
    page = room.client.get("/sources").text
    return {"form": re.findall(r'name="form" value="(\w+)"', page)[0]}


def polled(room: Newsroom, database: Database) -> PollResult:
    """Poll the only source, as the daemon does."""
    (result,) = poll_configured(database, room.services.config, pages="never").values()
    return result


def add_from(room: Newsroom, preview: httpx.Response) -> str:
    """Add the source of a preview, and return the path of its page."""
    fields = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', preview.text)
    added = room.client.post("/sources/add", data=dict(fields)).headers["location"]
    return f"/sources/{added.partition('added=')[2]}"


@pytest.mark.later
def test_headers_that_a_server_asks_for_are_typed_and_never_shown(
    room: Newsroom, server: LoopbackServer, database: Database
) -> None:
    def answer(request: Request) -> Response:
        if SECRET not in request.headers.get("cookie", ""):
            return Response(403)
        return Response(body=FEED, content_type="application/rss+xml")

    server.routes["/feed"] = answer
    form = form_of(room)
    typed = {"url": server.url("/feed"), "cookie": SECRET} | form
    refused = room.client.post("/sources/preview", data=typed | {"cookie": ""})
    assert refused.status_code == 409
    assert "User-Agent" in refused.text
    preview = room.client.post("/sources/preview", data=typed)
    assert "Levee breaks" in preview.text
    assert preview.headers["cache-control"] == "no-store"
    page = add_from(room, preview)
    assert polled(room, database).succeeded
    shown = room.client.get(page).text
    assert "Cookie" in shown
    assert SECRET not in shown
    assert SECRET not in room.client.get("/sources").text

    assert (
        room.client.post(page, data={"act": "forget access"} | form).status_code == 303
    )
    assert polled(room, database).problem is not None
    saved = {"act": "save access", "headers": f"Cookie: {SECRET}"} | form
    assert room.client.post(page, data=saved).status_code == 303
    assert polled(room, database).succeeded


def test_what_was_typed_goes_to_the_origin_for_which_it_was_typed(
    room: Newsroom,
    server: LoopbackServer,
    other: LoopbackServer,
    database: Database,
) -> None:
    came: list[str] = []

    def answer(request: Request) -> Response:
        came.append(request.headers.get("x-key", ""))
        return Response(body=FEED, content_type="application/rss+xml")

    server.routes["/feed"] = answer
    typed = {"url": server.url("/feed"), "headers": "X-Key: kept"} | form_of(room)
    room.client.post("/sources/add", data=typed)
    assert polled(room, database).succeeded
    assert came[-1] == "kept"
    # As if it had been typed for a site whose feed is at another server.
    (source,) = read_by(database, all_sources)
    elsewhere = Access(other.url("/"), {"X-Key": "of the site"})
    written_by(database, save_access, source.id, elsewhere)
    assert polled(room, database).succeeded
    assert came[-1] == ""
    # What is typed on the page of the source is for the server of its feed, and nothing of before.
    saved = {"act": "save access", "headers": "X-Other: 1"} | form_of(room)
    room.client.post(f"/sources/{source.id}", data=saved)
    assert polled(room, database).succeeded
    assert came[-1] == ""
    again = {"act": "save access", "headers": "X-Key: typed again"} | form_of(room)
    room.client.post(f"/sources/{source.id}", data=again)
    assert polled(room, database).succeeded
    assert came[-1] == "typed again"
    stored = read_by(database, typed_access, source.id)
    assert stored.headers == {"X-Other": "1", "X-Key": "typed again"}


@pytest.mark.later
def test_a_source_is_asked_through_its_own_proxy(
    room: Newsroom, server: LoopbackServer, other: LoopbackServer, database: Database
) -> None:
    feed = "http://news.example/feed"
    server.routes["/feed"] = Response(body=FEED, content_type="application/rss+xml")
    other.routes[feed] = Response(body=FEED, content_type="application/rss+xml")
    form = form_of(room)
    secret = f"http://anna:Kek5@127.0.0.1:{other.port}"
    preview = room.client.post(
        "/sources/preview", data={"url": feed, "proxy": secret} | form
    )
    page = add_from(room, preview)
    assert polled(room, database).succeeded
    shown = room.client.get(page).text
    assert "a proxy of its own" in shown
    assert "Kek5" not in shown
    # Headers that are typed later leave it as it is.
    room.client.post(page, data={"act": "save access", "cookie": "a=b"} | form)
    assert polled(room, database).succeeded
    assert {request.path for request in other.requests} == {feed}
    assert other.requests[-1].headers["cookie"] == "a=b"
    room.client.post(page, data={"act": "forget access"} | form)
    assert polled(room, database).problem is not None
    assert "a proxy of its own" not in room.client.get(page).text
    # It is that of one source: another one is asked as ever.
    room.client.post("/sources/add", data={"url": server.url("/feed")} | form)
    assert [request.path for request in server.requests] == ["/feed"]


def test_a_page_without_a_feed_is_added_by_its_selectors(
    room: Newsroom, server: LoopbackServer, database: Database
) -> None:
    server.routes["/news"] = Response(body=LISTING, content_type="text/html")
    form = form_of(room)
    typed = {"url": server.url("/news"), "list": "div.all > .item"} | form
    nothing = room.client.post("/sources/preview", data=typed | {"list": ".none"})
    assert nothing.status_code == 409
    assert "no element matches" in nothing.text
    preview = room.client.post("/sources/preview", data=typed)
    assert "Dock workers walk out" in preview.text
    fields = dict(
        re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', preview.text)
    )
    fields["list"] = "div.all > .item"
    room.client.post("/sources/add", data=fields)
    (source,) = read_by(database, all_sources)
    assert source.kind == "page"
    assert polled(room, database).problem is None
    # Its headers change, its selectors stay.
    room.client.post(
        f"/sources/{source.id}", data={"act": "save access", "cookie": "a=b"} | form
    )
    assert polled(room, database).succeeded


@pytest.mark.later
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        *rows("source_access_forms", "what cannot be sent is refused in words"),
        ({"user_agent": "x" * 4001}, "one line"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_words(
    room: Newsroom, server: LoopbackServer, fields: dict[str, str], words: str
) -> None:
    server.routes["/feed"] = Response(body=FEED, content_type="application/rss+xml")
    typed = {"url": server.url("/feed")} | fields | form_of(room)
    answer = room.client.post("/sources/preview", data=typed)
    assert answer.status_code == 409
    assert words in answer.text
    assert "Kek5-secret" not in answer.text


def test_it_leaves_with_the_source_and_stays_out_of_exports(
    room: Newsroom, server: LoopbackServer, database: Database
) -> None:
    server.routes["/feed"] = Response(body=FEED, content_type="application/rss+xml")
    form = form_of(room)
    typed = {"url": server.url("/feed"), "cookie": SECRET} | form
    room.client.post("/sources/add", data=typed)
    assert "source_access" in row_stream.LEFT_OUT
    (source,) = read_by(database, all_sources)
    assert read_by(database, typed_access, source.id) != Access()
    room.client.post(f"/sources/{source.id}", data={"act": "remove"} | form)
    assert read_by(database, typed_access, source.id) == Access()
