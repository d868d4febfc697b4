"""When an article says it was published: declared by a feed or record, or standing in its first lines.

Only a full day, month and year is a date; a bare year, a weekday or a clock never is. What is absurd is
unknown: dates before 1990 or more than a day after the moment they were seen (hardening I17).
"""

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from email.utils import parsedate_tz
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aggregator.model import Published, PublishedOrigin

_EARLIEST = dt.datetime(1990, 1, 1, tzinfo=dt.UTC)
_AHEAD = dt.timedelta(hours=24)
_MAX_DECLARED_CHARS = 100

_MONTH_NAMES = """
january jan januar janvier janv enero ene gennaio gen janeiro januari января янв stycznia ocak січня jänner
february feb februar février fevrier févr fevr fév febrero febbraio fevereiro fev februari февраля фев lutego
march mar märz maerz mrz mars marzo março marco maart mrt марта мар marca mart березня
april apr avril avr abril abr aprile апреля апр kwietnia nisan квітня
may mai mayo maggio mag maio mei maj мая maja mayıs травня
june jun juni juin junio giugno giu junho июня июн czerwca haziran червня
july jul juli juillet juil julio luglio lug julho июля июл lipca temmuz липня
august aug août aout agosto ago augustus augusti августа авг sierpnia ağustos серпня
september sep sept septembre septiembre settembre set setembro сентября сен сент września eylül вересня
october oct oktober okt octobre octubre ottobre ott outubro out oktober октября окт października ekim жовтня
november nov novembre noviembre novembro ноября ноя нояб listopada kasım листопада
december dec dezember dez décembre decembre déc diciembre dic dicembre dezembro декабря дек grudnia aralık
"""
_MONTHS = {
    "февр": 2,
    "şubat": 2,
    "лютого": 2,
    "грудня": 12,
    **{
        name: number
        for number, names in enumerate(_MONTH_NAMES.strip().split("\n"), start=1)
        for name in names.split()
    },
}
_NAME = "|".join(sorted(_MONTHS, key=lambda name: (-len(name), name)))
_DAY = r"(?P<d>0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?P<y>(?:19|20)\d\d)(?!\d)"
_DATE_FORMS = (
    re.compile(rf"(?<!\d){_DAY}(?:st|nd|rd|th|er|\.|º|°)?\s*(?:of\s+|de\s+|-|\s)\s*(?P<b>{_NAME})\b\.?,?"
               rf"\s*(?:de\s+|del\s+|-)?\s*{_YEAR}", re.I),
    re.compile(rf"(?<!\d){_DAY}\.\s?(?P<b>{_NAME})\b\.?,?\s*{_YEAR}", re.I),
    re.compile(rf"\b(?P<b>{_NAME})\b\.?\s*{_DAY}(?:st|nd|rd|th)?,?\s+{_YEAR}", re.I),
    re.compile(rf"(?<![\d./-]){_YEAR}(?P<sep>[-./])(?P<m>0?[1-9]|1[0-2])(?P=sep)(?P<d>0?[1-9]|[12]\d|3[01])(?![\d-])"),
    re.compile(rf"(?<![\d.])(?P<d>0?[1-9]|[12]\d|3[01])\.\s?(?P<m>0?[1-9]|1[0-2])\.\s?{_YEAR}"),
    re.compile(rf"(?<![\d/-])(?P<s1>\d{{1,2}})(?P<sep>[/-])(?P<s2>\d{{1,2}})(?P=sep){_YEAR}"),
    re.compile(rf"{_YEAR[:-6]}\s?[年년]\s?(?P<m>0?[1-9]|1[0-2])\s?[月월]\s?{_DAY}\s?[日일]"),
)  # fmt: skip
_CLOCK = re.compile(
    r"(?<![\d.:])(?:(?P<h>[01]?\d|2[0-3])\s?(?:[:.h]|"
    r"Uhr\s)\s?(?P<n>[0-5]\d)(?::[0-5]\d(?:[.,]\d{1,9})?)?(?!\d)"
    r"|(?P<h2>0?[1-9]|1[0-2])(?=\s?[ap]\.?\s?m))\s?(?P<half>[ap]\.?\s?m\b\.?|[ap]\.?\s?m(?=[A-Z]))?"
    r"\s*(?:Uhr|hrs?|h\b)?\s*\(?(?P<zone>Z\b|UTC|GMT|CES?T|MES?Z|E[SD]T|C[SD]T|P[SD]T|BST|MSK|JST|AEDT|AEST|"
    r"WES?T|EES?T)?"
    r"(?P<off>\s?[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)
_ZONE_HOURS = {
    "z": 0, "utc": 0, "gmt": 0, "cet": 1, "cest": 2, "mez": 1, "mesz": 2, "est": -5, "edt": -4, "cst": -6,
    "cdt": -5, "pst": -8, "pdt": -7, "bst": 1, "msk": 3, "jst": 9, "aedt": 11, "aest": 10, "wet": 0,
    "west": 1, "eet": 2, "eest": 3,
}  # fmt: skip
_UPDATED = re.compile(
    r"(?:updated|modified|aktualisiert|stand|mis à jour|modifié|actualizad|aggiornat|atualizad|bijgewerkt|"
    r"обновл)\w*"
    r"[^\d]{0,12}$",
    re.IGNORECASE,
)
_LABELS = re.compile(
    r"(?:published|posted|updated|modified|on|at|am|um|le|el|il|op|de|à|às|uhr|reading time|min(?:ute)?s?|"
    r"min read|"
    r"lesezeit|minuten|temps de lecture|tiempo de lectura|tempo di lettura|leestijd|last|first|date|stand|"
    r"publié|mis|"
    r"jour|publicado|actualizado|pubblicato|aggiornato|gepubliceerd|bijgewerkt|veröffentlicht|aktualisiert|"
    r"ist|"
    r"(?:mon|tues?|wednes|thurs?|fri|satur|sun)(?:day)?|montag|dienstag|mittwoch|donnerstag|freitag|samstag|"
    r"sonntag|"
    r"lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|опубликовано|обновлено|\d+)",
    re.IGNORECASE,
)


def published_from_text(
    lines: Sequence[str], zone: str | None, seen: dt.datetime | None = None
) -> Published | None:
    """The date line among `lines` (an article's first ones): a full date with little beside it, or None.

    `zone` is the IANA name taken for a clock without one (None: UTC, and `zone_assumed` says so). A date
    inside a sentence tells of an event, not of the article, and is passed over.
    """
    for line in lines:
        if len(line) <= 200:
            found = _from_line(line, zone, seen)
            if found is not None:
                return found
    return None


def is_date_line(line: str) -> bool:
    """Whether the line is there to tell the date of publication."""
    return len(line) <= 200 and any(_words_beside(line, m) <= 6 for m in _date_matches(line))


def parse_declared(text: str, zone: str | None, seen: dt.datetime | None = None) -> Published | None:
    """A date as feeds, records and pages declare it: RFC 3339, RFC 822, a day alone, or one written out.

    None for anything else and for what is implausible.
    """
    text = text.strip()
    if not text or len(text) > _MAX_DECLARED_CHARS:
        return None
    for read in (_read_iso, _read_epoch, _read_rfc822):
        parts = read(text)
        if parts is not None:
            return _made(*parts, zone=zone, seen=seen, origin="feed")
    match = next(_date_matches(text), None)
    if match is None:
        return None
    day = _day_of(match)
    clock, offset = _clock_beside(text, match)
    return _made(day, clock, offset, zone=zone, seen=seen, origin="feed") if day else None


def plausible(time: dt.datetime, seen: dt.datetime | None) -> bool:
    """Between 1990 and a day after `seen` (the sender's clock may be wrong, and zones are guessed)."""
    return time >= _EARLIEST and (seen is None or time <= seen + _AHEAD)


# --- reading -----------------------------------------------------------------------------------------------

_Parts = tuple[dt.date | None, dt.time | None, dt.timedelta | None]
_ISO = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[Tt_ ]+(\d\d):?(\d\d)(?::?(\d\d)(?:[.,]\d{1,9})?)?)?\s*"
    r"(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?",
    re.IGNORECASE,
)


def _read_iso(text: str) -> _Parts | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, zone = match.groups()
    clock = None
    if hour is not None:
        clock = _time(int(hour), int(minute), min(int(second or 0), 59))
        if clock is None:
            return None, None, None
    return _date(int(year), int(month), int(day)), clock, _offset(zone) if zone else None


_RFC822 = re.compile(
    r"(?:[A-Za-z]{3,9}\.?,?\s*)?\d{1,2}[\s-]+[A-Za-z]{3,9}\.?[\s-]+(?:\d\d|\d{4})\s+\d{1,2}:\d\d(?::\d\d)?"
    r"\s*(?:UTC?|GMT|Z|[ECMP][SD]T|[+-]\d{4})?"
)


def _read_epoch(text: str) -> _Parts | None:
    if not re.fullmatch(r"[0-9]{10}|[0-9]{13}", text):
        return None
    moment = dt.datetime.fromtimestamp(int(text[:10]), dt.UTC)
    return moment.date(), moment.time(), dt.timedelta(0)


def _read_rfc822(text: str) -> _Parts | None:
    if not _RFC822.fullmatch(text):
        return None
    try:
        found = parsedate_tz(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None  # the standard library's parser trips over some malformed dates
    if found is None:
        return None
    if f"{found[0]:04}" not in text and re.search(r"\b\d{4}\s+\d{1,2}:", text):
        return None, None, None  # the parser makes 2001 of the year 0001, which .NET writes for "no date"
    day, clock = _date(*found[:3]), _time(found[3], found[4], min(found[5], 59))
    if day is None or clock is None:
        return None
    offset = dt.timedelta(seconds=found[9]) if found[9] is not None else None
    return day, clock, dt.timedelta(0) if text.endswith("-0000") else offset


def _from_line(line: str, zone: str | None, seen: dt.datetime | None) -> Published | None:
    matches = [m for m in _date_matches(line) if _words_beside(line, m) <= 6]
    matches.sort(key=lambda m: (bool(_UPDATED.search(line[: m.start()])), m.start()))
    for match in matches:
        clock, offset = _clock_beside(line, match)
        day = _day_of(match)
        found = _made(day, clock, offset, zone=zone, seen=seen, origin="text") if day else None
        if found is not None:
            return found
    return None


def _date_matches(line: str) -> Iterator[re.Match[str]]:
    if not re.search(r"(?:19|20)\d\d", line):
        return
    for form in _DATE_FORMS:
        yield from form.finditer(line)


def _day_of(match: re.Match[str]) -> dt.date | None:
    """None for a day that does not exist, and for 3/4/2024, which is two days."""
    got = match.groupdict()
    if got.get("s1") is None:
        month = _MONTHS[got["b"].lower()] if got.get("b") else int(got["m"])
        return _date(int(got["y"]), month, int(got["d"]))
    first, second = int(got["s1"]), int(got["s2"])
    if first <= 12 and second <= 12 and first != second:
        return None
    day, month = (second, first) if second > 12 else (first, second)
    return _date(int(got["y"]), month, day)


def _clock_beside(line: str, match: re.Match[str]) -> tuple[dt.time | None, dt.timedelta | None]:
    """The clock right after the date, else right before it, with its zone."""
    after = _CLOCK.search(line, match.end(), match.end() + 45)
    clock = after if after is not None and after.start() - match.end() <= 20 else None
    if clock is None:
        before = list(_CLOCK.finditer(line, max(0, match.start() - 30), match.start()))
        clock = before[-1] if before else None
    if clock is None:
        return None, None
    hour, minute = int(clock["h"] or clock["h2"]), int(clock["n"] or 0)
    if clock["half"]:
        if not 1 <= hour <= 12:
            return None, None
        hour = hour % 12 + (12 if clock["half"].lower().startswith("p") else 0)
    zone = (clock["off"] or clock["zone"] or "").strip()
    return _time(hour, minute, 0), _offset(zone) if zone else None


def _offset(zone: str) -> dt.timedelta | None:
    if zone[0] in "+-":
        digits = re.sub(r"\D", "", zone).ljust(4, "0")
        size = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]))
        return -size if zone[0] == "-" else size
    hours = _ZONE_HOURS.get(zone.lower())
    return None if hours is None else dt.timedelta(hours=hours)


def _words_beside(line: str, match: re.Match[str]) -> int:
    """Words of the line that are neither date, clock nor label; many: the date stands in a sentence."""
    rest = _CLOCK.sub(" ", line[: match.start()] + " " + line[match.end() :])
    for form in _DATE_FORMS:
        rest = form.sub(" ", rest)
    words = re.findall(r"[^\W\d_][\w'’.-]*", rest)
    return sum(1 for word in words if not _LABELS.fullmatch(word.rstrip(".:")))


# --- making ------------------------------------------------------------------------------------------------


def _made(
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
    return Published(time=time, precision="minute" if clock else "day", origin=origin, zone_assumed=assumed)


def zone_or_utc(zone: str | None) -> dt.tzinfo:
    """The IANA zone of that name; UTC for None and for a name that no database knows."""
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


def is_month(word: str) -> bool:
    """Whether `word` names a month in one of the languages read here."""
    return word.lower() in _MONTHS
