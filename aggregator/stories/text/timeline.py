"""The timeline of a story: publications, timed entries of live blogs, and days named in sentences.

A day is declared, resolved against a declared one, or marked as inferred from another dated report of the
story. Items without a day are at the end, in their own order. The time of fetching is never shown.
"""

import datetime as dt
import re
from collections.abc import Sequence

import msgspec

from aggregator.extract.sentences import paragraphs, split_sentences
from aggregator.model.core import ArticleView, CopyTrail, Reprint, TimedEntry, TimelineItem
from aggregator.stories.facts.facts import SentenceSimilarities
from aggregator.stories.facts.quotations import QUOTED_SHARE, quoted_share
from aggregator.stories.facts.source_sentences import CLOCK, Sentence, SourceReport
from aggregator.stories.facts.standalone_sentences import shows_alone, standalone, without_dateline
from aggregator.stories.lexicon import clean_title
from aggregator.stories.tuning import StoryTuning

UTC = dt.UTC
STATED_WORDS_MAX = 60  # longer sentences often contain dates of other events
LEFT_OUT_FIRST = ("told", "live", "published")  # of too many items; of each kind the oldest first


def timeline(
    reports: Sequence[SourceReport],
    tuning: StoryTuning,
    trails: Sequence[CopyTrail] = (),
    similarities: SentenceSimilarities | None = None,
) -> tuple[TimelineItem, ...]:
    """Return at most `timeline_cap` items: those with a day in order (without a time first), then the others.

    If there are too many, days named in sentences are left out before entries of live blogs, and these before
    publications; of each kind the oldest first. Reprints in `trails` are listed with their publication. What
    several sentences of `similarities` tell of one day is one item.
    """
    span = _dated_span(reports, tuning)
    reprints = {trail.article: trail.reprints for trail in trails}
    items: list[TimelineItem] = []
    for report in reports:
        items.append(_publication(report.article, reprints.get(report.article.id, ()), tuning))
        items += _live(report.article)
    items += _stated_events(reports, span, tuning, similarities)
    ordered = sorted(items, key=_moment)  # stable
    places = sorted(
        range(len(ordered)), key=lambda place: (-LEFT_OUT_FIRST.index(ordered[place].kind), -place)
    )
    return tuple(ordered[place] for place in sorted(places[: tuning.timeline_cap]))


def _moment(item: TimelineItem) -> tuple[int, dt.date, int]:
    if item.day is None:
        return 1, dt.date.max, 0 if item.kind == "published" else 1
    return 0, item.day, -1 if item.clock_minutes is None else item.clock_minutes


def _publication(article: ArticleView, reprints: Sequence[Reprint], tuning: StoryTuning) -> TimelineItem:
    text = clean_title(article)
    copies = tuple(reprints[: tuning.timeline_copies])
    if article.published is None:
        return TimelineItem(
            kind="published",
            text=text,
            article=article.id,
            outlet=article.outlet,
            precision="day",
            copies=copies,
            copy_count=len(reprints),
        )
    published = article.published.astimezone(UTC)
    exact = article.published_precision != "day"
    return TimelineItem(
        kind="published",
        text=text,
        article=article.id,
        outlet=article.outlet,
        time=published if exact else None,
        day=published.date(),
        clock_minutes=published.hour * 60 + published.minute if exact else None,
        precision="minute" if exact else "day",
        copies=copies,
        copy_count=len(reprints),
    )


def _live(article: ArticleView) -> list[TimelineItem]:
    return [_entry(article, entry) for entry in article.timed if entry.text.strip()]


def _entry(article: ArticleView, entry: TimedEntry) -> TimelineItem:
    """Return the item of an entry; a clock time without a zone is not converted."""
    time = entry.time.astimezone(UTC) if entry.time is not None else None
    if time is None and entry.day is not None:
        midnight = dt.datetime.combine(entry.day, dt.time(), UTC)
        time = midnight + dt.timedelta(minutes=entry.clock_minutes)
    return TimelineItem(
        kind="live",
        text=_first_sentence(entry.text),
        article=article.id,
        outlet=article.outlet,
        time=time,
        day=time.date() if time is not None else None,
        clock_minutes=entry.clock_minutes if time is None else time.hour * 60 + time.minute,
    )


def _first_sentence(text: str) -> str:
    for paragraph in paragraphs(text):
        for sentence in split_sentences(CLOCK.sub("", paragraph)):
            return without_dateline(sentence)
    return text.strip()


def _stated_events(
    reports: Sequence[SourceReport],
    span: tuple[dt.date, dt.date] | None,
    tuning: StoryTuning,
    similarities: SentenceSimilarities | None,
) -> list[TimelineItem]:
    """Return the days named in sentences, those that tell one event of a day as one item.

    Of a day at most `timeline_day_cap`: those of most outlets, then the shortest, which tell little else.
    """
    index_of = {
        (each.sentence.report, each.sentence.position): index
        for index, each in enumerate(similarities.features if similarities else ())
    }
    groups: list[list[tuple[int, TimelineItem]]] = []
    for report in reports:
        for sentence in report.sentences:
            item = _stated_day(report, sentence, span, tuning)
            if item is None:
                continue
            index = index_of.get((sentence.report, sentence.position), -1)
            same = next((g for g in groups if _is_same_event(g, index, item, similarities, tuning)), None)
            groups.append([(index, item)]) if same is None else same.append((index, item))
    by_day: dict[dt.date | None, list[TimelineItem]] = {}
    for group in groups:
        event = _event([item for _, item in group])
        by_day.setdefault(event.day, []).append(event)
    return [
        event
        for events in by_day.values()
        for event in sorted(events, key=lambda one: (-len(one.also), len(one.text)))[
            : tuning.timeline_day_cap
        ]
    ]


def _is_same_event(
    group: Sequence[tuple[int, TimelineItem]],
    index: int,
    item: TimelineItem,
    similarities: SentenceSimilarities | None,
    tuning: StoryTuning,
) -> bool:
    if similarities is None or group[0][1].day != item.day:
        return False
    return any(similarities.of(index, other) >= tuning.timeline_same_from for other, _ in group)


def _event(same: Sequence[TimelineItem]) -> TimelineItem:
    """Return the shortest of sentences that tell one event, with the articles of the others."""
    shown = min(same, key=lambda item: (item.day_inferred, len(item.text)))
    also = dict.fromkeys(item.article for item in same if item.article != shown.article)
    return msgspec.structs.replace(shown, also=tuple(also))


def _stated_day(
    report: SourceReport, sentence: Sentence, span: tuple[dt.date, dt.date] | None, tuning: StoryTuning
) -> TimelineItem | None:
    """Return the item of a sentence that names exactly one day other than that of publication."""
    article = report.article
    if article.language not in (None, "en") or len(sentence.text.split()) > STATED_WORDS_MAX:
        return None
    if standalone(sentence.text) < tuning.show_from or not shows_alone(sentence.text):
        return None
    if COMMENT.search(sentence.text) or quoted_share(sentence.text) >= QUOTED_SHARE:
        return None
    published = article.published.astimezone(UTC).date() if article.published else None
    if published is not None:
        days = days_stated(sentence.text, published, tuning)
    elif span is not None:
        days = days_inferred(sentence.text, *span, tuning)
    else:
        return None
    if len(days) != 1 or days[0] == published:
        return None
    return TimelineItem(
        kind="told",
        text=sentence.text,
        article=article.id,
        outlet=article.outlet,
        day=days[0],
        precision="day",
        day_inferred=published is None,
    )


def _dated_span(reports: Sequence[SourceReport], tuning: StoryTuning) -> tuple[dt.date, dt.date] | None:
    """Return the first and last day of the dated reports, if close enough to date the others."""
    days = sorted(r.article.published.astimezone(UTC).date() for r in reports if r.article.published)
    if not days or (days[-1] - days[0]).days > tuning.reference_span_days:
        return None
    return days[0], days[-1]


# --- days named in a sentence, resolved against a known date; English only ---------------------------------

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
          "november", "december")  # fmt: skip
_DAY_NAMES = "|".join(day.title() for day in WEEKDAYS)
WEEKDAY = re.compile(
    r"(?<!Super\s)(?<!Black\s)(?<!Good\s)\b(?:(?P<how>[Ll]ast|[Nn]ext|[Tt]his|until|till|by)\s+)?(?P<day>"
    + _DAY_NAMES
    + r")\b(?![’']s\b)"
)
WEEKDAY_BEFORE = re.compile(rf"\b(?P<day>{_DAY_NAMES}),?\s+$")
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
# The day of a statement or caption, not of an event: "said on Friday", "in a tweet Friday", "updated on".
COMMENT = re.compile(
    r"\b(?:said|says|told|tweet(?:s|ed)?|wrote|writes|called|argued|insisted|warned|responded|replied|criticized"
    r"|criticised|praised|asked|added|statement|interview|updated|spoke|blamed|dismissed|defended|explained|acknowledged)\b"
    rf"[^,;“”\"]{{0,30}}\b(?:{_DAY_NAMES}|(?:{_MONTH_NAMES})\.?\s\d)"
    rf"|\b(?:{_DAY_NAMES})\b[^,;“”\"]{{0,12}}"
    r"\b(?:said|told|tweeted|wrote|argued|insisted)\b"
    r"|^On\s[A-Z][^,]{2,20},\s[^,;“”\"]{1,80}?\b(?:said|told|tweeted|wrote|argued|insisted|asked|called)\b"
    r"|,\s[A-Z][a-z]{2,8}\.?\s\d{1,2},\s\d{4}\.$|^Updated\b|\b(?:photo|picture)\b|\bto\scomment\b"
)
FUTURE = re.compile(
    r"\b(?:will|would|to|expected|scheduled|slated|set(?!\s+(?:off|out|up))|before|next|final|due|plans?|planned)\b",
    re.IGNORECASE,
)
# Verbs of the future: they decide over other verbs if they are nearer to the day.
FUTURE_CUE = re.compile(
    r"\b(?:will|would|shall|expected|scheduled|slated|due|planned|to\s+be|as\s+(?:early|soon)\s+as|not\s+before|(?:at\s+the\s+)?earliest)\b",
    re.IGNORECASE,
)
FUTURE_PARTICIPLE = re.compile(r"(?<=\bbe )\w+")  # "would be raised", "will be sent": not past
FUTURE_AFTER = re.compile(
    r"^[^,.;]{0,20}?\b(?:at the (?:earliest|latest)|or later|onwards?)\b", re.IGNORECASE
)
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
        _weekday(match, sentence, published, tuning)
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
    ahead = (WEEKDAYS.index(match["day"].lower()) - reference.weekday()) % 7
    return _shifted(reference, ahead if ahead <= 3 else ahead - 7)


def _weekday(match: re.Match[str], sentence: str, published: dt.date, tuning: StoryTuning) -> dt.date | None:
    back = (published.weekday() - WEEKDAYS.index(match["day"].lower())) % 7
    return _shifted(published, _days_away(match, sentence, back, tuning))


def _days_away(match: re.Match[str], sentence: str, back: int, tuning: StoryTuning) -> int:
    """Return days from the day of publication to the weekday; `back` is days since its last occurrence."""
    how, before = (match["how"] or "").lower(), sentence[max(0, match.start() - CUE_REACH) : match.start()]
    previous, following = -(back or 7), (7 - back)
    if how == "last":
        return previous
    if how in ("next", "until", "till", "by"):
        return following
    if before.lower().endswith("as of "):
        return previous if back else 0
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
    """Whether the last verb before the day is in the future: "said that he would come on Friday"."""
    text = FUTURE_PARTICIPLE.sub("", before)
    future_ends = [cue.end() for cue in FUTURE_CUE.finditer(text)]
    past = [cue.end() for cue in PAST.finditer(text) if not FUTURE_CUE.fullmatch(cue.group())]
    return bool(future_ends) and future_ends[-1] > max(past, default=0)


def _dated(match: re.Match[str], sentence: str, reference: dt.date, tuning: StoryTuning) -> dt.date | None:
    """Resolve a date; without a year to the nearest one, with a weekday before it to one with that weekday.

    Far ahead of a verb in the past it is of last year, or None without "on".
    """
    name = (match["month"] or match["month2"]).lower()[:3]
    month = [m[:3] for m in MONTHS].index(name) + 1
    day = int(match["d"] or match["d2"])
    if match["year"]:
        return _date(int(match["year"]), month, day)
    if ELSEWHERE.match(sentence[match.end() :]):
        return None  # relative to a year in another sentence
    candidates = [_date(reference.year + offset, month, day) for offset in (1, 0, -1)]
    beside = WEEKDAY_BEFORE.search(sentence[: match.start()])
    if beside is not None:
        weekday = WEEKDAYS.index(beside["day"].lower())
        candidates = [each for each in candidates if each and each.weekday() == weekday]
    known = [day for day in candidates if day]
    before = sentence[: match.start()]
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
