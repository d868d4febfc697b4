"""The days that a sentence names, resolved against a known date; English only."""

import datetime as dt
import re

from aggregator.stories.tuning import StoryTuning
from aggregator.text.calendar import forms, names, number_of

DAY_NAMES = "|".join(day.title() for day in names("weekdays", "en"))
WEEKDAY = re.compile(
    r"(?<!Super\s)(?<!Black\s)(?<!Good\s)\b(?:(?P<how>[Ll]ast|[Nn]ext|[Tt]his|until|till|by)\s+)?(?P<day>"
    + DAY_NAMES
    + r")\b(?![’']s\b)"
)
WEEKDAY_BEFORE = re.compile(rf"\b(?P<day>{DAY_NAMES}),?\s+$")
MONTH_NAMES = "|".join(sorted(map(str.title, forms("months", "en", short=True)), key=len, reverse=True))
DATE = re.compile(
    rf"\b(?:(?P<month>{MONTH_NAMES})\.?\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)"
    rf"|(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\s+(?P<month2>{MONTH_NAMES})\b)(?:,?\s+(?P<year>(?:19|20)\d\d))?"
)
PAST = re.compile(
    r"\b(?:said|says|was|were|had|\w{2,}ed|took|told|came|fell|went|began|froze|made|gave|met|won|lost|held|left"
    r"|shot|broke|sank|struck|rose|grew|drove|flew|stood|fought|sent|spoke|drew|led|set\s+(?:off|out|up))\b",
    re.IGNORECASE,
)
# Verbs of the future: they decide over other verbs if they are nearer to the day.
FUTURE_CUE = re.compile(
    r"\b(?:will|would|shall|expected|scheduled|slated|due|planned|next|final|set\s+to|to\s+be|as\s+(?:early|soon)\s+as|not\s+before|(?:at\s+the\s+)?earliest)\b",
    re.IGNORECASE,
)
FUTURE_PARTICIPLE = re.compile(r"(?<=\bbe )\w+")  # "would be raised", "will be sent": not past
ELSEWHERE = re.compile(
    r"^,?\s+(?:of\s+)?(?:that|the\s+same|the\s+following|the\s+previous)\s+year\b", re.IGNORECASE
)
ENDS_AT = re.compile(r"\b(?:through|until|till|by)\s+$", re.IGNORECASE)
PAST_REACH = 30  # characters before a date searched for the verb that dates it
CUE_REACH = 60  # characters before a weekday searched for a tense


def days_stated(sentence: str, published: dt.date, tuning: StoryTuning) -> list[dt.date]:
    """Return the days that a sentence names, in order, each once, relative to the day of publication."""
    days = [_dated(match, sentence, published, tuning) for match in DATE.finditer(sentence)]
    days += [
        _shifted(published, _days_away(match, sentence, published, tuning))
        for match in WEEKDAY.finditer(sentence)
        if not DATE.match(sentence[match.end() :].lstrip(", "))  # which that date states
    ]
    return list(dict.fromkeys(day for day in days if day is not None))


def days_inferred(sentence: str, first: dt.date, last: dt.date, tuning: StoryTuning) -> list[dt.date]:
    """Return the days for an article without a date, relative to the dates of other reports of its story.

    A weekday is the nearest such day, since the tense is relative to an unknown day. Returns nothing where
    the days `first` and `last` lead to different results.
    """
    results = []
    for reference in (first, last):
        days = [_dated(match, sentence, reference, tuning) for match in DATE.finditer(sentence)]
        days += [_nearest(match, reference) for match in WEEKDAY.finditer(sentence)]
        results.append(list(dict.fromkeys(day for day in days if day is not None)))
    return results[0] if results[0] == results[1] else []


def _nearest(match: re.Match[str], reference: dt.date) -> dt.date | None:
    if (match["how"] or "").lower() in ("last", "next"):
        return None  # relative to an unknown day
    ahead = (_weekday_of(match) - reference.weekday()) % 7
    return _shifted(reference, ahead if ahead <= 3 else ahead - 7)


def _weekday_of(match: re.Match[str]) -> int:
    """Return 0 for Monday, as `date.weekday` does."""
    return names("weekdays", "en").index(match["day"].lower())


def _days_away(match: re.Match[str], sentence: str, published: dt.date, tuning: StoryTuning) -> int:
    """Return days from the day of publication to the weekday."""
    back = (published.weekday() - _weekday_of(match)) % 7  # days since the last one
    how, before = (match["how"] or "").lower(), sentence[max(0, match.start() - CUE_REACH) : match.start()]
    previous, following = -(back or 7), (7 - back)
    if how == "last":
        return previous
    if how in ("next", "until", "till", "by"):
        return following
    if back == 0:
        return 0
    if back >= 2 and _is_future(before):
        return following
    past = PAST.search(before)
    if not past and not FUTURE_CUE.search(before):  # "Riyadh on Sunday froze trade"
        past = PAST.search(sentence, match.end(), match.end() + CUE_REACH)
    return previous if past or back <= tuning.weekday_past_days else following


def _is_future(before: str) -> bool:
    """Whether the last verb before the day is in the future: "said that he would come on Friday"."""
    text = FUTURE_PARTICIPLE.sub("", before)
    future_ends = [cue.end() for cue in FUTURE_CUE.finditer(text)]
    past = [cue.end() for cue in PAST.finditer(text) if not FUTURE_CUE.fullmatch(cue.group())]
    return bool(future_ends) and future_ends[-1] > max(past, default=0)


def _dated(match: re.Match[str], sentence: str, reference: dt.date, tuning: StoryTuning) -> dt.date | None:
    """Resolve a date; without a year to the nearest one, with a weekday before it to one with that weekday.

    Far ahead of a verb in the past it is of last year, or None without "on".
    """
    month = number_of("months", match["month"] or match["month2"]) or 0
    day = int(match["d"] or match["d2"])
    if match["year"]:
        return _date(int(match["year"]), month, day)
    if ELSEWHERE.match(sentence[match.end() :]):
        return None  # relative to a year in another sentence
    known = [found for offset in (1, 0, -1) if (found := _date(reference.year + offset, month, day))]
    before = sentence[: match.start()]
    beside = WEEKDAY_BEFORE.search(before)
    if beside is not None:
        known = [found for found in known if found.weekday() == _weekday_of(beside)]
    nearest = min(known, key=lambda day: abs((day - reference).days), default=None)
    if nearest is None or beside is not None:
        return nearest
    if nearest < reference and ENDS_AT.search(before):
        return None  # "runs through Sept. 30": of this year or of the next one
    past = PAST.search(FUTURE_PARTICIPLE.sub("", sentence))
    if past and (nearest - reference).days > tuning.date_ahead_days:
        # "was cleared on May 14" is of last year, "expired after March 5 could not be" is of either year.
        is_on = before.lower().split()[-1:] == ["on"] and PAST.search(before[-PAST_REACH:])
        return max((day for day in known if day <= reference), default=None) if is_on else None
    return nearest


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:  # the 31st of June
        return None


def _shifted(day: dt.date, days: int) -> dt.date | None:
    try:
        return day + dt.timedelta(days=days)
    except OverflowError:
        return None
