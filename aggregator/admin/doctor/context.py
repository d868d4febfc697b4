"""The context of `aggregator doctor`, and the time limit of a check."""

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path

from aggregator.config.settings import Config
from aggregator.model.health_report import Finding, HealthCheckTuning
from aggregator.store.engine.database import Database
from aggregator.store.read.health_probes import problem


class DoctorContext:
    """A configuration with its database, which is opened at the first use."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.all_tuning = config.effective_tuning
        self.tuning = self.all_tuning.section("health_checks", HealthCheckTuning)
        self.now = dt.datetime.now(dt.UTC)
        self.file_name = str(config.file or "config.yaml")

    @cached_property
    def database(self) -> Database:
        """The configured database. Raises AggregatorError if its driver is not installed."""
        return Database(self.config.database_url)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; None for other databases."""
        return self.database.file if self.config.database_url.startswith("sqlite") else None

    @property
    def has_database(self) -> bool:
        """Whether the database exists; False if the file of an SQLite database does not exist yet."""
        return self.file is None or self.file.exists()

    def close(self) -> None:
        """Close the database if it was opened."""
        if "database" in self.__dict__:
            self.database.close()


def within(
    context: DoctorContext,
    check: Callable[[DoctorContext], Iterable[Finding]],
    what: str,
    late: Finding | None = None,
) -> Iterator[Finding]:
    """Yield the findings of `check`; after the time of a check, `late` or a problem that names `what`.

    An OSError of `check` becomes a finding; every other exception is raised again.
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
    thread.join(context.tuning.doctor_seconds)
    yield from list(findings)
    if thread.is_alive():
        yield late or problem(
            f"{what} did not answer within {context.tuning.doctor_seconds:g} s",
            "check its disk, network mount or server, then: aggregator doctor",
        )
    elif raised and isinstance(raised[0], OSError):
        yield problem(
            f"{what} cannot be read: {raised[0]}", "run as the user of the service: aggregator doctor"
        )
    elif raised:
        raise raised[0]
