"""The daemon: whether one runs, who has its port, and what it says of itself."""

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aggregator.doctor.finding import Finding, ok, problem
from aggregator.doctor.looking import Patient
from aggregator.errors import AggregatorError
from aggregator.store.exclusive import exclusive

_ASKED_SHARE = 0.3  # of a look's time that the daemon has for an answer
_MOST_BYTES = 1 << 20  # of an answer
_UNIT = "aggregator.service"
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - asked on this machine


def look(patient: Patient) -> Iterator[Finding]:
    """Who works on the database, and who listens."""
    host, port = patient.config.server.host, patient.config.server.port
    runs = is_running(patient)
    if runs:
        yield ok("daemon: one runs on this database")
    else:
        yield from _installed()
    seconds = patient.rules.doctor_seconds * _ASKED_SHARE
    answer = _asked(host, port, "/readyz", seconds) if port else None
    if answer is None:
        return
    if "role" not in answer:
        yield _taken(patient, port, runs=runs)
    elif runs:
        for said in (_asked(host, port, "/status", seconds) or {}).get("process_problems") or ():
            yield problem(f"the daemon says: {said}", _advice(said))


def _taken(patient: Patient, port: int, *, runs: bool) -> Finding:
    who = f"ss -ltnp 'sport = :{port}' names who has it"
    if runs:
        return problem(
            f"port {port} does not answer as a daemon does: it hangs, or another program is there",
            f"{who}; journalctl -u aggregator -n 100",
        )
    return problem(
        f"port {port} is taken by another program",
        f"{who}; stop that one, or set server.port in {patient.file_name}",
    )


def is_running(patient: Patient) -> bool:
    """Whether another process is the writer. A file that is not ours to open tells nothing."""
    file = patient.database.file
    if file is not None and not file.with_name(file.name + ".lock").exists():
        return False  # asking would make one, which may not be this user's to make
    lock = exclusive(patient.database)
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
        told = json.loads(connection.getresponse().read(_MOST_BYTES))
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
    return told if isinstance(told, dict) else {}


def _advice(said: str) -> str:
    if said.startswith("config.yaml"):
        return "aggregator config check, then: systemctl reload aggregator"
    if said.startswith("no progress"):
        return "journalctl -u aggregator -n 100; then: systemctl restart aggregator"
    return "journalctl -u aggregator -n 100"
