"""The title of a story: the best of its reports' own titles.

A title is good when it holds the words that the reports share most (the key terms), has a readable length and
names somebody, is fresh, and is no bait, no label and no shout. The weights were set by hand and judged on 30
stories against the title nearest to the centroid: same 14, better 10, tie 4, worse 2; the centroid likes the
average title: questions, "Video:", opinion.

Only titles and leads are read: a headline is chosen anew at every placement.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from aggregator.model import ArticleView, Role
from aggregator.stories.counts import with_originals
from aggregator.stories.lexicon import lexicon, words_of
from aggregator.stories.tuning import StoryRules, shipped_rules
from aggregator.stories.words import Token, heads, tokens

TITLE_CHARS = 300  # what is longer is no title, and bounds the work
LEAD_CHARS = 500  # two sentences of a lead, seldom more
OPENING_CHARS = 200  # the first sentence: news says there what it is about, columns and features do not
CUT_TAIL = re.compile(r"\s*[|»«·]\s*(?P<tail>[^|»«·]{0,40})$")
DASH_TAIL = re.compile(r"\s+[-–—]\s*(?P<tail>[^-–—]{1,40})$")
FRESHNESS_REPORTS = 8  # from so many on the newest has the whole share for freshness
FIRST_WORDS = 14  # of a lead, where a story has no title at all


def headline(articles: Sequence[ArticleView], shown: str | None, rules: StoryRules | None = None) -> str:
    """The best title of a story, without outlet names; "" only where there is neither title nor lead.

    `shown` is the headline that people see now: it stays unless another beats it by more than
    `headline_keep_margin`, or unless no report has it any longer.
    """
    rules = rules or shipped_rules()
    candidates = title_candidates(articles, rules.headline_titles)
    if not candidates:
        return _from_lead(articles)
    if len(candidates) == 1:
        return clean_title(candidates[0])
    keys = key_terms(candidates, rules.headline_key_terms)
    scored = [
        (_score(article, keys, rank), clean_title(article)) for rank, article in _by_freshness(candidates)
    ]
    best_score, best = max(scored, key=lambda pair: (pair[0], pair[1]))
    shown_scores = [score for score, title in scored if title == shown]
    if shown_scores and best_score - max(shown_scores) <= rules.headline_keep_margin:
        return shown or best
    return best


def title_candidates(articles: Sequence[ArticleView], cap: int) -> list[ArticleView]:
    """The articles whose titles are weighed: independent reports before others, the newest `cap`, by time.

    Of one text that many print, the original's title is weighed, whichever print arrived first.
    """
    present = {article.id for article in articles}
    copies = {a.id for a in with_originals(articles) if a.copy_of in present and a.role != "excerpt"}
    titled = [article for article in articles if clean_title(article)]
    for wanted in (
        [a for a in titled if a.role in ("report", "copy") and a.id not in copies],
        [a for a in titled if a.role in ("report", "copy", "container")],
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
def _key_terms(articles: tuple["_Words", ...], limit: int) -> dict[str, float]:
    in_reports: Counter[str] = Counter()
    in_titles: Counter[str] = Counter()
    for words in articles:
        in_titles.update(words.titled)
        in_reports.update(words.told)
    total = len(articles)
    least = min(2, total)
    weights = {
        head: reports / total * (1 + 0.5 * in_titles[head] / total)
        for head, reports in in_reports.items()
        if reports >= least and len(head) > 1
    }
    best = sorted(weights, key=lambda head: (-weights[head], head))[:limit]
    return {head: weights[head] for head in best}


def clean_title(article: ArticleView) -> str:
    """The title without the outlet's name and section behind a bar or dash."""
    return _clean_title(article.title[:TITLE_CHARS], article.outlet)


@lru_cache(maxsize=8192)
def _clean_title(title: str, outlet: str | None) -> str:
    title = " ".join(title.split())
    while cut := CUT_TAIL.search(title):
        if not title[: cut.start()].strip():
            break
        title = title[: cut.start()]
    tail = DASH_TAIL.search(title)
    if tail and title[: tail.start()].strip() and _is_outlet(tail["tail"].strip(), outlet):
        title = title[: tail.start()]
    return title.strip(" |»«·")


def _is_outlet(tail: str, outlet: str | None) -> bool:
    folded = re.sub(r"[^\w.]+", "", tail.casefold())
    own = re.sub(r"[^\w.]+", "", (outlet or "").casefold()).removeprefix("www.")
    if own and folded and (folded == own or folded == own.split(".")[0]):
        return True
    named = re.findall(r"[^\W\d_]+", tail)
    in_capitals = all(word[0].isupper() for word in named if len(word) > 3)
    return bool(named) and in_capitals and any(word.lower() in words_of("outlet_words") for word in named)


def _by_freshness(articles: Sequence[ArticleView]) -> list[tuple[float, ArticleView]]:
    """Articles with their rank in time: 0 for the oldest; in a small story one newer report weighs little."""
    last = max(FRESHNESS_REPORTS, len(articles) - 1)
    return [(position / last, article) for position, article in enumerate(articles)]


class _Words(NamedTuple):
    """What choosing asks of an article's own words, whoever else is in the story.

    Heads are in order, each once.
    """

    titled: tuple[str, ...]  # heads of the title
    said: tuple[str, ...]  # the same, as its tokens have them: a letter may fold otherwise
    told: tuple[str, ...]  # of title and lead
    opening: tuple[str, ...]  # of the first sentence
    length_share: float
    names: int
    penalties: float


def _own_words(article: ArticleView) -> _Words:
    return _read(
        article.title[:TITLE_CHARS], article.outlet, article.lead[:LEAD_CHARS], article.language, article.role
    )


# A story is told anew for each article that comes: all but that one were read before.
@lru_cache(maxsize=2048)
def _read(raw: str, outlet: str | None, lead: str, language: str | None, role: Role) -> _Words:
    title = _clean_title(raw, outlet)
    found = [token for token in tokens(title, language) if token.head]
    titled = heads(title, language)
    return _Words(
        titled=tuple(titled),
        said=tuple(dict.fromkeys(token.head for token in found)),
        told=tuple(titled | heads(lead, language)),
        opening=tuple(heads(lead[:OPENING_CHARS], language)),
        length_share=_length_share(title),
        names=_names(found),
        penalties=_penalties(raw, lead, role, title) if title else 0.0,
    )


def _score(article: ArticleView, keys: dict[str, float], freshness: float) -> float:
    words = _own_words(article)
    whole = sum(keys.values()) or 1.0
    held = [head for head in words.said if head in keys]
    coverage = sum(keys[head] for head in held) / whole
    density = len(held) / max(4, len(words.said))
    opening = set(words.opening)
    return (
        0.50 * coverage
        + 0.15 * density
        + 0.12 * words.length_share
        + 0.10 * min(2, words.names) / 2
        + 0.08 * freshness
        + 0.25 * (sum(weight for head, weight in keys.items() if head in opening) / whole)
        - words.penalties
    )


def _length_share(title: str) -> float:
    """1 for 45 to 90 characters, falling to 0 over 40 characters on either side."""
    outside = max(45 - len(title), len(title) - 90, 0)
    return max(0.0, 1 - outside / 40)


def _names(found: Sequence[Token]) -> int:
    return sum(1 for token in found[1:] if token.capital and token.lower not in words_of("not_names"))


@cache
def _patterns(kind: str) -> re.Pattern[str]:
    return re.compile("|".join(getattr(lexicon().headline, kind)), re.IGNORECASE)


def _penalties(raw: str, lead: str, role: Role, title: str) -> float:
    penalty = 0.0
    if _patterns("bait").search(title):
        penalty += 0.30
    if role == "container" or _patterns("label").search(raw):
        penalty += 0.25
    letters = [char for char in title if char.isalpha()]
    if len(letters) > 12 and sum(map(str.isupper, letters)) > 0.6 * len(letters):
        penalty += 0.20
    if re.fullmatch(r"[“\"'‘„«].*[”\"'’“»]\W*", title):
        penalty += 0.15
    elif title[:1] in "“\"'‘„«":
        penalty += 0.10
    if title.split(maxsplit=1)[0].lower() in {"he", "she", "they", "this", "it", "these"}:
        penalty += 0.12
    opening = lead.split(maxsplit=1)
    if opening and opening[0].lower() in words_of("leaning"):
        penalty += 0.12  # "She has slept for three hours.": a portrait or a column
    if title.count(": ") >= 2:
        penalty += 0.08
    return penalty


def _from_lead(articles: Sequence[ArticleView]) -> str:
    with_lead = [article for article in articles if article.lead.strip()]
    if not with_lead:
        return ""
    words = min(with_lead, key=lambda a: (a.effective, a.id)).lead.split()
    return " ".join(words[:FIRST_WORDS]) + ("…" if len(words) > FIRST_WORDS else "")
