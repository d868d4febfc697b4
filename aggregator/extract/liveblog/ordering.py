"""The entries of a live blog in the order of their time, with the day of each where it can be known.

Clocks alone say less than a time. Which way the page runs is told by the majority of its steps (a clock that
jumps by more than half a day went over midnight the other way); against that direction a small step is two
entries swapped, a large one is midnight. Days come from headings, or from the article's own minute.
"""

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from aggregator.extract.language.dates import zone_or_utc
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.liveblog.clock_times import StatedDay
from aggregator.model.core import Published, TimedEntry

_DAY = 1440  # minutes
_HOUR = 60
_COMPARED = 50  # entries of one clock, the longest, that a line may say again: a page may have thousands
_UNDATED_YEAR = 2000  # stands in where no year is known: for the order only


class ExtractedEntry(NamedTuple):
    """An entry as the page has it. `moment`: aware, where the page itself tells more than a clock."""

    clock_minutes: int
    text: str = ""
    day: StatedDay | None = None
    moment: dt.datetime | None = None
    is_utc: bool = False  # the clock is marked so


class ArticleTimes(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the article. Nothing in it is later than `seen`; `zone` is that of its clocks."""

    published: Published | None = None
    modified: dt.datetime | None = None
    seen: dt.datetime | None = None
    zone: str | None = None

    @property
    def tz(self) -> dt.tzinfo:
        """The zone of the clocks, UTC where it is not known."""
        return zone_or_utc(self.zone)

    def before(self, minutes: int) -> dt.datetime | None:
        """The moment so long before the page was last changed; None where that is not known."""
        if self.modified is None:
            return None
        return (self.modified - dt.timedelta(minutes=minutes)).astimezone(self.tz)

    @property
    def reference(self) -> dt.date | None:
        """The local day against which "Sunday" or "8 December" are understood."""
        time = self.modified or (self.published.time if self.published else None)
        return time.astimezone(self.tz).date() if time else None


def timed(
    found: Sequence[ExtractedEntry], known: ArticleTimes, tuning: ExtractTuning
) -> tuple[TimedEntry, ...]:
    """The entries, oldest first; equal times keep their order in time."""
    found = _once(found)
    ordered = list(reversed(found)) if is_newest_first(found) else list(found)
    days, is_dated = _days(ordered, known, tuning)
    places = sorted(range(len(ordered)), key=lambda i: (days[i], ordered[i].clock_minutes, i))
    return tuple(
        _entry(ordered[i], dt.date.fromordinal(days[i]) if is_dated[i] else None, known) for i in places
    )


def _once(found: Sequence[ExtractedEntry]) -> list[ExtractedEntry]:
    """Without the lines of a list of key moments, which say again what an entry of the same clock says."""
    by_clock: dict[int, set[str]] = {}
    for one in found:
        by_clock.setdefault(one.clock_minutes, set()).add(one.text)
    longest = {
        clock: sorted(texts, key=lambda text: (-len(text), text))[:_COMPARED]
        for clock, texts in by_clock.items()
    }
    return [one for one in found if not any(_holds(text, one.text) for text in longest[one.clock_minutes])]


def _holds(text: str, moment: str) -> bool:
    """Whether `moment` is a part of `text` that ends where a word ends ("entry 1" is none of "entry 10")."""
    start = text.find(moment) if len(text) > len(moment) else -1
    after = text[start + len(moment) : start + len(moment) + 1]
    return start >= 0 and not after.isalnum()


def is_newest_first(found: Sequence[ExtractedEntry]) -> bool:
    """Whether most steps from one entry to the next go back in time; of as many, whether they go farther."""
    steps = [_step(earlier, later) for earlier, later in pairwise(found)]
    back, on = sum(step < 0 for step in steps), sum(step > 0 for step in steps)
    return back > on or (back == on and sum(steps) < 0)


def _step(one: ExtractedEntry, other: ExtractedEntry) -> int:
    """Minutes from one entry to the next on the page; between bare clocks the shorter way round the day."""
    if one.moment is not None and other.moment is not None:
        return round((other.moment - one.moment).total_seconds() / 60)
    step = other.clock_minutes - one.clock_minutes
    if one.day is not None and other.day is not None and one.day != other.day:
        apart = _apart(one.day, other.day)
        if apart:
            return apart * _DAY + step
    if step > _DAY // 2:
        return step - _DAY
    return step + _DAY if step < -_DAY // 2 else step


def _apart(one: StatedDay, other: StatedDay) -> int:
    """Days from one stated day to another, as far as they can be compared; 0: they cannot."""
    if one.month and one.day and other.month and other.day:
        year = one.year or other.year or _UNDATED_YEAR
        days = dt.date(other.year or year, other.month, other.day) - dt.date(
            one.year or year, one.month, one.day
        )
        if abs(days.days) > 180 and not (one.year and other.year):  # over New Year
            return days.days + (365 if days.days < 0 else -365)
        return days.days
    if one.weekday is not None and other.weekday is not None:
        return (other.weekday - one.weekday + 3) % 7 - 3
    if one.ago is not None and other.ago is not None:
        return one.ago - other.ago
    return 0


# --- days --------------------------------------------------------------------------------------------------


def _days(
    found: Sequence[ExtractedEntry], known: ArticleTimes, tuning: ExtractTuning
) -> tuple[list[int], list[bool]]:
    """For entries in the order of time: a number for the day of each, and whether it is the ordinal."""
    stated = [_stated(one, known) for one in found]
    numbers = _counted(found, stated, tuning)
    if any(day is not None and day[1] for day in stated):
        return numbers, [True] * len(found)
    last = None if any(stated) else _last_day(found, numbers, known, tuning)
    if last is None:
        return numbers, [False] * len(found)
    offset = last.toordinal() - max(numbers)
    return [number + offset for number in numbers], [True] * len(found)


def _counted(
    found: Sequence[ExtractedEntry], stated: Sequence[tuple[int, bool] | None], tuning: ExtractTuning
) -> list[int]:
    """Days counted on from clock to clock, and set right wherever one is stated."""
    numbers: list[int] = []
    is_anchored = False
    for place, one in enumerate(found):
        number = numbers[-1] if numbers else 0
        if place:
            step = one.clock_minutes - found[place - 1].clock_minutes
            if step < -tuning.midnight_step_minutes:
                number += 1
            elif step > _DAY - tuning.live_swap_minutes:
                number -= 1  # two entries swapped at midnight
        day = stated[place]
        if day is not None:
            if not is_anchored:  # what came before counts back from the first day that is stated
                numbers = [earlier + day[0] - number for earlier in numbers]
                is_anchored = True
            number = day[0]
        numbers.append(number)
    return numbers


def _stated(one: ExtractedEntry, known: ArticleTimes) -> tuple[int, bool] | None:
    """The ordinal of the day that is stated for an entry, and whether its year is known too."""
    if one.moment is not None:
        return one.moment.astimezone(_zone_of(one.moment, known)).date().toordinal(), True
    if one.day is None:
        return None
    if one.day.month is not None and one.day.day is not None:
        return _dated(one.day, one.day.month, one.day.day, known.reference)
    if known.reference is None:
        return None
    return _relative_day(one.day, known.reference, known), True


def _dated(stated: StatedDay, month: int, day: int, reference: dt.date | None) -> tuple[int, bool] | None:
    """A day of the year stated, else of the one that puts it nearest to the reference."""
    if stated.year is not None:
        return _ordinal(stated.year, month, day, real=True)
    if reference is None:
        return _ordinal(_UNDATED_YEAR, month, day, real=False)
    years = (reference.year, reference.year - 1, reference.year + 1)
    found = [made for year in years if (made := _ordinal(year, month, day, real=True))]
    return min(found, key=lambda made: abs(made[0] - reference.toordinal()), default=None)


def _relative_day(stated: StatedDay, reference: dt.date, known: ArticleTimes) -> int:
    """The ordinal of "yesterday" or "Sunday", in the days up to the last change of the page.

    Where only its first minute is known, the next day may be meant too.
    """
    if stated.weekday is None:
        return reference.toordinal() - (stated.ago or 0)
    ahead = (stated.weekday - reference.weekday()) % 7
    is_ahead = ahead == 0 or (ahead == 1 and known.modified is None)
    return reference.toordinal() + (ahead if is_ahead else ahead - 7)


def _ordinal(year: int, month: int, day: int, *, real: bool) -> tuple[int, bool] | None:
    try:
        return dt.date(year, month, day).toordinal(), real
    except ValueError:
        return None  # 29 February of another year


def _last_day(
    found: Sequence[ExtractedEntry], numbers: Sequence[int], known: ArticleTimes, tuning: ExtractTuning
) -> dt.date | None:
    """The day of the newest entry, from the minutes at which the article was published and changed.

    A live blog is published when it begins or when it ends: its entries lie nearest to that minute. Nothing
    where two days are about as near.
    """
    published = known.published
    if published is None or published.precision != "minute":
        return None
    minutes = [number * _DAY + one.clock_minutes for number, one in zip(numbers, found, strict=True)]
    length = max(minutes) - min(minutes)
    newest = max(minutes) - max(numbers) * _DAY
    published_day = published.time.astimezone(known.tz).date()
    ways: list[tuple[float, dt.date]] = []
    for offset in (0, -1, 1):
        day = published_day + dt.timedelta(days=offset)
        end = dt.datetime.combine(day, dt.time(), known.tz) + dt.timedelta(minutes=newest)
        if known.seen is not None and end > known.seen + dt.timedelta(minutes=_HOUR):
            continue  # an hour: clocks and zones are not that sure
        ways.append((_distance(end - dt.timedelta(minutes=length), end, published.time, known.modified), day))
    ways.sort(key=lambda way: way[0])
    if not ways or (len(ways) > 1 and ways[1][0] - ways[0][0] < tuning.live_day_margin_minutes):
        return None
    return ways[0][1] if ways[0][0] <= _DAY // 2 else None


def _distance(
    begin: dt.datetime, end: dt.datetime, published: dt.datetime, modified: dt.datetime | None
) -> float:
    """How far, in minutes, these entries lie from the minutes that the article itself tells."""
    outside = max(begin - published, published - end, dt.timedelta(0))
    late = abs(end - modified) if modified is not None else dt.timedelta(0)
    return (outside + late).total_seconds() / 60


# --- entries -----------------------------------------------------------------------------------------------


def _zone_of(moment: dt.datetime, known: ArticleTimes) -> dt.tzinfo:
    return known.tz if known.zone else moment.tzinfo or dt.UTC


def _entry(one: ExtractedEntry, day: dt.date | None, known: ArticleTimes) -> TimedEntry:
    time = one.moment.astimezone(dt.UTC) if one.moment is not None else _time(one, day, known)
    return TimedEntry(clock_minutes=one.clock_minutes, text=one.text, day=day, time=time)


def _time(one: ExtractedEntry, day: dt.date | None, known: ArticleTimes) -> dt.datetime | None:
    """The moment of an entry, where both its day and its zone are known."""
    if day is None or not (known.zone or one.is_utc):
        return None
    tz = dt.UTC if one.is_utc else known.tz
    midnight = dt.datetime.combine(day, dt.time(), tz)
    return (midnight.replace(hour=one.clock_minutes // _HOUR, minute=one.clock_minutes % _HOUR)).astimezone(
        dt.UTC
    )
