"""The identity of an entry: its keys, which recognise it when it comes again (ADR 20).

An entry is known when one of its keys is known. A key is made of

1. its source and GUID;
2. its canonical URL, across sources;
3. if it has neither, its title and text within its outlet or, without one, its source. The id of its record is
   added, because two rows of a file may have the same words;
4. its title, text and time within the outlet of its feed, whatever its GUID and URL are (`content_keys`);
5. its title and time, or its title and text, at its URL, because another source may have delivered the article.

A key that different entries of one poll share identifies nothing (`shared_keys`).

Keys are 16-byte hashes. The id of an article is derived from its strongest key (URL, GUID, text in this
order), so the same input gives the same ids on every installation. No key contains a local host name or an
absolute path.
"""

import base64
import hashlib
import html
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Sequence, Set
from datetime import datetime
from typing import Literal

from aggregator.model.entry import Entry
from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import one_line

# Fewer characters of title and text identify nothing (chosen on invented feeds)
_MIN_CHARS = 12
# 80 bits, 16 characters; 10 million articles collide with a probability of 4e-11
_ID_BYTES = 10


class Identity(FrozenStruct):
    """The identity keys of an entry, and the id of its article if no key is known."""

    keys: tuple[bytes, ...]
    article: str
    # The hash of the declared text (spaces and case folded); an equal hash means no change
    content_hash: bytes


def identify(
    entry: Entry,
    canonical_url: str | None,
    *,
    void: Collection[bytes] = (),
    content: "Content | None" = None,
) -> Identity:
    """Return the identity of `entry`, whose URL has the canonical form `canonical_url`.

    Keys in `void` identify nothing and are ignored. If no other key is left, the entry is identified by its text and
    its declared time. `content` is given for an entry of a poll, where another date or URL is not a change.
    """
    guid, url = raw_keys(entry, canonical_url)
    declared = _declared_time(entry)
    time = declared.isoformat() if declared else ""
    keys = [key for key in (url, guid) if key is not None and key not in void]
    if not keys:
        parts = [entry.outlet or entry.source, _fold_entry(entry)]
        if entry.guid or canonical_url is not None:
            parts.append(time)
        if entry.record_id is None:
            keys = [hashed_key("text", *parts)]
        else:
            keys = [hashed_key("record", entry.record_id, *parts)]
    if content is not None:
        content_hash = hashed_key("shown", content.title, content.text)
    else:
        content_hash = hashed_key(
            "content", _fold_entry(entry), time, canonical_url or entry.url or ""
        )
    return Identity(
        keys=tuple(keys), article=short_id(keys[0]), content_hash=content_hash
    )


def raw_keys(
    entry: Entry, canonical_url: str | None
) -> tuple[bytes | None, bytes | None]:
    """Return the key of the GUID and the key of the URL; None for a key that the entry lacks or may not use.

    The URL of a home page does not identify an article if the entry has a GUID or the id of a record. An entry of a
    foreign source, such as an aggregator that links to other sites, is identified by its GUID. If it has none, its
    URL identifies it within its source only.
    """
    guid = hashed_key("guid", entry.source, entry.guid) if entry.guid else None
    if canonical_url is None:
        return guid, None
    is_site_root = not canonical_url.removeprefix("https://").partition("/")[2]
    if is_site_root and (entry.guid or entry.record_id):
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
    """Return the key of these parts; `kind` keeps keys of different kinds apart."""
    joined = "\0".join((kind, *parts)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=16).digest()


def _fold_entry(entry: Entry) -> str:
    # A page is not folded: folding 500 KB of markup is as expensive as extracting its text
    if entry.is_page:
        return f"{entry.title}\n{entry.html or ''}"
    return _case_folded(f"{entry.title}\n{entry.text or ''}\n{entry.html or ''}")


def _case_folded(text: str) -> str:
    return one_line(unicodedata.normalize("NFKC", text).casefold())


_TAG = re.compile(r"<[^<>]*>")  # stops at the next "<": linear time for any input
_ADDRESS = re.compile(r"https?://\S+")


class Content(FrozenStruct):
    """The words of an entry without markup, addresses and case, which change when its site changes."""

    title: str
    text: str
    minute: datetime | None  # declared; None if only the poll gave the entry a time


def content_of(entry: Entry) -> Content:
    """Return the title, text and time of an entry, folded for comparison."""
    text = entry.text
    if not text or not text.strip():
        text = html.unescape(_TAG.sub(" ", entry.html or ""))
    return Content(
        title=folded_text(entry.title),
        text=folded_text(text),
        minute=declared_minute(entry),
    )


def declared_minute(entry: Entry) -> datetime | None:
    """Return the minute that the entry declares; None if only the poll gave it a time."""
    declared = _declared_time(entry)
    return declared and declared.replace(second=0, microsecond=0)


def content_keys(
    content: Content,
    outlet: str | None,
    canonical_url: str | None,
    linked_from: str | None,
) -> tuple[set[bytes], tuple[bytes, ...], bytes]:
    """Return the keys of an entry's content within its feed, at its URL, and regardless of its time (b"" for none).

    `outlet` is the outlet of the feed. `linked_from` is the foreign source that links to the URL; the URL and the
    time together are then a key within the feed. The keys at the URL recognise an article that came first from a
    source that may not use the key of the URL. One is made of title and time, the next of title and text, because
    other deliveries of the article may have no time. The first key belongs to this entry.
    """
    title = content.title
    text = content.text
    minute = content.minute.isoformat() if content.minute else ""
    in_feed = set()
    at_url = []
    undated = b""
    if outlet is not None and len(title) + len(text) >= _MIN_CHARS:
        in_feed.add(hashed_key("words", outlet, title, text, minute))
        undated = hashed_key("words", outlet, title, text, "")
    if canonical_url is not None:
        if linked_from is not None and minute:
            in_feed.add(hashed_key("link at", linked_from, canonical_url, minute))
        if title and minute:
            at_url.append(hashed_key("there at", canonical_url, title, minute))
        if title or text:
            at_url.append(hashed_key("there", canonical_url, title, text))
    return in_feed, tuple(at_url), undated


class EntryKeys(FrozenStruct):
    """The keys of one entry of a poll, and its title with its declared time."""

    guid: bytes | None
    url: bytes | None
    headline: str
    content: Set[bytes] = frozenset()


def shared_keys(entries: Sequence[EntryKeys]) -> set[bytes]:
    """Return the keys that different entries of one poll share, so that they identify nothing.

    A shared URL (all entries link to the home page) or GUID (all are "0") identifies nothing if the entries differ
    in title or time, and if they also differ in the other key or one of them lacks it. Shared content identifies
    nothing if the entries have different GUIDs or URLs.
    """
    holders_by_content = defaultdict(set)
    for entry in entries:
        for key in entry.content:
            holders_by_content[key].add((entry.guid, entry.url))
    shared_content = {
        key for key, holders in holders_by_content.items() if len(holders) > 1
    }
    return (
        shared_content
        | _find_shared(entries, "url", "guid")
        | _find_shared(entries, "guid", "url")
    )


def _find_shared(
    entries: Sequence[EntryKeys],
    shared: Literal["guid", "url"],
    other: Literal["guid", "url"],
) -> set[bytes]:
    holders_by_key = defaultdict(list)
    for entry in entries:
        if (key := getattr(entry, shared)) is not None:
            holders_by_key[key].append(entry)
    shared_by_different = set()
    for key, holders in holders_by_key.items():
        others = {getattr(holder, other) for holder in holders}
        # The holders differ in the headline and in the other key, or one of them has no other key.
        if len({holder.headline for holder in holders}) > 1 and (
            len(others) > 1 or None in others
        ):
            shared_by_different.add(key)
    return shared_by_different


def shared_pages(
    entries: Sequence[Entry], canonical_urls: Sequence[str | None]
) -> set[int]:
    """Return the positions of entries that are parts of one page, whose text belongs to none of them alone.

    The URLs of these entries differ only in the fragment ("#10"), and their titles differ. An entry that links to
    the page without a fragment is not returned.
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


def _declared_time(entry: Entry) -> datetime | None:
    """Return the time that the entry declares; None if only the poll gave it a time."""
    if entry.published is None or entry.published.origin == "poll":
        return None
    return entry.published.time


def folded_text(text: str) -> str:
    """Return a text without case, extra spaces and addresses, which change when a site changes."""
    return _case_folded(_ADDRESS.sub(" ", text))


def text_hash(title: str, text: str) -> bytes:
    """Return a 16-byte hash of the title and text of a clean article."""
    return hashlib.blake2b(f"{title}\0{text}".encode(), digest_size=16).digest()
