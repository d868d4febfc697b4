"""Identity of entries: their keys and ids, and entries whose GUIDs and URLs changed.

An entry is known when one of its keys is known:

1. its source and GUID;
2. its canonical URL, across sources;
3. if it has neither: its title and text within its outlet (or its file's name), together with the id of its
   record, so that rows of one file are different articles, and two files may number their rows alike.

An entry with only unknown keys may still be a known article, see below. There are also the keys of a
URL together with its content.

Keys are 16-byte hashes. The id of an article is derived from its strongest key (URL, GUID, text in this
order), so the same input gives the same ids on every installation. No key contains a local host name or an
absolute path.

Entries of a poll whose GUIDs and URLs changed are matched with known articles. An entry without a known key
may still be an article that the source had before: its publishing system was replaced, or its GUIDs change at
every poll. Then text and dates are compared, never one of them alone if it could be a column that appears
daily under one title:

- **sure**: the same text and declared minute, or the same title over the same long text where a date is
  missing. There must be only one such article, and the poll must not have it under its known keys.
- **edited**: the same title and minute, but other text. Placing then checks whether the texts resemble each
  other.
- **many**: the same title and text, with different dates or none; accepted only if nearly all unknown entries
  of a poll match so, each its own article. Entries with different dates are counted separately: a new system
  may have changed all dates, but if the others kept theirs, an entry with another date is a new issue of a
  column.

The same text at another source matches only if both sources have one outlet (as configured, not as an entry
claims), or if a new source has the articles of one that no longer responds: a feed at a new URL.

Different sources of one URL: `content_keys`, see ADR 20.

Strikes: a source whose GUIDs (or URLs) change while the text stays the same, in poll after poll, has an
unstable identifier, and it is no longer used. See ADR 20.
"""

import base64
import datetime as dt
import hashlib
import html
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

from aggregator.model.core import Entry, FrozenStruct

# 80 bits, 16 characters; 10 million articles collide with a probability of 4e-11
_ID_BYTES = 10


class Identity(FrozenStruct):
    """The identity keys of an entry, and the id of its article if no key is known."""

    keys: tuple[bytes, ...]
    article: str
    # Of the declared text (spaces and case folded); an equal hash means no change
    content_hash: bytes


def identify(
    entry: Entry,
    canonical_url: str | None,
    *,
    void: Collection[bytes] = (),
    use_guid: bool = True,
    use_url: bool = True,
) -> Identity:
    """Return the identity of `entry`, whose URL has the canonical form `canonical_url`.

    An entry of a foreign source (an aggregator that links to another site) does not get the key of the URL:
    it has its own GUID until the site itself is read. Keys in `void` are ignored; `use_guid` and `use_url`
    are false for a source whose identifiers are unstable. An entry that is left without keys is identified by
    its text and its declared time.
    """
    guid, url = raw_keys(entry, canonical_url)
    keys = [
        key
        for key in (url if use_url else None, guid if use_guid else None)
        if key is not None
    ]
    keys = [key for key in keys if key not in void]
    if not keys:
        parts = [entry.outlet or entry.source, _folded(entry)]
        if entry.guid or canonical_url is not None:
            parts.append(_declared(entry))
        keys = [
            _key("text", *parts)
            if entry.record_id is None
            else _key("record", entry.record_id, *parts)
        ]
    if entry.record is not None:  # it has a GUID, so that no key needs its page
        content = entry.record.content_hash
    # What is declared; the time of a poll and tracking parameters of the URL are no change
    else:
        address = (canonical_url or entry.url or "") if use_url else ""
        content = _key("content", _folded(entry), _declared(entry), address)
    return Identity(keys=tuple(keys), article=short_id(keys[0]), content_hash=content)


def raw_keys(
    entry: Entry, canonical_url: str | None
) -> tuple[bytes | None, bytes | None]:
    """Return the keys of the GUID and of the URL, each None where the entry has none or may not use it.

    The URL of a site's home page identifies no article if there is a GUID, or the id of a record.
    """
    guid = _key("guid", entry.source, entry.guid) if entry.guid else None
    if canonical_url is None or (
        (entry.guid or entry.record_id)
        and not canonical_url.removeprefix("https://").partition("/")[2]
    ):
        return guid, None
    if entry.authority != "foreign":
        return guid, _key("url", canonical_url)
    return guid, _key("link", entry.source, canonical_url) if guid is None else None


def url_key(canonical_url: str) -> bytes:
    """Return the key of an article's canonical URL."""
    return _key("url", canonical_url)


def short_id(*parts: bytes) -> str:
    """Return a hash of `parts` as 16 characters of lower-case base32, for use in URLs."""
    digest = hashlib.blake2b(b"\0".join(parts), digest_size=_ID_BYTES).digest()
    return base64.b32encode(digest).decode().lower()


def story_id(founder: str, founding: int) -> str:
    """Return the id of the story that article `founder` founds after it has founded `founding` others."""
    return short_id(b"story", founder.encode(), str(founding).encode())


def next_generation_id(article: str, generation: int) -> str:
    """Return the id of a later article with the same key: one URL, another text (a reused "/live" page)."""
    return short_id(b"again", article.encode(), str(generation).encode())


def _key(kind: str, *parts: str) -> bytes:
    joined = "\0".join((kind, *parts)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=16).digest()


def _folded(entry: Entry) -> str:
    # unfolded: folding 500 KB of markup is as expensive as extracting its text
    if entry.is_page:
        return f"{entry.title}\n{entry.html or ''}"
    text = f"{entry.title}\n{entry.text or ''}\n{entry.html or ''}"
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _declared(entry: Entry) -> str:
    """Return the time that the entry declares; "" where it is only the time of a poll."""
    declared = (
        entry.published
        if entry.published and entry.published.origin != "poll"
        else None
    )
    return declared.time.isoformat() if declared else ""


_TAG = re.compile(r"<[^<>]*>")  # stops at the next "<": linear time for any input
_ADDRESS = re.compile(r"https?://\S+")


class IdentityTuning(FrozenStruct):
    """Section `identity` of config/tuning.yaml."""

    min_chars: int
    long_chars: int
    mass_entries: int
    mass_share: float
    repeats: int


class EntryHashes(FrozenStruct):
    """Hashes of an entry's content besides its keys. None: too little text to identify it."""

    title: bytes  # of the title alone
    # Of a long text alone; of a short one with its title and minute
    text_key: bytes | None = None
    title_key: bytes | None = None  # of source, title and declared minute
    # declared; None where only the time of a poll is known
    minute: dt.datetime | None = None
    is_long: bool = False


class Observation(FrozenStruct):
    """A known article as a source showed it at one time."""

    article: str
    source: str
    title: bytes
    text_key: bytes | None
    title_key: bytes | None
    minute: dt.datetime | None
    seen: dt.datetime


class EntryMatch(FrozenStruct):
    """The known article of an unknown entry, and what identified it."""

    article: str
    by: Literal["words", "title"]


Matches = dict[int, EntryMatch]  # by the index of the entry in its poll


def hash_entry(entry: Entry, tuning: IdentityTuning) -> EntryHashes:
    """Return the hashes of `entry`, without markup and URLs in the text: these change with the site."""
    title, text = _folded_text(entry.title), _folded_text(_plain(entry))
    minute = _declared_minute(entry)
    moment = minute.isoformat() if minute else ""
    is_long = len(text) >= tuning.long_chars
    text_key = None
    if is_long:
        text_key = _key("long", text)
    elif len(title) + len(text) >= tuning.min_chars:
        text_key = _key("short", title, text, moment)
    is_identifying = minute is not None and len(title) >= tuning.min_chars
    return EntryHashes(
        title=_key("title", title),
        text_key=text_key,
        title_key=_key("at", entry.source, title, moment) if is_identifying else None,
        minute=minute,
        is_long=is_long,
    )


def content_keys(entry: Entry, canonical_url: str) -> tuple[bytes, ...]:
    """Return the identity keys of an entry's URL together with what is said there: its title and declared
    minute, and its title and text.

    They recognise an article that another source delivered when that source may not use the key of the URL.
    """
    if entry.is_page:
        return ()
    title, text = _folded_text(entry.title), _folded_text(_plain(entry))
    keys = []
    if title and (minute := _declared_minute(entry)) is not None:
        keys.append(_key("there at", canonical_url, title, minute.isoformat()))
    if title or text:
        keys.append(_key("there", canonical_url, title, text))
    return tuple(keys)


def match_entries(
    unknown_entries: Mapping[int, EntryHashes],
    observations: Iterable[Observation],
    *,
    source: str,
    related_sources: Collection[str],
    taken: Collection[str],
    tuning: IdentityTuning,
) -> Matches:
    """Return the articles of the unknown entries of one poll of `source`, by their index in the poll.

    `unknown_entries` are those without a known key, by their index. `observations` are all that share a hash
    with one of them, `related_sources` the sources of the same outlet, `taken` the articles that this poll
    has under known keys.
    """
    own: list[Observation] = []
    related: list[Observation] = []
    for observation in sorted(observations, key=lambda one: (one.seen, one.article)):
        if observation.source == source:
            own.append(observation)
        elif observation.source in related_sources:
            related.append(observation)
    texts, titles, of_related = (
        _by(own, "text_key"),
        _by(own, "title_key"),
        _by(related, "text_key"),
    )
    matches: Matches = {}
    used = set(taken)

    def take(
        place: int, found: Iterable[Observation], by: Literal["words", "title"]
    ) -> None:
        articles = {observation.article for observation in found}
        if len(articles) == 1 and place not in matches and used.isdisjoint(articles):
            used.update(articles)
            matches[place] = EntryMatch(article=articles.pop(), by=by)

    for place, hashes in unknown_entries.items():
        take(
            place,
            (one for one in texts[hashes.text_key] if _is_sure(hashes, one)),
            "words",
        )
        take(
            place,
            (one for one in of_related[hashes.text_key] if _is_same(hashes, one)),
            "words",
        )
    for place, hashes in unknown_entries.items():
        take(place, titles[hashes.title_key], "title")
    remaining = {
        place: hashes
        for place, hashes in unknown_entries.items()
        if place not in matches
    }
    undated, dated = _match_in_order(remaining, texts, used)
    if _is_mass(len(matches) + len(undated), len(unknown_entries), tuning):
        matches |= undated
    if _is_mass(len(dated), len(remaining) - len(undated), tuning):
        matches |= dated
    return matches


def find_moved_source(
    unknown_entries: Mapping[int, EntryHashes],
    observations: Iterable[Observation],
    silent: Collection[str],
    tuning: IdentityTuning,
) -> str | None:
    """Return the one source in `silent` that had nearly all of these entries, None for none or several."""
    places_by_source: dict[str, set[int]] = defaultdict(set)
    texts = _by(
        [observation for observation in observations if observation.source in silent],
        "text_key",
    )
    for place, hashes in unknown_entries.items():
        for observation in texts[hashes.text_key]:
            if _is_same(hashes, observation):
                places_by_source[observation.source].add(place)
    fitting = [
        source
        for source, places in sorted(places_by_source.items())
        if _is_mass(len(places), len(unknown_entries), tuning)
    ]
    return fitting[0] if len(fitting) == 1 else None


def update_strikes(
    strikes: int, changed_entries: int, stable_entries: int, tuning: IdentityTuning
) -> int:
    """Return the number of consecutive polls in which a kind of key changed for known articles.

    `changed_entries` and `stable_entries` count this poll's entries of known articles with a new key, and
    with their old one.
    """
    if changed_entries + stable_entries == 0:
        return strikes
    return (
        strikes + 1
        if changed_entries > tuning.mass_share * (changed_entries + stable_entries)
        else 0
    )


def _is_sure(entry_hashes: EntryHashes, observation: Observation) -> bool:
    if entry_hashes.minute is not None and observation.minute is not None:
        return entry_hashes.minute == observation.minute
    return entry_hashes.is_long and entry_hashes.title == observation.title


def _is_same(entry_hashes: EntryHashes, observation: Observation) -> bool:
    """Return whether text, title and, where both have one, minute are the same.

    Sure enough across sources.
    """
    return entry_hashes.title == observation.title and _is_sure(
        entry_hashes, observation
    )


def _is_mass(count: int, of: int, tuning: IdentityTuning) -> bool:
    return count >= tuning.mass_entries and count > tuning.mass_share * of


def _match_in_order(
    unknown_entries: Mapping[int, EntryHashes],
    texts: Mapping[bytes | None, list[Observation]],
    used: Collection[str],
) -> tuple[Matches, Matches]:
    """Match each entry with one article of the same title and text, the oldest first.

    Return the matches in which a date is missing, and those in which two dates differ.
    """
    undated: Matches = {}
    dated: Matches = {}
    taken = set(used)
    for place, hashes in unknown_entries.items():
        same_text = (one for one in texts[hashes.text_key] if one.title == hashes.title)
        observation = next((one for one in same_text if one.article not in taken), None)
        if observation is None:
            continue
        taken.add(observation.article)
        disagree = hashes.minute is not None and observation.minute not in (
            None,
            hashes.minute,
        )
        (dated if disagree else undated)[place] = EntryMatch(
            article=observation.article, by="words"
        )
    return undated, dated


def _by(
    observations: Iterable[Observation], key: Literal["text_key", "title_key"]
) -> defaultdict[bytes | None, list[Observation]]:
    groups: defaultdict[bytes | None, list[Observation]] = defaultdict(list)
    for observation in observations:
        if (value := getattr(observation, key)) is not None:
            groups[value].append(observation)
    return groups


# --- ambiguous keys ----------------------------------------------------------------------------------------


class EntryKeys(FrozenStruct):
    """The keys of one entry of a poll, and its title with its declared time."""

    guid: bytes | None
    url: bytes | None
    headline: str


def shared_keys(entries: Sequence[EntryKeys]) -> set[bytes]:
    """Return the keys that entries of one poll share although they have different titles or times.

    They must also differ in the other key. Such keys identify nothing: all entries link to the home page, or
    all GUIDs are "0".
    """
    return _shared(entries, "url", "guid") | _shared(entries, "guid", "url")


def _shared(
    entries: Sequence[EntryKeys],
    one: Literal["guid", "url"],
    other: Literal["guid", "url"],
) -> set[bytes]:
    holders_by_key: dict[bytes, list[EntryKeys]] = defaultdict(list)
    for entry in entries:
        if (key := getattr(entry, one)) is not None:
            holders_by_key[key].append(entry)
    return {
        key for key, holders in holders_by_key.items() if _are_different(holders, other)
    }


def _are_different(holders: Sequence[EntryKeys], other: Literal["guid", "url"]) -> bool:
    """Return whether two of them differ in the headline and in the other key, or have no such key."""
    headlines: dict[bytes | None, set[str]] = defaultdict(set)
    for one in holders:
        headlines[getattr(one, other)].add(one.headline)
    return len(set().union(*headlines.values())) > 1 and (
        len(headlines) > 1 or None in headlines
    )


def shared_pages(
    entries: Sequence[Entry], canonical_urls: Sequence[str | None]
) -> set[int]:
    """Return the places of the entries that are parts of one page: their URLs differ in the fragment only,
    and they have different titles. The page is the text of none of them.
    """
    by_page: dict[str, list[int]] = defaultdict(list)
    for place, canonical in enumerate(canonical_urls):
        if canonical is not None:
            by_page[canonical].append(place)
    shared: set[int] = set()
    for places in by_page.values():
        fragments = {_fragment(entries[place]) for place in places}
        if (
            len(fragments) > 1
            and len({_folded_text(entries[place].title) for place in places}) > 1
        ):
            shared.update(place for place in places if _fragment(entries[place]))
    return shared


def _fragment(entry: Entry) -> str:
    return (entry.url or "").partition("#")[2]


# --- folding -----------------------------------------------------------------------------------------------


def _plain(entry: Entry) -> str:
    if entry.text and entry.text.strip():
        return entry.text
    return html.unescape(_TAG.sub(" ", entry.html or ""))


def _declared_minute(entry: Entry) -> dt.datetime | None:
    declared = (
        entry.published
        if entry.published and entry.published.origin != "poll"
        else None
    )
    return declared.time.replace(second=0, microsecond=0) if declared else None


def _folded_text(text: str) -> str:
    return " ".join(
        unicodedata.normalize("NFKC", _ADDRESS.sub(" ", text)).casefold().split()
    )
