"""The program at `http://example.org/news`: behind proxies that strip `/news` and behind those that do not.

A reader follows all links and forms, a feed reader all links of feeds, a program the API. The proxies are
those of nginx, where it is on the machine, and requests as nginx would send them.
"""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from lxml import html

from aggregator.store.engine.database import Database
from tests.support.loopback import free_port
from tests.support.newsroom import Newsroom, problem_of
from tests.support.waiting import PATIENCE_SECONDS, wait_until

SITE = "http://example.org"  # of https, cookies would not be sent to loopback
NGINX = shutil.which(
    "nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/bin"
)
CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location {path}/ {{
      proxy_pass {server}{end};
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }}
  }}
}}
"""


class _AsBehindAProxy(httpx.HTTPTransport):
    """Sends requests as a proxy does that strips a path."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode()
        assert path.startswith(f"{self._path}/"), f"this is at another program: {path}"
        request.url = request.url.copy_with(
            raw_path=path.removeprefix(self._path).encode()
        )
        return super().handle_request(request)


@contextmanager
def _nginx(
    room: Newsroom, folder: Path, path: str, *, strips: bool
) -> Iterator[httpx.Client]:
    assert NGINX is not None
    port = free_port()
    server = str(room.client.base_url).rstrip("/")
    words = CONFIGURATION.format(
        folder=folder, port=port, path=path, server=server, end="/" if strips else ""
    )
    (folder / "nginx.conf").write_text(words)
    with subprocess.Popen(
        [NGINX, "-p", folder, "-e", "error.log", "-c", folder / "nginx.conf"]
    ) as process:
        try:
            wait_until(partial(answers, port), "nginx to answer")
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}",
                trust_env=False,
                timeout=PATIENCE_SECONDS,
            ) as client:
                yield client
        finally:
            process.terminate()


with_nginx = pytest.mark.skipif(
    NGINX is None, reason="there is no nginx on this machine"
)


@pytest.fixture(
    params=[
        "strips",
        "keeps",
        pytest.param("nginx strips", marks=[pytest.mark.later, with_nginx]),
        pytest.param("nginx keeps", marks=[pytest.mark.later, with_nginx]),
    ]
)
def proxy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def _behind(
    proxy: str, room: Newsroom, path: str, folder: Path
) -> Iterator[httpx.Client]:
    if proxy.startswith("nginx"):
        with _nginx(room, folder, path, strips="strips" in proxy) as client:
            yield client
        return
    transport = _AsBehindAProxy(path) if proxy == "strips" else None
    address = room.client.base_url
    with httpx.Client(
        base_url=address, trust_env=False, timeout=PATIENCE_SECONDS, transport=transport
    ) as client:
        yield client


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture
def below(
    sqlite: Database, proxy: str, tmp_path: Path
) -> Iterator[tuple[Newsroom, httpx.Client]]:
    with (
        Newsroom(sqlite, public_url=f"{SITE}/news/").fill().start_writing() as room,
        _behind(proxy, room, "/news", tmp_path) as client,
    ):
        yield room, client


def _sign_in(client: httpx.Client, secret: str, path: str = "/news") -> None:
    sent = client.post(f"{path}/sign-in", data={"token": secret})
    assert (sent.status_code, sent.headers["location"]) == (303, f"{path}/")
    assert {cookie.path for cookie in client.cookies.jar} == {path}


def _links(page: html.HtmlElement, address: str) -> set[str]:
    """Return the addresses below this site that a page leads to, and what it loads."""
    written = page.xpath(
        "//@href | //img/@src | //script/@src | //form[@method='get']/@action"
    )
    whole = {urljoin(f"{SITE}{address}", str(one)).partition("#")[0] for one in written}
    return {one.removeprefix(SITE) for one in whole if one.startswith(SITE)}


@pytest.mark.later
def test_all_links_and_forms_of_pages_stay_below_the_path(
    below: tuple[Newsroom, httpx.Client],
) -> None:
    room, client = below
    _sign_in(client, room.token("reader", "admin"))
    article = next(iter(room.stories().values()))["articles"][0]["id"]
    waiting = [
        "/news/",
        "/news/search?q=levee",
        f"/news/explain/{article}",
        "/news/?view=newest&limit=1",
    ]
    seen: set[str] = set()
    posts: set[str] = set()
    while waiting:
        address = waiting.pop()
        if address in seen or len(seen) > 150:
            continue
        seen.add(address)
        assert address.startswith("/news/"), address
        answer = client.get(address)
        assert answer.status_code == 200, (address, answer.status_code)
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        page = html.fromstring(answer.text)
        waiting += sorted(_links(page, address))
        posts |= {str(one) for one in page.xpath("//form[@method='post']/@action")}
    paths = {urlsplit(one).path for one in seen}
    assert {
        "/news/static/style.css",
        "/news/static/pages.js",
        "/news/sources",
        "/news/mutes",
    } <= paths
    assert {
        "/news/feeds/stories.atom",
        "/news/api",
        "/news/api/v1/openapi.json",
    } <= paths
    assert any(one.startswith("/news/stories/") for one in paths)
    assert {"/news/marks", "/news/correct", "/news/mutes", "/news/sign-out"} <= posts
    for action in posts:
        assert "POST" in client.options(action).headers["allow"], action


@pytest.mark.later
def test_forms_lead_back_below_the_path(below: tuple[Newsroom, httpx.Client]) -> None:
    room, client = below
    _sign_in(client, room.token("reader", "admin"))
    page = html.fromstring(client.get("/news/?view=newest").text)
    fields = {
        str(one.get("name")): str(one.get("value"))
        for one in page.xpath("//form[@id='marks']/input")
    }
    story = next(iter(room.stories().values()))["id"]
    marked = client.post("/news/marks", data=fields | {"save": story})
    assert marked.headers["location"] == f"/news/?view=newest#s-{story}"
    assert f'href="/news/stories/{story}"' in client.get("/news/?view=saved").text
    muted = client.post(
        "/news/mutes", data={"form": fields["form"], "kind": "words", "muted": "ferry"}
    )
    assert muted.headers["location"] == "/news/mutes"
    left = client.post("/news/sign-out", data={"form": fields["form"]})
    assert left.headers["location"] == "/news/"
    assert (
        not client.cookies.jar._cookies.get("127.0.0.1", {})
        .get("/news", {})
        .get("aggregator_token")
    )
    assert "/news/sign-in" in client.get("/news/").text


@pytest.mark.later
def test_all_links_of_feeds_stay_below_the_path(
    below: tuple[Newsroom, httpx.Client],
) -> None:
    room, client = below
    secret = room.token("reader", "read")
    for ending in ("rss", "atom", "json"):
        feed = client.get(f"/news/feeds/stories.{ending}")
        assert feed.status_code == 200
        links = set(re.findall(rf"{SITE}([/\w.-]*)", feed.text))
        assert f"/news/feeds/stories.{ending}" in links
        for link in links:
            assert link.startswith("/news/"), link
            assert client.get(link).status_code == 200, link
        by_token = client.get(f"/news/t/{secret}/feeds/stories.{ending}")
        assert (by_token.status_code, secret in by_token.text) == (200, False)
    page = client.get(f"/news/t/{secret}/")
    assert f'href="/news/t/{secret}/feeds/stories.atom"' in page.text
    assert 'href="/news/static/style.css"' in page.text


def test_programs_and_phones_work_below_the_path(
    below: tuple[Newsroom, httpx.Client],
) -> None:
    room, client = below
    secret = room.token("program", "admin")
    bearer = {"Authorization": f"Bearer {secret}"}
    assert client.get("/news/api/v1/openapi.json").json()["servers"] == [
        {"url": "/news"}
    ]
    first, second = client.get("/news/api/v1/stories").json()["stories"]
    assert "no story with this id" in problem_of(
        client.get("/news/api/v1/stories/nobody"), 404
    )
    problem_of(client.get("/news/api/v1/nothing"), 404)
    merge = {"kind": "merge", "stories": [first["id"], second["id"]]}
    done = client.post("/news/api/v1/corrections", json=merge, headers=bearer)
    if done.status_code == 202:
        assert done.headers["location"].startswith("/news/api/v1/corrections/requests/")
        done = client.get(done.headers["location"], headers=bearer)
    kept = done.json()["corrected"]["stories"][0]
    gone = next(one["id"] for one in (first, second) if one["id"] != kept)
    for place in ("/news/api/v1/stories", "/news/stories"):
        answer = client.get(f"{place}/{gone}")
        assert (answer.status_code, answer.headers["location"]) == (
            301,
            f"{place}/{kept}",
        )

    sent = {"Email": "me", "Passwd": secret}
    for begin in ("/news", "/news/api/greader.php"):
        signed = client.post(f"{begin}/accounts/ClientLogin", data=sent)
        auth = dict(line.split("=", 1) for line in signed.text.split())["Auth"]
        told = {"Authorization": f"GoogleLogin auth={auth}"}
        stream = f"{begin}/reader/api/0/stream/contents/user/-/state/com.google/reading-list?output=json"
        items = client.get(stream, headers=told).json()["items"]
        assert items[0]["canonical"][0]["href"].startswith(f"{SITE}/news/stories/")


@pytest.mark.later
@pytest.mark.parametrize(
    "path", ["/stories", "/sources", "/feeds", "/api", "/t", "/a/b/c", "/n%C3%A4he"]
)
@pytest.mark.parametrize("proxy", ["strips", "keeps"], indirect=True)
def test_paths_that_look_like_those_of_the_program(
    sqlite: Database, proxy: str, path: str, tmp_path: Path
) -> None:
    with (
        Newsroom(sqlite, public_url=SITE + path).fill() as room,
        _behind(proxy, room, path, tmp_path) as client,
    ):
        _sign_in(client, room.token("reader", "admin"), path)
        front = client.get(f"{path}/")
        assert "Front page" in front.text
        links = _links(html.fromstring(front.text), f"{path}/")
        assert len(links) > 10
        for link in links:
            assert link.startswith(f"{path}/")
            assert client.get(link).status_code == 200, link
        assert "Sources" in client.get(f"{path}/sources").text
        assert client.get(f"{path}/api/v1/stories").json()["stories"]
        problem_of(client.get(f"{path}/api/v1/nothing"), 404)
