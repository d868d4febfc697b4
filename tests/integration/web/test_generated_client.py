"""The description of the API as others read it: a validator, and a client that a generator makes of it.

The generated client asks a real server: stories, one story, a push, sources, and what changed meanwhile.
"""

import importlib
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.articles import STRIKE
from tests.support.newsroom import Newsroom
from tests.support.programs import run_program

pytestmark = pytest.mark.later

PACKAGE = "client_of_aggregator"


@pytest.fixture
def call(
    room: Newsroom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """Generate the client; return a function that calls one of its operations with a token."""
    (tmp_path / "openapi.json").write_bytes(room.get("/api/v1/openapi.json").content)
    done = run_program([
            sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta", "none",
            "--path", tmp_path / "openapi.json", "--output-path", tmp_path / PACKAGE,
        ], timeout=100, env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"})  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    made = importlib.import_module(PACKAGE)
    secret = room.token("program", "admin")
    client = made.AuthenticatedClient(str(room.client.base_url).rstrip("/"), secret)

    def called(operation: str, *given: Any, **named: Any) -> Any:
        module = importlib.import_module(f"{PACKAGE}.api.{operation}")
        return module.sync_detailed(*given, client=client, **named)

    called.models = importlib.import_module(f"{PACKAGE}.models")  # type: ignore[attr-defined]
    called.types = importlib.import_module(f"{PACKAGE}.types")  # type: ignore[attr-defined]
    with client:
        yield called
    for name in [one for one in sys.modules if one.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def test_a_validator_reads_the_description_and_python_its_patterns(
    room: Newsroom,
) -> None:
    description = room.read_json("/api/v1/openapi.json")
    OpenAPIV31SpecValidator(description).validate()
    patterns = re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(description))
    assert len(patterns) >= 10
    for pattern in patterns:
        re.compile(json.loads(pattern))


def test_a_generated_client_lists_and_reads_stories(call: Any, room: Newsroom) -> None:
    listed = call("stories.list_stories").parsed
    assert {story.title for story in listed.stories} == set(room.stories())
    first, second = listed.stories
    page = call("stories.list_stories", limit=1).parsed
    assert (page.stories[0].id, bool(page.next_)) == (first.id, True)
    following = call("stories.list_stories", limit=1, after=page.next_).parsed
    assert [story.id for story in following.stories] == [second.id]
    whole = call("stories.read_story", first.id).parsed
    assert (whole.id, whole.title) == (first.id, first.title)
    assert whole.articles[0].opening is not None
    assert call("articles.search", query="levee").parsed.articles[0].marks[0][0] >= 0
    missing = call("stories.read_story", "nobody")
    assert (missing.status_code, missing.parsed.type_) == (
        404,
        "tag:aggregator,2026:problem/not-found",
    )


def test_a_generated_client_pushes_and_follows_changes(
    call: Any, room: Newsroom
) -> None:
    before = call("stories.list_changes").parsed
    assert before.changes == []
    record = call.models.PushedRecord(
        outlet="Harbour Post",
        title="Ferry runs aground off Ostrand",
        text=STRIKE,
        language="en",
    )
    pushed = call("articles.push_articles", body=record).parsed
    assert (pushed.accepted, pushed.items[0].status) == (1, "accepted")
    several = [record.to_dict(), {"title": "…"}]
    again = call("articles.push_articles", body=several).parsed
    assert [one.status for one in again.items] == ["known", "rejected"]
    room.writer.place()
    room.writer.pipeline.index_text(lambda: False)
    after = call("stories.list_changes", since=before.next_).parsed
    article = call("articles.one_article", pushed.items[0].article).parsed
    assert article.title == "Ferry runs aground off Ostrand"
    assert article.story in [change.story for change in after.changes]
    assert call("stories.list_changes", since=after.next_).parsed.changes == []
