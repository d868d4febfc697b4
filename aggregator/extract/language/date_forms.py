"""Finds complete dates in a line of text, in all known forms, and the day of each.

Digits of other scripts are converted. Dates in other calendars (Iranian, Buddhist, Japanese eras) are not read.
"""

import re
import unicodedata
from datetime import date
from functools import lru_cache

from aggregator.text import calendar

Match = re.Match[str]

_FOREIGN_DIGIT = re.compile(r"[：．／，،－]|(?![0-9])\d")
_SAME = {"：": ":", "．": ".", "／": "/", "，": ",", "،": ",", "－": "-"}


def plain_digits(line: str) -> str:
    """Return `line` with ASCII digits and punctuation in place of those of other scripts; its length stays the same."""
    if line.isascii() or not _FOREIGN_DIGIT.search(line):
        return line
    for char in set(line):
        if char in _SAME:
            line = line.replace(char, _SAME[char])
        elif char.isdecimal() and not char.isascii():
            line = line.replace(char, str(unicodedata.decimal(char)))
    return line


_NAME = "|".join(
    re.escape(name).replace(r"\ ", r"\s+")
    for name in sorted(calendar.month_spellings(), key=lambda n: (-len(n), n))
)

_NO_LETTER = r"(?![^\W\d_])"
_DAY = r"(?P<d>0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?P<m>0?[1-9]|1[0-2])"
_YEAR_DIGITS = r"(?P<y>(?:19|20)\d\d)"
_YEAR = rf"{_YEAR_DIGITS}(?!\d)"

# The groups are the day (d), the month as a number (m) or a name (b), and the year (y; yy with two digits). The groups
# s1 and s2 are day and month in an unknown order.
_DATE_FORMS = (
    re.compile(rf"(?<!\d){_DAY}(?:st|nd|rd|th|er|\.|º|°|ª)?\s*(?:of\s+|de\s+|di\s+|d['’]|-|/|\s)\s*(?P<b>{_NAME}){_NO_LETTER}\.?,?"
               rf"\s*(?:de\s+|del\s+|-|/)?\s*{_YEAR}", re.I),
    re.compile(rf"(?<![^\W\d_])(?P<b>{_NAME}){_NO_LETTER}\.?\s*{_DAY}(?:st|nd|rd|th)?,?\s+{_YEAR}", re.I),
    re.compile(rf"(?<![\d./-]){_YEAR}\.?,?\s+(?P<b>{_NAME}){_NO_LETTER}\.?\s+{_DAY}(?!\d)", re.I),
    re.compile(rf"(?<![\d./-]){_YEAR}(?P<sep>[-./])\s?{_MONTH}(?P=sep)\s?{_DAY}(?![\d-])"),
    re.compile(rf"(?<![\d.]){_DAY}\.\s?{_MONTH}\.\s?{_YEAR}"),
    re.compile(rf"(?<![\d/-])(?P<s1>\d{{1,2}})(?P<sep>[/-])(?P<s2>\d{{1,2}})(?P=sep){_YEAR}"),
    re.compile(rf"{_YEAR_DIGITS}\s?[年년]\s?{_MONTH}\s?[月월]\s?{_DAY}\s?[日일]"),
)  # fmt: skip

_DAY_BEFORE_YEAR = re.compile(r"\d(?:st|nd|rd|th)?,?\s+(?:19|20)\d\d", re.IGNORECASE)
DIGIT = re.compile(r"\d")
_COMMON_YEAR = re.compile(r"(?:19|20)\d\d")
_SHORT_YEAR = re.compile(rf"(?<![\d.]){_DAY}\.\s?{_MONTH}\.\s?(?P<yy>\d\d)(?![\d.])")
# A line with more matches of all forms together is not a date line
_MAX_DATES = 8


@lru_cache(maxsize=64)
def date_matches(line: str) -> tuple[Match, ...]:
    """Return the dates in `line`; none if there are too many for a date line."""
    matches: list[Match] = []
    if not DIGIT.search(line):
        return ()
    if _COMMON_YEAR.search(line):
        # The second form ("March 3, 2024") is slow, because it tries each word.
        has_day_last = _DAY_BEFORE_YEAR.search(line) is not None
        forms = _DATE_FORMS if has_day_last else _DATE_FORMS[:1] + _DATE_FORMS[2:]
        for form in forms:
            matches += form.finditer(line)
    matches += _SHORT_YEAR.finditer(line)
    return tuple(matches) if len(matches) <= _MAX_DATES else ()


def day_of(match: Match) -> date | None:
    """Return the day, or None if it does not exist or the order of 3/4/2024 is unknown."""
    part = {name: text for name, text in match.groupdict().items() if text}
    year = int(part["y"]) if "y" in part else 2000 + int(part["yy"])
    if "s1" in part:
        day = int(part["s1"])
        month = int(part["s2"])
        if month > 12:
            day, month = month, day
        is_sure = day > 12 or day == month
        return date_or_none(year, month, day) if is_sure else None
    named = calendar.number_of("months", part["b"]) if "b" in part else int(part["m"])
    return date_or_none(year, named or 0, int(part["d"]))


def date_or_none(year: int, month: int, day: int) -> date | None:
    """Return the day, or None if the day does not exist."""
    try:
        return date(year, month, day)
    except (ValueError, OverflowError):
        return None
