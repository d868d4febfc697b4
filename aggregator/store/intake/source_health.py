"""The health of a source in words: its state, the cause, and the next attempt. Pure functions."""

import datetime as dt

import msgspec

from aggregator.config.messages import counted
from aggregator.config.tuning import Tuning
from aggregator.model.core import FrozenStruct
from aggregator.model.health_report import decay_rate, expected_gap_seconds, silence_seconds
from aggregator.model.read_model import SourceState
from aggregator.store.intake.sources import Source

# Explanations of causes; the stored detail follows, unless it says the same.
_MEANINGS = {
    "dns": "DNS lookup failed",
    "connect": "connection failed",
    "tls": "TLS connection failed",
    "timeout": "timed out",
    "protocol": "invalid HTTP response",
    "too_large": "response too large",
    "encoding": "response cannot be decompressed",
    "redirect": "redirect failed",
    "refused": "address blocked",
    "address": "invalid address",
    "bot wall": "blocked by a bot check",
    "no feed": "no feed at this address",
    "asked to wait": "its host asked to wait",
    "http 401": "authentication required (401)",
    "http 403": "forbidden (403)",
    "http 404": "not found (404)",
    "http 410": "gone permanently (410)",
    "http 429": "too many requests (429)",
    "http 503": "service unavailable (503)",
    "memory": "the parser ran out of memory",
    "died": "the parser crashed",
    "failed": "the parser failed",
}


class HealthTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Constants of section `net` of config/tuning.yaml."""

    rate_days: float
    silent_gaps: float
    silent_days: float
    flood_shown_days: float


class SourceHealth(FrozenStruct, frozen=True, kw_only=True):
    """The health of a source. `cause`: a short identifier, "" if it is ok; `words`: a sentence for people."""

    state: SourceState
    cause: str = ""
    words: str = ""
    per_day: float | None = (
        None  # new entries a day, a mean over about a week; None where it is not known yet
    )


def health_tuning(all_tuning: Tuning) -> HealthTuning:
    """Return the constants in force."""
    return msgspec.convert(all_tuning.values("net"), HealthTuning)


def health_of(source: Source, now: dt.datetime, tuning: HealthTuning) -> SourceHealth:
    """Return the health of `source` at `now`."""
    state, cause, words = _condition(source, now, tuning)
    known = source.per_day_at is not None
    rate = decay_rate(source.per_day, source.per_day_at, now, tuning.rate_days) if known else None
    return SourceHealth(state=state, cause=cause, words=words, per_day=rate)


def _condition(source: Source, now: dt.datetime, tuning: HealthTuning) -> tuple[SourceState, str, str]:
    if source.paused:
        return "paused", "", source.health_cause or ""
    if source.health == "merged":
        return (
            "merged",
            "moved",
            f"has the same feed as source {source.merged_into}, which is polled instead",
        )
    if source.health == "gone":
        since = "" if source.gone_since is None else f" since {_day(source.gone_since)}"
        return "gone", "gone", f"gone permanently (410){since}; it is no longer polled"
    if source.health == "failing":
        return "failing", _cause_of(source.health_cause), _failing(source, now)
    if source.health == "new":
        return "new", "", ""
    return _news(source, now, tuning)


def _failing(source: Source, now: dt.datetime) -> str:
    cause = _cause_of(source.health_cause)
    detail = (source.health_cause or "").removeprefix(cause).removeprefix(": ")
    meaning = _MEANINGS.get(cause, "")
    if meaning and detail and detail.casefold() not in meaning:
        words = f"{meaning}: {detail}"
    else:
        words = meaning or source.health_cause or "failed"
    if source.failing_since is None:
        return words
    if source.failures > 1:
        words += f"; {source.failures} times since {_day(source.failing_since)}"
    if source.next_due_at > now:
        words += f"; next try in {_span((source.next_due_at - now).total_seconds())}"
    return words


def _news(source: Source, now: dt.datetime, tuning: HealthTuning) -> tuple[SourceState, str, str]:
    """Check a working source for too few or too many entries."""
    silence = _silence(source, now, tuning)
    if silence is not None:
        return "silent", "silent", silence
    if source.flooded_at is not None and now - source.flooded_at < dt.timedelta(days=tuning.flood_shown_days):
        old = counted(source.flood_entries, "old entry", "old entries")
        words = f"{old} came at once on {_day(source.flooded_at)}"
        return "flood", "flood", f"{words}; stored, not announced"
    return "ok", "", source.health_cause or ""


def _silence(source: Source, now: dt.datetime, tuning: HealthTuning) -> str | None:
    gap = expected_gap_seconds(source.per_day)
    silent = silence_seconds(
        source.per_day, source.per_day_at, now, gaps=tuning.silent_gaps, days=tuning.silent_days
    )
    if gap is None or silent is None:
        return None
    if source.last_new_at is not None:
        silent = (now - source.last_new_at).total_seconds()
    return f"nothing new for {_span(silent)}; it used to have something every {_span(gap)}"


def _cause_of(health_cause: str | None) -> str:
    return (health_cause or "").partition(":")[0]


def _day(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def _span(seconds: float) -> str:
    """Format a duration in the largest unit of which it has at least two."""
    for unit, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(1, round(seconds))} seconds"
