"""The headline of a story: the best title of its reports.

A title scores by what the other reports say in their titles and openings, and by what its own opening says.
A question, a label or a damaged title loses to a plain one that is nearly as good. The shown headline stays
unless another one is clearly better; each time the reports of a story have doubled, the best one is taken.
Only titles and leads are read, because a headline is chosen at every placement.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

import msgspec

from aggregator.extract.wire.agencies import outlet_key
from aggregator.model.core import OPINION_KINDS, ArticleView
from aggregator.stories.counts import COUNTED_ROLES, of_standing, with_originals

Figure = object


def figures_in(*a):
    return ()


from aggregator.stories.lexicon import TITLE_CHARS, clean_title, clean_title_text, word_list
from aggregator.stories.tuning import StoryTuning, shipped_tuning
from aggregator.stories.words import dice, heads, tokens

LEAD_CHARS = 500  # two sentences of a lead, seldom more
FIRST_WORDS = 14  # of a lead, where a story has no title
OWN_LEAD = 0.25  # weight of the words of a title in its own lead, beside those in other reports
OUTCOME = 0.25  # for a title that tells what happened
PENDING_WORDS = 3  # words before an outcome that may say that it has not happened
FEWEST_HEADS = 6  # a shorter title counts as if it had so many
RISING = frozenset({"dead", "injured", "infected", "displaced"})  # counts that grow during an event

PREFERRED = "it is of a preferred outlet"
SHARES = "it covers more of what the reports share"
UNFIT = "the previous title was clickbait, a label or damaged"
GONE = "no report has the previous title any more"


class Headline(NamedTuple):
    """A headline of the article `article` (None: first words of a lead); why it replaced another one."""

    title: str
    article: str | None = None
    reason: str | None = None  # None: there was no other headline before


def headline(
    articles: Sequence[ArticleView],
    shown: str | None,
    tuning: StoryTuning | None = None,
    prefer: Sequence[str] = (),
    *,
    afresh: bool = False,
) -> Headline:
    """Return the best title of a story, without outlet names; "" only where there is neither title nor lead.

    `shown` is the present headline, which stays unless another is better by a margin; `afresh`: by anything.
    `prefer` are the outlets whose titles are preferred, in this order.
    """
    tuning = tuning or shipped_tuning()
    titled = _titled(articles, shown, tuning, prefer)
    if not titled:
        title = _from_lead(articles, shown)
        return Headline(title, None, None if shown in (None, title) else GONE)
    if len(titled) == 1 and shown in (None, title := clean_title(titled[0])):
        return Headline(title, titled[0].id)  # nothing to compare: most stories are of one article
    scored = _scored(titled, prefer, tuning)
    fit = [one for one in scored if one.read.is_fit] or scored
    first = min(one.preference for one in fit)
    candidates = [one for one in scored if one.preference == first]
    best = max(candidates, key=lambda one: (one.quality, one.title))
    chosen = _latest_figure(next((one for one in candidates if one.title == shown), best), candidates, tuning)
    if best.quality - chosen.quality > (0.0 if afresh else tuning.headline_keep_margin):
        chosen = _latest_figure(best, candidates, tuning)
    is_new = shown is not None and chosen.title != shown
    reason = _reason(chosen, [one for one in scored if one.title == shown]) if is_new else None
    return Headline(chosen.title, chosen.article, reason)


def title_candidates(articles: Sequence[ArticleView], tuning: StoryTuning) -> list[ArticleView]:
    """Return the articles whose titles are compared, by time: the newest ones, of reports before others.

    Of reports those `of_standing`; of a copy group only the title of the original is compared, whichever
    article arrived first.
    """
    present = {article.id for article in articles}
    copies = {a.id for a in with_originals(articles) if a.copy_of in present and a.role != "excerpt"}
    titled = [article for article in articles if clean_title(article)]
    news = of_standing([article for article in titled if is_news(article)])
    titled = (
        [article for article in news if article.id not in copies]
        or news
        or [article for article in titled if article.role in COUNTED_ROLES]
        or [article for article in titled if article.role == "container"]
        or titled
    )
    return sorted(titled, key=lambda a: (a.effective_at, a.id))[-tuning.reports_cap :]


def is_news(article: ArticleView, articles=()) -> bool:
    """Whether the article is a report of its own or a copy of one, and no opinion or explainer."""
    return article.role in COUNTED_ROLES and article.kind not in OPINION_KINDS


# --- titles that are not taken ------------------------------------------------------------------------------


class TitlePatterns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language of faults.yaml."""

    clickbait: list[str]
    label: list[str]
    doubtful: list[str] = []


def is_fit(raw: str, title: str, language: str | None) -> bool:
    """Whether a title is no clickbait, no label and not damaged; `raw` is the title before cleaning."""
    return not (_pattern("clickbait", language).search(title) or _pattern("label", language).search(raw))


@cache
def _pattern(name: str, language: str | None) -> re.Pattern[str]:
    by_language = _by_language()
    own = by_language.get(language or "en")
    patterns = getattr(by_language["any"], name) + ([] if own is None else getattr(own, name))
    return re.compile("|".join(patterns) or r"(?!)", re.IGNORECASE)


@cache
def _by_language() -> dict[str, TitlePatterns]:
    raw = files("aggregator.stories").joinpath("faults.yaml").read_bytes()
    return msgspec.yaml.decode(raw, type=dict[str, TitlePatterns])


# --- candidates --------------------------------------------------------------------------------------------


def _titled(
    articles: Sequence[ArticleView], shown: str | None, tuning: StoryTuning, prefer: Sequence[str]
) -> list[ArticleView]:
    """Return the compared articles by time: candidates, those of preferred outlets, and that with `shown`.

    A preferred outlet may print the text of an agency. The shown title remains a candidate when there are 24
    newer ones or its article becomes a copy.
    """
    chosen = {article.id: article for article in title_candidates(articles, tuning)}
    has_news = any(map(is_news, chosen.values()))
    for article in articles:
        if article.role not in COUNTED_ROLES or not article.title:
            continue
        stays = clean_title(article) == shown and (is_news(article) or not has_news)
        if stays or _preference(article, prefer) < len(prefer):
            chosen[article.id] = article
    return sorted(chosen.values(), key=lambda a: (a.effective_at, a.id))


def _preference(article: ArticleView, prefer: Sequence[str]) -> int:
    """Return the place of the article's outlet in `prefer`, by its name or its key; the length if in none."""
    keys = {outlet_key(name) for name in (article.outlet, article.outlet_key) if name and prefer}
    return next((rank for rank, outlet in enumerate(prefer) if outlet_key(outlet) in keys), len(prefer))


# --- scores ------------------------------------------------------------------------------------------------


class _Words(NamedTuple):
    """What is read of an article. Heads are those of `aggregator.stories.words`."""

    title: frozenset[str]
    all: frozenset[str]  # of title and lead
    quality: float  # of the title by what it tells itself, and by its own lead
    is_fit: bool
    casualties: Mapping[str, Figure]  # by class


class _ScoredTitle(NamedTuple):
    title: str
    article: str
    preference: int  # 0: of the most preferred outlet
    quality: float
    read: _Words


def _scored(
    articles: Sequence[ArticleView], prefer: Sequence[str], tuning: StoryTuning
) -> list[_ScoredTitle]:
    """Return the titles with their scores, by time."""
    words = [_read(a.title[:TITLE_CHARS], a.outlet, a.lead[:LEAD_CHARS], a.language) for a in articles]
    origins = [article.outlet_key or f"article {article.id}" for article in articles]
    scored = []
    for article, own, origin in zip(articles, words, origins, strict=True):
        others = [one for one, other in zip(words, origins, strict=True) if other != origin]
        quality = own.quality - tuning.headline_fault * (not own.is_fit)
        if others:
            alike = sum(dice(own.title, one.title) for one in others)
            covered = sum(len(own.title & one.all) for one in others) / max(FEWEST_HEADS, len(own.title))
            quality += (alike + covered) / len(others)
        preference = _preference(article, prefer)
        scored.append(_ScoredTitle(clean_title(article), article.id, preference, quality, own))
    return scored


@lru_cache(maxsize=1024)  # a headline is chosen for each added article: all others were read before
def _read(raw: str, outlet: str | None, lead: str, language: str | None) -> _Words:
    title = clean_title_text(raw, outlet)
    in_title, in_lead = frozenset(heads(title, language)), frozenset(heads(lead, language))
    in_own = len(in_title & in_lead) / max(FEWEST_HEADS, len(in_title))
    counted = () if _pattern("doubtful", language).search(title) else figures_in(title, language)
    return _Words(
        title=in_title,
        all=in_title | in_lead,
        quality=OWN_LEAD * in_own + OUTCOME * tells_outcome(title, language),
        is_fit=is_fit(raw, title, language),
        casualties={f.kind: f for f in reversed(counted) if f.kind in RISING},
    )


def _latest_figure(
    title: _ScoredTitle, candidates: Sequence[_ScoredTitle], tuning: StoryTuning
) -> _ScoredTitle:
    """Return the latest title with a number of casualties that none gave until this one, else this one.

    A number that differs by more than `headline_casualties_factor` must be in two titles.
    """
    until = candidates.index(title) + 1
    later = candidates[until:]
    for one in reversed(later):
        for kind, figure in one.read.casualties.items():
            number, before = figure.stated[0], title.read.casualties.get(kind, figure).stated[0]
            same = [f for each in later if (f := each.read.casualties.get(kind)) and f.stated[0] == number]
            is_far = max(number, before) > tuning.headline_casualties_factor * max(1.0, min(number, before))
            if kind in title.read.casualties and (len(same) > 1 or not is_far):
                known = {f.stated[0] for each in candidates[:until] if (f := each.read.casualties.get(kind))}
                if number not in known:
                    return _latest_figure(one, candidates, tuning)
    return title


# --- reasons and openings ----------------------------------------------------------------------------------


def _reason(chosen: _ScoredTitle, before: Sequence[_ScoredTitle]) -> str:
    """Return why a title replaces those `before` it, which are one title."""
    if not before:
        return GONE
    if chosen.preference < min(one.preference for one in before):
        return PREFERRED
    if chosen.read.is_fit and not before[0].read.is_fit:
        return UNFIT
    for kind, figure in chosen.read.casualties.items():
        old = before[0].read.casualties.get(kind, figure)
        if old.stated[0] != figure.stated[0]:
            return f"it gives a later figure: {figure.words} {kind}, not {old.words}"
    return SHARES


def _from_lead(articles: Sequence[ArticleView], shown: str | None) -> str:
    """Return the first words of the oldest lead; shown ones stay while a lead begins with them."""
    with_lead = sorted((a for a in articles if a.lead.strip()), key=lambda a: (a.effective_at, a.id))
    openings = [_opening(article) for article in with_lead] or [""]
    return shown if shown in openings else openings[0]


def _opening(article: ArticleView) -> str:
    words = article.lead.split()
    return " ".join(words[:FIRST_WORDS]) + ("…" if len(words) > FIRST_WORDS else "")


def tells_outcome(sentence: str, language: str | None) -> bool:
    """Whether a sentence tells an outcome as done: "signs", "died"; not "will sign".

    It has one of the `outcomes` of languages.yaml, and none of `pending` shortly before it.
    """
    outcomes, pending = word_list(language, "outcomes"), word_list(language, "pending")
    words = [token.lower for token in tokens(sentence, language)] if outcomes else []
    return any(
        word in outcomes and pending.isdisjoint(words[max(0, place - PENDING_WORDS) : place])
        for place, word in enumerate(words)
    )
