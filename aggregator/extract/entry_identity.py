"""Identity of entries: their keys and ids, and the keys of a poll that identify nothing.

An entry is known when one of its keys is known:

1. its source and GUID;
2. its canonical URL, across sources;
3. if it has neither: its title and text within its outlet (or its file's name), together with the id of its
   record, so that rows of one file are different articles, and two files may number their rows alike.

An entry with only unknown keys may still be a known article, see entry_matching.py. There are also the keys of a
URL together with its content (`content_keys`), for different sources of one URL, see ADR 20.

Keys are 16-byte hashes. The id of an article is derived from its strongest key (URL, GUID, text in this
order), so the same input gives the same ids on every installation. No key contains a local host name or an
absolute path.

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
from collections.abc import Collection, Sequence
from typing import Literal

from aggregator.model.entry import Entry
from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import one_line

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
    keys = []
    for key, is_used in ((url, use_url), (guid, use_guid)):
        if key is not None and is_used and key not in void:
            keys.append(key)
    if not keys:
        parts = [entry.outlet or entry.source, _folded(entry)]
        if entry.guid or canonical_url is not None:
            parts.append(_declared(entry))
        if entry.record_id is None:
            keys = [hashed_key("text", *parts)]
        else:
            keys = [hashed_key("record", entry.record_id, *parts)]
    address = ""
    if use_url:
        address = canonical_url or entry.url or ""
    return Identity(
        keys=tuple(keys),
        article=short_id(keys[0]),
        content_hash=_content_hash(entry, address),
    )


def _content_hash(entry: Entry, address: str) -> bytes:
    """Hash what is declared; the time of a poll and tracking parameters of the URL are no change."""
    if entry.record is not None:  # it has a GUID, so that no key needs its page
        return entry.record.content_hash
    return hashed_key("content", _folded(entry), _declared(entry), address)


def raw_keys(
    entry: Entry, canonical_url: str | None
) -> tuple[bytes | None, bytes | None]:
    """Return the keys of the GUID and of the URL, each None where the entry has none or may not use it.

    The URL of a site's home page identifies no article if there is a GUID, or the id of a record.
    """
    guid = hashed_key("guid", entry.source, entry.guid) if entry.guid else None
    if canonical_url is None or (
        (entry.guid or entry.record_id)
        and not canonical_url.removeprefix("https://").partition("/")[2]
    ):
        return guid, None
    if entry.authority != "foreign":
        return guid, url_key(canonical_url)
    if guid is not None:
        return guid, None
    return None, hashed_key("link", entry.source, canonical_url)


def url_key(canonical_url: str) -> bytes:
    """Return the key of an article's canonical URL."""
    return hashed_key("url", canonical_url)


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


def hashed_key(kind: str, *parts: str) -> bytes:
    joined = "\0".join((kind, *parts)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=16).digest()


def _folded(entry: Entry) -> str:
    # unfolded: folding 500 KB of markup is as expensive as extracting its text
    if entry.is_page:
        return f"{entry.title}\n{entry.html or ''}"
    text = f"{entry.title}\n{entry.text or ''}\n{entry.html or ''}"
    return _case_folded(text)


def _case_folded(text: str) -> str:
    return one_line(unicodedata.normalize("NFKC", text).casefold())


def _declared(entry: Entry) -> str:
    """Return the time that the entry declares; "" where it is only the time of a poll."""
    declared = _declared_time(entry)
    return declared.isoformat() if declared else ""


_TAG = re.compile(r"<[^<>]*>")  # stops at the next "<": linear time for any input
_ADDRESS = re.compile(r"https?://\S+")


class IdentityTuning(FrozenStruct):
    """Section `identity` of config/tuning.yaml."""

    min_chars: int
    long_chars: int
    mass_entries: int
    mass_share: float
    repeats: int


def content_keys(entry: Entry, canonical_url: str) -> tuple[bytes, ...]:
    """Return the identity keys of an entry's URL together with what is said there: its title and declared
    minute, and its title and text.

    They recognise an article that another source delivered when that source may not use the key of the URL.
    """
    if entry.is_page:
        return ()
    title = folded_text(entry.title)
    text = folded_text(plain_text(entry))
    keys = []
    if title and (minute := declared_minute(entry)) is not None:
        keys.append(hashed_key("there at", canonical_url, title, minute.isoformat()))
    if title or text:
        keys.append(hashed_key("there", canonical_url, title, text))
    return tuple(keys)


def update_strikes(
    strikes: int, changed_entries: int, stable_entries: int, tuning: IdentityTuning
) -> int:
    """Return the number of consecutive polls in which a kind of key changed for known articles.

    `changed_entries` and `stable_entries` count this poll's entries of known articles with a new key, and
    with their old one.
    """
    if changed_entries + stable_entries == 0:
        return strikes
    if changed_entries > tuning.mass_share * (changed_entries + stable_entries):
        return strikes + 1
    return 0


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
    shared: Literal["guid", "url"],
    other: Literal["guid", "url"],
) -> set[bytes]:
    holders_by_key = defaultdict(list)
    for entry in entries:
        if (key := getattr(entry, shared)) is not None:
            holders_by_key[key].append(entry)
    return {
        key for key, holders in holders_by_key.items() if _are_different(holders, other)
    }


def _are_different(holders: Sequence[EntryKeys], other: Literal["guid", "url"]) -> bool:
    """Return whether two of them differ in the headline and in the other key, or have no such key."""
    headlines = defaultdict(set)
    for holder in holders:
        headlines[getattr(holder, other)].add(holder.headline)
    return len(set().union(*headlines.values())) > 1 and (
        len(headlines) > 1 or None in headlines
    )


def shared_pages(
    entries: Sequence[Entry], canonical_urls: Sequence[str | None]
) -> set[int]:
    """Return the places of the entries that are parts of one page: their URLs differ in the fragment only,
    and they have different titles. The page is the text of none of them.
    """
    by_page = defaultdict(list)
    for place, canonical in enumerate(canonical_urls):
        if canonical is not None:
            by_page[canonical].append(place)
    shared: set[int] = set()
    for places in by_page.values():
        fragments = {_fragment(entries[place]) for place in places}
        if (
            len(fragments) > 1
            and len({folded_text(entries[place].title) for place in places}) > 1
        ):
            shared.update(place for place in places if _fragment(entries[place]))
    return shared


def _fragment(entry: Entry) -> str:
    return (entry.url or "").partition("#")[2]


def plain_text(entry: Entry) -> str:
    if entry.text and entry.text.strip():
        return entry.text
    return html.unescape(_TAG.sub(" ", entry.html or ""))


def declared_minute(entry: Entry) -> dt.datetime | None:
    """Return the minute that the entry declares; None where it is only that of a poll."""
    declared = _declared_time(entry)
    return declared and declared.replace(second=0, microsecond=0)


def _declared_time(entry: Entry) -> dt.datetime | None:
    if entry.published is None or entry.published.origin == "poll":
        return None
    return entry.published.time


def folded_text(text: str) -> str:
    return _case_folded(_ADDRESS.sub(" ", text))
