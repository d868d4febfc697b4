"""Finds the clock time that opens an entry of a live blog, in many languages.

    "11.30 p.m.: The dam holds"  "+++ 14.35 Uhr: "  "14h05 -"  "Ore 18.20 –"  "[02h15]"  "下午2时35分"  "14.35 น."

A mark such as ":" or "–" must divide the time from the text. Spans of two times ("9:00 – 17:00"), decimals ("3.5
million") and clock times inside a sentence do not match.
"""

import re
from functools import lru_cache

import msgspec

# A clock time is searched in this many characters of a paragraph
_HEAD_CHARS = 90
# The first digit must be within this length, which is enough for the marks and words that may be before the time
_CHARS_TO_FIRST_DIGIT = 45
_DIGIT = re.compile(r"\d")
# Arabic, Persian and wide digits, and the wide colon and full stop of Chinese and Japanese
_PLAIN_DIGITS = str.maketrans(
    "٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹０１２３４５６７８９：．", "012345678901234567890123456789:."
)

# Marks and words before the time: "+++ ", "Updated at ", "Ore "
_LEADING = re.compile(
    r"[^\w\s]{0,6}\s*(?:(?:update|updated(?: at)?|(?:posted|published) at|aktualisiert(?: um)?|mise à jour|"
    r"publié à|actualización|actualizado a las|aggiornamento|aggiornato alle|atualização|обновлено(?: в)?|"
    r"ore|h|kl|klo|saat|godz|ώρα|更新)\b\.?[\s,:–-]*)?",
    re.IGNORECASE,
)

# A part of the day before the hour, in Chinese, Japanese and Korean: "afternoon", "evening", ...
_LATE = r"下午|傍晚|晚上|夜间|夜晚|晚间|午後|夜|오후|저녁|밤"
# The same for the other half of the day: "morning", "before dawn", ...
_EARLY = r"上午|凌晨|早上|清晨|早晨|午前|朝|未明|오전|새벽|아침"
# After the time: "a.m.", "p.m.", and the same in Greek and Arabic
_HALF_OF_DAY = r"[ap]\.?\s?m\b\.?|[πμ]\.?\s?μ\b\.?|ص(?!\w)|م(?!\w)"
# A time zone, or a word for "o'clock" or "local time", after the time
_ZONES = (
    r"GMT\b|UTC\b|CES?T\b|MES?Z\b|E[SD]T\b|[CMP][SD]T\b|BST\b|IST\b|MSK\b|МСК\b|EES?T\b|WES?T\b|JST\b|KST\b|"
    r"AE[SD]T\b|Ortszeit\b|local time\b|heure locale\b|hora local\b|ora locale\b|"
    r"Uhr\b|hrs?\b|horas?\b|uur\b|น\."
)

# "11.30", "11 : 30", "14h05", "14 Uhr 35", "11:30:05"; but not "3.55 %"
_HOUR_AND_MINUTE = (
    r"(?:\s?(?P<mid>[:.])\s?|\s?h\s?|\sUhr\s)(?P<m>[0-5]\d)(?::[0-5]\d)?(?![\d%])"
)
# "2时", "2時35分", "2시 35분"; 半 and 반 are "half past"
_CJK_TIME = r"\s?(?P<cjk>[时時点點]|시)\s?(?:(?P<m2>[0-5]?\d)\s?[分분]|(?P<m3>半|반))?"
# "5 p.m.", "14 Uhr", "14h"
_HOUR_ALONE = r"(?P<hour>\s?(?:[ap]\.?\s?m\b\.?|Uhr\b|h\b))"
_CLOCK = re.compile(
    rf"(?:北京时间\s?)?(?P<before>{_LATE}|{_EARLY}|中午|正午|정오)?\s?"
    r"(?P<h>[01]?\d|2[0-4])"
    rf"(?:{_HOUR_AND_MINUTE}"
    rf"|{_CJK_TIME}"
    rf"|{_HOUR_ALONE})"
    rf"\s*(?P<after>{_HALF_OF_DAY})?\s*(?:\(?(?P<mark>{_ZONES}|h\b\.?)\)?)?",
    re.IGNORECASE,
)
# The mark between the time and the text, or the end of the line
_SEPARATOR = re.compile(
    r"\s*(?P<mark>\s(?:-|--)\s|[:：–—―|｜•»>\])】）]+|[-](?=\s|\D)|\+{2,}|$|\n)[\s:–—|\-]*"
)
# The end of a span: " – 17:00", " bis 18 Uhr"
_SECOND_CLOCK = re.compile(
    r"\s*(?:-|–|—|to|bis|à|a|al|until)\s*[012]?\d(?:\s?[:.h]\s?[0-5]\d|\s?(?:Uhr|[ap]\.?m))",
    re.I,
)


class EntryOpening(msgspec.Struct, frozen=True):
    """The clock time at the beginning of a paragraph; its text begins at `end`."""

    # Minutes after midnight, or after noon: 5 p.m. and 5 a.m. are both 300, because the half of the day is not read
    clock_minutes: int
    end: int


def opening(paragraph: str) -> EntryOpening | None:
    """Return the clock time at the beginning of a paragraph; None if there is none, or no mark after it."""
    if _DIGIT.search(paragraph, 0, _CHARS_TO_FIRST_DIGIT):
        return _find_opening(paragraph[:_HEAD_CHARS])
    return None


@lru_cache(maxsize=512)  # several rules check the same paragraphs
def _find_opening(head: str) -> EntryOpening | None:
    head = head.translate(_PLAIN_DIGITS)
    leading = _LEADING.match(head)
    clock = _CLOCK.match(head, leading.end() if leading else 0)
    if clock is None or _SECOND_CLOCK.match(head, clock.end()):
        return None
    separator = _SEPARATOR.match(head, clock.end())
    # "5 h" or "10 Uhr" at the end of a line is not a clock time: an hour without minutes needs a visible mark.
    is_hour_alone = clock["hour"] is not None and clock["after"] is None
    # A single space is enough in scripts without spaces between words: "2时35分 大坝", "14.35 น. ".
    is_unspaced = clock["m2"] is not None or clock["mark"] == "น."
    if separator is not None and (separator["mark"].strip() or not is_hour_alone):
        end = separator.end()
    elif is_unspaced and " " in head[clock.end() - 1 : clock.end() + 1]:
        end = clock.end()
    else:
        return None
    half_hour = 30 if clock["m3"] else 0
    minutes = int(clock["m"] or clock["m2"] or half_hour)
    return EntryOpening(int(clock["h"]) * 60 + minutes, end)
