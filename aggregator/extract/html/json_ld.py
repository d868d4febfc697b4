"""The JSON-LD of a page, also where a content system wrapped or broke it.

Sites write it into CDATA or an HTML comment, escape its quotation marks, begin with a comment, end a list
with a comma, or put two objects into one script. From scripts broken otherwise only a few members are read.
"""

import json
import re
from collections.abc import Iterator
from html import unescape
from itertools import chain, islice
from typing import Any

Node = dict[str, Any]

JSON_NODES = 2_000
# A longer script is not read (limit)
_SCRIPT_CHARS = 524_288
# A script is given up after this many broken beginnings: each may take the time of the whole (limit)
_FAILURES = 20
# Strings stay, the other matches go. A string without an end goes on to the end, so that the time is linear.
_NOISE = re.compile(
    r'"(?:[^"\\]|\\.)*+"?|/\*.*?(?:\*/|$)|//[^\n]*|<!--|-->|<!\[CDATA\[|\]\]>|,(?=\s*[}\]])',
    re.DOTALL,
)
_OPENING = re.compile(r"[{\[]")
_ARTICLE = re.compile(r'"@type"\s*:\s*"[^"]{0,100}(?:Article|Posting)"')
_MEMBER = re.compile(
    r'"(datePublished|dateModified|author)"\s*:\s*(?:[\[{](?:[^{}]{0,200}?"name"\s*:)?\s*)?"([^"]{1,200})"'
)


def json_ld(root: Any) -> Iterator[Node]:
    """Yield the nodes of the page's JSON-LD, at most `JSON_NODES`."""
    scripts = (
        element.text or ""
        for element in root.iter("script")
        if "ld+json" in (element.get("type") or "").lower()
    )
    short = (text for text in scripts if len(text) <= _SCRIPT_CHARS)
    values = chain.from_iterable(map(_values, short))
    return islice(chain.from_iterable(map(_nodes, values)), JSON_NODES)


def _values(text: str) -> Iterator[Any]:
    try:
        yield json.loads(text, strict=False)
    except (ValueError, RecursionError):
        yield from _repaired(text)


def _repaired(text: str) -> Iterator[Any]:
    """Yield the values in a script that is not JSON as a whole."""
    if '"' not in text:
        text = unescape(text)
    clean = _NOISE.sub(lambda part: part[0] if part[0].startswith('"') else "", text)
    decoder = json.JSONDecoder(strict=False)
    failures = 0
    end = 0
    while failures < _FAILURES and (start := _OPENING.search(clean, end)):
        try:
            value, end = decoder.raw_decode(clean, start.start())
            yield value
        except (ValueError, RecursionError):
            failures = failures + 1
            end = start.end()
    if failures and _ARTICLE.search(text):
        yield {"@type": "Article", **dict(reversed(_MEMBER.findall(text)))}


def _nodes(data: Any) -> Iterator[Node]:
    waiting = [data]
    seen = 0
    while waiting and seen < JSON_NODES:
        seen += 1
        node = waiting.pop(0)
        if isinstance(node, list):
            waiting.extend(node[:JSON_NODES])
        elif isinstance(node, dict):
            yield node
            waiting.extend(
                node[key]
                for key in ("@graph", "mainEntity", "mainEntityOfPage", "item")
                if key in node
            )
