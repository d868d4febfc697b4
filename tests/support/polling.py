"""Sources and pollers as most tests of polling need them."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from aggregator.config.tuning import Tuning
from aggregator.intake.polling.page_fetch import PollServices
from aggregator.intake.polling.poll import Poller
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.sources.fetch.client import Client
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import Source, source_id
from tests.support.articles import NOON


def feed_source(address: str, **more: Any) -> Source:
    """A feed that is due, and then every ten minutes."""
    values = {"interval_seconds": 600, "next_due_at": NOON} | more
    return Source(
        id=source_id("feed", values.get("name"), address),
        kind="feed",
        address=address,
        **values,
    )


def folder_source(path: Path) -> Source:
    """A watched folder that is due, and then every ten seconds."""
    id_ = source_id("folder", None, str(path))
    return Source(
        id=id_, kind="folder", address=str(path), interval_seconds=10, next_due_at=NOON
    )


def poller_on(
    database: Database,
    client: Client,
    all_tuning: Tuning,
    now: Callable[[], datetime],
    *is_stopped: Callable[[], bool],
    robots: bool = False,
    pages: str = "never",
    pause: Callable[[float], object] = time.sleep,
) -> Poller:
    """One that parses in this process."""
    services = PollServices(
        database, client, InlineExecutor(), all_tuning, now, *is_stopped
    )
    return Poller(services._replace(pause=pause), robots=robots, pages=pages)
