"""Tokens made on the command line, articles pushed to the running daemon."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.support.terminal import Prompt, Said


def test_tokens_on_the_command_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AGGREGATOR_DATABASE", raising=False)
    terminal = Prompt(tmp_path, capfdbinary)

    def typed(*arguments: str) -> Said:
        return terminal.type("token", *arguments)

    assert "no database" in typed("list").err
    secret = typed("create", "desk", "--scope", "push", "--scope", "read").out.strip()
    again = typed("create", "desk", "--scope", "push")
    assert (again.code, "exists; revoke it first" in again.err) == (2, True)
    assert typed("create", "x", "--scope", "all").code == 2
    listed = typed("list", "--format", "jsonl")
    (shown,) = listed.lines
    assert (shown["name"], shown["scopes"], shown["revoked_at"]) == (
        "desk",
        ["read", "push"],
        None,
    )
    assert secret not in listed.out
    assert "desk" in typed("list").text
    assert [typed("revoke", "desk").code for _ in range(2)] == [0, 2], "once is enough"
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("aggregator.db*"))
    assert secret not in stored
    assert b"desk" in stored


SCRIPT = """
import sys
import httpx
from aggregator.model.clock import utc_now
from aggregator.web.server import Server
from aggregator.publish.output_settings import PublishSettings
from tests.support.services import all_services
from aggregator.store import api_tokens as tokens
from aggregator.cli.application import main
from aggregator.store.engine.database import Database
from aggregator.store.migrate import upgrade
from aggregator.store.read.reader import StoryReader

database = Database("sqlite:///" + sys.argv[1])
upgrade(database)
with database.write() as connection:
    secret = tokens.create(connection, "t", ("push",), utc_now())[1]
server = Server(StoryReader(database), PublishSettings(port=0), all_services(database))
url = server.start()
for number in range(5):
    answer = httpx.post(url + "/api/v1/articles", json={"title": f"Item {number}"},
                        headers={"Authorization": f"Bearer {secret}"}, trust_env=False)
    assert answer.status_code == 202
server.stop()
"""


@pytest.mark.torture
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_system_was_asked_to_sync_before_each_answer(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    calls = "trace=fdatasync,fsync,sendto"
    command = ["strace", "-f", "-e", calls, "-s", "60", "-o", str(trace)]
    command += [sys.executable, "-c", SCRIPT, str(tmp_path / "push.db")]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    synced, answers = False, 0
    for line in trace.read_text().splitlines():
        if "POST /api/v1/articles" in line:
            synced = False
        synced = synced or ("sync(" in line and "= 0" in line) or "sync resumed" in line
        if "HTTP/1.1 202" in line:
            answers += 1
            assert synced, "answered before the log was on the disk"
    assert answers == 5
