"""What the global options say, and opening what a command needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from aggregator.errors import UsageError

if TYPE_CHECKING:
    from aggregator.config import Config
    from aggregator.store.database import Database


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The global options as typed."""

    config: str | None = None
    database: str | None = None
    verbose: int = 0
    log_format: str | None = None

    def load(self) -> "Config":
        """The configuration in force; logging is set up by it. Raises ConfigError."""
        from aggregator.config import load
        from aggregator.ops.logs import set_up

        if self.log_format not in (None, "text", "json"):
            raise UsageError(f"--log-format {self.log_format}: choose text or json")
        config = load(Path(self.config) if self.config else None, database=self.database)
        set_up("debug" if self.verbose else config.log.level, self.log_format or config.log.format)
        return config

    @contextmanager
    def reading(self) -> Iterator[tuple["Config", "Database"]]:
        """The configuration and a database to read from; an empty one where none was made yet."""
        with self.writing() as opened:
            yield opened

    @contextmanager
    def writing(self) -> Iterator[tuple["Config", "Database"]]:
        """The configuration and a database whose tables are those of this program.

        A database that is empty or older is brought up to date: nobody should have to type two commands.
        """
        from aggregator.store.database import Database
        from aggregator.store.migrate import upgrade

        config = self.load()
        database = Database(config.database_url)
        try:
            upgrade(database)
            yield config, database
        finally:
            database.close()
