"""What a start of the daemon imports."""

import subprocess
import sys

SERVED = (
    "aggregator.admin.config_check, aggregator.daemon.daemon, aggregator.web.server, aggregator.web.editor, "
    "aggregator.web.api.push_endpoint, aggregator.web.feeds.digest_feeds, aggregator.deliver.delivery_bodies"
)
LATER = {"numpy", "aggregator.grouping.parts", "aggregator.stories.rendering"}


def test_pages_are_served_before_what_decides_about_articles_is_loaded() -> None:
    script = f"import sys, {SERVED}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert not LATER & set(loaded.split())
