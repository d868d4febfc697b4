"""The title of a story: the best title of its reports.

A title scores by the words that it shares with the titles and leads of other reports and with its own lead. It gains
if it tells an outcome. A question, a label or a damaged title loses to a plain title that is nearly as good. An older
title loses to a newer title that is nearly as good, because it may tell a plan that has been carried out since. The
shown title stays unless another title is clearly better, but each time the reports of a story have doubled, the best
title is taken. Only titles and leads are read, because a title is chosen at every placement.
"""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache, lru_cache
from operator import attrgetter
from typing import NamedTuple

from aggregator.config.shipped import ShippedTable
from aggregator.extract.kind import is_by_style
from aggregator.extract.wire.agencies import outlet_key
from aggregator.model.article import ArticleView
from aggregator.model.prepared import UNCOUNTED_KINDS
from aggregator.stories.counting.copy_groups import (
    COUNTED_ROLES,
    printer_of,
    speaker_of,
)
from aggregator.stories.counting.originals import (
    of_standing,
    originals_with_copies,
    with_originals,
)
from aggregator.stories.lexicon import word_list
from aggregator.stories.story_tuning import StoryTuning, shipped_tuning
from aggregator.stories.story_words import dice, heads, tokens
from aggregator.stories.titles.title_text import (
    TITLE_CHARS,
    clean_title,
    clean_title_text,
)

# This much of a lead is read, which is seldom more than two sentences.
LEAD_CHARS = 500
# The weight of the title's words that are in its own lead; words that are in other reports weigh 1
OWN_LEAD = 0.25
# The gain of a title that tells an outcome
OUTCOME = 0.25
# The cost of each unit of style (`style_cost`). The cost begins STYLE_BELOW below the limit for opinions and
# explainers (chosen on story-titles; a lead costs .3).
STYLE_COST = 0.1
STYLE_BELOW = 3.1
# The cost of a title whose verb its own lead only plans; a report of the fact, with OUTCOME, then replaces it.
PLANNED = 0.25
# The words before an outcome that may say that it has not happened
PENDING_WORDS = 3
# A title with fewer heads counts as if it had this many, so that a short title does not win by sharing all its words.
FEWEST_HEADS = 6
# If no article has a title, this many words of a lead are the title.
FIRST_WORDS = 14
_BY_QUALITY = attrgetter("quality", "title")

PREFERRED = "it is of a preferred outlet"
NEWER = "it is newer"
SHARES = "it covers more of what the reports share"
UNFIT = "the previous title was clickbait, a label or damaged"
GONE = "no report has the previous title any more"


class Headline(NamedTuple):
    """A title, the article that has it (None: it is the beginning of a lead), and why it replaced the title before."""

    title: str
    article: str | None = None
    # None: the title has not changed, or is the first of the story
    reason: str | None = None


def headline(
    articles: Sequence[ArticleView],
    shown: str | None,
    tuning: StoryTuning | None = None,
    prefer: Sequence[str] = (),
    *,
    afresh: bool = False,
) -> Headline:
    """Return the best title of a story, without outlet names; "" only without a title and a lead that may be quoted.

    `shown` is the present title, which stays unless another is better by a margin; with `afresh`, the margin is 0.
    `prefer` has the outlets whose titles are preferred, the most preferred first.
    """
    tuning = tuning or shipped_tuning()
    articles = with_originals(articles)
    compared = compared_titles(articles, shown, tuning, prefer)
    if not compared:
        openings = []
        for article in sorted(articles, key=BY_TIME):
            words = article.lead.split()
            if words and not article.nosnippet:
                openings.append(
                    " ".join(words[:FIRST_WORDS]) + "…" * (len(words) > FIRST_WORDS)
                )
        title = shown if shown in openings else "".join(openings[:1])
        return Headline(title, None, None if shown in (None, title) else GONE)
    if len(compared) == 1 and shown in (None, title := clean_title(compared[0])):
        # There is nothing to compare. Most stories have only one article.
        return Headline(title, compared[0].id)
    scored = scored_titles(compared, prefer, tuning)
    margin = 0.0 if afresh else tuning.headline_keep_margin
    chosen = _choose(scored, shown, margin, tuning)
    return Headline(chosen.title, chosen.article.id, _reason(chosen, shown, scored))


def _choose(
    scored: Sequence["ScoredTitle"],
    shown: str | None,
    margin: float,
    tuning: StoryTuning,
) -> "ScoredTitle":
    """Return the best title, or the `shown` title if it is worse by at most `margin`.

    Only the titles of the most preferred outlet that has a fit title are compared. A newer fit title that is nearly as
    good replaces the best.
    """
    preferred = min(scored, key=lambda title: (not title.is_fit, title.preference))
    candidates = [title for title in scored if title.preference == preferred.preference]
    best = max(candidates, key=_BY_QUALITY)
    newer = [
        title
        for title in candidates
        if title.is_fit and _advantage(title, best, tuning) > 0
    ]
    best = max(newer, key=_BY_QUALITY, default=best)
    for title in candidates:
        if title.title == shown and _advantage(best, title, tuning) <= margin:
            return title
    return best


def _advantage(
    title: "ScoredTitle", other: "ScoredTitle", tuning: StoryTuning
) -> float:
    """Return how much better a title is than another, by quality and time; negative if it is worse."""
    later = title.article.effective_at - other.article.effective_at
    least = timedelta(hours=tuning.headline_newer_hours)
    advantage = title.quality - other.quality
    if later >= least:
        advantage += tuning.headline_newer_margin
    elif later <= -least:
        advantage -= tuning.headline_newer_margin
    return advantage


def _reason(
    best: "ScoredTitle", shown: str | None, scored: Sequence["ScoredTitle"]
) -> str | None:
    """Return why a title replaces the `shown` title; None if it does not."""
    if shown in (None, best.title):
        return None
    before = [title for title in scored if title.title == shown]
    if not before:
        return GONE
    if best.preference < min(title.preference for title in before):
        return PREFERRED
    if best.is_fit and not before[0].is_fit:
        return UNFIT
    return SHARES if best.quality > before[0].quality else NEWER


# CUT is searched for in the last characters of a text
CUT_CHARS = 20
CUT = re.compile(r"(?:\.\.\.|…)\W*$")  # the end of a text that a feed cut, "[…]" too
BY_TIME = attrgetter("effective_at", "id")


def title_candidates(
    articles: Sequence[ArticleView],
    tuning: StoryTuning,
    text_of: Callable[[ArticleView], str] = clean_title,
) -> list[ArticleView]:
    """Return the articles whose titles are compared, by time: the newest of each sender, at most `reports_cap`.

    These are the reports, only those of standing if there are any (`of_standing`). A story without reports has its
    opinions compared, or its live blogs and roundups, or all its articles, whichever it has first. A text with versions
    is compared in its current version. A group of copies is compared in its original, or in a copy with a whole
    `text_of` if the `text_of` of the original is cut. `text_of` returns the title, or the lead if a lead is chosen.
    """
    articles = with_originals(articles)
    titled = [
        article for article in articles if text_of(article) and article.version is None
    ]
    reports = of_standing([article for article in titled if is_news(article)])
    ids = {report.id for report in reports}
    chosen: list[ArticleView] = []
    for original, copies in originals_with_copies(articles):
        group = [article for article in (original, *copies) if article.id in ids]
        # The first that is whole, else the first
        group.sort(key=lambda a: CUT.search(text_of(a)[-CUT_CHARS:]) is not None)
        chosen += group[:1]
    chosen = (
        chosen
        or [article for article in titled if article.role in COUNTED_ROLES]
        or [article for article in titled if article.role == "container"]
        or titled
    )
    chosen.sort(key=BY_TIME)
    newest = {speaker_of(article): article for article in chosen}
    return sorted(newest.values(), key=BY_TIME)[-tuning.reports_cap :]


def is_news(article: ArticleView) -> bool:
    """Return whether the article is a report or a copy of a report, and not an opinion, explainer or withdrawal.

    An article that only its style makes an opinion or explainer is news, too, but its style costs its title and lead
    something (`style_cost`).
    """
    return article.role in COUNTED_ROLES and (
        article.kind not in UNCOUNTED_KINDS or is_by_style(article.kind_evidence)
    )


def compared_titles(
    articles: Sequence[ArticleView],
    shown: str | None,
    tuning: StoryTuning,
    prefer: Sequence[str],
) -> list[ArticleView]:
    """Return the articles whose titles are scored, by time.

    These are the candidates, the articles of preferred outlets, and the articles with the title `shown`. A preferred
    outlet may print the text of an agency, and then its article is not a candidate by itself. The shown title remains
    when `reports_cap` newer titles come or when its article becomes a copy, but not when a first report comes to a
    story of columns.
    """
    compared = {article.id: article for article in title_candidates(articles, tuning)}
    has_report = any(map(is_news, compared.values()))
    for article in articles:
        may_stay = is_news(article) or not has_report
        is_shown = may_stay and clean_title(article) == shown
        is_preferred = preference_of(article, prefer) < len(prefer)
        is_current = article.version is None and article.role in COUNTED_ROLES
        if is_current and article.title and (is_shown or is_preferred):
            compared[article.id] = article
    return sorted(compared.values(), key=BY_TIME)


def is_fit(raw: str, title: str, language: str | None) -> bool:
    """Return whether a title is neither clickbait nor a label nor damaged; `raw` is the title before cleaning."""
    return not (
        fault_pattern("clickbait", language).search(title)
        or fault_pattern("label", language).search(raw)
    )


def style_cost(article: ArticleView) -> float:
    """Return how close the style of an article is to opinions and explainers; 0 for most reports."""
    return 0.0 if article.style is None else max(0.0, article.style + STYLE_BELOW)


_FAULTS = ShippedTable(
    "aggregator.stories", "faults.yaml", dict[str, dict[str, list[str]]]
)


@cache
def fault_pattern(name: str, language: str | None) -> re.Pattern[str]:
    lists = _FAULTS.content
    patterns = lists["any"][name] + lists.get(language or "en", {}).get(name, [])
    return re.compile("|".join(patterns), re.IGNORECASE)


def preference_of(article: ArticleView, prefer: Sequence[str]) -> int:
    """Return the place of the article's outlet, by name or key, in `prefer`; the length of `prefer` without a place."""
    keys = {
        outlet_key(name)
        for name in (article.outlet, article.outlet_key)
        if name and prefer
    }
    ranks = (rank for rank, outlet in enumerate(prefer) if outlet_key(outlet) in keys)
    return next(ranks, len(prefer))


class _Words(NamedTuple):
    """The words of an article for scoring, as heads (`aggregator.stories.story_words`)."""

    title: frozenset[str]
    # The heads of title and lead
    all: frozenset[str]
    # The part of the score that depends on the title and its own lead only
    quality: float
    is_fit: bool


class ScoredTitle(NamedTuple):
    title: str
    article: ArticleView
    # 0: the most preferred outlet
    preference: int
    quality: float
    is_fit: bool


def scored_titles(
    articles: Sequence[ArticleView], prefer: Sequence[str], tuning: StoryTuning
) -> list[ScoredTitle]:
    """Return the titles with their scores, by time."""
    reads = []
    for article in articles:
        words = _read(
            article.title[:TITLE_CHARS],
            article.outlet,
            article.lead[:LEAD_CHARS],
            article.language,
        )
        reads.append((article, printer_of(article), words))
    scored = []
    for article, origin, words in reads:
        # How much of the title is in another title, and how much in this title and its lead together: 0 to 2
        shares = [
            dice(words.title, other.title)
            + len(words.title & other.all) / max(FEWEST_HEADS, len(words.title))
            for _, of_other, other in reads
            if of_other != origin
        ]
        quality = words.quality + sum(shares) / max(1, len(shares))
        quality -= STYLE_COST * style_cost(article)
        if not words.is_fit:
            quality -= tuning.headline_fault
        scored.append(
            ScoredTitle(
                title=clean_title(article),
                article=article,
                preference=preference_of(article, prefer),
                quality=quality,
                is_fit=words.is_fit,
            )
        )
    return scored


# The cache helps because a title is chosen for each added article, and all other articles were read before.
@lru_cache(maxsize=1024)
def _read(raw: str, outlet: str | None, lead: str, language: str | None) -> _Words:
    title = clean_title_text(raw, outlet)
    in_title = frozenset(heads(title, language))
    in_lead = frozenset(heads(lead, language))
    in_own = len(in_title & in_lead) / max(FEWEST_HEADS, len(in_title))
    return _Words(
        title=in_title,
        all=in_title | in_lead,
        quality=OWN_LEAD * in_own
        + OUTCOME * tells_outcome(title, language)
        - PLANNED * is_planned(title, lead, language),
        is_fit=is_fit(raw, title, language),
    )


def tells_outcome(sentence: str, language: str | None) -> bool:
    """Return whether a sentence tells an outcome as done: "signs", "died"; not "will sign".

    It has one of the `outcomes` of languages.yaml, and none of `pending` shortly before it.
    """
    outcomes = word_list(language, "outcomes")
    pending = word_list(language, "pending")
    words = [word for word, _ in tokens(sentence, language)]
    return any(
        word in outcomes
        and pending.isdisjoint(words[max(0, place - PENDING_WORDS) : place])
        for place, word in enumerate(words)
    )


def is_planned(title: str, text: str, language: str | None) -> bool:
    """Return whether a title tells as done ("testifies") what a text only plans ("is expected to testify")."""
    planned = word_list(language, "planned")
    acts = [word for word, _ in tokens(title, language) if word.endswith("s")]
    if not (planned and acts):
        return False
    read = [word for word, _ in tokens(text, language)]
    for verb in acts:
        bare = {verb[:-1], verb[:-2], f"{verb[:-3]}y"}
        is_done = verb in read or any(
            f"{form}ed" in read for form in (verb[:-1], verb[:-2])
        )
        is_to_come = any(
            word in bare
            and not planned.isdisjoint(read[max(0, place - PENDING_WORDS) : place])
            for place, word in enumerate(read)
        )
        if is_to_come and not is_done:
            return True
    return False
