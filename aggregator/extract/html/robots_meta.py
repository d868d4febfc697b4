"""What a page allows to be done with it: the words of `<meta name="robots">`, of X-Robots-Tag and of TDMRep.

The words and what they mean are those of the large search engines' published pages on robots meta tags; the
reservation of text mining is that of the W3C group's TDM Reservation Protocol.
"""

import re
from collections.abc import Iterable

import msgspec

TDM_RESERVED = "tdm-reservation"  # name of the meta element and the header; as a rule: it is 1
# Rules written for these names hold for us too: whoever forbids it to the largest reader means smaller ones.
_OURS = frozenset({"robots", "googlebot", "googlebot-news", "aggregator"})
_VALUED = frozenset({"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"})
_SNIPPET = re.compile(r"max-snippet:(\d{1,9})")
_NAMED = re.compile(r"(?P<name>[a-z][a-z_-]*):(?P<rule>.*)")
# An excerpt of 60 words is about so many characters: who allows fewer is not quoted.
_SNIPPET_CHARS = 350
_CHARS_READ = 2_000


class Permissions(msgspec.Struct, frozen=True, kw_only=True):
    """What is forbidden; nothing where nothing was said."""

    noarchive: bool = False  # no whole copy shown to others
    nosnippet: bool = False  # no words of the text shown to others
    noimage: bool = False  # no picture passed on
    tdm_reserved: bool = False


def permissions(*declared: str) -> Permissions:
    """What these lists of rules forbid together, each as it stands in a meta element or a header.

    A rule behind the name of another program ("otherbot: noindex") is not for us, nor are those behind it, up
    to the next semicolon. Where two rules say different things, the stricter holds.
    """
    rules = {rule for words in declared if words for rule in _rules(words)}
    allowed = [match[1] for rule in rules if (match := _SNIPPET.fullmatch(rule))]
    short = any(int(chars) < _SNIPPET_CHARS for chars in allowed)
    return Permissions(
        noarchive=bool(rules & {"noarchive", "nocache"}),
        nosnippet="nosnippet" in rules or short,
        noimage=bool(rules & {"noimageindex", "max-image-preview:none"}),
        tdm_reserved=TDM_RESERVED in rules,
    )


def header_rules(headers: Iterable[tuple[str, str]]) -> str:
    """What the headers of a page forbid, as one list that `permissions` reads; "" where they say nothing.

    Each header line by itself: rules for one program go on to the end of its line, not into the next.
    """
    lines = []
    for name, value in headers:
        if name.lower() == "x-robots-tag":
            lines.append("".join(char if " " <= char <= "~" else " " for char in value).strip())
        elif name.lower() == TDM_RESERVED and value.strip() == "1":
            lines.insert(0, TDM_RESERVED)
    return "; ".join(line for line in lines if line)[:_CHARS_READ]


def _rules(words: str) -> list[str]:
    found = []
    tight = re.sub(r"(?:(?<!\s)\s++)?:\s*", ":", words[:_CHARS_READ].lower())
    for listed in tight.split(";"):
        ours = True
        for word in re.split(r"[,\s]+", listed):
            named = _NAMED.fullmatch(word)
            rule = word
            if named is not None and named["name"] not in _VALUED:
                ours, rule = named["name"] in _OURS, named["rule"]
            if ours and rule:
                found.append(rule)
    return found
