"""Identity keys and ids of entries, decided before any text is compared.

An entry is known when one of its keys is known:

1. its source and GUID;
2. its canonical URL, across sources;
3. if it has neither: its title and text within its outlet (or its file's name).

An entry with only unknown keys may still be a known article: rekeyed_entries.py. There are also the keys of a
URL together with its content.

Keys are 16-byte hashes. The id of an article is derived from its strongest key (URL, GUID, text in this
order), so the same input gives the same ids on every installation. No key contains a local host name or an
absolute path.
"""

import base64
import hashlib
import unicodedata
from collections.abc import Collection

from aggregator.model.core import Entry, FrozenStruct

_ID_BYTES = 10  # 80 bits, 16 characters; 10 million articles collide with a probability of 4e-11


class Identity(FrozenStruct, frozen=True, kw_only=True):
    """The identity keys of an entry, and the id of its article if no key is known."""

    keys: tuple[bytes, ...]
    article: str
    content_hash: bytes  # of the declared text (spaces and case folded); an equal hash means no change


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
    keys = [key for key in (url if use_url else None, guid if use_guid else None) if key is not None]
    keys = [key for key in keys if key not in void]
    if not keys and (entry.guid or canonical_url is not None):
        keys = [_key("text", entry.outlet or entry.source, _folded(entry), _declared(entry))]
    elif not keys:
        keys = [_key("text", entry.outlet or entry.source, _folded(entry))]
    content = _content_hash(entry, (canonical_url or entry.url or "") if use_url else "")
    return Identity(keys=tuple(keys), article=short_id(keys[0]), content_hash=content)


def raw_keys(entry: Entry, canonical_url: str | None) -> tuple[bytes | None, bytes | None]:
    """Return the keys of the GUID and of the URL, each None where the entry has none or may not use it.

    The URL of a site's home page identifies no article if there is a GUID.
    """
    guid = _key("guid", entry.source, entry.guid) if entry.guid else None
    if canonical_url is None or (guid is not None and _is_home_page(canonical_url)):
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
    if entry.is_page:  # unfolded: folding 500 KB of markup is as expensive as extracting its text
        return f"{entry.title}\n{entry.html or ''}"
    text = f"{entry.title}\n{entry.text or ''}\n{entry.html or ''}"
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _is_home_page(canonical_url: str) -> bool:
    return canonical_url.removeprefix("https://").partition("/")[2] == ""


def _declared(entry: Entry) -> str:
    """Return the time that the entry declares; "" where it is only the time of a poll."""
    declared = entry.published if entry.published and entry.published.origin != "poll" else None
    return declared.time.isoformat() if declared else ""


def _content_hash(entry: Entry, address: str) -> bytes:
    """Hash the declared content; the time of a poll and tracking parameters of the URL are no change."""
    return _key("content", _folded(entry), _declared(entry), address)
