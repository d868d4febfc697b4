"""The sample articles, as if their newest had been published just before they were first read.

The day of that first reading is kept with their folder, so that a later scan reads the same texts, and the
samples of a database that has them already stay as they are.
"""

import datetime as dt
import os
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec

from aggregator.model.core import Entry

# The newest article in each language, as its file says it (tests compare it with the files).
NEWEST: Final = {
    "en": dt.datetime(2026, 11, 16, 17, 30, tzinfo=dt.UTC),
    "de": dt.datetime(2026, 10, 29, 17, 45, tzinfo=dt.UTC),
    "fr": dt.datetime(2026, 10, 12, 7, 15, tzinfo=dt.UTC),
}
_OTHERS_EARLIER: Final = 2  # days, by which the language of the reader is before English (chosen)
_MONTHS: Final = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
}
_WEEKDAYS: Final = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
}


def samples_folder() -> Path:
    """Return the folder of the sample articles, in a checkout or an installed wheel."""
    installed = Path(str(files("aggregator").joinpath("_shipped", "examples", "articles")))
    return installed if installed.is_dir() else Path(__file__).parents[2] / "examples" / "articles"


def first_start(folder: Path, now: dt.datetime, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return what is kept of the first reading of the samples: time and language; None for other folders."""
    if folder.resolve() != samples_folder().resolve():
        return None
    wanted = (environment.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    language = next(filter(None, wanted), "")[:2].lower()
    return (
        f"{now.astimezone(dt.UTC).isoformat(timespec='seconds')} {language if language in NEWEST else 'en'}"
    )


def with_dates_moved(entry: Entry, started: str | None) -> Entry:
    """Return a sample with the dates of its text moved by whole days; other entries as they are.

    `started`: of `first_start`. The newest sample in the reader's language was published less than a day ago.
    """
    if started is None or entry.text is None:
        return entry
    time, _, reader = started.partition(" ")
    language = _language(entry.text)
    leading = language if language == reader else "en"
    days = (dt.datetime.fromisoformat(time) - NEWEST[leading]).days
    if reader != leading:
        days -= _OTHERS_EARLIER
    return msgspec.structs.replace(entry, text=moved(entry.text, days, language))


def _language(text: str) -> str:
    """Return the language of a sample, by its most frequent small words."""
    words = text.lower().split()
    return max(NEWEST, key=lambda one: words.count({"en": "the", "de": "die", "fr": "le"}[one]))


def moved(text: str, days: int, language: str) -> str:
    """Return a text with its dates, months and days of the week in this language so many days later."""
    months, weekdays = _MONTHS[language].split(), _WEEKDAYS[language].split()
    numbers = {name: at for at, month in enumerate(months, 1) for name in (month, f"{month[:3]}.")}

    def later(year: object, month: int, day: int) -> dt.date:
        return dt.date(int(str(year or NEWEST[language].year)), month, day) + dt.timedelta(days=days)

    def replaced(found: re.Match[str]) -> str:
        given = found.groupdict("")
        if given["weekday"]:
            return weekdays[(weekdays.index(given["weekday"]) + days) % 7]
        if given["iso"]:
            return (dt.date.fromisoformat(given["iso"]) + dt.timedelta(days=days)).isoformat()
        if given["digits"]:
            day, month, year = map(int, given["digits"].split("."))
            return f"{later(year, month, day):%d.%m.%Y}"
        date = later(given["year"], numbers[given["month"]], int(given["before"] or given["after"] or 15))
        name = months[date.month - 1]
        name = f"{name[:3]}." if given["month"].endswith(".") else name
        before = f"{date.day}{given['dot']} " if given["before"] else ""
        after = f" {date.day}" if given["after"] else ""
        return before + name + after + (f"{given['comma']}{date.year}" if given["year"] else "")

    return re.sub(
        rf"\b(?P<weekday>{'|'.join(weekdays)})|\b(?P<iso>\d{{4}}-\d\d-\d\d)\b"
        r"|\b(?P<digits>\d\d\.\d\d\.\d{4})\b|(?:\b(?P<before>\d{1,2})(?P<dot>\.?) )?"
        rf"\b(?P<month>{'|'.join(map(re.escape, numbers))})(?!\w)(?: (?P<after>\d{{1,2}})(?=,))?"
        r"(?:(?P<comma>,? )(?P<year>20\d\d))?",
        replaced,
        text,
    )
