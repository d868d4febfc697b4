"""Identification of received entries: by their keys, and for polls also by extract/entry_matching.py.

It only reads; store/intake/inbox.py writes the results in the same transaction.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from functools import cache, partial
from typing import Literal, NamedTuple

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, bindparam, func, select

from aggregator.config.messages import counted
from aggregator.extract.entry_identity import (
    EntryKeys,
    Identity,
    IdentityTuning,
    content_keys,
    identify,
    raw_keys,
    shared_keys,
    shared_pages,
    update_strikes,
    url_key,
)
from aggregator.extract.entry_matching import (
    EntryHashes,
    EntryMatch,
    Observation,
    find_moved_source,
    hash_entry,
    match_entries,
)
from aggregator.extract.outlets import are_of_one_publisher
from aggregator.extract.urls import canonical_url
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


class IdentifierStability(FrozenStruct):
    """Stability of a source's identifiers; strikes are consecutive polls with new ones for known texts."""

    guid_strikes: int = 0
    url_strikes: int = 0
    guids_distrusted_at: dt.datetime | None = None
    urls_distrusted_at: dt.datetime | None = None

    @property
    def is_in_doubt(self) -> bool:
        """Return whether the last polls had new identifiers, and the next one may end the series."""
        guids = self.guid_strikes > 0 and self.guids_distrusted_at is None
        return guids or (self.url_strikes > 0 and self.urls_distrusted_at is None)


def stability_of(connection: Connection, source_id: str) -> IdentifierStability:
    """Return the stability of a source; without strikes if there is no row."""
    row = connection.execute(_STABILITY, {"source_id": source_id}).first()
    return IdentifierStability() if row is None else IdentifierStability(**row._mapping)


_STABILITY = select(
    *(unstable_identifier.c[name] for name in IdentifierStability.__struct_fields__)
).where(unstable_identifier.c.source == bindparam("source_id"))


def distrusted(connection: Connection) -> dict[str, str]:
    """Return a sentence per source with distrusted identifiers, by id."""
    found = {}
    for row in connection.execute(
        select(unstable_identifier).order_by(unstable_identifier.c.source)
    ):
        changing = ["GUIDs"] if row.guids_distrusted_at is not None else []
        changing += ["addresses"] if row.urls_distrusted_at is not None else []
        if changing:
            found[row.source] = (
                f"the {' and '.join(changing)} of its entries are unstable"
            )
    return found


def _matching_observations(
    connection: Connection, given: Collection[EntryHashes]
) -> list[Observation]:
    """Return the observations of all sources that share a text or title key with one of `given`."""
    text_keys = {one.text_key for one in given if one.text_key is not None}
    title_keys = {one.title_key for one in given if one.title_key is not None}
    rows = [
        *rows_with(connection, _OBSERVATIONS, observation.c.text_key, text_keys),
        *rows_with(connection, _OBSERVATIONS, observation.c.title_key, title_keys),
    ]
    found = {(row.article, row.source, row.content_hash): row._mapping for row in rows}
    return [
        Observation(**{name: found[key][name] for name in _OBSERVED})
        for key in sorted(found)
    ]


_OBSERVED = Observation.__struct_fields__
_OBSERVATIONS = select(
    observation.c.article,
    observation.c.source,
    observation.c.content_hash,
    func.coalesce(observation.c.title_hash, b"").label("title"),
    observation.c.text_key,
    observation.c.title_key,
    observation.c.declared_at.label("minute"),
    observation.c.first_seen_at.label("seen"),
)


# --- keys ---------------------------------------------------------------------------------------------------

NOBODY = ""  # the article of a void key, which different entries share


class RereadTuning(FrozenStruct):
    """Within `hours`, at most `most` readings of a live blog's page and `others` of any other article."""

    most: int
    others: int
    hours: float


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
                cache(partial(content_keys, item, canonical))
                if canonical and is_distinct
                else _no_keys,
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
    known |= _articles_of(
        connection, {key for one in unknown for key in one.content_keys()}
    )
    if poll is None:
        return IdentifiedBatch(identified=tuple(identified), known=known)
    return _met(
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
    for one in identified:
        keys.update(one.identity.keys)
        keys.add(claimed_url(one))
    return _articles_of(connection, keys)


def _articles_of(connection: Connection, keys: Collection[bytes]) -> dict[bytes, str]:
    rows = rows_with(connection, _KEYS, identity_key.c.key, keys)
    return {bytes(row.key): row.article for row in rows}


_KEYS = select(identity_key.c.key, identity_key.c.article)


def claimed_url(one: IdentifiedEntry) -> bytes:
    """Return the key of the URL that a foreign source links to; b"" for other sources."""
    if (
        one.canonical is None
        or one.entry.authority != "foreign"
        or not one.has_own_page
    ):
        return b""
    return url_key(one.canonical)


def _without(
    void: Set[bytes], one: IdentifiedEntry, stability: IdentifierStability
) -> IdentifiedEntry:
    """Return the entry without its void keys. If that of its URL is one, the page is shared, too."""
    if one.canonical is not None and (
        one.raw[1] in void or url_key(one.canonical) in void
    ):
        one = one._replace(has_own_page=False, content_keys=_no_keys)
    if not void.isdisjoint(one.identity.keys):
        one = one._replace(
            identity=_identity(one.entry, one.canonical, stability, void)
        )
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
        _matching_observations(connection, unknown_entries.values())
        if unknown_entries
        else []
    )
    related_sources, moved = _related_sources(
        connection, unknown_entries, observations, source, poll
    )
    taken = {article for one in identified for article in _known_by_keys(one, known)}
    # Two items have a key in common, which may identify neither
    if not taken.isdisjoint(poll.left_out):
        raise WholeFeedNeededError
    taken |= poll.left_out
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
        known_ones = counted(
            len(found), "entry is a known article", "entries are known articles"
        )
        notes.append(f"{known_ones} under new GUIDs or addresses")
    if void:
        notes.append("different entries share a GUID or an address: it is ignored")
    return IdentifiedBatch(
        identified=tuple(met),
        known=known,
        stability=stability,
        void=void,
        words_known=frozenset(
            one.text_key
            for one in observations
            if one.source == source and one.text_key
        ),
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
    return {
        known[key] for key in (*one.identity.keys, claimed_url(one)) if key in known
    }


def _related_sources(
    connection: Connection,
    unknown_entries: Mapping[int, EntryHashes],
    observations: Sequence[Observation],
    polled: str,
    poll: PollContext,
) -> tuple[set[str], bool]:
    """Return the sources whose texts count as this one's, and whether it continues one of them."""
    others = {one.source for one in observations} - {polled}
    if not others:
        return set(), False
    chosen = select(source.c.id, source.c.outlet, source.c.paused, source.c.health)
    existing = list(rows_with(connection, chosen, source.c.id, others))
    related_sources = {
        row.id for row in existing if poll.outlet and row.outlet == poll.outlet
    }
    if not poll.is_first:
        return related_sources, False
    answering = (row for row in existing if not row.paused)
    silent = others - {
        row.id for row in answering if row.health not in ("failing", "gone", "merged")
    }
    moved = find_moved_source(unknown_entries, observations, silent, poll.tuning)
    return (
        (related_sources | {moved}, True)
        if moved is not None
        else (related_sources, False)
    )


# --- unstable identifiers ----------------------------------------------------------------------------------


def count_strikes(
    connection: Connection,
    met: IdentifiedBatch,
    poll: PollContext,
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
        changed, unchanged = _key_changes(met, seen_here, kind)
        if changed and poll.left_out:  # it counts beside those that are as before
            raise WholeFeedNeededError
        strikes = update_strikes(
            getattr(new, f"{name}_strikes"), changed, unchanged, poll.tuning
        )
        new = replace(new, **{f"{name}_strikes": strikes})
        if strikes >= poll.tuning.repeats:
            new = replace(new, **{f"{name}s_distrusted_at": now})
            notes.append(
                f"the {called} of its entries change at every poll: they are ignored from now on"
            )
    if new != met.stability:
        values = {
            "source": met.identified[0].entry.source,
            **msgspec.structs.asdict(new),
        }
        upsert(connection, unstable_identifier, values)
    return notes


def _key_changes(
    met: IdentifiedBatch, seen_here: Set[str], kind: int
) -> tuple[int, int]:
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
            if seen_here & here or (
                entry_hashes is not None and entry_hashes.text_key in met.words_known
            ):
                changed += 1
    return changed, unchanged


# --- limits of how often a polled article is read again when its feed entry changes ------------------------

# A live blog grows under one address; its feed entry shows when (another text, or only a later `updated`).
# Other articles are followed, too, but there are feeds whose entries change at every poll: a counter of
# comments, the time of the response as their date. A change beyond the limit is neither accepted nor stored
# as an observation, so it still counts as a change when the limit allows it.

AcceptOutcome = Literal["new", "known", "revision", "forgotten"]


class RereadLimits:
    """Limits for some articles, for one transaction before it adds entries."""

    def __init__(
        self,
        connection: Connection,
        articles: Collection[str],
        now: dt.datetime,
        tuning: RereadTuning | None,
    ) -> None:
        """`tuning` None: no limits."""
        self._connection = connection
        self._now = now
        self._tuning = tuning
        # Of live blogs: when the newest entry was accepted
        self._newest: dict[str, dt.datetime] = {}
        if tuning is not None:
            live = select(article.c.id).where(article.c.role == "container")
            ids = [
                row.id for row in rows_with(connection, live, article.c.id, articles)
            ]
            newest = select(entry.c.article, func.max(entry.c.accepted_at).label("at"))
            rows = rows_with(
                connection, newest.group_by(entry.c.article), entry.c.article, ids
            )
            self._newest = {row.article: row.at for row in rows}

    def is_read_enough(self, id_: str, judged: AcceptOutcome, *, by_page: bool) -> bool:
        """Whether article `id_` has reached its limit; `by_page`: its page would be fetched."""
        is_live = id_ in self._newest
        if self._tuning is None or not (by_page if is_live else judged == "revision"):
            return False
        since = self._now - dt.timedelta(hours=self._tuning.hours)
        again = entry.c.article == id_, entry.c.is_revision, entry.c.accepted_at > since
        count = self._connection.execute(
            select(func.count()).where(*again)
        ).scalar_one()
        return count >= (self._tuning.most if is_live else self._tuning.others)

    def outcome(self, id_: str, item: Entry, judged: AcceptOutcome) -> AcceptOutcome:
        """Return "revision" also if the feed only states a later `updated` of a live blog."""
        if judged != "known" or item.updated is None or id_ not in self._newest:
            return judged
        return "revision" if item.updated > self._newest[id_] else "known"
