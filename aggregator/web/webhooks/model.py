"""A webhook as configured, and the constants of this room."""

import datetime as dt
import hashlib
from dataclasses import dataclass, field

import msgspec

from aggregator.config.saved_queries import SavedQuery
from aggregator.model.read_model import StoryFilter

_ANY_NUMBER = 2**31 - 2  # a query's own limit is for lists


@dataclass(frozen=True)
class Hook:
    """Where to send what. Its printed form holds neither the address nor the key."""

    name: str
    url: str = field(repr=False)
    key: bytes = field(repr=False)
    query: SavedQuery | None = None  # None: all stories

    @property
    def place(self) -> bytes:
        """By what another address is noticed."""
        return hashlib.sha256(self.url.encode()).digest()

    def wanted(self, now: dt.datetime) -> StoryFilter | None:
        """Which stories it is told of; None for all."""
        return None if self.query is None else self.query.wanted(now, _ANY_NUMBER)


class HookRules(msgspec.Struct, frozen=True, kw_only=True):
    """Section `hooks` of config/tuning.yaml."""

    old_hours: float
    deadline_seconds: float
    answer_cap_bytes: int
    batch_changes: int
    articles_most: int
    body_cap_bytes: int
    retry_first_seconds: float
    retry_factor: float
    retry_most_seconds: float
    retry_jitter: float
    give_up_hours: float
    pause_most_seconds: float
    recovered_after: int
    waiting_most: int
    kept_days: float
