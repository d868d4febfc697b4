"""What a start of the daemon imports."""

import sys

from tests.support.programs import run_program

SERVED = (
    "aggregator.admin.config_check, aggregator.daemon.daemon, aggregator.web.server, aggregator.web.editor, "
    "aggregator.web.api.push_endpoint, aggregator.web.feeds.digest_feeds, aggregator.deliver.delivery_bodies"
)
LATER = {
    "numpy",
    "aggregator.grouping.grouping_services",
    "aggregator.stories.rendering",
}


def test_pages_are_served_before_what_decides_about_articles_is_loaded() -> None:
    script = f"import sys, {SERVED}; print(*sys.modules)"
    loaded = run_program([sys.executable, "-c", script], check=True).stdout
    assert not LATER & set(loaded.split())
