"""Sources over HTTP: added, changed, removed, imported, and who may do it; on both databases."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from aggregator.store.engine.database import Database
from aggregator.store.intake.sources import add, all_sources, choose
from aggregator.web.pages.pages import SOURCES_A_PAGE
from tests.support.loopback import LoopbackServer, Response
from tests.support.newsroom import STRANGER, Newsroom, problem_of
from tests.support.polling import feed_source
from tests.support.rows import read_by, written_by

FEED = "<rss><channel><title>Courier</title><item><title>Levee breaks</title></item></channel></rss>"


@pytest.fixture
def room(database: Database) -> Iterator[Newsroom]:
    with Newsroom(database) as opened:
        yield opened


def test_a_source_is_added_changed_and_removed(room: Newsroom, server: LoopbackServer) -> None:
    server.routes |= {
        "/": Response(body='<a href="/f/feed">Feed</a>', content_type="text/html"),
        "/f/feed": Response(body=FEED, content_type="application/rss+xml"),
        "/away": Response(302, {"Location": "http://169.254.169.254/latest"}),
    }  # fmt: skip
    admin = room.token("admin", "admin")

    def ask(method: str, path: str = "", **body: object) -> httpx.Response:
        return room.ask(method, f"/api/v1/sources{path}", admin, json=body)

    added = ask("POST", url=server.url("/"), name=" My\nCourier\x00 ", folder="Ports", interval="30m")
    assert added.status_code == 201, added.text
    source = added.json()
    assert (source["name"], source["folder"], source["url"]) == ("My Courier", "Ports", server.url("/f/feed"))
    assert "is a source already" in problem_of(ask("POST", url=server.url("/f/feed")), 409)
    assert "could not be read" in problem_of(ask("POST", url="no.such.example"), 422)
    for typed in ("https://u:hunter2@x.example", "u.v:hunter2@x.example/f", "u:hunter2@x.example"):
        assert "hunter2" not in problem_of(ask("POST", url=typed), 422)
    assert "not on the public internet" in problem_of(ask("POST", url=server.url("/away")), 422)
    for wrong in (
        {},
        {"url": ""},
        {"url": "x.example", "interval": "9s9"},
        {"url": "x.example", "color": "red"},
    ):
        problem_of(ask("POST", **wrong), 422)
    (stored,) = read_by(room.database, all_sources)
    assert stored.interval_seconds == 1800

    changed = ask("PATCH", f"/{source['id']}", name=None, folder="Rivers", interval="2h", paused=True)
    assert (changed.json()["name"], changed.json()["folder"], changed.json()["state"]) == (
        "Courier", "Rivers", "paused",
    )  # fmt: skip
    assert ask("PATCH", f"/{source['id']}", paused=False, interval="0s").json()["state"] == "new"
    assert read_by(room.database, all_sources)[0].interval_seconds > 0, "0 is the configured interval"
    assert problem_of(ask("PATCH", "/nobody", paused=True), 404)
    exported = room.get("/api/v1/sources/opml")
    assert f'xmlUrl="{server.url("/f/feed")}"' in exported.text
    written_by(room.database, choose, source["id"], origin="config")
    for refused in (ask("PATCH", f"/{source['id']}", name="x"), ask("DELETE", f"/{source['id']}")):
        assert "is listed in" in problem_of(refused, 409)
    written_by(room.database, choose, source["id"], origin="user")
    assert ask("DELETE", f"/{source['id']}").status_code == 204
    problem_of(ask("DELETE", f"/{source['id']}"), 404)
    for times, counts in enumerate(((1, 0), (0, 1))):
        again = room.client.post("/api/v1/sources/opml", content=exported.content, headers=_bearer(admin))
        assert (again.status_code, again.json()["added"], again.json()["known"]) == (200, *counts), times
    secret = (
        b'<opml><outline text="http://u:hunter2@x.example/f" xmlUrl="http://u:hunter2@x.example/f"/></opml>'
    )
    named = room.client.post("/api/v1/sources/opml", content=secret, headers=_bearer(admin))
    assert named.json()["refused"] == ["x.example"]
    broken = room.client.post("/api/v1/sources/opml", content=b"\x00no list", headers=_bearer(admin))
    problem_of(broken, 422)
    large = room.client.post("/api/v1/sources/opml", content=b"x" * 3_000_000, headers=_bearer(admin))
    problem_of(large, 413)


def test_many_sources_are_shown_in_pages(room: Newsroom, database: Database) -> None:
    with database.write() as connection:
        for number in range(SOURCES_A_PAGE + 1):
            add(connection, feed_source(f"https://f{number}.example/feed", name=f"Feed {number:03}"))
    first, second, beyond = (room.client.get(f"/sources?page={page}").text for page in (1, 2, 99))
    assert first.count("Feed 0") + first.count("Feed 1") >= SOURCES_A_PAGE
    assert "Feed 200" not in first
    assert 'page=2" rel="next"' in first
    assert "Feed 200" in second
    assert "Feed 199" not in second
    assert "page=1" in second
    assert "Feed 200" in beyond, "the last page"
    assert "Feed 200" in room.client.get("/sources?q=feed+200").text


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_who_may_edit(room: Newsroom, server: LoopbackServer) -> None:
    """A token of scope admin, and in pages the owner at this machine, whose forms no other site can send."""
    server.routes["/f"] = Response(body=FEED, content_type="application/rss+xml")
    reader, pusher, admin = (room.token(scope, scope) for scope in ("read", "push", "admin"))  # type: ignore[arg-type]
    given = {"url": server.url("/f")}
    for secret, status in ((None, 401), (reader, 403), (pusher, 403)):
        problem_of(room.ask("POST", "/api/v1/sources", secret, json=given), status)
        problem_of(room.ask("DELETE", "/api/v1/sources/x", secret), status)
    assert room.client.get("/api/v1/sources/opml", headers=STRANGER).status_code == 401

    client = room.client
    page = client.get("/sources").text
    form = re.findall(r'name="form" value="(\w+)"', page)[0]
    for kept in ({}, {"form": "0" * 64}, {"form": "é"}):
        assert client.post("/sources/add", data=given | kept).status_code == 403
    for headers in (STRANGER, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        assert client.post("/sources/add", data=given | {"form": form}, headers=headers).status_code == 403
    assert "/sources/preview" not in client.get("/sources", headers=STRANGER).text
    assert "/sources/preview" not in client.get("/sources", headers=_bearer(reader)).text
    assert client.post("/sources/add", data=given | {"form": form}, headers=_bearer(admin)).status_code == 403
    assert client.get("/sources/x", headers=STRANGER).status_code == 303
    assert room.get("/api/v1/sources").json()["sources"] == []

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--x\r\n" * 2000, b"--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" * 2000):
        sent = client.post("/sources/opml", content=body, headers=kind)
        assert sent.status_code in (403, 409)
    slow = b'--x\r\nContent-Disposition: form-data; name="' + b"a " * 1_000_000 + b'"\r\n\r\nx\r\n--x--\r\n'
    sent = client.post("/sources/opml", content=slow, headers=kind | STRANGER)  # minutes if it were parsed
    assert sent.status_code == 403
    upload = {"file": ("list.opml", f'<opml><outline xmlUrl="{given["url"]}"/></opml>'.encode())}
    assert client.post("/sources/opml", data={"form": form}, files=upload).headers["location"] == (
        "/sources?imported=1&known=0&refused=0"
    )
    assert "is a source already" in client.post("/sources/add", data=given | {"form": form}).text


def test_the_log_says_who_changed_a_source(
    room: Newsroom, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The owner in the browser, or a token by its name; what was refused, read or looked at is not logged."""
    server.routes["/f"] = Response(body=FEED, content_type="application/rss+xml")
    admin, given = room.token("ports desk", "admin"), {"url": server.url("/f")}
    form = {"form": re.findall(r'name="form" value="(\w+)"', room.client.get("/sources").text)[0]}

    def logged() -> list[str]:
        found = [one for one in caplog.records if getattr(one, "event", "") == "source_changed"]
        caplog.clear()
        return [one.getMessage().removeprefix("sources were changed by ") for one in found]

    caplog.set_level("INFO")
    assert room.client.post("/sources/preview", data=given | form).status_code == 200
    assert room.client.post("/sources/add", data=given).status_code == 403
    assert room.client.post("/sources/add", data={"url": "nothing"} | form).status_code == 409
    problem_of(room.ask("POST", "/api/v1/sources", admin, json={"url": "no.such.example"}), 422)
    assert logged() == []
    page = room.client.post("/sources/add", data=given | form)
    assert logged() == ["the owner: save /sources/add"]
    id_ = page.headers["location"].partition("added=")[2]
    room.client.post(f"/sources/{id_}", data={"act": "pause"} | form)
    room.client.post(f"/sources/{id_}", data={"act": "x\nevil", "name": "Port"} | form)
    assert logged() == [f"the owner: pause /sources/{id_}", f"the owner: save /sources/{id_}"]
    room.client.post(
        "/api/v1/sources/opml", content=room.get("/api/v1/sources/opml").content, headers=_bearer(admin)
    )
    room.ask("PATCH", f"/api/v1/sources/{id_}", admin, json={"name": "hunter2"})
    room.ask("DELETE", f"/api/v1/sources/{id_}", admin)
    acts = ("post /api/v1/sources/opml", f"patch /api/v1/sources/{id_}", f"delete /api/v1/sources/{id_}")
    assert logged() == [f"the token 'ports desk': {act}" for act in acts]


def test_the_interval_in_the_form(room: Newsroom, server: LoopbackServer) -> None:
    server.routes["/f"] = Response(body=FEED, content_type="application/rss+xml")
    form = {"form": re.findall(r'name="form" value="(\w+)"', room.client.get("/sources").text)[0]}
    page = room.client.post("/sources/add", data={"url": server.url("/f")} | form).headers["location"]
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
        saved = room.client.post(path, data={"name": "Port", "folder": "", "interval": typed} | form)
        assert (saved.status_code, interval()) == (303, seconds)
        assert f'placeholder="as configured" value="{shown}"' in room.client.get(path).text
        room.client.post(path, data={"name": "Harbour", "folder": "Ports"} | form)
        assert interval() == seconds, "a form without the field leaves it"
    for wrong in ("-1h", "soon", "1h\r\nx: y", "9999999d", "1" * 5000, '"><script>'):
        refused = room.client.post(path, data={"name": "Lost", "interval": wrong} | form)
        assert (refused.status_code, interval()) == (409, configured), wrong
        assert "<script>" not in refused.text
    assert "Lost" not in room.client.get(path).text, "nothing of the form is stored"


def test_changes_at_the_same_moment(room: Newsroom, server: LoopbackServer) -> None:
    """One of those who add a feed at once succeeds; a source that goes meanwhile is no internal error."""
    server.routes["/f"] = Response(body=FEED, content_type="application/rss+xml")
    admin = room.token("admin", "admin")

    def at_once(method: str, path: str, *bodies: object) -> list[int]:
        with ThreadPoolExecutor(len(bodies)) as threads:
            asked = [threads.submit(room.ask, method, path, admin, json=one) for one in bodies]
            return sorted(one.result().status_code for one in asked)

    for _ in range(3):
        added = at_once("POST", "/api/v1/sources", *[{"url": server.url("/f")}] * 3)
        assert (added.count(201), set(added) <= {201, 409, 503}) == (1, True)
        (stored,) = read_by(room.database, all_sources)
        path = f"/api/v1/sources/{stored.id}"
        changed = at_once("PATCH", path, {"name": "A"}, {"folder": "B"}, {"interval": "2h"})
        (kept,) = read_by(room.database, all_sources)
        if changed == [200] * 3:
            assert (kept.name, kept.folder, kept.interval_seconds) == ("A", "B", 7200), "no field is lost"
        with ThreadPoolExecutor(2) as threads:
            gone = threads.submit(room.ask, "DELETE", path, admin)
            other = threads.submit(room.ask, "PATCH", path, admin, json={"name": "C"})
        assert gone.result().status_code in {204, 503}
        assert other.result().status_code in {200, 404, 503}
        while room.ask("DELETE", path, admin).status_code != 404:
            pass
