"""The constants of this room: section `net` of config/tuning.yaml, where each has its unit and its origin.

How much is taken of what strangers and files give: the section `sources` of the rule book.
"""

import msgspec

from aggregator.config.tuning import Tuning


class SourceTuning(msgspec.Struct, frozen=True, kw_only=True):
    """The constants of this room; units and origins stand in config/tuning.yaml."""

    max_entries: int
    max_entry_chars: int
    max_article_bytes: int
    max_feed_bytes: int
    max_folder_files: int
    settle_seconds: float
    look_seconds: float
    max_enclosures: int
    max_categories: int
    max_key_chars: int
    max_outlines: int
    discovery_tries: int
    first_asked_a_second: float
    run_chars: int


def source_tuning(all_tuning: Tuning) -> SourceTuning:
    """The rules of this room out of `all_tuning`."""
    return all_tuning.section("sources", SourceTuning)


class NetTuning(msgspec.Struct, frozen=True, kw_only=True):
    """See config/tuning.yaml."""

    wire_cap_bytes: int
    decoded_cap_bytes: int
    fetch_deadline_seconds: float
    max_redirects: int
    url_cap_chars: int
    error_page_bytes: int
    validator_cap_chars: int
    host_gap_seconds: float
    host_concurrency: int
    retry_after_least_seconds: float
    retry_after_most_seconds: float
    host_hold_seconds: float
    host_hold_most_seconds: float
    host_witnesses: int
    host_gap_factor_most: float
    host_ease_answers: int
    slow_fetch_seconds: float
    slow_fetches: int
    robots_keep_seconds: float
    robots_retry_seconds: float
    robots_cap_bytes: int
    robots_hosts_kept: int
    interval_floor_seconds: float
    interval_cap_seconds: float
    quiet_factor: float
    quiet_stretch: float
    backoff_factor: float
    jitter_share: float
    rhythm_share: float
    rate_days: float
    adopt_times: int
    adopt_hours: float
    gone_times: int
    gone_hours: float
    gone_retry_seconds: float
    flood_shown_days: float
    silent_gaps: float
    silent_days: float
    outage_hosts: int


def net_tuning(all_tuning: Tuning) -> NetTuning:
    """The section in force; ConfigError for an override that does not fit."""
    return all_tuning.section("net", NetTuning)
