"""The daemon listens elsewhere only with a token; what it has answered over HTTP survives kill -9."""

from pathlib import Path

import httpx
import pytest

from tests.support.articles import STRIKE
from tests.support.daemon_process import DaemonProcess

pytestmark = pytest.mark.later


@pytest.mark.timeout(240)
def test_the_daemon_listens_to_others_with_a_token_alone_and_keeps_what_it_took(
    tmp_path: Path,
) -> None:
    everywhere = {
        "sources": [],
        "server": {"host": "0.0.0.0"},
        "log": {"level": "debug"},
    }
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
            for path, status in (
                ("/api/v1/stories", 401),
                (f"/t/{secret}/feeds/stories.rss", 200),
            ):
                assert client.get(path, headers=proxied).status_code == status
            assert (
                client.get(f"/t/{secret}x/nothing", headers=proxied).status_code == 401
            )
            given = {
                "id": "1",
                "outlet": "Harbour Post",
                "title": "Dock workers strike",
                "text": STRIKE,
            }
            bearer = {"Authorization": f"Bearer {secret}"}
            assert (
                client.post("/api/v1/articles", json=given, headers=bearer).json()[
                    "accepted"
                ]
                == 1
            )
            daemon.kill()
        assert daemon.rows("SELECT count(*) FROM entry") == [(1,)], (
            "what was answered survives kill -9"
        )
        assert secret not in daemon.log()
