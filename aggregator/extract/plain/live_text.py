"""Finds live blogs and roundups, which the headline announces or the structure of the text shows.

A page shows its entries newest first or oldest first, and a long page may run past midnight. So each step between two
entries is taken the shorter way round the clock, and the majority of the steps gives the direction of the page.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from aggregator.extract.extract_limits import ExtractTuning
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
    # In capitals it announces a live page wherever it stands; "live" in a sentence is any other broadcast.
    r"(?-i:\bLIVE\b)(?=[!:,]| (?:results?|updates?|stream|scores?|le|il)\b)|"
    # These count only as a label, because in a sentence they mean any broadcast, concert or action in real time
    r"(?:^|[\[【(（|｜])\s?(?:图文|圖文|文字|现场|現場)?(?:直播|実況|실시간|라이브)\s?(?:[\]】)）:：|｜]|$)|"
    r"实时更新|實時更新|滚动更新|最新情報|ライブ(?:更新|ブログ)|"
    r"تغطية مباشرة|مباشر[:|]|لحظة بلحظة|รายงานสด|ถ่ายทอดสด",
    re.IGNORECASE,
)
_LIST_WORDS = r"(?:morning|midday|afternoon|evening|daily|nightly|weekly|weekend|news)"
_DASH = r"(?:[:|–—]|-(?!\w))"  # the separator after a label
# "Briefing" also means a press conference, so it counts only as a label or after one of the list words. "Newsletter"
# is treated in the same way.
_ROUND_UP_CUES = re.compile(
    rf"\b{_LIST_WORDS} (?:digest|round-?up|wrap|newsletter)\b|"
    rf"(?:^|[:|–—-] )(?:the |your |our )?{_LIST_WORDS} briefing\b|^\w+ {_LIST_WORDS} briefing$|"
    rf"\b{_LIST_WORDS} briefing\s?{_DASH}|^briefing\s?{_DASH}|"
    rf"\bnewsletter\s?(?:{_DASH}|#|\d)|[|–—-] newsletter$|"
    r"\b(?:at a glance|what we know so far|key (?:events|developments)|top (?:stories|headlines)|"
    r"news in brief|transfer round-?up|der tag im überblick|nachrichten des tages|morgenbriefing|"
    r"lage im überblick|das wichtigste des tages|l[’']essentiel de l[’']actualité|resumen del día|resumo do dia|"
    r"bollettino (?:di oggi|covid|coronavirus|(?:di |del )?\d{1,2} \w+)|(?:le )?notizie (?:di oggi|del giorno)|"
    r"главное (?:за (?:день|сутки|ночь|утро|вечер|неделю|выходные)|к (?:утру|вечеру))|итоги (?:дня|недели)|"
    r"головне за (?:день|добу|ніч|тиждень|вихідні)|підсумки (?:дня|тижня)|podsumowanie (?:dnia|tygodnia)|"
    r"(?:günün|haftanın) özeti|nieuwsoverzicht)\b|"
    # The name of the topic before it: "Coronavirus, ultime notizie", "Covid latest news: ..."
    rf"^(?!the latest)[^:|–—]{{4,40}}\b(?:latest news\s?{_DASH}|latest\s?:|(?:le )?ultime notizie\b|"
    rf"últim[ao]s not[ií]cias\b|"
    rf"dernières (?:nouvelles|informations)\b|het laatste nieuws\b|najnowsze informacje\b|последние новости\b|"
    rf"останні новини\b|neueste nachrichten\b)",
    re.IGNORECASE,
)


_DAY = 1440  # minutes


def opens_with_clock(paragraph: str) -> bool:
    """Return whether `paragraph` begins like an entry of a live blog ("11.30 p.m.: ", "14h05 : ")."""
    return clock_times.opening(paragraph) is not None


@lru_cache(maxsize=16)  # called many times for one headline
def announces_live(title: str) -> bool:
    """Return whether the headline announces live coverage."""
    return _LIVE_CUES.search(title) is not None


@lru_cache(maxsize=16)
def is_container_title(title: str) -> bool:
    """Return whether the headline announces a live blog, a briefing or a roundup."""
    return announces_live(title) or _ROUND_UP_CUES.search(title) is not None


def looks_live(paragraphs: Sequence[str], tuning: ExtractTuning) -> bool:
    """Return whether an unannounced text has the structure of a live blog.

    Most of the text of a live blog stands under clock times, in sentences. A programme or timetable has short lines
    instead, in the order of the day and often at round minutes. A chronology in a report has other text around it.
    """
    # The paragraphs before the first entry, and the clock time and the paragraphs of each entry
    intro = []
    clocks = []
    bodies: list[list[str]] = []
    for paragraph in paragraphs:
        opening = clock_times.opening(paragraph)
        if opening is not None:
            clocks.append(opening.clock_minutes)
            # An entry may end as it begins: "+++ 9.47 Uhr: ... +++"
            bodies.append([paragraph[opening.end :].rstrip("+ ")])
        elif bodies:
            bodies[-1].append(paragraph)
        else:
            intro.append(paragraph)
    if len(bodies) < tuning.live_entries:
        return False
    words_by_entry = [sum(map(count_words, body)) for body in bodies]
    intro_words = sum(map(count_words, intro))
    whole = intro_words + sum(words_by_entry)
    around = intro_words + max(0, words_by_entry[-1] - max(words_by_entry[:-1]))
    if whole - around < tuning.most_share * whole:
        return False
    bodies_with_sentence = sum(any(map(ends_sentence, body)) for body in bodies)
    if 2 * bodies_with_sentence < len(bodies):
        return False
    typical = sorted(words_by_entry)[len(words_by_entry) // 2]
    is_round = all(clock % 5 == 0 for clock in clocks)
    is_schedule = typical < tuning.stub_words * (2 if is_round else 1)
    steps = [
        (later - earlier + _DAY // 2) % _DAY - _DAY // 2
        for earlier, later in pairwise(clocks)
    ]
    back = sum(step < 0 for step in steps)
    on = sum(step > 0 for step in steps)
    is_newest_first = back > on or (back == on and sum(steps) < 0)
    return not is_schedule or is_newest_first
