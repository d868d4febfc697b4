"""`aggregator doctor`: find problems and name the command that helps.

The checks run in this order: configuration, disk, database, permissions, stored contents, daemon. No check changes
anything, and all work whether or not a daemon runs. Each check after the first has a time limit. Checks that the daemon
also makes are in store/read/health/health_probes.py.
"""

import threading
from collections.abc import Callable, Iterable, Iterator

from aggregator.admin import config_check
from aggregator.admin.probes.daemon_probe import content_findings, daemon_findings
from aggregator.admin.probes.database_probe import (
    database_findings,
    disk_findings,
    mode_findings,
)
from aggregator.admin.probes.doctor_context import DoctorContext
from aggregator.config.settings import Config
from aggregator.model.errors import AggregatorError
from aggregator.model.health_report import Finding
from aggregator.store.read.health.health_probes import problem


def examine(config: Config) -> Iterator[Finding]:
    """Run all checks and yield their findings, beginning with what other checks depend on."""
    context = DoctorContext(config)
    try:
        yield from config_check.report_findings(config)
        yield from _within(context, disk_findings, "the disk of the database")
        findings = list(_within(context, database_findings, "the database"))
        yield from findings
        if any(finding.level == "problem" for finding in findings):
            # The contents and the daemon cannot be checked without a usable database.
            return
        yield from _within(context, mode_findings, "the folder of backups")
        yield from _within(context, content_findings, "the database")
        yield from _within(context, daemon_findings, "the daemon")
    except AggregatorError as error:
        yield problem(str(error), "if the message does not help: aggregator db check")
    finally:
        # The cached_property exists only if a check has opened the database.
        if "database" in context.__dict__:
            context.database.close()


def _within(
    context: DoctorContext,
    check: Callable[[DoctorContext], Iterable[Finding]],
    what: str,
) -> Iterator[Finding]:
    """Yield the findings of `check`, and a problem that names `what` if the check exceeds the time limit.

    An OSError of `check` becomes a finding. Every other exception is raised again.
    """
    findings: list[Finding] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            findings.extend(check(context))
        except BaseException as error:  # noqa: BLE001 - raised below
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(context.check_seconds)
    # The list is copied, because a thread that is late may still add findings.
    yield from list(findings)
    if thread.is_alive():
        yield problem(
            f"{what} did not answer within {context.check_seconds:g} s",
            "check its disk, network mount or server, then: aggregator doctor",
        )
    elif raised and isinstance(raised[0], OSError):
        yield problem(
            f"{what} cannot be read: {raised[0]}",
            "run as the user of the service: aggregator doctor",
        )
    elif raised:
        raise raised[0]
