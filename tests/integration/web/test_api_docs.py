"""docs/api.md tells the API as it is: its calls of curl work, its tables are those of the program."""

import json
import os
import re
import shutil

import pytest

from aggregator.web.responses import PROBLEMS
from tests.conftest import REPOSITORY
from tests.support.newsroom import Newsroom
from tests.support.programs import run_program
from tests.support.waiting import PATIENCE_SECONDS

DOCUMENT = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")
CALLS = [
    re.sub(r"\s*\\\n\s+", " ", call)
    for call in re.findall(r"^    (curl (?:.*\\\n)*.*)$", DOCUMENT, re.MULTILINE)
]


@pytest.mark.later
@pytest.mark.skipif(
    shutil.which("curl") is None, reason="there is no curl on this machine"
)
def test_every_call_of_curl_is_answered(room: Newsroom) -> None:
    assert len(CALLS) >= 12
    flood, strike = sorted(
        room.stories().values(), key=lambda one: -one["article_count"]
    )
    names = {
        "STORY": flood["id"],
        "ANOTHER": strike["id"],
        "ARTICLE": flood["articles"][0]["id"],
        "OTHER": strike["articles"][0]["id"],
        "NEXT": room.read_json("/api/v1/stories?language=en&limit=1")["next"],
        "NUMBER": "0",
        "TOKEN": room.token("docs", "admin"),
    }
    for call in CALLS:
        command = call.replace(
            "http://127.0.0.1:8080", str(room.client.base_url).rstrip("/")
        )
        done = run_program(
            ["sh", "-c", command.replace("curl ", "curl --silent --fail ", 1)],
            env={**os.environ, **names},
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, (call, done.stderr)
        assert json.loads(done.stdout), call


def test_its_tables_are_those_of_the_program(room: Newsroom) -> None:
    reported = dict(
        re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \|", DOCUMENT, re.MULTILINE)
    )
    assert reported == {str(status): kind.name for status, kind in PROBLEMS.items()}
    routes = re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/api/v1/\S+?)`", DOCUMENT)
    described = {
        (method.upper(), re.sub(r"\{\w+\}", "X", path))
        for path, operations in room.read_json("/api/v1/openapi.json")["paths"].items()
        for method in operations
        if path.startswith("/api/")
    }
    assert {
        (method, re.sub(r"/(ID|N)\b", "/X", path)) for method, path in routes
    } == described - {("GET", "/api/v1/corrections/requests/X")}
