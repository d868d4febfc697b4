"""Live blogs: paragraphs that open with a clock, put in the order of their time.

A page shows its entries newest first or oldest first, sometimes with two swapped, and a long one runs over
midnight. The clocks alone tell which: see `timed_entries`.
"""

import datetime as dt
import re
from collections.abc import Sequence
from itertools import pairwise

from aggregator.model import Published, TimedEntry
from aggregator.text.dates import zone_or_utc
from aggregator.text.limits import TextRules

_CLOCK = re.compile(
    r"(?P<h>[01]?\d|2[0-4])(?:\s?[:.]\s?|\s?h\s?|\sUhr\s)(?P<m>[0-5]\d)(?![\d%])\s*"
    r"(?P<half>[ap]\.?\s?m\b\.?)?\s*(?P<mark>Uhr\b|hrs?\b|GMT\b|UTC\b|CES?T\b|MES?Z\b|E[SD]T\b|[CMP][SD]T\b|"
    r"BST\b|IST\b|MSK\b|"
    r"Ortszeit\b|local time\b)?\s*(?P<sep>[:\-–—|•]|$|\n)\s*",
    re.IGNORECASE,
)
_HOUR_ONLY = re.compile(
    r"(?P<h>1[0-2]|[1-9])\s?(?P<half>[ap]\.?\s?m\b\.?)\s*(?:[A-Z]{2,4}\b)?\s*[:\-–—|•]\s*", re.IGNORECASE
)
_HEADLINE_CUES = re.compile(
    r"\b(?:live[- ]?blog|live[- ]?updates?|live[- ]?ticker|newsblog|news blog|live coverage|live feed|"
    r"as it happened|"
    r"(?:morning|evening|daily|nightly|weekly|news) (?:briefing|digest|round-?up|wrap)|at a glance|"
    r"what we know so far|"
    r"key (?:events|developments)|top (?:stories|headlines)|news in brief|newsletter|en direct|en continu|"
    r"en vivo|última hora|"
    r"minuto a minuto|in diretta|la diretta|ao vivo|minuto a minuto|im ticker|nachrichtenblog|"
    r"der tag im überblick|"
    r"nachrichten des tages|morgenbriefing|онлайн-трансляция)\b|^(?:live|liveblog|direct|directo|diretta|"
    r"liveticker|briefing)\s?[:|–-]|"
    r"\bbriefing$|[–-] live\b",
    re.IGNORECASE,
)


def opens_with_clock(paragraph: str) -> bool:
    """Whether `paragraph` opens like an entry of a live blog ("11.30 p.m.: ", "14.35 Uhr –", "14 h 05 : "
    "")."""
    return _opening_clock(paragraph) is not None


def without_clock(paragraph: str) -> str:
    """`paragraph` without the clock it opens with."""
    opening = _opening_clock(paragraph)
    return paragraph if opening is None else paragraph[opening[1] :]


def is_container_title(title: str) -> bool:
    """Whether the headline announces a live blog, a briefing or a round-up."""
    return _HEADLINE_CUES.search(title) is not None


def timed_entries(
    paragraphs: Sequence[str],
    rules: TextRules,
    *,
    published: Published | None = None,
    zone: str | None = None,
) -> tuple[TimedEntry, ...]:
    """The entries of a live blog, oldest first; () when too few paragraphs open with a clock.

    A clock holds for the paragraphs after it. Page order gives the direction (majority of steps); a step of
    many hours against it is midnight; a small one is two entries swapped and stays on its day. Days
    are told only when the article's own minute of publication is known: the newest entry is then of that day,
    or of the one before when its clock is more than an hour later. Equal clocks keep their order in time.
    """
    found: list[tuple[int, list[str]]] = []
    for paragraph in paragraphs:
        opening = _opening_clock(paragraph)
        if opening is not None:
            found.append((opening[0], [paragraph[opening[1] :].strip()]))
        elif found:
            found[-1][1].append(paragraph)
    if len(found) < rules.live_entries:
        return ()
    clocks = [clock for clock, _ in found]
    newest_first = _is_newest_first(clocks, rules.midnight_step_minutes)
    if newest_first:
        found.reverse()
        clocks.reverse()
    days = _days(clocks, rules.midnight_step_minutes)
    last_day = _last_day(clocks, days, published, zone)
    entries = sorted(zip(days, clocks, range(len(found)), strict=True))
    return tuple(
        TimedEntry(
            clock_minutes=clock,
            text="\n".join(text for text in found[number][1] if text),
            day=None if last_day is None else last_day - dt.timedelta(days=max(days) - day),
        )
        for day, clock, number in entries
    )


def _opening_clock(paragraph: str) -> tuple[int, int] | None:
    """(minutes after midnight, where the text begins)."""
    match = _CLOCK.match(paragraph[:60])
    if match is not None:
        hour, minute = int(match["h"]), int(match["m"])
    else:
        match = _HOUR_ONLY.match(paragraph[:60])
        if match is None:
            return None
        hour, minute = int(match["h"]), 0
    if match["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match["half"].lower().startswith("p") else 0)
    return hour % 24 * 60 + minute, match.end()


def _is_newest_first(clocks: Sequence[int], midnight: int) -> bool:
    steps = [later - earlier for earlier, later in pairwise(clocks)]
    down = sum(1 for step in steps if -midnight <= step < 0 or step > midnight)
    up = sum(1 for step in steps if 0 < step <= midnight or step < -midnight)
    return down > up


def _days(clocks: Sequence[int], midnight: int) -> list[int]:
    """For clocks in the order of time: 0 for the first day, 1 for the next."""
    days = [0]
    for earlier, later in pairwise(clocks):
        step = later - earlier
        days.append(days[-1] + (1 if step < -midnight else 0))
    return days


def _last_day(
    clocks: Sequence[int], days: Sequence[int], published: Published | None, zone: str | None
) -> dt.date | None:
    if published is None or published.precision != "minute":
        return None
    local = published.time.astimezone(zone_or_utc(zone))
    newest = max(clock for clock, day in zip(clocks, days, strict=True) if day == max(days))
    is_before = newest > local.hour * 60 + local.minute + 60
    return local.date() - dt.timedelta(days=1) if is_before else local.date()
