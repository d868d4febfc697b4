"""Who is the owner: a request that may have come through a proxy gets no whole article on any route."""

import logging
import re
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import Any

import pytest

from aggregator.store.engine.database import Database
from tests.support.fresh import sqlite_at
from tests.support.newsroom import STRANGER, Newsroom
from tests.support.tables import each_row, rows
from tests.support.waiting import PATIENCE_SECONDS

FORM = re.compile(r'name="form" value="(\w+)"')
SHORT = 12  # words of an article for others
FORWARDING = rows("owner", "forwarding")
OF_CLIENTS = rows("owner", "of clients")


def asked(room: Newsroom, path: str, *headers: str, version: str = "1.1") -> bytes:
    """The body that a client gets which writes its request by itself."""
    port = room.client.base_url.port or 0
    with socket.create_connection(
        ("127.0.0.1", port), timeout=PATIENCE_SECONDS
    ) as connection:
        lines = [
            f"GET {path} HTTP/{version}",
            f"Host: 127.0.0.1:{port}",
            "Connection: close",
            *headers,
        ]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = HTTPResponse(connection)
        answer.begin()
        return answer.read()


def opened(database: Database, **chosen: Any) -> Newsroom:
    return Newsroom(database, excerpt_words=SHORT, **chosen)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with sqlite_at(tmp_path_factory.mktemp("owner") / "owner.db") as made:
        with Newsroom(made) as filled:
            filled.fill()
        yield made


@pytest.fixture(scope="module")
def room(database: Database) -> Iterator[Newsroom]:
    with opened(database) as here:
        yield here


@pytest.fixture(scope="module")
def paths(room: Newsroom) -> list[str]:
    """Every route that shows something of articles."""
    stories = [str(one["id"]) for one in room.stories().values()]
    articles = [
        str(one["id"]) for story in room.stories().values() for one in story["articles"]
    ]
    one, other = articles[:2]
    return [
        "/", "/newest", "/search?q=levee", f"/stories/{stories[0]}", f"/explain?article={one}", "/sources",
        "/api/v1/stories", f"/api/v1/stories/{stories[0]}", "/api/v1/search?query=levee",
        "/api/v1/sources", f"/api/v1/articles/{one}", f"/api/v1/explain?article={one}&other={other}",
        "/feeds/stories.rss", "/feeds/stories.atom", "/feeds/stories.json", "/healthz",
    ]  # fmt: skip


def differing(
    room: Newsroom, paths: list[str], *headers: str, version: str = "1.1"
) -> set[str]:
    """The addresses at which this request gets another answer than one through a known proxy."""
    return {
        path
        for path in paths
        if asked(room, path, *headers, version=version)
        != asked(room, path, "X-Forwarded-For: 203.0.113.9")
    }


@pytest.mark.later
def test_the_owner_reads_more_than_others(room: Newsroom, paths: list[str]) -> None:
    """So the tests below can fail."""
    more = differing(room, paths)
    assert {path.split("?")[0].rsplit("/", 1)[0] for path in more} >= {
        "/stories", "/api/v1/stories", "/api/v1/articles", "/api/v1",
    }, more  # fmt: skip
    article = next(path for path in paths if path.startswith("/api/v1/articles"))
    assert b'"text":null' in asked(room, article, "X-Forwarded-For: 203.0.113.9")
    assert b'"text":null' not in asked(room, article)


@pytest.fixture(scope="module")
def two_paths(paths: list[str]) -> list[str]:
    """A page and an answer of the API, for what is the same on all routes."""
    return [path for path in paths if path.startswith(("/stories", "/api/v1/articles"))]


@pytest.mark.later
def test_a_request_with_a_header_of_a_proxy_is_not_the_owners(
    room: Newsroom, paths: list[str], two_paths: list[str]
) -> None:
    for header in FORWARDING:
        assert differing(room, two_paths, header) == set(), header
    assert differing(room, paths, FORWARDING[-1]) == set()


@pytest.mark.later
@pytest.mark.parametrize("version", ["1.0", "0.9"])
def test_a_request_in_an_old_version_of_http_is_not_the_owners(
    room: Newsroom, paths: list[str], version: str
) -> None:
    """Proxies that add no header speak HTTP/1.0, like nginx by default."""
    assert differing(room, paths, version=version) == set()


def test_headers_that_clients_send_take_nothing_from_the_owner(
    room: Newsroom, paths: list[str]
) -> None:
    article = next(path for path in paths if path.startswith("/api/v1/articles"))
    for header in OF_CLIENTS:
        assert b'"text":null' not in asked(room, article, header), header


@pytest.mark.later
@each_row(
    "owner",
    "where the settings name a proxy or other machines nobody is the owner without a token",
    "chosen",
)
def test_where_the_settings_name_a_proxy_or_other_machines_nobody_is_the_owner_without_a_token(
    room: Newsroom, database: Database, two_paths: list[str], chosen: dict[str, Any]
) -> None:
    secret = room.token(f"reader {chosen}"[:60], "read")
    with opened(database, **chosen) as room:
        assert differing(room, two_paths) == set()
        assert differing(room, two_paths, f"Authorization: Bearer {secret}")
    with opened(database, owner_on_loopback=True, **chosen) as room:
        assert differing(room, two_paths)
        assert differing(room, two_paths, "Via: 1.1 proxy") == set()


@pytest.mark.later
def test_a_proxy_without_a_header_makes_owners_unless_the_settings_forbid_it(
    database: Database, two_paths: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Like nginx 1.29.7: HTTP/1.1, the Host of the server behind, and no header of its own."""
    caplog.set_level(logging.INFO, logger="aggregator.web")
    for owner_on_loopback in (None, False):
        caplog.clear()
        with opened(database, owner_on_loopback=owner_on_loopback) as room:
            assert bool(differing(room, two_paths)) is (owner_on_loopback is None)
            notice = f"anyone who can connect to 127.0.0.1:{room.client.base_url.port}, including through"
            assert (notice in caplog.text) is (owner_on_loopback is None)


def test_names_of_loopback_are_no_other_machines(
    database: Database, two_paths: list[str]
) -> None:
    with opened(
        database, public_url="http://localhost:8080", allowed_hosts=("127.0.0.2", "::1")
    ) as room:
        assert differing(room, two_paths)


def test_the_owner_corrects_as_he_changes_sources_and_a_visitor_reads_how_to_sign_in(
    room: Newsroom,
) -> None:
    one, other = [str(story["id"]) for story in room.stories().values()][:2]
    page = room.client.get(f"/stories/{one}").text
    fields = {
        "kind": "merge",
        "story": one,
        "other": other,
        "form": FORM.findall(page)[0],
    }
    assert "Correct this story" in page
    assert room.client.post("/correct", data=fields).status_code == 200, (
        "it asks whether to"
    )
    assert (
        room.client.post("/correct", data=fields | {"form": "0" * 64}).status_code
        == 403
    )
    assert room.client.get("/corrections").status_code == 200
    visited = room.client.get(f"/stories/{one}", headers=STRANGER).text
    assert "Correct this story" not in visited
    assert f'href="/sign-in?story={one}"' in visited
    assert (
        room.client.post("/correct", data=fields, headers=STRANGER).status_code == 403
    )
