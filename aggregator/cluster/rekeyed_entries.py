"""Known articles under new keys: a polled source's entries whose GUIDs and addresses changed.

Keys come first (identity.py). What no key knows is a stranger, and a stranger may be an article that the
source gave before: its publishing system was replaced, its GUIDs are new at every look. Then words and dates
speak, never one of them alone where it could be a column that comes back daily under one title:

- **sure**: the same words and the same declared minute; or the same title over the same long text, where a
  date is missing. There may be only one such article, and it may not be in this poll under its own keys.
- **edited**: the same title in the same minute, other words. Placing then asks whether the texts resemble.
- **many**: the same title and words, with other dates or none; believed only where nearly all strangers of
  a poll have such a match, each its own. Dates that differ count by themselves: a new system may have dated
  all articles anew, but where the others kept their dates, one with another date is today's column.

The same words at another source count only when both are of one outlet (as the sources say, not the entries),
or when a new source says what one that no longer answers used to say: a feed at a new address.

Strikes: a source whose GUIDs (or addresses) are new while the words are known, poll after poll, is no longer
asked for them.
"""

import datetime as dt
import html
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Literal

import msgspec

from aggregator.model.core import Entry, FrozenStruct

_TAG = re.compile(r"<[^<>]*>")  # stops at the next "<": linear whatever strangers write
_ADDRESS = re.compile(r"https?://\S+")


class IdentityTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `identity` of config/tuning.yaml."""

    least_chars: int
    long_chars: int
    mass_entries: int
    mass_share: float
    moved_entries: int
    distrust_share: float
    distrust_polls: int
    reverts: int


class EntryHashes(FrozenStruct, frozen=True, kw_only=True):
    """What an entry says beside its keys, as hashes. None: too little to tell it from others."""

    title: bytes  # of the title alone
    text_key: bytes | None = None  # of a long text alone; of a short one with its title and minute
    title_key: bytes | None = None  # of source, title and declared minute
    minute: dt.datetime | None = None  # declared; the time of a poll is not
    is_long: bool = False


class Observation(FrozenStruct, frozen=True, kw_only=True):
    """How a known article once looked at a source."""

    article: str
    source: str
    title: bytes
    text_key: bytes | None
    title_key: bytes | None
    minute: dt.datetime | None
    seen: dt.datetime


class UnknownEntry(FrozenStruct, frozen=True, kw_only=True):
    """An entry of a poll that no key knows; `place` is its place among the entries."""

    place: int
    entry_hashes: EntryHashes


class EntryMatch(FrozenStruct, frozen=True, kw_only=True):
    """The article that a stranger is, and what told so."""

    article: str
    by: Literal["words", "title"]


def hash_entry(entry: Entry, tuning: IdentityTuning) -> EntryHashes:
    """The marks of `entry`. Markup and addresses inside the text are left out: they move with the site."""
    title, text = _folded(entry.title), _folded(_plain(entry))
    declared = entry.published if entry.published and entry.published.origin != "poll" else None
    minute = declared.time.replace(second=0, microsecond=0) if declared else None
    moment = minute.isoformat() if minute else ""
    is_long = len(text) >= tuning.long_chars
    text_key = None
    if is_long:
        text_key = _hash("long", text)
    elif len(title) + len(text) >= tuning.least_chars:
        text_key = _hash("short", title, text, moment)
    tells = minute is not None and len(title) >= tuning.least_chars
    return EntryHashes(
        title=_hash("title", title),
        text_key=text_key,
        title_key=_hash("at", entry.source, title, moment) if tells else None,
        minute=minute,
        is_long=is_long,
    )


def match_entries(
    unknown_entries: Sequence[UnknownEntry],
    observations: Iterable[Observation],
    *,
    source: str,
    related_sources: Collection[str],
    taken: Collection[str],
    tuning: IdentityTuning,
) -> dict[int, EntryMatch]:
    """Which articles the strangers of one poll of `source` are, by their places.

    `observations` are all that share a key of their marks; `related_sources` the sources that speak for the
    same outlet; `taken`
    the articles that this poll has under known keys.
    """
    own: list[Observation] = []
    beside: list[Observation] = []
    for observation in sorted(observations, key=lambda one: (one.seen, one.article)):
        (own if observation.source == source else beside).append(observation)
    texts, titles = _by(own, "text_key"), _by(own, "title_key")
    of_related = _by(
        [observation for observation in beside if observation.source in related_sources], "text_key"
    )
    found: dict[int, EntryMatch] = {}
    used = set(taken)

    def take(unknown_entry: UnknownEntry, articles: list[str], by: Literal["words", "title"]) -> None:
        if len(articles) == 1 and articles[0] not in used:
            used.add(articles[0])
            found[unknown_entry.place] = EntryMatch(article=articles[0], by=by)

    for one in unknown_entries:
        take(
            one,
            _articles(
                observation
                for observation in texts[one.entry_hashes.text_key]
                if _is_sure(one.entry_hashes, observation)
            ),
            "words",
        )
        if one.place not in found:
            near = [
                observation
                for observation in of_related[one.entry_hashes.text_key]
                if _is_same(one.entry_hashes, observation)
            ]
            take(one, _articles(near), "words")
    for one in unknown_entries:
        if one.place not in found:
            take(one, _articles(titles[one.entry_hashes.title_key]), "title")
    left = [one for one in unknown_entries if one.place not in found]
    undated, dated = _match_in_order(left, texts, used)
    if _is_mass(len(found) + len(undated), len(unknown_entries), tuning):
        found |= undated
    if _is_mass(len(dated), len(left) - len(undated), tuning):
        found |= dated
    return found


def find_moved_source(
    unknown_entries: Sequence[UnknownEntry],
    observations: Iterable[Observation],
    silent: Collection[str],
    tuning: IdentityTuning,
) -> str | None:
    """The one source, of those in `silent`, that said nearly all of this before; None: none, or several."""
    said: dict[str, set[int]] = defaultdict(set)
    texts = _by([observation for observation in observations if observation.source in silent], "text_key")
    for one in unknown_entries:
        for observation in texts[one.entry_hashes.text_key]:
            if _is_same(one.entry_hashes, observation):
                said[observation.source].add(one.place)
    fitting = [
        source
        for source, places in sorted(said.items())
        if len(places) >= tuning.moved_entries and len(places) > tuning.mass_share * len(unknown_entries)
    ]
    return fitting[0] if len(fitting) == 1 else None


def update_strikes(strikes: int, changed_entries: int, stable_entries: int, tuning: IdentityTuning) -> int:
    """Polls running in which a kind of key was new for articles known otherwise (`changed_entries`
    entries).
    """
    if changed_entries + stable_entries == 0:
        return strikes
    return strikes + 1 if changed_entries > tuning.distrust_share * (changed_entries + stable_entries) else 0


def _is_sure(entry_hashes: EntryHashes, observation: Observation) -> bool:
    if entry_hashes.minute is not None and observation.minute is not None:
        return entry_hashes.minute == observation.minute
    return entry_hashes.is_long and entry_hashes.title == observation.title


def _is_same(entry_hashes: EntryHashes, observation: Observation) -> bool:
    """Sure across sources: words and title and, where both have one, the minute."""
    return entry_hashes.title == observation.title and _is_sure(entry_hashes, observation)


def _is_mass(count: int, of: int, tuning: IdentityTuning) -> bool:
    return count >= tuning.mass_entries and count > tuning.mass_share * of


def _match_in_order(
    unknown_entries: Sequence[UnknownEntry],
    texts: Mapping[bytes | None, list[Observation]],
    used: Collection[str],
) -> tuple[dict[int, EntryMatch], dict[int, EntryMatch]]:
    """One article of the same title and words for each stranger, the oldest first.

    Those where a date is missing, and those where two dates disagree.
    """
    undated: dict[int, EntryMatch] = {}
    dated: dict[int, EntryMatch] = {}
    gone = set(used)
    for one in unknown_entries:
        alike = [
            observation
            for observation in texts[one.entry_hashes.text_key]
            if observation.title == one.entry_hashes.title
        ]
        observation = next((observation for observation in alike if observation.article not in gone), None)
        if observation is None:
            continue
        gone.add(observation.article)
        disagree = one.entry_hashes.minute is not None and observation.minute not in (
            None,
            one.entry_hashes.minute,
        )
        (dated if disagree else undated)[one.place] = EntryMatch(article=observation.article, by="words")
    return undated, dated


def _by(
    observations: Iterable[Observation], key: Literal["text_key", "title_key"]
) -> defaultdict[bytes | None, list[Observation]]:
    found: defaultdict[bytes | None, list[Observation]] = defaultdict(list)
    for observation in observations:
        if (value := getattr(observation, key)) is not None:
            found[value].append(observation)
    return found


def _articles(observations: Iterable[Observation]) -> list[str]:
    """Each once, in their order."""
    return list(dict.fromkeys(observation.article for observation in observations))


# --- keys that say nothing ---------------------------------------------------------------------------------


class EntryKeys(FrozenStruct, frozen=True, kw_only=True):
    """The keys that one entry of a poll comes with, and its title with its declared time."""

    guid: bytes | None
    url: bytes | None
    headline: str


def shared_keys(claims: Sequence[EntryKeys]) -> set[bytes]:
    """Keys that entries of one poll share although they differ in title or time, and in the other key.

    A feed whose entries all link to the home page, or whose GUIDs are all "0", tells nothing by them.
    """
    return _shared(claims, "url", "guid") | _shared(claims, "guid", "url")


def _shared(
    claims: Sequence[EntryKeys], one: Literal["guid", "url"], other: Literal["guid", "url"]
) -> set[bytes]:
    held: dict[bytes, list[EntryKeys]] = defaultdict(list)
    for claim in claims:
        if (key := getattr(claim, one)) is not None:
            held[key].append(claim)
    return {key for key, holders in held.items() if _are_different(holders, other)}


def _are_different(holders: Sequence[EntryKeys], other: Literal["guid", "url"]) -> bool:
    """Whether two of them differ in the headline and in the other key, or have no such key."""
    headlines: dict[bytes | None, set[str]] = defaultdict(set)
    for one in holders:
        headlines[getattr(one, other)].add(one.headline)
    return len(set().union(*headlines.values())) > 1 and (len(headlines) > 1 or None in headlines)


# --- folding -----------------------------------------------------------------------------------------------


def _plain(entry: Entry) -> str:
    if entry.text and entry.text.strip():
        return entry.text
    return html.unescape(_TAG.sub(" ", entry.html or ""))


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", _ADDRESS.sub(" ", text)).casefold().split())


def _hash(kind: str, *parts: str) -> bytes:
    joined = "\0".join((kind, *parts)).encode("utf-8", "surrogatepass")
    return blake2b(joined, digest_size=16).digest()
