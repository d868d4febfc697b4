"""The title of a story: the best title of its reports.

A title scores by what the other reports say in their titles and openings, and by what its own opening says.
A question, a label or a damaged title loses to a plain one that is nearly as good, and an older title to a
newer one: it may tell a plan that has been carried out since. The shown title stays unless another one is
clearly better; each time the reports of a story have doubled, the best one is taken. Only titles and leads
are read, because a title is chosen at every placement.
"""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from operator import attrgetter
from typing import NamedTuple

import msgspec

from aggregator.extract.kind import is_by_style
from aggregator.extract.wire.agencies import outlet_key
from aggregator.model.core import OPINION_KINDS, ArticleView
from aggregator.stories.counts import (
    COUNTED_ROLES,
    of_standing,
    originals_with_copies,
    printer_of,
    with_originals,
)
from aggregator.stories.lexicon import (
    TITLE_CHARS,
    clean_title,
    clean_title_text,
    word_list,
)
from aggregator.stories.tuning import StoryTuning, shipped_tuning
from aggregator.stories.words import dice, heads, tokens

LEAD_CHARS = 500  # two sentences of a lead, seldom more
FIRST_WORDS = 14  # of a lead, where a story has no title
# Weight of the words of a title in its own lead, beside those in other reports
OWN_LEAD = 0.25
OUTCOME = 0.25  # for a title that tells what happened
PENDING_WORDS = 3  # words before an outcome that may say that it has not happened
FEWEST_HEADS = 6  # a shorter title counts as if it had so many
CUT_CHARS = 20  # at the end of a text that are searched for:
CUT = re.compile(r"(?:\.\.\.|…)\W*$")  # the end of a text that a feed cut, "[…]" too

BY_TIME, BY_QUALITY = attrgetter("effective_at", "id"), attrgetter("quality", "title")

PREFERRED = "it is of a preferred outlet"
NEWER = "it is newer"
SHARES = "it covers more of what the reports share"
UNFIT = "the previous title was clickbait, a label or damaged"
GONE = "no report has the previous title any more"


class Headline(NamedTuple):
    """A title of the article `article` (None: first words of a lead); why it replaced another one."""

    title: str
    article: str | None = None
    reason: str | None = None  # None: there was no other title before


def headline(
    articles: Sequence[ArticleView],
    shown: str | None,
    tuning: StoryTuning | None = None,
    prefer: Sequence[str] = (),
    *,
    afresh: bool = False,
) -> Headline:
    """Return the best title of a story, without outlet names; "" only where there is neither title nor lead.

    `shown` is the present title, which stays unless another is better by a margin; `afresh`: by anything.
    `prefer` are the outlets whose titles are preferred, in this order.
    """
    tuning, articles = tuning or shipped_tuning(), with_originals(articles)
    compared = _compared(articles, shown, tuning, prefer)
    if not compared:
        title = _from_lead(articles, shown)
        return Headline(title, None, None if shown in (None, title) else GONE)
    if len(compared) == 1 and shown in (None, title := clean_title(compared[0])):
        # Nothing to compare: most stories are of one article
        return Headline(title, compared[0].id)
    scored = _scored(compared, prefer, tuning)
    preferred = min(
        scored, key=lambda candidate: (not candidate.is_fit, candidate.preference)
    )
    candidates = [
        candidate
        for candidate in scored
        if candidate.preference == preferred.preference
    ]
    best = chosen = _newer_one(max(candidates, key=BY_QUALITY), candidates, tuning)
    for candidate in candidates:
        # What its style tells from a report keeps no title by the margin.
        is_free = afresh or not _is_report(candidate.article)
        margin = 0.0 if is_free else tuning.headline_keep_margin
        if candidate.title == shown and _advantage(best, candidate, tuning) <= margin:
            chosen = candidate
            break
    reason = None
    if shown not in (None, chosen.title):
        reason = _reason(
            chosen, [candidate for candidate in scored if candidate.title == shown]
        )
    return Headline(chosen.title, chosen.article.id, reason)


def title_candidates(
    articles: Sequence[ArticleView],
    tuning: StoryTuning,
    text_of: Callable[[ArticleView], str] = clean_title,
) -> list[ArticleView]:
    """Return the articles whose titles are compared, by time: the newest ones, of reports before others.

    Of a text with versions only the current one.

    Of reports those `of_standing`; of a copy group only the original, whichever article arrived first, or a
    copy that has the whole `text_of` where the original's is cut. The lead asks for openings in this way.
    """
    articles = with_originals(articles)
    titled = [
        article for article in articles if text_of(article) and article.version is None
    ]
    reports = of_standing([article for article in titled if is_news(article, articles)])
    chosen = (
        _of_each_copy_group(articles, reports, text_of)
        or [article for article in titled if article.role in COUNTED_ROLES]
        or [article for article in titled if article.role == "container"]
        or titled
    )
    return sorted(chosen, key=BY_TIME)[-tuning.reports_cap :]


def is_news(article: ArticleView, articles: Sequence[ArticleView]) -> bool:
    """Whether the article is a report of its own or a copy of one, and no opinion or explainer.

    One that only its style tells from a report is news while it is newer than all other `articles`: the
    latest state is often reported in a looser style ("Jury ends first day without a verdict").
    """
    if not _is_by_style(article):
        return _is_report(article)
    # Often in order of time
    others = (other for other in reversed(articles) if other.id != article.id)
    return all(other.effective_at < article.effective_at for other in others)


def _is_report(article: ArticleView) -> bool:
    return article.role in COUNTED_ROLES and article.kind not in OPINION_KINDS


def _is_by_style(article: ArticleView) -> bool:
    """Whether only the style of its text makes the article an opinion or an explainer."""
    return article.role in COUNTED_ROLES and is_by_style(article.kind_evidence)


def _of_each_copy_group(
    articles: Sequence[ArticleView],
    reports: Sequence[ArticleView],
    text_of: Callable[[ArticleView], str],
) -> list[ArticleView]:
    """Return one of the `reports` for each copy group: the original, else the first whose text is whole."""
    ids = {report.id for report in reports}
    chosen: list[ArticleView] = []
    for original, copies in originals_with_copies(articles):
        group = [article for article in (original, *copies) if article.id in ids]
        whole = [
            article
            for article in group
            if not CUT.search(text_of(article)[-CUT_CHARS:])
        ]
        chosen += (whole or group)[:1]
    return chosen


# --- titles that are not taken ------------------------------------------------------------------------------


def is_fit(raw: str, title: str, language: str | None) -> bool:
    """Whether a title is no clickbait, no label and not damaged; `raw` is the title before cleaning."""
    return not (
        _pattern("clickbait", language).search(title)
        or _pattern("label", language).search(raw)
    )


@cache
def _pattern(name: str, language: str | None) -> re.Pattern[str]:
    raw = files("aggregator.stories").joinpath("faults.yaml").read_bytes()
    lists = msgspec.yaml.decode(raw, type=dict[str, dict[str, list[str]]])
    patterns = lists["any"][name] + lists.get(language or "en", {}).get(name, [])
    return re.compile("|".join(patterns), re.IGNORECASE)


# --- candidates --------------------------------------------------------------------------------------------


def _compared(
    articles: Sequence[ArticleView],
    shown: str | None,
    tuning: StoryTuning,
    prefer: Sequence[str],
) -> list[ArticleView]:
    """Return the compared articles by time: candidates, those of preferred outlets, and that with `shown`.

    A preferred outlet may print the text of an agency. The shown title remains a candidate when there are 24
    newer ones or its article becomes a copy.
    """
    compared = {article.id: article for article in title_candidates(articles, tuning)}
    has_report = any(map(_is_report, compared.values()))
    for article in articles:
        may_stay = _is_report(article) or _is_by_style(article) or not has_report
        is_shown = may_stay and clean_title(article) == shown
        is_preferred = _preference(article, prefer) < len(prefer)
        is_current = article.version is None and article.role in COUNTED_ROLES
        if is_current and article.title and (is_shown or is_preferred):
            compared[article.id] = article
    return sorted(compared.values(), key=BY_TIME)


def _preference(article: ArticleView, prefer: Sequence[str]) -> int:
    """Return the place of the article's outlet in `prefer`, by its name or its key; the length if in none."""
    keys = {
        outlet_key(name)
        for name in (article.outlet, article.outlet_key)
        if name and prefer
    }
    ranks = (rank for rank, outlet in enumerate(prefer) if outlet_key(outlet) in keys)
    return next(ranks, len(prefer))


# --- scores ------------------------------------------------------------------------------------------------


class _Words(NamedTuple):
    """What is read of an article. Heads are those of `aggregator.stories.words`."""

    title: frozenset[str]
    all: frozenset[str]  # of title and lead
    quality: float  # of the title by what it tells itself, and by its own lead
    is_fit: bool


class _ScoredTitle(NamedTuple):
    title: str
    article: ArticleView
    preference: int  # 0: of the most preferred outlet
    quality: float
    is_fit: bool


def _scored(
    articles: Sequence[ArticleView], prefer: Sequence[str], tuning: StoryTuning
) -> list[_ScoredTitle]:
    """Return the titles with their scores, by time."""
    reads = []
    for article in articles:
        title, lead = article.title[:TITLE_CHARS], article.lead[:LEAD_CHARS]
        origin = printer_of(article)
        reads.append(
            (article, origin, _read(title, article.outlet, lead, article.language))
        )
    scored = []
    for article, origin, words in reads:
        shares = [
            _shared(words.title, other)
            for _, of_other, other in reads
            if of_other != origin
        ]
        quality = words.quality + sum(shares) / max(1, len(shares))
        if not words.is_fit:
            quality -= tuning.headline_fault
        preference = _preference(article, prefer)
        scored.append(
            _ScoredTitle(
                clean_title(article), article, preference, quality, words.is_fit
            )
        )
    return scored


def _shared(title: frozenset[str], other: _Words) -> float:
    """Return how much of a title another article has in its title, and in its title and lead, from 0 to 2."""
    return dice(title, other.title) + len(title & other.all) / max(
        FEWEST_HEADS, len(title)
    )


# A title is chosen for each added article: all others were read before
@lru_cache(maxsize=1024)
def _read(raw: str, outlet: str | None, lead: str, language: str | None) -> _Words:
    title = clean_title_text(raw, outlet)
    in_title, in_lead = (
        frozenset(heads(title, language)),
        frozenset(heads(lead, language)),
    )
    in_own = len(in_title & in_lead) / max(FEWEST_HEADS, len(in_title))
    return _Words(
        title=in_title,
        all=in_title | in_lead,
        quality=OWN_LEAD * in_own + OUTCOME * tells_outcome(title, language),
        is_fit=is_fit(raw, title, language),
    )


def tells_outcome(sentence: str, language: str | None) -> bool:
    """Whether a sentence tells an outcome as done: "signs", "died"; not "will sign".

    It has one of the `outcomes` of languages.yaml, and none of `pending` shortly before it.
    """
    outcomes, pending = word_list(language, "outcomes"), word_list(language, "pending")
    words = [word for word, _ in tokens(sentence, language)]
    return any(
        word in outcomes
        and pending.isdisjoint(words[max(0, place - PENDING_WORDS) : place])
        for place, word in enumerate(words)
    )


# --- the choice --------------------------------------------------------------------------------------------


def _newer_one(
    best: _ScoredTitle, candidates: Sequence[_ScoredTitle], tuning: StoryTuning
) -> _ScoredTitle:
    """Return the best of the newer titles that are nearly as good as `best`, else `best`."""
    newer = [
        title
        for title in candidates
        if title.is_fit and _advantage(title, best, tuning) > 0
    ]
    return max(newer, key=BY_QUALITY, default=best)


def _advantage(title: _ScoredTitle, other: _ScoredTitle, tuning: StoryTuning) -> float:
    """Return by how much a title is better than the other one, by quality and time.

    What its style tells from a report gains nothing by its time.
    """
    later = title.article.effective_at - other.article.effective_at
    least = dt.timedelta(hours=tuning.headline_newer_hours)
    advantage = title.quality - other.quality
    if later >= least and _is_report(title.article):
        advantage += tuning.headline_newer_margin
    elif later <= -least:
        advantage -= tuning.headline_newer_margin
    return advantage


def _reason(best: _ScoredTitle, before: Sequence[_ScoredTitle]) -> str:
    """Return why a title replaces those `before` it, which are one title."""
    if not before:
        return GONE
    if best.preference < min(title.preference for title in before):
        return PREFERRED
    if best.is_fit and not before[0].is_fit:
        return UNFIT
    return SHARES if best.quality > before[0].quality else NEWER


# --- without a title ----------------------------------------------------------------------------------------


def _from_lead(articles: Sequence[ArticleView], shown: str | None) -> str:
    """Return the first words of the oldest lead; shown ones stay while a lead begins with them."""
    openings = []
    for article in sorted(articles, key=BY_TIME):
        words = article.lead.split()
        if words and not article.nosnippet:
            openings.append(
                " ".join(words[:FIRST_WORDS]) + "…" * (len(words) > FIRST_WORDS)
            )
    return shown if shown in openings else "".join(openings[:1])
