"""`aggregator doctor`: find problems and name the command that helps.

The checks run in this order: configuration, machine, files, database, stored contents, daemon. Each check has
a time limit, changes nothing, and works whether or not a daemon runs.
"""

from collections.abc import Iterator

from aggregator.admin.doctor import configuration, daemon, database, files
from aggregator.admin.doctor.context import DoctorContext, within
from aggregator.config.settings import Config
from aggregator.model.errors import AggregatorError, ConfigError
from aggregator.model.health_report import Finding
from aggregator.store.read.health_probes import ok, problem

__all__ = ["Finding", "examine", "mistakes"]


def examine(config: Config) -> Iterator[Finding]:
    """Run all checks and yield their findings, the fundamental ones first."""
    context = DoctorContext(config)
    try:
        yield from configuration.inspect(config)
        yield from within(context, files.inspect, "the machine")
        yield from within(context, files.folders, "the watched folders")
        yield from within(context, files.place, "the disk of the database")
        findings = list(within(context, database.inspect, "the database"))
        yield from findings
        if any(one.level == "problem" for one in findings):
            return  # the contents and the daemon cannot be checked without a usable database
        yield from within(context, files.modes, "the folder of backups")
        if context.has_database:
            yield from within(context, database.inspect_contents, "the database")
        else:
            yield from within(context, database.check_future_contents, "the folder of backups")
        yield from within(context, daemon.inspect, "the daemon")
        address = config.public_url or ""
        late = daemon.not_reached(address, "it did not answer in time")
        yield from within(context, daemon.look_from_outside, address, late)
    except AggregatorError as error:
        yield problem(str(error), "if the message does not help: aggregator db check")
    finally:
        context.close()


def mistakes(error: ConfigError) -> Iterator[Finding]:
    """Yield one finding for each error of a configuration that cannot be read."""
    yield from configuration.mistakes(error)
    yield ok("nothing else was checked, because the configuration cannot be read")
