"""What is different among kinds of sources; everything else asks their `SourceKind` for it."""

import datetime as dt
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from aggregator.config.settings import Config
from aggregator.config.tuning import Tuning
from aggregator.pipeline.poll import Poller, PollResult
from aggregator.pipeline.workers.executor import Executor
from aggregator.sources.fetch.client import Client
from aggregator.store.engine.database import Database
from aggregator.store.intake.sources import Source


class PollServices(NamedTuple):
    """What the sources of one configuration are polled with. `stops`: whether the program ends."""

    database: Database
    client: Client
    executor: Executor
    all_tuning: Tuning
    now: Callable[[], dt.datetime]
    poller: Poller
    stops: Callable[[], bool] = lambda: False


class SourceKind(NamedTuple):
    """A kind of source: the `KIND` of the module `NAME_kind` of this package, for the key NAME in `sources:`.

    The due time is a column. A source whose address has no host is polled by the writer only.
    """

    # From the value of the key to the address to store. Raises ConfigError.
    address: Callable[[str, Config], str]
    # Fetches, parses and stores one source that is due; called in several threads.
    poller: Callable[[PollServices], Callable[[Source], PollResult]]
    entry_noun: str = "page"  # for entries that could not be read, in log records
    is_local: bool = False  # whether the address is a path
    is_in_opml: bool = False  # whether feed readers can subscribe to the address


def source_kind(name: str) -> SourceKind:
    """Return the kind with this key."""
    kind: SourceKind = import_module(f"{__package__}.{name}_kind").KIND
    return kind
