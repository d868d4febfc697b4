"""Articles pushed over HTTP: a real server, a real database, nothing in between."""

import gzip
import json
import socket
import time
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from select import select as readable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator
from sqlalchemy import event, select, text

from aggregator.model.entry import Entry
from aggregator.sources.parse.records.jsonl import decoded_record
from aggregator.sources.parse.records.record_entry import entry_of_record
from aggregator.store import api_tokens
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import acceptance, pending_pages
from aggregator.store.tables import api_token as token_table
from aggregator.store.tables import article, entry, story
from aggregator.web.api.push_endpoint import read_push
from aggregator.web.responses import RefusedError
from tests.support.articles import FLOOD, NOON, STRIKE
from tests.support.newsroom import Newsroom, problem_of
from tests.support.rows import (
    counted,
    executed,
    full_soon,
    queried,
    read_by,
    value,
    written_by,
)
from tests.support.tables import repeated, rows
from tests.support.waiting import PATIENCE_SECONDS

RECORD = {
    "id": "r1",
    "outlet": "Harbour Post",
    "title": "Dock workers strike",
    "text": " ".join(STRIKE.split()),
}
OTHER = {
    "id": "r2",
    "outlet": "Herald",
    "title": "Levee breaks",
    "text": FLOOD,
    "published": "2026-10-11",
}
JSONL = "application/jsonl"


class Office(Newsroom):
    """A newsroom with a token that may push."""

    def __init__(
        self,
        database: Database,
        *,
        deadline_seconds: float = PATIENCE_SECONDS,
        **tuning: Any,
    ) -> None:
        super().__init__(
            database,
            tuning={
                "push": tuning,
                "net": {"fetch_deadline_seconds": deadline_seconds},
            },
        )
        self.secret = self.token("newsroom", "push")

    def push(
        self, body: Any, *, secret: str | None = "", **more: str
    ) -> httpx.Response:
        headers = {"Content-Type": "application/json"} | {
            k.replace("_", "-"): v for k, v in more.items()
        }
        if secret is not None:
            headers["Authorization"] = f"Bearer {secret or self.secret}"
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post("/api/v1/articles", content=data, headers=headers)

    def entries(self) -> int:
        return counted(self.database, entry)

    def place(self) -> None:
        self.writer.place()
        self.writer.render()


@pytest.fixture
def office(database: Database) -> Iterator[Office]:
    with Office(database) as opened:
        yield opened


@pytest.fixture
def local(sqlite: Database) -> Iterator[Office]:
    """On SQLite alone: what has nothing to do with the kind of database."""
    with Office(sqlite) as opened:
        yield opened


# --- what is pushed is stored, and placed like everything else ---------------------------------------------


def test_a_pushed_article_is_placed_and_bumps_by_our_clock(office: Office) -> None:
    answer = office.push(OTHER)
    assert answer.status_code == 202
    reported = answer.json()
    assert (reported["accepted"], reported["known"], reported["rejected"]) == (1, 0, 0)
    office.place()
    row = queried(
        office.database, select(article.c.id, article.c.outlet, article.c.published)
    ).one()
    bumped = value(office.database, story.c.bumped_at)
    assert (row.id, row.outlet) == (reported["items"][0]["article"], "Herald")
    assert row.published.date() == date(2026, 10, 11)
    assert bumped > NOON, "pushed is announced like polled, whatever its date"


def test_each_record_of_a_list_is_answered(office: Office) -> None:
    reported = office.push([RECORD, 7, {"outlet": "Empty"}, OTHER, RECORD]).json()
    assert [one["status"] for one in reported["items"]] == [
        "accepted",
        "rejected",
        "rejected",
        "accepted",
        "known",
    ]
    assert [one["record"] for one in reported["items"]] == [1, 2, 3, 4, 5]
    assert "object in braces" in reported["items"][1]["reason"]
    assert "empty" in reported["items"][2]["reason"]
    assert reported["items"][0]["article"] == reported["items"][4]["article"]
    assert office.entries() == 2


def test_records_may_come_a_line(office: Office) -> None:
    body = (
        b"\xef\xbb\xbf"
        + json.dumps(RECORD).encode()
        + b"\r\n\r\n{broken\r\n"
        + json.dumps(OTHER).encode()
    )
    reported = office.push(body, Content_Type=JSONL).json()
    assert [(one["record"], one["status"]) for one in reported["items"]] == [
        (1, "accepted"),
        (3, "rejected"),
        (4, "accepted"),
    ]
    assert office.push(b'{"title": "x"}\n' * 201, Content_Type=JSONL).status_code == 413
    refused = office.push(body)
    assert (refused.status_code, "application/jsonl" in refused.json()["detail"]) == (
        400,
        True,
    )
    below = office.push(b"\n \r\n" + body, Content_Type=JSONL).json()
    assert [one["record"] for one in below["items"]] == [3, 5, 6], (
        "blank lines at the beginning count, too"
    )


def test_the_same_again_is_known_and_another_text_a_revision(office: Office) -> None:
    first = office.push(RECORD).json()["items"][0]
    assert office.push(RECORD).json()["items"][0] == first | {"status": "known"}
    changed = office.push(
        RECORD | {"text": RECORD["text"] + " A sentence was added."}
    ).json()["items"][0]
    assert changed == first | {"revision": True}
    assert office.entries() == 2


def test_pushed_and_read_from_a_file_is_one_article(office: Office) -> None:
    pushed = office.push(RECORD).json()["items"][0]["article"]
    read = entry_of_record(decoded_record(json.dumps(RECORD)), file_name="dump.jsonl")
    assert (
        office.push(RECORD | {"outlet": ""}).json()["items"][0]["article"] != pushed
    ), "of the token"
    (known,) = written_by(
        office.database, acceptance.accept, [read], seen=[NOON]
    ).accepted
    assert (known.outcome, known.article) == ("known", pushed)


def test_the_page_of_a_bare_address_is_fetched_by_the_daemon(office: Office) -> None:
    assert office.push({"url": "https://herald.example/2"}).json()["accepted"] == 1
    (due_pages,) = read_by(
        office.database, pending_pages.load_due_pages, office.clock(), 10
    )
    assert due_pages.url == "https://herald.example/2"


# --- the same push again -----------------------------------------------------------------------------------


def test_many_at_once_are_one_article_each(office: Office) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda _: office.push([RECORD, OTHER]).json(), range(8))
        )
    assert sum(answer["accepted"] for answer in answers) == office.entries() == 2
    assert {answer["known"] for answer in answers} == {0, 2}


def test_an_idempotency_key_is_ignored(local: Office) -> None:
    for body in (RECORD, OTHER):
        assert local.push(body, Idempotency_Key="a").json()["accepted"] == 1
    assert local.push(RECORD, Idempotency_Key="b").json()["known"] == 1


# --- tokens ------------------------------------------------------------------------------------------------


def test_pushing_needs_a_token_that_may_push(local: Office) -> None:
    assert "aggregator token create" in problem_of(local.push(RECORD, secret=None), 401)
    assert (
        local.push(RECORD, secret=None).headers["www-authenticate"].startswith("Bearer")
    )
    problem_of(local.push(RECORD, secret="agg_wrong"), 401)
    odd = {"Authorization": b"Bearer wr\xf6ng", "Content-Type": b"application/json"}
    problem_of(local.client.post("/api/v1/articles", content=b"{}", headers=odd), 401)
    assert "--scope push" in problem_of(
        local.push(RECORD, secret=local.token("reader", "read")), 403
    )
    assert local.push(RECORD, secret=local.token("boss", "admin")).status_code == 202
    written_by(local.database, api_tokens.revoke, "newsroom", local.clock())
    problem_of(local.push(RECORD), 401)
    assert local.entries() == 1


def test_a_password_for_the_proxy_in_front_is_none_of_ours(local: Office) -> None:
    proxy = httpx.BasicAuth("editor", "opensesame")
    assert all(
        local.client.get("/healthz", auth=proxy).status_code == 200 for _ in range(12)
    )
    assert (
        local.client.post("/api/v1/articles", json=RECORD, auth=proxy).status_code
        == 401
    )


def test_the_database_holds_no_token_but_its_hash(office: Office) -> None:
    office.push(RECORD)
    row = queried(office.database, select(token_table)).one()
    assert office.secret.encode() not in bytes(row.hash)
    assert office.secret not in str(row)
    assert len(bytes(row.hash)) == 32
    assert row.last_used_at is not None


# --- what is too much, too slow, or nothing ----------------------------------------------------------------


@pytest.mark.later
@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        *(
            (repeated(parts).encode(), status, words)
            for parts, status, words in rows("push", "rejected records")
        ),
        (json.dumps([RECORD] * 201).encode(), 413, "more than 200 records"),
    ],
)
def test_rejected_records_are_reported(
    local: Office, body: bytes, status: int, words: str
) -> None:
    assert words in problem_of(local.push(body), status)
    assert local.entries() == 0


def test_exactly_as_much_as_may_be_is_taken(local: Office) -> None:
    assert (
        local.push([{"title": f"Item {n}"} for n in range(200)]).json()["accepted"]
        == 200
    )
    assert local.push(json.dumps(RECORD).encode().ljust(1_048_576)).status_code == 202


def test_no_record_keeps_the_server_busy(local: Office) -> None:
    nasty = [{"title": f"Item {number}", "author": "a@" * 2000} for number in range(60)]
    before = time.process_time()
    assert local.push(nasty).json()["accepted"] == 60
    assert time.process_time() - before < 10, "such a record would block the web server"


def test_if_all_are_rejected_each_reason_is_reported(local: Office) -> None:
    answer = local.push([{}, 3])
    problem_of(answer, 422)
    assert [item["status"] for item in answer.json()["items"]] == [
        "rejected",
        "rejected",
    ]


@pytest.mark.later
@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""],
)
def test_what_a_foreign_page_could_send_is_refused(local: Office, kind: str) -> None:
    assert "Content-Type" in problem_of(local.push(RECORD, Content_Type=kind), 415)


@pytest.mark.later
def test_a_packed_body_is_unpacked_within_the_limit(local: Office) -> None:
    plain = json.dumps(RECORD).encode()
    assert (
        local.push(gzip.compress(plain), Content_Encoding="gzip").json()["accepted"]
        == 1
    )
    assert (
        local.push(gzip.compress(plain), Content_Encoding="x-gzip").json()["known"] == 1
    )
    bomb = gzip.compress(b'{"title": "' + b" " * 20_000_000)
    problem_of(local.push(bomb, Content_Encoding="gzip"), 413)
    problem_of(local.push(gzip.compress(plain)[:-9], Content_Encoding="gzip"), 400)
    problem_of(local.push(plain, Content_Encoding="br"), 415)


def test_a_body_is_counted_while_it_comes(local: Office) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"title": "'
        for _ in range(64):
            yield b"x" * 65_536

    headers = {
        "Authorization": f"Bearer {local.secret}",
        "Content-Type": "application/json",
    }
    try:
        answer = local.client.post(
            "/api/v1/articles", content=endless(), headers=headers
        )
    except httpx.WriteError:
        pytest.skip("the server hung up before this client had read its answer")
    problem_of(answer, 413)


class SlowClient:
    """A push of which only the beginning is sent."""

    def __init__(self, office: Office, sent: bytes, declared: int) -> None:
        host, port = office.client.base_url.host, office.client.base_url.port
        self.socket = socket.create_connection(
            (host, port or 80), timeout=PATIENCE_SECONDS
        )
        self.socket.sendall(
            f"POST /api/v1/articles HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {office.secret}\r\nContent-Length: {declared}\r\n\r\n".encode()
            + sent
        )

    def send(self, more: bytes) -> None:
        self.socket.sendall(more)

    def is_answered(self) -> bool:
        return bool(readable([self.socket], [], [], 0)[0])

    def status(self) -> int:
        return int(self.socket.recv(4096).split()[1])

    def close(self) -> None:
        self.socket.close()


def test_slow_bodies_keep_nobody_waiting(local: Office) -> None:
    body = json.dumps(RECORD).encode()
    slow = [SlowClient(local, body[:20], len(body)) for _ in range(31)]
    for _ in range(11):
        assert local.client.get("/healthz").status_code == 200
    assert local.push(OTHER).status_code == 202
    assert not any(one.is_answered() for one in slow), (
        "they all were under way meanwhile"
    )
    slow[15].send(body[20:])
    assert slow[15].status() == 202, "a slow one is served too, when it is done"
    for one in slow:
        one.close()
    assert local.client.get("/healthz").status_code == 200


@pytest.mark.later
def test_a_body_that_does_not_come_is_given_up(sqlite: Database) -> None:
    with Office(sqlite, deadline_seconds=0.2) as office:
        client = SlowClient(office, b'{"title":', 100)
        assert client.status() == 408
        assert client.socket.recv(4096) == b"" or client.socket.recv(4096) == b""
        client.close()


def test_pushes_on_their_way_have_a_bound_together(sqlite: Database) -> None:
    with Office(sqlite, under_way=1) as office:
        beginning = b'{"title": "' + b"x" * 2500
        filling = SlowClient(office, beginning, 2600)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (
            full := office.push({"title": "y" * 1000})
        ).status_code != 503 and time.monotonic() < deadline:
            if filling.is_answered():  # it came while the other had the room: again
                filling.close()
                filling = SlowClient(office, beginning, 2600)
        problem_of(full, 503)
        assert full.headers["retry-after"] == "5"
        filling.send(b'y"'.ljust(2600 - 2511 - 1) + b"}")
        assert filling.status() == 202
        assert office.push({"title": "y" * 1000}).status_code == 202, (
            "and is free again afterwards"
        )
        filling.close()


def test_a_client_that_goes_away_leaves_nothing_behind(local: Office) -> None:
    for _ in range(5):
        SlowClient(local, b'{"title": "Half', 100).close()
    assert local.push(RECORD).json()["accepted"] == 1
    assert local.entries() == 1


def test_nothing_is_promised_that_was_not_stored(local: Office) -> None:
    executed(local.database, text("ALTER TABLE entry RENAME TO gone"))
    problem_of(local.push(RECORD, key="a"), 503)
    executed(local.database, text("ALTER TABLE gone RENAME TO entry"))
    assert local.push(RECORD, key="a").json()["accepted"] == 1


def test_the_log_says_why_a_push_was_not_stored(
    local: Office, caplog: pytest.LogCaptureFixture
) -> None:
    full_soon(local.database, 0)
    answers = [local.push({**OTHER, "id": f"full-{n}"}) for n in range(40)]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused
    causes = [
        record.getMessage()
        for record in caplog.records
        if getattr(record, "event", "") == "request_failed"
    ]
    assert len(causes) == len(refused), "one line for each"
    assert all("full" in cause for cause in causes)


def test_a_push_is_on_the_disk_before_it_is_answered(sqlite: Database) -> None:
    levels: list[int] = []

    @event.listens_for(sqlite.engine, "commit")
    def _note(connection: Connection) -> None:
        levels.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    with Office(sqlite) as office:
        levels.clear()
        office.push(RECORD)
        assert levels[-1] == 2 or 2 in levels, "FULL: the log is synced by the commit"
    levels.clear()
    with sqlite.write() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 1, (
            "others do not pay for it"
        )


# --- the description, and whatever else may come -----------------------------------------------------------


def test_the_description_has_examples_that_are_taken(local: Office) -> None:
    described = local.client.get("/api/v1/openapi.json").json()
    route = described["paths"]["/api/v1/articles"]["post"]
    assert {"202", "401", "413", "422", "429"} <= set(route["responses"])
    assert set(described["components"]["securitySchemes"]) == {
        name for one in route["security"] for name in one
    }
    for kind, content in route["requestBody"]["content"].items():
        for example in content["examples"].values():
            value = example["value"]
            body = (
                value.encode() if isinstance(value, str) else json.dumps(value).encode()
            )
            assert local.push(body, Content_Type=kind).status_code == 202


def is_accepted(record: dict[str, object]) -> bool:
    body = json.dumps(record).encode()
    ((_, read),) = read_push(body, lines=False, source="token", seen=NOON, max_items=1)
    return isinstance(read, Entry)


@pytest.mark.later
def test_the_description_permits_a_text_exactly_if_it_is_accepted(
    local: Office,
) -> None:
    """Of one character: all below U+3000, and a part of the others. Schemathesis sent ʅ as `html`."""
    whole = local.client.get("/api/v1/openapi.json").json()
    body = whole["paths"]["/api/v1/articles"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    described = Draft202012Validator(schema | {"components": whole["components"]})
    characters = [*map(chr, range(0x3000)), *map(chr, range(0x3000, 0x110000, 101))]
    known = [one for one in characters if unicodedata.category(one) not in ("Cn", "Cs")]
    assert {"\x9f", "ʅ", "!", "Σ"} <= set(known)
    for one in known:
        for key in ("title", "text", "html"):
            permitted, accepted = (
                described.is_valid({key: one}),
                is_accepted({key: one}),
            )
            # Beyond U+FFFF the description has no letter: readers of YAML fail at their escapes.
            assert permitted == (accepted and one < "\U00010000"), (key, hex(ord(one)))
    assert described.is_valid({"html": "ʹʾʅ\U000a8d5bʺ\x12ʧ\U00059a9c"})  # what it sent
    for record in (
        RECORD,
        {"url": "https://news.example.org/2026/ferry"},
        {"url": "http://example.org"},
    ):
        assert described.is_valid(record), record
        assert is_accepted(record), record
    for record in (
        {},
        {"id": "1"},
        {"url": "ferry"},
        {"text": ""},
        {"text": "…", "html": "<>"},
    ):
        assert not described.is_valid(record), record
        assert not is_accepted(record), record


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*RECORD, "url", "html"]), inner)
    ),
    max_leaves=12,
)


@pytest.mark.later
@given(
    body=st.binary(max_size=300)
    | JSON_VALUES.map(lambda value: json.dumps(value).encode()),
    lines=st.booleans(),
)
@settings(max_examples=300)
def test_whatever_comes_is_read_or_refused(body: bytes, *, lines: bool) -> None:
    try:
        read = read_push(body, lines=lines, source="token", seen=NOON, max_items=5)
    except RefusedError:
        return
    assert 1 <= len(read) <= 5
    for _, found in read:
        assert (
            isinstance(found, str)
            or "\0" not in f"{found.title}{found.text}{found.html}{found.guid}"
        )
