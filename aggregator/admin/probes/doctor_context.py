"""The context of the probes of `doctor`: configuration, database and time limit."""

from functools import cached_property
from pathlib import Path

from aggregator.admin import backup_folder
from aggregator.config.settings import Config
from aggregator.model.clock import utc_now
from aggregator.store import migrate
from aggregator.store.engine.database import Database


class DoctorContext:
    """A configuration with its database, which is opened at the first use."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.check_seconds: float = config.effective_tuning.values("database")[
            "read_seconds"
        ]
        self.now = utc_now()
        self.config_name = str(config.file or "config.yaml")

    @cached_property
    def database(self) -> Database:
        """The configured database. Raises AggregatorError if its driver is not installed."""
        return Database(self.config.database_url)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; None for other databases."""
        return (
            self.database.file
            if self.config.database_url.startswith("sqlite")
            else None
        )

    @cached_property
    def has_database(self) -> bool:
        """Whether the database has tables, which are created when it is first used."""
        if self.file is not None and not self.file.exists():
            return False
        return migrate.revision_of(self.database) is not None

    @property
    def newest_backup(self) -> str:
        """The path of the newest backup, else the word BACKUP."""
        return next(
            (str(kept.path) for kept in backup_folder.backups(self.config)), "BACKUP"
        )
