"""How the kinds of sources differ; other code asks a `SourceKind` instead of comparing kinds."""

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from aggregator.config.settings import Config
from aggregator.config.source_settings import SourceConfig
from aggregator.intake.polling.poll import Poller
from aggregator.intake.polling.poll_result import PollResult
from aggregator.model.entry import FetchPages
from aggregator.store.intake.source_rows import Source


class SourceKind(NamedTuple):
    """A kind of source: the `KIND` of the module `NAME_kind` of this package, for the key NAME in `sources:`.

    A source whose address has no host, such as a folder, is polled without the limits for requests to a host.
    """

    # Returns the address to store for a source of config.yaml. Raises ConfigError.
    address: Callable[[SourceConfig, Config], str]
    # Takes the poller of feeds and pages, and returns a function that fetches, parses and stores a due source;
    # several threads call that function.
    poller: Callable[[Poller], Callable[[Source], PollResult]]
    # Whether the address is a path
    is_local: bool = False
    # Whether pages are fetched, unless the source has its own setting
    pages: FetchPages = "auto"
    # Whether feed readers can subscribe to the address
    is_in_opml: bool = False


def source_kind(name: str) -> SourceKind:
    """Return the kind with this key."""
    kind: SourceKind = import_module(f"{__package__}.{name}_kind").KIND
    return kind
