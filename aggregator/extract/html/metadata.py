"""Metadata of a page: headline, author, outlet, dates, language, permissions.

The metadata is read from the parsed tree, with every value cut to a limit. trafilatura's metadata reader is not used,
because one long value can take it minutes. Author, dates and language are taken from the JSON-LD of the article if
possible, then from `<meta>` or visible elements. Headline, outlet and image are taken from `<meta>` first.
"""

from datetime import datetime
from html import unescape
from typing import Any

from aggregator.extract.html.declared import (
    PageHead,
    as_list,
    first_value,
    read_head,
    text_of,
    types_of,
    visible_text,
)
from aggregator.extract.html.page_author import find_author
from aggregator.extract.html.page_times import find_times
from aggregator.extract.html.page_title import find_title, visible_headlines
from aggregator.extract.html.robots_meta import ROBOTS_NAMES, TDM_RESERVED
from aggregator.model.entry import Enclosure, Published
from aggregator.model.structs import FrozenStruct
from aggregator.text.language import primary_tag
from aggregator.text.lines import one_line, word_list

_KINDS = 20
_SECTIONS = 10
_SOURCES_IN_DATA = ("sourceOrganization", "copyrightHolder", "creditText")
_SOURCES_IN_META = word_list("source dc.source syndication-source original-source")
_IMAGE_NAMES = word_list(
    "og:image:secure_url og:image og:image:url twitter:image twitter:image:src"
)


class PageFacts(FrozenStruct):
    """Declared metadata of a page; None or "" for missing values."""

    title: str = ""
    # Up to two visible headlines, and the headline in JSON-LD, "" if there is none
    headings: tuple[str, ...] = ()
    author: str | None = None
    # The declared sources and copyright holders of the text; the page's own outlet may be among them
    sources: tuple[str, ...] = ()
    site: str | None = None
    canonical: str | None = None
    language: str | None = None
    published: Published | None = None
    modified: datetime | None = None
    robots: tuple[str, ...] = ()  # lists of rules for programs, see robots_meta.py
    image: Enclosure | None = None  # the URL is as written, perhaps relative
    is_live: bool = False
    kinds: tuple[str, ...] = ()  # og:type and the types of its JSON-LD, in lower case
    # The types of the article alone, or all types of a page without an article
    types: tuple[str, ...] = ()
    # The sections of the outlet that the page belongs to: "Opinion"
    sections: tuple[str, ...] = ()
    is_free: bool | None = None  # isAccessibleForFree of JSON-LD; None: not declared


def read_facts(root: Any, *, zone: str | None, seen: datetime | None) -> PageFacts:
    """Read the metadata of a parsed page (an lxml element), with every value cut to a limit."""
    head = read_head(root)
    site = head.first("og:site_name", "application-name") or head.name("publisher")
    published, modified = find_times(head, zone, seen)
    names = [head.meta.get("og:type", "")]
    for node in head.nodes:
        names += types_of(node)
    kinds = tuple(dict.fromkeys(name.lower()[:40] for name in names if name))[:_KINDS]
    robots = [head.meta.get(name, "") for name in ROBOTS_NAMES]
    if head.meta.get(TDM_RESERVED) == "1":
        robots.append(TDM_RESERVED)
    sources = (
        *map(head.name, _SOURCES_IN_DATA),
        *map(head.meta.get, _SOURCES_IN_META),
    )
    sections = (
        *map(text_of, as_list(head.article.get("articleSection"))[:_SECTIONS]),
        head.meta.get("article:section"),
    )
    is_free = head.article.get("isAccessibleForFree")
    if not isinstance(is_free, bool):
        said = head.text("isAccessibleForFree", 10).lower()
        is_free = {"true": True, "false": False}.get(said)
    languages = (
        head.text("inLanguage", 40),
        head.root.get("lang")
        or head.root.get("{http://www.w3.org/XML/1998/namespace}lang"),
        head.first("content-language", "og:locale", "language"),
    )
    visible = map(visible_text, visible_headlines(head.root)[:2])
    headings = (*visible, one_line(unescape(head.text("headline"))))
    return PageFacts(
        title=find_title(head, site),
        headings=headings,
        author=find_author(head, site),
        sources=tuple(
            dict.fromkeys(name for name in sources if name and len(name) <= 200)
        ),
        site=site,
        canonical=next(iter(head.addresses), None),
        language=next(filter(None, map(primary_tag, languages)), None),
        published=published,
        modified=modified,
        robots=tuple(robots),
        image=_image(head),
        is_live="liveblogposting" in kinds,
        kinds=kinds,
        types=tuple(map(str.lower, types_of(head.article))) or kinds,
        sections=tuple(dict.fromkeys(filter(None, sections))),
        is_free=is_free,
    )


def _image(head: PageHead) -> Enclosure | None:
    """Return the image that the page declares for sharing, else the image of its article."""
    if shared := head.first(*_IMAGE_NAMES):
        return Enclosure(url=shared, type=head.meta.get("og:image:type") or "image")
    stated = first_value(head.article.get("image"))
    if isinstance(stated, dict):
        stated = stated.get("url") or stated.get("contentUrl")
    address = text_of(stated)
    return Enclosure(url=address, type="image") if address else None
