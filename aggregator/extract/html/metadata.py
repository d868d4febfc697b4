"""Metadata of a page: headline, author, outlet, dates, language, permissions.

Read from the parsed tree, with every value cut to a limit. trafilatura's metadata reader is not used, since
one long value can take it minutes. Order of preference: JSON-LD of an article, `<meta>`, visible elements.
"""

import datetime as dt
from typing import Any

from aggregator.extract.html.declared import (
    ARTICLE_TYPES,
    ROBOTS_NAMES,
    Meta,
    first_meta,
    first_value,
    name_of,
    read_meta,
    text_of,
    types_of,
)
from aggregator.extract.html.json_ld import Node, json_ld
from aggregator.extract.html.page_author import find_author
from aggregator.extract.html.page_times import find_times
from aggregator.extract.html.page_title import find_headings, find_title
from aggregator.extract.html.robots_meta import TDM_RESERVED, Permissions, permissions
from aggregator.extract.urls import canonical_url
from aggregator.model.core import Enclosure, FrozenStruct, Published
from aggregator.text.language import primary_tag

_LINKS = 10

_KINDS = 20

_SECTIONS = 10


class PageFacts(FrozenStruct):
    """Declared metadata of a page; None or "" for missing values."""

    title: str = ""
    # Visible headlines, and the headlines in JSON-LD and <title>
    headings: tuple[str, ...] = ()
    author: str | None = None
    # Declared source of the text, if it is not the page's own outlet
    sources: tuple[str, ...] = ()
    site: str | None = None
    canonical: str | None = None
    language: str | None = None
    published: Published | None = None
    modified: dt.datetime | None = None
    forbids: Permissions = Permissions()
    image: Enclosure | None = None  # its image, the URL as written
    is_live: bool = False
    kinds: tuple[str, ...] = ()  # og:type and the types of its JSON-LD, in lower case
    # Those of its article alone, or all, if there is no article
    types: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()  # where the page stands at its outlet: "Opinion"
    is_free: bool | None = None  # isAccessibleForFree of JSON-LD; None: not declared


def read_facts(
    root: Any, *, zone: str | None, seen: dt.datetime | None, max_chars: int
) -> PageFacts:
    """Read the metadata of a parsed page (an lxml element); longer values are cut to `max_chars`."""
    meta = read_meta(root, max_chars)
    nodes = list(json_ld(root))
    is_article = ARTICLE_TYPES.fullmatch
    linked = next((node for node in nodes if any(map(is_article, types_of(node)))), {})
    site = first_meta(meta, "og:site_name", "application-name") or name_of(
        linked.get("publisher"), max_chars
    )
    published, modified = find_times(root, meta, linked, zone, seen)
    kinds = _kinds(meta, nodes)
    return PageFacts(
        title=find_title(root, meta, linked, site, max_chars),
        headings=find_headings(root, linked, max_chars),
        author=find_author(root, meta, linked, site, max_chars),
        sources=_sources(meta, linked, max_chars),
        site=site,
        canonical=_canonical(root, meta),
        language=primary_tag(text_of(linked.get("inLanguage"), 40))
        or _declared_language(root, meta),
        published=published,
        modified=modified,
        forbids=permissions(
            *(meta.get(name, "") for name in ROBOTS_NAMES),
            TDM_RESERVED if meta.get(TDM_RESERVED) == "1" else "",
        ),
        image=_image(meta, linked, max_chars),
        is_live="liveblogposting" in kinds,
        kinds=kinds,
        types=tuple(name.lower() for name in types_of(linked)) or kinds,
        sections=_sections(meta, linked, max_chars),
        is_free=_is_free(linked),
    )


def _kinds(meta: Meta, nodes: list[Node]) -> tuple[str, ...]:
    names = (
        meta.get("og:type", ""),
        *(name for node in nodes for name in types_of(node)),
    )
    return tuple(dict.fromkeys(name.lower()[:40] for name in names if name))[:_KINDS]


def _sections(meta: Meta, linked: Node, max_chars: int) -> tuple[str, ...]:
    stated = linked.get("articleSection")
    listed = stated if isinstance(stated, list) else [stated]
    names = (
        text_of(name, max_chars)
        for name in (*listed[:_SECTIONS], meta.get("article:section"))
    )
    return tuple(dict.fromkeys(name for name in names if name))


def _is_free(linked: Node) -> bool | None:
    stated = linked.get("isAccessibleForFree")
    if isinstance(stated, bool):
        return stated
    word = text_of(stated, 10).lower()
    return {"true": True, "false": False}.get(word)


def _sources(meta: Meta, linked: Node, max_chars: int) -> tuple[str, ...]:
    in_data = ("sourceOrganization", "copyrightHolder", "creditText")
    in_head = ("source", "dc.source", "syndication-source", "original-source")
    names = (
        *(name_of(linked.get(key), max_chars) for key in in_data),
        *(meta.get(name) for name in in_head),
    )
    return tuple(dict.fromkeys(name for name in names if name and len(name) <= 200))


_IMAGE_NAMES = (
    "og:image:secure_url",
    "og:image",
    "og:image:url",
    "twitter:image",
    "twitter:image:src",
)


def _image(meta: Meta, linked: Node, max_chars: int) -> Enclosure | None:
    """Return the page's image for sharing."""
    stated = first_value(linked.get("image"))
    if isinstance(stated, dict):
        stated = stated.get("url") or stated.get("contentUrl")
    shared = first_meta(meta, *_IMAGE_NAMES)
    address = shared or text_of(stated, max_chars)
    kind = meta.get("og:image:type", "") if shared else ""
    return Enclosure(url=address, type=kind or "image") if address else None


def _canonical(root: Any, meta: Meta) -> str | None:
    links: list[str] = root.xpath("//link[@rel='canonical']/@href")[:_LINKS]
    for address in (*links, meta.get("og:url", "")):
        if canonical_url(address) is not None:
            return address.strip()
    return None


def _declared_language(root: Any, meta: Meta) -> str | None:
    stated = root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang")
    return primary_tag(stated) or primary_tag(
        first_meta(meta, "content-language", "og:locale", "language")
    )
