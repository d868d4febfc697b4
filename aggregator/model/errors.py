"""What can go wrong, in the user's words.

Every error that a person may see is one of these. Its message says what happened and what to type next; its
exit code is the one that README and `--help` promise. Libraries' own exceptions stop at the door of the room
that imports the library and come out as one of these, or as a verdict stored beside the thing that failed.
"""

import errno
from typing import ClassVar


class AggregatorError(Exception):
    """Something the user can read and act on; ends a command with `exit_code`."""

    exit_code: ClassVar[int] = 1


class ConfigError(AggregatorError):
    """config.yaml (or the command line) asks for something that does not exist or cannot be."""

    exit_code = 2


class UsageError(AggregatorError):
    """The command was given something it cannot work with: an unknown id, a missing file."""

    exit_code = 2


class DatabaseTooNewError(AggregatorError):
    """The database was written by a newer program than this one."""

    exit_code = 4


class DatabaseOutdatedError(AggregatorError):
    """The database was written by an older program and must be upgraded first."""

    exit_code = 4


class NotWritableError(AggregatorError):
    """The database, or the folder that should hold it, cannot be written."""

    exit_code = 5


class DatabaseReplacedError(NotWritableError):
    """The file of the database is missing, or is not the one any more that was opened."""


class DatabaseBusyError(AggregatorError):
    """Others were in the way, or it took too long; nothing was written. To be tried again."""


class DatabaseLockedError(DatabaseBusyError):
    """Another program keeps SQLite's file for itself, and was waited for. To be tried again later."""


class DamagedFileError(AggregatorError):
    """The file of the database holds what was never written to it: a part of it cannot be read."""


class DatabaseAwayError(AggregatorError):
    """The database server does not answer, or broke off in the middle. To be tried again.

    `commit_unknown`: it broke off while it was asked to commit, which it may have done. Whoever tries again
    looks at the rows first.
    """

    def __init__(self, words: str, *, commit_unknown: bool = False) -> None:
        super().__init__(words)
        self.commit_unknown = commit_unknown


class DamagedError(AggregatorError):
    """What the database holds of an article cannot be read."""


class UnreadableEntryError(DamagedError):
    """What the database holds of entry `n` cannot be read."""

    def __init__(self, words: str, n: int) -> None:
        super().__init__(words)
        self.n = n


class AnotherDaemonError(AggregatorError):
    """Another process is the writer of this database already."""

    exit_code = 6


class LeaseLostError(AnotherDaemonError):
    """This process is not the writer of stories (any more); what it had not committed did not happen."""


class BrokenDaemonError(AggregatorError):
    """A part of the daemon ended unexpectedly, and the daemon with it: it is to be started anew."""


class FetchError(AggregatorError):
    """An address could not be read. `cause` is one of the words that `sources list` shows."""

    def __init__(
        self,
        cause: str,
        detail: str,
        *,
        status: int | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(f"{cause}: {detail}" if detail else cause)
        self.cause = cause
        self.detail = detail
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class ReadError(AggregatorError):
    """Bytes that are not what they should be: a feed without entries, a broken record, a binary file."""


class NoWorkersError(AggregatorError):
    """Nobody is there to run jobs. It says nothing about the jobs: they wait, and are tried again."""


class TooManyFilesError(AggregatorError):
    """This process may open no more files or connections at the moment. To be tried again."""

    def __init__(self) -> None:
        super().__init__(
            "this process may open no more files or connections: raise LimitNOFILE= in the unit, or ulimit -n"
        )

    @staticmethod
    def is_behind(error: BaseException) -> bool:
        """Whether the system refused for that reason."""
        return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)


class WorkError(AggregatorError):
    """A job got no answer: `verdict` is "timeout", "memory", "died", or "failed" (the function raised)."""

    def __init__(self, verdict: str, detail: str) -> None:
        super().__init__(f"{verdict}: {detail}")
        self.verdict = verdict
        self.detail = detail
