"""Reads the clock time beside a date in a line of text, and the time zones that people and programs name."""

import datetime as dt
import re
from contextlib import suppress
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aggregator.extract.language.date_forms import Match, date_matches
from aggregator.extract.phrases import phrases, words
from aggregator.text.lines import word_table

CLOCK = re.compile(
    r"(?<![\d.:])(?:(?P<early>上午|午前|오전|凌晨|早上)|(?P<late>下午|午後|오후|晚上|中午))?\s?"
    r"(?:(?P<h>[01]?\d|2[0-3])\s?(?:[:.h]|Uhr\s|[时時시点點])\s?(?P<n>[0-5]\d)(?::[0-5]\d(?:[.,]\d{1,9})?)?(?!\d)\s?[分분]?"
    r"|(?P<h2>0?[1-9]|1[0-2])(?=\s?[ap]\.?\s?m))\s?(?P<half>[ap]\.?\s?m\b\.?|[ap]\.?\s?m(?=[A-Z])|"
    r"(?:ص|صباحا|صباحًا|م|مساء|مساءً)(?![^\W\d_]))?"
    r"\s*(?:Uhr|hrs?|h\b|น\.)?\s*\(?(?P<zone>Z\b|UTC|GMT|CES?T|MES?Z|E[SD]T|C[SD]T|M[SD]T|P[SD]T|BST|MSK|JST|KST|A[CE][SD]T|AWST|NZ[SD]T|"
    r"WES?T|EES?T|IST|WIB|WITA|PKT|SGT|HKT|TRT|SAST|EAT|WAT|(?-i:ET|CT|MT|PT)\b)?"
    r"(?P<off>\s?[+-](?:\d{2}:?\d{2}|(?<=(?:GMT|UTC)[+-])\d{1,2}(?![\d:])))?",
    re.IGNORECASE,
)

# The offsets from UTC in hours, and the zones that have them. A name that several zones share means the zone that is
# most frequent in feeds: IST of India, CST and MST of America, BST of Britain, AMT of Armenia, GST of the Gulf.
_ZONE_HOURS = word_table("""
    -11 sst
    -10 hst
    -9 akst
    -8 pst akdt
    -7 mst pdt
    -6 cst mdt
    -5 est cdt cot pet ect act
    -4 edt ast clt vet bot gyt
    -3.5 nst
    -3 brt art adt clst uyt gft srt pyt
    -2.5 ndt
    -2 brst fnt
    -1 cvt azot
    +0 z utc gmt ut wet azost
    +1 cet mez met bst west wedt wat
    +2 cest mesz mest cedt eet sast cat
    +3 msk eest eedt trt eat idt
    +3.5 irst
    +4 gst msd samt azt amt get mut
    +4.5 aft irdt
    +5 pkt uzt yekt mvt
    +5.5 ist slst
    +5.75 npt
    +6 bdt btt omst
    +6.5 mmt
    +7 wib ict novt krat
    +8 wita sgt hkt awst myt pht irkt ulat
    +9 jst kst wit yakt
    +9.5 acst
    +10 aest chst vlat pgt
    +10.5 acdt lhst
    +11 aedt sbt magt lhdt
    +12 nzst fjt pett
    +12.75 chast
    +13 nzdt tot
    +13.75 chadt
""")

_ZONES_BY_SEASON = {
    "et": "America/New_York", "ct": "America/Chicago", "mt": "America/Denver", "pt": "America/Los_Angeles",
}  # fmt: skip


# A clock time after its date is at most this many characters away
_NEAR_CHARS = 20


def end_of_date_before(line: str, match: Match) -> int:
    return max(
        (date.end() for date in date_matches(line) if date.end() <= match.start()),
        default=0,
    )


def clock_beside(
    line: str, match: Match, day: dt.date
) -> tuple[dt.time | None, dt.timedelta | None]:
    """Return the clock time after a date (and before the next date), else before the date, with its offset from UTC.

    Either is None if it is not stated.
    """
    end = match.end()
    starts = [date.start() for date in date_matches(line) if date.start() >= end]
    clock = CLOCK.search(line, end, min([end + 45, *starts]))
    if clock is not None:
        between = line[end : clock.start()]
        # A clock time after "published" or "updated", or far from the date, does not belong to this date.
        if len(between) > _NEAR_CHARS or any(
            phrases(kind).occurs_in(words(between)) for kind in ("published", "updated")
        ):
            clock = None
    if clock is None:
        start = max(end_of_date_before(line, match), match.start() - 30)
        clocks = list(CLOCK.finditer(line, start, match.start()))
        clock = clocks[-1] if clocks else None
    if clock is None:
        return None, None
    hour = int(clock["h"] or clock["h2"])
    minute = int(clock["n"] or 0)
    is_late = clock["late"] or (clock["half"] or "").lower().startswith(("p", "م"))
    if clock["half"] or clock["early"] or clock["late"]:
        if not 1 <= hour <= 12:
            return None if clock["half"] else time_or_none(hour, minute), None
        hour = hour % 12 + (12 if is_late else 0)
    time = time_or_none(hour, minute)
    zone = (clock["off"] or clock["zone"] or "").strip()
    return time, zone_offset(zone, day, time) if zone and time else None


def zone_offset(zone: str, day: dt.date, time: dt.time) -> dt.timedelta | None:
    """Return the offset of a zone ("+5:30", "CEST", "Europe/Oslo") from UTC at a local time; None if it is unknown."""
    if zone[0] in "+-\u2212":
        digits = re.sub(r"\D", "", zone)
        if len(digits) % 2:  # "+8", "+8:00"
            digits = f"0{digits}"
        digits = digits.ljust(4, "0")
        size = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]))
        return size if zone[0] == "+" else -size
    hours = _ZONE_HOURS.get(zone.lower())
    if hours is not None:
        return dt.timedelta(hours=float(hours))
    place = zone if "/" in zone else _ZONES_BY_SEASON.get(zone.lower())
    if place is not None:
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return dt.datetime.combine(day, time, ZoneInfo(place)).utcoffset()
    return None


def time_or_none(hour: int, minute: int, second: int = 0) -> dt.time | None:
    try:
        return dt.time(hour, minute, second)
    except (ValueError, OverflowError):
        return None
