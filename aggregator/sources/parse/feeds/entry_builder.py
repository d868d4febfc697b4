"""Builds entries from the declarations of a feed, in the same way for RSS, Atom, JSON Feed and sitemaps."""

import hashlib
import html
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from aggregator.extract.html.inline_text import with_inline_texts
from aggregator.extract.language import unicode
from aggregator.extract.language.declared_dates import parse_declared
from aggregator.extract.outlets import feed_outlet
from aggregator.extract.sites import are_of_one_publisher
from aggregator.extract.urls import absolute_url
from aggregator.model.entry import Authority, Enclosure, Entry, Published
from aggregator.model.structs import FrozenStruct
from aggregator.sources.source_limits import (
    KEY_CHARS,
    NAME_CHARS,
    SourceTuning,
)
from aggregator.text.language import primary_tag

_MAX_ENCLOSURES = 20  # enclosures stored of one entry
_MAX_CATEGORIES = 50  # categories stored of one entry
_MAX_TITLE_CHARS = 2000  # three times the longest headline seen; a longer title is cut
# Only these tags occur in titles of feeds and are removed: "Why <T> matters" is a headline, "<i>Titanic</i>" is markup.
_TITLE_TAG = re.compile(
    r"</?(?P<name>a|abbr|b|big|br|cite|code|div|em|font|h[1-6]|i|img|mark|p|q|s|small|span|strike|strong|"
    r"su[bp]|tt|u)"
    r"(?:\s[^<>]{0,500})?/?>",
    re.IGNORECASE,
)
_DATA_URI = re.compile(
    r"data:[\w.+-]{1,40}/[\w.+-]{1,60}(?:;[\w=-]{1,40}){0,3},[A-Za-z0-9+/=%\s]{64,}"
)
# The GUIDs of output feeds begin with this (web/feeds)
STORY_TAG = "tag:aggregator,2026:"
_LINK = re.compile(r'<a href="([^"<>]{1,4096})"')
_MAIL_AND_NAME = re.compile(r"^(?>\S+?@)\S++\s+\((.+)\)$")
_MAIL = re.compile(r"\W*\b[^@]+@.+\.\w++[>)]?")


class FeedContext(FrozenStruct):
    """What is known about a feed when its entries are read.

    `url` is where its bytes came from (None: a file), and `seen` is when, which limits declared times. `outlet`, `name`
    and `zone` are configured for its source; the feed declares `site_url`, `title` and `language`. The items whose
    hashes are in `known_items` are not read again if the hash of the bytes around them is still `frame`
    (sources/parse/feeds/known_items.py). `states_days` means that all known items state days and no times.
    """

    source: str
    url: str | None = None
    content_type: str | None = None
    site_url: str | None = None
    outlet: str | None = None
    name: str | None = None
    title: str = ""
    zone: str | None = None
    language: str | None = None
    seen: datetime
    tuning: SourceTuning
    known_items: frozenset[bytes] = frozenset()
    frame: bytes = b""
    states_days: bool = False


class DeclaredEntry(FrozenStruct):
    """One entry as its feed declares it, with strings and HTML unchanged."""

    guid: str = ""
    url: str = ""
    title: str = ""
    html: str = ""
    text: str = ""
    published: tuple[str, ...] = ()  # the first that is a date counts
    updated: str = ""
    author: str = ""
    outlet: str = ""
    outlet_url: str = ""
    language: str = ""
    categories: tuple[str, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()


def entry_of(declared: DeclaredEntry, context: FeedContext) -> Entry | None:
    """Return the entry; None if it has neither content nor an identifier."""
    title = plain_title(declared.title)
    body = unicode.clean(declared.html).strip()
    if "data:" in body:
        body = _DATA_URI.sub("", body)  # inlined images
    text = unicode.clean(declared.text).strip()
    guid = short_key(declared.guid)
    url = absolute_url(declared.url, context.site_url or context.url)
    if url and title and html.escape(url, quote=False) in body:
        # Imported here, because only worker processes read entries, and the daemon does not need this module.
        from aggregator.extract.link_posts import own_text

        # An entry from a list of links gives the address of the article.
        article_url = own_text(body, title, url).article_url
        if article_url:
            # An entry without a GUID is still recognised by the address of the list's page.
            guid = guid or short_key(url)
            url = absolute_url(article_url, None)
    enclosures = _enclosures(declared.enclosures, context)
    if not (url or title or body or text or guid or enclosures):
        return None
    updated = declared_time(declared.updated, context)
    # A feed is authoritative for URLs of its own site or publisher, and for entries without a URL.
    authority: Authority = "foreign"
    if context.url is None:
        authority = "handed"  # a local file
    elif url is None or are_of_one_publisher(url, context.url):
        authority = "own"
    declared_outlet = _name(declared.outlet)
    outlet = behind = None
    if not context.outlet:
        feed = feed_outlet(
            name=context.name,
            title=context.title,
            feed_url=context.url,
            site_url=context.site_url,
        )
        outlet = feed.of_entry(
            url=url,
            declared_name=declared_outlet,
            declared_url=absolute_url(declared.outlet_url, None),
        )
        behind = feed.address_outlet(outlet)
    return Entry(
        source=context.source,
        guid=guid,
        url=url,
        title=title,
        html=body or None,
        text=text or None,
        published=first_time(declared.published, context),
        updated=updated.time if updated else None,
        outlet=context.outlet or declared_outlet,
        resolved_outlet=outlet,
        feed_outlet=behind,
        author=author_name(declared.author),
        language=primary_tag(declared.language) or context.language,
        categories=tuple(dict.fromkeys(filter(None, map(_name, declared.categories))))[
            :_MAX_CATEGORIES
        ],
        enclosures=enclosures,
        authority=authority,
        zone=context.zone,
    )


def entries_of(declared: DeclaredEntry, context: FeedContext) -> list[Entry]:
    """Return the declared entry in a list, or [] if it is empty.

    A story from an output feed of this program gives one observation for each link to an article instead.
    """
    if not declared.guid.startswith(STORY_TAG):
        entry = entry_of(declared, context)
        return [] if entry is None else [entry]
    entries = {}
    for link in _LINK.findall(declared.html):
        if url := absolute_url(html.unescape(link), None):
            entries[url] = Entry(
                source=context.source,
                url=url,
                authority="foreign",
                is_observation=True,
            )
    return list(entries.values())


def declared_time(raw: str, context: FeedContext) -> Published | None:
    """Return the time in `raw`, in UTC; None if there is none or if it is implausible.

    A time before 1990, or more than a day after `seen`, is implausible.
    """
    return parse_declared(unicode.clean(raw), context.zone, context.seen)


def first_time(texts: Iterable[str], context: FeedContext) -> Published | None:
    """Return the first time in `texts`; None if there is none."""
    times = (declared_time(text, context) for text in texts)
    return next(filter(None, times), None)


def plain_title(raw: str) -> str:
    """Return a headline as one line of plain text, without tags and with entities decoded.

    Entities are decoded twice, because many feeds encode them twice. A tag that is never closed is a word of the
    headline, except <br> and <img>.
    """
    shown = with_inline_texts(raw[: 4 * _MAX_TITLE_CHARS])
    text = html.unescape(_without_tags(shown, alone=("br", "img")))
    # A tag that was escaped twice is a word of the headline unless it is closed: "A <br> tag turns thirty".
    text = html.unescape(_without_tags(with_inline_texts(text), alone=()))
    return " ".join(unicode.clean(text).split())[:_MAX_TITLE_CHARS]


def _without_tags(title: str, alone: Sequence[str]) -> str:
    """Return a title without the tags that are closed in it, and without the tags `alone`, which need no end."""
    if "<" not in title:
        return title
    small = title.lower()
    space = " " if "<br" in small or "</p>" in small else ""

    def read(tag: re.Match[str]) -> str:
        name = tag["name"].lower()
        is_pair = f"<{name}" in small and f"</{name}>" in small
        return space if is_pair or name in alone else tag[0]

    return _TITLE_TAG.sub(read, title)


def html_of_text(text: str) -> str:
    """Return plain text as HTML paragraphs, with "<" and "&" escaped."""
    blocks = (block.strip() for block in re.split(r"\n\s*\n", text))
    return "".join(
        f"<p>{html.escape(block, quote=False)}</p>" for block in blocks if block
    )


def author_name(raw: str) -> str | None:
    """Return the name without the e-mail address that RSS puts next to it; None if there is only an address."""
    name = plain_title(raw[: 4 * NAME_CHARS])
    before, _, last = name.rpartition(" ")
    if both := _MAIL_AND_NAME.match(name):
        name = both[1]
    elif _MAIL.fullmatch(last):
        name = before
    return name.strip(" ,;")[:NAME_CHARS] or None


def short_key(raw: str | None) -> str | None:
    """Return a GUID of bounded length, for an index: a longer GUID becomes its start and a hash of the whole."""
    key = unicode.clean(raw or "").strip()
    if len(key) <= KEY_CHARS:
        return key or None
    digest = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
    return f"{key[: KEY_CHARS - 33]}#{digest}"


def _name(raw: str) -> str | None:
    return plain_title(raw)[:NAME_CHARS] or None


def _enclosures(
    declared: Iterable[Enclosure], context: FeedContext
) -> tuple[Enclosure, ...]:
    by_url: dict[str, Enclosure] = {}
    for enclosure in declared:
        url = absolute_url(enclosure.url, context.site_url or context.url)
        if url and url not in by_url and len(by_url) < _MAX_ENCLOSURES:
            by_url[url] = Enclosure(
                url=url,
                type=unicode.clean(enclosure.type).strip()[:100],
                length_bytes=enclosure.length_bytes,
                title=plain_title(enclosure.title)[:NAME_CHARS],
            )
    return tuple(by_url.values())
