"""Who entries at the door are: their keys, and for a poll's what no key tells (cluster/rekeyed_entries.py).

Reads rows and decides; `inbox` writes what came of it, in the same transaction.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Sequence, Set
from functools import cache, partial
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, select

from aggregator.cluster.entry_identity import Identity, identify, raw_keys, url_key
from aggregator.cluster.rekeyed_entries import (
    Claim,
    IdentityRules,
    Look,
    Marks,
    Match,
    Stranger,
    marks_of,
    moved_from,
    recognised,
    shared_keys,
    strikes_after,
)
from aggregator.config.messages import counted
from aggregator.extract.urls import canonical_url, same_site
from aggregator.model.core import Entry, Noun
from aggregator.store.intake import unstable_keys
from aggregator.store.intake.reread_limits import LiveRules
from aggregator.store.intake.unstable_keys import Habit
from aggregator.store.tables import identity_key, in_parts

NOBODY = ""  # the article of a key that says nothing


class Poll(Noun, frozen=True, kw_only=True):
    """What accepting must know of the source whose poll brought the entries."""

    outlet: str | None  # as chosen for the source; never what an entry claims
    is_first: bool
    rules: IdentityRules
    live: LiveRules | None = None  # how often a live blog's page is read again; None: at every change


class Caller(NamedTuple):
    """An entry at the door."""

    entry: Entry
    canonical: str | None
    raw: tuple[bytes | None, bytes | None]  # the keys of GUID and URL, asked or not
    identity: Identity
    marks: Callable[[], Marks | None]  # of a poll's entries; worked out once, where it is asked
    match: Match | None = None  # the article that it is though no key of it is known


class Met(Noun, frozen=True, kw_only=True):
    """The entries of one batch, against what is known."""

    callers: tuple[Caller, ...]
    known: dict[bytes, str]  # key to article
    habit: Habit = Habit()  # of the source, before this poll
    void: frozenset[bytes] = frozenset()  # keys that turned out to say nothing
    words_known: frozenset[bytes] = frozenset()  # text keys of strangers that the source had before
    moved: bool = False  # the source goes on where another one ended
    notes: tuple[str, ...] = ()  # for the log


def meet(connection: Connection, entries: Sequence[Entry], poll: Poll | None) -> Met:
    """What is known of `entries`; those of a poll are all of one source."""
    source = entries[0].source
    habit = unstable_keys.habit_of(connection, source) if poll else Habit()
    callers = []
    for given in entries:
        canonical = canonical_url(given.url) if given.url else None
        item = _speaking(given, canonical)
        marks = cache(partial(_marks, item, poll))
        raw = raw_keys(item, canonical)
        callers.append(Caller(item, canonical, raw, _identity(item, canonical, habit), marks))
    known = known_articles(connection, callers)
    shared = shared_keys([_claim(one) for one in callers]) if poll else set()
    told = {key for key, article in known.items() if article == NOBODY}
    void = told | shared
    if void:
        callers = [
            one._replace(identity=_identity(one.entry, one.canonical, habit, void))
            if void.intersection(one.identity.keys)
            else one
            for one in callers
        ]
        known |= known_articles(connection, callers)
        known = {key: article for key, article in known.items() if key not in void}
    if poll is None:
        return Met(callers=tuple(callers), known=known)
    return _met(connection, callers, known, poll, habit=habit, void=frozenset(shared - told))


def known_articles(connection: Connection, callers: Iterable[Caller]) -> dict[bytes, str]:
    """The articles that keys of `callers` mean, also those that foreign ones only link to."""
    keys: set[bytes] = set()
    for one in callers:
        keys.update(one.identity.keys)
        keys.add(claimed_url(one))
    known: dict[bytes, str] = {}
    for chunk in in_parts(sorted(keys)):
        statement = select(identity_key.c.key, identity_key.c.article).where(identity_key.c.key.in_(chunk))
        known.update((bytes(row.key), row.article) for row in connection.execute(statement))
    return known


def claimed_url(one: Caller) -> bytes:
    """The key of the URL that a foreign source links to; empty (a key of nobody) otherwise."""
    return b"" if one.canonical is None or one.entry.authority != "foreign" else url_key(one.canonical)


def _speaking(item: Entry, canonical: str | None) -> Entry:
    """The entry with the authority that it has: its own address may lead to another site's article.

    A search engine's feed is read from the engine's site and so are the addresses in it; what they unwrap to
    is somebody else's.
    """
    if item.authority != "own" or not item.url or canonical is None:
        return item
    # The first is cheap, and true of nearly all.
    is_same = _labels(item.url).endswith(_labels(canonical)) or same_site(item.url, canonical)
    return item if is_same else msgspec.structs.replace(item, authority="foreign")


def _labels(url: str) -> str:
    return "." + url.partition("//")[2].partition("/")[0].lower()


def _identity(item: Entry, canonical: str | None, habit: Habit, void: Collection[bytes] = ()) -> Identity:
    return identify(
        item,
        canonical,
        void=void,
        asks_guid=habit.guids_distrusted_at is None,
        asks_url=habit.urls_distrusted_at is None,
    )


def _claim(one: Caller) -> Claim:
    guid, url = one.raw
    published = one.entry.published
    moment = published.time.isoformat() if published and published.origin != "poll" else ""
    return Claim(guid=guid, url=url, headline=" ".join([*one.entry.title.casefold().split(), moment]))


def _marks(item: Entry, poll: Poll | None) -> Marks | None:
    return marks_of(item, poll.rules) if poll else None


# --- a poll ------------------------------------------------------------------------------------------------


def _met(
    connection: Connection,
    callers: list[Caller],
    known: dict[bytes, str],
    poll: Poll,
    *,
    habit: Habit,
    void: frozenset[bytes],
) -> Met:
    source = callers[0].entry.source
    strangers = _strangers(callers, known)
    looks = unstable_keys.looks_like(connection, [one.marks for one in strangers]) if strangers else []
    kin, moved = _kin(connection, strangers, looks, source, poll)
    taken = {article for one in callers for article in _known_by_keys(one, known)}
    found = recognised(strangers, looks, source=source, kin=kin, taken=taken, rules=poll.rules)
    met = [one._replace(match=found.get(place)) for place, one in enumerate(callers)]
    notes = []
    if found:
        known_ones = counted(len(found), "entry is a known article", "entries are known articles")
        notes.append(f"{known_ones} under new GUIDs or addresses")
    if void:
        notes.append("different entries share a GUID or an address: they are told apart without it")
    return Met(
        callers=tuple(met),
        known=known,
        habit=habit,
        void=void,
        words_known=frozenset(one.text_key for one in looks if one.source == source and one.text_key),
        moved=moved,
        notes=tuple(notes),
    )


def _strangers(callers: Sequence[Caller], known: dict[bytes, str]) -> list[Stranger]:
    """The entries that no key knows, each key once."""
    strangers = []
    met: set[bytes] = set()
    for place, one in enumerate(callers):
        if not _known_by_keys(one, known) and met.isdisjoint(one.identity.keys):
            marks = one.marks()
            assert marks is not None, "of a poll"
            strangers.append(Stranger(place=place, marks=marks))
        met.update(one.identity.keys)
    return strangers


def _known_by_keys(one: Caller, known: dict[bytes, str]) -> set[str]:
    return {known[key] for key in (*one.identity.keys, claimed_url(one)) if key in known}


def _kin(
    connection: Connection, strangers: Sequence[Stranger], looks: Sequence[Look], source: str, poll: Poll
) -> tuple[set[str], bool]:
    """The other sources whose words count as this one's, and whether it goes on where one of them ended."""
    others = {look.source for look in looks} - {source}
    if not others:
        return set(), False
    voices = unstable_keys.voices(connection, others)
    kin = {id_ for id_, voice in voices.items() if poll.outlet and voice.outlet == poll.outlet}
    if not poll.is_first:
        return kin, False
    silent = {id_ for id_ in others if id_ not in voices or not voices[id_].answers}
    moved = moved_from(strangers, looks, silent, poll.rules)
    return (kin | {moved}, True) if moved is not None else (kin, False)


# --- restless keys -----------------------------------------------------------------------------------------


def count_strikes(
    connection: Connection, met: Met, rules: IdentityRules, now: dt.datetime, *, seen_here: Set[str]
) -> list[str]:
    """Count which kinds of keys were new for what the source had before; what follows from it, in words.

    `seen_here` are the known articles that this source had before: one that came by another source first has
    its GUID here for the first time.
    """
    old = met.habit
    guid_strikes, guids_at = old.guid_strikes, old.guids_distrusted_at
    url_strikes, urls_at = old.url_strikes, old.urls_distrusted_at
    notes = []
    if guids_at is None:
        guid_strikes = strikes_after(guid_strikes, *_unrest(met, seen_here, 0), rules)
        if guid_strikes >= rules.distrust_polls:
            guids_at = now
            notes.append("the GUIDs of its entries change at every poll: from now on they are not asked")
    if urls_at is None:
        url_strikes = strikes_after(url_strikes, *_unrest(met, seen_here, 1), rules)
        if url_strikes >= rules.distrust_polls:
            urls_at = now
            notes.append("the addresses of its entries change at every poll: from now on they are not asked")
    new = Habit(
        guid_strikes=guid_strikes,
        url_strikes=url_strikes,
        guids_distrusted_at=guids_at,
        urls_distrusted_at=urls_at,
    )
    if new != old:
        unstable_keys.save_habit(connection, met.callers[0].entry.source, new)
    return notes


def _unrest(met: Met, seen_here: Set[str], kind: int) -> tuple[int, int]:
    """Entries had before whose key of one kind (0: GUID, 1: URL) is new, and those whose key is known."""
    restless = settled = 0
    for one in met.callers:
        key = one.raw[kind]
        if key is None or key not in one.identity.keys:
            continue
        if key in met.known:
            settled += 1
        elif (here := _known_by_keys(one, met.known)) or met.words_known:
            marks = one.marks()
            if seen_here & here or (marks is not None and marks.text_key in met.words_known):
                restless += 1
    return restless, settled
