"""Sources and pollers as most tests of polling need them."""

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

from sqlalchemy import select

from aggregator.config.configured_access import configured_access
from aggregator.config.settings import Config
from aggregator.config.tuning import Tuning
from aggregator.intake.kinds.folder_kind import FolderWatcher
from aggregator.intake.kinds.source_kind import source_kind
from aggregator.intake.polling.page_fetch import PollServices
from aggregator.intake.polling.poll import Poller
from aggregator.intake.polling.poll_result import PollResult
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.clock import utc_now
from aggregator.sources.fetch.client import Client, client_of
from aggregator.store.engine.database import Database
from aggregator.store.intake import pending_pages
from aggregator.store.intake.source_rows import Source, add, all_sources, source_id
from aggregator.store.tables import entry, story
from tests.support.articles import NOON, Clock, Rig
from tests.support.rows import queried, read_by, written_by


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


ALL_TUNING = Tuning({"net": {"fetch_deadline_seconds": 2.0}})


def poll_configured(
    database: Database, config: Config, *, robots: bool = False, pages: str = "always"
) -> dict[str, PollResult]:
    """Poll the stored sources and fetch the pages that are due, with the access that a config.yaml gives."""
    client = client_of(config)
    services = PollServices(
        database,
        client,
        InlineExecutor(),
        Tuning(),
        utc_now,
        configured=configured_access(config),
    )
    poller = Poller(services, robots=robots, pages=pages)
    polled = {
        one.shown_name: source_kind(one.kind).poller(poller)(one)
        for one in read_by(database, all_sources)
    }
    for page in read_by(database, pending_pages.load_due_pages, utc_now(), 100):
        poller.fetch_page(page)
    client.close()
    return polled


class Office:
    """Polling on a database, with a source to be asked."""

    def __init__(
        self, database: Database, client: Client, source: Source, **more: Any
    ) -> None:
        self.clock = Clock()
        self.stopped = Event()
        self.rig = Rig(database, self.clock, ALL_TUNING)
        self.database = database
        more = {"pages": "auto"} | more
        self.polling = poller_on(
            database, client, ALL_TUNING, self.clock, self.stopped.is_set, **more
        )
        self.watching = FolderWatcher(self.polling.services)
        written_by(database, add, source)

    @property
    def source(self) -> Source:
        return read_by(self.database, all_sources)[0]

    def poll(self) -> PollResult:
        """Poll the source that came first."""
        return self.polling.poll(self.source)

    def poll_and_place(self) -> None:
        """Likewise, and place what came."""
        self.poll()
        self.rig.place()

    def entries(self) -> list[Any]:
        return list(queried(self.database, select(entry).order_by(entry.c.entry_no)))

    def stories(self) -> list[Any]:
        return list(queried(self.database, select(story).order_by(story.c.story_no)))


def feed_of(address: str, **more: Any) -> Source:
    return feed_source(address, **({"pages": "never"} | more))
