"""A source's row in words: how it does, why, and what happens next. Pure: the time is an argument."""

import datetime as dt
from typing import Literal

import msgspec

from aggregator.config.messages import counted
from aggregator.config.tuning import Tuning
from aggregator.model.core import FrozenStruct
from aggregator.model.health_report import decay_rate, expected_gap_seconds, silence_seconds
from aggregator.store.intake.sources import Source

HealthState = Literal["new", "ok", "failing", "gone", "merged", "paused", "silent", "flood"]

# What a cause means to somebody who has never heard of it. The detail that was noted stands behind it.
_MEANINGS = {
    "dns": "its name leads nowhere",
    "connect": "its server cannot be reached",
    "tls": "its certificate is not to be trusted",
    "timeout": "it takes too long to answer",
    "protocol": "its server does not speak proper HTTP",
    "too_large": "its answer is too long",
    "encoding": "its answer cannot be unpacked",
    "redirect": "its redirects lead nowhere",
    "refused": "it leads to a network that is not public",
    "address": "its address is none",
    "bot wall": "a wall against programs stands before it",
    "no feed": "there is no feed at its address",
    "asked to wait": "its host asked us to wait",
    "http 401": "it wants a password",
    "http 403": "it refuses us (403)",
    "http 404": "nothing is there (404)",
    "http 410": "it says that it is gone for ever (410)",
    "http 429": "it says that we ask too often (429)",
    "http 503": "it has no time for us (503)",
    "memory": "its bytes broke the parser",
    "died": "its bytes broke the parser",
    "failed": "its bytes broke the parser",
}


class HealthTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Those of config/tuning.yaml that this needs."""

    rate_days: float
    silent_gaps: float
    silent_days: float
    flood_shown_days: float


class SourceHealth(FrozenStruct, frozen=True, kw_only=True):
    """How a source does. `cause` is a short word for machines, "" where all is well, `words` for people."""

    state: HealthState
    cause: str = ""
    words: str = ""
    per_day: float | None = (
        None  # new entries a day, a mean over about a week; None where it is not known yet
    )


def health_rules(all_tuning: Tuning) -> HealthTuning:
    """The constants in force: section `net` of config/tuning.yaml."""
    return msgspec.convert(all_tuning.values("net"), HealthTuning)


def health_of(source: Source, now: dt.datetime, tuning: HealthTuning) -> SourceHealth:
    """How `source` does at `now`."""
    state, cause, words = _condition(source, now, tuning)
    known = source.kind == "feed" and source.first_poll_done
    rate = decay_rate(source.per_day, source.per_day_at, now, tuning.rate_days) if known else None
    return SourceHealth(state=state, cause=cause, words=words, per_day=rate)


def _condition(source: Source, now: dt.datetime, tuning: HealthTuning) -> tuple[HealthState, str, str]:
    if source.paused:
        return "paused", "", source.health_cause or ""
    if source.health == "merged":
        return "merged", "moved", f"moved for ever to a feed that is a source already ({source.merged_into})"
    if source.health == "gone":
        since = "" if source.gone_since is None else f" since {_day(source.gone_since)}"
        return "gone", "gone", f"says that it is gone for ever (410){since}; it is not asked any more"
    if source.health == "failing":
        return "failing", _cause_of(source.health_cause), _failing(source, now)
    if source.health == "new":
        return "new", "", ""
    return _news(source, now, tuning)


def _failing(source: Source, now: dt.datetime) -> str:
    cause = _cause_of(source.health_cause)
    detail = (source.health_cause or "").removeprefix(cause).removeprefix(": ")
    meaning = _MEANINGS.get(cause, "")
    words = f"{meaning}: {detail}" if meaning and detail else meaning or source.health_cause or "it fails"
    if source.failing_since is not None and source.failures > 1:
        words += f"; {source.failures} times since {_day(source.failing_since)}"
    if source.next_due_at > now:
        words += f"; next try in {_span((source.next_due_at - now).total_seconds())}"
    return words


def _news(source: Source, now: dt.datetime, tuning: HealthTuning) -> tuple[HealthState, str, str]:
    """Of a source that answers: whether there is too little or too much in it."""
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
        source.per_day, source.last_new_at, now, gaps=tuning.silent_gaps, days=tuning.silent_days
    )
    if gap is None or silent is None:
        return None
    return f"nothing new for {_span(silent)}; it used to have something every {_span(gap)}"


def _cause_of(health_cause: str | None) -> str:
    return (health_cause or "").partition(":")[0]


def _day(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def _span(seconds: float) -> str:
    """A length of time as one says it: the largest unit of which there are two."""
    for unit, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(1, round(seconds))} seconds"
