"""Sections `net` and `sources` of config/tuning.yaml, which gives unit and origin of every value."""

import msgspec

from aggregator.config.tuning import Tuning


class SourceTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `sources`: limits on the input from feeds and files."""

    max_entries: int
    max_entry_chars: int
    max_article_bytes: int
    max_feed_bytes: int
    max_folder_files: int
    settle_seconds: float
    turn_seconds: float
    max_enclosures: int
    max_categories: int
    max_key_chars: int
    max_outlines: int
    discovery_tries: int
    first_polls_a_second: float
    run_chars: int


def source_tuning(all_tuning: Tuning) -> SourceTuning:
    """Return the section `sources` in force."""
    return all_tuning.section("sources", SourceTuning)


class NetTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `net`: limits and intervals of fetching."""

    wire_cap_bytes: int
    decoded_cap_bytes: int
    fetch_deadline_seconds: float
    max_redirects: int
    url_cap_chars: int
    error_page_bytes: int
    validator_cap_chars: int
    host_gap_seconds: float
    host_concurrency: int
    retry_after_min_seconds: float
    retry_after_max_seconds: float
    host_hold_seconds: float
    host_hold_max_seconds: float
    host_hold_feeds: int
    host_gap_factor_max: float
    host_recovery_responses: int
    slow_fetch_seconds: float
    slow_fetches: int
    robots_cache_seconds: float
    robots_retry_seconds: float
    robots_cap_bytes: int
    robots_cache_hosts: int
    interval_floor_seconds: float
    interval_cap_seconds: float
    quiet_factor: float
    quiet_stretch: float
    backoff_factor: float
    jitter_share: float
    expected_gap_share: float
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
    """Return the section `net` in force. Raise ConfigError for an invalid override."""
    return all_tuning.section("net", NetTuning)
