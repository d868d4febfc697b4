"""Secrets that are planted everywhere come out nowhere: not in a log at its most talkative, not in a list."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Postgres
from tests.support.daemon_process import DaemonProcess
from tests.support.loopback import LoopbackServer, Response
from tests.support.outlets import Outlet, report
from tests.support.receiver import SECRET, Receiver
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.later

FIRE = report(
    "Lowland Post/fire-at-halverne-solvent-works", "Sixteen hurt in fire", hours_ago=10
)
MARK = "qX7marker"


def test_no_secret_is_said_through_a_whole_life(
    tmp_path: Path, postgres: Postgres
) -> None:
    outlet, receiver = Outlet("Lowland Post", "rss", [FIRE]), Receiver()
    refusing = LoopbackServer({"*": Response(401, body="no")})
    bare = refusing.url("/feed").removeprefix("http://")
    settings: dict[str, Any] = {
        "database": postgres.make().replace("postgres@", f"postgres:{MARK}db@"),
        "log": {"level": "debug"},
        "sources": [
            outlet.settings(),
            {"feed": f"http://{bare}?api_key={MARK}query&lang=en"},
            {"feed": f"http://nowhere.invalid/feed?token={MARK}lost"},
            {"feed": f"http://reader:{MARK}basic@{bare}"},
        ],
        "webhooks": [
            {"name": "desk", "url": receiver.url(f"/in/{MARK}path"), "secret": SECRET},
            {
                "name": "away",
                "url": f"http://127.0.0.1:9/in?sig={MARK}sig",
                "secret": SECRET,
            },
        ],
    }
    with DaemonProcess(tmp_path, settings) as daemon:
        daemon.configure(
            settings | {"sources": [{"feed": f"ftp://reader:{MARK}basic@{bare}"}]}
        )
        refused = daemon.command("config", "check")
        assert (refused.returncode, MARK in refused.stderr) == (2, False)
        assert "config reload failed" in daemon.reload()
        daemon.configure(settings)
        token = daemon.token("reader", "admin")
        daemon.wait_for(daemon.stories, "a story")
        daemon.wait_for(
            lambda: len(daemon.lines("warning ")) >= 3, "what fails to be told"
        )
        with httpx.Client(
            base_url=daemon.address, trust_env=False, timeout=PATIENCE_SECONDS
        ) as client:
            for given in (token, f"agg_{MARK}wrong"):
                bearer = {"Authorization": f"Bearer {given}"}
                client.post(
                    "/api/v1/articles",
                    json={"id": "1", "title": "A title", "text": "x"},
                    headers=bearer,
                )
                client.get(f"/t/{given}/feeds/stories.rss")
                client.get(
                    "/stories",
                    params={"q": "x" * 20, "token": f"{MARK}asked"},
                    auth=("me", given),
                )
            client.post("/sign-in", data={"token": f"agg_{MARK}typed"})
            reported = [
                client.get(path).text
                for path in ("/status", "/metrics", "/healthz", "/readyz")
            ]
        said = [
            daemon.command(*words)
            for words in (["config", "show"], ["config", "check"], ["doctor"])
        ]
        assert daemon.stop() == 0
        everything = "\n".join(
            [daemon.log(), *reported, *(one.stdout + one.stderr for one in said)]
        )
    for secret in (MARK, token, SECRET, SECRET.removeprefix("whsec_")):
        assert [line for line in everything.splitlines() if secret in line] == []
    assert "api_key=***" in daemon.log()
    outlet.server.close()
    refusing.close()
