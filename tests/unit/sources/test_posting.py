"""Posting to real receivers on loopback: what comes of it is a value, in time, and names no secret."""

import itertools
from collections.abc import Iterator
from datetime import datetime

import pytest

from aggregator.config.delivery_settings import signing_key
from aggregator.config.tuning import Tuning
from aggregator.deliver.transmit import signed_headers
from aggregator.model.errors import ConfigError
from aggregator.sources.fetch.client import ClientSettings
from aggregator.sources.fetch.posting import PostResult, WebhookPoster
from tests.support.loopback import LoopbackServer, Request, Response, Route, slowly

BODY = b'{"type": "test"}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n"


def make_poster(*allowed: str, deadline_seconds: float = 5.0) -> WebhookPoster:
    return WebhookPoster(
        ClientSettings(allow_private=allowed, contact="https://example.org/about"),
        Tuning(),
        deadline_seconds=deadline_seconds,
        response_cap_bytes=65536,
        now=lambda: datetime.fromisoformat("2026-11-20T08:00Z"),
    )


@pytest.fixture
def poster() -> Iterator[WebhookPoster]:
    made = make_poster("127.0.0.0/8")
    yield made
    made.close()


def posted_to(poster: WebhookPoster, route: Route) -> tuple[PostResult, list[Request]]:
    with LoopbackServer({"/hook": route}) as server:
        return poster.post(
            server.url("/hook"), BODY, {"webhook-id": "msg_1"}
        ), server.requests


def test_one_request_with_what_was_given(poster: WebhookPoster) -> None:
    posted, (request,) = posted_to(poster, Response(202, body="thanks"))
    assert posted == PostResult(status=202)
    assert posted.is_accepted
    assert (request.method, request.body, request.headers["webhook-id"]) == (
        "POST",
        BODY,
        "msg_1",
    )
    assert request.headers["user-agent"].startswith("aggregator/")
    assert request.headers["content-length"] == str(len(BODY))


@pytest.mark.later
def test_a_receiver_that_never_answers_is_left(poster: WebhookPoster) -> None:
    hasty = make_poster("127.0.0.0/8", deadline_seconds=0.2)
    for answer in (
        Response(200, delay_seconds=30),
        Response(raw=slowly([b"HT", b"TP"] * 200, 0.1)),
    ):
        posted, _ = posted_to(hasty, answer)
        assert posted.status is None
        assert posted.problem.startswith("timeout")


@pytest.mark.later
@pytest.mark.parametrize(
    "raw", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"\x00" * 4096]
)
def test_what_is_no_answer_is_a_failure(poster: WebhookPoster, raw: bytes) -> None:
    posted, _ = posted_to(poster, Response(raw=raw))
    assert posted.status is None
    assert posted.problem


def test_an_endless_head_is_cut_and_an_endless_body_is_not_read(
    poster: WebhookPoster,
) -> None:
    filler = itertools.repeat(b"X-Filler: " + b"x" * 8000 + b"\r\n")
    cut, _ = posted_to(poster, Response(raw=itertools.chain([HEAD], filler)))
    assert cut.status is None
    posted, _ = posted_to(poster, Response(200, body=itertools.repeat(b"x" * 65536)))
    assert posted.is_accepted


def test_private_networks_are_refused_unless_allowed(poster: WebhookPoster) -> None:
    with LoopbackServer({"/hook?key=SECRET": Response(204)}) as server:
        url = server.url("/hook?key=SECRET")
        refused = make_poster().post(url, BODY, {})
        assert refused.status is None
        assert refused.problem.startswith("refused")
        assert "SECRET" not in refused.problem
        assert server.requests == []
        assert poster.post(url, BODY, {}).is_accepted


@pytest.mark.later
@pytest.mark.parametrize(
    "url",
    [
        "https://user:SECRET@desk.example/hook", "ftp://desk.example/SECRET", "https://desk.example/SEC RET",
        "https://desk.example:99999/SECRET", "http://[::1/SECRET", "http://127.0.0.1:1/SECRET", "SECRET",
    ],
)  # fmt: skip
def test_a_failure_names_no_more_than_the_host(poster: WebhookPoster, url: str) -> None:
    posted = poster.post(url, BODY, {})
    assert posted.status is None
    assert posted.problem
    assert "SECRET" not in posted.problem
    assert "SEC" not in posted.problem


def test_the_signature_is_that_of_the_scheme() -> None:
    """The figures were made with the scheme's own library (standardwebhooks 1.1.0)."""
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    signed = signed_headers(
        key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert signed == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_",
        "whsec_short",
        "whsec_*" * 9,
        "whsec_" + "A" * 92,
    ],
)
def test_what_is_no_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ConfigError) as caught:
        signing_key(secret)
    assert not secret or secret == "whsec_" or secret not in str(caught.value)


def test_a_request_whose_answer_is_lost_is_not_sent_again(
    poster: WebhookPoster,
) -> None:
    for raw in (b"", b"what?\r\n\r\n"):
        with LoopbackServer(
            {"/first": Response(204), "/hook": Response(raw=raw)}
        ) as server:
            assert poster.post(server.url("/first"), BODY, {}).is_accepted
            assert poster.post(server.url("/hook"), BODY, {}).status is None
            assert server.paths() == ["/first", "/hook"]
