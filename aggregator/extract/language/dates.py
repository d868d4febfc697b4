"""Publication dates: declared by a feed or record, or written in the first lines of an article.

Only a complete day, month and year is a date; a bare year, a weekday or a clock time is not. Implausible
dates (before 1990, or more than a day after the entry was accepted) are ignored. Digits of other scripts and
the Japanese, Iranian and Buddhist calendars are converted.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from email.utils import parsedate_tz
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aggregator.extract.phrases import phrases, single_words, words
from aggregator.model.core import Published, PublishedOrigin
from aggregator.text import calendar
from aggregator.text.lines import is_prose, same_line, word_table

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


EARLIEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)
_AHEAD = dt.timedelta(hours=24)
_MAX_DECLARED_CHARS = 100


def _any_of(names: Iterator[str]) -> str:
    return "|".join(
        re.escape(name).replace(r"\ ", r"\s+")
        for name in sorted(names, key=lambda n: (-len(n), n))
    )


_NAME = _any_of(iter(calendar.month_spellings()))
_JALALI_NAME = _any_of(
    spelt
    for name in calendar.names("jalali", "fa")
    for spelt in {name, name.replace("ی", "ي")}
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
_DIGIT = re.compile(r"\d")
_COMMON_YEAR = re.compile(r"(?:19|20)\d\d")
_SHORT_YEAR = re.compile(rf"(?<![\d.]){_DAY}\.\s?{_MONTH}\.\s?(?P<yy>\d\d)(?![\d.])")
_CLOCK = re.compile(
    r"(?<![\d.:])(?:(?P<early>上午|午前|오전|凌晨|早上)|(?P<late>下午|午後|오후|晚上|中午))?\s?"
    r"(?:(?P<h>[01]?\d|2[0-3])\s?(?:[:.h]|Uhr\s|[时時시点點])\s?(?P<n>[0-5]\d)(?::[0-5]\d(?:[.,]\d{1,9})?)?(?!\d)\s?[分분]?"
    r"|(?P<h2>0?[1-9]|1[0-2])(?=\s?[ap]\.?\s?m))\s?(?P<half>[ap]\.?\s?m\b\.?|[ap]\.?\s?m(?=[A-Z])|"
    r"(?:ص|صباحا|صباحًا|م|مساء|مساءً)(?![^\W\d_]))?"
    r"\s*(?:Uhr|hrs?|h\b|น\.)?\s*\(?(?P<zone>Z\b|UTC|GMT|CES?T|MES?Z|E[SD]T|C[SD]T|M[SD]T|P[SD]T|BST|MSK|JST|KST|A[CE][SD]T|AWST|NZ[SD]T|"
    r"WES?T|EES?T|IST|WIB|WITA|PKT|SGT|HKT|TRT|SAST|EAT|WAT|(?-i:ET|CT|MT|PT)\b)?"
    r"(?P<off>\s?[+-](?:\d{2}:?\d{2}|(?<=(?:GMT|UTC)[+-])\d{1,2}(?![\d:])))?",
    re.IGNORECASE,
)
# Hours before UTC, and the zones that are. Of names that mean several zones the one that feeds mostly mean:
# IST of India, CST and MST of America, BST of Britain, AMT of Armenia, GST of the Gulf.
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


def _every_word(text: str) -> frozenset[str]:
    return frozenset(word for line in text.split("\n") for word in words(line))


_BESIDE_DATES = _every_word("""
    on at am um le el il op de a as uhr reading time min mins minute minutes read lesezeit minuten
    temps lecture tiempo lectura tempo lettura leestijd last first date stand ist om kl klo o saat
    год года г р о в ob alle ore às hora horas the les der den dem la las los et und and wib gmt utc
    ngày tháng năm की को בשעה الساعة ساعت في hrs hr uhr pm am p m est edt cet cest
""")
_LINE_CHARS = 200
_MAX_DATES = 8  # in one line, in all forms


def published_from_text(
    lines: Sequence[str],
    zone: str | None,
    seen: dt.datetime | None = None,
    *,
    title: str = "",
    day_first: bool | None = None,
) -> Published | None:
    """Return the date of the date line among `lines` (an article's first ones), or None.

    A date line has a complete date and few other words. A date inside a sentence or the headline (`title`) is
    that of an event and ignored. `zone` is the IANA name for clock times without a zone (None: UTC, with
    `timezone_assumed` set). Of several dates one labelled "published" is preferred, and one labelled
    "updated" is used last. `day_first`: the order of 3/4/2024; None: such dates are ignored.
    """
    stated: dict[int, Published] = {}  # the first one of each meaning
    for line in lines:
        if title and same_line(line, title):
            continue
        for text, match, rank in _dates_apart(line):
            day = _day_of(match, day_first=day_first)
            if day is not None and rank != _OTHER:
                clock, offset = _clock_beside(text, match, day)
                published = _published(
                    day, clock, offset, zone=zone, seen=seen, origin="text"
                )
                if published is not None:
                    stated.setdefault(rank, published)
    return stated[min(stated)] if stated else None


def is_date_line(line: str) -> bool:
    """Return whether the line states the date of publication."""
    return next(_dates_apart(line), None) is not None


def is_labelled_date(line: str) -> bool:
    """Return whether the line has a date labelled as that of publication or change."""
    return any(rank in (_PUBLISHED, _UPDATED) for _, _, rank in _dates_apart(line))


def _dates_apart(line: str) -> Iterator[tuple[str, Match, int]]:
    """Yield the line in plain digits, and each date in it that stands apart with its meaning."""
    if len(line) <= _LINE_CHARS and _DIGIT.search(line) is not None:
        text = plain_digits(line)
        for match in _date_matches(text):
            rank = _rank(text, match)
            if _stands_apart(text, match, rank):
                yield text, match, rank


def parse_declared(
    text: str, zone: str | None, seen: dt.datetime | None = None
) -> Published | None:
    """Parse a date as feeds, records and pages declare it: RFC 3339, RFC 822, a day alone, or written out.

    Return None for other text and for implausible dates. Of a time in a zone of unknown name only the day is
    known.
    """
    text = text.strip()
    if not text or len(text) > _MAX_DECLARED_CHARS:
        return None
    text, stated_zone = _zone_apart(_CTIME.sub(r"\2 \1 \5 \3\4", text))
    day, clock, offset = (
        _read_iso(text)
        or _read_epoch(text)
        or _read_rfc822(text)
        or _read_written(text)
    )
    if stated_zone and day is not None and clock is not None:
        offset = _offset(stated_zone, day, clock)
        clock = None if offset is None else clock
    return _published(day, clock, offset, zone=zone, seen=seen, origin="feed")


def plausible(time: dt.datetime, seen: dt.datetime | None) -> bool:
    """Return whether `time` is from 1990 to a day after `seen` (clocks and zones may be wrong)."""
    return time >= EARLIEST and (seen is None or time <= seen + _AHEAD)


# --- reading -----------------------------------------------------------------------------------------------

_Parts = tuple[dt.date | None, dt.time | None, dt.timedelta | None]
# The clock time at the end of a declared date, and its zone: an offset, a name, or both.
_CLOCK_AND_ZONE = re.compile(
    r"(?<=[\sTt_,])(?:(?P<h>[01]?\d|2[0-4])(?P<sign>[:.])(?P<n>[0-5]\d)(?:(?P=sign)(?P<s>\d\d)(?:[.,]\d{1,9})?)?"
    r"|(?<=[Tt])(?P<h2>[01]\d|2[0-4])(?P<n2>[0-5]\d)(?P<s2>\d\d)?)(?P<half>\s?[AaPp]\.?[Mm]\b\.?)?\s*\(?"
    r"(?P<zone>(?P<name>[A-Za-z]{1,5}|[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z_+-]+){1,2})?\s?(?P<off>[+\u2212-]\d{1,2}(?::?\d\d)?)?)"
    r"\)?(?:\s?[A-Z]{1,5}|\s?\([^()]*\)|\[[^][]*\])?$"
)
_NO_ZONES = frozenset({"h", "hr", "hrs", "uhr"})


def _zone_apart(text: str) -> tuple[str, str]:
    """Return a declared date, its clock time with colons and without the zone, and the zone: "" without."""
    match = _CLOCK_AND_ZONE.search(text)
    if match is None or (match["name"] or "").lower() in _NO_ZONES:
        return text, ""
    if match["sign"] == "." and re.search(r"\d{4}", text[: match.start()]) is None:
        return text, ""  # a day, with a year of two digits
    hour, minute, second = (
        match[name] or match[f"{name}2"] or "00" for name in ("h", "n", "s")
    )
    zone = match["zone"].strip()
    if (
        match["off"]
        and match["name"]
        and match["name"].lower() in {"gmt", "utc", "ut", "z"}
    ):
        zone = match["off"]
    return f"{text[: match.start()]}{hour}:{minute}:{second}{match['half'] or ''}", zone


_ISO = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:[Tt_ ]+(\d\d?):(\d\d):(\d\d))?")

_ISO_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d")


def _read_iso(text: str) -> _Parts | None:
    match = _ISO.fullmatch(text)
    if match is None:  # a time that does not exist makes the whole doubtful
        return (None, None, None) if _ISO_MOMENT.match(text) else None
    year, month, day, hour, minute, second = (
        int(number) for number in match.groups("-1")
    )
    if hour < 0:
        return _date(year, month, day), None, None
    return *_moment(_date(year, month, day), hour, minute, second), None


# As C's ctime() and `date` write it (RFC 9110, 5.6.7: asctime): "Sun Nov 22 10:00:00 2026".
_CTIME = re.compile(
    r"[A-Z][a-z]{2},? +([A-Z][a-z]{2}) +(\d\d?),? (\d\d:\d\d(?::\d\d)?)( [A-Z]{3,4}| [+-]\d{4})? (\d{4})"
)
_RFC822 = re.compile(
    r"(?:[A-Za-z]{3,9}\.?,?\s*)?\d{1,2}[\s-]+[A-Za-z]{3,9}\.?[\s-]+(?:\d\d|\d{4})\s+\d{1,2}:\d\d:\d\d"
)


def _read_epoch(text: str) -> _Parts | None:
    # Seconds, also with a fraction, or thousandths, millionths, billionths of them.
    if not re.fullmatch(r"[0-9]{10}(?:\.[0-9]{1,9}|(?:[0-9]{3}){1,3})?", text):
        return None
    moment = dt.datetime.fromtimestamp(int(text[:10]), dt.UTC)
    return moment.date(), moment.time(), dt.timedelta(0)


def _read_rfc822(text: str) -> _Parts | None:
    if not _RFC822.fullmatch(text):
        return None
    try:
        fields = parsedate_tz(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None  # the standard library raises on some malformed dates
    if fields is None:
        return None
    if f"{fields[0]:04}" not in text and re.search(r"\b\d{4}\s+\d{1,2}:", text):
        # .NET writes the year 0001 for "no date"; the parser returns 2001 for it
        return None, None, None
    day, clock = _moment(_date(*fields[:3]), *fields[3:6])
    return (day, clock, None) if clock is not None else None


def _read_written(text: str) -> _Parts:
    """Read a date that is written out, in any language of the calendar."""
    text = plain_digits(text)
    match = next(iter(_date_matches(text)), None)
    day = _day_of(match) if match is not None else None
    if match is None or day is None:
        return None, None, None
    return day, *_clock_beside(text, match, day)


def _moment(
    day: dt.date | None, hour: int, minute: int, second: int
) -> tuple[dt.date | None, dt.time | None]:
    """Return day and time: 24:00 is the end of the day (ISO 8601:2000). None, None for an impossible one."""
    if day is not None and (hour, minute, second) == (24, 0, 0):
        return day + dt.timedelta(days=1), dt.time(0)
    time = _time(hour, minute, min(second, 59))
    return (day, time) if time is not None else (None, None)


# Meaning of a date by its label, the best first.
_PUBLISHED, _UNSAID, _UPDATED, _OTHER = range(4)
_KINDS = (
    ("published", _PUBLISHED),
    ("as_of", _UNSAID),
    ("updated", _UPDATED),
    ("other_dates", _OTHER),
)


def _rank(line: str, match: Match) -> int:
    """Return the meaning of a date by the words before it."""
    before = line[_end_of_date_before(line, match) : match.start()]
    label_words = words(_CLOCK.sub(" ", before))
    places = [
        (place, rank)
        for kind, rank in _KINDS
        for place in range(len(label_words))
        if phrases(kind).at(label_words, place)
    ]
    return max(places, default=(0, _UNSAID))[1]


def _end_of_date_before(line: str, match: Match) -> int:
    return max(
        (one.end() for one in _date_matches(line) if one.end() <= match.start()),
        default=0,
    )


def _stands_apart(line: str, match: Match, rank: int) -> bool:
    """Return whether the line has few other words, fewer if none of them says what the date is."""
    other_words = _words_beside(line, match)
    if is_prose(line):
        return other_words <= 4
    has_clock = (
        _CLOCK.search(f"{line[: match.start()]} | {line[match.end() :]}") is not None
    )
    if rank != _UNSAID or has_clock:
        return other_words <= 8
    return other_words <= 2 and not match.groupdict().get("yy")


@lru_cache(maxsize=64)
def _date_matches(line: str) -> tuple[Match, ...]:
    """Return the dates in `line`; none if there are too many for a date line."""
    matches: list[Match] = []
    if _DIGIT.search(line) is None:
        return ()
    if _COMMON_YEAR.search(line):
        has_day_last = (
            _DAY_BEFORE_YEAR.search(line) is not None
        )  # the second form is slow: it tries each word
        forms = _DATE_FORMS if has_day_last else _DATE_FORMS[:1] + _DATE_FORMS[2:]
        matches += [match for form in forms for match in form.finditer(line)]
    if not line.isascii():
        matches += [match for form in _OTHER_FORMS for match in form.finditer(line)]
    matches += _SHORT_YEAR.finditer(line)
    return tuple(matches) if len(matches) <= _MAX_DATES else ()


def _day_of(match: Match, *, day_first: bool | None = None) -> dt.date | None:
    """Return the day, or None if it does not exist or the order of 3/4/2024 is unknown."""
    got = match.groupdict()
    if got.get("s1") is not None:
        return _day_of_numbers(
            int(got["y"]), int(got["s1"]), int(got["s2"]), day_first=day_first
        )
    day = int(got["d"])
    if got.get("jy"):
        month = (
            calendar.number_of("jalali", got["jb"]) or 0
            if got.get("jb")
            else int(got["m"])
        )
        return from_jalali(int(got["jy"]), month, day)
    month = (
        calendar.number_of("months", got["b"]) or 0 if got.get("b") else int(got["m"])
    )
    if got.get("era"):
        return _date(
            _ERAS[got["era"]] + (1 if got["ey"] == "元" else int(got["ey"])), month, day
        )
    if got.get("by"):
        return _date(int(got["by"]) - 543, month, day)  # the Buddhist era
    return _date(
        int(got["y"] or 0) if got.get("y") else 2000 + int(got["yy"]), month, day
    )


def _day_of_numbers(
    year: int, first: int, second: int, *, day_first: bool | None
) -> dt.date | None:
    if first <= 12 and second <= 12 and first != second:
        if day_first is None:
            return None
        return _date(year, second, first) if day_first else _date(year, first, second)
    return _date(year, first, second) if second > 12 else _date(year, second, first)


def _clock_beside(
    line: str, match: Match, day: dt.date
) -> tuple[dt.time | None, dt.timedelta | None]:
    """Return the clock time and zone after the date and before the next one, else directly before it."""
    stop = min(
        (one.start() for one in _date_matches(line) if one.start() >= match.end()),
        default=len(line),
    )
    after = _CLOCK.search(line, match.end(), min(match.end() + 45, stop))
    is_near = after is not None and after.start() - match.end() <= 20
    clock = (
        after
        if is_near
        and not _is_labelled(line[match.end() : after.start()] if after else "")
        else None
    )
    if clock is None:
        start = max(_end_of_date_before(line, match), match.start() - 30, 0)
        before = list(_CLOCK.finditer(line, start, match.start()))
        clock = before[-1] if before else None
    if clock is None:
        return None, None
    hour, minute = int(clock["h"] or clock["h2"]), int(clock["n"] or 0)
    half = _half_of(clock)
    if half is not None:
        if not 1 <= hour <= 12:
            return (None, None) if clock["half"] else (_time(hour, minute, 0), None)
        hour = hour % 12 + half
    time = _time(hour, minute, 0)
    zone = (clock["off"] or clock["zone"] or "").strip()
    return time, _offset(zone, day, time) if zone and time else None


def _is_labelled(between: str) -> bool:
    """Return whether the words between a date and a clock time label the clock time as another one."""
    label_words = words(between)
    return any(
        phrases(kind).stand_in(label_words)
        for kind in ("published", "updated")
        if label_words
    )


def _half_of(clock: Match) -> int | None:
    """Return 0 before noon, 12 after; None if the clock time does not state it."""
    if clock["half"]:
        return 12 if clock["half"].lower().startswith(("p", "م")) else 0
    if clock["late"]:
        return 12
    return 0 if clock["early"] else None


def _offset(zone: str, day: dt.date, time: dt.time) -> dt.timedelta | None:
    """Return what a zone ("+5:30", "CEST", "Europe/Oslo") is before UTC at a time there; None: unknown."""
    if zone[0] in "+-\u2212":
        digits = re.sub(r"\D", "", zone)
        digits = f"{'0' * (len(digits) % 2)}{digits}".ljust(4, "0")  # "+8", "+8:00"
        size = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]))
        return size if zone[0] == "+" else -size
    place = zone if "/" in zone else _ZONES_BY_SEASON.get(zone.lower())
    if place is not None:
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return dt.datetime.combine(day, time, ZoneInfo(place)).utcoffset()
        return None
    hours = _ZONE_HOURS.get(zone.lower())
    return None if hours is None else dt.timedelta(hours=float(hours))


def _words_beside(line: str, match: Match) -> int:
    """Count the words besides date, clock time and labels; with many of them the date is in a sentence."""
    remaining = line[: match.start()] + " " + line[match.end() :]
    for other in _date_matches(line):
        remaining = remaining.replace(other.group(), " ")
    remaining = _CLOCK.sub(" ", remaining)
    return sum(
        1
        for word in words(remaining)
        if not word.isnumeric() and word not in _label_words()
    )


@cache
def _label_words() -> frozenset[str]:
    labels = (single_words(kind) for kind in ("published", "updated", "as_of"))
    return (
        frozenset().union(*labels)
        | _every_word("\n".join(calendar.weekday_words()))
        | _BESIDE_DATES
    )


# --- building ----------------------------------------------------------------------------------------------


def _published(
    day: dt.date | None,
    clock: dt.time | None,
    offset: dt.timedelta | None,
    *,
    zone: str | None,
    seen: dt.datetime | None,
    origin: PublishedOrigin,
) -> Published | None:
    if day is None:
        return None
    assumed = offset is None
    try:
        tz: dt.tzinfo = dt.timezone(offset) if offset is not None else zone_or_utc(zone)
        time = dt.datetime.combine(day, clock or dt.time(0), tz).astimezone(dt.UTC)
    except (OverflowError, ValueError):
        return None  # year 9999 west of Greenwich, an offset of a day or more
    if not plausible(time, seen):
        return None
    return Published(
        time=time,
        precision="minute" if clock else "day",
        origin=origin,
        timezone_assumed=assumed,
    )


def zone_or_utc(zone: str | None) -> dt.tzinfo:
    """Return the IANA zone of that name; UTC for None and for an unknown name."""
    try:
        return ZoneInfo(zone) if zone else dt.UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return dt.UTC


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except (ValueError, OverflowError):
        return None


def _time(hour: int, minute: int, second: int) -> dt.time | None:
    try:
        return dt.time(hour, minute, second)
    except (ValueError, OverflowError):
        return None
