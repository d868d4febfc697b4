"""Value types of the daemon's health, and the rate of news of a source.

The rate is an exponentially decaying mean of new entries a day. The rate is updated only when there are new
entries, so the stored rate of a silent source is the rate that it had before it became silent.
"""

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from aggregator.model.structs import FrozenStruct

DAY_SECONDS = 86400.0
# New entries a day are averaged over this time, so that weekends count
_RATE_DAYS = 7.0
# A source is silent if it has had no news for this many of its expected gaps, and for SILENT_DAYS, because of weekends
# (chosen). If entries came independently, this would happen by chance once in 22,000 times; but they come in bursts.
SILENT_GAPS = 10.0
SILENT_DAYS = 3.0
# A shorter span counts as an hour: a feed whose entries are all some minutes old does not have thousands a day
_MIN_SPAN_DAYS = 1 / 24


def initial_rate(published: Iterable[datetime], now: datetime) -> float:
    """Estimate new entries a day from the dates in the first response of a feed; 0 without dates."""
    ages = [(now - time).total_seconds() / DAY_SECONDS for time in published]
    past = sorted(age for age in ages if age >= 0)
    recent = [age for age in past if age <= _RATE_DAYS]
    if len(recent) >= 2:
        # A feed contains only its newest entries: if all are recent, the oldest bounds the span.
        span = recent[-1] if len(recent) == len(past) else _RATE_DAYS
        return len(recent) / max(span, _MIN_SPAN_DAYS)
    return len(past) / max(past[-1], _RATE_DAYS) if past else 0.0


def decay_rate(per_day: float, at: datetime | None, now: datetime) -> float:
    """Return the rate at `now` if it was `per_day` at the time `at` and no new entries came since; 0 without `at`."""
    if at is None:
        return 0.0
    days = max(0.0, (now - at).total_seconds() / DAY_SECONDS)
    return per_day * math.exp(-days / _RATE_DAYS)


def update_rate(per_day: float, at: datetime | None, now: datetime, new: int) -> float:
    """Return the rate after `new` entries since `at`."""
    return decay_rate(per_day, at, now) + new / _RATE_DAYS


def expected_gap_seconds(per_day: float) -> float | None:
    """Return the mean seconds between two new entries; None if the rate is 0."""
    return DAY_SECONDS / per_day if per_day > 0 else None


DaemonRole = Literal["writer", "standby"]
HealthStatus = Literal["ok", "degraded", "down"]


class Finding(FrozenStruct, omit_defaults=False):
    """The result of one check; `advice` says what to do about a warning or a problem."""

    level: Literal["ok", "warning", "problem"]
    what: str
    advice: str = ""


class Reload(FrozenStruct, omit_defaults=False):
    """The last reload of config.yaml."""

    at: datetime
    ok: bool
    words: str = ""


class ProcessState(FrozenStruct):
    """The part of the health that only the running process knows."""

    role: DaemonRole
    started_at: datetime
    placing_started: bool = False
    stalled: tuple[str, ...] = ()  # threads that make no progress
    trouble: str | None = None  # why placing backs off
    workers: str | None = None  # why no worker can run jobs
    last_reload: Reload | None = None
    # Maintenance tasks whose last attempt failed, with the cause
    failed_tasks: tuple[str, ...] = ()
    clock_problem: str | None = None  # why no first reading begins
    few_files: str | None = None  # a message if nearly all allowed files are open
    # `entry.source` of each source whose pages are not read at present, because they took too long
    slow_sources: tuple[str, ...] = ()

    @property
    def is_writer(self) -> bool:
        """Whether this process is the writer."""
        return self.role == "writer"

    @property
    def is_backing_off(self) -> bool:
        """Whether placing waits after a failure."""
        return self.trouble is not None

    @property
    def reload_failed(self) -> bool:
        """Whether the present config.yaml is not in force."""
        return self.last_reload is not None and not self.last_reload.ok


class DatabaseStatus(FrozenStruct, omit_defaults=False):
    """Counts and ages from the database, read in one transaction. Ages are seconds."""

    # Number of entries by the step they wait for: page | ready
    inbox: dict[str, int]
    oldest_seconds: float
    # A message if entries have been ready for long and are not placed
    overdue: str | None = None
    # The names of the sources in `ProcessState.slow_sources`
    slow_sources: tuple[str, ...] = ()
    last_placed: datetime | None
    # Number of sources by state, see docs/sources.md, "Health"
    sources: dict[str, int]
    all_fail: str | None = None  # a message if all feeds that were asked fail
    # The number of sources whose poll is overdue ...
    due_sources: int
    late_seconds: float  # ... and the delay of the most overdue one
    articles: int  # the inbox number of the last placed article, so forgotten articles count, too
    # Hours of articles that fit in memory at the present rate
    window_hours: float | None = None
    window_is_short: bool = False  # stories leave memory before `window_days` are over
    unindexed: int  # articles that are not in the full-text index yet
    uncompared: int = (
        0  # inbox numbers whose articles may get a storyline after an upgrade
    )
    unrendered: int  # stories that are not yet rendered, counted up to a bound
    requests_waiting: int  # commands for the writer
    deliveries_waiting: int
    hooks_failing: int
    problems: tuple[str, ...] = ()

    @property
    def window_seconds(self) -> float | None:
        """The window in seconds, the unit of metrics."""
        return None if self.window_hours is None else 3600 * self.window_hours


class DatabaseSize(FrozenStruct, omit_defaults=False):
    """Sizes of the database in bytes; None if unknown, such as the free disk space of a server."""

    size_bytes: int
    log_bytes: int | None = None
    free_page_bytes: int | None = None
    free_disk_bytes: int | None = None


class BackupState(FrozenStruct, omit_defaults=False):
    """The state of the backups; `words` is a message if something is wrong."""

    every_seconds: int | None = None  # None: backups are off
    last: datetime | None = None
    next: datetime | None = (
        None  # when the next backup is due; None before anything is stored
    )
    size_bytes: int | None = None
    words: str | None = None


class HealthSnapshot(FrozenStruct):
    """The state read from the database at one time."""

    at: datetime
    stored: DatabaseStatus
    place: DatabaseSize
    why_not_writable: str | None = None
    revision: str | None = None
    backup: BackupState | None = None


class HealthReport(FrozenStruct, omit_defaults=False):
    """The health of the daemon, from the database and from its process.

    `problems` may name local files, so only the owner may see them.
    """

    status: HealthStatus
    role: DaemonRole
    version: str
    rules_version: str
    uptime_seconds: float
    writable: bool
    ready: bool
    problems: tuple[str, ...]
    # Findings that only the process knows, with advice
    process_findings: tuple[Finding, ...]
    stored: DatabaseStatus | None = None  # None: the database did not respond in time
    place: DatabaseSize | None = None
    backup: BackupState | None = None
    last_reload: Reload | None = None
