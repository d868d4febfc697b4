"""The global options, and how a command opens its configuration and database.

Imports are local, so that `--help` and completion start fast.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

from aggregator.cli import output
from aggregator.cli.output import progress_bar
from aggregator.model.errors import AggregatorError
from aggregator.model.structs import FrozenStruct

if TYPE_CHECKING:
    from aggregator.config.settings import Config
    from aggregator.store.engine.database import Database


class Settings(FrozenStruct):
    """The global options as typed."""

    config: str | None = None
    database: str | None = None
    verbose: int = 0
    log_format: str | None = None

    def load(self) -> "Config":
        """Load the configuration and set up logging. Raises ConfigError."""
        if self.log_format:
            from aggregator.config.logging import set_up

            # Mistakes of the configuration are reported in this format, too.
            set_up("info", self.log_format)
        config = self.read()
        self.set_up_logs(config)
        return config

    def read(self) -> "Config":
        """Read the configuration file without setting up logging. Raises ConfigError."""
        from aggregator.config.loader import load

        return load(Path(self.config) if self.config else None, database=self.database)

    def set_up_logs(self, config: "Config") -> None:
        """Set up logging from the options and `config`. Options take precedence."""
        from aggregator.config.logging import set_up

        set_up(
            "debug" if self.verbose else config.log.level,
            self.log_format or config.log.format,
        )

    @contextmanager
    def reading(
        self, *, must_exist: bool = False
    ) -> Iterator[tuple["Config", "Database"]]:
        """Yield the configuration and a database to read from.

        Reading creates no database. If there is none, say so and yield an empty temporary one; with `must_exist`,
        end the command with exit code 1 instead.
        """
        config = self.load()
        missing = missing_database(config)
        # If only the lock file of a lost database is left, opening the database raises an error that explains this.
        if missing is None or missing.with_name(missing.name + ".lock").exists():
            with _open_and_upgrade(config.database_url, config) as database:
                yield config, database
        else:
            output.say(
                f"There is no database at {missing} yet. "
                "Create one with `aggregator ingest FOLDER` or `aggregator run`."
            )
            if must_exist:
                raise typer.Exit(1)
            with (
                TemporaryDirectory(prefix="aggregator-") as scratch,
                _open_and_upgrade(f"sqlite:///{scratch}/empty.db", config) as database,
            ):
                yield config, database

    @contextmanager
    def writing(
        self, before_use: Callable[["Config", "Database"], object] | None = None
    ) -> Iterator[tuple["Config", "Database"]]:
        """Yield the configuration and a database to write to, which is created if there is none.

        `before_use` is called with both before the first query.
        """
        config = self.load()
        with _open_and_upgrade(config.database_url, config, before_use) as database:
            yield config, database


class Context(typer.Context):
    """The context of a command. `obj` holds the global options."""

    obj: Settings


def missing_database(config: "Config") -> Path | None:
    """Return the path of the SQLite file if it does not exist. Return None if it exists, and for PostgreSQL."""
    from aggregator.store.engine.database import Database

    file = Database(config.database_url).file
    return None if file is None or file.exists() else file


def bring_up(
    database: "Database", config: "Config", *, create_again: bool = False
) -> tuple[str | None, str]:
    """Upgrade a database and say so; return the revisions before and after.

    Back up an older SQLite file first, if there is room on the disk. If the upgrade fails, which leaves the database
    unchanged, delete the backup, because a service that is started again and again must not fill the disk.
    `create_again` creates an empty database even if the file of an existing one was lost.
    """
    from aggregator.store.migrate import newest_revision, revision_of, upgrade

    backup: Path | None = None

    def back_up(revision: str) -> None:
        from aggregator.admin.backup_folder import keep_before_upgrade
        from aggregator.model.clock import utc_now

        nonlocal backup
        backup, message = keep_before_upgrade(
            config, database, revision, utc_now(), progress_bar
        )
        output.say(message)
        # The upgrade of a large database takes minutes.
        output.say(f"upgrading the database to revision {revision}")

    try:
        return upgrade(database, back_up, allow_new=create_again)
    except BaseException:
        with suppress(AggregatorError, OSError):
            if backup is not None and revision_of(database) != newest_revision():
                backup.unlink(missing_ok=True)
                output.say(
                    f"deleted {backup}: the upgrade failed, and the database is unchanged"
                )
        raise


@contextmanager
def _open_and_upgrade(
    url: str,
    config: "Config",
    before_use: Callable[["Config", "Database"], object] | None = None,
) -> Iterator["Database"]:
    """Open a database and upgrade it, so that no command needs `db upgrade` first."""
    from aggregator.store.engine.database import Database
    from aggregator.store.engine.engines import DatabaseTuning

    database = Database(
        url, config.effective_tuning.section("database", DatabaseTuning)
    )
    try:
        if before_use is not None:
            before_use(config, database)
        bring_up(database, config)
        yield database
    finally:
        database.close()
