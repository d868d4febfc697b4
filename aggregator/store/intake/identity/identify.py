"""Identification of received entries: by their keys, and for polls also by extract/entry_identity.py.

It only reads; store/intake/acceptance.py writes the results in the same transaction.
"""

from collections.abc import Collection, Iterable, Sequence, Set
from functools import cache, partial

from msgspec.structs import replace
from sqlalchemy import Connection, select

from aggregator.extract.entry_identity import (
    EntryKeys,
    Identity,
    content_keys,
    identify,
    raw_keys,
    shared_keys,
    shared_pages,
    url_key,
)
from aggregator.extract.entry_matching import EntryHashes, hash_entry
from aggregator.extract.sites import are_of_one_publisher
from aggregator.extract.urls import canonical_url
from aggregator.model.entry import Entry
from aggregator.store.intake.identity.identified_entry import (
    NOBODY,
    IdentifiedBatch,
    IdentifiedEntry,
    PollContext,
    claimed_url,
    known_by_keys,
)
from aggregator.store.intake.identity.identifier_stability import (
    IdentifierStability,
    stability_of,
)
from aggregator.store.intake.identity.poll_matching import match_poll
from aggregator.store.tables import identity_key, pairs_with


def identify_entries(
    connection: Connection, entries: Sequence[Entry], poll: PollContext | None
) -> IdentifiedBatch:
    """Identify `entries`; those of a poll are all of one source."""
    stability = IdentifierStability()
    shared = set()
    if poll:
        stability = stability_of(connection, entries[0].source)
    identified = _with_keys(entries, poll, stability)
    known = known_articles(connection, identified)
    if poll:
        shared = shared_keys([_entry_keys(received) for received in identified])
    void_before = {key for key, article in known.items() if article == NOBODY}
    void = void_before | shared
    if void:
        identified = [_without(void, received, stability) for received in identified]
        known |= known_articles(connection, identified)
        known = {key: article for key, article in known.items() if key not in void}
    shown: set[bytes] = set()
    for received in identified:
        if not known_by_keys(received, known):
            shown.update(received.content_keys())
    known |= _articles_of(connection, shown)
    if poll is None:
        return IdentifiedBatch(identified=tuple(identified), known=known)
    newly_void = frozenset(shared - void_before)
    return match_poll(
        connection, identified, known, poll, stability=stability, void=newly_void
    )


def _with_keys(
    entries: Sequence[Entry], poll: PollContext | None, stability: IdentifierStability
) -> list[IdentifiedEntry]:
    canonical_urls = [canonical_url(given.url or "") for given in entries]
    sharing = shared_pages(entries, canonical_urls)
    identified = []
    for place, canonical in enumerate(canonical_urls):
        declared = _with_authority(entries[place], canonical)
        has_own_page = place not in sharing
        content = _no_keys
        if canonical and has_own_page and stability.urls_distrusted_at is None:
            content = cache(partial(content_keys, declared, canonical))
        identified.append(
            IdentifiedEntry(
                declared,
                canonical,
                raw_keys(declared, canonical),
                _identity(declared, canonical, stability),
                cache(partial(_hashes, declared, poll)),
                content,
                has_own_page,
            )
        )
    return identified


def known_articles(
    connection: Connection, identified: Iterable[IdentifiedEntry]
) -> dict[bytes, str]:
    """Return the articles of the keys of `identified`, including addresses that foreign sources link to."""
    keys: set[bytes] = set()
    for received in identified:
        keys.update(received.identity.keys)
        keys.add(claimed_url(received))
    return _articles_of(connection, keys)


def _articles_of(connection: Connection, keys: Collection[bytes]) -> dict[bytes, str]:
    return pairs_with(connection, _KEYS, identity_key.c.key, keys)


_KEYS = select(identity_key)


def _without(
    void: Set[bytes], identified: IdentifiedEntry, stability: IdentifierStability
) -> IdentifiedEntry:
    """Return the entry without its void keys. If that of its URL is one, the page is shared, too."""
    if identified.canonical is not None and (
        identified.raw[1] in void or url_key(identified.canonical) in void
    ):
        identified = identified._replace(has_own_page=False, content_keys=_no_keys)
    if not void.isdisjoint(identified.identity.keys):
        identified = identified._replace(
            identity=_identity(identified.entry, identified.canonical, stability, void)
        )
    return identified


def _no_keys() -> tuple[bytes, ...]:
    return ()


def _with_authority(item: Entry, canonical: str | None) -> Entry:
    """Return the entry with authority "foreign" if its address redirects to another site.

    The addresses in a search engine's feed are of the engine's site; their targets are of other sites.
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


def _identity(
    item: Entry,
    canonical: str | None,
    stability: IdentifierStability,
    void: Collection[bytes] = (),
) -> Identity:
    return identify(
        item,
        canonical,
        void=void,
        use_guid=stability.guids_distrusted_at is None,
        use_url=stability.urls_distrusted_at is None,
    )


def _entry_keys(received: IdentifiedEntry) -> EntryKeys:
    guid, url = received.raw
    published = received.entry.published
    moment = ""
    if published and published.origin != "poll":
        moment = published.time.isoformat()
    words = received.entry.title.casefold().split()
    return EntryKeys(guid=guid, url=url, headline=" ".join([*words, moment]))


def _hashes(item: Entry, poll: PollContext | None) -> EntryHashes | None:
    return None if poll is None else hash_entry(item, poll.tuning)
