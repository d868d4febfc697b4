"""Tokens over HTTP: every way to give one, what it opens, and that it stands nowhere afterwards."""

import base64
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from aggregator.config.story_query import SavedQuery, StoryFilter
from aggregator.model.errors import ConfigError
from aggregator.publish.output_settings import PublishSettings
from aggregator.store import api_tokens
from aggregator.store.engine.database import Database
from aggregator.web.security.request_tokens import COOKIE
from aggregator.web.server import Server
from tests.support.fresh import opened_at, sqlite_at
from tests.support.newsroom import STRANGER, Newsroom, problem_of
from tests.support.rows import written_by
from tests.support.tables import each_row
from tests.support.waiting import PATIENCE_SECONDS

WRONG = "agg_" + "w" * 43
ASKED = ("/api/v1/stories", "/nosuch", "/api/v1/nosuch", "/feeds/stories.rss", "/stories/x", "/sign-in",
         "/api/v1/stories?limit=x", "/api/v1/corrections", "/api/v1/openapi.json")  # fmt: skip
# Stands late in an article: for owners alone
FULL = "water authority had raised its warning"


def basic(secret: str, name: str = "anyone") -> dict[str, str]:
    return {
        "Authorization": "Basic "
        + base64.b64encode(f"{name}:{secret}".encode()).decode()
    }


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with sqlite_at(tmp_path_factory.mktemp("tokens") / "tokens.db") as database:
        yield database


@pytest.fixture(scope="module")
def file(filled: Database) -> Path:
    with Newsroom(filled).fill():
        assert filled.file is not None
        return filled.file


@pytest.fixture
def room(file: Path, tmp_path: Path) -> Iterator[Newsroom]:
    import sqlite3

    with (
        sqlite3.connect(file) as source,
        sqlite3.connect(tmp_path / "room.db") as target,
    ):
        source.backup(target)
    with (
        opened_at(tmp_path / "room.db") as database,
        Newsroom(database).start_writing() as opened,
    ):
        yield opened


def flood(room: Newsroom) -> str:
    return next(
        str(one["id"]) for one in room.stories().values() if one["article_count"] > 1
    )


def article(room: Newsroom) -> str:
    return next(
        str(one["articles"][0]["id"])
        for one in room.stories().values()
        if one["article_count"] > 1
    )


# --- the ways ----------------------------------------------------------------------------------------------


def test_every_way_of_giving_a_token_reads_whole_articles(room: Newsroom) -> None:
    secret = room.token("reader", "read")
    path = f"/api/v1/articles/{article(room)}"
    assert room.get(path, **STRANGER).json()["text"] is None
    assert (
        room.get(path, room.token("pusher", "push"), **STRANGER).json()["text"] is None
    )
    ways: dict[str, tuple[str, dict[str, str]]] = {
        "bearer": (path, {"Authorization": f"Bearer {secret}"}),
        "bearer who may do all": (
            path,
            {"Authorization": f"Bearer {room.token('boss', 'admin')}"},
        ),
        "basic": (path, basic(secret)),
        "basic without a name": (path, basic(secret, "")),
        "basic with a colon in the name": (
            path,
            {"Authorization": basic(secret, "")["Authorization"]},
        ),
        "address": (f"/t/{secret}{path}", {}),
        "cookie": (path, {"Cookie": f"other=1; {COOKIE}={secret}"}),
    }
    for way, (address, headers) in ways.items():
        answer = room.client.get(address, headers=STRANGER | headers)
        assert answer.status_code == 200, way
        assert FULL in answer.json()["text"].replace("\n", " "), way


def test_a_token_in_the_address_opens_reading_alone(room: Newsroom) -> None:
    secret = room.token("all", "read", "push", "admin")
    reported = problem_of(room.client.get(f"/t/{secret}/api/v1/corrections"), 403)
    assert "--scope admin" in reported
    pushed = room.client.post(f"/t/{secret}/api/v1/articles", json={"title": "x"})
    assert "--scope push" in problem_of(pushed, 403)
    assert (
        room.client.get("/api/v1/corrections", headers=basic(secret)).status_code == 200
    )


def test_pages_and_feeds_are_there_behind_the_prefix(room: Newsroom) -> None:
    secret = room.token("reader", "read")
    for path in (
        "",
        "/",
        "/search?q=levee",
        "/feeds/stories.rss",
        "/sources",
        "/static/style.css",
    ):
        answer = room.client.get(f"/t/{secret}{path}", headers=STRANGER)
        assert answer.status_code == 200, path
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_a_redirect_keeps_the_prefix(room: Newsroom) -> None:
    secret, editor = room.token("reader", "read"), room.token("editor", "admin")
    ids = [one["id"] for one in room.stories().values()]
    merged = room.ask(
        "POST", "/api/v1/corrections", editor, json={"kind": "merge", "stories": ids}
    ).json()
    kept = merged["corrected"]["stories"][0]
    gone = next(one for one in ids if one != kept)
    answer = room.client.get(f"/t/{secret}/api/v1/stories/{gone}")
    assert answer.headers["location"] == f"/t/{secret}/api/v1/stories/{kept}"
    assert (
        room.get(f"/api/v1/stories/{gone}").headers["location"]
        == f"/api/v1/stories/{kept}"
    )


def test_the_etag_is_the_same_whichever_token_and_way(room: Newsroom) -> None:
    one, other = room.token("one", "read"), room.token("other", "read")
    path = "/api/v1/stories"
    tags = {
        room.client.get(address, headers=headers).headers["etag"]
        for address, headers in (
            (path, {}),
            (path, basic(one)),
            (f"/t/{one}{path}", {}),
            (f"/t/{other}{path}", {}),
        )
    }
    assert len(tags) == 1


# --- wrong ones --------------------------------------------------------------------------------------------


@pytest.mark.later
@each_row("bearers", "a wrong token is asked again", "path", "given", "asks")
def test_a_wrong_token_is_asked_again(
    room: Newsroom, path: str, given: str, asks: str
) -> None:
    """In the rows WRONG is such a token, BASIC a header with it as the password."""
    said = given.replace("WRONG", WRONG).replace("BASIC", basic(WRONG)["Authorization"])
    answer = room.client.get(
        path.replace("WRONG", WRONG), headers={"Authorization": said} if said else {}
    )
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith(asks)
    assert WRONG not in answer.text


def test_after_ten_wrong_ones_a_minute_an_address_has_to_wait(room: Newsroom) -> None:
    secret = room.token("reader", "read")
    ways = [
        ("/", {"Authorization": f"Bearer {WRONG}"}),
        ("/feeds/stories.rss", basic(WRONG)),
        (f"/t/{WRONG}/", {}),
    ]
    for n in range(10):
        path, headers = ways[n % 3]
        assert room.client.get(path, headers=headers).status_code == 401, n
    answer = room.client.get("/api/v1/stories", headers=basic(WRONG))
    problem_of(answer, 429)
    assert 0 < int(answer.headers["retry-after"]) <= 60
    cookie = room.client.get("/api/v1/stories", headers={"Cookie": f"{COOKIE}={WRONG}"})
    problem_of(cookie, 429)
    assert f"{COOKIE}=;" in cookie.headers["set-cookie"], (
        "or its browser would hear that again and again"
    )
    assert (
        room.client.get("/api/v1/stories", headers=basic(secret)).status_code == 200
    ), "right ones pass"
    assert room.client.get("/api/v1/stories").status_code == 200, "and who gives none"


def test_an_old_cookie_locks_nobody_out_and_goes(room: Newsroom) -> None:
    secret = room.token("reader", "read")
    written_by(room.database, api_tokens.revoke, "reader", room.clock())
    answer = room.client.get("/", headers={"Cookie": f"{COOKIE}={secret}"})
    assert answer.status_code == 200
    assert f"{COOKIE}=;" in answer.headers["set-cookie"]
    assert "Max-Age=0" in answer.headers["set-cookie"]


# --- forms of other sites ----------------------------------------------------------------------------------


@pytest.mark.later
@each_row("bearers", "another site cannot correct", "headers", "passes")
def test_another_site_cannot_correct(
    room: Newsroom, headers: dict[str, str], passes: bool
) -> None:
    secret = room.token("editor", "admin")
    own = str(room.client.base_url).rstrip("/")
    given = {name: value.replace("{own}", own) for name, value in headers.items()}
    answer = room.client.post(
        "/api/v1/corrections/9/undo", headers=basic(secret) | given
    )
    assert answer.status_code == (404 if passes else 403), (
        "404: there is no correction 9"
    )


# --- listening elsewhere -----------------------------------------------------------------------------------


def own_address() -> str | None:
    """An address of this machine that is not loopback; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address


@pytest.fixture
def elsewhere(room: Newsroom) -> Iterator[tuple[Newsroom, httpx.Client, str]]:
    """A server on all addresses, and who asks for it by one that is not loopback."""
    secret = room.token("reader", "read")
    queries = (SavedQuery(title="What we look for", query="levee").named("arrel"),)
    services = room.server.services
    server = Server(
        room.reading, PublishSettings(host="0.0.0.0", port=0, queries=queries), services
    )
    port = server.start().rpartition(":")[2]
    client = httpx.Client(
        base_url=f"http://{own_address() or '127.0.0.1'}:{port}",
        trust_env=False,
        timeout=PATIENCE_SECONDS,
    )
    if own_address() is None:
        client.headers.update(STRANGER)  # the same to the server: not from this machine
    yield room, client, secret
    client.close()
    server.stop()


@pytest.mark.later
def test_elsewhere_all_but_health_needs_a_token(
    elsewhere: tuple[Newsroom, httpx.Client, str],
) -> None:
    room, client, secret = elsewhere
    closed = ["/", "/feeds/stories.rss", "/search?q=x", "/sources", "/api/v1/stories", "/api/v1/openapi.json",
              f"/stories/{flood(room)}", "/nosuch", "/api/v1/nosuch"]  # fmt: skip
    for path in closed:
        answer = client.get(path)
        assert answer.status_code == 401, path
        wanted = "Bearer" if path.startswith("/api/") else "Basic"
        assert answer.headers["www-authenticate"].startswith(wanted), path
        assert "Pennmouth" not in answer.text
        assert client.head(path).status_code == 401, path
    for path in ("/healthz", "/robots.txt", "/static/style.css", "/sign-in"):
        assert client.get(path).status_code == 200, path
    for path in (*closed, "/sign-in"):
        assert "arrel" not in client.get(path).text, (
            "nor is it said what there is to be read"
        )
    assert "/feeds/arrel.atom" in client.get("/", headers=basic(secret)).text
    for path in (
        "/",
        "/feeds/stories.rss",
        "/api/v1/stories",
        f"/stories/{flood(room)}",
    ):
        for answer in (
            client.get(path, headers=basic(secret)),
            client.get(path, headers={"Authorization": f"Bearer {secret}"}),
            client.get(path, headers={"Cookie": f"{COOKIE}={secret}"}),
            client.get(f"/t/{secret}{path}"),
        ):
            assert answer.status_code == 200, path
            assert "Pennmouth" in answer.text


def test_elsewhere_a_token_opens_what_its_scopes_say(
    elsewhere: tuple[Newsroom, httpx.Client, str],
) -> None:
    room, client, _ = elsewhere
    pusher = {"Authorization": f"Bearer {room.token('pusher', 'push')}"}
    assert "may not read" in problem_of(
        client.get("/api/v1/stories", headers=pusher), 403
    )
    pushed = client.post(
        "/api/v1/articles", json={"outlet": "x", "title": "A title"}, headers=pusher
    )
    assert pushed.status_code == 202


def test_elsewhere_this_machine_needs_one_too(
    elsewhere: tuple[Newsroom, httpx.Client, str],
) -> None:
    _, client, secret = elsewhere
    port = client.base_url.port
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE_SECONDS
    ) as here:
        assert here.get("/api/v1/stories").status_code == 401
        assert here.get("/api/v1/stories", headers=basic(secret)).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "news.example"])
def test_elsewhere_nothing_starts_without_a_token_that_may_read(
    room: Newsroom, host: str
) -> None:
    server = Server(
        room.reading,
        PublishSettings(host=host, port=0),
        room.server.services,
    )
    with pytest.raises(ConfigError, match="aggregator token create NAME --scope read"):
        server.start()
    room.token("pusher", "push")
    with pytest.raises(ConfigError, match="no token has the scope read"):
        server.start()
    room.token("gone", "read")
    written_by(room.database, api_tokens.revoke, "gone", room.clock())
    with pytest.raises(ConfigError, match="no token has the scope read"):
        server.start()


# --- nowhere afterwards ------------------------------------------------------------------------------------


@pytest.mark.later
def test_a_secret_is_in_no_log_and_no_answer_that_is_passed_on(
    room: Newsroom, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("uvicorn").setLevel(logging.DEBUG)
    logging.getLogger("uvicorn.error").setLevel(logging.DEBUG)
    right, editor = room.token("reader", "read"), room.token("editor", "admin")
    secrets = (right, editor, WRONG, "agg_malformed")
    said: list[httpx.Response] = []
    for secret in secrets:
        ways: list[tuple[str, dict[str, str]]] = [
            ("", {"Authorization": f"Bearer {secret}"}),
            ("", basic(secret)),
            (f"/t/{secret}", {}),
            ("", {"Cookie": f"{COOKIE}={secret}"}),
        ]
        for prefix, headers in ways:
            said += [room.client.get(prefix + path, headers=headers) for path in ASKED]
            said.append(
                room.client.post(
                    f"{prefix}/api/v1/corrections", content=b"{", headers=headers
                )
            )
    _raw(
        room,
        f"GET /t/{right}/\xff HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode("latin-1"),
    )
    _raw(
        room,
        f"GET /t/{right} HTTP/9.9\r\nAuthorization: Bearer {right}\r\n\r\n".encode(),
    )
    _raw(room, f"NONSENSE {right}\r\n\r\n".encode())
    room.reading.stories = _broken  # type: ignore[method-assign]
    room.reading.pages = _broken  # type: ignore[method-assign]
    for path in (
        f"/t/{right}/api/v1/stories",
        f"/t/{right}/feeds/stories.rss?folder=new",
    ):
        answer = room.client.get(path)
        assert answer.status_code == 500
        said.append(answer)
    outside = capfd.readouterr()
    ours = (
        one.getMessage() + (one.exc_text or "")
        for one in caplog.records
        if not one.name.startswith("http")
    )
    logged = "\n".join(ours) + outside.out + outside.err
    assert "a request failed" in logged, "the log is looked at"
    for secret in secrets:
        assert secret not in logged
        # Links of a page that was found keep the token in front of them; nothing else has it.
        passed_on = [
            answer
            for answer in said
            if answer.status_code != 200 or "html" not in kind(answer)
        ]
        assert not [answer.url.path for answer in passed_on if secret in answer.text]
        assert not [
            answer for answer in said if secret in str(answer.headers.get("etag"))
        ]


def kind(answer: httpx.Response) -> str:
    return answer.headers.get("content-type", "")


def _broken(_wanted: StoryFilter) -> None:
    raise RuntimeError("a fault of ours")


def _raw(room: Newsroom, request: bytes) -> None:
    """Bytes that no client would send."""
    url = room.client.base_url
    with socket.create_connection(
        (str(url.host), url.port or 80), timeout=PATIENCE_SECONDS
    ) as sent:
        sent.sendall(request)
        sent.recv(4096)
