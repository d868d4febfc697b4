"""The health of a source."""

from datetime import datetime, timedelta
from typing import NamedTuple

from aggregator.config.messages import pluralise
from aggregator.model.health_report import (
    DAY_SECONDS,
    SILENT_DAYS,
    SILENT_GAPS,
    decay_rate,
    expected_gap_seconds,
)
from aggregator.model.read_model import SourceState
from aggregator.store.intake.source_rows import Source

_FLOOD_SHOWN_DAYS = 7.0  # days that a flood is shown as health
# Explanations of causes. The stored detail is added to them, unless it says the same.
_MEANINGS = {
    "dns": "DNS lookup failed",
    "connect": "connection failed",
    "tls": "TLS connection failed",
    "timeout": "timed out",
    "protocol": "invalid response",
    "too_large": "response too large",
    "encoding": "response cannot be decompressed",
    "redirect": "redirect failed",
    "refused": "address blocked",
    "address": "invalid address",
    "login": "login refused",
    "folder": "folder not opened",
    "no feed": "no feed at this address",
    "asked to wait": "its host asked to wait",
    "memory": "the parser ran out of memory",
    "died": "the parser crashed",
    "failed": "the parser failed",
}


class SourceHealth(NamedTuple):
    """The health of a source. `cause`: a short identifier, "" if nothing is wrong; `words`: for people."""

    state: SourceState
    cause: str = ""
    words: str = ""
    # New entries per day, a mean over about a week; None if it is not known yet
    per_day: float | None = None


def health_of(source: Source, now: datetime) -> SourceHealth:
    """Return the health of `source` at `now`."""
    known = source.per_day_at is not None
    rate = decay_rate(source.per_day, source.per_day_at, now) if known else None
    return _condition(source, now)._replace(per_day=rate)


def _condition(source: Source, now: datetime) -> SourceHealth:
    if source.paused:
        return SourceHealth("paused", words=source.health_cause or "")
    if source.health == "merged":
        words = (
            f"has the same feed as source {source.merged_into}, which is polled instead"
        )
        return SourceHealth("merged", "moved", words)
    if source.health == "gone":
        since = "" if source.gone_since is None else f" since {_day(source.gone_since)}"
        return SourceHealth(
            "gone", "gone", f"gone permanently (410){since}; it is no longer polled"
        )
    if source.health == "failing":
        return _failure(source, now)
    if source.health == "new":
        return SourceHealth("new")
    return _news(source, now)


def _news(source: Source, now: datetime) -> SourceHealth:
    """Check a working source for too few or too many entries."""
    gap = expected_gap_seconds(source.per_day)
    if gap is not None and source.per_day_at is not None:
        # The rate was computed at the last new entry, or at the first poll.
        silent = (now - source.per_day_at).total_seconds()
        if silent >= max(gap * SILENT_GAPS, SILENT_DAYS * DAY_SECONDS):
            if source.last_new_at is not None:
                silent = (now - source.last_new_at).total_seconds()
            words = f"nothing new for {_span(silent)}; it used to have something every {_span(gap)}"
            return SourceHealth("silent", "silent", words)
    shown = timedelta(days=_FLOOD_SHOWN_DAYS)
    if source.flooded_at is not None and now - source.flooded_at < shown:
        old = pluralise(source.flood_entries, "old entry", "old entries")
        words = (
            f"{old} came at once on {_day(source.flooded_at)}; stored, not announced"
        )
        return SourceHealth("flood", "flood", words)
    return SourceHealth("ok", words=source.health_cause or "")


def _failure(source: Source, now: datetime) -> SourceHealth:
    cause, _, detail = (source.health_cause or "").partition(":")
    detail = detail.strip()
    meaning = _MEANINGS.get(cause, "")
    words = meaning or source.health_cause or "failed"
    if meaning and detail and detail.casefold() not in meaning.casefold():
        words = f"{meaning}: {detail}"
    if source.failing_since is not None:
        if source.failures > 1:
            words += f"; {source.failures} times since {_day(source.failing_since)}"
        if source.next_due_at > now:
            wait = (source.next_due_at - now).total_seconds()
            words += f"; next try in {_span(wait)}"
    return SourceHealth("failing", cause, words)


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def _span(seconds: float) -> str:
    """Format a duration in the largest unit that fits into it at least twice."""
    for unit, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return pluralise(max(1, round(seconds)), "second")
