"""The headline of a story: the best title of its reports.

A title scores by the key terms, which are the words that the reports share most, by a readable length, by
names and by its age; faults (clickbait, labels, capitals, pronouns without antecedent) lower the score. The
weights were set by hand and judged on 30 stories against the title nearest to the centroid: same 14, better
10, tie 4, worse 2. The centroid prefers average titles: questions, "Video:", opinion.

The shown headline stays unless there is a reason for another one (`Headline.reason`). Only titles and leads
are read, because a headline is chosen at every placement.
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

import msgspec

from aggregator.extract.wire.agencies import agency_of, outlet_key
from aggregator.model.core import OPINION_KINDS, ArticleView, Role
from aggregator.stories.counts import COUNTED_ROLES, with_originals
from aggregator.stories.facts.figures import figures_in
from aggregator.stories.facts.stated_days import days_stated
from aggregator.stories.lexicon import TITLE_CHARS, clean_title, clean_title_text, word_list, words_of
from aggregator.stories.tuning import StoryTuning, shipped_tuning
from aggregator.stories.words import WordToken, head_of, heads, tokens
from aggregator.text.stems import ELIDING
from aggregator.text.tokens import PART, SPACELESS

# What is subtracted from a score that is seldom above 1 (set by hand, judged on 30 stories), and the reason
# for another title.
FAULTS: Mapping[str, tuple[float, str]] = {
    "clickbait": (0.80, "the previous title was a question or clickbait"),
    "characters": (0.50, "the previous title had wrong characters"),
    "label": (0.60, "the previous title was a label or of a live blog"),
    "capitals": (0.20, "the previous title was in capitals"),
    "quotation": (0.15, "the previous title was only a quotation"),
    "opener": (0.20, "the previous title did not name its subject"),
    "anaphora": (0.20, "the previous title was of a column or a portrait"),
    "quote mark": (0.10, "the previous title opened with a quotation"),
    "colons": (0.20, "the previous title had two colons"),
    "explainer": (0.30, "the previous title was of a background piece"),
    "list": (0.10, "the previous title was a list of words"),
    "sentences": (0.20, "the previous title had two sentences"),
    "quotation marks": (0.10, "the previous title had a quotation"),
    "planned": (0.20, "the previous title gave a plan that is done"),  # ROUGE-1 of titles +.1; .25: -.05
    "loaded": (0.30, "the previous title had words of opinion"),
}
GRAVE_FAULT = 0.20  # from here on a fault makes another title come sooner
LOADED_WORD, PROMOTION_WORD, COLON = (
    0.30,
    0.13,
    0.05,
)  # for each further word of opinion, of a promotion; for a colon
EXTRA_WORD, TITLE_WORDS = 0.03, 13  # for each word above so many
LETTERS = 12  # a title with fewer is not checked for capitals: abbreviations, names
CAPITALS_SHARE = 0.6  # of the letters
_IN_QUOTES = re.compile(r"[“\"'‘„«](?:.*\w)?(?P<end>\W*+)")  # one pass: a long row of marks takes linear time
QUOTED_WORDS = re.compile(r"(?<!\w)['‘][^'’]{3,}['’](?!\w)")
WRONG_CHARACTERS = re.compile(r"[Ââ][\u0080-\u00bf€]|Ã[\u0080-\u00bf¢]|�")
SENTENCE_END = re.compile(r"\w{4}[.!?]\s+[A-ZÀ-Þ]")  # not "Gov. Berg"
LIST_COMMAS = 3  # "Vindman, Impeachment trial, Schiff, Trump": a list of tags


class FaultPatterns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language of faults.yaml."""

    clickbait: list[str]
    label: list[str]
    opener: list[str]
    explainer: list[str] = []
    loaded: list[str] = []
    promotion: list[str] = []


def faults(raw: str, title: str, lead: str, role: Role, language: str | None) -> tuple[str, ...]:
    """Return the faults of `title`, keys of FAULTS; `raw` is the title before cleaning."""
    keys = []
    if _searched("clickbait", language).search(title):
        keys.append("clickbait")
    if role == "container" or _searched("label", language).search(raw):
        keys.append("label")
    letters = [char for char in title if char.isalpha()]
    if len(letters) > LETTERS and sum(map(str.isupper, letters)) > CAPITALS_SHARE * len(letters):
        keys.append("capitals")
    quoted = _IN_QUOTES.fullmatch(title)
    if quoted and any(char in "”\"'’“»" for char in quoted["end"]):
        keys.append("quotation")
    elif title[:1] in "“\"'‘„«":
        keys.append("quote mark")
    if _searched("opener", language).search(title):
        keys.append("opener")
    opening = lead.split(maxsplit=1)
    if opening and opening[0].lower() in words_of("anaphora"):
        keys.append("anaphora")  # "She has slept for three hours.": a portrait or a column
    others = {
        "colons": title.count(": ") >= 2,
        "explainer": _searched("explainer", language).search(raw) is not None,
        "list": title.count(", ") >= LIST_COMMAS,
        "sentences": SENTENCE_END.search(title) is not None,
        "quotation marks": any(mark in title[1:] for mark in '“”"„«»') or bool(QUOTED_WORDS.search(title)),
        "characters": WRONG_CHARACTERS.search(title) is not None,
        "loaded": loaded_words(title, language) > 0,
    }
    return (*keys, *(key for key, is_so in others.items() if is_so))


def loaded_words(text: str, language: str | None) -> int:
    """Count the words of opinion."""
    return len(_searched("loaded", language).findall(text))


@cache
def _searched(kind: str, language: str | None) -> re.Pattern[str]:
    by_language = _by_language()
    own = by_language.get(language or "en")
    patterns = getattr(by_language["any"], kind) + ([] if own is None else getattr(own, kind))
    return re.compile("|".join(patterns) or r"(?!)", re.IGNORECASE)


@cache
def _by_language() -> dict[str, FaultPatterns]:
    raw = files("aggregator.stories").joinpath("faults.yaml").read_bytes()
    return msgspec.yaml.decode(raw, type=dict[str, FaultPatterns])


LEAD_CHARS = 500  # two sentences of a lead, seldom more
OPENING_CHARS = 200  # about the first sentence, which states the subject in news, but not in columns
FRESHNESS_REPORTS = 8  # from so many reports on the newest gets the full share for freshness
FIRST_WORDS = 14  # of a lead, where a story has no title
NEVER_PREFERRED = frozenset({"clickbait", "label"})  # also of a preferred outlet
RISING = frozenset({"dead", "injured", "infected", "displaced"})  # counts that grow during an event

LATER = "it tells what happened later"
GONE = "no report has the previous title any more"
PREFERRED = "it is of a preferred outlet"
SHARES = "it covers more of what the reports share"
LENGTH = "it is complete and short enough to read"
NAMES = "it names people or places"
OPENING = "the previous title was the beginning of a text"
OPINION = "the previous title was of an opinion or a background piece"


class Headline(NamedTuple):
    """A headline of the article `article` (None: first words of a lead); why it replaced another one."""

    title: str
    article: str | None = None
    reason: str | None = None  # None: there was no other headline before
    can_wait: bool = False  # whether the one before could stay for some hours


def headline(
    articles: Sequence[ArticleView],
    shown: str | None,
    tuning: StoryTuning | None = None,
    prefer: Sequence[str] = (),
) -> Headline:
    """Return the best title of a story, without outlet names; "" only where there is neither title nor lead.

    `shown` is the present headline. `prefer` are the outlets whose titles are preferred, in this order.
    """
    tuning = tuning or shipped_tuning()
    titled = _titled(articles, shown, tuning, prefer)
    if not titled:
        return _with_reason(Headline(_from_lead(articles, shown)), shown, GONE)
    if len(titled) == 1 and shown in (None, title := clean_title(titled[0])):
        return Headline(title, titled[0].id)  # nothing to compare: most stories are of one article
    keys = key_terms(titled, tuning.headline_key_terms)
    titles = _score_titles(titled, keys, prefer, tuning)
    scored, outcome = _of_latest_stage(titles, articles, keys, tuning)
    first = min(one.preference for one in scored)
    best = max((one for one in scored if one.preference == first), key=lambda one: (one.quality, one.title))
    candidates = [one for one in scored if one.title == shown]
    if not candidates:
        fresh = max(
            (one for one in scored if one.preference == first), key=lambda one: (one.fresh, one.title)
        )
        is_earlier = any(one.title == shown for one in titles)
        reason = f"{LATER}: {outcome}".rstrip(": ") if is_earlier else _why_gone(articles, shown)
        return _with_reason(Headline(fresh.title, fresh.article, can_wait=is_earlier), shown, reason)
    now = max(candidates, key=lambda one: (-one.preference, one.quality, one.article))
    if first < now.preference:
        return Headline(best.title, best.article, PREFERRED)
    margin = tuning.headline_keep_margin * (1 + tuning.headline_few_titles / len(scored))
    return (
        _changed_count(now, scored, tuning)
        or _better(now, best, margin, tuning.headline_fault_margin)
        or Headline(now.title, now.article)
    )


def stage_of(articles: Sequence[ArticleView], tuning: StoryTuning) -> list[ArticleView]:
    """Return the reports of the latest stage of a story, by time."""
    titled = title_candidates(articles, tuning)
    return latest_stage(titled, key_terms(titled, tuning.headline_key_terms), tuning).articles


def title_candidates(articles: Sequence[ArticleView], tuning: StoryTuning) -> list[ArticleView]:
    """Return the articles whose titles are compared, by time: the newest ones, of reports before others.

    An article that opens with what is expected of a day is left out once a newer one is of that day. Of a
    copy group only the title of the original is compared, whichever article arrived first.
    """
    present = {article.id for article in articles}
    copies = {a.id for a in with_originals(articles) if a.copy_of in present and a.role != "excerpt"}
    titled = [article for article in articles if clean_title(article)]
    for preferred in (
        [a for a in titled if is_news(a) and a.id not in copies],
        [a for a in titled if is_news(a)],
        [a for a in titled if a.role in COUNTED_ROLES],
        [a for a in titled if a.role == "container"],
    ):
        if preferred:
            titled = preferred
            break
    newest = sorted(titled, key=lambda a: (a.effective_at, a.id), reverse=True)[: tuning.headline_titles]
    return _without_past_plans(newest, tuning)[::-1]


def _without_past_plans(articles: list[ArticleView], tuning: StoryTuning) -> list[ArticleView]:
    last = max((a.published.date() for a in articles if a.published), default=dt.date.min)
    return [a for a in articles if not _is_past_plan(a, last, tuning)] or articles


def _is_past_plan(article: ArticleView, last: dt.date, tuning: StoryTuning) -> bool:
    """Whether title or first sentence name a day after their publication up to `last`."""
    if article.published is None or article.published.date() >= last or article.language not in (None, "en"):
        return False
    day = article.published.date()
    opening = f"{clean_title(article)}. {article.lead[:OPENING_CHARS]}"
    return any(day < stated <= last for stated in days_stated(opening, day, tuning))


def is_news(article: ArticleView) -> bool:
    """Whether the article is a report of its own or a copy of one, and no opinion or explainer."""
    return article.role in COUNTED_ROLES and article.kind not in OPINION_KINDS


def key_terms(articles: Sequence[ArticleView], limit: int) -> dict[str, float]:
    """Return the `limit` heads shared by most titles and leads, with their weights.

    A weight is share of reports x (1 + half the share of titles). A head must be in two reports, unless
    there is only one. Equal weights are ordered by head.
    """
    return dict(_key_terms(tuple(_own_words(article) for article in articles), limit))


@lru_cache(maxsize=4)  # headline and summary use the same articles in turn
def _key_terms(articles: tuple["_ArticleWords", ...], limit: int) -> dict[str, float]:
    in_reports: Counter[str] = Counter()
    in_titles: Counter[str] = Counter()
    for words in articles:
        in_titles.update(words.titled)
        in_reports.update(words.lead_words)
    total = len(articles)
    least = min(2, total)
    weights = {
        head: reports / total * (1 + 0.5 * in_titles[head] / total)
        for head, reports in in_reports.items()
        if reports >= least and len(head) > 1
    }
    best = sorted(weights, key=lambda head: (-weights[head], head))[:limit]
    return {head: weights[head] for head in best}


# --- candidates --------------------------------------------------------------------------------------------


def _titled(
    articles: Sequence[ArticleView], shown: str | None, tuning: StoryTuning, prefer: Sequence[str]
) -> list[ArticleView]:
    """Return the compared articles by time: candidates, those of preferred outlets, and that with `shown`.

    A preferred outlet may print the text of an agency. The shown title remains a candidate when there are 24
    newer ones or its article becomes a copy.
    """
    chosen = {article.id: article for article in title_candidates(articles, tuning)}
    preferred, has_news = _ranks(prefer), any(map(is_news, chosen.values()))
    for article in articles:
        if article.id in chosen or article.role not in ("report", "copy") or not article.title:
            continue
        is_shown = shown is not None and clean_title(article) == shown
        if _rank(article, preferred) is not None or (is_shown and (is_news(article) or not has_news)):
            chosen[article.id] = article
    return sorted(chosen.values(), key=lambda a: (a.effective_at, a.id))


def _ranks(prefer: Sequence[str]) -> dict[str, int]:
    ranks: dict[str, int] = {}
    for rank, outlet in enumerate(prefer):
        ranks.setdefault(outlet_key(outlet), rank)
    return ranks


def _rank(article: ArticleView, ranks: dict[str, int]) -> int | None:
    """Return the rank of the article's outlet, by its name or its key; None if it is not preferred."""
    if not ranks:
        return None
    found = [ranks.get(outlet_key(name)) for name in (article.outlet, article.outlet_key) if name]
    return min((rank for rank in found if rank is not None), default=None)


# --- scores ------------------------------------------------------------------------------------------------


class _ScoredTitle(NamedTuple):
    """A title with its score. `fresh` is `quality` plus the share for freshness."""

    title: str
    article: str
    preference: int  # 0: of the most preferred outlet
    quality: float
    fresh: float
    shares: float  # of the quality: by key terms
    length: float  # ... by length
    names: float  # ... by names
    faults: tuple[str, ...]
    casualties: tuple[tuple[str, float, str], ...]  # class, number, wording
    place: int  # in the order of time


def _score_titles(
    articles: Sequence[ArticleView], keys: dict[str, float], prefer: Sequence[str], tuning: StoryTuning
) -> list[_ScoredTitle]:
    ranks = _ranks(prefer)
    last = max(FRESHNESS_REPORTS, len(articles) - 1)  # in a small story one newer report counts little
    whole = sum(keys.values()) or 1.0
    agreements = _agreements(articles, tuning)
    done = [frozenset(words.titled) for words in map(_own_words, articles) if words.tells_outcome]
    scored = []
    for place, article in enumerate(articles):
        words = _own_words(article)
        in_title = [head for head in words.text_words if head in keys]
        opening = set(words.opening)
        shares = (
            0.50 * sum(keys[head] for head in in_title) / whole
            + 0.15 * len(in_title) / max(4, len(words.text_words))
            + 0.25 * sum(weight for head, weight in keys.items() if head in opening) / whole
        )
        length, names = 0.12 * words.length_share, 0.10 * min(2, words.names) / 2
        if agreements:
            shares, length, names = (tuning.headline_own_share * each for each in (shares, length, names))
            shares += agreements[place]
        quality = shares + length + names - words.penalty
        quality += tuning.headline_outcome_gain if words.tells_outcome else 0.0
        found = (*words.faults, *(("planned",) if _is_done(words, done) else ()))
        quality -= FAULTS["planned"][0] if len(found) > len(words.faults) else 0.0
        quality += tuning.headline_agency_gain if agency_of(article.outlet) else 0.0
        rank = None if NEVER_PREFERRED.intersection(words.faults) else _rank(article, ranks)
        scored.append(
            _ScoredTitle(
                title=clean_title(article),
                article=article.id,
                preference=len(ranks) if rank is None else rank,
                quality=quality,
                fresh=quality + 0.08 * place / last,
                shares=shares,
                length=length,
                names=names,
                faults=found,
                casualties=words.casualties,
                place=place,
            )
        )
    return scored


def _is_done(words: "_ArticleWords", done: Sequence[frozenset[str]]) -> bool:
    """Whether the title tells as planned what one of the titles `done` tells as done."""
    return words.is_planned and any(len(title.intersection(words.titled)) >= KEY_TERMS for title in done)


def _of_latest_stage(
    titles: Sequence[_ScoredTitle],
    articles: Sequence[ArticleView],
    keys: Mapping[str, float],
    tuning: StoryTuning,
) -> tuple[list[_ScoredTitle], str]:
    """Return the titles of the latest stage and those of preferred outlets, and the outcome that it tells.

    All titles, if those of the latest stage are much worse.
    """
    scored = {one.article for one in titles}
    present = _without_past_plans([article for article in articles if article.id in scored], tuning)
    titles = [one for one in titles if one.article in {article.id for article in present}]
    stage = latest_stage(title_candidates(articles, tuning), keys, tuning)
    members = {article.id for article in stage.articles}
    of_stage = [one for one in titles if one.article in members and NEVER_PREFERRED.isdisjoint(one.faults)]
    if not stage.outcome or not of_stage:
        return list(titles), ""
    others = max(one.quality for one in titles)
    if max(one.quality for one in of_stage) < others - tuning.headline_stage_margin:
        return list(titles), ""
    least = min(one.preference for one in of_stage)
    return [one for one in titles if one in of_stage or one.preference < least], stage.outcome


def _agreements(articles: Sequence[ArticleView], tuning: StoryTuning) -> list[float]:
    """Return how much the reports of other outlets agree with each title, 0 to 2; nothing for few reports.

    It is the mean Dice coefficient with the other titles, plus the mean share of its heads that another
    report has in its title or the beginning of its lead. With two reports it would only say that they differ.
    """
    if len({_origin(article) for article in articles}) < tuning.headline_agree_reports:
        return []
    words = [_own_words(article) for article in articles]
    titled = [frozenset(each.titled) for each in words]
    stated = [frozenset(each.lead_words) for each in words]
    found = []
    for place, article in enumerate(articles):
        own = titled[place]
        others = [n for n, other in enumerate(articles) if _origin(other) != _origin(article)]
        dice = [2 * len(own & titled[n]) / max(1, len(own) + len(titled[n])) for n in others]
        shares = [len(own & stated[n]) / max(1, len(own)) for n in others]
        found.append((sum(dice) + sum(shares)) / len(others))
    return found


def _origin(article: ArticleView) -> str:
    return article.outlet_key or f"article {article.id}"


class _ArticleWords(NamedTuple):
    """The features of an article that do not depend on other articles. Heads are in order, each once."""

    titled: tuple[str, ...]  # heads of the title
    text_words: tuple[str, ...]  # the same by tokens, where case folding may differ
    lead_words: tuple[str, ...]  # of title and lead
    opening: tuple[str, ...]  # of the first sentence, or of the title where there is no lead
    length_share: float
    names: int
    faults: tuple[str, ...]
    tells_outcome: bool
    is_planned: bool  # tells what is to come, and no outcome
    penalty: float  # of the faults, loaded words and length
    casualties: tuple[tuple[str, float, str], ...]


def _own_words(article: ArticleView) -> _ArticleWords:
    return _read(
        article.title[:TITLE_CHARS], article.outlet, article.lead[:LEAD_CHARS], article.language, article.role
    )


# A headline is chosen for each added article: all others were read before.
@lru_cache(maxsize=1024)
def _read(raw: str, outlet: str | None, lead: str, language: str | None, role: Role) -> _ArticleWords:
    title = clean_title_text(raw, outlet)
    words = [token for token in tokens(title, language) if token.head]
    titled = heads(title, language)
    found = faults(raw, title, lead, role, language) if title else ()
    penalty = (
        sum(FAULTS[fault][0] for fault in found)
        + LOADED_WORD * max(0, loaded_words(title, language) - 1)
        + PROMOTION_WORD * len(_searched("promotion", language).findall(title))
        + COLON * (":" in title)
        + EXTRA_WORD * max(0, len(title.split()) - TITLE_WORDS)
    )
    return _ArticleWords(
        titled=tuple(titled),
        text_words=tuple(dict.fromkeys(token.head for token in words)),
        lead_words=tuple(titled | heads(lead, language)),
        opening=tuple(heads(lead[:OPENING_CHARS], language) if lead.strip() else titled),
        length_share=_length_share(title),
        names=_names(words),
        faults=found,
        tells_outcome=(is_done := tells_outcome(title, language)),
        is_planned=not is_done and not word_list(language, "pending").isdisjoint(title.lower().split()),
        penalty=penalty,
        casualties=tuple(
            (f.kind, f.stated[0], f.words) for f in figures_in(title, language) if f.kind in RISING
        ),
    )


def _length_share(title: str) -> float:
    """Return 1 for 45 to 90 characters, decreasing to 0 over 40 characters on either side."""
    outside = max(45 - len(title), len(title) - 90, 0)
    return max(0.0, 1 - outside / 40)


def _names(words: Sequence[WordToken]) -> int:
    return sum(1 for token in words[1:] if token.capital and token.lower not in words_of("not_names"))


# --- reasons for another title ------------------------------------------------------------------------------


def _with_reason(chosen: Headline, shown: str | None, reason: str) -> Headline:
    return chosen if shown is None or chosen.title == shown else chosen._replace(reason=reason)


def _why_gone(articles: Sequence[ArticleView], shown: str | None) -> str:
    """Return why the shown title is no candidate; that of a live blog is one only without reports."""
    titled = [article for article in articles if clean_title(article) == shown]
    if any(article.role == "container" for article in titled):
        return FAULTS["label"][1]
    if any(article.kind in OPINION_KINDS for article in titled):
        return OPINION
    return OPENING if any(_opening(article) == shown for article in articles) else GONE


def _changed_count(now: _ScoredTitle, scored: Sequence[_ScoredTitle], tuning: StoryTuning) -> Headline | None:
    """Return the latest title with another number of casualties than the shown one, if it is about as good.

    A number that differs by more than a factor of two must be in two titles.
    """
    counted = {kind: (number, words) for kind, number, words in now.casualties}
    later = [one for one in scored if one.place > now.place and one.preference <= now.preference]
    changed = []
    for one in later:
        for kind, number, words in one.casualties:
            if kind not in counted or one.quality < now.quality - tuning.headline_casualties_margin:
                continue
            before, words_before = counted[kind]
            titles = sum((kind, number) in [each[:2] for each in other.casualties] for other in later)
            factor = max(number, before) / max(1.0, min(number, before))
            if number != before and (factor <= tuning.headline_casualties_factor or titles > 1):
                changed.append((one.place, number, one, f"{words} {kind}, not {words_before}"))
    if not changed:
        return None
    _, _, one, words = max(changed, key=lambda each: (each[0], each[1], each[2].title))
    return Headline(one.title, one.article, f"it gives a later figure: {words}", can_wait=True)


def _better(now: _ScoredTitle, best: _ScoredTitle, margin: float, fault_margin: float) -> Headline | None:
    """Return `best` if better by `margin`, or by `fault_margin` if it lacks a fault of the shown one."""
    cured = [fault for fault in now.faults if fault not in best.faults and FAULTS[fault][0] >= GRAVE_FAULT]
    if best.title == now.title or best.quality - now.quality <= (fault_margin if cured else margin):
        return None
    gains = [
        (best.shares - now.shares, SHARES),
        (best.names - now.names, NAMES),
        (best.length - now.length, LENGTH),
        *((2 * FAULTS[fault][0], FAULTS[fault][1]) for fault in cured),  # agreement is up to 2
    ]
    return Headline(best.title, best.article, max(gains, key=lambda gain: gain[0])[1], can_wait=True)


def _from_lead(articles: Sequence[ArticleView], shown: str | None) -> str:
    """Return the first words of the oldest lead; shown ones stay while a lead begins with them."""
    with_lead = [article for article in articles if article.lead.strip()]
    if not with_lead:
        return ""
    if shown is not None and any(_opening(article) == shown for article in with_lead):
        return shown
    return _opening(min(with_lead, key=lambda a: (a.effective_at, a.id)))


def _opening(article: ArticleView) -> str:
    words = article.lead.split()
    return " ".join(words[:FIRST_WORDS]) + ("…" if len(words) > FIRST_WORDS else "")


# --- stages ------------------------------------------------------------------------------------------------

# A stage begins with a report whose title tells an outcome as done ("signs", "died", "was acquitted") that no
# earlier report tells as done, some hours after the beginning of the stage before. Outcomes are words of
# languages.yaml; one after "to", "will", "urges ... to" has not happened yet.

STAGE_LEAD_CHARS = 300  # about the first two sentences of a lead
OBJECT_WORDS = 3  # words after an outcome that may name what it is of: "the capture of Homs"
PENDING_WORDS = 3  # words before an outcome that may say that it has not happened
KEY_TERMS = 2  # of the story, which the title of a new stage has


class StoryStage(NamedTuple):
    """The reports from a new outcome on that tell it; `outcome` is "" for the first stage."""

    articles: list[ArticleView]
    outcome: str = ""


def latest_stage(
    articles: Sequence[ArticleView], keys: Mapping[str, float], tuning: StoryTuning
) -> StoryStage:
    """Return the latest stage of a story: `articles` by time, with titles; `keys` as `headline.key_terms`."""
    stated: set[str] = set()
    begun: dt.datetime | None = None
    stage = StoryStage(list(articles))
    for place, article in enumerate(articles):
        title = clean_title(article)
        done, in_title = _done(title, article.lead[:STAGE_LEAD_CHARS], article.language)
        new = [head for head in in_title if head not in stated]
        later = begun is not None and article.effective_at - begun >= dt.timedelta(
            hours=tuning.headline_stage_hours
        )
        if begun is None:
            begun = article.effective_at
        elif later and new and len(keys.keys() & heads(title, article.language)) >= KEY_TERMS:
            begun = article.effective_at
            members = [a for a in articles[place:] if in_title[new[0]] and new[0] in _done_heads(a)]
            stage = StoryStage(members, in_title[new[0]])
        stated |= done
    return stage


@lru_cache(maxsize=1024)
def tells_outcome(title: str, language: str | None) -> bool:
    """Whether the title tells an outcome as done."""
    return bool(_outcomes(title, language))


def _done_heads(article: ArticleView) -> frozenset[str]:
    return _done(clean_title(article), article.lead[:STAGE_LEAD_CHARS], article.language)[0]


@lru_cache(maxsize=1024)  # a story is read again with each report
def _done(title: str, lead: str, language: str | None) -> tuple[frozenset[str], dict[str, str]]:
    """Return the outcomes in title and lead stated as done; those of the title with words.

    An outcome is its head, and that with the name after it, if not all words are capitalized: "captur hom".
    """
    in_title = _outcomes(title, language)
    return frozenset(in_title) | frozenset(_outcomes(lead, language)), in_title


def _outcomes(text: str, language: str | None) -> dict[str, str]:
    outcomes, pending = _outcome_words(language), word_list(language, "pending")
    if language not in ELIDING and not SPACELESS.search(text):
        spelt = (word.lower() for word in PART.findall(text))
        if outcomes.keys().isdisjoint(word[:-2] if word.endswith(("'s", "’s")) else word for word in spelt):
            return {}  # as most sentences; their heads need ten times as long
    words = tokens(text, language)
    found: dict[str, str] = {}
    for place, token in enumerate(words):
        head = outcomes.get(token.lower)
        if not head:
            continue
        before = words[max(0, place - PENDING_WORDS) : place]
        if not any(one.lower in pending for one in before):
            in_capitals = sum(each.capital for each in words) > CAPITALS_SHARE * len(words)
            found.setdefault(head, token.lower)
            after = words[place + 1 : place + 1 + OBJECT_WORDS]
            named = next((one.head for one in after if one.capital and one.head and not in_capitals), "")
            found.setdefault(f"{head} {named}".rstrip(), token.lower)
    return found


@cache
def _outcome_words(language: str | None) -> dict[str, str]:
    return {word: head_of(word, language or "en") or word for word in word_list(language, "outcomes")}
