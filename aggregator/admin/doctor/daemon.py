"""The daemon: whether one runs, who has its port, and what it says of itself."""

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aggregator.admin.doctor.context import DoctorContext, Finding, ok, problem, warning
from aggregator.config.hosts import is_loopback
from aggregator.config.messages import counted
from aggregator.model.errors import AggregatorError
from aggregator.store.engine.process_lock import open_process_lock

_ASKED_SHARE = 0.3  # of a look's time that the daemon has for an answer
_MOST_BYTES = 1 << 20  # of an answer
_UNIT = "aggregator.service"
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - asked on this machine


def inspect(doctor_context: DoctorContext) -> Iterator[Finding]:
    """Who works on the database, and who listens."""
    host, port = doctor_context.config.server.host, doctor_context.config.server.port
    runs = is_running(doctor_context)
    if runs:
        yield ok("daemon: one runs on this database")
    else:
        yield from _installed()
    seconds = doctor_context.tuning.doctor_seconds * _ASKED_SHARE
    answer = _asked(host, port, "/readyz", seconds) if port else None
    if answer is None:
        return
    if "role" not in answer:
        yield _taken(doctor_context, port, runs=runs)
    elif runs:
        status = _asked(host, port, "/status", seconds) or {}
        for said in status.get("process_problems") or ():
            yield problem(f"the daemon says: {said}", _advice(said))
        if "process_problems" not in status and answer.get("problem_count"):
            yield warning(
                f"the daemon reports {counted(int(answer['problem_count']), 'problem')}",
                "open /status with a token, which names them, or: journalctl -u aggregator -n 100",
            )


def look_from_outside(doctor_context: DoctorContext) -> Iterator[Finding]:
    """Whether a request without a token that comes by `public_url` is taken for the owner's."""
    address = doctor_context.config.public_url or ""
    parts = urlsplit(address)
    if not parts.hostname or is_loopback(parts.hostname):
        return
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(
            parts.hostname, parts.port, timeout=doctor_context.tuning.doctor_seconds * _ASKED_SHARE
        )
        try:
            connection.request("GET", parts.path.rstrip("/") + "/readyz")
            answer = connection.getresponse()
            body = answer.read(_MOST_BYTES)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        yield not_reached(address, str(error))
        return
    told = _json_object(body)
    if "problems" not in told:
        yield not_reached(address, f"the answer is {answer.status}, and not aggregator's")
    elif told["problems"] is None:
        yield ok(f"public_url: {address} answers, and a request without a token is not the owner's")
    else:
        yield problem(
            f"a request without a token to {address} is taken for the owner's and gets whole articles",
            f"remove server.owner_on_loopback from {doctor_context.file_name}, or have the web server in "
            "front add X-Forwarded-For to what it passes on",
        )


def not_reached(address: str, why: str) -> Finding:
    """Nobody's fault: often only other machines can go that way."""
    return ok(f"public_url: {address} cannot be asked from here: {why}")


def _taken(doctor_context: DoctorContext, port: int, *, runs: bool) -> Finding:
    who = f"ss -ltnp 'sport = :{port}' names who has it"
    if runs:
        return problem(
            f"port {port} does not answer as a daemon does: it hangs, or another program is there",
            f"{who}; journalctl -u aggregator -n 100",
        )
    return problem(
        f"port {port} is taken by another program",
        f"{who}; stop that one, or set server.port in {doctor_context.file_name}",
    )


def is_running(doctor_context: DoctorContext) -> bool:
    """Whether another process is the writer. A file that is not ours to open tells nothing."""
    file = doctor_context.database.file
    if file is not None and not file.with_name(file.name + ".lock").exists():
        return False  # asking would make one, which may not be this user's to make
    lock = open_process_lock(doctor_context.database)
    try:
        taken = not lock.acquire()
    except AggregatorError:
        return False
    lock.release()
    return taken


def _installed() -> Iterator[Finding]:
    units = [(folder / _UNIT, how) for folder, how in _unit_folders() if (folder / _UNIT).is_file()]
    if not units:
        yield ok("daemon: none runs on this database", "aggregator run, or: aggregator install-service")
    for unit, how in units:
        yield problem(
            f"the service {unit} is installed, and no daemon runs on this database",
            f"{how} status aggregator says why it ended; {how} enable --now aggregator starts it",
        )


def _unit_folders() -> list[tuple[Path, str]]:
    own = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
    return [(Path("/etc/systemd/system"), "systemctl"), (own, "systemctl --user")]


def _asked(host: str, port: int, path: str, seconds: float) -> dict[str, Any] | None:
    """What is answered there, {} where that is nothing of ours; None where nobody listens."""
    connection = http.client.HTTPConnection(_ANY.get(host, host), port, timeout=seconds)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        return _json_object(connection.getresponse().read(_MOST_BYTES))
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException):
        return {}
    finally:
        connection.close()


def _json_object(body: bytes) -> dict[str, Any]:
    """{} for anything else."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _advice(said: str) -> str:
    if said.startswith("config.yaml"):
        return "aggregator config check, then: systemctl reload aggregator"
    if said.startswith("no progress"):
        return "journalctl -u aggregator -n 100; then: systemctl restart aggregator"
    return "journalctl -u aggregator -n 100"
