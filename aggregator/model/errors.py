"""The errors that users may see.

The message states what happened and what to do; `exit_code` is documented in docs/operating.md. A
package that uses a library converts the exceptions of that library to one of these, or to a stored verdict.
"""

import errno
from typing import ClassVar


class AggregatorError(Exception):
    """Base of all errors with a message for users; ends a command with `exit_code`."""

    exit_code: ClassVar[int] = 1


class ConfigError(AggregatorError):
    """A value in config.yaml or on the command line is unknown or not possible."""

    exit_code = 2


class UsageError(AggregatorError):
    """An argument of the command cannot be used: an unknown id, a missing file."""

    exit_code = 2


class ConflictError(UsageError):
    """The request conflicts with stored data, such as adding a feed that is a source already."""


class DatabaseTooNewError(AggregatorError):
    """A newer version of the program wrote the database."""

    exit_code = 4


class DatabaseOutdatedError(AggregatorError):
    """An older version of the program wrote the database; it must be upgraded first."""

    exit_code = 4


class NotWritableError(AggregatorError):
    """The database or its folder cannot be written."""

    exit_code = 5


class NoScratchFolderError(NotWritableError):
    """The folder for temporary files cannot be used."""


class DatabaseReplacedError(NotWritableError):
    """The database file is missing or is not the file that was opened."""


class DatabaseBusyError(AggregatorError):
    """A conflict with other transactions, or a timeout; nothing was written. The caller may retry."""


class DatabaseLockedError(DatabaseBusyError):
    """Another program locked the SQLite file for too long. The caller may retry later."""


class DamagedFileError(AggregatorError):
    """A part of the database file is damaged and cannot be read. `what` is the message without advice."""

    def __init__(self, what: str, advice: str = "type: aggregator db check") -> None:
        super().__init__(f"{what}; {advice}")
        self.what = what


class DatabaseAwayError(AggregatorError):
    """The database server does not respond, or the connection broke. The caller may retry.

    With `commit_unknown`, the connection broke during a commit that may have succeeded, so the caller must read the
    rows before a retry.
    """

    def __init__(self, message: str, *, commit_unknown: bool = False) -> None:
        super().__init__(message)
        self.commit_unknown = commit_unknown


class DamagedError(AggregatorError):
    """The stored data of an article cannot be decoded."""


class UnreadableEntryError(DamagedError):
    """The stored data of entry `n` cannot be decoded."""

    def __init__(self, message: str, n: int) -> None:
        super().__init__(message)
        self.n = n


class AnotherDaemonError(AggregatorError):
    """Another process is the writer of this database."""

    exit_code = 6


class LeaseLostError(AnotherDaemonError):
    """This process is not the writer, or not any more; uncommitted work is rolled back."""


class BrokenDaemonError(AggregatorError):
    """A part of the daemon failed, so the daemon ends and should be restarted."""


class FetchError(AggregatorError):
    """A URL could not be fetched. `cause` is one of the causes that `sources list` shows.

    `state` is passed to the next poll, as an ETag is; None: the stored state stays.
    """

    def __init__(
        self,
        cause: str,
        detail: str,
        *,
        status: int | None = None,
        retry_after_seconds: float | None = None,
        state: str | None = None,
    ) -> None:
        super().__init__(f"{cause}: {detail}" if detail else cause)
        self.cause = cause
        self.detail = detail
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.state = state


class ReadError(AggregatorError):
    """Input of the wrong kind: a feed without entries, a broken record, a binary file."""


class NoWorkersError(AggregatorError):
    """No worker can run jobs. The jobs are not at fault; they wait and are tried again."""


class TooManyFilesError(AggregatorError):
    """The limit of open files or connections is reached. The caller may retry."""

    def __init__(self) -> None:
        super().__init__(
            "this process may open no more files or connections: raise LimitNOFILE= in the unit, or ulimit -n"
        )

    @staticmethod
    def is_behind(error: BaseException) -> bool:
        """Return whether `error` was raised because the limit is reached."""
        return isinstance(error, OSError) and error.errno in (
            errno.EMFILE,
            errno.ENFILE,
        )


class WorkError(AggregatorError):
    """A job of a worker has no result. `verdict` is "timeout", "memory", "died", or "failed" (the function raised)."""

    def __init__(self, verdict: str, detail: str) -> None:
        super().__init__(f"{verdict}: {detail}")
        self.verdict = verdict
        self.detail = detail
