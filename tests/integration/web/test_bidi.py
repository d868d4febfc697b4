"""No character that changes the order of the text around it leaves the program, whoever wrote it."""

import itertools
import json
import os
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from aggregator.config.tuning import Tuning
from aggregator.config.webhook_settings import Webhook
from aggregator.deliver.delivery_bodies import delivery_body
from aggregator.deliver.transmit import WebhookTuning
from aggregator.publish.output_settings import PublishSettings
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import add
from aggregator.store.read.change_stream import following
from tests.support import forked
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, record
from tests.support.newsroom import STRANGER, Newsroom
from tests.support.polling import feed_source
from tests.support.rows import read_by, written_by

SIGNS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_SIGN = re.compile(f"[{SIGNS}]")


def hostile(text: str) -> str:
    """`text` with one of them before every word."""
    signs = itertools.cycle(SIGNS)
    return " ".join(next(signs) + word for word in text.split(" "))


@pytest.fixture
def room(database: Database) -> Iterator[Newsroom]:
    with Newsroom(database) as opened:
        opened.writer.take(
            record(
                hostile("Arrel Courier"), "1", hostile("Levee on the Arrel breaks in Pennmouth"),
                hostile(FLOOD), url=f"https://courier.example/\u202e{SIGNS}gpj",
                author=hostile("Ines Karlow"),
            ),
            record(
                hostile("Calmouth Post"), "2", hostile("Pennmouth under water"), hostile(FLOOD_ELSEWHERE),
                ),
        )  # fmt: skip
        opened.writer.pipeline.index_text(lambda: False)
        yield opened


@pytest.mark.later
def test_no_answer_holds_one(room: Newsroom) -> None:
    stories = [str(one["id"]) for one in room.stories().values()]
    articles = [
        str(one["id"]) for story in room.stories().values() for one in story["articles"]
    ]
    asked = [
        "/", "/?view=newest", "/search?q=levee", "/sources", "/api/v1/stories", "/api/v1/sources",
        "/api/v1/search?query=levee", f"/api/v1/explain?article={articles[0]}&other={articles[1]}",
        *(f"/stories/{one}" for one in stories), *(f"/api/v1/stories/{one}" for one in stories),
        *(f"/explain/{one}" for one in articles), *(f"/api/v1/articles/{one}" for one in articles),
        *(f"/feeds/stories.{form}" for form in ("rss", "atom", "json")),
    ]  # fmt: skip
    for address, headers in itertools.product(asked, ({}, STRANGER)):
        answer = room.get(address, **headers)
        assert answer.status_code == 200, address
        is_json = "json" in answer.headers["content-type"]
        text = json.dumps(answer.json(), ensure_ascii=False) if is_json else answer.text
        assert "evee" in text or "sources" in address, address
        assert not _SIGN.findall(unescape(unescape(text))), address
    for hit in room.read_json("/api/v1/search?query=levee")["articles"]:
        for start, end in hit["marks"]:
            assert hit["snippet"][start:end].casefold() == "levee"


def test_no_delivery_holds_one(room: Newsroom) -> None:
    hook, rules = (
        Webhook(name="desk", url="https://desk.example/", key=b"k"),
        Tuning().section("webhooks", WebhookTuning),
    )
    changes = read_by(room.database, following, 0, 10, indexed_to=2**62)
    assert changes
    for change in changes:
        story = room.reading.story(change.story)
        assert _SIGN.search(story.title), "there is something to take out"
        body = delivery_body(hook, change, story, PublishSettings(), rules)
        assert not _SIGN.search(json.dumps(json.loads(body), ensure_ascii=False))


@pytest.mark.later
def test_no_output_of_the_command_line_holds_one(
    room: Newsroom, database_url: str, tmp_path: Path
) -> None:
    story = next(iter(room.stories().values()))
    written_by(
        room.database,
        add,
        feed_source("http://127.0.0.1:9/feed", name=hostile("Port News")),
    )
    (tmp_path / "a.txt").write_text(
        f"{hostile('Levee breaks')}\n\n{hostile(FLOOD)}", encoding="utf-8"
    )
    lists = ("stories", "search levee", "sources list")
    for asked in (
        *lists,
        *(
            f"{what} --format {form}"
            for what in lists
            for form in ("json", "jsonl", "csv")
        ),
        *(f"feed --format {form}" for form in ("rss", "atom", "jsonfeed")),
        f"story {story['id']}",
        f"explain {story['articles'][0]['id']} --format json",
        "extract a.txt --format jsonl",
        "recluster --dry-run",
    ):
        ended = forked.run(
            ["--database", database_url, *asked.split()], tmp_path, os.environ
        )
        assert ended.code == 0, (asked, ended.err)
        assert ended.out
        assert not _SIGN.search(ended.out.decode()), asked
        if asked == "search levee --format jsonl":
            for hit in map(json.loads, ended.out.splitlines()):
                assert {
                    hit["snippet"][start:end].casefold() for start, end in hit["marks"]
                } == {"levee"}
