"""The health probes: what a problem is, what it is called, and what to do about it.

`/healthz`, `/readyz`, `/status`, `/metrics` and `doctor` show these findings. Pure: a caller passes what it
knows, and what it does not know is no problem.
"""

from collections.abc import Iterator
from pathlib import Path

from aggregator.config.messages import counted, redact
from aggregator.model.health_report import (
    BackupState,
    DatabaseSize,
    DatabaseStatus,
    Finding,
    HealthCheckTuning,
    ProcessState,
)

_LOG = "journalctl -u aggregator -n 100"


def ok(what: str, advice: str = "") -> Finding:
    """Return a finding that needs no action."""
    return Finding(level="ok", what=redact(what), advice=advice)


def warning(what: str, advice: str) -> Finding:
    """Return a finding that needs attention while the daemon still works."""
    return Finding(level="warning", what=redact(what), advice=redact(advice))


def problem(what: str, advice: str) -> Finding:
    """Return a finding because of which the daemon does not work, or soon will not."""
    return Finding(level="problem", what=redact(what), advice=redact(advice))


def of_process(process: ProcessState) -> Iterator[Finding]:
    """Yield what is wrong with the running daemon, apart from its database."""
    if process.role == "starting":
        yield problem("the daemon is starting", _LOG)
    if process.trouble is not None:
        yield problem(f"placing is paused: {process.trouble}", _LOG)
    if process.workers is not None:
        yield problem(process.workers, _LOG)
    if process.stalled:
        restart = f"{_LOG}; then: systemctl restart aggregator"
        yield problem(f"no progress in: {', '.join(process.stalled)}", restart)
    if process.last_reload is not None and process.reload_failed:
        reload = "aggregator config check, then: systemctl reload aggregator"
        yield problem(f"config.yaml was not applied: {process.last_reload.words}", reload)
    if process.few_files is not None:
        yield problem(process.few_files, _LOG)
    for task in process.failed_tasks:
        yield problem(task, _LOG)


def of_database(
    tuning: HealthCheckTuning,
    *,
    why_not_writable: str | None = None,
    stored: DatabaseStatus | None = None,
    place: DatabaseSize | None = None,
    file: Path | None = None,
    backup: BackupState | None = None,
) -> Iterator[Finding]:
    """Yield what is wrong with the database and its contents. `file`: of an SQLite database."""
    if why_not_writable is not None:
        yield problem(why_not_writable, "use a writable server or disk: see `database:` in config.yaml")
    if stored is not None and stored.oldest_seconds / 3600 >= tuning.waiting_hours:
        hours = counted(round(stored.oldest_seconds / 3600), "hour")
        advice = f"{_LOG} shows why; then: systemctl restart aggregator (without a service: aggregator run)"
        yield problem(f"{waiting_words(stored)}, the oldest for {hours}", advice)
    if file is not None and place is not None:
        yield from _of_file(tuning, place, file)
    if stored is not None and stored.all_fail is not None:
        yield problem(stored.all_fail, "aggregator sources list --failing")
    if backup is not None and backup.words is not None:
        if backup.is_late:
            yield warning(backup.words, "aggregator db backup; it reports why if it fails")
        else:
            yield problem(backup.words, "aggregator db backup, when that is corrected")
    for words in stored.problems if stored is not None else ():
        yield warning(words, "aggregator webhooks list, then aggregator webhooks test NAME")


def _of_file(tuning: HealthCheckTuning, place: DatabaseSize, file: Path) -> Iterator[Finding]:
    free, log = place.free_disk_bytes, place.log_bytes
    if free is not None and free < tuning.free_disk_bytes:
        advice = f"free some space: df -h {file.parent}; `retention:` in config.yaml"
        yield problem(f"only {free >> 20} MiB are free in {file.parent}", advice)
    if log is not None and log > tuning.wal_bytes:
        yield warning(
            f"the log {file.name}-wal has {log >> 20} MiB: a process keeps a read transaction open",
            f"fuser -v {file} shows the process; the log shrinks when it ends",
        )


def waiting_words(stored: DatabaseStatus) -> str:
    """Return how many articles wait for placing."""
    return counted(sum(stored.inbox.values()), "article waits", "articles wait")
