"""Identification of received entries: by their keys, and for polls also by cluster/entry_identity.py.

It only reads; store/intake/inbox.py writes the results in the same transaction.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from functools import cache, partial
from typing import Literal, NamedTuple

import msgspec
from sqlalchemy import Connection, func, select

from aggregator.cluster.entry_identity import (
    EntryHashes,
    EntryKeys,
    EntryMatch,
    Identity,
    IdentityTuning,
    Observation,
    content_keys,
    find_moved_source,
    hash_entry,
    identify,
    match_entries,
    raw_keys,
    shared_keys,
    shared_pages,
    update_strikes,
    url_key,
)
from aggregator.config.messages import counted
from aggregator.extract.urls import canonical_url, same_site
from aggregator.model.core import Entry, FrozenStruct
from aggregator.store.tables import (
    article,
    entry,
    identity_key,
    observation,
    rows_with,
    source,
    unstable_identifier,
    upsert,
)

# --- rows of observations, and of sources with unstable identifiers ----------------------------------------


class IdentifierStability(FrozenStruct, frozen=True, kw_only=True):
    """Stability of a source's identifiers; strikes are consecutive polls with new ones for known texts."""

    guid_strikes: int = 0
    url_strikes: int = 0
    guids_distrusted_at: dt.datetime | None = None
    urls_distrusted_at: dt.datetime | None = None


class OtherSource(FrozenStruct, frozen=True, kw_only=True):
    """Another source: its configured outlet, and whether it is polled and answers."""

    outlet: str | None
    answers: bool


def stability_of(connection: Connection, source_id: str) -> IdentifierStability:
    """Return the stability of a source; without strikes if there is no row."""
    row = connection.execute(
        select(unstable_identifier).where(unstable_identifier.c.source == source_id)
    ).first()
    if row is None:
        return IdentifierStability()
    return IdentifierStability(**{name: value for name, value in row._mapping.items() if name != "source"})


def save_stability(connection: Connection, source_id: str, new: IdentifierStability) -> None:
    """Write the stability of a source."""
    upsert(connection, unstable_identifier, {"source": source_id, **msgspec.structs.asdict(new)})


def distrusted(connection: Connection) -> dict[str, str]:
    """Return a sentence per source with distrusted identifiers, by id."""
    found = {}
    for row in connection.execute(select(unstable_identifier).order_by(unstable_identifier.c.source)):
        changing = [
            name
            for name, since in (("GUIDs", row.guids_distrusted_at), ("addresses", row.urls_distrusted_at))
            if since is not None
        ]
        if changing:
            found[row.source] = f"the {' and '.join(changing)} of its entries are unstable"
    return found


def matching_observations(connection: Connection, hashes: Iterable[EntryHashes]) -> list[Observation]:
    """Return the observations of all sources that share a text or title key with one of `hashes`."""
    given = list(hashes)
    found: dict[tuple[str, str, bytes], Observation] = {}
    for column, keys in (
        (observation.c.text_key, {one.text_key for one in given if one.text_key is not None}),
        (observation.c.title_key, {one.title_key for one in given if one.title_key is not None}),
    ):
        for row in rows_with(connection, _OBSERVATIONS, column, keys):
            found[row.article, row.source, bytes(row.content_hash)] = Observation(
                article=row.article,
                source=row.source,
                title=bytes(row.title_hash or b""),
                text_key=_bytes(row.text_key),
                title_key=_bytes(row.title_key),
                minute=row.declared_at,
                seen=row.first_seen_at,
            )
    return [found[key] for key in sorted(found)]


_OBSERVATIONS = select(
    observation.c.article,
    observation.c.source,
    observation.c.content_hash,
    observation.c.title_hash,
    observation.c.text_key,
    observation.c.title_key,
    observation.c.declared_at,
    observation.c.first_seen_at,
)


def other_sources(connection: Connection, ids: Iterable[str]) -> dict[str, OtherSource]:
    """Return those of the sources that still exist, by id."""
    chosen = select(source.c.id, source.c.outlet, source.c.paused, source.c.health)
    found: dict[str, OtherSource] = {}
    for row in rows_with(connection, chosen, source.c.id, ids):
        answers = not row.paused and row.health not in ("failing", "gone", "merged")
        found[row.id] = OtherSource(outlet=row.outlet, answers=answers)
    return found


def _bytes(value: bytes | None) -> bytes | None:
    return None if value is None else bytes(value)


# --- keys ---------------------------------------------------------------------------------------------------

NOBODY = ""  # the article of a void key, which different entries share


class RereadTuning(FrozenStruct, frozen=True, kw_only=True):
    """Within `hours`, at most `most` readings of a live blog's page and `others` of any other article."""

    most: int
    others: int
    hours: float


class PollContext(FrozenStruct, frozen=True, kw_only=True):
    """Properties of the polled source that accepting needs."""

    outlet: str | None  # as configured for the source, not as an entry declares it
    is_first: bool
    tuning: IdentityTuning
    live: RereadTuning | None = None  # limits of reading an article again; None: at every change


class IdentifiedEntry(NamedTuple):
    """A received entry with its keys."""

    entry: Entry
    canonical: str | None
    raw: tuple[bytes | None, bytes | None]  # the keys of GUID and URL, distrusted or not
    identity: Identity
    entry_hashes: Callable[[], EntryHashes | None]  # None unless from a poll; cached
    content_keys: Callable[[], tuple[bytes, ...]]  # cached
    has_own_page: bool = True  # false: different entries share the page of its URL
    match: EntryMatch | None = None  # the known article, if no key is known


class IdentifiedBatch(FrozenStruct, frozen=True, kw_only=True):
    """The entries of one batch, compared with stored keys."""

    identified: tuple[IdentifiedEntry, ...]
    known: dict[bytes, str]  # key to article
    stability: IdentifierStability = IdentifierStability()  # of the source, before this poll
    void: frozenset[bytes] = frozenset()  # keys that became void in this batch
    words_known: frozenset[bytes] = frozenset()  # text keys of unknown entries that the source had before
    moved: bool = False  # the source continues another one that ended
    notes: tuple[str, ...] = ()  # for the log


def identify_entries(
    connection: Connection, entries: Sequence[Entry], poll: PollContext | None
) -> IdentifiedBatch:
    """Identify `entries`; those of a poll are all of one source."""
    source = entries[0].source
    stability = stability_of(connection, source) if poll else IdentifierStability()
    canonical_urls = [canonical_url(given.url) if given.url else None for given in entries]
    sharing = shared_pages(entries, canonical_urls)
    identified = []
    for place, (given, canonical) in enumerate(zip(entries, canonical_urls, strict=True)):
        item = _with_authority(given, canonical)
        has_own_page = place not in sharing
        is_distinct = has_own_page and stability.urls_distrusted_at is None
        identified.append(
            IdentifiedEntry(
                item,
                canonical,
                raw_keys(item, canonical),
                _identity(item, canonical, stability),
                cache(partial(_hashes, item, poll)),
                cache(partial(content_keys, item, canonical)) if canonical and is_distinct else _no_keys,
                has_own_page,
            )
        )
    known = known_articles(connection, identified)
    shared = shared_keys([_entry_keys(one) for one in identified]) if poll else set()
    void_before = {key for key, article in known.items() if article == NOBODY}
    void = void_before | shared
    if void:
        identified = [_without(void, one, stability) for one in identified]
        known |= known_articles(connection, identified)
        known = {key: article for key, article in known.items() if key not in void}
    unknown = [one for one in identified if not _known_by_keys(one, known)]
    known |= _articles_of(connection, {key for one in unknown for key in one.content_keys()})
    if poll is None:
        return IdentifiedBatch(identified=tuple(identified), known=known)
    return _met(
        connection, identified, known, poll, stability=stability, void=frozenset(shared - void_before)
    )


def known_articles(connection: Connection, identified: Iterable[IdentifiedEntry]) -> dict[bytes, str]:
    """Return the articles of the keys of `identified`, including addresses that foreign sources link to."""
    keys: set[bytes] = set()
    for one in identified:
        keys.update(one.identity.keys)
        keys.add(claimed_url(one))
    return _articles_of(connection, keys)


def _articles_of(connection: Connection, keys: Collection[bytes]) -> dict[bytes, str]:
    chosen = select(identity_key.c.key, identity_key.c.article)
    return {bytes(row.key): row.article for row in rows_with(connection, chosen, identity_key.c.key, keys)}


def claimed_url(one: IdentifiedEntry) -> bytes:
    """Return the key of the URL that a foreign source links to; b"" for other sources."""
    if one.canonical is None or one.entry.authority != "foreign" or not one.has_own_page:
        return b""
    return url_key(one.canonical)


def _without(void: Set[bytes], one: IdentifiedEntry, stability: IdentifierStability) -> IdentifiedEntry:
    """Return the entry without its void keys. If that of its URL is one, the page is shared, too."""
    if one.canonical is not None and (one.raw[1] in void or url_key(one.canonical) in void):
        one = one._replace(has_own_page=False, content_keys=_no_keys)
    if not void.isdisjoint(one.identity.keys):
        one = one._replace(identity=_identity(one.entry, one.canonical, stability, void))
    return one


def _no_keys() -> tuple[bytes, ...]:
    return ()


def _with_authority(item: Entry, canonical: str | None) -> Entry:
    """Return the entry with authority "foreign" if its address redirects to another site.

    The addresses in a search engine's feed are of the engine's site; their targets are of other sites.
    """
    if item.authority != "own" or not item.url or canonical is None:
        return item
    # The first condition is cheap and true for nearly all entries.
    is_same = _labels(item.url).endswith(_labels(canonical)) or same_site(item.url, canonical)
    return item if is_same else msgspec.structs.replace(item, authority="foreign")


def _labels(url: str) -> str:
    return "." + url.partition("//")[2].partition("/")[0].lower()


def _identity(
    item: Entry, canonical: str | None, stability: IdentifierStability, void: Collection[bytes] = ()
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
    moment = published.time.isoformat() if published and published.origin != "poll" else ""
    return EntryKeys(guid=guid, url=url, headline=" ".join([*one.entry.title.casefold().split(), moment]))


def _hashes(item: Entry, poll: PollContext | None) -> EntryHashes | None:
    return hash_entry(item, poll.tuning) if poll else None


# --- a poll ------------------------------------------------------------------------------------------------


def _met(
    connection: Connection,
    identified: list[IdentifiedEntry],
    known: dict[bytes, str],
    poll: PollContext,
    *,
    stability: IdentifierStability,
    void: frozenset[bytes],
) -> IdentifiedBatch:
    source = identified[0].entry.source
    unknown_entries = _unknown_entries(identified, known)
    observations = (
        matching_observations(connection, list(unknown_entries.values())) if unknown_entries else []
    )
    related_sources, moved = _related_sources(connection, unknown_entries, observations, source, poll)
    taken = {article for one in identified for article in _known_by_keys(one, known)}
    found = match_entries(
        unknown_entries,
        observations,
        source=source,
        related_sources=related_sources,
        taken=taken,
        tuning=poll.tuning,
    )
    met = [one._replace(match=found.get(place)) for place, one in enumerate(identified)]
    notes = []
    if found:
        known_ones = counted(len(found), "entry is a known article", "entries are known articles")
        notes.append(f"{known_ones} under new GUIDs or addresses")
    if void:
        notes.append("different entries share a GUID or an address: it is ignored")
    return IdentifiedBatch(
        identified=tuple(met),
        known=known,
        stability=stability,
        void=void,
        words_known=frozenset(one.text_key for one in observations if one.source == source and one.text_key),
        moved=moved,
        notes=tuple(notes),
    )


def _unknown_entries(
    identified: Sequence[IdentifiedEntry], known: dict[bytes, str]
) -> dict[int, EntryHashes]:
    """Return the hashes of entries without a known key by their places, each key once."""
    unknown_entries: dict[int, EntryHashes] = {}
    met: set[bytes] = set()
    for place, one in enumerate(identified):
        if not _known_by_keys(one, known) and met.isdisjoint(one.identity.keys):
            entry_hashes = one.entry_hashes()
            assert entry_hashes is not None, "of a poll"
            unknown_entries[place] = entry_hashes
        met.update(one.identity.keys)
    return unknown_entries


def _known_by_keys(one: IdentifiedEntry, known: dict[bytes, str]) -> set[str]:
    return {known[key] for key in (*one.identity.keys, claimed_url(one)) if key in known}


def _related_sources(
    connection: Connection,
    unknown_entries: Mapping[int, EntryHashes],
    observations: Sequence[Observation],
    source: str,
    poll: PollContext,
) -> tuple[set[str], bool]:
    """Return the sources whose texts count as this one's, and whether it continues one of them."""
    others = {one.source for one in observations} - {source}
    if not others:
        return set(), False
    existing = other_sources(connection, others)
    related_sources = {id_ for id_, one in existing.items() if poll.outlet and one.outlet == poll.outlet}
    if not poll.is_first:
        return related_sources, False
    silent = {id_ for id_ in others if id_ not in existing or not existing[id_].answers}
    moved = find_moved_source(unknown_entries, observations, silent, poll.tuning)
    return (related_sources | {moved}, True) if moved is not None else (related_sources, False)


# --- unstable identifiers ----------------------------------------------------------------------------------


def count_strikes(
    connection: Connection,
    met: IdentifiedBatch,
    tuning: IdentityTuning,
    now: dt.datetime,
    *,
    seen_here: Set[str],
) -> list[str]:
    """Update the strikes of the source: polls with new identifiers of known texts. Return notes for the log.

    `seen_here`: the known articles that this source had before. An article of another source has its GUID
    here for the first time.
    """
    new, notes = met.stability, []
    for kind, (name, called) in enumerate((("guid", "GUIDs"), ("url", "addresses"))):
        if getattr(new, f"{name}s_distrusted_at") is not None:
            continue
        changes = _key_changes(met, seen_here, kind)
        strikes = update_strikes(getattr(new, f"{name}_strikes"), *changes, tuning)
        new = msgspec.structs.replace(new, **{f"{name}_strikes": strikes})
        if strikes >= tuning.distrust_polls:
            new = msgspec.structs.replace(new, **{f"{name}s_distrusted_at": now})
            notes.append(f"the {called} of its entries change at every poll: they are ignored from now on")
    if new != met.stability:
        save_stability(connection, met.identified[0].entry.source, new)
    return notes


def _key_changes(met: IdentifiedBatch, seen_here: Set[str], kind: int) -> tuple[int, int]:
    """Count known entries whose key of one kind (0: GUID, 1: URL) is new, and those whose key is known."""
    changed = unchanged = 0
    for one in met.identified:
        key = one.raw[kind]
        if key is None or key not in one.identity.keys:
            continue
        if key in met.known:
            unchanged += 1
        elif (here := _known_by_keys(one, met.known)) or met.words_known:
            entry_hashes = one.entry_hashes()
            if seen_here & here or (entry_hashes is not None and entry_hashes.text_key in met.words_known):
                changed += 1
    return changed, unchanged


# --- limits of how often a polled article is read again when its feed entry changes ------------------------

# A live blog grows under one address; its feed entry shows when (another text, or only a later `updated`).
# Other articles are followed, too, but there are feeds whose entries change at every poll: a counter of
# comments, the time of the response as their date. A change beyond the limit is neither accepted nor stored
# as an observation, so it still counts as a change when the limit allows it.

AcceptOutcome = Literal["new", "known", "revision", "forgotten"]


class _ReadCounts(NamedTuple):
    """Readings of one live blog."""

    lately: int  # revisions within `RereadTuning.hours`
    last: dt.datetime  # when its newest entry was accepted


class RereadLimits:
    """Limits for some articles. Live blogs and roundups among them are counted in advance."""

    def __init__(
        self, connection: Connection, articles: Collection[str], now: dt.datetime, tuning: RereadTuning | None
    ) -> None:
        """`tuning` None: no limits."""
        self._connection = connection
        self._now = now
        self._tuning = tuning
        self._reads: dict[str, _ReadCounts] = {}
        if tuning is None:
            return
        containers = select(article.c.id).where(article.c.role == "container")
        for row in list(rows_with(connection, containers, article.c.id, articles)):
            newest = select(func.max(entry.c.accepted_at)).where(entry.c.article == row.id)
            last: dt.datetime | None = connection.execute(newest).scalar_one()
            lately = _recent_reads(connection, row.id, now, tuning)
            self._reads[row.id] = _ReadCounts(lately=lately, last=last or now)

    def is_read_enough(self, id_: str, judged: AcceptOutcome, *, by_page: bool) -> bool:
        """Whether article `id_` has reached its limit; `by_page`: its page would be fetched."""
        if self._tuning is None:
            return False
        reads = self._reads.get(id_)
        if reads is not None:
            return by_page and reads.lately >= self._tuning.most
        if judged != "revision":
            return False
        return _recent_reads(self._connection, id_, self._now, self._tuning) >= self._tuning.others

    def outcome(self, id_: str, item: Entry, judged: AcceptOutcome) -> AcceptOutcome:
        """Return "revision" also if the feed only states a later `updated` of a live blog."""
        reads = self._reads.get(id_)
        if judged != "known" or reads is None or item.updated is None:
            return judged
        return "revision" if item.updated > reads.last else "known"


def _recent_reads(connection: Connection, id_: str, now: dt.datetime, tuning: RereadTuning) -> int:
    since = now - dt.timedelta(hours=tuning.hours)
    again = select(func.count()).where(
        entry.c.article == id_, entry.c.is_revision, entry.c.accepted_at > since
    )
    return connection.execute(again).scalar_one()
