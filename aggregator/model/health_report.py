"""How the daemon does, as nouns: what the daemon knows of itself, and what probes and people are told.

How often a source has news. Pure: times and counts come in, entries a day go out.

Kept is one number, a mean that forgets: each new entry weighs less the longer ago it came. It is worked out
anew only when there is news, so that what is stored tells how busy a source was when it fell silent.
"""

import datetime as dt
import math
from collections.abc import Iterable
from typing import Literal

import msgspec

from aggregator.model.core import FrozenStruct

_DAY_SECONDS = 86400.0
_LEAST_SPAN_DAYS = 1 / 24  # a feed whose entries are all of the last minutes has not thousands a day


def initial_rate(published: Iterable[dt.datetime], now: dt.datetime, rate_days: float) -> float:
    """New entries a day, told from the dates in a feed that is seen for the first time; 0 without dates."""
    ages = [(now - time).total_seconds() / _DAY_SECONDS for time in published]
    known = sorted(age for age in ages if age >= 0)
    recent = [age for age in known if age <= rate_days]
    if len(recent) >= 2:
        # A feed shows its newest entries only: where they are all recent, its oldest bounds the span.
        span = recent[-1] if len(recent) == len(known) else rate_days
        return len(recent) / max(span, _LEAST_SPAN_DAYS)
    return len(known) / max(known[-1], rate_days) if known else 0.0


def decay_rate(per_day: float, at: dt.datetime | None, now: dt.datetime, rate_days: float) -> float:
    """What a rate as of `at` is worth now, when nothing came since."""
    if at is None:
        return 0.0
    days = max(0.0, (now - at).total_seconds() / _DAY_SECONDS)
    return per_day * math.exp(-days / rate_days)


def update_rate(
    per_day: float, at: dt.datetime | None, now: dt.datetime, new: int, rate_days: float
) -> float:
    """The rate after `new` entries that came since the last look."""
    return decay_rate(per_day, at, now, rate_days) + new / rate_days


def silence_seconds(
    per_day: float, last_new_at: dt.datetime | None, now: dt.datetime, *, gaps: float, days: float
) -> float | None:
    """How long a source is silent, where that is more than `gaps` of its own and `days`; else None.

    `per_day` is the rate as of its last news.
    """
    gap = expected_gap_seconds(per_day)
    if gap is None or last_new_at is None:
        return None
    silent = (now - last_new_at).total_seconds()
    return silent if silent >= max(gap * gaps, days * _DAY_SECONDS) else None


def expected_gap_seconds(per_day: float) -> float | None:
    """Seconds between two new entries; None where the rate is unknown."""
    return _DAY_SECONDS / per_day if per_day > 0 else None


DaemonRole = Literal["starting", "writer", "standby"]


class Reload(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """The last time that config.yaml was read again."""

    at: dt.datetime
    ok: bool
    words: str = ""


class ProcessState(FrozenStruct, frozen=True, kw_only=True):
    """What only the running process knows."""

    role: DaemonRole = "starting"
    started_at: dt.datetime
    placing_started: bool = False
    stalled: tuple[str, ...] = ()  # threads that do not get on
    trouble: str | None = None  # why placing rests, in words
    workers: str | None = None  # why no worker can run anything, in words
    last_reload: Reload | None = None
    failed_tasks: tuple[str, ...] = ()  # what failed at its last try, in words: a backup, thinning

    @property
    def is_writer(self) -> bool:
        """Whether it places."""
        return self.role == "writer"

    @property
    def is_backing_off(self) -> bool:
        """Whether placing rests."""
        return self.trouble is not None

    @property
    def reload_failed(self) -> bool:
        """Whether what config.yaml says now is not in force."""
        return self.last_reload is not None and not self.last_reload.ok


class DatabaseStatus(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """What the database knows, asked in one go. Ages are seconds."""

    inbox: dict[str, int]  # entries by what they wait for: page | ready
    oldest_seconds: float
    last_placed: dt.datetime | None
    sources: dict[str, int]  # by state, see docs/operations.md, Health
    all_fail: str | None = None  # that all feeds fail, in words
    due_sources: int  # that should have been asked by now, ...
    late_seconds: float  # ... and the latest of them
    articles: int  # the number of the last one that was placed: forgotten ones are in it
    unindexed: int  # articles that full-text search does not find yet
    untold: int  # stories whose merged text waits, counted up to a bound
    requests_waiting: int  # what commands asked of the writer
    deliveries_waiting: int
    hooks_failing: int
    problems: tuple[str, ...] = ()


class DatabaseSize(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """The database as a thing that takes room. Bytes; None where it cannot be known (a server's disk)."""

    size_bytes: int
    log_bytes: int | None = None
    free_page_bytes: int | None = None
    free_disk_bytes: int | None = None


class SourceGauge(FrozenStruct, frozen=True, kw_only=True):
    """One source in numbers; times are seconds since 1970."""

    id: str
    health: str
    last_success: float | None
    new: int
    known: int
    refused: int


class BackupState(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """The daemon's backups. `words` say what is wrong with them."""

    every_seconds: int | None  # None: it makes none
    last: dt.datetime | None
    size_bytes: int | None
    words: str | None


class HealthSnapshot(FrozenStruct, frozen=True, kw_only=True):
    """What one look into the database found."""

    at: dt.datetime
    stored: DatabaseStatus
    place: DatabaseSize
    sources: tuple[SourceGauge, ...] = ()
    why_not_writable: str | None = None
    revision: str | None = None
    events: dict[str, int] = {}  # noqa: RUF012 - lines of the stories' log since the start, by kind
    backup: BackupState | None = None
    retention: dict[str, int] | None = None


class HealthReport(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """How everything does. `problems` may name files of this machine: for the owner's eyes."""

    status: Literal["ok", "degraded", "down"]
    role: DaemonRole
    version: str
    rules_version: str
    uptime_seconds: float
    writable: bool
    ready: bool
    problems: tuple[str, ...]
    process_problems: tuple[str, ...]  # those of them that only the process knows
    stored: DatabaseStatus | None = None  # None: the database did not answer in time
    place: DatabaseSize | None = None
    backup: BackupState | None = None
    retention: dict[str, int] | None = None  # how far it came, by step
    last_reload: Reload | None = None

    @property
    def uptime_words(self) -> str:
        """How long it runs, as one says it."""
        days, rest = divmod(int(self.uptime_seconds), 86_400)
        return f"{days} d {rest // 3600} h" if days else f"{rest // 3600} h {rest % 3600 // 60} min"


class HealthCheckTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `watch` of config/tuning.yaml; units stand there."""

    probe_seconds: float
    fresh_seconds: float
    sources_labelled: int
    waiting_hours: float
    free_disk_bytes: int
    log_bytes: int
    unindexed_articles: int
    future_seconds: float
    open_files: int
    doctor_seconds: float
    daemon_bytes: int
    worker_bytes: int
