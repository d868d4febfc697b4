"""Identification of received entries by their keys; entries of one poll are also compared with each other.

This module only reads. Its caller, store/intake/acceptance.py, writes the results in the same transaction.
"""

from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.extract.entry_identity import (
    EntryKeys,
    Identity,
    content_keys,
    content_of,
    identify,
    raw_keys,
    shared_keys,
    shared_pages,
    url_key,
)
from aggregator.extract.sites import are_of_one_publisher
from aggregator.extract.urls import canonical_url
from aggregator.model.entry import Entry
from aggregator.model.structs import FrozenStruct
from aggregator.store.tables import read_map

# A feed has given all its entries new dates if at least this many entries of a poll, and this share of the entries
# without a known key, differ from stored articles only in their dates (chosen on invented feeds)
_REDATED_AT_ONCE = 5
_REDATED_SHARE = 0.8
NOBODY = ""  # the article of a void key, which different entries share


class PollContext(FrozenStruct):
    """Properties of the polled source that accepting needs."""

    # The outlet configured for the source, not the outlet that an entry declares
    outlet: str | None
    # Articles of its known items, which were not read
    left_out: frozenset[str] = frozenset()


class WholeFeedNeededError(Exception):
    """An entry shares a key with a known item of its feed, which was not read."""


class IdentifiedEntry(NamedTuple):
    """A received entry with its keys."""

    entry: Entry
    # The keys of its GUID and its URL, even if they are void because different entries share them
    guid_key: bytes | None
    url_key: bytes | None
    # Its keys that are not void, and the hash of its content
    identity: Identity
    # Keys of its content within its feed
    in_feed: Set[bytes]
    # Keys of its content at its URL; the first key is its own, the others only recognise articles
    at_url: tuple[bytes, ...]
    # The key of its content regardless of its date; this key alone does not identify an article
    undated: bytes
    # The key of the URL that a foreign source links to; b"" for other sources
    linked_url: bytes
    # False if different entries share the page of its URL
    has_own_page: bool

    @property
    def keys(self) -> tuple[bytes, ...]:
        """All keys that may identify it, the strongest first."""
        return (*self.identity.keys, self.linked_url, *self.at_url, *self.in_feed)


class IdentifiedBatch(FrozenStruct):
    """The entries of one batch, compared with stored keys."""

    entries: Sequence[IdentifiedEntry]
    known: dict[bytes, str]  # key to article
    void: Set[bytes] = frozenset()  # keys that became void in this batch


def identify_entries(
    connection: Connection,
    entries: Sequence[Entry],
    poll: PollContext | None,
    *,
    always_new: bool = False,
) -> IdentifiedBatch:
    """Identify `entries`; those of a poll are all of one source. Raises WholeFeedNeededError.

    `always_new`: each has its own GUID, and no other key.
    """
    canonical_urls = [canonical_url(given.url or "") for given in entries]
    sharing = shared_pages(entries, canonical_urls)
    identified = [
        _identify(
            _with_authority(given, canonical),
            canonical,
            poll,
            void=frozenset(),
            has_own_page=place not in sharing,
        )
        for place, (given, canonical) in enumerate(
            zip(entries, canonical_urls, strict=True)
        )
    ]
    if always_new:
        bare = [
            received._replace(in_feed=set(), at_url=(), undated=b"", linked_url=b"")
            for received in identified
        ]
        return IdentifiedBatch(entries=bare, known={})
    known = _articles_of(connection, identified)
    shared = set()
    if poll is not None:
        shared = shared_keys([_entry_keys(received) for received in identified])
    void_before = {key for key, article in known.items() if article == NOBODY}
    void = void_before | shared
    if void:
        for place, received in enumerate(identified):
            own_keys = received.guid_key, received.url_key, *received.keys
            if not void.isdisjoint(own_keys):
                identified[place] = _identify(
                    received.entry,
                    canonical_urls[place],
                    poll,
                    void=void,
                    has_own_page=received.has_own_page,
                )
        known |= _articles_of(connection, identified)
        known = {key: article for key, article in known.items() if key not in void}
    if poll is not None:
        _know_redated(identified, known, poll)
        if poll.left_out:
            for received in identified:
                if any(known.get(key) in poll.left_out for key in received.keys):
                    raise WholeFeedNeededError
    return IdentifiedBatch(
        entries=identified,
        known=known,
        void=shared - void_before,
    )


def _know_redated(
    identified: Iterable[IdentifiedEntry], known: dict[bytes, str], poll: PollContext
) -> None:
    """Add the keys of entries whose system changed all GUIDs, addresses and dates at once.

    Nearly all entries without a known key must have the words of one stored article each. A single such
    entry may be a column that appears daily with the same words.
    """
    unknown = []
    articles = set(poll.left_out)
    for received in identified:
        ids = {known[key] for key in received.keys if key in known}
        articles |= ids
        if not ids:
            unknown.append(received)
    redated = {known.get(received.undated, ""): received for received in unknown}
    for id_ in (*articles, ""):
        redated.pop(id_, None)
    if len(redated) >= max(_REDATED_AT_ONCE, _REDATED_SHARE * len(unknown)):
        for id_, received in redated.items():
            known |= dict.fromkeys(received.in_feed, id_)


def _identify(
    item: Entry,
    canonical: str | None,
    poll: PollContext | None,
    *,
    void: Set[bytes],
    has_own_page: bool,
) -> IdentifiedEntry:
    """Return an entry with its keys that are not void. If the key of its URL is void, its page is shared, too."""
    guid, url = raw_keys(item, canonical)
    if canonical is not None and (url in void or url_key(canonical) in void):
        has_own_page = False
    content = outlet = None
    linked_url = b""
    undated = b""
    in_feed: set[bytes] = set()
    at_url: tuple[bytes, ...] = ()
    page = canonical if has_own_page else None
    if poll is not None:
        outlet = poll.outlet or item.source
    if outlet is not None or (page is not None and not item.is_page):
        content = content_of(item)
        is_foreign = poll is not None and item.authority == "foreign"
        linked_from = item.source if is_foreign else None
        in_feed, at_url, undated = content_keys(content, outlet, page, linked_from)
    if item.authority == "foreign" and page is not None:
        linked_url = url_key(page)
    return IdentifiedEntry(
        item,
        guid,
        url,
        identify(item, canonical, void=void, content=content if poll else None),
        in_feed - void,
        at_url if void.isdisjoint(at_url) else (),
        undated if undated not in void else b"",
        linked_url,
        has_own_page,
    )


def _articles_of(
    connection: Connection, identified: Iterable[IdentifiedEntry]
) -> dict[bytes, str]:
    """Return the article of each known key of `identified`, including addresses that foreign sources link to."""
    keys = {
        key for received in identified for key in (*received.keys, received.undated)
    }
    return read_map(
        connection,
        "SELECT key, article FROM identity_key WHERE key IN :keys",
        keys=keys,
    )


def _with_authority(item: Entry, canonical: str | None) -> Entry:
    """Return the entry, with authority "foreign" if its canonical address is on the site of another publisher.

    The addresses in a search engine's feed are on the engine's site, but lead to other sites.
    """
    if item.authority != "own" or not item.url or canonical is None:
        return item
    # The first condition is cheap and true for nearly all entries.
    if _labels(item.url).endswith(_labels(canonical)):
        return item
    if are_of_one_publisher(item.url, canonical):
        return item
    return replace(item, authority="foreign")


def _labels(url: str) -> str:
    return "." + url.partition("//")[2].partition("/")[0].lower()


def _entry_keys(received: IdentifiedEntry) -> EntryKeys:
    published = received.entry.published
    moment = ""
    if published and published.origin != "poll":
        moment = published.time.isoformat()
    return EntryKeys(
        guid=received.guid_key,
        url=received.url_key,
        headline=" ".join([*received.entry.title.casefold().split(), moment]),
        content={*received.in_feed, *received.at_url[:1], received.undated} - {b""},
    )
