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
from aggregator.store.tables import identity_key, rows_with


def identify_entries(
    connection: Connection, entries: Sequence[Entry], poll: PollContext | None
) -> IdentifiedBatch:
    """Identify `entries`; those of a poll are all of one source."""
    source = entries[0].source
    stability = stability_of(connection, source) if poll else IdentifierStability()
    canonical_urls = [
        canonical_url(given.url) if given.url else None for given in entries
    ]
    sharing = shared_pages(entries, canonical_urls)
    identified = []
    for place, (given, canonical) in enumerate(
        zip(entries, canonical_urls, strict=True)
    ):
        declared = _with_authority(given, canonical)
        has_own_page = place not in sharing
        is_distinct = has_own_page and stability.urls_distrusted_at is None
        identified.append(
            IdentifiedEntry(
                declared,
                canonical,
                raw_keys(declared, canonical),
                _identity(declared, canonical, stability),
                cache(partial(_hashes, declared, poll)),
                cache(partial(content_keys, declared, canonical))
                if canonical and is_distinct
                else _no_keys,
                has_own_page,
            )
        )
    known = known_articles(connection, identified)
    shared = (
        shared_keys([_entry_keys(received) for received in identified])
        if poll
        else set()
    )
    void_before = {key for key, article in known.items() if article == NOBODY}
    void = void_before | shared
    if void:
        identified = [_without(void, received, stability) for received in identified]
        known |= known_articles(connection, identified)
        known = {key: article for key, article in known.items() if key not in void}
    unknown = [
        received for received in identified if not known_by_keys(received, known)
    ]
    known |= _articles_of(
        connection, {key for received in unknown for key in received.content_keys()}
    )
    if poll is None:
        return IdentifiedBatch(identified=tuple(identified), known=known)
    return match_poll(
        connection,
        identified,
        known,
        poll,
        stability=stability,
        void=frozenset(shared - void_before),
    )


def known_articles(
    connection: Connection, identified: Iterable[IdentifiedEntry]
) -> dict[bytes, str]:
    """Return the articles of the keys of `identified`, including addresses that foreign sources link to."""
    keys: set[bytes] = set()
    for identified_entry in identified:
        keys.update(identified_entry.identity.keys)
        keys.add(claimed_url(identified_entry))
    return _articles_of(connection, keys)


def _articles_of(connection: Connection, keys: Collection[bytes]) -> dict[bytes, str]:
    rows = rows_with(connection, _KEYS, identity_key.c.key, keys)
    return {bytes(row.key): row.article for row in rows}


_KEYS = select(identity_key.c.key, identity_key.c.article)


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
    is_same = _labels(item.url).endswith(_labels(canonical)) or are_of_one_publisher(
        item.url, canonical
    )
    return item if is_same else replace(item, authority="foreign")


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


def _entry_keys(one: IdentifiedEntry) -> EntryKeys:
    guid, url = one.raw
    published = one.entry.published
    moment = (
        published.time.isoformat() if published and published.origin != "poll" else ""
    )
    return EntryKeys(
        guid=guid,
        url=url,
        headline=" ".join([*one.entry.title.casefold().split(), moment]),
    )


def _hashes(item: Entry, poll: PollContext | None) -> EntryHashes | None:
    return hash_entry(item, poll.tuning) if poll else None
