"""Other digits, other calendars: what a written date needs before its numbers mean what they say."""

import datetime as dt
import unicodedata

_ERAS = {"令和": 2018, "平成": 1988, "昭和": 1925}  # the year before the era's first
_JALALI_MONTHS = (
    "فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور", "مهر", "آبان", "آذر", "دی", "بهمن", "اسفند",
)  # fmt: skip
JALALI_MONTHS = {name: number for number, name in enumerate(_JALALI_MONTHS, start=1)}
ERAS = tuple(_ERAS)
_SAME = {"：": ":", "．": ".", "／": "/", "，": ",", "،": ",", "－": "-"}


def plain_digits(line: str) -> str:
    """`line` with ASCII digits and marks in the place of others, character by character."""
    if line.isascii():
        return line
    for char in set(line):
        plain = _SAME.get(char) or _digit(char)
        if plain != char:
            line = line.replace(char, plain)
    return line


def year_of_era(era: str, year: int) -> int:
    """The common year of a year of a Japanese era ("令和", 6 → 2024)."""
    return _ERAS[era] + year


def from_jalali(year: int, month: int, day: int) -> dt.date | None:
    """The common date of a day of the Iranian calendar; None: no such day, or not in 1304 to 1472.

    A year begins 365 or 366 days after the one before; leap years repeat every 33 years in that span.
    """
    if not (1304 <= year <= 1472 and 1 <= month <= 12 and 1 <= day <= _jalali_month_days(year, month)):
        return None
    leap_days = sum(1 for past in range(_KNOWN_YEAR, year) if _is_leap(past))
    leap_days -= sum(1 for past in range(year, _KNOWN_YEAR) if _is_leap(past))
    days = (year - _KNOWN_YEAR) * 365 + leap_days
    days += 31 * (month - 1) - max(0, month - 7) + day - 1
    return _KNOWN_NEW_YEAR + dt.timedelta(days=days)


_KNOWN_YEAR = 1400
_KNOWN_NEW_YEAR = dt.date(2021, 3, 21)
_LEAP_REMAINDERS = frozenset({1, 5, 9, 13, 17, 22, 26, 30})


def _is_leap(year: int) -> bool:
    return year % 33 in _LEAP_REMAINDERS


def _jalali_month_days(year: int, month: int) -> int:
    if month <= 6:
        return 31
    return 30 if month < 12 or _is_leap(year) else 29


def _digit(char: str) -> str:
    if char.isascii() or not char.isdecimal():
        return char
    return str(unicodedata.decimal(char))
