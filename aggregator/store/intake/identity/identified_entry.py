"""A received entry with its keys, and those of a batch compared with stored ones."""

from collections.abc import Callable
from typing import NamedTuple

from aggregator.extract.entry_identity import Identity, IdentityTuning, url_key
from aggregator.extract.entry_matching import EntryHashes, EntryMatch
from aggregator.model.entry import Entry
from aggregator.model.structs import FrozenStruct
from aggregator.store.intake.identity.identifier_stability import IdentifierStability
from aggregator.store.intake.identity.reread_limits import RereadTuning

NOBODY = ""  # the article of a void key, which different entries share


class PollContext(FrozenStruct):
    """Properties of the polled source that accepting needs."""

    outlet: str | None  # as configured for the source, not as an entry declares it
    is_first: bool
    tuning: IdentityTuning
    # Limits of reading an article again; None: at every change
    live: RereadTuning | None = None
    # Articles of its known items, which were not read
    left_out: frozenset[str] = frozenset()


class WholeFeedNeededError(Exception):
    """An entry can only be judged beside the known items of its feed, which were not read."""


class IdentifiedEntry(NamedTuple):
    """A received entry with its keys."""

    entry: Entry
    canonical: str | None
    # The keys of GUID and URL, distrusted or not
    raw: tuple[bytes | None, bytes | None]
    identity: Identity
    entry_hashes: Callable[[], EntryHashes | None]  # None unless from a poll; cached
    content_keys: Callable[[], tuple[bytes, ...]]  # cached
    has_own_page: bool = True  # false: different entries share the page of its URL
    match: EntryMatch | None = None  # the known article, if no key is known


class IdentifiedBatch(FrozenStruct):
    """The entries of one batch, compared with stored keys."""

    identified: tuple[IdentifiedEntry, ...]
    known: dict[bytes, str]  # key to article
    # Of the source, before this poll
    stability: IdentifierStability = IdentifierStability()
    void: frozenset[bytes] = frozenset()  # keys that became void in this batch
    # Text keys of unknown entries that the source had before
    words_known: frozenset[bytes] = frozenset()
    moved: bool = False  # the source continues another one that ended
    notes: tuple[str, ...] = ()  # for the log


def claimed_url(received: IdentifiedEntry) -> bytes:
    """Return the key of the URL that a foreign source links to; b"" for other sources."""
    is_foreign = received.entry.authority == "foreign"
    if received.canonical is None or not is_foreign or not received.has_own_page:
        return b""
    return url_key(received.canonical)


def known_by_keys(received: IdentifiedEntry, known: dict[bytes, str]) -> set[str]:
    keys = *received.identity.keys, claimed_url(received)
    return {known[key] for key in keys if key in known}
