"""Whom the doctor looks at, and how long he waits for an answer.

What the doctor says.
"""

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
    """One thing that was looked at; `advice` says what to type where it is not well."""

    level: Literal["ok", "warning", "problem"]
    what: str
    advice: str = ""


def ok(what: str, advice: str = "") -> Finding:
    """Well, or nobody's fault."""
    return Finding(level="ok", what=redact(what), advice=advice)


def warning(what: str, advice: str) -> Finding:
    """To be looked at; the daemon does what it is for."""
    return Finding(level="warning", what=redact(what), advice=redact(advice))


def problem(what: str, advice: str) -> Finding:
    """The daemon cannot do what it is for, or will not be able to."""
    return Finding(level="problem", what=redact(what), advice=redact(advice))


class DoctorContext:
    """A configuration with its database, opened at the first use."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.all_tuning = config.effective_tuning
        self.tuning = self.all_tuning.section("watch", HealthCheckTuning)
        self.now = dt.datetime.now(dt.UTC)
        self.file_name = str(config.file or "config.yaml")

    @cached_property
    def database(self) -> Database:
        """Raises AggregatorError where its driver is missing."""
        return Database(self.config.database_url)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database."""
        return self.database.file if self.config.database_url.startswith("sqlite") else None

    @property
    def has_database(self) -> bool:
        """False where its file is not there yet."""
        return self.file is None or self.file.exists()

    def close(self) -> None:
        """Let the database go."""
        if "database" in self.__dict__:
            self.database.close()


def within(
    seconds: float, look: Callable[[], Iterable[Finding]], what: str, late: Finding | None = None
) -> Iterator[Finding]:
    """What `look` finds, or, where it hangs, `late`, or that `what` does not answer.

    What this user may not look at is a finding, too; what else `look` raises is raised.
    """
    found: list[Finding] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            found.extend(look())
        except BaseException as error:  # noqa: BLE001 - raised below
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    yield from list(found)
    if thread.is_alive():
        yield late or problem(
            f"{what} did not answer within {seconds:g} s",
            "look at the disk, the network mount or the server it lies on, then: aggregator doctor",
        )
    elif raised and isinstance(raised[0], OSError):
        yield problem(
            f"{what} cannot be looked at: {raised[0]}", "as the user of the service: aggregator doctor"
        )
    elif raised:
        raise raised[0]
