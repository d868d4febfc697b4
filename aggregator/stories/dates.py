"""Days that a sentence speaks of, resolved against a date that is known. English only: others give none."""

import datetime as dt
import re

from aggregator.stories.tuning import StoryTuning

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
          "november", "december")  # fmt: skip
WEEKDAY = re.compile(
    r"\b(?:(?P<how>[Ll]ast|[Nn]ext|[Tt]his|until|till|by)\s+)?(?P<day>"
    + "|".join(d.title() for d in WEEKDAYS)
    + r")\b(?![’']s\b)"
)
_MONTH_NAMES = "|".join(m.title() for m in MONTHS) + "|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec"
DATE = re.compile(
    rf"\b(?:(?P<month>{_MONTH_NAMES})\.?\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)"
    rf"|(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\s+(?P<month2>{_MONTH_NAMES})\b)(?:,?\s+(?P<year>(?:19|20)\d\d))?"
)
PAST = re.compile(
    r"\b(?:said|says|was|were|had|\w{2,}ed|took|told|came|fell|went|began|froze|made|gave|met|won|lost|held|left"
    r"|shot|broke|sank|struck|rose|grew|drove|flew|stood|fought|sent|spoke|drew|led|set\s+(?:off|out|up))\b",
    re.IGNORECASE,
)
FUTURE = re.compile(
    r"\b(?:will|would|to|expected|scheduled|slated|set(?!\s+(?:off|out|up))|before|next|final|due|plans?|planned)\b",
    re.IGNORECASE,
)
# Said of what is still to come: it wins over other verbs where it stands nearer to the day.
FUTURE_CUE = re.compile(
    r"\b(?:will|would|shall|expected|scheduled|slated|due|planned|not\s+before|(?:at\s+the\s+)?earliest)\b",
    re.IGNORECASE,
)
FUTURE_PARTICIPLE = re.compile(r"(?<=\bbe )\w+")  # "would be raised", "will be sent": not past
FUTURE_AFTER = re.compile(
    r"^[^,.;]{0,20}?\b(?:at the (?:earliest|latest)|or later|onwards?)\b", re.IGNORECASE
)
ELSEWHERE = re.compile(
    r"^,?\s+(?:of\s+)?(?:that|the\s+same|the\s+following|the\s+previous)\s+year\b", re.IGNORECASE
)
CUE_REACH = 60  # characters before a weekday in which a cue tells its direction


def days_stated(sentence: str, published: dt.date, tuning: StoryTuning) -> list[dt.date]:
    """The days a sentence names, in order, each once, against the day its article was published."""
    found = [_dated(match, sentence, published, tuning) for match in DATE.finditer(sentence)]
    found += [_weekday(match, sentence, published, tuning) for match in WEEKDAY.finditer(sentence)]
    return list(dict.fromkeys(day for day in found if day is not None))


def days_inferred(sentence: str, first: dt.date, last: dt.date, tuning: StoryTuning) -> list[dt.date]:
    """The same for an article without a date, against the days that others of its story were published.

    A weekday is the nearest such day; its tense says nothing here, because the article's own day is unknown.
    Nothing where the first and last of the others' days would answer differently.
    """
    found = []
    for reference in (first, last):
        days = [_dated(match, sentence, reference, tuning) for match in DATE.finditer(sentence)]
        days += [_nearest(match, reference) for match in WEEKDAY.finditer(sentence)]
        found.append(list(dict.fromkeys(day for day in days if day is not None)))
    return found[0] if found[0] == found[1] else []


def _nearest(match: re.Match[str], reference: dt.date) -> dt.date | None:
    if (match["how"] or "").lower() in ("last", "next"):
        return None  # counted from a day that is unknown
    ahead = (WEEKDAYS.index(match["day"].lower()) - reference.weekday()) % 7
    return _shifted(reference, ahead if ahead <= 3 else ahead - 7)


def _weekday(match: re.Match[str], sentence: str, published: dt.date, tuning: StoryTuning) -> dt.date | None:
    back = (published.weekday() - WEEKDAYS.index(match["day"].lower())) % 7
    return _shifted(published, _days_away(match, sentence, back, tuning))


def _days_away(match: re.Match[str], sentence: str, back: int, tuning: StoryTuning) -> int:
    """From the day of publication to the weekday; `back` is how long ago it last was."""
    how, before = (match["how"] or "").lower(), sentence[max(0, match.start() - CUE_REACH) : match.start()]
    previous, following = -(back or 7), (7 - back)
    if how == "last":
        return previous
    if how in ("next", "until", "till", "by"):
        return following
    if back == 0:
        return 0
    future, past = FUTURE.search(before), PAST.search(before)
    if not future and not past:  # "Riyadh on Sunday froze trade"
        past = PAST.match(sentence[match.end() :].lstrip())
    ahead = back >= 2 and ((future and not past) or _is_future(before))
    if ahead or FUTURE_AFTER.match(sentence[match.end() :]):
        return following
    return previous if past or back <= tuning.weekday_past_days else following


def _is_future(before: str) -> bool:
    """Whether the last cue before the day tells of the future: "said that he would come on Friday"."""
    text = FUTURE_PARTICIPLE.sub("", before)
    future_ends = [cue.end() for cue in FUTURE_CUE.finditer(text)]
    past = [cue.end() for cue in PAST.finditer(text) if not FUTURE_CUE.fullmatch(cue.group())]
    return bool(future_ends) and future_ends[-1] > max(past, default=0)


def _dated(match: re.Match[str], sentence: str, reference: dt.date, tuning: StoryTuning) -> dt.date | None:
    """Without a year: the nearest such day; never far ahead where a verb tells of the past."""
    name = (match["month"] or match["month2"]).lower()[:3]
    month = [m[:3] for m in MONTHS].index(name) + 1
    day = int(match["d"] or match["d2"])
    if match["year"]:
        return _date(int(match["year"]), month, day)
    if ELSEWHERE.match(sentence[match.end() :]):
        return None  # counted from a year that another sentence names
    candidates = [_date(reference.year + offset, month, day) for offset in (1, 0, -1)]
    past = PAST.search(FUTURE_PARTICIPLE.sub("", sentence))
    near = [c for c in candidates if c and (not past or (c - reference).days <= tuning.date_ahead_days)]
    return min(near, key=lambda day: abs((day - reference).days), default=None)


def _date(year: int, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year, month, day)
    except ValueError:  # the 31st of June: not a date, whatever the sentence says
        return None


def _shifted(day: dt.date, days: int) -> dt.date | None:
    try:
        return day + dt.timedelta(days=days)
    except OverflowError:
        return None
