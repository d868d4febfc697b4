"""What the global options say, and opening what a command needs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from aggregator.cli import output
from aggregator.cli.progress import progress_bar
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.store.engine.database import Database
    from aggregator.store.migrate import MigrationStep


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The global options as typed."""

    config: str | None = None
    database: str | None = None
    verbose: int = 0
    log_format: str | None = None

    def load(self) -> "Config":
        """The configuration in force; logging is set up by it. Raises ConfigError."""
        if self.log_format not in (None, "text", "json"):
            raise UsageError(f"--log-format {self.log_format}: choose text or json")
        if self.log_format:
            from aggregator.config.logging import set_up

            set_up("info", self.log_format)  # a configuration with mistakes is told in this form, too
        config = self.read()
        self.set_up_logs(config)
        return config

    def read(self) -> "Config":
        """The configuration as it is now. Raises ConfigError."""
        from aggregator.config.loader import load

        return load(Path(self.config) if self.config else None, database=self.database)

    def set_up_logs(self, config: "Config") -> None:
        """Logging as `config` and the options ask for."""
        from aggregator.config.logging import set_up

        set_up("debug" if self.verbose else config.log.level, self.log_format or config.log.format)

    @contextmanager
    def reading(self) -> Iterator[tuple["Config", "Database"]]:
        """The configuration and a database to read from.

        Reading makes no database: where none was made yet that is said, and an empty one in a scratch folder
        stands in for it.
        """
        config = self.load()
        missing = missing_database(config)
        if missing is None or missing.with_name(missing.name + ".lock").exists():  # then it is refused
            with _opened(config.database_url, config) as database:
                yield config, database
        else:
            output.say(
                f"there is no database at {missing} yet; "
                "`aggregator ingest FOLDER` or `aggregator run` makes it"
            )
            with (
                TemporaryDirectory(prefix="aggregator-") as scratch,
                _opened(f"sqlite:///{scratch}/empty.db", config) as database,
            ):
                yield config, database

    @contextmanager
    def writing(
        self, first: Callable[["Config", "Database"], object] | None = None
    ) -> Iterator[tuple["Config", "Database"]]:
        """The configuration and a database to write to; it is made where it is not there yet.

        `first` is called with both before anything is asked of the database.
        """
        config = self.load()
        with _opened(config.database_url, config, first) as database:
            yield config, database


def missing_database(config: "Config") -> Path | None:
    """Where the database's file will be, if it is not there yet; None for what is there, and for servers."""
    from aggregator.store.engine.database import Database

    file = Database(config.database_url).file
    return None if file is None or file.exists() else file


def print_step(step: "MigrationStep") -> None:
    """A line for each step of an upgrade: on a large database one may take minutes."""
    output.say(f"upgrading the database: step {step.number} of {step.total}, {step.title} ({step.revision})")


def bring_up(database: "Database", config: "Config", *, anew: bool = False) -> tuple[str | None, str]:
    """Bring a database up to date, telling each step; the revisions before and after.

    An older one in a file is kept as it was, where there is room for that. `anew`: an empty one takes the
    place of one that was lost.
    """
    from aggregator.store.migrate import upgrade

    def keep(revision: str) -> None:
        from aggregator.admin.backup import keep_before_upgrade
        from aggregator.model.core import utc_now

        output.say(keep_before_upgrade(config, database, revision, utc_now(), progress_bar))

    return upgrade(database, print_step, keep, anew=anew)


@contextmanager
def _opened(
    url: str, config: "Config", first: Callable[["Config", "Database"], object] | None = None
) -> Iterator["Database"]:
    """A database whose tables are those of this program.

    One that is empty or older is brought up to date: nobody should have to type two commands.
    """
    from aggregator.store.engine.database import Database
    from aggregator.store.engine.timeouts import DatabaseTuning

    database = Database(url, config.effective_tuning.section("database", DatabaseTuning))
    try:
        if first is not None:
            first(config, database)
        bring_up(database, config)
        yield database
    finally:
        database.close()
