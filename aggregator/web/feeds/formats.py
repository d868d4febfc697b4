"""Feeds in their formats, independent of what their items are about, and texts and addresses valid in feeds.

To add a format: its names in `Format`, `ENDINGS` and `MEDIA_TYPES`, and a template (`web/templates`) or a
function in `written`. The rules of texts follow the warnings of feed validators: no control or replacement
characters, titles that cannot be mistaken for HTML, and addresses that are URIs (RFC 3986).
"""

import datetime as dt
import re
from collections import Counter
from email.utils import format_datetime
from functools import cache
from html import unescape
from html.entities import name2codepoint
from typing import Any, Literal
from urllib.parse import quote, urlsplit, urlunsplit

import msgspec
from jinja2 import Template

from aggregator.config.publish_settings import SavedQuery
from aggregator.model.core import Enclosure, FrozenStruct, in_utc
from aggregator.web.filters import SAVED, ParsedFilter, filter_words
from aggregator.web.jinja import environment
from aggregator.web.sanitise import encode_json, one_line, plain_title, safe_url
from aggregator.web.settings import PublishSettings

TITLE_CHARS = 500  # feed readers show titles on one line

_DAMAGED = re.compile("[\x80-\x9f\ufffd]")
# Most addresses match it, and `feed_url` returns them unchanged.
_PLAIN = re.compile(
    r"https?://[a-z0-9][a-z0-9.-]{0,200}\.[a-z]{2,20}/[0-9A-Za-z/:?&=+,.;~_-]{0,1500}"
)
_AMPERSAND = re.compile(r"&(?=(#?\w+)(;?))")
_DOTTED_HOST = re.compile(r"https?://[A-Za-z0-9-]+\.[A-Za-z0-9.-]+(:\d+)?/")
_MIME = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNQUOTED = "/:?@&=+$,;.!~*'()%-_"  # in addresses, in addition to letters and digits


def feed_text(text: str) -> str:
    """Return `text` on one line, without characters that are invalid in feeds."""
    # True of most texts, and five times faster
    if text.isprintable() and "\ufffd" not in text:
        return " ".join(text.split())
    return _DAMAGED.sub("?", one_line(text))


def feed_title(text: str) -> str:
    """Return a title that reads the same as plain text and as HTML; "" if nothing is left.

    An ampersand that would begin an entity is replaced by "＆".
    """
    plain = _DAMAGED.sub("?", plain_title(text))
    if len(plain) > TITLE_CHARS:
        plain = plain[: TITLE_CHARS - 1].rstrip() + "…"
    return _AMPERSAND.sub(_ampersand, plain)


def _ampersand(match: re.Match[str]) -> str:
    name, reference = match[1], f"&{match[1]}{match[2]}"
    is_entity = (
        name in name2codepoint or not name.isalpha() or unescape(reference) != reference
    )
    return "＆" if is_entity or name == "apos" else "&"


def feed_url(url: str | None) -> str | None:
    """Return an untrusted address as a URI in ASCII; None if it is not safe or not a valid URI."""
    if url and _PLAIN.fullmatch(url):
        return url
    safe = safe_url(url)
    if safe is None:
        return None
    parts = urlsplit(safe)
    try:
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = f":{parts.port}" if parts.port is not None else ""
    except (UnicodeError, ValueError):
        return None
    if not re.fullmatch(r"[A-Za-z0-9._-]+", host):
        return None  # an IPv6 address
    quoted = (
        quote(part, safe=_UNQUOTED)
        for part in (parts.path, parts.query, parts.fragment)
    )
    path, query, fragment = (_BAD_ESCAPE.sub("%25", part) for part in quoted)
    return urlunsplit((parts.scheme.lower(), host + port, path or "/", query, fragment))


def mime_type(text: str) -> str | None:
    """Return `text` if it has the form of a MIME type, else None."""
    return text if _MIME.fullmatch(text) else None


def feed_language(tag: str | None) -> str | None:
    """Return the first part of a language tag if it has two letters, as in feeds, else None."""
    found = re.match(r"[a-z]{2}(?![^-_])", (tag or "").lower())
    return found and found[0]


def rfc3339(time: dt.datetime) -> str:
    """Format a time in UTC with fractions of a second, which distinguish items of the same second."""
    return f"{in_utc(time):%Y-%m-%dT%H:%M:%S.%f}Z"


def _rfc822(time: dt.datetime) -> str:
    return format_datetime(in_utc(time), usegmt=True)


Format = Literal["rss", "atom", "jsonfeed"]
STORIES = "stories"
ENDINGS: dict[str, Format] = {"rss": "rss", "atom": "atom", "json": "jsonfeed"}
MEDIA_TYPES: dict[Format, str] = {
    "rss": "application/rss+xml",
    "atom": "application/atom+xml",
    "jsonfeed": "application/feed+json",
}
_ABOUT = "One item for each story: what several outlets report about one event."


class Item(FrozenStruct):
    """One item. Texts are plain text, except `html`, a valid fragment; all addresses are absolute URIs."""

    id: str  # a permanent URI
    url: str
    title: str  # never empty
    html: str
    summary: str  # one line
    updated: dt.datetime  # different for every item of a feed
    published: dt.datetime | None = None
    language: str | None = None  # two letters of ISO 639-1
    authors: tuple[str, ...] = ()
    external_url: str | None = None  # the best article, if `url` is the story
    # `type` is a MIME type, or one of "image", "audio", "video"
    media: tuple[Enclosure, ...] = ()

    @property
    def enclosed(self) -> Enclosure | None:
        """The first one that is no picture: feed readers offer enclosures for download or playing."""
        others = (one for one in self.media if not one.is_image and mime_type(one.type))
        return next((one for one in others if _DOTTED_HOST.match(one.url)), None)


class Channel(FrozenStruct):
    """A feed and its items, the newest first."""

    id: str
    title: str
    about: str
    home_url: str  # the page that shows the same stories
    self_url: str
    language: str
    items: tuple[Item, ...] = ()

    @property
    def updated(self) -> dt.datetime | None:
        """The time of the newest item; None for an empty feed."""
        return max((item.updated for item in self.items), default=None)


def feed_path(saved: SavedQuery | None) -> str:
    """Return the path of the feed of all stories, or of a saved query, without the ending."""
    return f"/feeds/{saved.name if saved else STORIES}"


def address(saved: SavedQuery | None, form: Format) -> str:
    """Return the path of a feed with its ending."""
    ending = next(ending for ending, other in ENDINGS.items() if other == form)
    return f"{feed_path(saved)}.{ending}"


def channel(
    named: SavedQuery | None,
    parsed: ParsedFilter,
    items: tuple[Item, ...],
    settings: PublishSettings,
    *,
    self_url: str,
) -> Channel:
    """Return the feed of all stories, or of the saved query that its path names.

    `self_url` is its address, with filters and without a token.
    """
    query = f"?{parsed.query_string}" if parsed.query_string else ""
    page_query = "&".join(
        part
        for part in (f"{SAVED}={named.name}" if named else "", parsed.query_string)
        if part
    )
    ordered = tuple(sorted(items, key=lambda item: item.updated, reverse=True))
    return Channel(
        id=f"tag:aggregator,2026:{feed_path(named).lstrip('/')}{query}",
        title=_title(named or parsed.saved, parsed, settings),
        about=_ABOUT,
        home_url=f"{settings.base_url}/" + (f"?{page_query}" if page_query else ""),
        self_url=self_url,
        language=_language(ordered),
        items=ordered,
    )


def _title(
    saved: SavedQuery | None, parsed: ParsedFilter, settings: PublishSettings
) -> str:
    title = (saved.title if saved else "") or settings.title
    words = (
        *((saved.name,) if saved and not saved.title else ()),
        *filter_words(parsed),
    )
    return feed_title(f"{title}: {', '.join(words)}" if words else title) or "Stories"


def _language(items: tuple[Item, ...]) -> str:
    """Return the most frequent language of the items, of several the first by name; "en" if none is known."""
    counts = Counter(item.language for item in items if item.language)
    return (
        min(counts, key=lambda language: (-counts[language], language))
        if counts
        else "en"
    )


# `updated` of an empty feed, which must not change
_NEVER = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def written(whole: Channel, form: Format) -> bytes:
    """Encode a feed as UTF-8 bytes.

    RSS 2.0 (https://www.rssboard.org/rss-specification) with other vocabularies: Atom's `updated` has
    fractions of a second, which dates of RFC 822 have not; an item may have one enclosure, and Media RSS has
    the other media. Atom 1.0 is RFC 4287.
    """
    if form == "jsonfeed":
        return jsonfeed(whole)
    feed = template(f"{form}.xml")
    return feed.render(feed=whole, media_type=MEDIA_TYPES[form], never=_NEVER).encode()


@cache
def template(name: str) -> Template:
    """Return a template of what feeds have; it writes texts as they are given."""
    templates = environment().overlay(finalize=None)
    templates.filters.update(mime_type=mime_type, rfc3339=rfc3339, rfc822=_rfc822)
    templates.filters.update(feed_text=feed_text, feed_url=feed_url)
    return templates.get_template(name)


def jsonfeed(channel: Channel) -> bytes:
    """Encode a feed as JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/)."""
    whole = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": channel.title,
        "home_page_url": channel.home_url,
        "feed_url": channel.self_url,
        "description": channel.about,
        "language": channel.language,
        "items": [_json_item(item) for item in channel.items],
    }
    return msgspec.json.format(encode_json(whole), indent=1) + b"\n"


def _json_item(item: Item) -> dict[str, Any]:
    pictures = [one.url for one in item.media if one.is_image]
    attachments = [
        _present(
            url=one.url,
            mime_type=one.type,
            title=one.title,
            size_in_bytes=one.length_bytes,
        )
        for one in item.media
        if mime_type(one.type)
    ]
    return _present(
        id=item.id,
        url=item.url,
        external_url=item.external_url,
        title=item.title,
        content_html=item.html,
        summary=item.summary,
        image=pictures[0] if pictures else None,
        date_published=rfc3339(item.published) if item.published else None,
        date_modified=rfc3339(item.updated),
        authors=[{"name": name} for name in item.authors],
        language=item.language,
        attachments=attachments,
    )


def _present(**members: Any) -> dict[str, Any]:
    return {key: value for key, value in members.items() if value}
