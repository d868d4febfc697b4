"""Live blogs: detects them in text and extracts their entries in the order of time.

A page shows its entries newest first or oldest first, sometimes with two swapped, and a long one runs over
midnight. The direction of the page is that of the majority of its steps (a clock time that jumps by more than
half a day crossed midnight in the other direction). A small step against that direction is two swapped
entries, a large one is midnight. Days come from headings, or from the article's minute of publication.
"""

import datetime as dt
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import msgspec

from aggregator.extract.language.dates import zone_or_utc
from aggregator.extract.limits import ExtractTuning
from aggregator.model.core import Published, TimedEntry
from aggregator.text import clock_times
from aggregator.text.clock_times import StatedDay
from aggregator.text.lines import count_words, ends_sentence

_LIVE_CUES = re.compile(
    r"\b(?:live[- ]?blog|live[- ]?updates?|live[- ]?ticker|newsblog|news blog|live coverage|live feed|"
    r"as it happened|as it happens|minute by minute|live reporting|live news|"
    r"en direct|en continu|en vivo|última hora|minuto a minuto|minute par minute|minuto per minuto|"
    r"in diretta|la diretta|ao vivo|im ticker|im newsticker|nachrichtenblog|"
    r"relacja na żywo|na żywo|canlı (?:anlatım|blog|yayın)|"
    r"(?:онлайн|прямая|текстовая)[- ]трансляция|онлайн[- ]хроника|хроника дня|наживо)\b|"
    # a hyphen inside a word does not count: "Live-action", "Direct-to-consumer"
    r"^(?:live|liveblog|direct|directo|diretta|liveticker|ticker|al minuto|ao minuto|онлайн)"
    r"\s?(?:[:.|–]|-(?!\w))|"
    r"[–—|:-] (?:live|en direct|diretta|directo)(?:!|$|\s?(?:[:|–—]|-(?!\w)))|"
    # as a label only: in a sentence these mean any broadcast, concert or action in real time
    r"(?:^|[\[【(（|｜])\s?(?:图文|圖文|文字|现场|現場)?(?:直播|実況|실시간|라이브)\s?(?:[\]】)）:：|｜]|$)|"
    r"实时更新|實時更新|滚动更新|最新情報|ライブ(?:更新|ブログ)|"
    r"تغطية مباشرة|مباشر[:|]|لحظة بلحظة|รายงานสด|ถ่ายทอดสด",
    re.IGNORECASE,
)
_LIST_WORDS = r"(?:morning|midday|afternoon|evening|daily|nightly|weekly|weekend|news)"
_DASH = r"(?:[:|–—]|-(?!\w))"  # the separator after a label
# "Briefing" also means a press conference, so it counts only as a label or after one of the list words. The
# same holds for "newsletter".
_ROUND_UP_CUES = re.compile(
    rf"\b{_LIST_WORDS} (?:digest|round-?up|wrap|newsletter)\b|"
    rf"(?:^|[:|–—-] )(?:the |your |our )?{_LIST_WORDS} briefing\b|^\w+ {_LIST_WORDS} briefing$|"
    rf"\b{_LIST_WORDS} briefing\s?{_DASH}|^briefing\s?{_DASH}|"
    rf"\bnewsletter\s?(?:{_DASH}|#|\d)|[|–—-] newsletter$|"
    r"\b(?:at a glance|what we know so far|key (?:events|developments)|top (?:stories|headlines)|"
    r"news in brief|der tag im überblick|nachrichten des tages|morgenbriefing)\b",
    re.IGNORECASE,
)


class ExtractedEntry(NamedTuple):
    """An entry of a page. `moment`: aware, if the page declares more than a clock time."""

    clock_minutes: int
    text: str = ""
    day: StatedDay | None = None
    moment: dt.datetime | None = None
    is_utc: bool = False  # the clock time is marked as UTC


class ArticleTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Known times of an article. No entry is later than `seen`; `zone` is that of the clock times."""

    published: Published | None = None
    modified: dt.datetime | None = None
    seen: dt.datetime | None = None
    zone: str | None = None

    @property
    def tz(self) -> dt.tzinfo:
        """The zone of the clock times; UTC if unknown."""
        return zone_or_utc(self.zone)

    def before(self, minutes: int) -> dt.datetime | None:
        """Return the moment this many minutes before the last change of the page, or None if unknown."""
        if self.modified is None:
            return None
        return (self.modified - dt.timedelta(minutes=minutes)).astimezone(self.tz)

    @property
    def reference(self) -> dt.date | None:
        """The local day that is near "8 December"."""
        time = self.modified or (self.published.time if self.published else None)
        return time.astimezone(self.tz).date() if time else None


class _Entries(NamedTuple):
    """The words before the first clock time, and the entries with their paragraphs."""

    intro_words: int
    entries: list[ExtractedEntry]
    bodies: list[list[str]]  # the paragraphs of each entry


def opens_with_clock(paragraph: str) -> bool:
    """Return whether `paragraph` begins like an entry of a live blog ("11.30 p.m.: ", "14h05 : ")."""
    opening = clock_times.opening(paragraph)
    return opening is not None and opening.sure


def is_bare_clock(line: str) -> bool:
    """Return whether the line is only a clock time without a day; with a day it would date the article."""
    opening = clock_times.opening(line)
    return opening is not None and opening.sure and opening.day is None and opening.end >= len(line)


@lru_cache(maxsize=16)  # called many times for one headline
def announces_live(title: str) -> bool:
    """Return whether the headline announces live coverage."""
    return _LIVE_CUES.search(title) is not None


@lru_cache(maxsize=16)
def is_container_title(title: str) -> bool:
    """Return whether the headline announces a live blog, a briefing or a roundup."""
    return announces_live(title) or _ROUND_UP_CUES.search(title) is not None


def entries_of(
    paragraphs: Sequence[str], tuning: ExtractTuning, times: ArticleTimes, *, announced: bool
) -> tuple[TimedEntry, ...]:
    """Return the entries of a live blog's text, oldest first; () if too few paragraphs begin with a time.

    A clock time applies to the paragraphs after it, a day heading to the clock times after it. Otherwise days
    are derived only if the article's minute of publication is known. One entry is enough if a live blog is
    `announced`. `looks_live` decides whether a text is a live blog.
    """
    entries = _read(paragraphs, tuning, times, announced=announced).entries
    if len(entries) < (1 if announced else tuning.live_entries):
        return ()
    return timed(entries, times, tuning)


@lru_cache(maxsize=4)  # called twice for one text
def has_clocks(paragraphs: tuple[str, ...], tuning: ExtractTuning) -> bool:
    """Return whether enough paragraphs begin with a clock time, sure or not, for a live blog."""
    return sum(clock_times.opening(one) is not None for one in paragraphs) >= tuning.live_entries


def looks_live(paragraphs: Sequence[str], tuning: ExtractTuning) -> bool:
    """Return whether an unannounced text has the structure of a live blog.

    Most of it is under clock times and in sentences. A programme or timetable has short lines instead, in the
    order of the day and often on round minutes; a chronology in a report has other text around it.
    """
    if not has_clocks(tuple(paragraphs), tuning):
        return False  # `ArticleTimes()` dates no entry by "12 min ago"
    text = _read(paragraphs, tuning, ArticleTimes(), announced=False)
    if len(text.entries) < tuning.live_entries:
        return False
    words_by_entry = [sum(map(count_words, body)) for body in text.bodies]
    whole = text.intro_words + sum(words_by_entry)
    around = text.intro_words + max(0, words_by_entry[-1] - max(words_by_entry[:-1], default=0))
    if around > tuning.live_outside_share * whole:
        return False
    bodies_with_sentence = sum(any(map(ends_sentence, body)) for body in text.bodies)
    if 2 * bodies_with_sentence < len(text.bodies):
        return False
    return is_newest_first(text.entries) or not _is_schedule(text.entries, words_by_entry, tuning)


def _is_schedule(
    entries: Sequence[ExtractedEntry], words_by_entry: Sequence[int], tuning: ExtractTuning
) -> bool:
    """Return whether the entries are short, or on round minutes."""
    typical = sorted(words_by_entry)[len(words_by_entry) // 2]
    is_round = all(one.clock_minutes % 5 == 0 for one in entries)
    return typical < tuning.stub_words * (2 if is_round else 1)


def _read(
    paragraphs: Sequence[str], tuning: ExtractTuning, times: ArticleTimes, *, announced: bool
) -> _Entries:
    """Read the entries in the order of the page.

    Clock times without a mark count if several paragraphs have one.
    """
    openings = [clock_times.opening(paragraph) for paragraph in paragraphs]
    unsure = sum(one is not None and not one.sure for one in openings)
    takes_unsure = unsure >= (1 if announced else tuning.live_entries)
    intro_words = 0
    day: clock_times.StatedDay | None = None
    entries: list[ExtractedEntry] = []
    bodies: list[list[str]] = []
    for paragraph, opening in zip(paragraphs, openings, strict=True):
        ago = clock_times.minutes_ago(paragraph) if opening is None else None
        at = times.before(ago) if ago is not None else None
        if opening is not None and (opening.sure or takes_unsure):
            day = opening.day or day
            entries.append(
                ExtractedEntry(clock_minutes=opening.clock_minutes, day=day, is_utc=opening.is_utc)
            )
            bodies.append([_without_frame(paragraph[opening.end :])])
        elif at is not None:
            entries.append(ExtractedEntry(clock_minutes=at.hour * 60 + at.minute, moment=at))
            bodies.append([])
        elif (heading := clock_times.day_heading(paragraph)) is not None:
            day = heading
        elif bodies:
            bodies[-1].append(paragraph)
        else:
            intro_words += count_words(paragraph)
    texts = ["\n".join(part for part in body if part) for body in bodies]
    complete = [one._replace(text=text) for one, text in zip(entries, texts, strict=True)]
    return _Entries(intro_words, complete, bodies)


def _without_frame(text: str) -> str:
    """Return the text without the closing marks of German tickers ("+++ 9.47 Uhr: ... +++")."""
    return text.strip().rstrip("+").strip() if text.rstrip().endswith("++") else text.strip()


# --- entries in the order of time -------------------------------------------------------------------------

_DAY = 1440  # minutes
_HOUR = 60
_COMPARED = 50  # longest entries of one clock time that a line is compared with: a page may have thousands
_UNDATED_YEAR = 2000  # used where no year is known; for the order only


def timed(
    entries: Sequence[ExtractedEntry], times: ArticleTimes, tuning: ExtractTuning
) -> tuple[TimedEntry, ...]:
    """Return the entries, oldest first; entries with equal times keep their order."""
    entries = _without_key_moments(entries)
    ordered = list(reversed(entries)) if is_newest_first(entries) else list(entries)
    days, is_dated = _days(ordered, times, tuning)
    places = sorted(range(len(ordered)), key=lambda i: (days[i], ordered[i].clock_minutes, i))
    return tuple(
        _entry(ordered[i], dt.date.fromordinal(days[i]) if is_dated[i] else None, times) for i in places
    )


def _without_key_moments(entries: Sequence[ExtractedEntry]) -> list[ExtractedEntry]:
    """Return the entries without a list of key moments, whose lines repeat entries of the same clock time."""
    by_clock: dict[int, set[str]] = {}
    for one in entries:
        by_clock.setdefault(one.clock_minutes, set()).add(one.text)
    longest = {
        clock: sorted(texts, key=lambda text: (-len(text), text))[:_COMPARED]
        for clock, texts in by_clock.items()
    }
    return [one for one in entries if not any(_holds(text, one.text) for text in longest[one.clock_minutes])]


def _holds(text: str, moment: str) -> bool:
    """Return whether `text` contains `moment` up to a word end ("entry 1" is not in "entry 10")."""
    start = text.find(moment) if len(text) > len(moment) else -1
    after = text[start + len(moment) : start + len(moment) + 1]
    return start >= 0 and not after.isalnum()


def is_newest_first(entries: Sequence[ExtractedEntry]) -> bool:
    """Return whether most steps between entries go back in time; in a tie, whether the sum is negative."""
    steps = [_step(earlier, later) for earlier, later in pairwise(entries)]
    back, on = sum(step < 0 for step in steps), sum(step > 0 for step in steps)
    return back > on or (back == on and sum(steps) < 0)


def _step(one: ExtractedEntry, other: ExtractedEntry) -> int:
    """Return the minutes from one entry to the next; for bare clock times the shorter way round the day."""
    if one.moment is not None and other.moment is not None:
        return round((other.moment - one.moment).total_seconds() / 60)
    step = other.clock_minutes - one.clock_minutes
    if step > _DAY // 2:
        return step - _DAY
    return step + _DAY if step < -_DAY // 2 else step


# --- days --------------------------------------------------------------------------------------------------


def _days(
    entries: Sequence[ExtractedEntry], times: ArticleTimes, tuning: ExtractTuning
) -> tuple[list[int], list[bool]]:
    """Return the day number of each entry in the order of time, and whether it is a date's ordinal."""
    stated = [_stated(one, times, times.reference) for one in entries]
    known = next((dt.date.fromordinal(day[0]) for day in stated if day is not None and day[1]), None)
    if times.reference is None and known is not None:  # "8 December" is near "9 December 2025"
        stated = [_stated(one, times, known) for one in entries]
    numbers = _counted(entries, stated, tuning)
    if any(day is not None and day[1] for day in stated):
        return numbers, [True] * len(entries)
    last = None if any(stated) else _last_day(entries, numbers, times, tuning)
    if last is None:
        return numbers, [False] * len(entries)
    offset = last.toordinal() - max(numbers)
    return [number + offset for number in numbers], [True] * len(entries)


def _counted(
    entries: Sequence[ExtractedEntry], stated: Sequence[tuple[int, bool] | None], tuning: ExtractTuning
) -> list[int]:
    """Count days from clock time to clock time, and correct the count at every stated day."""
    numbers: list[int] = []
    is_anchored = False
    for place, one in enumerate(entries):
        number = numbers[-1] if numbers else 0
        if place:
            step = one.clock_minutes - entries[place - 1].clock_minutes
            if step < -tuning.midnight_step_minutes:
                number += 1
            elif step > _DAY - tuning.live_margin_minutes:
                number -= 1  # two entries swapped at midnight
        day = stated[place]
        if day is not None:
            if not is_anchored:  # earlier entries are counted back from the first stated day
                numbers = [earlier + day[0] - number for earlier in numbers]
                is_anchored = True
            number = day[0]
        numbers.append(number)
    return numbers


def _stated(one: ExtractedEntry, times: ArticleTimes, reference: dt.date | None) -> tuple[int, bool] | None:
    """Return the ordinal of the day stated for an entry, and whether its year is known."""
    if one.moment is not None:
        zone = times.tz if times.zone else one.moment.tzinfo or dt.UTC
        return one.moment.astimezone(zone).date().toordinal(), True
    if one.day is None or one.day.month is None or one.day.day is None:
        return None
    return _dated(one.day, one.day.month, one.day.day, reference)


def _dated(stated: StatedDay, month: int, day: int, reference: dt.date | None) -> tuple[int, bool] | None:
    """Return a day in its stated year, else in the year that is nearest to the reference."""
    if stated.year is not None:
        return _ordinal(stated.year, month, day, real=True)
    if reference is None:
        return _ordinal(_UNDATED_YEAR, month, day, real=False)
    years = (reference.year, reference.year - 1, reference.year + 1)
    ordinals = [ordinal for year in years if (ordinal := _ordinal(year, month, day, real=True))]
    return min(ordinals, key=lambda ordinal: abs(ordinal[0] - reference.toordinal()), default=None)


def _ordinal(year: int, month: int, day: int, *, real: bool) -> tuple[int, bool] | None:
    try:
        return dt.date(year, month, day).toordinal(), real
    except ValueError:
        return None  # 29 February of another year


def _last_day(
    entries: Sequence[ExtractedEntry], numbers: Sequence[int], times: ArticleTimes, tuning: ExtractTuning
) -> dt.date | None:
    """Return the day of the newest entry, derived from the article's minutes of publication and change.

    A live blog is published when it begins or ends: its entries are nearest to that minute. Return None if
    two days are about equally near.
    """
    published = times.published
    if published is None or published.precision != "minute":
        return None
    minutes = [number * _DAY + one.clock_minutes for number, one in zip(numbers, entries, strict=True)]
    length = max(minutes) - min(minutes)
    newest = max(minutes) - max(numbers) * _DAY
    published_day = published.time.astimezone(times.tz).date()
    ways: list[tuple[float, dt.date]] = []
    for offset in (0, -1, 1):
        day = published_day + dt.timedelta(days=offset)
        end = dt.datetime.combine(day, dt.time(), times.tz) + dt.timedelta(minutes=newest)
        if times.seen is not None and end > times.seen + dt.timedelta(minutes=_HOUR):
            continue  # an hour of tolerance for wrong clocks and zones
        ways.append((_distance(end - dt.timedelta(minutes=length), end, published.time, times.modified), day))
    ways.sort(key=lambda way: way[0])
    if not ways or (len(ways) > 1 and ways[1][0] - ways[0][0] < tuning.live_margin_minutes):
        return None
    return ways[0][1] if ways[0][0] <= _DAY // 2 else None


def _distance(
    begin: dt.datetime, end: dt.datetime, published: dt.datetime, modified: dt.datetime | None
) -> float:
    """Return the distance in minutes between these entries and the article's own times."""
    outside = max(begin - published, published - end, dt.timedelta(0))
    late = abs(end - modified) if modified is not None else dt.timedelta(0)
    return (outside + late).total_seconds() / 60


# --- entries -----------------------------------------------------------------------------------------------


def _entry(one: ExtractedEntry, day: dt.date | None, times: ArticleTimes) -> TimedEntry:
    time = one.moment.astimezone(dt.UTC) if one.moment is not None else _time(one, day, times)
    return TimedEntry(clock_minutes=one.clock_minutes, text=one.text, day=day, time=time)


def _time(one: ExtractedEntry, day: dt.date | None, times: ArticleTimes) -> dt.datetime | None:
    """Return the moment of an entry, if its day and its zone are known."""
    if day is None or not (times.zone or one.is_utc):
        return None
    tz = dt.UTC if one.is_utc else times.tz
    midnight = dt.datetime.combine(day, dt.time(), tz)
    return (midnight.replace(hour=one.clock_minutes // _HOUR, minute=one.clock_minutes % _HOUR)).astimezone(
        dt.UTC
    )
