"""The timeline of a story: publications, timed entries of live blogs, and days named in sentences.

A day is declared, resolved against a declared one, or marked as inferred from another dated report of the
story. Items without a day are at the end, in their own order. The time of fetching is never shown.
"""

import datetime as dt
from collections.abc import Sequence

from aggregator.extract.sentences import paragraphs, split_sentences
from aggregator.model.core import ArticleView, CopyTrail, Reprint, TimedEntry, TimelineItem
from aggregator.stories.dates import days_inferred, days_stated
from aggregator.stories.facts.source_sentences import CLOCK, Sentence, SourceReport
from aggregator.stories.facts.standalone_sentences import standalone
from aggregator.stories.lexicon import clean_title
from aggregator.stories.tuning import StoryTuning

UTC = dt.UTC
STATED_WORDS_MAX = 60  # longer sentences often contain dates of other events
LEFT_OUT_FIRST = ("told", "live", "published")  # of too many items; of each kind the oldest first


def timeline(
    reports: Sequence[SourceReport], tuning: StoryTuning, trails: Sequence[CopyTrail] = ()
) -> tuple[TimelineItem, ...]:
    """Return at most `timeline_cap` items: those with a day in order (without a time first), then the others.

    If there are too many, days named in sentences are left out before entries of live blogs, and these before
    publications; of each kind the oldest first. Reprints in `trails` are listed with their publication.
    """
    span = _dated_span(reports, tuning)
    reprints = {trail.article: trail.reprints for trail in trails}
    items: list[TimelineItem] = []
    for report in reports:
        items.append(_publication(report.article, reprints.get(report.article.id, ()), tuning))
        items += _live(report.article)
        items += [item for s in report.sentences if (item := _stated_day(report, s, span, tuning))]
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
            return sentence
    return text.strip()


def _stated_day(
    report: SourceReport, sentence: Sentence, span: tuple[dt.date, dt.date] | None, tuning: StoryTuning
) -> TimelineItem | None:
    """Return the item of a sentence that names exactly one day other than that of publication."""
    article = report.article
    if article.language not in (None, "en") or len(sentence.text.split()) > STATED_WORDS_MAX:
        return None
    if standalone(sentence.text) < tuning.show_from:
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
