"""The timeline of a story: publications, and days named in sentences.

A day is declared, resolved against a declared one, or marked as inferred from another dated report of the
story. Items without a day are at the end, in their own order. The time of fetching is never shown.
"""

import datetime as dt
import re
from collections.abc import Sequence

import msgspec

from aggregator.model.core import ArticleView, CopyTrail, Reprint, TimelineItem
from aggregator.stories.facts.facts import SentenceSimilarities
from aggregator.stories.facts.quotations import QUOTED_SHARE, quoted_share
from aggregator.stories.facts.source_sentences import Sentence, SourceReport
from aggregator.stories.facts.standalone_sentences import shows_alone
from aggregator.stories.facts.stated_days import DAY_NAMES, MONTH_NAMES, days_inferred, days_stated
from aggregator.stories.lexicon import clean_title
from aggregator.stories.tuning import StoryTuning

UTC = dt.UTC
MAY_STATE_DAY = re.compile(r"\d|day\b")  # as each date and each weekday has
STATED_WORDS_MAX = 60  # longer sentences often contain dates of other events
# The day of a statement or caption, not of an event: "said on Friday", "in a tweet Friday", "updated on".
COMMENT = re.compile(
    r"\b(?:said|says|told|tweet(?:s|ed)?|wrote|writes|called|argued|insisted|warned|responded|replied|criticized"
    r"|criticised|praised|asked|added|statement|interview|updated|spoke|blamed|dismissed|defended|explained|acknowledged)\b"
    rf"[^,;“”\"]{{0,30}}\b(?:{DAY_NAMES}|(?:{MONTH_NAMES})\.?\s\d)"
    rf"|\b(?:{DAY_NAMES})\b[^,;“”\"]{{0,12}}"
    r"\b(?:said|told|tweeted|wrote|argued|insisted)\b"
    r"|^On\s[A-Z][^,]{2,20},\s[^,;“”\"]{1,80}?\b(?:said|told|tweeted|wrote|argued|insisted|asked|called)\b"
    r"|,\s[A-Z][a-z]{2,8}\.?\s\d{1,2},\s\d{4}\.$|^Updated\b|\b(?:photo|picture)\b|\bto\scomment\b"
)
LEFT_OUT_FIRST = ("told", "published")  # of too many items; of each kind the oldest first


def timeline(
    reports: Sequence[SourceReport],
    similarities: SentenceSimilarities,
    trails: Sequence[CopyTrail],
    tuning: StoryTuning,
) -> tuple[TimelineItem, ...]:
    """Return at most `timeline_cap` items: those with a day in order (without a time first), then the others.

    If there are too many, days named in sentences are left out before publications; of each kind the oldest
    first. Reprints in `trails` are listed with their publication. What
    several sentences of `similarities` tell of one day is one item.
    """
    reprints = {trail.article: trail.reprints for trail in trails}
    articles = [report.article for report in reports]
    items = [_publication(one, reprints.get(one.id, ()), tuning) for one in articles]
    items += _stated_events(reports, similarities, tuning)
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
    published = None if article.published is None else article.published.astimezone(UTC)
    time = None if article.published_precision == "day" else published
    return TimelineItem(
        kind="published",
        text=clean_title(article) or article.title,
        article=article.id,
        outlet=article.outlet,
        time=time,
        day=None if published is None else published.date(),
        clock_minutes=None if time is None else time.hour * 60 + time.minute,
        precision="day" if time is None else "minute",
        copies=tuple(reprints[: tuning.reports_cap]),
        copy_count=len(reprints),
    )


def _stated_events(
    reports: Sequence[SourceReport], similarities: SentenceSimilarities, tuning: StoryTuning
) -> list[TimelineItem]:
    """Return the days named in sentences, those that tell one event of a day as one item.

    Of a day at most `timeline_day_cap`: those of most outlets, then the shortest, which tell little else.
    """
    # The first and last day of the dated reports, which date the others.
    days = sorted(r.article.published.astimezone(UTC).date() for r in reports if r.article.published)
    span = (days[0], days[-1]) if days else None
    by_day: dict[dt.date | None, list[dict[int, TimelineItem]]] = {}
    for index, features in enumerate(similarities.features):
        item = _stated_day(reports[features.sentence.report].article, features.sentence, span, tuning)
        if item is None:
            continue
        of_day = by_day.setdefault(item.day, [])
        for group in of_day:
            if any(similarities.of(index, other) >= tuning.near_from for other in group):
                group[index] = item
                break
        else:
            of_day.append({index: item})
    return [
        event
        for of_day in by_day.values()
        for event in sorted(
            (_event([*group.values()]) for group in of_day), key=lambda one: (-len(one.also), len(one.text))
        )[: tuning.timeline_day_cap]
    ]


def _event(same: Sequence[TimelineItem]) -> TimelineItem:
    """Return the shortest of sentences that tell one event, with the articles of the others."""
    shown = min(same, key=lambda item: (item.day_inferred, len(item.text)))
    also = dict.fromkeys(item.article for item in same if item.article != shown.article)
    return msgspec.structs.replace(shown, also=tuple(also))


def _stated_day(
    article: ArticleView, sentence: Sentence, span: tuple[dt.date, dt.date] | None, tuning: StoryTuning
) -> TimelineItem | None:
    """Return the item of a sentence that names exactly one day other than that of publication."""
    if article.language not in (None, "en") or not MAY_STATE_DAY.search(sentence.text):
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
    is_long = len(sentence.text.split()) > STATED_WORDS_MAX
    if is_long or not shows_alone(sentence.text):
        return None
    if COMMENT.search(sentence.text) or quoted_share(sentence.text) >= QUOTED_SHARE:
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
