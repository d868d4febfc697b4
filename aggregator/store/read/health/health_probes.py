"""The health probes: their problems, with messages and advice.

`/healthz`, `/readyz`, `/status`, `/metrics` and `doctor` show these findings. A caller passes the values that it
knows. A value that is None is not a problem.
"""

from collections.abc import Iterator
from pathlib import Path

from aggregator.config.messages import pluralise, redact
from aggregator.config.tuning import Tuning
from aggregator.model.health_report import (
    BackupState,
    DatabaseStatus,
    Finding,
    ProcessState,
)

# An entry may wait this long to be placed (chosen: a page that cannot be fetched is given up after half an
# hour).
_WAITING_HOURS = 2.0

_LOG = "journalctl -u aggregator -n 100"


def ok(what: str, advice: str = "") -> Finding:
    """Return a finding that needs no action."""
    return Finding(level="ok", what=redact(what), advice=advice)


def warning(what: str, advice: str) -> Finding:
    """Return a finding that needs attention while the daemon still works."""
    return Finding(level="warning", what=redact(what), advice=redact(advice))


def problem(what: str, advice: str) -> Finding:
    """Return a finding that stops the daemon from working, now or soon."""
    return Finding(level="problem", what=redact(what), advice=redact(advice))


def of_process(process: ProcessState) -> Iterator[Finding]:
    """Yield the problems of the running daemon, apart from its database."""
    if process.trouble is not None:
        yield problem(f"placing is paused: {process.trouble}", _LOG)
    if process.workers is not None:
        yield problem(process.workers, _LOG)
    if process.stalled:
        restart = f"{_LOG}; then: systemctl restart aggregator"
        yield problem(f"no progress in: {', '.join(process.stalled)}", restart)
    if process.last_reload is not None and process.reload_failed:
        yield problem(
            f"config.yaml was not applied: {process.last_reload.words}",
            "aggregator config check, then: systemctl reload aggregator",
        )
    if process.clock_problem is not None:
        yield problem(process.clock_problem, "timedatectl set-ntp true")
    if process.few_files is not None:
        yield problem(process.few_files, _LOG)
    for task in process.failed_tasks:
        yield problem(task, _LOG)


def of_database(
    *,
    why_not_writable: str | None = None,
    stored: DatabaseStatus | None = None,
    backup: BackupState | None = None,
) -> Iterator[Finding]:
    """Yield the problems of the database and its contents."""
    if why_not_writable is not None:
        yield problem(
            why_not_writable,
            "use a writable server or disk: see `database:` in config.yaml",
        )
    if stored is not None:
        if stored.oldest_seconds / 3600 >= _WAITING_HOURS:
            hours = pluralise(round(stored.oldest_seconds / 3600), "hour")
            advice = f"{_LOG} shows why; then: systemctl restart aggregator (without a service: aggregator run)"
            yield problem(f"{waiting_words(stored)}, the oldest for {hours}", advice)
        if stored.overdue is not None:
            yield warning(
                stored.overdue,
                f"`aggregator sources pause SOURCE` if it floods the queue; {_LOG}",
            )
        for name in stored.slow_sources:
            yield warning(
                f"pages of {name} take too long to read; the texts of its entries are used instead",
                "`pages: never` for it in config.yaml, or `aggregator sources remove` it",
            )
        if stored.window_is_short and stored.window_hours is not None:
            hours = pluralise(round(stored.window_hours), "hour")
            yield warning(
                f"stories accept articles for {hours} only: memory is full",
                "give `grouping.memory` in config.yaml more, and see docs/scale.md",
            )
        if stored.all_fail is not None:
            yield problem(stored.all_fail, "aggregator sources list --failing")
    if backup is not None and backup.words is not None:
        yield warning(backup.words, "aggregator db backup; it reports why if it fails")
    for words in stored.problems if stored is not None else ():
        group = "webhooks" if words.startswith("webhook ") else "notify"
        yield warning(
            words, f"aggregator {group} list, then aggregator {group} test NAME"
        )


def of_file(
    all_tuning: Tuning,
    file: Path,
    *,
    free_disk_bytes: int | None,
    log_bytes: int | None,
) -> Iterator[Finding]:
    """Yield the problems of the disk and the log of an SQLite file."""
    tuning = all_tuning.values("database")
    if free_disk_bytes is not None and free_disk_bytes >> 20 < tuning["free_mib"]:
        yield problem(
            f"only {free_disk_bytes >> 20} MiB are free in {file.parent}",
            f"free some space: df -h {file.parent}; `retention:` in config.yaml",
        )
    if log_bytes is not None and log_bytes >> 20 >= 4 * tuning["wal_mib"]:
        yield warning(
            f"the log {file.name}-wal has {log_bytes >> 20} MiB: a process keeps a read transaction open",
            f"fuser -v {file} shows the process; the log shrinks when it ends",
        )


def waiting_words(stored: DatabaseStatus) -> str:
    """Return how many articles wait for placing."""
    return pluralise(sum(stored.inbox.values()), "article waits", "articles wait")
