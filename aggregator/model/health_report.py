"""How the daemon does, as nouns: what the daemon knows of itself, and what probes and people are told."""

import datetime as dt
from typing import Literal

from aggregator.model.core import Noun

Role = Literal["starting", "writer", "standby"]


class Reload(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """The last time that config.yaml was read again."""

    at: dt.datetime
    ok: bool
    words: str = ""


class Process(Noun, frozen=True, kw_only=True):
    """What only the running process knows."""

    role: Role = "starting"
    began_at: dt.datetime
    placing_began: bool = False
    stalled: tuple[str, ...] = ()  # threads that do not get on
    trouble: str | None = None  # why placing rests, in words
    workers: str | None = None  # why no worker can run anything, in words
    last_reload: Reload | None = None
    chores: tuple[str, ...] = ()  # what failed at its last try, in words: a backup, thinning

    @property
    def is_writer(self) -> bool:
        """Whether it places."""
        return self.role == "writer"

    @property
    def rests(self) -> bool:
        """Whether placing rests."""
        return self.trouble is not None

    @property
    def reload_failed(self) -> bool:
        """Whether what config.yaml says now is not in force."""
        return self.last_reload is not None and not self.last_reload.ok


class Stored(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """What the database knows, asked in one go. Ages are seconds."""

    inbox: dict[str, int]  # entries by what they wait for: page | ready
    oldest_seconds: float
    last_placed: dt.datetime | None
    sources: dict[str, int]  # by state, see docs/operations.md, Health
    all_fail: str | None = None  # that all feeds fail, in words
    due_sources: int  # that should have been asked by now, ...
    late_seconds: float  # ... and the latest of them
    articles: int  # the number of the last one that was placed: forgotten ones are in it
    unindexed: int  # articles that full-text search does not find yet
    untold: int  # stories whose merged text waits, counted up to a bound
    requests_waiting: int  # what commands asked of the writer
    deliveries_waiting: int
    hooks_failing: int
    problems: tuple[str, ...] = ()


class Place(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """The database as a thing that takes room. Bytes; None where it cannot be known (a server's disk)."""

    size_bytes: int
    log_bytes: int | None = None
    free_page_bytes: int | None = None
    free_disk_bytes: int | None = None


class SourceGauge(Noun, frozen=True, kw_only=True):
    """One source in numbers; times are seconds since 1970."""

    id: str
    health: str
    last_success: float | None
    new: int
    known: int
    refused: int


class BackupState(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """The daemon's backups. `words` say what is wrong with them."""

    every_seconds: int | None  # None: it makes none
    last: dt.datetime | None
    size_bytes: int | None
    words: str | None


class Look(Noun, frozen=True, kw_only=True):
    """What one look into the database found."""

    at: dt.datetime
    stored: Stored
    place: Place
    sources: tuple[SourceGauge, ...] = ()
    why_not_writable: str | None = None
    revision: str | None = None
    events: dict[str, int] = {}  # noqa: RUF012 - lines of the stories' log since the start, by kind
    backup: BackupState | None = None
    retention: dict[str, int] | None = None


class Condition(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """How everything does. `problems` may name files of this machine: for the owner's eyes."""

    status: Literal["ok", "degraded", "down"]
    role: Role
    version: str
    rules_version: str
    uptime_seconds: float
    writable: bool
    ready: bool
    problems: tuple[str, ...]
    process_problems: tuple[str, ...]  # those of them that only the process knows
    stored: Stored | None = None  # None: the database did not answer in time
    place: Place | None = None
    backup: BackupState | None = None
    retention: dict[str, int] | None = None  # how far it came, by step
    last_reload: Reload | None = None

    @property
    def uptime_words(self) -> str:
        """How long it runs, as one says it."""
        days, rest = divmod(int(self.uptime_seconds), 86_400)
        return f"{days} d {rest // 3600} h" if days else f"{rest // 3600} h {rest % 3600 // 60} min"
