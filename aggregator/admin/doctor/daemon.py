"""Checks of the daemon: whether one runs, what listens on its port, and which problems it reports."""

import datetime as dt
import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from aggregator.admin.doctor.context import DoctorContext
from aggregator.admin.systemd_unit import NAME as _UNIT
from aggregator.admin.systemd_unit import unit_folder
from aggregator.config.hosts import is_loopback
from aggregator.config.messages import counted
from aggregator.model.errors import AggregatorError
from aggregator.model.health_report import Finding
from aggregator.store.engine.writer_lease import open_process_lock
from aggregator.store.read.health_probes import ok, problem, warning

_REQUEST_SHARE = 0.3  # of the time of a check; the daemon has to answer within it
_MOST_BYTES = 1 << 20  # of a response body
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - requested on this machine


def inspect(context: DoctorContext) -> Iterator[Finding]:
    """Check which process writes to the database and which one listens on the port."""
    host, port = context.config.server.host, context.config.server.port
    runs = is_running(context)
    if runs:
        yield ok("daemon: running on this database")
    else:
        yield from _installed()
    seconds = context.tuning.doctor_seconds * _REQUEST_SHARE
    answer = _request(host, port, "/readyz", seconds) if port else None
    if answer is None:
        return
    if "role" not in answer:
        yield _taken(context, port, runs=runs)
    elif runs:
        status = _request(host, port, "/status", seconds) or {}
        for one in status.get("process_findings") or ():
            level = warning if one["level"] == "warning" else problem
            yield level(f"the daemon reports: {one['what']}", one["advice"])
        if status.get("next_runs"):
            yield ok(f"next runs: {_runs(status['next_runs'])}")
        if "process_findings" not in status and answer.get("problem_count"):
            yield warning(
                f"the daemon reports {counted(int(answer['problem_count']), 'problem')}",
                "open /status with a token to see them, or: journalctl -u aggregator -n 100",
            )


def _runs(at: dict[str, str]) -> str:
    """Return tasks with their times in UTC, the next one first."""
    times = sorted((dt.datetime.fromisoformat(time).astimezone(dt.UTC), task) for task, time in at.items())
    return ", ".join(f"{task} {time:%Y-%m-%d %H:%M:%S}" for time, task in times) + " (UTC)"


def look_from_outside(context: DoctorContext) -> Iterator[Finding]:
    """Check whether a request to `public_url` without a token is treated as the owner's."""
    address = context.config.public_url or ""
    parts = urlsplit(address)
    if not parts.hostname or is_loopback(parts.hostname):
        return
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname, parts.port, timeout=context.tuning.doctor_seconds * _REQUEST_SHARE)
        status, ready = _get(connection, parts.path.rstrip("/") + "/readyz")
    except (OSError, http.client.HTTPException, ValueError) as error:
        yield not_reached(address, getattr(error, "strerror", None) or str(error))
        return
    if "problems" not in ready:
        yield not_reached(address, f"the response has status {status} and is not from aggregator")
    elif ready["problems"] is None:
        yield ok(f"public_url: {address} answers, and a request without a token is not the owner's")
    else:
        yield problem(
            f"a request without a token to {address} is treated as the owner's and receives whole articles",
            f"set server.owner_on_loopback: false in {context.file_name}, and have the proxy add "
            "X-Forwarded-For",
        )


def not_reached(address: str, why: str) -> Finding:
    """Return a finding of level ok: the public address is often reachable from other machines only."""
    return ok(f"public_url: {address} is not reachable from this machine: {why}")


def _taken(context: DoctorContext, port: int, *, runs: bool) -> Finding:
    who = f"ss -ltnp 'sport = :{port}' shows the program"
    if runs:
        return problem(
            f"port {port} does not answer like a daemon: it hangs, or another program uses the port",
            f"{who}; journalctl -u aggregator -n 100",
        )
    return problem(
        f"port {port} is in use by another program",
        f"{who}; stop it, or set server.port in {context.file_name}",
    )


def is_running(context: DoctorContext) -> bool:
    """Return whether another process is the writer; False if the lock file cannot be opened."""
    file = context.database.file
    if file is not None and not file.with_name(file.name + ".lock").exists():
        return False  # opening the lock would create the file, maybe with the wrong owner
    lock = open_process_lock(context.database)
    try:
        taken = not lock.acquire()
    except AggregatorError:
        return False
    lock.release()
    return taken


def _installed() -> Iterator[Finding]:
    units = [
        (unit_folder(user=user) / _UNIT, "systemctl --user" if user else "systemctl")
        for user in (False, True)
        if (unit_folder(user=user) / _UNIT).is_file()
    ]
    if not units:
        yield ok("daemon: not running on this database", "aggregator run, or: aggregator install-service")
    for unit, how in units:
        yield problem(
            f"the service {unit} is installed, and no daemon runs on this database",
            f"{how} status aggregator shows why it stopped; {how} enable --now aggregator starts it",
        )


def _request(host: str, port: int, path: str, seconds: float) -> dict[str, Any] | None:
    """Return the JSON object at `path`, {} for any other answer, None if the connection is refused."""
    try:
        return _get(http.client.HTTPConnection(_ANY.get(host, host), port, timeout=seconds), path)[1]
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException):
        return {}


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON object at `path`, {} for anything else."""
    with closing(connection):
        connection.request("GET", path, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        body = answer.read(_MOST_BYTES)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    return answer.status, value if isinstance(value, dict) else {}
