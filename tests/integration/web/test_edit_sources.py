"""Sources over HTTP: added, changed, removed, imported, and who may do it; on both databases."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import httpx
import pytest

from aggregator.config.publish_settings import ServerConfig
from aggregator.intake.manage import adding
from aggregator.intake.manage.adding import SourceOptions
from aggregator.intake.manage.feed_lists import import_feeds
from aggregator.model.errors import UsageError
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import add, all_sources, update_source
from aggregator.web.pages.sources_page import SOURCES_A_PAGE
from tests.support.loopback import LoopbackServer, Request, Response
from tests.support.newsroom import STRANGER, Newsroom, problem_of
from tests.support.polling import feed_source
from tests.support.rows import read_by, written_by
from tests.support.tables import numbered
from tests.support.waiting import PATIENCE_SECONDS, wait_until

FEED = "<rss><channel><title>Courier</title><item><title>Levee breaks</title></item></channel></rss>"


@pytest.fixture
def room(database: Database) -> Iterator[Newsroom]:
    with Newsroom(database) as opened:
        yield opened


def test_a_source_is_added_changed_and_removed(
    room: Newsroom, server: LoopbackServer
) -> None:
    server.routes |= {
        "/": Response(body='<a href="/f/feed">Feed</a>', content_type="text/html"),
        "/f/feed": Response(body=FEED, content_type="application/rss+xml"),
        "/away": Response(302, {"Location": "http://169.254.169.254/latest"}),
    }  # fmt: skip
    admin = room.token("admin", "admin")

    def ask(method: str, path: str = "", **body: object) -> httpx.Response:
        return room.ask(method, f"/api/v1/sources{path}", admin, json=body)

    added = ask(
        "POST",
        url=server.url("/"),
        name=" My\nCourier\x00 ",
        folder="Ports",
        interval="30m",
    )
    assert added.status_code == 201, added.text
    source = added.json()
    assert (source["name"], source["folder"], source["url"]) == (
        "My Courier",
        "Ports",
        server.url("/f/feed"),
    )
    assert "is a source already" in problem_of(
        ask("POST", url=server.url("/f/feed")), 409
    )
    assert "could not be read" in problem_of(ask("POST", url="no.such.example"), 422)
    for typed in (
        "https://u:hunter2@x.example",
        "u.v:hunter2@x.example/f",
        "u:hunter2@x.example",
    ):
        assert "hunter2" not in problem_of(ask("POST", url=typed), 422)
    assert "not on the public internet" in problem_of(
        ask("POST", url=server.url("/away")), 422
    )
    for wrong in (
        {},
        {"url": ""},
        {"url": "x.example", "interval": "9s9"},
        {"url": "x.example", "color": "red"},
    ):
        problem_of(ask("POST", **wrong), 422)
    (stored,) = read_by(room.database, all_sources)
    assert stored.interval_seconds == 1800

    changed = ask(
        "PATCH",
        f"/{source['id']}",
        name=None,
        folder="Rivers",
        interval="2h",
        paused=True,
    )
    assert (changed.json()["name"], changed.json()["folder"], changed.json()["state"]) == (
        "Courier", "Rivers", "paused",
    )  # fmt: skip
    assert (
        ask("PATCH", f"/{source['id']}", paused=False, interval="0s").json()["state"]
        == "new"
    )
    assert read_by(room.database, all_sources)[0].interval_seconds > 0, (
        "0 is the configured interval"
    )
    assert problem_of(ask("PATCH", "/nobody", paused=True), 404)
    exported = room.get("/api/v1/sources/opml")
    assert f'xmlUrl="{server.url("/f/feed")}"' in exported.text
    written_by(room.database, update_source, source["id"], origin="config")
    for refused in (
        ask("PATCH", f"/{source['id']}", name="x"),
        ask("DELETE", f"/{source['id']}"),
    ):
        assert "is listed in" in problem_of(refused, 409)
    written_by(room.database, update_source, source["id"], origin="user")
    assert ask("DELETE", f"/{source['id']}").status_code == 204
    problem_of(ask("DELETE", f"/{source['id']}"), 404)
    for times, counts in enumerate(((1, 0), (0, 1))):
        again = room.client.post(
            "/api/v1/sources/opml", content=exported.content, headers=_bearer(admin)
        )
        assert (again.status_code, again.json()["added"], again.json()["known"]) == (
            200,
            *counts,
        ), times
    secret = b'<opml><outline text="http://u:hunter2@x.example/f" xmlUrl="http://u:hunter2@x.example/f"/></opml>'
    named = room.client.post(
        "/api/v1/sources/opml", content=secret, headers=_bearer(admin)
    )
    assert named.json()["refused"] == ["x.example"]
    broken = room.client.post(
        "/api/v1/sources/opml", content=b"\x00no list", headers=_bearer(admin)
    )
    problem_of(broken, 422)
    large = room.client.post(
        "/api/v1/sources/opml", content=b"x" * 3_000_000, headers=_bearer(admin)
    )
    problem_of(large, 413)


def test_many_sources_are_shown_in_pages(room: Newsroom, database: Database) -> None:
    """Those with a problem first in pages; the API has all once, by folder and name."""
    now = room.clock()
    news = {"health": "ok", "per_day": 1.0, "per_day_at": now - timedelta(days=400)}
    odd: dict[str, dict[str, Any]] = {
        "050": {"health": "failing", "failures": 3},
        "120": {"health": "gone"},
        "150": news,  # silent
        "151": news | {"per_day_at": now},
        "152": news | {"paused": True},
        "160": {"health": "ok", "flooded_at": now},
    }
    names = [f"{number:03}" for number in range(SOURCES_A_PAGE * 2 + 1)]
    with database.write() as connection:
        for one in names:
            values = {
                "name": f"Feed {one}",
                "folder": "Ports" if one > "100" else None,
            } | odd.get(one, {})
            add(
                connection,
                feed_source(f"https://f{one}.example/feed?key=k3y", **values),
            )

    def shown(page: str) -> list[str]:
        return re.findall(r">Feed (\d+)</bdi>", page)

    first = room.client.get("/sources").text
    troubled = ["050", "120", "150", "160"]
    wanted = [*troubled, *(one for one in names if one not in troubled)]
    assert shown(first) == wanted[:SOURCES_A_PAGE]
    assert "201 sources, 4 failing" in first
    onward = re.findall(r'href="(/sources[^"]+)" rel="next"', first)[0].replace(
        "&amp;", "&"
    )
    assert (
        shown(room.client.get(onward).text)
        == wanted[SOURCES_A_PAGE : 2 * SOURCES_A_PAGE]
    )
    assert shown(room.client.get("/sources?q=feed+200").text) == ["200"]
    assert len(shown(room.client.get("/sources?q=PORTS").text)) == SOURCES_A_PAGE
    assert not shown(room.client.get("/sources?q=k3y").text), (
        "a key is not guessed by search"
    )
    assert room.client.get("/sources?after=nobody").status_code == 400

    listed: list[str] = []
    after, sizes = "", []
    while after is not None:
        page = room.read_json(f"/api/v1/sources?limit=90&after={after}")
        listed += [one["name"].removeprefix("Feed ") for one in page["sources"]]
        sizes.append(len(page["sources"]))
        after = page["next"]
    assert (listed, sizes) == (names, [90, 90, 21])
    assert len(room.read_json("/api/v1/sources")["sources"]) == SOURCES_A_PAGE
    for wrong in ("limit=0", "limit=501", "after=nobody"):
        problem_of(room.get(f"/api/v1/sources?{wrong}"), 400)


@pytest.mark.later
def test_a_limit_of_sources(room: Newsroom, server: LoopbackServer) -> None:
    """An import that would exceed it adds nothing; feeds that are known already do not count."""
    server.routes["/f"] = Response(body=FEED, content_type="application/rss+xml")
    config, database, reader = room.services
    small = config.model_copy(update={"server": ServerConfig(max_sources=3)})

    def listing(number: int) -> bytes:
        lines = "".join(numbered('<outline xmlUrl="https://f%n.example/f"/>', number))
        return f"<opml>{lines}</opml>".encode()

    with pytest.raises(
        UsageError, match=r"4 new sources there would be 4, and .* allows 3"
    ):
        import_feeds(small, database, listing(4), "list.opml")
    assert read_by(database, all_sources) == []
    assert import_feeds(small, database, listing(3), "list.opml").added == 3
    assert import_feeds(small, database, listing(3), "list.opml").known == 3
    with pytest.raises(UsageError, match="1 new source there would be 4"):
        adding.add(small, database, server.url("/f"), SourceOptions(), reader)
    too_many = listing(config.server.max_sources + 1)
    sent = room.client.post(
        "/api/v1/sources/opml",
        content=too_many,
        headers=_bearer(room.token("a", "admin")),
    )
    assert "would be 20,001" in problem_of(sent, 422)
    assert len(read_by(database, all_sources)) == 3


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.later
def test_who_may_edit(room: Newsroom, server: LoopbackServer) -> None:
    """A token of scope admin, and in pages the owner at this machine, whose forms no other site can send."""
    server.routes["/f"] = Response(body=FEED, content_type="application/rss+xml")
    reader, pusher, admin = (
        room.token(scope, scope) for scope in ("read", "push", "admin")
    )  # type: ignore[arg-type]
    given = {"url": server.url("/f")}
    for secret, status in ((None, 401), (reader, 403), (pusher, 403)):
        problem_of(room.ask("POST", "/api/v1/sources", secret, json=given), status)
        problem_of(room.ask("DELETE", "/api/v1/sources/x", secret), status)
    assert room.client.get("/api/v1/sources/opml", headers=STRANGER).status_code == 401

    client = room.client
    form = re.findall(r'name="form" value="(\w+)"', client.get("/sources").text)[0]
    for kept in ({}, {"form": "0" * 64}, {"form": "é"}):
        assert client.post("/sources/add", data=given | kept).status_code == 403
    for headers in (
        STRANGER,
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://evil.example"},
    ):
        assert (
            client.post(
                "/sources/add", data=given | {"form": form}, headers=headers
            ).status_code
            == 403
        )
    assert "/sources/preview" not in client.get("/sources", headers=STRANGER).text
    assert (
        "/sources/preview" not in client.get("/sources", headers=_bearer(reader)).text
    )
    assert (
        client.post(
            "/sources/add", data=given | {"form": form}, headers=_bearer(admin)
        ).status_code
        == 403
    )
    assert client.get("/sources/x", headers=STRANGER).status_code == 404
    assert room.read_json("/api/v1/sources")["sources"] == []

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (
        b"",
        b"--x\r\n" * 2000,
        b"--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" * 2000,
    ):
        sent = client.post("/sources/opml", content=body, headers=kind)
        assert sent.status_code in (403, 409)
    many = b'--x\r\nContent-Disposition: form-data; name="form"\r\n\r\n%s\r\n'
    body = many % form.encode() + many % b"" * 20_000 + b"--x--\r\n"
    sent = client.post("/sources/opml", content=body, headers=kind)
    assert sent.status_code == 409
    slow = (
        b'--x\r\nContent-Disposition: form-data; name="'
        + b"a " * 1_000_000
        + b'"\r\n\r\nx\r\n--x--\r\n'
    )
    # Minutes if it were parsed
    sent = client.post("/sources/opml", content=slow, headers=kind | STRANGER)
    assert sent.status_code == 403
    upload = {
        "file": (
            "list.opml",
            f'<opml><outline xmlUrl="{given["url"]}"/></opml>'.encode(),
        )
    }
    taken = client.post("/sources/opml", data={"form": form}, files=upload)
    assert taken.headers["location"] == "/sources?imported=1&known=0&private=1"
    listed = client.get(taken.headers["location"]).text
    assert "1 feed added" in listed
    assert "already known. 1 feed is at private addresses, which are not" in listed
    with_more = {"file": ("list.opml", b"<opml><outline text='A &lt;b&gt;' xmlUrl='file:///x'/>"
                          b"<outline text='K' xmlUrl='" + given["url"].encode() + b"'/></opml>")}  # fmt: skip
    shown = client.post("/sources/opml", data={"form": form}, files=with_more).text
    assert "1 entry of the file not taken" in shown
    assert "its address is no web address: file:///x" in shown
    typed = client.post("/sources/add", data=given | {"form": form})
    assert typed.status_code == 303, (
        "imported and never read, it is the owner's from now on"
    )
    assert (
        "is a source already"
        in client.post("/sources/add", data=given | {"form": form}).text
    )


def test_the_log_says_who_changed_a_source(
    room: Newsroom, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The owner in the browser, or a token by its name; what was refused, read or looked at is not logged."""
    server.routes["/f"] = Response(body=FEED, content_type="application/rss+xml")
    admin, given = room.token("ports desk", "admin"), {"url": server.url("/f")}
    form = {
        "form": re.findall(
            r'name="form" value="(\w+)"', room.client.get("/sources").text
        )[0]
    }

    def logged() -> list[str]:
        found = [
            one
            for one in caplog.records
            if getattr(one, "event", "") == "source_changed"
        ]
        caplog.clear()
        return [
            one.getMessage().removeprefix("sources were changed by ") for one in found
        ]

    caplog.set_level("INFO")
    assert room.client.post("/sources/preview", data=given | form).status_code == 200
    assert room.client.post("/sources/add", data=given).status_code == 403
    assert (
        room.client.post("/sources/add", data={"url": "nothing"} | form).status_code
        == 409
    )
    problem_of(
        room.ask("POST", "/api/v1/sources", admin, json={"url": "no.such.example"}), 422
    )
    assert logged() == []
    page = room.client.post("/sources/add", data=given | form)
    assert logged() == ["the owner: save /sources/add"]
    id_ = page.headers["location"].partition("added=")[2]
    room.client.post(f"/sources/{id_}", data={"act": "pause"} | form)
    unknown = room.client.post(
        f"/sources/{id_}", data={"act": "x\nevil", "name": "Pier"} | form
    )
    assert unknown.status_code == 409
    room.client.post(f"/sources/{id_}", data={"act": "save", "name": "Port"} | form)
    assert "Pier" not in room.get("/sources").text
    assert logged() == [
        f"the owner: pause /sources/{id_}",
        f"the owner: save /sources/{id_}",
    ]
    room.client.post(
        "/api/v1/sources/opml",
        content=room.get("/api/v1/sources/opml").content,
        headers=_bearer(admin),
    )
    room.ask("PATCH", f"/api/v1/sources/{id_}", admin, json={"name": "hunter2"})
    room.ask("DELETE", f"/api/v1/sources/{id_}", admin)
    acts = (
        "post /api/v1/sources/opml",
        f"patch /api/v1/sources/{id_}",
        f"delete /api/v1/sources/{id_}",
    )
    assert logged() == [f"the token 'ports desk': {act}" for act in acts]


def test_the_interval_in_the_form(room: Newsroom, server: LoopbackServer) -> None:
    server.routes["/f"] = Response(body=FEED, content_type="application/rss+xml")
    form = {
        "form": re.findall(
            r'name="form" value="(\w+)"', room.client.get("/sources").text
        )[0]
    }
    page = room.client.post(
        "/sources/add", data={"url": server.url("/f")} | form
    ).headers["location"]
    path = f"/sources/{page.partition('added=')[2]}"
    configured = 3600

    def interval() -> int:
        return read_by(room.database, all_sources)[0].interval_seconds

    for typed, seconds, shown in (
        ("90m", 5400, "90m"),
        ("2h", 7200, "2h"),
        ("1d", 86_400, "1d"),
        ("75s", 75, "75s"),
        ("", configured, ""),
    ):
        saved = room.client.post(
            path, data={"name": "Port", "folder": "", "interval": typed} | form
        )
        assert (saved.status_code, interval()) == (303, seconds)
        assert (
            f'placeholder="as configured" value="{shown}"' in room.client.get(path).text
        )
        room.client.post(path, data={"name": "Harbour", "folder": "Ports"} | form)
        assert interval() == seconds, "a form without the field leaves it"
    for wrong in ("-1h", "soon", "1h\r\nx: y", "9999999d", "1" * 5000, '"><script>'):
        refused = room.client.post(
            path, data={"name": "Lost", "interval": wrong} | form
        )
        assert (refused.status_code, interval()) == (409, configured), wrong
        assert "<script>" not in refused.text
    assert "Lost" not in room.client.get(path).text, "nothing of the form is stored"


def test_slow_sites_hold_up_no_other_change(
    room: Newsroom, server: LoopbackServer
) -> None:
    """Few are searched at once; what needs no search is done meanwhile."""
    is_ready = Event()

    def slow(_request: Request) -> Response:
        is_ready.wait(PATIENCE_SECONDS)
        return Response(body=FEED, content_type="application/rss+xml")

    server.routes["*"] = slow
    admin = room.token("admin", "admin")
    written_by(room.database, add, known := feed_source("https://known.example/feed"))

    def added(number: int) -> int:
        return room.ask(
            "POST", "/api/v1/sources", admin, json={"url": server.url(f"/{number}")}
        ).status_code

    with ThreadPoolExecutor(5) as threads:
        asked = [threads.submit(added, number) for number in range(5)]
        wait_until(lambda: server.requests, "a search")
        changed = room.ask(
            "PATCH", f"/api/v1/sources/{known.id}", admin, json={"name": "Known"}
        )
        assert changed.status_code == 200
        is_ready.set()
        states = [one.result() for one in asked]
    assert set(states) <= {201, 503}
    assert len(read_by(room.database, all_sources)) == 1 + states.count(201) > 1


@pytest.mark.later
def test_changes_at_the_same_moment(room: Newsroom, server: LoopbackServer) -> None:
    """One of those who add a feed at once succeeds; a source that goes meanwhile is no internal error."""
    server.routes["/f"] = Response(body=FEED, content_type="application/rss+xml")
    admin = room.token("admin", "admin")

    def at_once(method: str, path: str, *bodies: object) -> list[int]:
        with ThreadPoolExecutor(len(bodies)) as threads:
            asked = [
                threads.submit(room.ask, method, path, admin, json=one)
                for one in bodies
            ]
            return sorted(one.result().status_code for one in asked)

    for _ in range(3):
        added = at_once("POST", "/api/v1/sources", *[{"url": server.url("/f")}] * 3)
        assert (added.count(201), set(added) <= {201, 409, 503}) == (1, True)
        (stored,) = read_by(room.database, all_sources)
        path = f"/api/v1/sources/{stored.id}"
        changed = at_once(
            "PATCH", path, {"name": "A"}, {"folder": "B"}, {"interval": "2h"}
        )
        (kept,) = read_by(room.database, all_sources)
        if changed == [200] * 3:
            assert (kept.name, kept.folder, kept.interval_seconds) == (
                "A",
                "B",
                7200,
            ), "no field is lost"
        with ThreadPoolExecutor(2) as threads:
            gone = threads.submit(room.ask, "DELETE", path, admin)
            other = threads.submit(room.ask, "PATCH", path, admin, json={"name": "C"})
        assert gone.result().status_code in {204, 503}
        assert other.result().status_code in {200, 404, 503}
        while room.ask("DELETE", path, admin).status_code != 404:
            pass
