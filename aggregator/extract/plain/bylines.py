"""Bylines: "By Ada Lorne", a bare name under the headline, a name with its place or office, a desk.

A stated byline ("By", "Von", "Par") is one wherever it stands; all others need their place, which the callers
of `read_signature` vouch for: after the headline and before the text.
"""

import re

from aggregator.extract.lines import count_words, ends_sentence, is_name_like
from aggregator.extract.phrases import label_of, phrases, words

_STATED = re.compile(
    r"(?:by|von|par|por|di|door|da|text|autor|author|written by|auteur|reporter|от|"
    r"автор)\b\s*:?\s+(?P<name>[^.:;!?\d]{3,80})",
    re.IGNORECASE,
)
_AND = re.compile(r"\s*(?:,|&|\band\b|\bund\b|\bet\b|\by\b|\be\b|\ben\b)\s+")
_AFTER_NAME = re.compile(r"\s*(?:,|\||•|–|—|\s-\s|\bin\b|\bat\b|\bfor\b|\bà\b|\baus\b|\ben\b)\s*")
_OURS = re.compile(r"(?:our|unser\w{0,2}|notre|nuestr[oa]|nostr[oa]|noss[oa]|onze)\b", re.IGNORECASE)
_TITLE = re.compile(r"(?:Dr|Prof|Professor|Sir|Dame|Mag|Ing)\.?\s+")
_DESK = re.compile(
    r"(?:[\w.’'-]+\s+){1,3}(?:(?:live|news|foreign|sports?|city|night)\s+)?"
    r"(?:reporters?|newsroom|desk|staff|staff writers?|correspondents?|bureau|redaktion|rédaction|"
    r"redacción|redazione|redação|redactie)(?:,\s*[\w’' -]{2,40})?",
    re.IGNORECASE,
)
_IN_BRACKETS = re.compile(r"\s*\([^()]{1,60}\)")
_SIGNED = re.compile(r"(?P<name>[^\W\d_]{2,4})\s?(?P<office>[^\W\d_]{2,6})(?:\s\S+@\S+)?")
_BYLINE_WORDS = 10


def stated_byline(line: str) -> str | None:
    """The name after "By", "Von", "Par" ...; "" where an office stands without one; None for other lines."""
    line = _IN_BRACKETS.sub("", line)
    if count_words(line) > _BYLINE_WORDS:
        return None
    signed = _SIGNED.fullmatch(line)
    if signed is not None and words(signed["office"]) in phrases("signed").whole:
        return signed["name"]
    found = _STATED.fullmatch(line)
    if found is None:
        return _byline_by_phrase(line)
    if _is_news_desk(found["name"]):
        return ""
    pieces = [piece for piece in _AFTER_NAME.split(found["name"]) if piece]
    if _OURS.match(found["name"]):
        return next((piece for piece in pieces if is_name_like(piece)), "")
    name = pieces[0].strip() if pieces else ""
    return name if name and name[0].isupper() and 1 <= len(name.split()) <= 5 else None


def _byline_by_phrase(line: str) -> str | None:
    """The same for the words of phrases.yaml: any name after a colon, else one of two words or more."""
    label, rest = label_of(line)
    if label and label in phrases("bylines").whole:
        return _named(rest)
    told = words(line)
    length = phrases("bylines").at(told)
    rest = line.split(None, length)[-1] if 0 < length < len(line.split()) else ""
    is_byline = bool(rest) and (
        _are_names(rest) or words(rest) in phrases("desks").whole or _is_caseless_name(rest)
    )
    return _named(rest) if is_byline else None


def _is_caseless_name(rest: str) -> bool:
    """Two to four words of letters that are neither capital nor small, and no sentence."""
    parts = rest.split()
    is_caseless = all(part.isalpha() and part.upper() == part.lower() for part in parts)
    return 2 <= len(parts) <= 4 and is_caseless


def _named(rest: str) -> str | None:
    if not rest or _is_news_desk(rest):
        return "" if rest else None
    pieces = [piece for piece in _AFTER_NAME.split(rest) if piece]
    name = pieces[0].strip() if pieces else ""
    is_name = name and not name[0].islower() and not any(c.isdigit() for c in name)
    return name if is_name and 1 <= len(name.split()) <= 5 else None


def _is_news_desk(name: str) -> bool:
    """Whether the name is an office's ("our correspondent" has its own rule)."""
    first = next((piece for piece in _AFTER_NAME.split(name) if piece), "")
    return _OURS.match(name) is None and phrases("desks").stand_in(words(first))


def read_signature(line: str) -> str | None:
    """The name in a line that is a signature by its look: "Ada Lorne and Bo Marsh", "Dr Ada Lorne, editor",
    "Ada Lorne at the harbour", "Lantern reporters"; None for any other line."""
    line = _IN_BRACKETS.sub("", line)
    if count_words(line) > _BYLINE_WORDS or ends_sentence(line):
        return None
    if _are_names(line):
        return line
    if _DESK.fullmatch(line):
        return line
    pieces = [piece for piece in _AFTER_NAME.split(_TITLE.sub("", line), maxsplit=1) if piece]
    if len(pieces) == 2 and _are_names(pieces[0]) and "," not in pieces[1] and count_words(pieces[1]) <= 4:
        return line[: line.index(pieces[0]) + len(pieces[0])]
    return None


def _are_names(words: str) -> bool:
    people = [person for person in _AND.split(words) if person]
    return 1 <= len(people) <= 4 and all(is_name_like(_TITLE.sub("", person)) for person in people)
