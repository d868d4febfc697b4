"""The HTML of an article as people read it: structure, links, code, tables and pictures, nothing that runs.

nh3 has the last word: it removes all that is not on the lists below, and what browsers are known to read
otherwise than parsers do. Before it, lxml makes addresses absolute, shows pictures whose address waits for a
script, and puts a link in the place of a player. lxml also bounds the depth, on which the time of nh3 depends
with its square: 10,000 nested elements take it 1.7 s.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

import nh3

from aggregator.config.hosts import ip_address_of
from aggregator.extract.html.dom import bound_html, fragment_of
from aggregator.extract.outlets import is_public_name
from aggregator.model.core import ArticleHtml

RULES = 1  # raise it when the lists change: HTML that was stored before is then sanitised again on reading
MAX_CHARS = 256 * 1024  # of the HTML of one article; the rest is cut at an element (design: 256 KB)
_MAX_MARKUP_CHARS = 1_048_576  # of the markup that is read, without pictures that are written into it

_TAGS = frozenset(
    {"a", "abbr", "b", "blockquote", "br", "caption", "cite", "code", "col", "colgroup", "dd", "del",
     "details", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6",
     "hr", "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp",
     "section", "small", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead",
     "time", "tr", "tt", "u", "ul", "var"}
)  # fmt: skip
_ATTRIBUTES = {
    "*": {"dir", "lang"},
    "a": {"href", "title"},
    "abbr": {"title"},
    "img": {"alt", "height", "src", "title", "width"},
    "ol": {"reversed", "start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
_WITH_CONTENT = {"button", "canvas", "form", "iframe", "math", "noscript", "object", "script", "select"} | {
    *("style", "svg", "template", "textarea", "title", "audio", "video", "embed", "applet", "frameset")
}
_SCHEMES = {"http", "https", "mailto"}
_PICTURE = {"loading": {"lazy"}, "referrerpolicy": {"no-referrer"}}

_PLAYERS = ("iframe", "embed", "object", "video", "audio")
_LAZY_SOURCES = ("data-src", "data-original", "data-lazy-src")  # by how often feeds and pages have them
_TRACKING_SIZES = {"0", "1", "0px", "1px"}  # of a picture that counts readers
# A picture inside the markup, which is larger than all words around it.
_INLINE_DATA = re.compile(r"data:[a-z]+/[^\"'\s<>]{1000,}")
# As nh3 writes them.
_SHOWN_PICTURE = re.compile(r'<img((?: [a-z]+="[^"]*")*)>')
_ATTRIBUTE = re.compile(r' ([a-z]+)="([^"]*)"')
_SMALL = re.compile("[0-9]{1,3}")  # a size in pixels that may be too small
_LEAST_PIXELS = 120  # of a picture that stands for an article, on each side that is declared (chosen)
_STRUCTURE = re.compile(r"<(?!/|p>|p |div>|div |section>|br>)")


def article_html(markup: str, base: str | None, *, with_pictures: bool = True) -> ArticleHtml | None:
    """Return the HTML of an article; None if it has nothing but paragraphs, which its text has, too.

    `markup`: a fragment from anywhere. `base`: the address of the article. `with_pictures`:
    false where the publisher asks for none.
    """
    bounded = bound_html(_INLINE_DATA.sub("", markup), max_chars=_MAX_MARKUP_CHARS)
    root = fragment_of(bounded.html)
    if root is None:
        return None
    for element in list(root.iter(*_PLAYERS)):
        _link_player(element, base)
    _show_pictures(root, base)
    for link in root.iter("a"):
        _make_absolute(link, "href", base)
    is_cut = _cut(root) or bounded.truncated
    html = (
        _sanitised(_markup_of(root), with_pictures=with_pictures).removeprefix("<div>").removesuffix("</div>")
    )
    if _STRUCTURE.search(html) is None:
        return None
    return ArticleHtml(html=html, rules=RULES, is_cut=is_cut)


def shown_html(kept: ArticleHtml, *, with_pictures: bool) -> str:
    """Return stored HTML under the present rules, with or without its pictures."""
    if kept.rules == RULES and with_pictures:
        return kept.html
    return _sanitised(kept.html, with_pictures=with_pictures)


def first_large_picture(html: str) -> str | None:
    """Return the address of the first picture of sanitised HTML that is no icon; None without one."""
    for picture in _SHOWN_PICTURE.finditer(html):
        attributes = dict(_ATTRIBUTE.findall(picture[1]))
        sides = (attributes.get("width", ""), attributes.get("height", ""))
        is_icon = any(_SMALL.fullmatch(side) and int(side) < _LEAST_PIXELS for side in sides)
        alt = unescape(attributes.get("alt", ""))
        is_emoji = alt != "" and not any(letter.isalnum() for letter in alt)
        if "src" in attributes and not is_icon and not is_emoji:
            return unescape(attributes["src"])
    return None


def _sanitised(html: str, *, with_pictures: bool) -> str:
    tags = set(_TAGS) if with_pictures else _TAGS - {"img"}
    return nh3.clean(
        html,
        tags=tags,
        clean_content_tags=set(_WITH_CONTENT),
        attributes=_ATTRIBUTES,
        link_rel="noopener noreferrer nofollow",
        url_schemes=_SCHEMES,
        url_relative="deny",
        tag_attribute_values={"img": _PICTURE} if with_pictures else {},
    )


def _markup_of(root: Any) -> str:
    import lxml.html

    return str(lxml.html.tostring(root, encoding="unicode"))


def _cut(root: Any) -> bool:
    """Remove what is beyond MAX_CHARS from the outermost box that has several elements."""
    box = root
    while len(box) == 1:
        box = box[0]
    left = MAX_CHARS
    for element in list(box):
        left -= len(_markup_of(element))
        if left < 0:
            box.remove(element)
    return left < 0


# --- addresses ---------------------------------------------------------------------------------------------


def _make_absolute(element: Any, name: str, base: str | None) -> None:
    """Make the address in an attribute absolute, or remove the attribute if it is none."""
    address = (element.attrib.pop(name, None) or "").strip()
    if not address:
        return
    with suppress(ValueError):
        element.set(name, urljoin(base or "", address))


def _link_player(player: Any, base: str | None) -> None:
    """Put a link in the place of an embedded player: its title, or the host of its address."""
    try:
        address = urljoin(base or "", next(_addresses_of_player(player), ""))
        host = urlsplit(address).hostname
    except ValueError:
        return  # nh3 removes it
    if not host:
        return
    link = player.makeelement("a", {"href": address})
    link.text = player.get("title") or host
    paragraph = player.makeelement("p", {})
    paragraph.append(link)
    paragraph.tail = player.tail
    player.getparent().replace(player, paragraph)


def _addresses_of_player(player: Any) -> Iterator[str]:
    for element in (player, *player.iter("source")):
        for name in ("src", "data", *_LAZY_SOURCES):
            if element.get(name):
                yield element.get(name)


def _show_pictures(root: Any, base: str | None) -> None:
    """Give pictures their addresses; remove those that no page shows, and the second of the same address."""
    seen: set[str] = set()
    for fallback in list(root.iter("noscript")):  # what is in it is shown to readers without scripts
        fallback.drop_tag()
    for picture in list(root.iter("img")):
        for name in _LAZY_SOURCES:
            if picture.get(name):
                picture.set("src", picture.get(name))
        _make_absolute(picture, "src", base)
        address = picture.get("src") or ""
        if address in seen or not is_shown_picture(address) or _is_tracking(picture):
            picture.drop_tree()
        seen.add(address)
        picture.set("loading", "lazy")  # not by nh3, which would add both in any order
        picture.set("referrerpolicy", "no-referrer")


def _is_tracking(picture: Any) -> bool:
    sizes = {(picture.get(name) or "").strip() for name in ("width", "height")}
    return not sizes.isdisjoint(_TRACKING_SIZES)


def is_shown_picture(address: str) -> bool:
    """Return whether a page may show a picture from there: a public host, and no SVG, which can hold scripts.

    A browser of the reader would ask each address of the reader's own network.
    """
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.path.lower().endswith(".svg"):
        return False
    literal = ip_address_of(host)
    if literal is not None:
        return literal.is_global
    return is_public_name(host)
