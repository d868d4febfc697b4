"""The context and the findings of `aggregator doctor`, and the time limit of a check."""

import datetime as dt
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal

from aggregator.config.messages import redact
from aggregator.config.settings import Config
from aggregator.model.core import FrozenStruct
from aggregator.model.health_report import HealthCheckTuning
from aggregator.store.engine.database import Database


class Finding(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """The result of one check; `advice` names what to do about a warning or a problem."""

    level: Literal["ok", "warning", "problem"]
    what: str
    advice: str = ""


def ok(what: str, advice: str = "") -> Finding:
    """Return a finding that needs no action."""
    return Finding(level="ok", what=redact(what), advice=advice)


def warning(what: str, advice: str) -> Finding:
    """Return a finding that needs attention while the daemon still works."""
    return Finding(level="warning", what=redact(what), advice=redact(advice))


def problem(what: str, advice: str) -> Finding:
    """Return a finding because of which the daemon does not work, or soon will not."""
    return Finding(level="problem", what=redact(what), advice=redact(advice))


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
    seconds: float, check: Callable[[], Iterable[Finding]], what: str, late: Finding | None = None
) -> Iterator[Finding]:
    """Yield the findings of `check`; after `seconds`, `late` or a problem that names `what`.

    An OSError of `check` becomes a finding; every other exception is raised again.
    """
    findings: list[Finding] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            findings.extend(check())
        except BaseException as error:  # noqa: BLE001 - raised below
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    yield from list(findings)
    if thread.is_alive():
        yield late or problem(
            f"{what} did not answer within {seconds:g} s",
            "check its disk, network mount or server, then: aggregator doctor",
        )
    elif raised and isinstance(raised[0], OSError):
        yield problem(
            f"{what} cannot be read: {raised[0]}", "run as the user of the service: aggregator doctor"
        )
    elif raised:
        raise raised[0]
