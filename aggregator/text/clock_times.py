"""Clock times at the beginning of live blog entries, in many languages, divided by a mark from the text.

    "11.30 p.m.:"  "+++ 14.35 Uhr: "  "14h05 -"  "Ore 18.20 –"  "[02h15]"  "下午2时35分"  "14.35 น."

Spans of two times ("9:00 – 17:00"), decimals ("3.5 million") and clock times inside a sentence do not match.
"""

import re
from functools import lru_cache

import msgspec

# A clock time is searched in this many characters of a paragraph
_REACH = 90
# Its first digit stands within this length: "Updated at", a weekday and marks have 40 characters
_FIRST_DIGIT = 45
_DIGITS = str.maketrans(
    "٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹０１２３４５６７８９：．", "012345678901234567890123456789:."
)
_DIGIT = re.compile(r"\d")


class EntryOpening(msgspec.Struct, frozen=True):
    """The clock time at the beginning of a paragraph; its text begins at `end`."""

    clock_minutes: int  # after midnight or noon
    end: int


_LATE = r"下午|傍晚|晚上|夜间|夜晚|晚间|午後|夜|오후|저녁|밤"
_EARLY = r"上午|凌晨|早上|清晨|早晨|午前|朝|未明|오전|새벽|아침"
_HALF_AFTER = r"[ap]\.?\s?m\b\.?|[πμ]\.?\s?μ\b\.?|ص(?!\w)|م(?!\w)"
_ZONES = (
    r"GMT\b|UTC\b|CES?T\b|MES?Z\b|E[SD]T\b|[CMP][SD]T\b|BST\b|IST\b|MSK\b|МСК\b|EES?T\b|WES?T\b|JST\b|KST\b|"
    r"AE[SD]T\b|Ortszeit\b|local time\b|heure locale\b|hora local\b|ora locale\b|"
    r"Uhr\b|hrs?\b|horas?\b|uur\b|น\."
)
_LEADING = re.compile(
    r"[^\w\s]{0,6}\s*(?:(?:update|updated(?: at)?|(?:posted|published) at|aktualisiert(?: um)?|mise à jour|"
    r"publié à|actualización|actualizado a las|aggiornamento|aggiornato alle|atualização|обновлено(?: в)?|"
    r"ore|h|kl|klo|saat|godz|ώρα|更新)\b\.?[\s,:–-]*)?",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    rf"(?:北京时间\s?)?(?P<before>{_LATE}|{_EARLY}|中午|正午|정오)?\s?"
    r"(?P<h>[01]?\d|2[0-4])"
    r"(?:(?:\s?(?P<mid>[:.])\s?|\s?h\s?|\sUhr\s)(?P<m>[0-5]\d)(?::[0-5]\d)?(?![\d%])"
    r"|\s?(?P<cjk>[时時点點]|시)\s?(?:(?P<m2>[0-5]?\d)\s?[分분]|(?P<m3>半|반))?"
    rf"|(?P<hour>\s?(?:[ap]\.?\s?m\b\.?|Uhr\b|h\b)))"
    rf"\s*(?P<after>{_HALF_AFTER})?\s*(?:\(?(?P<mark>{_ZONES}|h\b\.?)\)?)?",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(
    r"\s*(?P<mark>\s(?:-|--)\s|[:：–—―|｜•»>\])】）]+|[-](?=\s|\D)|\+{2,}|$|\n)[\s:–—|\-]*"
)
_SECOND_CLOCK = re.compile(
    r"\s*(?:-|–|—|to|bis|à|a|al|until)\s*[012]?\d(?:\s?[:.h]\s?[0-5]\d|\s?(?:Uhr|[ap]\.?m))",
    re.I,
)


def opening(paragraph: str) -> EntryOpening | None:
    """Return the clock time that `paragraph` begins with, or None without a mark between it and the text."""
    if _DIGIT.search(paragraph, 0, _FIRST_DIGIT):
        return _opening(paragraph[:_REACH])
    return None


@lru_cache(maxsize=512)  # several rules check the same paragraphs
def _opening(head: str) -> EntryOpening | None:
    head = head.translate(_DIGITS)
    leading = _LEADING.match(head)
    match = _CLOCK.match(head, leading.end() if leading else 0)
    if match is None or _SECOND_CLOCK.match(head, match.end()):
        return None
    separator = _SEPARATOR.match(head, match.end())
    # An hour is not a clock time in "5 h", or in "10 Uhr" at the end of a line.
    is_hour_alone = match["hour"] is not None and match["after"] is None
    if separator is not None and (separator["mark"].strip() or not is_hour_alone):
        end = separator.end()
    # Scripts without spaces need only one space, after the minutes.
    elif (match["m2"] is not None or match["mark"] == "น.") and " " in head[
        match.end() - 1 : match.end() + 1
    ]:
        end = match.end()
    else:
        return None
    half = 30 if match["m3"] else 0
    minutes = int(match["h"]) * 60 + int(match["m"] or match["m2"] or half)
    return EntryOpening(minutes, end)
