"""The real daemon, killed while a text is written: it is written again, and no program outlives it."""

import datetime as dt
import json
import sys
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
from tests.support.waiting import wait_until

pytestmark = pytest.mark.later

# Starts a child, and waits for ever as long as a file says so.
PROGRAM = """\
import json, os, subprocess, sys, time
facts = json.load(sys.stdin)
if os.path.exists("slow"):
    child = subprocess.Popen(["sleep", "600"])
    with open("pids.part", "w") as file:
        file.write(f"{os.getpid()} {child.pid}")
    os.rename("pids.part", "pids")
    print('{"sentences": [', flush=True)
    time.sleep(600)
said = facts["sections"][0]["sentences"][0]
print(json.dumps({"sentences": [{"text": said["text"], "article_ids": said["article_ids"]}]}))
"""


def test_a_program_ends_with_its_daemon_and_is_asked_again(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "slow").touch()
    (tmp_path / "summarise.py").write_text(PROGRAM, encoding="utf-8")
    with summarising(database_url, tmp_path, command=f"{sys.executable} summarise.py") as daemon:
        daemon.wait_for((tmp_path / "pids").exists, "the program")
        pids = [int(one) for one in (tmp_path / "pids").read_text(encoding="ascii").split()]
        assert all(map(is_alive, pids))
        daemon.kill()
        wait_until(lambda: not any(map(is_alive, pids)), "the program to end")
        (tmp_path / "slow").unlink()
        assert is_written_after_restart(daemon, database_url)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_an_address_is_asked_again(database_url: str, tmp_path: Path, server: LoopbackServer) -> None:
    server.routes["*"] = Response(body=b"{" * 500, drip_seconds=0.2)
    url = server.url("/v1/chat/completions")
    with summarising(database_url, tmp_path, url=url, model="small") as daemon:
        daemon.wait_for(lambda: server.requests, "a request")
        daemon.kill()
        facts = json.loads(json.loads(server.requests[0].body)["messages"][1]["content"])
        said = facts["sections"][0]["sentences"][0]
        answer = {"sentences": [{"text": said["text"], "article_ids": said["article_ids"]}]}
        body = {"choices": [{"message": {"content": json.dumps(answer)}}]}
        server.routes["*"] = Response(body=json.dumps(body))
        assert is_written_after_restart(daemon, database_url)
        assert len(server.requests) == 2


def test_a_hook_that_fails_is_a_finding_of_the_daemon_which_works(tmp_path: Path) -> None:
    with summarising("stories.db", tmp_path, command="false") as daemon:
        words = "summarise: a program gives no texts since "
        found = daemon.wait_for(lambda: findings(daemon), "a finding")
        assert [one["what"].partition(words)[1] for one in found] == [words]
        assert found[0]["what"].endswith("UTC: the program ended with 1")
        assert found[0]["level"] == "warning"
        page = httpx.get(f"{daemon.address}/status", headers={"Accept": "text/html"}, trust_env=False)
        assert words.removeprefix("summarise: ") in page.text
        (story,) = daemon.stories()
        assert daemon.get(f"/stories/{story['id']}").status_code == 200


def findings(daemon: DaemonProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = daemon.get("/status").json()["process_findings"]
    return found


def summarising(database: str, folder: Path, **summarise: str) -> DaemonProcess:
    """A daemon with one story of two outlets."""
    (folder / "articles").mkdir()
    texts = {"Pennmouth Post": FLOOD, "Harbour News": FLOOD_ELSEWHERE}
    records = (
        {"id": outlet, "outlet": outlet, "title": "Levee breaks in Pennmouth", "text": text}
        for outlet, text in texts.items()
    )
    lines = "".join(json.dumps(one) + "\n" for one in records)
    (folder / "articles" / "a.jsonl").write_text(lines, encoding="utf-8")
    settings: dict[str, Any] = {"database": database, "sources": [{"folder": "articles"}]}
    return DaemonProcess(folder, settings | {"summarise": summarise | {"stories_an_hour": 3600}})


def is_written_after_restart(daemon: DaemonProcess, url: str) -> bool:
    """Whether nothing was stored of the text that was cut off, and all of it later."""
    with closing(Database(url)) as database, database.write() as connection:
        row = connection.execute(select(story_summary)).one()
        assert (row.summary, row.failures) == (None, 1)
        earlier = row.attempted_at - dt.timedelta(minutes=6)  # it is repeated after five
        connection.execute(update(story_summary).values(attempted_at=earlier))
    daemon.start()
    id_ = daemon.stories()[0]["id"]
    shown = daemon.wait_for(lambda: daemon.get(f"/api/v1/stories/{id_}").json()["summarised"], "the text")
    assert daemon.stop() == 0
    assert daemon.command("db", "check").returncode == 0
    return bool(shown["sentences"])


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
