"""Reads bylines: "By Ada Lorne", a bare name under the headline, a name with a place or office, a desk.

A byline with "By", "Von", "Par" or a similar phrase is recognised at any position (`stated_byline`). Other names may
stand anywhere in a text, so callers use `read_signature` only for lines between headline and text.
"""

import re

from aggregator.extract.phrases import label_of, phrases, words
from aggregator.text.lines import count_words, ends_sentence, is_name_like

_STATED = re.compile(
    r"(?:by|von|par|por|di|door|da|text|autor|author|written by|auteur|reporter|от|"
    r"автор)\b\s*:?\s+(?P<name>[^.:;!?\d]{3,80})",
    re.IGNORECASE,
)
_AND = re.compile(
    r"(?:(?<!\s)\s++)?(?:,|&|\band\b|\bund\b|\bet\b|\by\b|\be\b|\ben\b)\s+"
)
_AFTER_NAME = re.compile(
    r"(?:(?<!\s)\s++)?(?:,|\||•|–|—|(?<=\s)-\s|\bin\b|\bat\b|\bfor\b|\bà\b|\baus\b|\ben\b)\s*"
)
_OURS = re.compile(
    r"(?:our|unser\w{0,2}|notre|nuestr[oa]|nostr[oa]|noss[oa]|onze)\b", re.IGNORECASE
)
_DESK = re.compile(
    r"(?:[\w.’'-]+\s+){1,3}(?:(?:live|news|foreign|sports?|city|night)\s+)?"
    r"(?:reporters?|newsroom|desk|staff|staff writers?|correspondents?|bureau|redaktion|rédaction|"
    r"redacción|redazione|redação|redactie)(?:,\s*[\w’' -]{2,40})?",
    re.IGNORECASE,
)
_IN_BRACKETS = re.compile(r"(?:(?<!\s)\s++)?\([^()]{1,60}\)")
# A Korean byline: a name, an office, an address
_SIGNED = re.compile(
    r"(?P<name>[^\W\d_]{2,4})\s?(?P<office>[^\W\d_]{2,6})(?:\s\S+@\S+)?"
)
_BYLINE_WORDS = 10


def stated_byline(line: str) -> str | None:
    """Return the name after "By", "Von", "Par" and the like.

    Return "" for a byline that names only an office, and None if the line is not a byline.
    """
    line = _IN_BRACKETS.sub("", line)
    if count_words(line) > _BYLINE_WORDS:
        return None
    signed = _SIGNED.fullmatch(line)
    if signed is not None and words(signed["office"]) in phrases("after_name").whole:
        return signed["name"]
    match = _STATED.fullmatch(line)
    if match is None:
        return _byline_by_phrase(line)
    if _is_news_desk(match["name"]):
        return ""
    if _OURS.match(match["name"]):
        return next(filter(is_name_like, _AFTER_NAME.split(match["name"])), "")
    name = _first_name(match["name"])
    return name if name[:1].isupper() and len(name.split()) <= 5 else None


def _first_name(text: str) -> str:
    """Return the name at the beginning of a text, without a place, an office or anything else after it."""
    return next(filter(None, _AFTER_NAME.split(text)), "").strip()


def _byline_by_phrase(line: str) -> str | None:
    """Return the name after a phrase of phrases.yaml, as `stated_byline` does.

    After a colon any name counts, otherwise only a name of two or more words, or a desk.
    """
    label, name = label_of(line)
    if label and label in phrases("bylines").whole:
        return _find_name(name)
    length = phrases("bylines").at(words(line))
    name = line.split(None, length)[-1] if 0 < length < len(line.split()) else ""
    parts = name.split()
    is_caseless = all(part.isalpha() and part.upper() == part.lower() for part in parts)
    is_byline = (
        _are_names(name)
        or words(name) in phrases("desks").whole
        or (2 <= len(parts) <= 4 and is_caseless)
    )
    return _find_name(name) if is_byline else None


def _find_name(text: str) -> str | None:
    if not text:
        return None
    if _is_news_desk(text):
        return ""
    name = _first_name(text)
    if name[:1].islower() or any(map(str.isdigit, name)):
        return None
    return name if 1 <= len(name.split()) <= 5 else None


def _is_news_desk(name: str) -> bool:
    """Return whether the name is that of an office. "our correspondent" is excluded, because a name may follow."""
    return _OURS.match(name) is None and phrases("desks").occurs_in(
        words(_first_name(name))
    )


def read_signature(line: str) -> str | None:
    """Return the names in a line that looks like a signature, or None.

    Examples: "Ada Lorne and Bo Marsh", "Ada Lorne, editor", "Ada Lorne at the harbour", "Lantern reporters".
    """
    line = _IN_BRACKETS.sub("", line)
    if count_words(line) > _BYLINE_WORDS or ends_sentence(line):
        return None
    if _are_names(line) or _DESK.fullmatch(line):
        return line
    pieces = list(filter(None, _AFTER_NAME.split(line, maxsplit=1)))
    if (
        len(pieces) == 2
        and _are_names(pieces[0])
        and "," not in pieces[1]
        and count_words(pieces[1]) <= 4
    ):
        return line[: line.index(pieces[0]) + len(pieces[0])]
    return None


def _are_names(text: str) -> bool:
    people = list(filter(None, _AND.split(text)))
    return 1 <= len(people) <= 4 and all(map(is_name_like, people))
