"""The values that a page declares in <meta> and JSON-LD, each cut to a limit, and the visible text of an element."""

import re
from typing import Any

from aggregator.extract.html.json_ld import Node
from aggregator.extract.language.unicode import clean
from aggregator.text.lines import word_set

Meta = dict[str, str]  # values by the names of <meta>

ARTICLE_TYPES = re.compile(
    r"(?:\w*NewsArticle|Article|ReportageNewsArticle|BlogPosting|LiveBlogPosting|Report|\w*Article)"
)

_VOCABULARY = re.compile(r"^(?:https?://schema\.org/|schema:)", re.IGNORECASE)


def read_meta(root: Any, max_chars: int) -> Meta:
    """Return the first value of every <meta>, names in lower case; rules for robots are joined with
    semicolons.
    """
    values: Meta = {}
    for element in root.iter("meta"):
        value = one_line(element.get("content") or "", max_chars)
        names = dict.fromkeys(
            (element.get(key) or "").strip().lower()[:100] for key in _META_NAMES
        )
        for name in names:
            if not name or not value or len(values) >= 500:
                continue
            rules = values.get(name) if name in ROBOTS_NAMES else None
            if rules is not None:
                values[name] = f"{rules}; {value}"[:max_chars]
            values.setdefault(name, value)
    return values


def types_of(node: Node) -> list[str]:
    """Return the types of a node, without the address of their vocabulary: "http://schema.org/Report"."""
    kinds = node.get("@type")
    named = kinds if isinstance(kinds, list) else [kinds]
    return [_VOCABULARY.sub("", kind) for kind in named if isinstance(kind, str)]


def first_value(value: Any) -> Any:
    """Return the first value of a list, and any other value as it is."""
    if isinstance(value, list):
        return value[0] if value else None
    return value


def text_of(value: Any, max_chars: int) -> str:
    value = first_value(value)
    return one_line(value, max_chars) if isinstance(value, str) else ""


def name_of(value: Any, max_chars: int) -> str | None:
    value = first_value(value)
    if isinstance(value, dict):
        given, family = value.get("givenName"), value.get("familyName")
        both = (
            f"{given} {family}"
            if isinstance(given, str) and isinstance(family, str)
            else None
        )
        value = value.get("name") or both
    return text_of(value, max_chars) or None


def one_line(value: str, max_chars: int) -> str:
    return " ".join(clean(value[:max_chars]).split())


def first_meta(meta: Meta, *names: str) -> str | None:
    return next((meta[name] for name in names if meta.get(name)), None)


def visible_text(element: Any, max_chars: int) -> str:
    """Return the element's text in one line; separate parts, as a topic before a headline, get a space."""
    pieces: list[str] = []
    for part in element.iter():
        if isinstance(part.tag, str) and part.tag not in _UNSEEN:
            apart = "" if part.tag in _RUN_IN else " "
            pieces.extend((apart, part.text or "", apart))
        if part is not element:
            pieces.extend((" " if part.tag not in _RUN_IN else "", part.tail or ""))
    return one_line("".join(pieces), max_chars)


_RUN_IN = word_set("a b i em strong u sup sub mark q font abbr wbr big")

_UNSEEN = frozenset({"script", "style", "svg", "noscript", "template", "button"})

_META_NAMES = ("property", "name", "itemprop", "http-equiv")

ROBOTS_NAMES = ("robots", "googlebot", "googlebot-news", "aggregator")
