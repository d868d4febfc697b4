"""`aggregator doctor`: what is wrong, and what to type next.

Looks at the settings, the machine, the files, the database, what is in it, and the daemon, in that order.
Each look has so many seconds and no more, changes nothing, and works with a daemon beside it or without one.
"""

from collections.abc import Iterator

from aggregator.admin.doctor import configuration, contents, daemon, database, files
from aggregator.admin.doctor import files as machine
from aggregator.admin.doctor.context import DoctorContext, Finding, ok, problem, within
from aggregator.config.settings import Config
from aggregator.model.errors import AggregatorError, ConfigError

__all__ = ["Finding", "examine", "mistakes"]


def examine(config: Config) -> Iterator[Finding]:
    """All findings, the fundamental ones first."""
    doctor_context = DoctorContext(config)
    seconds = doctor_context.tuning.doctor_seconds
    try:
        yield from configuration.inspect(config)
        yield from within(seconds, lambda: machine.inspect(doctor_context), "the machine")
        yield from within(seconds, lambda: files.folders(doctor_context), "the watched folders")
        yield from within(seconds, lambda: files.place(doctor_context), "the disk of the database")
        found = list(within(seconds, lambda: database.inspect(doctor_context), "the database"))
        yield from found
        if any(one.level == "problem" for one in found):
            return  # what is in it cannot be asked, nor who works on it
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
        yield problem(str(error), "see the message; if it says nothing to you: aggregator db check")
    finally:
        doctor_context.close()


def mistakes(error: ConfigError) -> Iterator[Finding]:
    """What can be said where the settings cannot be read: every mistake, and how the machine does."""
    for line in str(error).splitlines():
        yield problem(line, "mend that line, then: aggregator config check")
    yield ok("nothing else was looked at: what is to be run is not known")
