"""Tells whether data may be a feed, or what kind of data it is."""

import re

from aggregator.extract.language.charsets import looks_binary
from aggregator.text.lines import word_set

_SNIFFED_CHARS = 65_536
_FEED_ROOTS = r"rss|feed|rdf|channel|item|entry|urlset|sitemapindex"
_FEED_ELEMENT = re.compile(
    rf"<(?:[\w.-]{{1,40}}:)?(?:{_FEED_ROOTS})[\s>/]", re.IGNORECASE
)
_PAGE = frozenset({"html", "head", "body"})
_OF_PAGE = word_set(
    "html head body div p script style meta title link h1 center table b"
)
# The beginning of markup, also in UTF-16, UTF-32 or EBCDIC
_MARKUP_BYTES = re.compile(rb"<\0{0,3}[?!A-Za-z]|^\x4c\x6f\xa7\x94")
_ELEMENT = re.compile(r"<([A-Za-z_][\w.:-]{0,60})")


def reason_against_bytes(data: bytes) -> str | None:
    """Return why these bytes cannot be a feed, or None."""
    if not data.strip():
        what = "only whitespace" if data else "0 bytes"
        return f"the feed is empty ({what})"
    # Some real feeds contain control characters, so only data without any markup is refused as binary.
    is_binary = looks_binary(data) and _MARKUP_BYTES.search(data, 0, 512) is None
    return "this is binary data, not a feed" if is_binary else None


def reason_against_markup(text: str) -> str | None:
    """Return why this XML, page or text cannot be a feed; None if its beginning has an element of a feed.

    A document that begins as a page is not a feed, whatever elements follow.
    """
    head = text[:_SNIFFED_CHARS]
    root = _root(head)
    if root not in _PAGE and _FEED_ELEMENT.search(head):
        return None
    if root in _OF_PAGE:
        return "this is a web page, not a feed"
    if root is None:
        return "this is plain text, not a feed"
    if root == "opml":
        return "this is a list of feeds (OPML), not a feed; read it with `aggregator sources import`"
    return f"this is XML but not a feed (it begins with <{root}>)"


def looks_like_page(text: str) -> bool:
    """Return whether the first element is an HTML element."""
    root = _root(text[:_SNIFFED_CHARS])
    return root in _OF_PAGE


def _root(head: str) -> str | None:
    """Return the name of the first element outside comments, in lower case; None if there is none."""
    position = 0
    while match := _ELEMENT.search(head, position):
        comment = head.find("<!--", position, match.start())
        if comment < 0:
            return match.group(1).lower()
        end = head.find("-->", comment)
        if end < 0:
            return None
        position = end
    return None
