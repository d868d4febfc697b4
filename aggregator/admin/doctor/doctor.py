"""`aggregator doctor`: find problems and name the command that helps.

The checks run in this order: configuration, machine, files, database, stored contents, daemon. Each check has
a time limit, changes nothing, and works whether or not a daemon runs.
"""

from collections.abc import Iterator

from aggregator.admin.doctor import configuration, contents, daemon, database, files
from aggregator.admin.doctor import files as machine
from aggregator.admin.doctor.context import DoctorContext, Finding, ok, problem, within
from aggregator.config.settings import Config
from aggregator.model.errors import AggregatorError, ConfigError

__all__ = ["Finding", "examine", "mistakes"]


def examine(config: Config) -> Iterator[Finding]:
    """Run all checks and yield their findings, the fundamental ones first."""
    doctor_context = DoctorContext(config)
    seconds = doctor_context.tuning.doctor_seconds
    try:
        yield from configuration.inspect(config)
        yield from within(seconds, lambda: machine.inspect(doctor_context), "the machine")
        yield from within(seconds, lambda: files.folders(doctor_context), "the watched folders")
        yield from within(seconds, lambda: files.place(doctor_context), "the disk of the database")
        findings = list(within(seconds, lambda: database.inspect(doctor_context), "the database"))
        yield from findings
        if any(one.level == "problem" for one in findings):
            return  # the contents and the daemon cannot be checked without a usable database
        yield from within(seconds, lambda: files.modes(doctor_context), "the folder of backups")
        if doctor_context.has_database:
            yield from within(seconds, lambda: contents.inspect(doctor_context), "the database")
        else:
            yield from within(
                seconds, lambda: contents.check_future_contents(doctor_context), "the folder of backups"
            )
        yield from within(seconds, lambda: daemon.inspect(doctor_context), "the daemon")
        address, late = doctor_context.config.public_url or "", "it did not answer in time"
        yield from within(
            seconds,
            lambda: daemon.look_from_outside(doctor_context),
            address,
            daemon.not_reached(address, late),
        )
    except AggregatorError as error:
        yield problem(str(error), "if the message does not help: aggregator db check")
    finally:
        doctor_context.close()


def mistakes(error: ConfigError) -> Iterator[Finding]:
    """Yield one finding for each error of a configuration that cannot be read."""
    for line in str(error).splitlines():
        yield problem(line, "correct that line, then: aggregator config check")
    yield ok("nothing else was checked, because the configuration cannot be read")
