"""Live blogs: which texts are one, and their entries in the order of their time.

A page shows its entries newest first or oldest first, sometimes with two swapped, and a long one runs over
midnight. The clocks, and day headings where there are any, tell which: see
`aggregator.extract.liveblog.ordering`.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from aggregator.extract.limits import ExtractTuning
from aggregator.extract.lines import count_words, ends_sentence
from aggregator.extract.liveblog import clock_times
from aggregator.extract.liveblog.ordering import ArticleTimes, ExtractedEntry, is_newest_first, timed
from aggregator.model.core import Published, TimedEntry

_LIVE_CUES = re.compile(
    r"\b(?:live[- ]?blog|live[- ]?updates?|live[- ]?ticker|newsblog|news blog|live coverage|live feed|"
    r"as it happened|as it happens|minute by minute|live reporting|live news|"
    r"en direct|en continu|en vivo|última hora|minuto a minuto|minute par minute|minuto per minuto|"
    r"in diretta|la diretta|ao vivo|im ticker|im newsticker|nachrichtenblog|"
    r"relacja na żywo|na żywo|canlı (?:anlatım|blog|yayın)|"
    r"(?:онлайн|прямая|текстовая)[- ]трансляция|онлайн[- ]хроника|хроника дня|наживо)\b|"
    # a hyphen inside a word is no sign: "Live-action", "Direct-to-consumer"
    r"^(?:live|liveblog|direct|directo|diretta|liveticker|ticker|al minuto|ao minuto|онлайн)"
    r"\s?(?:[:.|–]|-(?!\w))|"
    r"[–—|:-] (?:live|en direct|diretta|directo)(?:!|$|\s?(?:[:|–—]|-(?!\w)))|"
    # as a label only: in a sentence these are any broadcast, any concert, whatever is done in real time
    r"(?:^|[\[【(（|｜])\s?(?:图文|圖文|文字|现场|現場)?(?:直播|実況|실시간|라이브)\s?(?:[\]】)）:：|｜]|$)|"
    r"实时更新|實時更新|滚动更新|最新情報|ライブ(?:更新|ブログ)|"
    r"تغطية مباشرة|مباشر[:|]|لحظة بلحظة|รายงานสด|ถ่ายทอดสด",
    re.IGNORECASE,
)
_LIST_WORDS = r"(?:morning|midday|afternoon|evening|daily|nightly|weekly|weekend|news)"
_DASH = r"(?:[:|–—]|-(?!\w))"  # what stands behind a label
# A briefing is a press conference as well: as a label only. So is a newsletter without a list word.
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
    """What a text holds before, and under, its clocks."""

    intro_words: int
    found: list[ExtractedEntry]
    bodies: list[list[str]]  # the paragraphs of each


def opens_with_clock(paragraph: str) -> bool:
    """Whether `paragraph` opens like an entry of a live blog ("11.30 p.m.: ", "14.35 Uhr –", "14h05 : ")."""
    opening = clock_times.opening(paragraph)
    return opening is not None and opening.sure


def is_bare_clock(line: str) -> bool:
    """Whether the whole line is a clock without a day, as above an entry; a day would date the article."""
    opening = clock_times.opening(line)
    return opening is not None and opening.sure and opening.day is None and opening.end >= len(line)


def without_clock(paragraph: str) -> str:
    """`paragraph` without the clock it opens with."""
    opening = clock_times.opening(paragraph)
    return paragraph if opening is None or not opening.sure else paragraph[opening.end :]


@lru_cache(maxsize=16)  # asked again and again about one headline
def announces_live(title: str) -> bool:
    """Whether the headline says that it is told live."""
    return _LIVE_CUES.search(title) is not None


@lru_cache(maxsize=16)
def is_container_title(title: str) -> bool:
    """Whether the headline announces a live blog, a briefing or a round-up."""
    return announces_live(title) or _ROUND_UP_CUES.search(title) is not None


def timed_entries(
    paragraphs: Sequence[str],
    tuning: ExtractTuning,
    *,
    published: Published | None = None,
    zone: str | None = None,
) -> tuple[TimedEntry, ...]:
    """The entries of a text that is a live blog, oldest first; () when too few paragraphs open with a clock.

    A clock holds for the paragraphs after it, a day heading for the clocks after it. Other days are told only
    when the article's own minute of publication is known. Whether the text is one is `looks_live`'s question.
    """
    return entries_of(paragraphs, tuning, ArticleTimes(published=published, zone=zone), announced=False)


def entries_of(
    paragraphs: Sequence[str], tuning: ExtractTuning, known: ArticleTimes, *, announced: bool
) -> tuple[TimedEntry, ...]:
    """As `timed_entries`; where headline or page announce a live blog (`announced`) one is enough."""
    found = _read(paragraphs, tuning, known, announced=announced).found
    if len(found) < (1 if announced else tuning.live_entries):
        return ()
    return timed(found, known, tuning)


def looks_live(paragraphs: Sequence[str], tuning: ExtractTuning) -> bool:
    """Whether a text that nothing announces as a live blog is one by its build.

    Most of it stands under clocks, in sentences. A programme or timetable has lines instead, in the order of
    the day and often on round minutes; a chronology inside a report has the report around it.
    """
    text = _read(paragraphs, tuning, ArticleTimes(), announced=False)
    if len(text.found) < tuning.live_entries:
        return False
    words = [sum(map(count_words, body)) for body in text.bodies]
    whole = text.intro_words + sum(words)
    around = text.intro_words + max(0, words[-1] - max(words[:-1], default=0))
    if around > tuning.live_around_share * whole:
        return False
    told = sum(any(map(ends_sentence, body)) for body in text.bodies)
    if 2 * told < len(text.bodies):
        return False
    return is_newest_first(text.found) or not _is_schedule(text.found, words, tuning)


def _is_schedule(found: Sequence[ExtractedEntry], words: Sequence[int], tuning: ExtractTuning) -> bool:
    """Short lines in the order of the day, or on minutes as a programme has them, or with a clock inside."""
    typical = sorted(words)[len(words) // 2]
    is_round = all(one.clock_minutes % 5 == 0 for one in found)
    to_other = sum(_INNER_CLOCK.search(one.text) is not None for one in found)
    return (
        typical < tuning.live_entry_words
        or (is_round and typical < 2 * tuning.live_entry_words)
        or 2 * to_other >= len(found)
    )


_INNER_CLOCK = re.compile(r"(?<![\d.,:])(?:[01]?\d|2[0-3])(?:[:h]|\.(?=\d\d\b))[0-5]\d\b(?![.,]\d|%)")


def _read(
    paragraphs: Sequence[str], tuning: ExtractTuning, known: ArticleTimes, *, announced: bool
) -> _Entries:
    """Entries in the order of the page. Clocks without a mark count where several paragraphs have one."""
    openings = [clock_times.opening(paragraph) for paragraph in paragraphs]
    unsure = sum(one is not None and not one.sure for one in openings)
    takes_unsure = unsure >= (1 if announced else tuning.live_entries)
    intro_words = 0
    day: clock_times.StatedDay | None = None
    found: list[ExtractedEntry] = []
    bodies: list[list[str]] = []
    for paragraph, opening in zip(paragraphs, openings, strict=True):
        ago = clock_times.minutes_ago(paragraph) if opening is None else None
        at = known.before(ago) if ago is not None else None
        if opening is not None and (opening.sure or takes_unsure):
            day = opening.day or day
            found.append(
                ExtractedEntry(clock_minutes=opening.clock_minutes, day=day, is_utc=opening.zone == "utc")
            )
            bodies.append([_without_frame(paragraph[opening.end :])])
        elif at is not None:
            found.append(ExtractedEntry(clock_minutes=at.hour * 60 + at.minute, moment=at))
            bodies.append([])
        elif (heading := clock_times.day_heading(paragraph)) is not None:
            day = heading
        elif bodies:
            bodies[-1].append(paragraph)
        else:
            intro_words += count_words(paragraph)
    texts = ["\n".join(part for part in body if part) for body in bodies]
    told = [one._replace(text=text) for one, text in zip(found, texts, strict=True)]
    return _Entries(intro_words, told, bodies)


def _without_frame(text: str) -> str:
    """Without the marks that German tickers close a headline with ("+++ 9.47 Uhr: ... +++")."""
    return text.strip().rstrip("+").strip() if text.rstrip().endswith("++") else text.strip()
