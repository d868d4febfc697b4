"""The title of a story: the best of its reports' own titles.

A title is good when it holds the words that the reports share most (the key terms), has a readable length and
names somebody, is fresh, and is no bait, no label and no shout. The weights were set by hand and judged on 30
stories against the title nearest to the centroid: same 14, better 10, tie 4, worse 2; the centroid likes the
average title: questions, "Video:", opinion.

The shown title stays unless there is a reason for another one, which `Headline.reason` gives in words.

Only titles and leads are read: a headline is chosen anew at every placement.

What speaks against a headline: bait, label, shout, and what leans on something that is not said.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec
import yaml

from aggregator.extract.wire.agencies import outlet_key
from aggregator.model.core import ArticleView, Role
from aggregator.stories.counts import with_originals
from aggregator.stories.facts.figures import figures_in
from aggregator.stories.lexicon import words_of
from aggregator.stories.title_cleanup import TITLE_CHARS, clean_title, clean_title_text
from aggregator.stories.tuning import StoryTuning, shipped_tuning
from aggregator.stories.words import WordToken, heads, tokens

# How much each takes off a score that is seldom above 1, and how it is said. By hand, judged on 30 stories.
WEIGHTS: Mapping[str, float] = {
    "bait": 0.30,
    "label": 0.25,
    "capitals": 0.20,
    "quotation": 0.15,
    "opener": 0.12,
    "leaning": 0.12,
    "quote mark": 0.10,
    "colons": 0.08,
}
WORDS: Mapping[str, str] = {
    "bait": "the one before was a question or clickbait",
    "label": "the one before was a label or a live blog's",
    "capitals": "the one before was in capitals",
    "quotation": "the one before was only a quotation",
    "opener": "the one before did not say whom it meant",
    "leaning": "the one before was a column's or a portrait's",
    "quote mark": "the one before opened with a quotation",
    "colons": "the one before had two colons",
}
LETTERS = 12  # fewer capitals than this are an abbreviation or a name
SHOUTED = 0.6  # share of the letters
QUOTED = re.compile(r"[“\"'‘„«].*[”\"'’“»]\W*")


class FaultPatterns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language of faults.yaml."""

    bait: list[str]
    label: list[str]
    opener: list[str]


def faults(raw: str, title: str, lead: str, role: Role, language: str | None) -> tuple[str, ...]:
    """What speaks against `title`, by the keys of WEIGHTS; `raw` is the title before it was cleaned."""
    found = []
    if _searched("bait", language).search(title):
        found.append("bait")
    if role == "container" or _searched("label", language).search(raw):
        found.append("label")
    letters = [char for char in title if char.isalpha()]
    if len(letters) > LETTERS and sum(map(str.isupper, letters)) > SHOUTED * len(letters):
        found.append("capitals")
    if QUOTED.fullmatch(title):
        found.append("quotation")
    elif title[:1] in "“\"'‘„«":
        found.append("quote mark")
    if _searched("opener", language).search(title):
        found.append("opener")
    opening = lead.split(maxsplit=1)
    if opening and opening[0].lower() in words_of("leaning"):
        found.append("leaning")  # "She has slept for three hours.": a portrait or a column
    if title.count(": ") >= 2:
        found.append("colons")
    return tuple(found)


@cache
def _searched(kind: str, language: str | None) -> re.Pattern[str]:
    known = _by_language()
    own = known.get(language or "en")
    patterns = getattr(known["any"], kind) + ([] if own is None else getattr(own, kind))
    return re.compile("|".join(patterns) or r"(?!)", re.IGNORECASE)


@cache
def _by_language() -> dict[str, FaultPatterns]:
    """The file ships with the program, so that a wrong one is our mistake, not a user's."""
    raw: dict[str, Any] = yaml.safe_load(
        files("aggregator.stories").joinpath("faults.yaml").read_text(encoding="utf-8")
    )
    return msgspec.convert(raw, dict[str, FaultPatterns])


LEAD_CHARS = 500  # two sentences of a lead, seldom more
OPENING_CHARS = 200  # the first sentence: news says there what it is about, columns and features do not
FRESHNESS_REPORTS = 8  # from so many on the newest has the whole share for freshness
FIRST_WORDS = 14  # of a lead, where a story has no title at all
UNFIT = frozenset({"bait", "label"})  # such a title is not taken because of its outlet
RISING = frozenset({"dead", "injured", "infected", "displaced"})  # what is counted up while news goes on

GONE = "no report has the one before any longer"
PREFERRED = "a preferred outlet has one"
SHARES = "it covers more of what the reports share"
LENGTH = "it is complete and short enough to read"
NAMES = "it names who or where"
OPENING = "the one before was the beginning of a text"


class Headline(NamedTuple):
    """`article` has the title (None: the words of a lead); `reason` says why it is not the one before."""

    title: str
    article: str | None = None
    reason: str | None = None  # None: nothing was shown before, or the same


def headline(
    articles: Sequence[ArticleView],
    shown: str | None,
    tuning: StoryTuning | None = None,
    prefer: Sequence[str] = (),
) -> Headline:
    """The best title of a story, without outlet names; "" only where there is neither title nor lead.

    `shown` is the headline that people see now; `prefer` are the outlets whose titles go before others, the
    first before the second. Articles in any order.
    """
    tuning = tuning or shipped_tuning()
    titled = _titled(articles, shown, tuning, prefer)
    if not titled:
        return _with_reason(Headline(_from_lead(articles, shown)), shown, GONE)
    keys = key_terms(titled, tuning.headline_key_terms)
    scored = _score_titles(titled, keys, prefer)
    first = min(one.preference for one in scored)
    held = [one for one in scored if one.title == shown]
    if not held:
        best = max((one for one in scored if one.preference == first), key=lambda one: (one.fresh, one.title))
        return _with_reason(Headline(best.title, best.article), shown, _why_gone(articles, shown))
    now = max(held, key=lambda one: (-one.preference, one.quality, one.article))
    best = max((one for one in scored if one.preference == first), key=lambda one: (one.quality, one.title))
    if first < now.preference:
        return Headline(best.title, best.article, PREFERRED)
    margin = tuning.headline_keep_margin * (1 + tuning.headline_few_titles / len(scored))
    return (
        _higher_count(now, scored, tuning)
        or _better(now, best, margin, tuning.headline_fault_margin)
        or Headline(now.title, now.article)
    )


def title_candidates(articles: Sequence[ArticleView], cap: int) -> list[ArticleView]:
    """The articles whose titles are weighed: independent reports before others, the newest `cap`, by time.

    Of one text that many print, the original's title is weighed, whichever print arrived first.
    """
    present = {article.id for article in articles}
    copies = {a.id for a in with_originals(articles) if a.copy_of in present and a.role != "excerpt"}
    titled = [article for article in articles if clean_title(article)]
    for wanted in (
        [a for a in titled if a.role in ("report", "copy") and a.id not in copies],
        [a for a in titled if a.role in ("report", "copy")],
        [a for a in titled if a.role == "container"],
    ):
        if wanted:
            titled = wanted
            break
    newest = sorted(titled, key=lambda a: (a.effective, a.id), reverse=True)[:cap]
    return newest[::-1]


def key_terms(articles: Sequence[ArticleView], limit: int) -> dict[str, float]:
    """What the story is about: the `limit` heads shared by most titles and leads, with their weights.

    Weight: share of reports x (1 + half the share of titles). Only heads that two reports have; the title's
    own where there is one report. Ties go by the word.
    """
    return dict(_key_terms(tuple(_own_words(article) for article in articles), limit))


@lru_cache(maxsize=4)  # headline and summary ask for the same articles, one after the other
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


# --- whose titles ------------------------------------------------------------------------------------------


def _titled(
    articles: Sequence[ArticleView], shown: str | None, tuning: StoryTuning, prefer: Sequence[str]
) -> list[ArticleView]:
    """Those that are weighed, by time: the candidates, those of preferred outlets, and who has `shown`.

    An outlet that is preferred may print an agency's text; and the shown title is not forgotten because 24
    newer ones came, or because its text turned out to be a copy.
    """
    chosen = {article.id: article for article in title_candidates(articles, tuning.headline_titles)}
    wanted = _ranks(prefer)
    for article in articles:
        if article.id in chosen or article.role not in ("report", "copy") or not article.title:
            continue
        is_preferred = bool(wanted) and article.outlet is not None and outlet_key(article.outlet) in wanted
        if is_preferred or (shown is not None and clean_title(article) == shown):
            chosen[article.id] = article
    return sorted(chosen.values(), key=lambda a: (a.effective, a.id))


def _ranks(prefer: Sequence[str]) -> dict[str, int]:
    ranks: dict[str, int] = {}
    for place, outlet in enumerate(prefer):
        ranks.setdefault(outlet_key(outlet), place)
    return ranks


# --- how good they are -------------------------------------------------------------------------------------


class _ScoredTitle(NamedTuple):
    """A title and what it is worth. `fresh` is `quality` and the share for being new."""

    title: str
    article: str
    preference: int  # 0: of the outlet that is preferred first
    quality: float
    fresh: float
    shares: float  # of the quality: key terms
    length: float  # ... its length
    names: float  # ... whom it names
    faults: tuple[str, ...]
    casualties: tuple[tuple[str, float, str], ...]  # what is counted, how many, in which words
    place: int  # in time


def _score_titles(
    articles: Sequence[ArticleView], keys: dict[str, float], prefer: Sequence[str]
) -> list[_ScoredTitle]:
    ranks = _ranks(prefer)
    last = max(FRESHNESS_REPORTS, len(articles) - 1)  # in a small story one newer report weighs little
    whole = sum(keys.values()) or 1.0
    found = []
    for place, article in enumerate(articles):
        words = _own_words(article)
        held = [head for head in words.text_words if head in keys]
        opening = set(words.opening)
        shares = (
            0.50 * sum(keys[head] for head in held) / whole
            + 0.15 * len(held) / max(4, len(words.text_words))
            + 0.25 * sum(weight for head, weight in keys.items() if head in opening) / whole
        )
        length, names = 0.12 * words.length_share, 0.10 * min(2, words.names) / 2
        quality = shares + length + names - sum(WEIGHTS[fault] for fault in words.faults)
        preference = len(ranks)
        if ranks and article.outlet is not None and not UNFIT.intersection(words.faults):
            preference = ranks.get(outlet_key(article.outlet), preference)
        found.append(
            _ScoredTitle(
                title=clean_title(article),
                article=article.id,
                preference=preference,
                quality=quality,
                fresh=quality + 0.08 * place / last,
                shares=shares,
                length=length,
                names=names,
                faults=words.faults,
                casualties=words.casualties,
                place=place,
            )
        )
    return found


class _ArticleWords(NamedTuple):
    """What choosing asks of an article's own words, whoever else is in the story.

    Heads are in order, each once.
    """

    titled: tuple[str, ...]  # heads of the title
    text_words: tuple[str, ...]  # the same, as its tokens have them: a letter may fold otherwise
    lead_words: tuple[str, ...]  # of title and lead
    opening: tuple[str, ...]  # of the first sentence; of the title where there is no text
    length_share: float
    names: int
    faults: tuple[str, ...]
    casualties: tuple[tuple[str, float, str], ...]


def _own_words(article: ArticleView) -> _ArticleWords:
    return _read(
        article.title[:TITLE_CHARS], article.outlet, article.lead[:LEAD_CHARS], article.language, article.role
    )


# A story is told anew for each article that comes: all but that one were read before.
@lru_cache(maxsize=1024)
def _read(raw: str, outlet: str | None, lead: str, language: str | None, role: Role) -> _ArticleWords:
    title = clean_title_text(raw, outlet)
    found = [token for token in tokens(title, language) if token.head]
    titled = heads(title, language)
    return _ArticleWords(
        titled=tuple(titled),
        text_words=tuple(dict.fromkeys(token.head for token in found)),
        lead_words=tuple(titled | heads(lead, language)),
        opening=tuple(heads(lead[:OPENING_CHARS], language) if lead.strip() else titled),
        length_share=_length_share(title),
        names=_names(found),
        faults=faults(raw, title, lead, role, language) if title else (),
        casualties=tuple(
            (f.kind, f.stated[0], f.words) for f in figures_in(title, language) if f.kind in RISING
        ),
    )


def _length_share(title: str) -> float:
    """1 for 45 to 90 characters, falling to 0 over 40 characters on either side."""
    outside = max(45 - len(title), len(title) - 90, 0)
    return max(0.0, 1 - outside / 40)


def _names(found: Sequence[WordToken]) -> int:
    return sum(1 for token in found[1:] if token.capital and token.lower not in words_of("not_names"))


# --- whether there is a reason for another one -------------------------------------------------------------


def _with_reason(chosen: Headline, shown: str | None, reason: str) -> Headline:
    return chosen if shown is None or chosen.title == shown else chosen._replace(reason=reason)


def _why_gone(articles: Sequence[ArticleView], shown: str | None) -> str:
    """A live blog names a story only while there is no report."""
    if any(article.role == "container" and clean_title(article) == shown for article in articles):
        return WORDS["label"]
    return OPENING if any(_opening(article) == shown for article in articles) else GONE


def _higher_count(now: _ScoredTitle, scored: Sequence[_ScoredTitle], tuning: StoryTuning) -> Headline | None:
    """A later title that counts more dead than the shown one, where it is about as good."""
    if not now.casualties:
        return None
    counted = {kind: (number, words) for kind, number, words in now.casualties}
    rising = []
    for one in scored:
        if one.preference > now.preference or one.place <= now.place:
            continue
        if one.quality < now.quality - tuning.headline_toll_margin:
            continue
        for kind, number, words in one.casualties:
            if kind in counted and number > counted[kind][0]:
                rising.append((one.place, number, one, f"{words} {kind}, not {counted[kind][1]}"))
    if not rising:
        return None
    _, _, one, words = max(rising, key=lambda each: (each[0], each[1], each[2].title))
    return Headline(one.title, one.article, f"it gives a later figure: {words}")


def _better(now: _ScoredTitle, best: _ScoredTitle, margin: float, fault_margin: float) -> Headline | None:
    """`best` where it is clearly better; less is asked where the shown one has a fault that it has not."""
    cured = [fault for fault in now.faults if fault not in best.faults]
    if best.title == now.title or best.quality - now.quality <= (fault_margin if cured else margin):
        return None
    gains = [
        (best.shares - now.shares, SHARES),
        (best.names - now.names, NAMES),
        (best.length - now.length, LENGTH),
        *((WEIGHTS[fault], WORDS[fault]) for fault in cured),
    ]
    return Headline(best.title, best.article, max(gains, key=lambda gain: gain[0])[1])


def _from_lead(articles: Sequence[ArticleView], shown: str | None) -> str:
    """The first words of the oldest lead; those that are shown stay as long as one begins so."""
    with_lead = [article for article in articles if article.lead.strip()]
    if not with_lead:
        return ""
    if shown is not None and any(_opening(article) == shown for article in with_lead):
        return shown
    return _opening(min(with_lead, key=lambda a: (a.effective, a.id)))


def _opening(article: ArticleView) -> str:
    words = article.lead.split()
    return " ".join(words[:FIRST_WORDS]) + ("…" if len(words) > FIRST_WORDS else "")
