"""Live blogs: detects them in text and extracts their entries in the order of time.

A page shows its entries newest first or oldest first, sometimes with two swapped, and a long one runs over
midnight. The order is derived from clock times and day headings: see `aggregator.extract.liveblog.ordering`.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from aggregator.extract.limits import ExtractTuning
from aggregator.extract.liveblog.ordering import ArticleTimes, ExtractedEntry, is_newest_first, timed
from aggregator.model.core import TimedEntry
from aggregator.text import clock_times
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
    return typical < tuning.live_entry_words * (2 if is_round else 1)


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
