"""The checks of `doctor` for stored data, and for the daemon: whether it runs, answers, and reports problems."""

import http.client
import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from aggregator.admin import backup_folder
from aggregator.admin.probes.doctor_context import DoctorContext
from aggregator.admin.systemd_unit import NAME as _UNIT
from aggregator.admin.systemd_unit import unit_folder
from aggregator.config.hosts import is_loopback, open_address_problem
from aggregator.config.messages import NO_SOURCES, pluralise, redact
from aggregator.intake.kinds.source_kind import source_kind
from aggregator.model.errors import (
    AggregatorError,
)
from aggregator.model.health_report import Finding
from aggregator.model.read_model import SourceView
from aggregator.store import api_tokens
from aggregator.store.engine.database import Database, shown_url
from aggregator.store.engine.process_lock import open_process_lock
from aggregator.store.intake import rejected
from aggregator.store.read.health import database_status
from aggregator.store.read.health.health_probes import (
    of_database,
    ok,
    problem,
    waiting_words,
    warning,
)
from aggregator.store.read.source_list import view_sources

_REJECTED_SHOWN = 5

_SOURCES_SHOWN = 20


def content_findings(context: DoctorContext) -> Iterator[Finding]:
    """Check the stored data in one read transaction, and the backups; without a database, only who may connect."""
    if not context.has_database:
        yield from _open_to_others(context, ())
        return
    with context.database.read() as connection:
        stored = database_status.read_status(
            connection, context.now, context.config.effective_tuning
        )
        sources = view_sources(connection, context.now)
        yield ok(
            f"database: {shown_url(context.database.url)}, {waiting_words(stored)}"
        )
        yield from _open_to_others(context, api_tokens.all_tokens(connection))
        yield from of_database(stored=stored)
        if not stored.sources:
            yield ok(NO_SOURCES)
        failing = [source for source in sources if source.is_in_trouble]
        for source in failing[:_SOURCES_SHOWN]:
            yield warning(
                f"source {source.name}: {source.problem or source.state}",
                _advice(source),
            )
        if len(failing) > _SOURCES_SHOWN:
            more = pluralise(
                len(failing) - _SOURCES_SHOWN, "more source has", "more sources have"
            )
            yield warning(f"{more} a problem", "aggregator sources list --failing")
        for refused in rejected.latest(connection, _REJECTED_SHOWN):
            yield warning(
                f"{refused.item}: {refused.reason}",
                "correct it and ingest it again; the warning then disappears",
            )
    yield from of_database(
        backup=backup_folder.backup_state(context.config, context.database, context.now)
    )


def _open_to_others(
    context: DoctorContext, tokens: Iterable[api_tokens.ApiToken]
) -> Iterator[Finding]:
    host = context.config.server.host
    if is_loopback(host) or any(
        token.may("read") and token.revoked_at is None for token in tokens
    ):
        return
    yield problem(*open_address_problem(host))


def _advice(source: SourceView) -> str:
    if source_kind(source.kind).is_local:
        return f"ls -ld {source.url}"
    if source.state == "gone":
        return f"aggregator sources remove {source.id}, or if it is back: aggregator sources resume {source.id}"
    if source.state == "flood":
        return "nothing: the entries are stored, and not announced"
    if redact(source.polled_url) != source.polled_url:
        return f"aggregator sources show {source.id}"
    return f"aggregator sources check {source.polled_url}"


# The daemon must answer within this share of the time limit of a check.
_REQUEST_SHARE = 0.3

# The largest response body that is read
_MOST_BYTES = 1 << 20

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - requested on this machine


def daemon_findings(context: DoctorContext) -> Iterator[Finding]:
    """Check whether a daemon runs on the database, whether it answers on its port, and what it reports."""
    port = context.config.server.port
    runs = _is_running(context.database)
    if runs:
        yield ok("daemon: running on this database")
    else:
        is_installed = False
        for how in ("systemctl", "systemctl --user"):
            unit = unit_folder(user=" " in how) / _UNIT
            if unit.is_file():
                is_installed = True
                yield problem(
                    f"the service {unit} is installed, and no daemon runs on this database",
                    f"{how} status aggregator shows why it stopped; {how} enable --now aggregator starts it",
                )
        if not is_installed:
            yield ok(
                "daemon: not running on this database",
                "aggregator run, or: aggregator install-service",
            )
    answer = _request(context, "/readyz") if port else None
    if answer is None:
        return
    # Only the answer of a daemon has a role.
    who = f"ss -ltnp 'sport = :{port}' shows the program"
    if "role" not in answer and runs:
        yield problem(
            f"port {port} does not answer like a daemon: it hangs, or another program uses the port",
            f"{who}; journalctl -u aggregator -n 100",
        )
    elif "role" not in answer:
        yield problem(
            f"port {port} is in use by another program",
            f"{who}; stop it, or set server.port in {context.config_name}",
        )
    elif runs:
        status = _request(context, "/status") or {}
        problem_count = int(answer.get("problem_count") or 0)
        for finding in status.get("process_findings") or ():
            level = warning if finding["level"] == "warning" else problem
            yield level(f"the daemon reports: {finding['what']}", finding["advice"])
        if "process_findings" not in status and problem_count:
            yield warning(
                f"the daemon reports {pluralise(problem_count, 'problem')}",
                "open /status with a token to see them, or: journalctl -u aggregator -n 100",
            )


def _is_running(database: Database) -> bool:
    """Return whether another process is the writer; False if the lock file cannot be opened."""
    if database.file is not None and not Path(f"{database.file}.lock").exists():
        # Opening the lock would create the file, perhaps with the wrong owner.
        return False
    lock = open_process_lock(database)
    try:
        is_locked = not lock.acquire()
    except AggregatorError:
        return False
    lock.release()
    return is_locked


def _request(context: DoctorContext, path: str) -> dict[str, Any] | None:
    """Return the JSON object that the daemon has at `path`.

    Return None if the connection is refused, and {} for any other failure or answer.
    """
    server = context.config.server
    seconds = context.check_seconds * _REQUEST_SHARE
    host = _ANY.get(server.host, server.host)
    try:
        with closing(
            http.client.HTTPConnection(host, server.port, timeout=seconds)
        ) as connection:
            connection.request("GET", path, headers={"Accept": "application/json"})
            value = json.loads(connection.getresponse().read(_MOST_BYTES))
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
