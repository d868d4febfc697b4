"""Reads the JSON-LD of a page, even if a content system wrapped or broke it.

Sites write JSON-LD into CDATA or an HTML comment, escape its quotation marks, begin with a comment, end a list with a
comma, or put two objects into one script. If a script is broken in another way, only a few members are read.
"""

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

Node = dict[str, Any]

JSON_NODES = 2_000
# A longer script is not read (limit)
_SCRIPT_CHARS = 524_288
# A script is given up after this many failures, because each may take the time of the whole script (limit)
_FAILURES = 20
# Strings are kept, and the other matches removed. An unclosed string extends to the end, which keeps the time linear.
_NOISE = re.compile(
    r'"(?:[^"\\]|\\.)*+"?|/\*.*?(?:\*/|$)|//[^\n]*|<!--|-->|<!\[CDATA\[|\]\]>|,(?=\s*[}\]])',
    re.DOTALL,
)
_OPENING = re.compile(r"[{\[]")
_ARTICLE = re.compile(r'"@type"\s*:\s*"[^"]{0,100}(?:Article|Posting)"')
_MEMBER = re.compile(
    r'"(datePublished|dateModified|author)"\s*:\s*(?:[\[{](?:[^{}]{0,200}?"name"\s*:)?\s*)?"([^"]{1,200})"'
)


_INNER_NODES = ("@graph", "mainEntity", "mainEntityOfPage", "item")


def json_ld(root: Any) -> Iterator[Node]:
    """Yield the nodes of the page's JSON-LD, at most `JSON_NODES`, the outer nodes of each script first."""
    values: list[Any] = []
    for element in root.iter("script"):
        text = element.text or ""
        is_data = "ld+json" in (element.get("type") or "").lower()
        if is_data and len(text) <= _SCRIPT_CHARS:
            try:
                values.append(json.loads(text, strict=False))
            except (ValueError, RecursionError):
                values += _repair(text)
    looked_at = 0
    for value in values:
        waiting = [value]
        while waiting and looked_at < JSON_NODES:
            looked_at += 1
            node = waiting.pop(0)
            if isinstance(node, list):
                waiting += node[:JSON_NODES]
            elif isinstance(node, dict):
                yield node
                waiting += [node[key] for key in _INNER_NODES if key in node]


def _repair(text: str) -> Iterator[Any]:
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
            failures += 1
            end = start.end()
    if failures and _ARTICLE.search(text):
        yield {"@type": "Article", **dict(reversed(_MEMBER.findall(text)))}
