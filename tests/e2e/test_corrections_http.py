"""The daemon takes and corrects what it is asked over HTTP; it listens elsewhere only with a token."""

from pathlib import Path

import httpx
import pytest

from tests.support.articles import FLOOD, STRIKE
from tests.support.daemon_process import DaemonProcess

pytestmark = pytest.mark.later


@pytest.mark.timeout(240)
def test_the_daemon_corrects_and_listens_to_others_with_a_token_alone(tmp_path: Path) -> None:
    everywhere = {"sources": [], "server": {"host": "0.0.0.0"}, "log": {"level": "debug"}}
    daemon = DaemonProcess(tmp_path, everywhere)
    daemon.launch()
    assert daemon.wait_for_end() == 2
    assert "aggregator token create NAME --scope read" in daemon.log()
    made = daemon.command("token", "create", "editor", "--scope", "admin")
    secret = made.stdout.strip()
    assert secret, made.stderr
    with daemon:
        here = daemon.address.replace("0.0.0.0", "127.0.0.1")
        with httpx.Client(base_url=here, trust_env=False, timeout=30) as client:
            proxied = {"X-Forwarded-For": "203.0.113.9"}
            assert client.get("/api/v1/stories", headers=proxied).status_code == 401
            assert client.get(f"/t/{secret}/feeds/stories.rss", headers=proxied).status_code == 200
            assert client.get(f"/t/{secret}x/nothing", headers=proxied).status_code == 401
            client.headers["Authorization"] = f"Bearer {secret}"
            records = [
                {"id": "1", "outlet": "Harbour Post", "title": "Dock workers strike", "text": STRIKE},
                {"id": "2", "outlet": "Herald", "title": "Levee breaks", "text": FLOOD},
            ]
            assert client.post("/api/v1/articles", json=records).status_code == 202

            def stories() -> list[str]:
                return [one["id"] for one in client.get("/api/v1/stories").json()["stories"]]

            ids = daemon.wait_for(lambda: stories() if len(stories()) == 2 else None, "two stories")
            assert ids is not None
            done = client.post("/api/v1/corrections", json={"kind": "merge", "stories": ids})
            assert done.status_code in {200, 202}, done.text
            daemon.wait_for(lambda: len(stories()) == 1, "one story")
            assert client.delete("/api/v1/corrections/1").status_code in {200, 202}
            daemon.wait_for(lambda: len(stories()) == 2, "two stories again")
            last = client.post(
                "/api/v1/articles", json={"id": "3", "title": "Ferry late", "text": STRIKE[::-1]}
            )
            daemon.kill()
        assert last.json()["accepted"] == 1
        assert daemon.rows("SELECT count(*) FROM entry") == [(3,)], "what was answered survives kill -9"
        assert secret not in daemon.log()
