"""Complete dates in a line of text, in all forms and calendars that are read, and the day of each.

Digits of other scripts and the Japanese, Iranian and Buddhist calendars are converted.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from aggregator.text import calendar

Match = re.Match[str]

_ERAS = {
    "令和": 2018,
    "平成": 1988,
    "昭和": 1925,
}  # the year before the first of the era

_FOREIGN_DIGIT = re.compile(r"[：．／，،－]|(?![0-9])\d")
_SAME = {"：": ":", "．": ".", "／": "/", "，": ",", "،": ",", "－": "-"}


def plain_digits(line: str) -> str:
    """Return `line` with ASCII digits and punctuation instead of others, character by character."""
    if line.isascii() or _FOREIGN_DIGIT.search(line) is None:
        return line
    for char in set(line):
        plain = _SAME.get(char) or _digit(char)
        if plain != char:
            line = line.replace(char, plain)
    return line


def from_jalali(year: int, month: int, day: int) -> dt.date | None:
    """Return the Gregorian date of a day of the Iranian calendar; None if invalid or not in 1304 to 1472.

    In that span leap years repeat every 33 years; the first six months have 31 days.
    """
    if not (
        1304 <= year <= 1472
        and 1 <= month <= 12
        and 1 <= day <= (31 if month <= 6 else 30)
    ):
        return None
    cycles, place = divmod(year + 1595, 33)
    days = (
        365 * year
        + 8 * cycles
        + (place + 3) // 4
        + 31 * (month - 1)
        - max(0, month - 7)
        + day
    )
    return dt.date.fromordinal(days + _JALALI_OFFSET)


# Days from the beginning of the Gregorian calendar to that of the Iranian one
_JALALI_OFFSET = 226_142


def _digit(char: str) -> str:
    if char.isascii() or not char.isdecimal():
        return char
    return str(unicodedata.decimal(char))


def _any_of(names: Iterable[str]) -> str:
    return "|".join(
        re.escape(name).replace(r"\ ", r"\s+")
        for name in sorted(names, key=lambda n: (-len(n), n))
    )


_NAME = _any_of(calendar.month_spellings())

_JALALI_MONTHS = calendar.names("jalali", "fa")
# With the letter ye of Persian keyboards, and of Arabic ones
_JALALI_NAME = _any_of(
    {*_JALALI_MONTHS, *(name.replace("ی", "ي") for name in _JALALI_MONTHS)}
)

_NO_LETTER = r"(?![^\W\d_])"
_DAY = r"(?P<d>0?[1-9]|[12]\d|3[01])"
_MONTH = r"(?P<m>0?[1-9]|1[0-2])"
_YEAR = r"(?P<y>(?:19|20)\d\d)(?!\d)"

_DATE_FORMS = (
    re.compile(rf"(?<!\d){_DAY}(?:st|nd|rd|th|er|\.|º|°|ª)?\s*(?:of\s+|de\s+|di\s+|d['’]|-|/|\s)\s*(?P<b>{_NAME}){_NO_LETTER}\.?,?"
               rf"\s*(?:de\s+|del\s+|-|/)?\s*{_YEAR}", re.I),
    re.compile(rf"(?<![^\W\d_])(?P<b>{_NAME}){_NO_LETTER}\.?\s*{_DAY}(?:st|nd|rd|th)?,?\s+{_YEAR}", re.I),
    re.compile(rf"(?<![\d./-]){_YEAR}\.?,?\s+(?P<b>{_NAME}){_NO_LETTER}\.?\s+{_DAY}(?!\d)", re.I),
    re.compile(rf"(?<![\d./-]){_YEAR}(?P<sep>[-./])\s?{_MONTH}(?P=sep)\s?(?P<d>0?[1-9]|[12]\d|3[01])(?![\d-])"),
    re.compile(rf"(?<![\d.]){_DAY}\.\s?{_MONTH}\.\s?{_YEAR}"),
    re.compile(rf"(?<![\d/-])(?P<s1>\d{{1,2}})(?P<sep>[/-])(?P<s2>\d{{1,2}})(?P=sep){_YEAR}"),
    re.compile(rf"{_YEAR[:-6]}\s?[年년]\s?{_MONTH}\s?[月월]\s?{_DAY}\s?[日일]"),
)  # fmt: skip

_DAY_BEFORE_YEAR = re.compile(r"\d(?:st|nd|rd|th)?,?\s+(?:19|20)\d\d", re.IGNORECASE)
_OTHER_FORMS = (  # for lines with non-ASCII characters
    re.compile(rf"(?P<era>{'|'.join(_ERAS)})\s?(?P<ey>元|\d{{1,2}})\s?年\s?{_MONTH}\s?月\s?{_DAY}\s?日"),
    re.compile(rf"(?<!\d){_DAY}\s+(?P<jb>{_JALALI_NAME}){_NO_LETTER}(?:\s?ماه)?\s*(?P<jy>1[34]\d\d)(?!\d)"),
    re.compile(rf"(?<![\d/-])(?P<jy>1[34]\d\d)(?P<sep>[/-]){_MONTH}(?P=sep){_DAY}(?![\d/-])"),
    re.compile(rf"(?<!\d){_DAY}\s+(?P<b>{_NAME}){_NO_LETTER}\s+(?:พ\.ศ\.\s?)?(?P<by>25\d\d)(?!\d)"),
)  # fmt: skip

DIGIT = re.compile(r"\d")
_COMMON_YEAR = re.compile(r"(?:19|20)\d\d")
_SHORT_YEAR = re.compile(rf"(?<![\d.]){_DAY}\.\s?{_MONTH}\.\s?(?P<yy>\d\d)(?![\d.])")
_MAX_DATES = 8  # in one line, in all forms


@lru_cache(maxsize=64)
def date_matches(line: str) -> tuple[Match, ...]:
    """Return the dates in `line`; none if there are too many for a date line."""
    matches: list[Match] = []
    if DIGIT.search(line) is None:
        return ()
    if _COMMON_YEAR.search(line):
        has_day_last = (
            _DAY_BEFORE_YEAR.search(line) is not None
        )  # the second form is slow: it tries each word
        forms = _DATE_FORMS if has_day_last else _DATE_FORMS[:1] + _DATE_FORMS[2:]
        for form in forms:
            matches += form.finditer(line)
    if not line.isascii():
        for form in _OTHER_FORMS:
            matches += form.finditer(line)
    matches += _SHORT_YEAR.finditer(line)
    return tuple(matches) if len(matches) <= _MAX_DATES else ()


def day_of(match: Match, *, day_first: bool | None = None) -> dt.date | None:
    """Return the day, or None if it does not exist or the order of 3/4/2024 is unknown."""
    part = {name: text for name, text in match.groupdict().items() if text}
    if "s1" in part:
        first = int(part["s1"])
        second = int(part["s2"])
        return _day_of_numbers(int(part["y"]), first, second, day_first=day_first)
    month = _month_of(part)
    day = int(part["d"])
    if "jy" in part:
        return from_jalali(int(part["jy"]), month, day)
    return date_or_none(_year_of(part), month, day)


def _month_of(part: dict[str, str]) -> int:
    """Return the number of the month; 0 for a name of none."""
    if "b" in part:
        return calendar.number_of("months", part["b"]) or 0
    if "jb" in part:
        return calendar.number_of("jalali", part["jb"]) or 0
    return int(part["m"])


def _year_of(part: dict[str, str]) -> int:
    if "era" in part:
        return _ERAS[part["era"]] + int(part["ey"].replace("元", "1"))
    if "by" in part:
        return int(part["by"]) - _BUDDHIST_YEARS
    if "yy" in part:
        return 2000 + int(part["yy"])
    return int(part["y"])


_BUDDHIST_YEARS = 543  # by which the Buddhist era is ahead


def _day_of_numbers(
    year: int, first: int, second: int, *, day_first: bool | None
) -> dt.date | None:
    if first > 12 or first == second:
        return date_or_none(year, second, first)
    if second > 12:
        return date_or_none(year, first, second)
    if day_first is None:
        return None
    month, day = (second, first) if day_first else (first, second)
    return date_or_none(year, month, day)


def date_or_none(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except (ValueError, OverflowError):
        return None
