"""Permissions of a page: `<meta name="robots">`, X-Robots-Tag and TDMRep.

The rules and their meaning follow the documentation of robots meta tags by the large search engines. The reservation
of text mining follows the TDM Reservation Protocol of a W3C group.
"""

import re
from collections.abc import Iterable

from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import word_list, word_set

# The name of the meta element and of the header, which have the value 1, and of the rule that stands for both here
TDM_RESERVED = "tdm-reservation"
# Rules for these programs apply here, too, because a ban on the largest crawler is also meant for smaller ones.
ROBOTS_NAMES = word_list("robots googlebot googlebot-news aggregator")
_VALUED = word_set("max-snippet max-image-preview max-video-preview unavailable_after")
_SNIPPET = re.compile(r"max-snippet:(\d{1,9})")
_NAMED = re.compile(r"(?P<name>[a-z][a-z_-]*):(?P<rule>.*)")
# An excerpt of 60 words has about this many characters; pages that allow fewer are not quoted.
_SNIPPET_CHARS = 350
_CHARS_READ = 2_000


class Permissions(FrozenStruct):
    """The uses that a page forbids; all False if it declares nothing."""

    noarchive: bool = False  # do not show a full copy to others
    nosnippet: bool = False  # do not show any of the text to others
    noimage: bool = False  # do not use its images
    tdm_reserved: bool = False


def permissions(*declared: str) -> Permissions:
    """Combine lists of rules, each as in a meta element or a header.

    Rules after the name of another program ("otherbot: noarchive") do not apply, up to the next semicolon or name. If
    rules conflict, the stricter one applies.
    """
    rules = set()
    for rule_list in declared:
        tight = re.sub(r"(?:(?<!\s)\s++)?:\s*", ":", rule_list[:_CHARS_READ].lower())
        for listed in tight.split(";"):
            is_ours = True
            for word in re.split(r"[,\s]+", listed):
                named = _NAMED.fullmatch(word)
                rule = word
                if named is not None and named["name"] not in _VALUED:
                    is_ours = named["name"] in ROBOTS_NAMES
                    rule = named["rule"]
                if is_ours:
                    rules.add(rule)
    allowed = [match[1] for rule in rules if (match := _SNIPPET.fullmatch(rule))]
    short = any(int(chars) < _SNIPPET_CHARS for chars in allowed)
    return Permissions(
        noarchive=bool(rules & {"noarchive", "nocache"}),
        nosnippet="nosnippet" in rules or short,
        noimage=bool(rules & {"noimageindex", "max-image-preview:none"}),
        tdm_reserved=TDM_RESERVED in rules,
    )


def header_rules(headers: Iterable[tuple[str, str]]) -> str:
    """Return the rules in the headers of a page as one list for `permissions`; "" for none.

    Header lines are separated by semicolons, because the rules for one program end with their line.
    """
    lines = []
    for name, value in headers:
        if name.lower() == "x-robots-tag":
            lines.append(
                "".join(char if " " <= char <= "~" else " " for char in value).strip()
            )
        elif name.lower() == TDM_RESERVED and value.strip() == "1":
            lines.insert(0, TDM_RESERVED)
    return "; ".join(filter(None, lines))[:_CHARS_READ]
