"""The API over a real server and both kinds of database."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema_rs import Draft202012Validator

from aggregator.config.story_query import SavedQuery
from aggregator.grouping.corrections.explained import Explanation
from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.model.read_model import SearchResults, SourcePage
from aggregator.publish.output_settings import PublishSettings
from aggregator.publish.story_json import OneArticleJson
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import Source, add
from aggregator.web import editor
from aggregator.web.api.correction_routes import AnyRequest
from aggregator.web.web_app import create_app
from tests.support.articles import FLOOD, NOON, STRIKE, record
from tests.support.fresh import sqlite_at
from tests.support.newsroom import STRANGER, Newsroom, problem_of
from tests.support.services import all_services
from tests.support.story_checks import correct, placing_of
from tests.support.tables import rows
from tests.support.written_stories import WrittenStories


def flood_of(room: Newsroom) -> dict[str, Any]:
    return next(one for one in room.stories().values() if one["article_count"] > 1)


def strike_of(room: Newsroom) -> dict[str, Any]:
    return next(one for one in room.stories().values() if one["article_count"] == 1)


# --- reading -----------------------------------------------------------------------------------------------


def test_one_article_with_its_story_its_copies_and_the_reason(room: Newsroom) -> None:
    flood = flood_of(room)
    printed = next(one for one in flood["articles"] if one["copy_of"])
    reported = room.read_json(f"/api/v1/articles/{printed['copy_of']}")
    one = msgspec.convert(reported, OneArticleJson)
    assert (one.story, one.story_title) == (flood["id"], flood["title"])
    assert [copy.id for copy in one.copies] == [printed["id"]]
    assert (one.copy_count, one.revisions) == (1, 0)
    assert one.reason
    assert "warning to the" in one.text, "the owner reads all of it"
    assert one.lead in " ".join(FLOOD.split())


def test_an_article_counts_its_former_texts(room: Newsroom) -> None:
    text = STRIKE + " On Friday the court will hear both sides of the matter again."
    room.writer.take(record("Sennick Echo", "4", "Dockers strike in Sennick", text))
    article = strike_of(room)["articles"][0]["id"]
    assert room.read_json(f"/api/v1/articles/{article}")["revisions"] == 1


@pytest.mark.later
def test_a_search_finds_articles_and_their_stories(either: Newsroom) -> None:
    room = either
    found = msgspec.convert(
        room.read_json("/api/v1/search?query=levee+pump"), SearchResults
    )
    assert {one.id for one in found.stories} == {flood_of(room)["id"]}
    assert len(found.hits) >= 2
    first = found.hits[0]
    marked = {first.snippet[start:end].lower() for start, end in first.marks}
    assert marked <= {"levee", "pump"}
    assert marked
    assert problem_of(room.get("/api/v1/search"), 400).startswith("query")


def test_a_search_keeps_to_its_bounds(room: Newsroom) -> None:
    every = room.read_json("/api/v1/search?query=the&limit=1")
    assert len(every["articles"]) == 1
    assert every["more"]
    one = room.read_json("/api/v1/search?query=levee&outlet=Sennick+Echo")
    assert {article["outlet"] for article in one["articles"]} == {"Sennick Echo"}
    assert not room.read_json("/api/v1/search?query=levee&until=2020-01-01")["articles"]


@pytest.mark.later
def test_changes_lead_a_copy_of_all_stories_along(either: Newsroom) -> None:
    room = either

    def since(number: int) -> dict[str, dict[str, Any]]:
        answer = room.read_json(f"/api/v1/changes?since={number}")
        assert [one["n"] for one in answer["changes"]] == sorted(
            one["n"] for one in answer["changes"]
        )
        return {one["story"]: one for one in answer["changes"]}

    begin = room.read_json("/api/v1/changes")
    assert begin["changes"] == []
    flood, strike = flood_of(room)["id"], strike_of(room)["id"]
    everything = since(0)
    assert {id_: one["kind"] for id_, one in everything.items()} == {
        flood: "created",
        strike: "created",
    }
    assert everything[flood]["updated"] == flood_of(room)["updated"]
    assert since(begin["next"]) == {}
    paged, number = [], 0
    while page := room.read_json(f"/api/v1/changes?since={number}&limit=1")["changes"]:
        paged += page
        number = page[-1]["n"]
    assert len(paged) > len(everything), "a line of each decision"
    assert number == begin["next"]
    text = STRIKE + " On Friday the court will hear both sides of the matter again."
    room.writer.take(record("Sennick Echo", "4", "Dockers strike in Sennick", text))
    assert {id_: one["kind"] for id_, one in since(begin["next"]).items()} == {
        strike: "changed"
    }
    correct(room.database, "merge", flood, strike)
    merged = since(begin["next"])
    assert (
        merged[strike]["kind"],
        merged[strike]["into"],
        merged[strike]["updated"],
    ) == (
        "merged",
        flood,
        None,
    )
    assert merged[flood]["kind"] == "changed"
    assert merged[flood]["updated"] > everything[flood]["updated"], "a bump"
    placing_of(room.database).erase(
        ForgetCommand(name=flood_of(room)["articles"][0]["outlet"])
    )
    for article in [
        one["id"] for story in room.stories().values() for one in story["articles"]
    ]:
        placing_of(room.database).erase(ForgetCommand(name=article))
    assert since(merged[flood]["n"])[flood]["kind"] == "removed"
    for wrong in ("since=", "since=x", "since=-1", "limit=0", "limit=501", "after=3"):
        assert problem_of(room.get(f"/api/v1/changes?{wrong}"), 400)


def test_sources_hide_their_addresses_from_others(room: Newsroom) -> None:
    with room.database.write() as connection:
        for number, name in enumerate(("Coast", None)):
            add(
                connection,
                Source(
                    id=f"s{number}", kind="feed", name=name, interval_seconds=3600, next_due_at=NOON,
                    address=f"https://reader:hunter2@feeds.example/{number}?key=k3y", health="failing",
                    health_cause="http 403: https://feeds.example/?key=k3y", failures=2,
                ),
            )  # fmt: skip
    owner = room.get("/api/v1/sources")
    reader, admin = room.token("reader", "read"), room.token("admin", "admin")
    for shown in (
        owner,
        room.get("/api/v1/sources", reader),
        room.get("/sources"),
        room.get("/sources", reader),
    ):
        assert "feeds.example/" in shown.text
        assert "hunter2" not in shown.text
        assert "k3y" not in shown.text
    assert problem_of(room.get("/api/v1/sources/opml", reader), 403)
    assert "k3y" in room.get("/api/v1/sources/opml", admin).text
    listed = msgspec.convert(owner.json(), SourcePage).sources
    assert {(one.state, one.interval_seconds) for one in listed} >= {("failing", 3600)}
    unknown_entry = room.get("/api/v1/sources", **STRANGER)
    assert "hunter2" not in unknown_entry.text
    assert "k3y" not in unknown_entry.text
    assert {one["name"] for one in unknown_entry.json()["sources"]} >= {
        "Coast",
        "feeds.example",
    }


def test_an_explanation_is_that_of_the_command_line(room: Newsroom) -> None:
    report = next(one["id"] for one in flood_of(room)["articles"] if not one["copy_of"])
    reported = room.get(f"/api/v1/explain?article={report}")
    assert msgspec.json.decode(reported.content, type=Explanation) == room.explained(
        report
    )
    other = strike_of(room)["articles"][0]["id"]
    pair = room.read_json(f"/api/v1/explain?article={report}&other={other}")["pair"]
    assert pair["article"] == other
    assert pair["same_story"] is False
    assert problem_of(room.get("/api/v1/explain?article=nosuch"), 404)
    assert problem_of(room.get("/api/v1/explain"), 400).startswith("article")


def test_explaining_holds_up_nobody_on_pages_either(
    monkeypatch: pytest.MonkeyPatch, room: Newsroom
) -> None:
    article = next(iter(room.stories().values()))["articles"][0]["id"]
    monkeypatch.setattr(editor, "EXPLAINING_AT_ONCE", 0)
    monkeypatch.setattr(editor, "EXPLAINING_PATIENCE_SECONDS", 0.01)
    with Newsroom(room.database) as busy:
        for path in (f"/api/v1/explain?article={article}", f"/explain/{article}"):
            answer = busy.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5"), (
                path
            )
            assert "too many explanations" in answer.text


# --- corrections -------------------------------------------------------------------------------------------


def test_merge_list_and_undo(room: Newsroom) -> None:
    secret = room.token("editor", "admin")
    flood, strike = flood_of(room)["id"], strike_of(room)["id"]
    done = room.ask(
        "POST",
        "/api/v1/corrections",
        secret,
        json={"kind": "merge", "stories": [flood, strike]},
    )
    assert done.status_code == 200
    reported = done.json()
    assert reported["state"] == "done"
    assert reported["corrected"]["stories"] == [flood]
    moved = room.get(f"/api/v1/stories/{strike}")
    assert (moved.status_code, moved.headers["location"]) == (
        301,
        f"/api/v1/stories/{flood}",
    )
    listed = room.read_json("/api/v1/corrections", secret)["corrections"]
    assert [(one["n"], one["kind"], one["undone_at"]) for one in listed] == [
        (reported["corrected"]["n"], "merge", None)
    ]
    assert set(listed[0]["stories"]) == {flood, strike}
    undone = room.ask(
        "POST", f"/api/v1/corrections/{reported['corrected']['n']}/undo", secret
    )
    assert undone.json()["state"] == "done"
    assert room.get(f"/api/v1/stories/{strike}").status_code == 200
    assert room.read_json("/api/v1/corrections", secret)["corrections"][0]["undone_at"]
    again = room.ask(
        "DELETE", f"/api/v1/corrections/{reported['corrected']['n']}", secret
    )
    assert "already undone" in problem_of(again, 409)


def test_split_and_move(either: Newsroom) -> None:
    room = either
    secret = room.token("editor", "admin")
    flood, strike = flood_of(room), strike_of(room)["id"]
    leaving = next(
        one["id"] for one in flood["articles"] if one["outlet"] == "Calmouth Post"
    )
    split = {"kind": "split", "story": flood["id"], "articles": [leaving]}
    new = room.ask("POST", "/api/v1/corrections", secret, json=split).json()[
        "corrected"
    ]["stories"][1]
    assert room.read_json(f"/api/v1/articles/{leaving}")["story"] == new
    move = {"kind": "move", "article": leaving, "story": strike}
    room.ask("POST", "/api/v1/corrections", secret, json=move)
    assert room.read_json(f"/api/v1/articles/{leaving}")["story"] == strike
    pages = room.read_json("/api/v1/corrections?limit=1", secret)
    assert [one["kind"] for one in pages["corrections"]] == ["merge"], (
        "the rest of its story went with it"
    )
    older = room.read_json(
        f"/api/v1/corrections?limit=1&before={pages['next']}", secret
    )
    assert [one["kind"] for one in older["corrections"]] == ["split"]
    assert older["next"] is None
    problem_of(room.get("/api/v1/corrections?before=", secret), 400)


def test_what_cannot_be_corrected_is_said_in_the_writers_words(room: Newsroom) -> None:
    secret = room.token("editor", "admin")
    flood = flood_of(room)["id"]
    same = {"kind": "merge", "stories": [flood, flood]}
    assert "one story already" in problem_of(
        room.ask("POST", "/api/v1/corrections", secret, json=same), 409
    )
    strange = {"kind": "move", "article": "nosuch", "story": flood}
    assert "no article" in problem_of(
        room.ask("POST", "/api/v1/corrections", secret, json=strange), 409
    )
    for body in (
        {},
        [],
        7,
        {"kind": "burn"},
        {"kind": "merge", "stories": [flood]},
        {"kind": "move"},
    ):
        problem_of(room.ask("POST", "/api/v1/corrections", secret, json=body), 422)
    surplus = {"kind": "merge", "stories": [flood, "x"], "more": 1}
    assert "more" in problem_of(
        room.ask("POST", "/api/v1/corrections", secret, json=surplus), 422
    )
    problem_of(room.ask("POST", "/api/v1/corrections/99/undo", secret), 404)
    problem_of(room.ask("POST", "/api/v1/corrections/0/undo", secret), 404)
    assert not room.read_json("/api/v1/corrections", secret)["corrections"]


@pytest.mark.later
def test_corrections_need_a_token_that_may(room: Newsroom) -> None:
    body = {"kind": "merge", "stories": ["a", "b"]}
    paths = [
        ("POST", ""),
        ("GET", ""),
        ("DELETE", "/1"),
        ("POST", "/1/undo"),
        ("GET", "/requests/1"),
    ]
    reader, pusher = room.token("reader", "read"), room.token("pusher", "push")
    for method, path in paths:
        given = body if (method, path) == ("POST", "") else None
        nobody = room.ask(method, f"/api/v1/corrections{path}", json=given)
        problem_of(nobody, 401)
        assert nobody.headers["www-authenticate"].startswith("Bearer")
        for secret in (reader, pusher):
            assert "--scope admin" in problem_of(
                room.ask(method, f"/api/v1/corrections{path}", secret, json=given), 403
            )


def test_a_correction_that_must_wait_says_where_to_look(database: Database) -> None:
    with Newsroom(
        database, tuning={"editor": {"response_wait_seconds": 0.1}}
    ).fill() as room:
        secret = room.token("editor", "admin")
        merge = {
            "kind": "merge",
            "stories": [flood_of(room)["id"], strike_of(room)["id"]],
        }
        waits = room.ask("POST", "/api/v1/corrections", secret, json=merge)
        assert waits.status_code == 202
        assert waits.json()["state"] == "waiting"
        place = waits.headers["location"]
        assert room.get(place, secret).status_code == 202
        room.writer.pipeline.run_commands()
        done = room.get(place, secret)
        assert (done.status_code, done.json()["state"]) == (200, "done")
        assert len(room.stories()) == 1
        refused = room.ask("POST", "/api/v1/corrections", secret, json=merge).headers[
            "location"
        ]
        room.writer.pipeline.run_commands()
        assert "one story already" in room.read_json(refused, secret)["reason"]
        problem_of(room.get("/api/v1/corrections/requests/999", secret), 404)


def test_a_body_that_is_too_large_or_no_json(room: Newsroom) -> None:
    secret = room.token("editor", "admin")
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    for content, status in (
        (b"x" * 70_000, 413),
        (b"{", 400),
        (b"\xff\xfe{}", 400),
        (b'"\\ud800"', 400),
    ):
        answer = room.client.post(
            "/api/v1/corrections", content=content, headers=headers
        )
        assert answer.status_code in {status, 422}, content[:20]
        problem_of(answer, answer.status_code)
    form = room.client.post(
        "/api/v1/corrections",
        data={"kind": "merge"},
        headers={"Authorization": headers["Authorization"]},
    )
    problem_of(form, 415)


# --- problems and the description --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        *rows("api", "what cannot be read is a problem"),
        f"/api/v1/explain?article={'x' * 2049}",
    ],
)
def test_what_cannot_be_read_is_a_problem(room_once: Newsroom, path: str) -> None:
    problem_of(room_once.get(path), 400)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/stories/%00", "/api/v1/stories/%ED%A0%80", "/api/v1/stories/%FF", "/api/v1/articles/%FF%FE",
        "/api/v1/articles/nosuch", "/api/v1/nosuch", "/api/v2/stories", "/api/", "/api/v1/stories/a/b",
        f"/api/v1/articles/{'x' * 4000}", "/api/v1/stories/..%2f..%2fetc%2fpasswd",
    ],
)  # fmt: skip
def test_what_is_not_there_is_a_problem(room_once: Newsroom, path: str) -> None:
    problem_of(room_once.get(path), 404)


def test_another_method_is_a_problem_that_names_the_right_one(
    room_once: Newsroom,
) -> None:
    answer = room_once.ask("PUT", "/api/v1/stories")
    problem_of(answer, 405)
    assert "GET" in answer.headers["allow"]


def test_a_foreign_host_is_a_problem_below_api(room_once: Newsroom) -> None:
    problem_of(room_once.get("/api/v1/stories", Host="evil.example"), 421)


def test_all_routes_below_api_are_described(room_once: Newsroom) -> None:
    reported = room_once.read_json("/api/v1/openapi.json")
    assert len(reported["paths"]) == 22
    for path, operations in reported["paths"].items():
        place = path.replace("{id}", "nosuch").replace("{number}", "1")
        allowed = {
            method for method in ("get", "post", "put", "delete", "patch")
            if room_once.ask(method.upper(), place).status_code != 405
        }  # fmt: skip
        # Of which opml could be one
        of_ids = reported["paths"].get(path.rpartition("/")[0] + "/{id}", {})
        assert set(operations) == allowed - (of_ids.keys() - operations), path


def test_saved_queries_are_described_by_their_names() -> None:
    def schema(*saved: str) -> Any:
        settings = PublishSettings(
            queries=tuple(SavedQuery().named(name) for name in saved)
        )
        reader = WrittenStories()
        described = create_app(
            reader, settings, all_services(reader.database)
        ).openapi()
        parameters = described["paths"]["/api/v1/stories"]["get"]["parameters"]
        return [one["schema"] for one in parameters if one["name"] == "saved"]

    assert schema("floods", "ports") == [
        {"type": "string", "enum": ["floods", "ports"]}
    ]
    assert schema() == []


def test_answers_are_what_the_description_says(room_once: Newsroom) -> None:
    described = room_once.read_json("/api/v1/openapi.json")
    secret = room_once.token("described", "admin")
    one = max(room_once.stories().values(), key=lambda story: story["article_count"])
    article = one["articles"][0]["id"]
    places = {
        "/api/v1/stories/{id}": f"/api/v1/stories/{one['id']}",
        "/api/v1/storylines/{id}": f"/api/v1/storylines/{one['id']}",
        "/api/v1/search": "/api/v1/search?query=levee",
        "/api/v1/articles/{id}": f"/api/v1/articles/{article}",
        "/api/v1/explain": f"/api/v1/explain?article={article}",
    }
    checked = 0
    for path, operations in described["paths"].items():
        content = operations.get("get", {"responses": {"200": {}}})["responses"][
            "200"
        ].get("content", {})
        if "application/json" in content and "/requests/" not in path:
            answer = room_once.get(places.get(path, path), secret)
            schema = content["application/json"]["schema"] | {
                "components": described["components"]
            }
            Draft202012Validator(schema).validate(answer.json())
            assert operations["get"]["summary"]
            checked += 1
    assert checked == 15
    body = described["paths"]["/api/v1/corrections"]["post"]["requestBody"]["content"][
        "application/json"
    ]
    for example in body["examples"].values():
        msgspec.convert(example["value"], AnyRequest)


@pytest.fixture(scope="module")
def room_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newsroom]:

    with (
        sqlite_at(tmp_path_factory.mktemp("api") / "api.db") as database,
        Newsroom(database).fill().start_writing() as opened,
    ):
        yield opened
