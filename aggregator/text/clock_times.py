"""Clock times and days at the beginning of live blog entries, in many languages.

    "11.30 p.m.:"  "+++ 14.35 Uhr: "  "14h05 -"  "Ore 18.20 –"  "[02h15]"  "下午2时35分"  "14.35 น."
    "Sunday, 8 December, 14:35:"  "08.12.2025, 14:35 Uhr"

Not matched: a clock time inside a sentence, a span of two ("9:00 – 17:00") and a decimal ("3.5 million").
"""

import re
from functools import lru_cache
from typing import Final

import msgspec

from aggregator.text.calendar import is_weekday, number_of

_REACH: Final = 90  # characters of a paragraph that are searched for a clock time
_FIRST_DIGIT: Final = 45  # characters before its first digit: "Updated at", a weekday and marks have 40
_DIGITS: Final = str.maketrans(
    "٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹０１２３４５６７８９：．", "012345678901234567890123456789:."
)
_DIGIT = re.compile(r"\d")


class EntryOpening(msgspec.Struct, frozen=True):
    """The clock time at the beginning of a paragraph; its text begins at `end`.

    `sure`: a mark separates clock time and text, or no text follows. Otherwise ("14:35 The bridge ...") it is
    an entry only if several paragraphs begin so.
    """

    clock_minutes: int
    end: int
    sure: bool


# --- clocks ------------------------------------------------------------------------------------------------

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
    r"\s*(?:-|–|—|to|bis|à|a|al|until)\s*[012]?\d(?:\s?[:.h]\s?[0-5]\d|\s?(?:Uhr|[ap]\.?m))", re.I
)
_GOES_ON = re.compile(r"\s*[,，、]?\s*(?=[^\W\d_]|[\"“„«»‘'「『(])")


def opening(paragraph: str) -> EntryOpening | None:
    """Return the clock time, with the day before it, that `paragraph` begins with, or None."""
    return _opening(paragraph[:_REACH]) if _DIGIT.search(paragraph, 0, _FIRST_DIGIT) else None


def without_clock(paragraph: str) -> str:
    """Return `paragraph` without the clock time at its beginning."""
    begins = opening(paragraph)
    return paragraph if begins is None or not begins.sure else paragraph[begins.end :]


@lru_cache(maxsize=512)  # several rules check the same paragraphs
def _opening(head: str) -> EntryOpening | None:
    head = head.translate(_DIGITS)
    leading = _LEADING.match(head)
    at = _clock_begins(head, leading.end() if leading else 0)
    match = _CLOCK.match(head, at)
    minutes = None if match is None else _minutes(match)
    if match is None or minutes is None or _SECOND_CLOCK.match(head, match.end()):
        return None
    text_start = _text_begins(match, head)
    if text_start is None:
        return None
    return EntryOpening(minutes, text_start[0], sure=text_start[1])


def _text_begins(match: re.Match[str], head: str) -> tuple[int, bool] | None:
    """Return where the text after a clock time begins, and whether that is sure; None if it is one text."""
    separator = _SEPARATOR.match(head, match.end())
    if separator is not None and not _is_short(match, separator):
        return separator.end(), True
    if _stands_apart(match, head):
        return match.end(), True
    following = _GOES_ON.match(head, match.end())
    if following is None or not _may_stand_alone(match, head[following.end() :]):
        return None
    return following.end(), False


def _is_short(match: re.Match[str], separator: re.Match[str]) -> bool:
    """Return whether an hour is no clock time: "5 h", or "10 Uhr" at the end of a line."""
    return match["hour"] is not None and match["after"] is None and not separator["mark"].strip()


def _stands_apart(match: re.Match[str], head: str) -> bool:
    """Return whether a clock time has minutes and a space after it, in scripts without spaces."""
    is_whole = match["m2"] is not None or match["mark"] == "น."
    return is_whole and head[match.end() : match.end() + 1].isspace()


def _may_stand_alone(match: re.Match[str], text: str) -> bool:
    """Return whether a clock time without a mark may begin an entry: not before a decimal or a lower-case
    word.
    """
    if match["hour"] is not None:
        return match["hour"].strip()[0] in "apAP" and text[:1].isupper()
    if match["cjk"] is not None:
        return match["m2"] is not None or match["before"] is not None
    is_marked = bool(match["mark"] or match["after"])
    return (match["mid"] != "." or is_marked) and not text[:1].islower()


def _minutes(match: re.Match[str]) -> int | None:
    """Return the minutes after midnight."""
    hour = int(match["h"])
    minute = 30 if match["m3"] else int(match["m"] or match["m2"] or 0)
    before = match["before"]
    after = (match["after"] or match["hour"] or "").strip().lower()
    if before is not None:
        if hour > 24:
            return None
        late = re.fullmatch(_LATE, before) is not None or (before in ("中午", "正午", "정오") and hour < 10)
        early = re.fullmatch(_EARLY, before) is not None
        hour = hour + 12 if late and hour < 12 else 0 if early and hour == 12 else hour
    elif after[:1] in ("a", "p", "π", "μ", "ص", "م"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if after[0] in ("p", "μ", "م") else 0)
    return hour % 24 * 60 + minute if minute < 60 and (hour < 24 or minute == 0) else None


# --- days --------------------------------------------------------------------------------------------------

_LETTERS = r"[^\W\d_][^\W\d_'’.\-]*(?:-feira)?"
_WEEKDAY = rf"(?:(?P<weekday>{_LETTERS})\.?\s?,?\s+(?:(?:den|the|le|el|il|il giorno|dia|op|dnia)\s+)?)?"
_YEAR = r"(?P<y>(?:19|20)\d\d)"
_D = r"(?P<d>0?[1-9]|[12]\d|3[01])"
_DAY_FORMS: Final = (
    re.compile(rf"{_WEEKDAY}{_D}(?:st|nd|rd|th|er|º)?\.?\s(?:de\s|of\s)?(?P<month>{_LETTERS})\.?(?:,?\s(?:de\s|del\s)?{_YEAR})?(?!\w)"),
    re.compile(rf"{_WEEKDAY}(?P<month>{_LETTERS})\.?\s{_D}(?:st|nd|rd|th)?(?![\d:.]\d)(?:,?\s{_YEAR})?(?!\w)"),
    re.compile(rf"{_WEEKDAY}{_D}[./](?P<m>0?[1-9]|1[0-2])(?:[./]{_YEAR}|\.)(?!\d)"),
    re.compile(rf"{_YEAR}[-./](?P<m>0?[1-9]|1[0-2])[-./]{_D}(?!\d)"),
    re.compile(rf"(?:{_YEAR}\s?[年년]\s?)?(?P<m>0?[1-9]|1[0-2])\s?[月월]\s?{_D}\s?[日일](?:\s?[(（]?(?:[月火水木金土日](?:曜日)?|[월화수목금토일](?:요일)?|星期.|周.)[)）]?)?"),
    re.compile(rf"(?P<weekday>(?=[^\W\d_]{{3}}){_LETTERS})\.?(?!\w)"),
)  # fmt: skip
_BEFORE_CLOCK = re.compile(r"\s*[,|–—-]?\s*(?:(?:at|um|à|a las|alle|às|om|о|в|ore)\s+)?")


def _clock_begins(head: str, start: int) -> int:
    """Return where the clock time begins: behind a day, if there is one before it."""
    day = next((match for form in _DAY_FORMS if (match := form.match(head, start)) and _is_day(match)), None)
    if day is None:
        return start
    between = _BEFORE_CLOCK.match(head, day.end())
    at = between.end() if between else day.end()
    return at if _CLOCK.match(head, at) is not None else start


def _is_day(match: re.Match[str]) -> bool:
    groups = match.groupdict()
    weekday, month = groups.get("weekday"), groups.get("month")
    if weekday is not None and not is_weekday(weekday):
        return False
    return month is None or number_of("months", month) is not None
