"""The values that a page declares in <meta> and JSON-LD, each cut to a limit, and the visible text of an element."""

import re
from collections.abc import Set
from copy import deepcopy
from html import unescape
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from aggregator.extract.html.inline_text import has_inline_texts, write_inline_texts
from aggregator.extract.html.json_ld import Node, json_ld
from aggregator.extract.html.robots_meta import ROBOTS_NAMES
from aggregator.extract.language.unicode import clean
from aggregator.extract.urls import canonical_url
from aggregator.text.lines import fold_line, one_line, word_list, word_set

# The longest value; the rest is cut (limit)
MAX_CHARS = 1024
_MOST_META = 500
_LINKS = 10

Meta = dict[str, str]  # values by the names of <meta>

_ARTICLE_TYPES = re.compile(
    r"(?:\w*NewsArticle|Article|ReportageNewsArticle|BlogPosting|LiveBlogPosting|Report|\w*Article)"
)

_VOCABULARY = re.compile(r"^(?:https?://schema\.org/|schema:)", re.IGNORECASE)


class PageHead(NamedTuple):
    """The declarations of a page: its tree, its <meta>, all nodes of its JSON-LD, and its article's node."""

    root: Any
    meta: Meta
    nodes: list[Node]
    article: Node  # {} without one
    addresses: list[str]  # that the page declares for itself (rel=canonical, og:url)

    def first(self, *names: str) -> str | None:
        """Return the value of the first of these <meta> that the page has."""
        return next((self.meta[name] for name in names if self.meta.get(name)), None)

    def text(self, key: str, most: int = MAX_CHARS) -> str:
        """Return a text of the article's JSON-LD in one line; "" if there is none."""
        return text_of(self.article.get(key), most)

    def name(self, key: str) -> str | None:
        """Return the name of a person or an organisation in the article's JSON-LD."""
        return name_of(self.article.get(key))


def read_head(root: Any) -> PageHead:
    """Read the declarations of a parsed page (an lxml element)."""
    nodes = list(json_ld(root))
    values: Meta = {}
    for element in root.iter("meta"):
        value = _one_line(element.get("content") or "")
        for key in _META_NAMES:
            name = (element.get(key) or "").strip().lower()[:100]
            if not name or not value or len(values) >= _MOST_META:
                continue
            if name in ROBOTS_NAMES and name in values:
                values[name] = f"{values[name]}; {value}"[:MAX_CHARS]
            values.setdefault(name, value)
    links: list[str] = root.xpath("//link[@rel='canonical']/@href")[:_LINKS]
    addresses = {
        address.strip(): page.lower()
        for address in (*links, values.get("og:url", ""))
        if (page := canonical_url(address)) is not None
    }
    articles = [
        node for node in nodes if any(map(_ARTICLE_TYPES.fullmatch, types_of(node)))
    ]
    shown: list[str] = []
    if articles:
        shown = [values.get("og:title", ""), *map(visible_text, root.iter("h1"))]
    titles = [fold_line(unescape(title)) for title in shown]
    own = set(addresses.values())
    # A page may have data of other articles beside or instead of the data of its own article, which has the headline
    # of the page. If no article has this headline, take the first one that does not belong to another address.
    article: Node = {}
    for node in articles:
        headline = fold_line(unescape(text_of(node.get("headline"))))
        if headline and any(headline in title for title in titles):
            article = node
            break
        if not article and not (headline and own and _is_elsewhere(node, own)):
            article = node
    return PageHead(root, values, nodes, article, list(addresses))


def _is_elsewhere(node: Node, own: Set[str]) -> bool:
    """Return whether a node names pages that are all different from the page's `own` addresses (in lower case).

    An address without a path ("https://kite.example/?p=7") may be any page.
    """
    page = first_value(node.get("mainEntityOfPage"))
    if isinstance(page, dict):
        page = page.get("@id") or page.get("url")
    named = {
        key.lower()
        for one in (page, node.get("url"))
        if (key := canonical_url(text_of(one))) and urlsplit(key).path.strip("/")
    }
    return bool(named) and named.isdisjoint(own)


def types_of(node: Node) -> list[str]:
    """Return the types of a node without the address of their vocabulary: "Report" for "http://schema.org/Report"."""
    return [
        _VOCABULARY.sub("", kind)
        for kind in as_list(node.get("@type"))
        if isinstance(kind, str)
    ]


def as_list(value: Any) -> list[Any]:
    """Return the values of a member of JSON-LD as a list, even if it is a single value."""
    return value if isinstance(value, list) else [value]


def first_value(value: Any) -> Any:
    """Return the first value of a list (None if it is empty), and any other value unchanged."""
    return next(iter(as_list(value)), None)


def text_of(value: Any, most: int = MAX_CHARS) -> str:
    """Return a text of JSON-LD in one line; "" if the value is not a text."""
    value = first_value(value)
    return _one_line(value, most) if isinstance(value, str) else ""


def name_of(value: Any) -> str | None:
    """Return the name of a person or an organisation in JSON-LD; None without a name."""
    value = first_value(value)
    if not isinstance(value, dict):
        return text_of(value) or None
    given = value.get("givenName")
    family = value.get("familyName")
    if not value.get("name") and isinstance(given, str) and isinstance(family, str):
        return text_of(f"{given} {family}") or None
    return text_of(value.get("name")) or None


def _one_line(value: str, most: int = MAX_CHARS) -> str:
    return one_line(clean(value[:most]))


_META_NAMES = word_list("property name itemprop http-equiv")


def visible_text(element: Any, most: int = MAX_CHARS) -> str:
    """Return the visible text of an element in one line, with spaces between parts (a topic and a headline)."""
    import lxml.etree

    pieces: list[str] = []
    if has_inline_texts(element):
        element = deepcopy(element)
        write_inline_texts(element)
    for event, part in lxml.etree.iterwalk(element, events=("start", "end")):
        apart = "" if part.tag in _RUN_IN else " "
        if event == "start" and part.tag not in _UNSEEN:
            pieces += (apart, part.text or "")
        elif event == "end" and part is not element:
            pieces += (apart, part.tail or "")
    return _one_line("".join(pieces), most)


_RUN_IN = word_set("a b i em strong u sup sub mark q font abbr wbr big ins s")
_UNSEEN = word_set("script style svg noscript template button")
