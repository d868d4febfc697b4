"""Pages of other sites that use the API (CORS): which may, what they may do, and that none is the owner."""

from collections.abc import Iterator

import httpx
import pytest
from msgspec.json import decode

from aggregator.config.settings import Config
from aggregator.store.engine.database import Database
from tests.support.newsroom import Newsroom, problem_of
from tests.support.tables import each_row

APP = "https://app.example.org"
OTHER = "https://other.example"


@pytest.fixture
def room(sqlite: Database, request: pytest.FixtureRequest) -> Iterator[Newsroom]:
    with Newsroom(sqlite, cors=getattr(request, "param", (APP,))).fill() as opened:
        yield opened


def _from(origin: str, **headers: str) -> dict[str, str]:
    """As browsers ask for a page of another site."""
    return {
        "Origin": origin,
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "cors",
    } | headers


def _preflight(
    room: Newsroom, origin: str, path: str, method: str = "GET"
) -> httpx.Response:
    asked = {
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization",
    }
    return room.client.options(path, headers=_from(origin, **asked))


def _texts(answer: httpx.Response) -> list[str | None]:
    return [article["html"] for article in decode(answer.content)["articles"]]


def test_a_page_of_a_named_origin_reads_and_writes_with_its_token(
    room: Newsroom,
) -> None:
    for path, method in (
        ("/api/v1/stories", "GET"),
        ("/api/v1/articles", "POST"),
        ("/feeds/stories.json", "GET"),
    ):
        asked = _preflight(room, APP, path, method)
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == APP
        assert method in asked.headers["access-control-allow-methods"].split(", ")
        assert "Authorization" in asked.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in asked.headers
        assert "Origin" in asked.headers["vary"]
    secret = room.token("app", "admin")
    given = _from(APP, Authorization=f"Bearer {secret}")
    story = next(iter(room.stories().values()))["id"]
    read = room.client.get(f"/api/v1/stories/{story}", headers=given)
    assert read.headers["access-control-allow-origin"] == APP
    assert "ETag" in read.headers["access-control-expose-headers"]
    assert all(_texts(read))
    pushed = room.client.post(
        "/api/v1/articles", json={"title": "Dam siren sounded"}, headers=given
    )
    assert (pushed.status_code, pushed.headers["access-control-allow-origin"]) == (
        202,
        APP,
    )
    missing = room.client.get("/api/v1/stories/nobody", headers=given)
    assert (missing.status_code, missing.headers["access-control-allow-origin"]) == (
        404,
        APP,
    )


def test_it_is_never_the_owner_without_its_token(room: Newsroom) -> None:
    story = next(iter(room.stories().values()))["id"]
    assert all(_texts(room.get(f"/api/v1/stories/{story}"))), (
        "at this machine is the owner"
    )
    secret = room.token("owner", "admin")
    for given in (
        {},
        {"Cookie": f"aggregator_token={secret}"},
        {"Authorization": "Basic " + _basic(secret)},
    ):
        read = room.client.get(f"/api/v1/stories/{story}", headers=_from(APP, **given))
        assert (read.status_code, read.headers["access-control-allow-origin"]) == (
            200,
            APP,
        )
        assert not any(_texts(read))
        sent = room.client.post(
            "/api/v1/articles", json={"title": "Dam"}, headers=_from(APP, **given)
        )
        assert "page of another site" in problem_of(sent, 403)


def _basic(secret: str) -> str:
    return httpx.BasicAuth("any", secret)._auth_header.removeprefix("Basic ")


@pytest.mark.later
@pytest.mark.parametrize("room", [(), (APP,)], indirect=True)
def test_a_page_of_another_origin_gets_nothing(room: Newsroom) -> None:
    for origin in (
        OTHER,
        "null",
        f"{APP}.evil.example",
        f"{APP}:8443",
        "http://app.example.org",
    ):
        for answer in (
            _preflight(room, origin, "/api/v1/stories"),
            room.client.get("/api/v1/stories", headers=_from(origin)),
            room.client.get("/", headers=_from(origin)),
        ):
            assert not [
                name for name in answer.headers if name.startswith("access-control")
            ]
        token = {"Authorization": f"Bearer {room.token(f'by {origin}', 'push')}"}
        sent = room.client.post(
            "/api/v1/articles", json={"title": "Dam"}, headers=_from(origin, **token)
        )
        problem_of(sent, 403)


def test_pages_have_secrets_in_their_forms_and_are_for_no_other_origin(
    room: Newsroom,
) -> None:
    for path in ("/", "/sources", "/sign-in", "/status", "/static/pages.js"):
        answer = room.client.get(path, headers=_from(APP))
        assert "access-control-allow-origin" not in answer.headers
        assert "access-control-allow-origin" not in _preflight(room, APP, path).headers


@pytest.mark.parametrize("room", [("*",)], indirect=True)
def test_any_origin_may_only_read_and_without_a_token(room: Newsroom) -> None:
    asked = _preflight(room, OTHER, "/api/v1/stories")
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (
        204,
        "*",
    )
    assert asked.headers["access-control-allow-methods"] == "GET, HEAD"
    assert "Authorization" not in asked.headers["access-control-allow-headers"]
    story = next(iter(room.stories().values()))["id"]
    read = room.client.get(f"/api/v1/stories/{story}", headers=_from(OTHER))
    assert (read.status_code, any(_texts(read))) == (200, False)
    token = {"Authorization": f"Bearer {room.token('app', 'push')}"}
    sent = room.client.post(
        "/api/v1/articles", json={"title": "Dam"}, headers=_from(OTHER, **token)
    )
    problem_of(sent, 403)


def test_a_server_that_needs_a_token_answers_preflights(sqlite: Database) -> None:
    with Newsroom(sqlite) as first:
        secret = first.token("app", "read")
    with Newsroom(sqlite, host="0.0.0.0", cors=(APP,)).fill() as room:
        room.client.base_url = httpx.URL(
            f"http://127.0.0.1:{room.server.settings.port}"
        )
        assert _preflight(room, APP, "/api/v1/stories").status_code == 204
        assert _preflight(room, OTHER, "/api/v1/stories").status_code == 401
        refused = room.client.get("/api/v1/stories", headers=_from(APP))
        assert (
            refused.status_code,
            refused.headers["access-control-allow-origin"],
        ) == (401, APP)
        given = _from(APP, Authorization=f"Bearer {secret}")
        assert room.client.get("/api/v1/stories", headers=given).status_code == 200


@pytest.mark.parametrize(
    "origin", ["*", APP, "http://localhost:3000", "https://[::1]:8443"]
)
def test_what_is_an_origin(origin: str) -> None:
    assert Config.model_validate({"server": {"cors": (origin,)}}).server.cors == (
        origin,
    )


@each_row("cors", "what is no origin", "origin")
def test_what_is_no_origin(origin: str) -> None:
    with pytest.raises(ValueError, match="an origin as browsers send it"):
        Config.model_validate({"server": {"cors": (origin,)}})
