"""What a validator of feeds says about RSS 2.0, Atom 1.0 and JSON Feed 1.1, as far as it can concern ours.

Each function returns its complaints, errors and warnings alike, in words; [] is a valid feed. The rules are
those of the specifications, and what validators warn of beyond them: HTML in titles, relative addresses,
items that cannot be told apart, times ahead of the clock, languages that do not exist.
"""

import datetime as dt
import re
from email.utils import parsedate_to_datetime
from html.entities import name2codepoint
from typing import Any, Literal

import msgspec
from lxml import etree

ATOM = "{http://www.w3.org/2005/Atom}"
DC = "{http://purl.org/dc/elements/1.1/}"
MEDIA = "{http://search.yahoo.com/mrss/}"
XML = "{http://www.w3.org/XML/1998/namespace}"

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//)?[0-9A-Za-z;/?:@&=+$.\-_!~*'()%,#]+")
_TAG_URI = re.compile(
    r"tag:[a-z0-9.-]+,\d{4}(-\d\d(-\d\d)?)?:[0-9A-Za-z;/?:@&=+$.\-_!~*'()%,]*"
)
_HTTP = re.compile(r"https?://([A-Za-z0-9-]+\.)+[A-Za-z0-9][A-Za-z0-9-]*(:\d+)?(/|$)")
_MIME = re.compile(r"[^\s()<>,;:\\\"/[\]?=]+/[^\s()<>,;:\\\"/[\]?=]+")
_RFC822 = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}"
    r" \d\d:\d\d:\d\d GMT"
)
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_BAD_CHARACTERS = re.compile("[\x80-\x9f\ufffd]")
_ELEMENTS = {"a", "p", "ul", "li", "em", "strong"}
_ATTRIBUTES = {"a": {"href", "rel"}, "p": {"dir"}, "li": {"dir"}}


def of_rss(feed: bytes, address: str, now: dt.datetime) -> list[str]:
    """Complaints about RSS 2.0 that was read at `address`."""
    found: list[str] = []
    root = etree.fromstring(feed)
    channel = root.find("channel")
    if root.tag != "rss" or root.get("version") != "2.0" or channel is None:
        return ["this is no RSS 2.0"]
    found += _once(
        channel, "title", "link", "description", "language", "docs", "generator"
    )
    found += _plain(channel, "title", "description")
    found += _uris(channel, "link", "docs")
    found += _language(channel.findtext("language") or "")
    own = [
        link.get("href")
        for link in channel.findall(f"{ATOM}link")
        if link.get("rel") == "self"
    ]
    if own != [address]:
        found.append(f"the feed says that it is at {own}, not {address}")
    children = [child.tag for child in channel]
    if "item" in children and any(
        tag != "item" for tag in children[children.index("item") :]
    ):
        found.append("something of the channel stands after its items")
    if channel.find("lastBuildDate") is not None:
        found += _rfc822(channel.findtext("lastBuildDate") or "", now)
    items = channel.findall("item")
    found += _different("guid", [item.findtext("guid") or "" for item in items])
    found += _different(
        "atom:updated", [item.findtext(f"{ATOM}updated") or "" for item in items]
    )
    for item in items:
        found += _rss_item(item, now)
    return found + _characters(root)


def _rss_item(item: etree._Element, now: dt.datetime) -> list[str]:
    found = _once(item, "title", "link", "guid", "pubDate", "description")
    found += _plain(item, "title")
    found += _uris(item, "link")
    guid = item.find("guid")
    if (
        guid is None
        or guid.get("isPermaLink") != "false"
        or not _TAG_URI.fullmatch(guid.text or "")
    ):
        found.append("a guid is no address and does not say so")
    found += _rfc822(item.findtext("pubDate") or "", now)
    found += _rfc3339(item.findtext(f"{ATOM}updated") or "", now)
    found += _html(item.findtext("description") or "")
    known = {
        "title",
        "link",
        "guid",
        "pubDate",
        "description",
        "enclosure",
        "category",
        f"{DC}creator",
    }
    known |= {f"{ATOM}updated", f"{MEDIA}content"}
    found += [
        f"unknown element {child.tag}" for child in item if child.tag not in known
    ]
    enclosures = item.findall("enclosure")
    if len(enclosures) > 1:
        found.append("more than one enclosure")
    for one in enclosures:
        if not (one.get("length") or "").isdigit() or not _MIME.fullmatch(
            one.get("type") or ""
        ):
            found.append("an enclosure without length or type")
        if not _HTTP.match(one.get("url") or "") or not _URI.fullmatch(
            one.get("url") or ""
        ):
            found.append(f"an enclosure at {one.get('url')}")
    for one in item.findall(f"{MEDIA}content"):
        found += _media(one)
    return found


def _media(one: etree._Element) -> list[str]:
    found = (
        [] if _URI.fullmatch(one.get("url") or "") else [f"media at {one.get('url')}"]
    )
    if one.get("medium") not in (None, "image", "audio", "video"):
        found.append(f"a medium {one.get('medium')}")
    if one.get("type") is not None and not _MIME.fullmatch(one.get("type") or ""):
        found.append(f"a media type {one.get('type')}")
    if one.get("fileSize") is not None and int(one.get("fileSize") or 0) <= 0:
        found.append("a file size of nothing")
    return found


def of_atom(feed: bytes, address: str, now: dt.datetime) -> list[str]:
    """Complaints about Atom 1.0 that was read at `address`."""
    root = etree.fromstring(feed)
    if root.tag != f"{ATOM}feed":
        return ["this is no Atom"]
    found = _once(
        root,
        f"{ATOM}id",
        f"{ATOM}title",
        f"{ATOM}updated",
        f"{ATOM}author",
        f"{ATOM}generator",
    )
    found += _language(root.get(f"{XML}lang") or "")
    found += _plain(root, f"{ATOM}title", f"{ATOM}subtitle")
    found += _atom_id(root) + _atom_links(root, address)
    found += _rfc3339(root.findtext(f"{ATOM}updated") or "", now)
    entries = root.findall(f"{ATOM}entry")
    found += _different("id", [entry.findtext(f"{ATOM}id") or "" for entry in entries])
    found += _different(
        "updated", [entry.findtext(f"{ATOM}updated") or "" for entry in entries]
    )
    for entry in entries:
        found += _once(
            entry, f"{ATOM}id", f"{ATOM}title", f"{ATOM}updated", f"{ATOM}content"
        )
        found += _plain(entry, f"{ATOM}title", f"{ATOM}summary")
        found += _atom_id(entry) + _atom_links(entry, None)
        for name in ("updated", "published"):
            found += [
                each
                for time in entry.findall(f"{ATOM}{name}")
                for each in _rfc3339(time.text or "", now)
            ]
        if entry.get(f"{XML}lang") is not None:
            found += _language(entry.get(f"{XML}lang") or "")
        found += _html(entry.findtext(f"{ATOM}content") or "")
        names = entry.findall(f"{ATOM}author/{ATOM}name")
        found += [
            "an author without a name"
            for name in names
            if not (name.text or "").strip()
        ]
    return found + _characters(root)


def _atom_id(element: etree._Element) -> list[str]:
    identity = element.findtext(f"{ATOM}id") or ""
    return [] if _TAG_URI.fullmatch(identity) else [f"an id {identity!r}"]


def _atom_links(element: etree._Element, own: str | None) -> list[str]:
    found = []
    links = element.findall(f"{ATOM}link")
    kinds = [
        (link.get("rel"), link.get("type"), link.get("hreflang")) for link in links
    ]
    if kinds.count(("alternate", "text/html", None)) != 1:
        found.append("not one page for people")
    for link in links:
        if link.get("rel") not in ("self", "alternate", "related", "enclosure"):
            found.append(f"a link rel={link.get('rel')}")
        if not _URI.fullmatch(link.get("href") or ""):
            found.append(f"a link to {link.get('href')}")
        if link.get("type") is not None and not _MIME.fullmatch(link.get("type") or ""):
            found.append(f"a link of type {link.get('type')}")
        if link.get("length") is not None and not (link.get("length") or "").isdigit():
            found.append("a link of no length")
    selves = [link.get("href") for link in links if link.get("rel") == "self"]
    if selves != ([own] if own else []):
        found.append(f"the feed says that it is at {selves}, not {own}")
    return found


class _Author(msgspec.Struct, forbid_unknown_fields=True):
    name: str | None = None
    url: str | None = None
    avatar: str | None = None


class _Attachment(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    mime_type: str
    title: str | None = None
    size_in_bytes: int | None = None
    duration_in_seconds: float | None = None


class _Item(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    url: str | None = None
    external_url: str | None = None
    title: str | None = None
    content_html: str | None = None
    content_text: str | None = None
    summary: str | None = None
    image: str | None = None
    banner_image: str | None = None
    date_published: str | None = None
    date_modified: str | None = None
    authors: list[_Author] = []
    tags: list[str] = []
    language: str | None = None
    attachments: list[_Attachment] = []
    # An extension is an object, and its name begins with an underscore.
    storyline: dict[str, str] | None = msgspec.field(name="_storyline", default=None)


class _Feed(msgspec.Struct, forbid_unknown_fields=True):
    """The schema of JSON Feed 1.1, without what 1.0 had and without extensions."""

    version: Literal["https://jsonfeed.org/version/1.1"]
    title: str
    items: list[_Item]
    home_page_url: str | None = None
    feed_url: str | None = None
    description: str | None = None
    user_comment: str | None = None
    next_url: str | None = None
    icon: str | None = None
    favicon: str | None = None
    authors: list[_Author] = []
    language: str | None = None
    expired: bool = False
    hubs: list[dict[str, Any]] = []


def of_jsonfeed(feed: bytes, address: str, now: dt.datetime) -> list[str]:
    """Complaints about JSON Feed 1.1 that was read at `address`."""
    try:
        read = msgspec.json.decode(feed, type=_Feed)
    except msgspec.ValidationError as error:
        return [str(error)]
    found = (
        []
        if read.feed_url == address
        else [f"the feed says that it is at {read.feed_url}"]
    )
    if b"null" in re.sub(rb'"(\\.|[^"\\])*"', b"", feed):
        found.append("a key that says nothing")
    if _BAD_CHARACTERS.search(feed.decode()):
        found.append("control or replacement characters")
    found += _language(read.language or "")
    found += _different("id", [item.id for item in read.items])
    found += _different(
        "date_modified", [item.date_modified or "" for item in read.items]
    )
    for item in read.items:
        urls = [
            item.url,
            item.external_url,
            item.image,
            *(one.url for one in item.attachments),
        ]
        found += [
            f"an address {url}"
            for url in urls
            if url is not None and not _URI.fullmatch(url)
        ]
        found += [
            f"a type {one.mime_type}"
            for one in item.attachments
            if not _MIME.fullmatch(one.mime_type)
        ]
        for time in (item.date_modified, item.date_published):
            found += _rfc3339(time, now) if time is not None else []
        found += _language(item.language) if item.language is not None else []
        found += [
            "an author without a name" for author in item.authors if not author.name
        ]
        if item.content_html is None or not item.title:
            found.append("an item without title or text")
        found += _html(item.content_html or "")
    return found


# --- what the formats have in common -----------------------------------------------------------------------


def _once(parent: etree._Element, *names: str) -> list[str]:
    found = []
    for name in names:
        elements = parent.findall(name)
        if len(elements) != 1 or not (elements[0].text or len(elements[0])):
            found.append(f"{parent.tag} has {len(elements)} {name}, or an empty one")
    return found


def _plain(parent: etree._Element, *names: str) -> list[str]:
    """Texts that nobody may take for HTML."""
    found = []
    for name in names:
        text = parent.findtext(name) or ""
        entities = (match[1] for match in re.finditer(r"&(#?\w+)", text))
        if any(
            word in name2codepoint or word == "apos" or not word.isalpha()
            for word in entities
        ):
            found.append(f"{name} seems to hold an entity: {text!r}")
        if re.search(r"<[/a-zA-Z!?]", text):
            found.append(f"{name} seems to hold a tag: {text!r}")
    return found


def _uris(parent: etree._Element, *names: str) -> list[str]:
    texts = [parent.findtext(name) or "" for name in names]
    return [
        f"{text!r} is no absolute URI" for text in texts if not _URI.fullmatch(text)
    ]


def _language(tag: str) -> list[str]:
    return [] if re.fullmatch("[a-z]{2}", tag) else [f"a language {tag!r}"]


def _different(name: str, values: list[str]) -> list[str]:
    return [] if len(set(values)) == len(values) else [f"two items with one {name}"]


def _rfc822(text: str, now: dt.datetime) -> list[str]:
    if not _RFC822.fullmatch(text):
        return [f"{text!r} is no date of RFC 822"]
    time = parsedate_to_datetime(text)
    found = [] if f"{time:%a}" == text[:3] else [f"{text!r} names the wrong day"]
    return found + _plausible(time, now)


def _rfc3339(text: str, now: dt.datetime) -> list[str]:
    if not _RFC3339.fullmatch(text):
        return [f"{text!r} is no time of RFC 3339"]
    return _plausible(dt.datetime.fromisoformat(text), now)


def _plausible(time: dt.datetime, now: dt.datetime) -> list[str]:
    is_likely = (
        dt.datetime(1990, 1, 1, tzinfo=dt.UTC) <= time <= now + dt.timedelta(minutes=10)
    )
    return [] if is_likely else [f"{time} is ahead of the clock, or long ago"]


def _html(text: str) -> list[str]:
    """A fragment that is well formed even for XML, of few elements, with absolute addresses."""
    try:
        whole = etree.fromstring(f"<div>{text}</div>")
    except etree.XMLSyntaxError as error:
        return [f"an item's HTML is broken: {error}"]
    found = []
    for element in whole.iter():
        if element is whole:
            continue
        if element.tag not in _ELEMENTS:
            found.append(f"an element {element.tag}")
        elif set(element.attrib) - _ATTRIBUTES.get(str(element.tag), set()):
            found.append(f"attributes of {element.tag}: {dict(element.attrib)}")
        href = element.get("href")
        if href is not None and not (
            _URI.fullmatch(href) and href.startswith(("http://", "https://"))
        ):
            found.append(f"a link to {href!r}")
    return found + ([f"characters in {text!r}"] if _BAD_CHARACTERS.search(text) else [])


def _characters(root: etree._Element) -> list[str]:
    texts = [
        text
        for element in root.iter()
        for text in (element.text, *element.attrib.values())
        if text
    ]
    return [f"characters in {text!r}" for text in texts if _BAD_CHARACTERS.search(text)]
