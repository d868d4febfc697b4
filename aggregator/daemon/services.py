"""The services that the daemon provides to each Runtime."""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from aggregator.model.clock import Clock
from aggregator.model.counters import Metrics
from aggregator.model.health_report import Reload
from aggregator.store.engine.database import Database
from aggregator.store.engine.writer_lease import WriterLease


class DaemonServices(NamedTuple):
    """The parts of the daemon that outlive a configuration."""

    database: Database
    lock: WriterLease
    now: Clock
    check_seconds: float  # interval of the watchdog
    arrived: threading.Event  # set when entries wait for placing
    failed: Callable[[BaseException], None]  # receives the error that ends the daemon
    rested: Callable[[], None]  # called when nothing was placed for a while
    metrics_registry: Metrics
    started_at: datetime
    last_reload: Callable[[], Reload | None]
