"""The HTML of an article as people read it: structure, links, code, tables and pictures, nothing that runs.

nh3 has the last word: it removes everything that is not on the lists below, and markup that browsers are known to
read differently from parsers. Before nh3 runs, the tree of lxml is changed: addresses become absolute, pictures get
the address that a script would set, and a link replaces a player. The parser of lxml bounds the depth, because the
time of nh3 grows with its square: 10,000 nested elements take 1.7 s. Bold text inside bold text is unnested, because
parsers of HTML 5 open all these elements again in each paragraph, which turned 11 KB into 6.6 MB.
"""

import re
from contextlib import suppress
from functools import cache
from html import unescape
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import nh3

from aggregator.extract.html.dom import Fragment, read_fragment
from aggregator.extract.sites import is_private_link, leads_to_internet
from aggregator.model.prepared import ArticleHtml
from aggregator.text.lines import word_list, word_set

# Raise this when the lists change: HTML stored before is then sanitised again on reading
RULES = 2
# The longest HTML of one article; the rest is cut (design: 256 KB)
MAX_CHARS = 256 * 1024
# Longer markup between the two passes of nh3 is cut
_MAX_MARKUP_CHARS = 1_048_576

_TAGS = word_set("""
    a abbr b blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption
    figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s samp section small
    strong sub summary sup table tbody td tfoot th thead time tr tt u ul var
""")
_ATTRIBUTES = {
    "*": {"dir", "lang"},
    "a": {"href", "title"},
    "abbr": {"title"},
    "img": {"alt", "height", "src", "title", "width"},
    "ol": {"reversed", "start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
_WITH_CONTENT = word_set("""
    button canvas form iframe math noscript object script select style svg template textarea title
    audio video embed applet frameset
""")
_SCHEMES = {"http", "https", "mailto"}
_PICTURE = {"loading": {"lazy"}, "referrerpolicy": {"no-referrer"}}
_PLAYERS = word_list("iframe embed object video audio")
# The formatting elements of the HTML standard, without <a>.
_FORMATTING = word_set("b big code em font i nobr s small strike strong tt u")
# libxml2 drops elements at a depth of more than 255
_IS_DEEP = "boolean(//*[count(ancestor::*) >= 250])"
_OF_FORMATTING = word_set("href title lang dir")
_MAX_ADDRESS_CHARS = 2_048  # browsers and feed readers cut longer ones
_MAX_LANG_CHARS = 35  # RFC 5646, 4.4.1
_CUT_REFERENCE = re.compile(r"&[a-z]*$")
# The attributes that lazy pictures use, the most frequent in feeds and pages first
_LAZY_SOURCES = ("data-src", "data-original", "data-lazy-src")
# The sizes of a picture that only counts readers
_TRACKING_SIZES = word_set("0 1 0px 1px")
# A picture as nh3 writes it.
_SHOWN_PICTURE = re.compile(r'<img((?: [a-z]+="[^"]*")*)>')
_ATTRIBUTE = re.compile(r' ([a-z]+)="([^"]*)"')
_SMALL = re.compile("[0-9]{1,3}")  # a size in pixels that may be too small
# A picture that stands for an article has at least this size on each declared side (chosen)
_LEAST_PIXELS = 120
_STRUCTURE = re.compile(r"<(?!/|p>|p |div>|div |section>|br>)")


def article_html(
    markup: str | Fragment,
    base: str | None,
    *,
    with_pictures: bool = True,
    is_cut: bool = False,
    is_of_internet: bool = False,
) -> ArticleHtml | None:
    """Return the HTML of an article; None if it has only paragraphs, which are in the article's text, too.

    `markup` is an untrusted fragment; if it is a `Fragment`, its tree is changed. `base` is the address of the
    article. `with_pictures` is false if the publisher forbids pictures. `is_cut` tells that the markup was cut before.
    If the article `is_of_internet`, its links into private networks become text.
    """
    import lxml.html

    fragment = read_fragment(markup) if isinstance(markup, str) else markup
    root = fragment.root
    if root is None:
        return None
    is_deep = root.xpath(_IS_DEEP)
    for element in list(root.iter(*_PLAYERS)):
        _link_player(element, base)
    _show_pictures(root, base)
    for link in list(root.iter("a")):
        _make_absolute(link, "href", base)
        if is_of_internet and is_private_link(link.get("href")):
            link.tag = "span"  # nh3 takes the tag away
    _unnest_formatting(root)
    sanitiser = _sanitiser(with_pictures=with_pictures)
    once = sanitiser.clean(
        lxml.html.tostring(root, encoding="unicode")
        .removeprefix("<div>")
        .removesuffix("</div>")
    )
    # Browsers must not see an end tag without its start tag, because it would end the box of the page around the
    # article. The first pass may leave one where it drops elements, and the second pass removes it.
    whole = html = sanitiser.clean(once[:_MAX_MARKUP_CHARS])
    # The cut may be inside elements, because nh3 closes them
    limit = MAX_CHARS
    while len(html) > MAX_CHARS:
        html = sanitiser.clean(_CUT_REFERENCE.sub("", html[:limit]))
        limit -= len(html) - MAX_CHARS
    is_cut = is_cut or fragment.is_cut or is_deep or len(whole) > MAX_CHARS
    if not (is_cut or _STRUCTURE.search(html)):
        return None
    return ArticleHtml(html=html, rules=RULES, is_cut=is_cut)


def shown_html(kept: ArticleHtml, *, with_pictures: bool) -> str:
    """Return stored HTML under the present rules, with or without its pictures."""
    if kept.rules != RULES:
        # With `is_cut`, HTML that has only paragraphs is returned, too.
        again = article_html(kept.html, None, with_pictures=with_pictures, is_cut=True)
        return "" if again is None else again.html
    if with_pictures:
        return kept.html
    return _sanitiser(with_pictures=False).clean(kept.html)


def first_large_picture(html: str) -> str | None:
    """Return the address of the first picture in sanitised HTML that is neither an icon nor an emoji, or None."""
    for picture in _SHOWN_PICTURE.finditer(html):
        attributes = dict(_ATTRIBUTE.findall(picture[1]))
        sides = (attributes.get("width", ""), attributes.get("height", ""))
        is_icon = any(
            _SMALL.fullmatch(side) and int(side) < _LEAST_PIXELS for side in sides
        )
        alt = unescape(attributes.get("alt", ""))
        is_emoji = alt != "" and not any(map(str.isalnum, alt))
        if "src" in attributes and not is_icon and not is_emoji:
            return unescape(attributes["src"])
    return None


@cache
def _sanitiser(*, with_pictures: bool) -> nh3.Cleaner:
    """Return the sanitiser, which is cached because making it takes longer than sanitising most articles."""
    return nh3.Cleaner(
        tags=set(_TAGS) if with_pictures else _TAGS - {"img"},
        clean_content_tags=set(_WITH_CONTENT),
        attributes=_ATTRIBUTES,
        link_rel="noopener noreferrer nofollow",
        url_schemes=_SCHEMES,
        url_relative="deny",
        tag_attribute_values={"img": _PICTURE} if with_pictures else {},
    )


def _unnest_formatting(root: Any) -> None:
    """Keep only the outermost of nested formatting elements of one kind; nh3 removes the others, which become spans.

    Elements that keep their tag lose long attributes, because parsers repeat them, too.
    """
    for element in list(root.iter("a", *_FORMATTING)):
        if (
            element.tag not in _TAGS
            or next(element.iterancestors(element.tag), None) is not None
        ):
            element.tag = "span"
        limit = _MAX_ADDRESS_CHARS if element.tag == "a" else _MAX_LANG_CHARS
        for name, value in element.items():
            if name not in _OF_FORMATTING or len(value) > limit:
                del element.attrib[name]


def _make_absolute(element: Any, name: str, base: str | None) -> None:
    """Make the address in an attribute absolute, or remove the attribute if its address is missing or invalid."""
    address = (element.attrib.pop(name, None) or "").strip()
    if not address:
        return
    with suppress(ValueError):
        address = urljoin(base or "", address)
        # A user name before the host could pass for the host ("https://kite.example@other.example")
        if "@" not in urlsplit(address).netloc:
            element.set(name, address)


def _link_player(player: Any, base: str | None) -> None:
    """Replace an embedded player by a link, whose text is the player's title or the host of its address."""
    try:
        sources = (
            element.get(name)
            for element in (player, *player.iter("source"))
            for name in ("src", "data", *_LAZY_SOURCES)
        )
        address = urljoin(base or "", next(filter(None, sources), ""))
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


def _show_pictures(root: Any, base: str | None) -> None:
    """Give pictures their addresses; remove repeated pictures, pictures that count readers, and those no page shows."""
    seen = set()
    # Readers see an article without scripts, so its <noscript> is shown
    for fallback in list(root.iter("noscript")):
        fallback.tag = "span"  # nh3 takes the tag away, in less time
    for picture in list(root.iter("img")):
        for name in _LAZY_SOURCES:
            if picture.get(name):
                picture.set("src", picture.get(name))
        _make_absolute(picture, "src", base)
        address = picture.get("src") or ""
        sizes = {(picture.get(name) or "").strip() for name in ("width", "height")}
        is_tracking = not sizes.isdisjoint(_TRACKING_SIZES)
        if address in seen or is_tracking or not is_shown_picture(address):
            picture.drop_tree()
        seen.add(address)
        picture.set("loading", "lazy")  # not by nh3, which would add both in any order
        picture.set("referrerpolicy", "no-referrer")


def is_shown_picture(address: str) -> bool:
    """Return whether a page may show a picture from this address.

    The host must be public, because the browser would otherwise send a request into the reader's own network. SVG is
    refused, because it can contain scripts.
    """
    try:
        is_svg = unquote(urlsplit(address).path).lower().endswith((".svg", ".svgz"))
    except ValueError:
        return False
    return not is_svg and leads_to_internet(address)
