"""Machine-written texts: from what a story shows to page and JSON, by an address."""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from aggregator.config.delivery_settings import SummariseConfig
from aggregator.config.settings import Config, FetchConfig
from aggregator.deliver.chat_hook import ANSWER_CAP_BYTES, HookError, hook_of
from aggregator.deliver.summariser import Summariser
from aggregator.deliver.summary_texts import INPUT_CAP_BYTES, input_of
from aggregator.grouping.deletion.forget import ForgetCommand
from aggregator.intake import command_handlers
from aggregator.model.errors import ConfigError
from aggregator.model.story import Passage, Quotation, StoryText
from aggregator.publish.excerpts.words import count_words
from aggregator.store.engine.database import Database
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, NOON, record
from tests.support.loopback import LoopbackServer, Response, redirect
from tests.support.newsroom import STRANGER, Newsroom
from tests.support.written_stories import a_story, an_article

PUMPS = "Both pumps of the Pennmouth levee failed on Monday night, the harbour office told the council."
Answer = Callable[[dict[str, Any]], bytes]


def said_in(shown: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The texts of what was sent, with the ids of their articles."""
    passages = [
        (one["text"], [one["article_id"]])
        for one in (*shown["lead"], *shown["openings"])
    ]
    return passages + [(one["text"], one["article_ids"]) for one in shown["quotations"]]


def echo(shown: dict[str, Any]) -> bytes:
    """Each text as it is, an invented sentence, markup, and an address."""
    said = said_in(shown)
    ids = said[0][1]
    return json.dumps(
        {
            "sentences": [
                {
                    "text": "The levee <b>broke</b><script>alert(1)</script>.",
                    "article_ids": ids,
                },
                {"text": "Invented.", "article_ids": ["nosuchid"]},
                {"text": "See https://evil.example/.", "article_ids": ids},
                *({"text": text, "article_ids": ids} for text, ids in said),
            ]
        }
    ).encode()


class Hook:
    """Answers in this process; its input is kept."""

    name = "test <b>model</b>"

    def __init__(self, answer: Answer = echo) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    def ask(self, shown: bytes) -> bytes:
        self.asked.append(json.loads(shown))
        return self.answer(self.asked[-1])

    def close(self) -> None: ...


@pytest.fixture
def room(database: Database) -> Iterator[Newsroom]:
    with Newsroom(database).fill().start_writing() as opened:
        yield opened


def summariser(room: Newsroom, hook: Any, *, an_hour: int = 3600) -> Summariser:
    return Summariser(
        room.database,
        room.reading,
        hook,
        stories_an_hour=an_hour,
        access="owner",
        words=40,
        now=room.clock,
    )


def flood(room: Newsroom) -> dict[str, Any]:
    (id_,) = (one["id"] for one in room.stories().values() if one["article_count"] > 1)
    return room.get(f"/api/v1/stories/{id_}").json()


def later(room: Newsroom, **span: float) -> None:
    room.clock.time += dt.timedelta(**span)


@pytest.mark.later
def test_a_text_is_shown_beside_ours_while_the_facts_are_the_same(
    room: Newsroom,
) -> None:
    hook = Hook()
    asking = summariser(room, hook)
    before = flood(room)
    assert before["summarised"] is None
    tag = room.get(f"/api/v1/stories/{before['id']}").headers["etag"]
    asking.step()
    (facts,) = hook.asked
    assert facts["story"] == before["id"], "the story of one outlet has no text"
    now = flood(room)
    assert room.get(f"/api/v1/stories/{before['id']}").headers["etag"] != tag
    shown = now.pop("summarised")
    assert (shown["machine_written"], shown["written_by"]) == (True, hook.name)
    ids = {one["id"] for one in now["articles"]}
    assert shown["sentences"][0]["text"] == "The levee broke alert(1) ."
    for one in shown["sentences"]:
        assert one["article_ids"]
        assert set(one["article_ids"]) <= ids
        assert "Invented" not in one["text"]
        assert "evil" not in one["text"]
    assert now == {
        name: value for name, value in before.items() if name != "summarised"
    }, "all else is ours"
    page = room.get(f"/stories/{before['id']}").text
    assert "Machine-written summary" in page
    assert "<b>" not in page
    assert "test &lt;b&gt;model" in page
    assert f'href="#a-{shown["sentences"][0]["article_ids"][0]}"' in page
    feed = room.get("/feeds/stories.json").text
    assert "broke alert" not in feed + room.get("/api/v1/search?query=alert").text
    later(room, hours=1)
    asking.step()
    assert len(hook.asked) == 1, "what it shows has not changed"

    told = f"{PUMPS} The levee had broken early on Monday, and 200 houses of Pennmouth stand in the water."
    room.writer.take(
        record("Harbour News", "9", "Pumps fail in Pennmouth", told, published=NOON)
    )
    room.writer.render()
    assert flood(room)["summarised"] is None, "what it shows has changed"
    asking.step()
    assert len(hook.asked) == 2
    assert flood(room)["summarised"] is not None


def test_strangers_see_no_more_of_an_article_than_before(room: Newsroom) -> None:
    summariser(room, Hook()).step()
    story = flood(room)
    seen = room.get(f"/api/v1/stories/{story['id']}", **STRANGER).json()
    words: dict[str, set[str]] = {
        one["id"]: {one["title"], one["lead"]} for one in seen["articles"]
    }
    for one in seen["articles"]:
        words[one["id"]].add(one["opening"])
    for one in seen["lead"]:
        words[one["article_id"]].add(one["text"])
    machine_written = seen["summarised"]["sentences"] if seen["summarised"] else []
    for one in (*seen["quotations"], *machine_written):
        for id_ in one["article_ids"]:
            words[id_].add(one["text"])
    for texts in words.values():
        assert sum(count_words(text.removesuffix(" …")) for text in texts) <= 40


def test_what_is_sent_is_what_the_story_shows(room: Newsroom) -> None:
    hook = Hook()
    summariser(room, hook).step()
    (sent,) = hook.asked
    story = flood(room)
    assert list(sent) == [
        "version", "story", "title", "language", "articles", "lead", "openings", "quotations",
    ]  # fmt: skip
    assert (sent["version"], sent["story"], sent["title"]) == (
        2,
        story["id"],
        story["title"],
    )
    assert sent["lead"] == story["lead"]
    openings = {
        one["id"]: one["opening"] for one in story["articles"] if one["opening"]
    }
    assert {one["article_id"]: one["text"] for one in sent["openings"]} == openings
    assert sent["quotations"] == story["quotations"]
    outlets = {one["id"]: one["outlet"] for one in story["articles"]}
    named = {id_ for _, ids in said_in(sent) for id_ in ids}
    assert {one["id"]: one["outlet"] for one in sent["articles"]} == {
        id_: outlets[id_] for id_ in named
    }


def test_of_too_much_quotations_are_left_out_first_and_then_the_oldest_openings() -> (
    None
):
    long = "word " * 3_000
    reports = tuple(an_article(id=f"r{n}", outlet=f"Outlet {n}") for n in range(9))
    text = StoryText(
        title=reports[0].title,
        lead=(Passage(text="The lead.", article_id="r0"),),
        openings=tuple(
            Passage(text=f"{n} {long}", article_id=f"r{n}") for n in range(1, 8)
        ),
        quotations=(Quotation(speaker="Ada Brenn", text=long, article_ids=("r8",)),),
    )
    data, ids = input_of(a_story(*reports), text, "owner", 60)
    sent = json.loads(data)
    assert len(data) <= INPUT_CAP_BYTES
    assert [one["article_id"] for one in sent["openings"]] == ["r1", "r2", "r3", "r4"]
    assert (len(sent["lead"]), sent["quotations"]) == (1, [])
    assert (
        ids == {one["id"] for one in sent["articles"]} == {"r0", "r1", "r2", "r3", "r4"}
    )


def test_what_is_sent_to_others_is_within_the_words_of_an_excerpt() -> None:
    lines = [
        f"Sentence {n} of the {n}th report says where the ferry Aurelia is now."
        for n in range(12)
    ]
    first, second = (
        an_article(id=f"r{n}", title="Ferry aground", text=" ".join(lines))
        for n in range(2)
    )
    text = StoryText(
        title="Ferry aground",
        lead=tuple(Passage(text=line, article_id="r0") for line in lines[:6]),
        openings=(Passage(text=lines[7], article_id="r1"),),
        quotations=tuple(
            Quotation(speaker="A", text=one, article_ids=("r1",)) for one in lines[8:]
        ),
    )
    data, _ = input_of(a_story(first, second), text, "excerpt", 30)
    words: dict[str, int] = dict.fromkeys(("r0", "r1"), count_words("Ferry aground"))
    for said, ids in said_in(json.loads(data)):
        words[ids[0]] += count_words(said)
    assert max(words.values()) <= 30
    assert min(words.values()) > 10


def test_a_text_goes_with_an_article_that_is_forgotten(room: Newsroom) -> None:
    summariser(room, Hook()).step()
    story = flood(room)
    assert story["summarised"] is not None
    payload = msgspec.json.encode(ForgetCommand(name=story["articles"][0]["id"]))
    command_handlers.enqueue(room.database, room.clock(), "forget", payload)
    room.writer.pipeline.run_commands()
    with room.database.read() as connection:
        assert (
            connection.exec_driver_sql("SELECT count(*) FROM story_summary").scalar()
            == 0
        )


def test_a_story_whose_articles_forbid_it_is_not_asked_about(
    database: Database,
) -> None:
    with Newsroom(database) as room:
        for number, text in enumerate((FLOOD, FLOOD_ELSEWHERE)):
            page = (
                "<html lang=en><head><title>Levee breaks</title><meta name=robots content=nosnippet></head>"
                f"<body><article><h1>Levee breaks in Pennmouth</h1><p>{text}</p></article></body></html>"
            )
            entry = record(
                f"Post {number}", "1", "Levee breaks in Pennmouth", "", published=NOON
            )
            room.writer.take(
                msgspec.structs.replace(entry, text=None, html=page, is_page=True)
            )
        room.writer.render()
        hook = Hook()
        for _ in range(3):
            summariser(room, hook).step()
            later(room, minutes=1)
        assert not hook.asked
        assert all(
            room.get(f"/api/v1/stories/{one['id']}").json()["summarised"] is None
            for one in room.stories().values()
        )


def test_a_headline_whose_article_reserves_text_mining_is_not_sent(
    database: Database,
) -> None:
    with Newsroom(database) as room:
        reserved = "Pennmouth levee gives way after a night of rain"
        told = FLOOD_ELSEWHERE + " Nobody was hurt, the mayor said."
        for number, (text, title) in enumerate(
            ((FLOOD, reserved), (FLOOD_ELSEWHERE, "Flood"), (told, "Flooded"))
        ):
            meta = "<meta name=tdm-reservation content=1>" if title == reserved else ""
            page = (
                f"<html lang=en><head><title>{title}</title>{meta}</head>"
                f"<body><article><h1>{title}</h1><p>{text}</p></article></body></html>"
            )
            entry = record(f"Post {number}", "1", title, "", published=NOON)
            room.writer.take(
                msgspec.structs.replace(entry, text=None, html=page, is_page=True)
            )
        room.writer.render()
        assert flood(room)["title"] == reserved
        hook = Hook()
        summariser(room, hook).step()
        (facts,) = hook.asked
        assert (
            facts["title"],
            [one["outlet"] for one in facts["articles"]].count("Post 0"),
        ) == ("Flood", 0)


def test_failures_back_off_and_calls_keep_to_the_rate(room: Newsroom) -> None:
    hook = Hook(lambda _: b"no JSON")
    asking = summariser(room, hook, an_hour=60)
    assert asking.step() >= 60
    for minutes, calls in (
        (1, 1),
        (3, 1),
        (1.1, 2),
        (10, 2),
        (11, 3),
        (600, 4),
        (6000, 5),
        (60_000, 5),
    ):
        later(room, minutes=minutes)
        summariser(room, hook, an_hour=60).step()  # also in a new process
        assert len(hook.asked) == calls, minutes
    assert flood(room)["summarised"] is None


def test_a_hook_that_fails_says_why_and_since_when_until_it_works(
    room: Newsroom,
) -> None:
    hook = Hook(lambda _: b"no JSON")
    asking = summariser(room, hook)
    assert asking.problem is None
    asking.step()
    first = f"{room.clock():%Y-%m-%d %H:%M} UTC"
    later(room, minutes=6)
    asking.step()
    assert len(hook.asked) == 2
    assert asking.problem.startswith(
        f"summarise: {hook.name} gives no texts since {first}: "
    )
    hook.answer = echo
    later(room, minutes=21)
    asking.step()
    assert asking.problem is None


def test_an_attempt_that_a_kill_cut_off_is_repeated(room: Newsroom) -> None:
    def killed(_: dict[str, Any]) -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        summariser(room, Hook(killed)).step()
    hook = Hook()
    summariser(room, hook).step()
    assert not hook.asked, "not at once"
    later(room, minutes=6)
    summariser(room, hook).step()
    assert len(hook.asked) == 1
    assert flood(room)["summarised"] is not None


# --- how it asks -------------------------------------------------------------------------------------------


def test_readers_see_the_configured_name() -> None:
    chosen = SummariseConfig(url="https://models.example/v1", model="small\n model")
    hook = hook_of(Config(summarise=chosen), lambda: NOON)
    assert hook.name == "small model"
    hook.close()


@pytest.mark.parametrize("file", ["nosuch", "a\0b", "."])
def test_a_file_without_a_key_is_named(file: str) -> None:
    chosen = SummariseConfig(
        url="https://models.example/v1", model="small", api_key_file=file
    )
    with pytest.raises(ConfigError, match=r"api_key_file: .* cannot be read"):
        hook_of(Config(summarise=chosen), lambda: NOON)


@pytest.mark.parametrize(
    "chosen", [{"model": "small"}, {"url": "https://models.example/v1"}]
)
def test_a_model_belongs_to_an_address(chosen: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="`url:` with `model:`"):
        SummariseConfig(**chosen)


def chat(server: LoopbackServer, *, allow: bool = True, **more: Any) -> Any:
    config = Config(
        fetch=FetchConfig(allow_private=("127.0.0.0/8",) if allow else ()),
        summarise=SummariseConfig(
            url=server.url("/v1/chat/completions"),
            model="small",
            api_key="sk-secret",
            **more,
        ),
    )
    hook = hook_of(config, lambda: NOON)
    assert hook is not None
    return hook


def completion(content: str) -> Response:
    return Response(body=json.dumps({"choices": [{"message": {"content": content}}]}))


def test_an_address_is_asked_as_openai_documents_it(server: LoopbackServer) -> None:
    server.routes["*"] = completion('```json\n{"sentences": []}\n```')
    assert chat(server).ask(b'{"facts": 1}') == b'{"sentences": []}'
    (request,) = server.requests
    body = json.loads(request.body)
    assert (request.method, request.headers["authorization"]) == (
        "POST",
        "Bearer sk-secret",
    )
    assert (body["model"], body["messages"][1]) == (
        "small",
        {"role": "user", "content": '{"facts": 1}'},
    )


@pytest.mark.later
@pytest.mark.parametrize(
    ("response", "words"),
    [
        (Response(body=b"x" * (ANSWER_CAP_BYTES + 1)), "larger|too large|bytes|limit"),
        (Response(body=b"no JSON"), "not a chat completion"),
        (Response(body=b'{"choices": []}'), "no choices"),
        (Response(500), "500"),
        (redirect("http://10.0.0.1/"), "302"),
        (Response(body=b"{}" * 100, drip_seconds=0.2), "timeout|deadline"),
    ],
)
def test_a_hostile_server_gives_no_text(
    server: LoopbackServer, response: Response, words: str
) -> None:
    server.routes["*"] = response
    with pytest.raises(HookError, match=words):
        chat(server, timeout="1s").ask(b"{}")
    assert len(server.requests) == 1, "redirects are not followed"


def test_a_private_address_needs_permission(server: LoopbackServer) -> None:
    with pytest.raises(HookError, match="not on the public internet"):
        chat(server, allow=False).ask(b"{}")
    assert not server.requests
