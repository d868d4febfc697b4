"""Limits of reading, and the sections `net` and `sources` of config/tuning.yaml, which states their origins."""

from aggregator.config.tuning import Tuning
from aggregator.model.structs import FrozenStruct

# The longest URL: browsers and servers stop at 2,000 to 8,000 characters, so longer URLs are data and not addresses
URL_CHARS = 4096
# The longest name of an outlet, an author, a category, a folder
NAME_CHARS = 300
# A longer GUID or record id becomes its start and a hash
KEY_CHARS = 1024


class SourceTuning(FrozenStruct):
    """Section `sources`: limits on the input from feeds and files."""

    max_entries: int
    max_article_bytes: int
    max_feed_bytes: int


def source_tuning(all_tuning: Tuning) -> SourceTuning:
    """Return the section `sources` in force."""
    return all_tuning.section("sources", SourceTuning)


class NetTuning(FrozenStruct):
    """Section `net`: limits and intervals of fetching."""

    wire_cap_bytes: int
    fetch_deadline_seconds: float
    host_gap_seconds: float
    host_concurrency: int
    interval_floor_seconds: float
    interval_cap_seconds: float
    quiet_stretch: float
    backoff_factor: float
    jitter_share: float


def net_tuning(all_tuning: Tuning) -> NetTuning:
    """Return the section `net` in force. Raise ConfigError for an invalid override."""
    return all_tuning.section("net", NetTuning)
