"""The real daemon asks an address for texts, and says when that fails."""

import json
from pathlib import Path

import httpx
import pytest

from tests.support.articles import FLOOD, FLOOD_ELSEWHERE
from tests.support.daemon_process import DaemonProcess
from tests.support.loopback import LoopbackServer, Response

pytestmark = pytest.mark.later


def test_a_hook_that_fails_is_a_finding_of_the_daemon(tmp_path: Path, server: LoopbackServer) -> None:
    server.routes["*"] = Response(500)
    with summarising(tmp_path, server.url("/v1")) as daemon:
        words = "summarise: small gives no texts since "
        found = daemon.wait_for(lambda: daemon.get("/status").json()["process_findings"], "a finding")
        assert [one["what"].partition(words)[1] for one in found] == [words]
        assert "500" in found[0]["what"].rpartition("UTC: ")[2]
        assert found[0]["level"] == "warning"
        page = httpx.get(f"{daemon.address}/status", headers={"Accept": "text/html"}, trust_env=False)
        assert words.removeprefix("summarise: ") in page.text
        (story,) = daemon.stories()
        assert daemon.get(f"/stories/{story['id']}").status_code == 200


def summarising(folder: Path, url: str) -> DaemonProcess:
    """A daemon with one story of two outlets."""
    (folder / "articles").mkdir()
    texts = {"Pennmouth Post": FLOOD, "Harbour News": FLOOD_ELSEWHERE}
    records = (
        {"id": outlet, "outlet": outlet, "title": "Levee breaks in Pennmouth", "text": text}
        for outlet, text in texts.items()
    )
    lines = "".join(json.dumps(one) + "\n" for one in records)
    (folder / "articles" / "a.jsonl").write_text(lines, encoding="utf-8")
    summarise = {"url": url, "model": "small", "stories_an_hour": 3600}
    return DaemonProcess(folder, {"sources": [{"folder": "articles"}], "summarise": summarise})
