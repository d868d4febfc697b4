"""The real daemon, killed while a text is written: it is written again."""

import datetime as dt
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from aggregator.store.engine.database import Database
from aggregator.store.tables import story_summary
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE
from tests.support.daemon_process import DaemonProcess
from tests.support.loopback import LoopbackServer, Response

pytestmark = pytest.mark.later


def test_an_address_is_asked_again(
    database_url: str, tmp_path: Path, server: LoopbackServer
) -> None:
    server.routes["*"] = Response(body=b"{" * 500, drip_seconds=0.2)
    url = server.url("/v1/chat/completions")
    with summarising(database_url, tmp_path, url=url, model="small") as daemon:
        daemon.wait_for(lambda: server.requests, "a request")
        daemon.kill()
        facts = json.loads(
            json.loads(server.requests[0].body)["messages"][1]["content"]
        )
        said = facts["lead"][0]
        answer = {
            "sentences": [{"text": said["text"], "article_ids": [said["article_id"]]}]
        }
        body = {"choices": [{"message": {"content": json.dumps(answer)}}]}
        server.routes["*"] = Response(body=json.dumps(body))
        assert is_written_after_restart(daemon, database_url)
        assert len(server.requests) == 2


def test_a_hook_that_fails_is_a_finding_of_the_daemon(
    tmp_path: Path, server: LoopbackServer
) -> None:
    server.routes["*"] = Response(500)
    with summarising(
        "stories.db", tmp_path, url=server.url("/v1"), model="small"
    ) as daemon:
        words = "summarise: small gives no texts since "
        found = daemon.wait_for(lambda: findings(daemon), "a finding")
        assert [one["what"].partition(words)[1] for one in found] == [words]
        assert "500" in found[0]["what"].rpartition("UTC: ")[2]
        assert found[0]["level"] == "warning"
        page = httpx.get(
            f"{daemon.address}/status", headers={"Accept": "text/html"}, trust_env=False
        )
        assert words.removeprefix("summarise: ") in page.text
        (story,) = daemon.stories()
        assert daemon.get(f"/stories/{story['id']}").status_code == 200


def findings(daemon: DaemonProcess) -> list[dict[str, Any]]:
    return daemon.get("/status").json()["process_findings"]


def summarising(database: str, folder: Path, **summarise: str) -> DaemonProcess:
    """A daemon with one story of two outlets."""
    (folder / "articles").mkdir()
    texts = {"Pennmouth Post": FLOOD, "Harbour News": FLOOD_ELSEWHERE}
    records = (
        {
            "id": outlet,
            "outlet": outlet,
            "title": "Levee breaks in Pennmouth",
            "text": text,
        }
        for outlet, text in texts.items()
    )
    lines = "".join(json.dumps(one) + "\n" for one in records)
    (folder / "articles" / "a.jsonl").write_text(lines, encoding="utf-8")
    settings: dict[str, Any] = {
        "database": database,
        "sources": [{"folder": "articles"}],
    }
    return DaemonProcess(
        folder, settings | {"summarise": summarise | {"stories_an_hour": 3600}}
    )


def is_written_after_restart(daemon: DaemonProcess, url: str) -> bool:
    """Whether nothing was stored of the text that was cut off, and all of it later."""
    with closing(Database(url)) as database, database.write() as connection:
        row = connection.execute(select(story_summary)).one()
        assert (row.summary, row.failures) == (None, 1)
        # It is repeated after five
        earlier = row.attempted_at - dt.timedelta(minutes=6)
        connection.execute(update(story_summary).values(attempted_at=earlier))
    daemon.start()
    id_ = daemon.stories()[0]["id"]
    shown = daemon.wait_for(
        lambda: daemon.get(f"/api/v1/stories/{id_}").json()["summarised"], "the text"
    )
    assert daemon.stop() == 0
    assert daemon.faults() == []
    return bool(shown["sentences"])
