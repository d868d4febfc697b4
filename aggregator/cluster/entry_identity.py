"""Which article is this? Keys and ids, before any likeness is looked at.

An entry is known when any of its keys is known:

1. its source and GUID;
2. its canonical URL, across sources;
3. only where there is neither: its title and text within its outlet (or its file's name).

What no key knows may still be an article that is known: familiar.py.

Keys are 16-byte hashes; an article's id is made of the key that says most (URL, GUID, text), so the same
input gives the same ids on every installation. No address of ours, host or absolute path is in any of them.
"""

import base64
import hashlib
import unicodedata
from collections.abc import Collection

from aggregator.model.core import Entry, FrozenStruct

_ID_BYTES = 10  # 80 bits: 16 characters; two of 10 million articles meet with a chance of 4e-11


class Identity(FrozenStruct, frozen=True, kw_only=True):
    """The keys that an entry may be known by, and the id it gets when none of them is."""

    keys: tuple[bytes, ...]
    article: str
    content_hash: bytes  # of the words declared (spaces and case folded): the same again changes nothing


def identify(
    entry: Entry,
    canonical_url: str | None,
    *,
    void: Collection[bytes] = (),
    use_guid: bool = True,
    use_url: bool = True,
) -> Identity:
    """The identity of `entry`, whose URL has the canonical form `canonical_url`.

    A foreign source (an aggregator that links to another site) does not claim the URL: its entry is kept
    under its own GUID until the site itself is read. Keys in `void` say nothing; `use_guid` and `use_url`
    are false where those of the source change by themselves. An entry that is left with no key at all is
    known by its words and its declared time.
    """
    guid, url = raw_keys(entry, canonical_url)
    keys = [key for key in (url if use_url else None, guid if use_guid else None) if key is not None]
    keys = [key for key in keys if key not in void]
    if not keys and (entry.guid or canonical_url is not None):
        keys = [_key("text", entry.outlet or entry.source, _folded(entry), _declared(entry))]
    elif not keys:
        keys = [_key("text", entry.outlet or entry.source, _folded(entry))]
    content = _content_hash(entry, (canonical_url or entry.url or "") if use_url else "")
    return Identity(keys=tuple(keys), article=short_id(keys[0]), content_hash=content)


def raw_keys(entry: Entry, canonical_url: str | None) -> tuple[bytes | None, bytes | None]:
    """The keys of the GUID and of the URL, as far as there are any and the entry may speak for them.

    The home page of a site is the address of no article, where there is a GUID to tell entries apart.
    """
    guid = _key("guid", entry.source, entry.guid) if entry.guid else None
    if canonical_url is None or (guid is not None and _is_home_page(canonical_url)):
        return guid, None
    if entry.authority != "foreign":
        return guid, _key("url", canonical_url)
    return guid, _key("link", entry.source, canonical_url) if guid is None else None


def url_key(canonical_url: str) -> bytes:
    """The key under which an article is known by its address."""
    return _key("url", canonical_url)


def short_id(*parts: bytes) -> str:
    """16 characters of lower-case base32: short enough for an address, long enough for ever."""
    digest = hashlib.blake2b(b"\0".join(parts), digest_size=_ID_BYTES).digest()
    return base64.b32encode(digest).decode().lower()


def story_id(founder: str, founding: int) -> str:
    """The id of the story that article `founder` founds after it has founded `founding` others."""
    return short_id(b"story", founder.encode(), str(founding).encode())


def next_generation_id(article: str, generation: int) -> str:
    """The id of a key's later article: the same address, another text (a reused "/live" page)."""
    return short_id(b"again", article.encode(), str(generation).encode())


def _key(kind: str, *parts: str) -> bytes:
    joined = "\0".join((kind, *parts)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=16).digest()


def _folded(entry: Entry) -> str:
    if entry.is_page:  # as it is: folding half a megabyte of markup costs as much as reading the text in it
        return f"{entry.title}\n{entry.html or ''}"
    text = f"{entry.title}\n{entry.text or ''}\n{entry.html or ''}"
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _is_home_page(canonical_url: str) -> bool:
    return canonical_url.removeprefix("https://").partition("/")[2] == ""


def _declared(entry: Entry) -> str:
    """The time that the entry itself declares; "" where that is only the time of a poll."""
    declared = entry.published if entry.published and entry.published.origin != "poll" else None
    return declared.time.isoformat() if declared else ""


def _content_hash(entry: Entry, address: str) -> bytes:
    """Of what was declared: neither the time of a poll nor what trackers add to an address is a change."""
    return _key("content", _folded(entry), _declared(entry), address)
