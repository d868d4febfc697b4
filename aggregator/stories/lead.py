"""The lead of a story: the opening of one report, whose first sentences are the summary in lists.

The report is chosen by the words of the title in its first sentence, by its time, and by the likeness of its
opening to those of all reports, which a reaction or a quip lacks. All sentences are of one report: in a blind test,
an editor preferred that to adding a second report's lead in 35 of 44 stories
(docs/decisions/0050-plain-stories.md).
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile

from aggregator.model.article import ArticleView
from aggregator.stories.openings import (
    Opening,
    OpeningSentence,
    is_confirmed,
    openings_of,
)
from aggregator.stories.story_tuning import StoryTuning, shipped_tuning
from aggregator.stories.story_words import dice, heads
from aggregator.stories.titles.title_scores import style_cost
from aggregator.stories.titles.title_text import clean_title
from aggregator.text.lines import count_words
from aggregator.text.tokens import PART

# Likeness to its own opening counts so much less in a lead (0: 8 of 149 leads fewer right; 1: ROUGE-1 -.3)
OWN_LESS = 0.5
# A person at the beginning of a sentence; only in English are other nouns small
PERSON = re.compile(
    r"(?!The )[A-Z][\w.-]+ (?:[A-Z]\. )?(?:[A-Z]\w*-)?(?P<surname>[A-Z]\w+)(?! [A-Z])"
)
# Kinds that open with something else than the news; beside a report their openings are not the lead
OTHER_OPENINGS = {"list", "preview"}
# With fewer openings, a person that no other opening names may be the news itself
EXAMPLE_OPENINGS = 3
# The cost of each unit of style in a lead (stories/titles/title_scores.py)
STYLE_COST = 0.3


def summary(
    articles: Sequence[ArticleView],
    max_words: int,
    tuning: StoryTuning | None = None,
    shown_title: str | None = None,
) -> str:
    """Return the first sentences of the lead, of `max_words` words; a longer first sentence is cut."""
    lead = _lead(articles, max_words, tuning or shipped_tuning(), shown_title)
    if lead is None:
        return ""
    text = " ".join(" ".join(lead[1]).split())
    if count_words(text) <= max_words:
        return text
    cut = " ".join(text.split()[:max_words])
    while count_words(cut) > max_words:  # a script without spaces
        cut = cut[: 2 * max_words][:-1]
    return cut.rstrip(" ,;:–—-") + "…"


def lead_of(
    articles: Sequence[ArticleView], tuning: StoryTuning, shown_title: str | None
) -> tuple[ArticleView, str] | None:
    """Return the report whose opening is the lead, and its first sentence to show, word for word."""
    lead = _lead(articles, 1, tuning, shown_title)
    return lead and (lead[0], lead[1][0])


def _lead(
    articles: Sequence[ArticleView],
    max_words: int,
    tuning: StoryTuning,
    shown_title: str | None,
) -> tuple[ArticleView, list[str]] | None:
    """Return the report whose opening is the lead, and its first sentences of at most `max_words` words.

    The report and its first sentence, which alone may be longer, do not depend on `max_words`. None if no article
    may be quoted; articles with `nosnippet` never are. The lead ends before a sentence that nobody confirms.
    """
    openings = openings_of(articles, tuning, shown_title)
    if not openings or max_words <= 0:
        return None
    newest = max(opening.article.effective_at for opening in openings)
    old = dt.timedelta(hours=tuning.summary_old_hours)
    is_reported = any(opening.article.kind == "report" for opening in openings)
    words = {opening.article.id: _words_of(opening.sentences) for opening in openings}

    def rank(opening: Opening) -> tuple[bool, bool, float, dt.datetime, str]:
        article, begin = opening.article, _begin(opening, tuning.summary_words)
        titled = heads(shown_title or clean_title(article), article.language).keys()
        first = heads(begin[0].text, article.language).keys()
        begun = _words_of(begin)
        # The mean F1 of words, as ROUGE-1 counts them, with all openings
        likeness = sum(dice(begun, other) for other in words.values())
        likeness -= OWN_LESS * dice(begun, words[article.id])
        likeness /= len(words) - OWN_LESS
        score = (
            len(titled & first) / max(1, len(titled))
            + tuning.summary_likeness_weight * likeness
            - STYLE_COST * style_cost(article)
        )
        if newest - article.effective_at >= old:
            score -= tuning.summary_old_cost
        # If an outlet took its article back, the story says so first.
        is_withdrawal = article.kind == "withdrawal"
        is_other = is_reported and article.kind in OTHER_OPENINGS
        tells_news = not (
            is_other or _begins_with_example(opening, openings, shown_title)
        )
        return is_withdrawal, tells_news, score, article.effective_at, article.id

    best = openings[0]
    if len(openings) > 1:
        best = max(openings, key=rank)
    first, *further = (sentence.text for sentence in _begin(best, max_words))
    reports = [opening.article for opening in openings]
    confirmed = takewhile(
        lambda sentence: is_confirmed(sentence, best.article, reports), further
    )
    return best.article, [first, *confirmed]


def _begins_with_example(
    opening: Opening, openings: Sequence[Opening], shown_title: str | None
) -> bool:
    """Return whether an opening begins with a person whom neither the title nor any other opening names.

    It tells an example or a reaction: "Ann Boll used to sit down at her kitchen table ...".
    """
    person = PERSON.match(opening.sentences[0].text)
    if (
        person is None
        or len(openings) < EXAMPLE_OPENINGS
        or (opening.article.language or "en") != "en"
    ):
        return False
    others = [shown_title or ""]
    for other in openings:
        if other is not opening:
            others += [sentence.text for sentence in other.sentences]
    return not any(person["surname"] in text for text in others)


def _begin(opening: Opening, max_words: int) -> list[OpeningSentence]:
    """Return the first sentence of an opening, and those after it that can be shown, of `max_words` words."""
    first, *further = opening.sentences
    begin, words = [first], first.words
    for sentence in further:
        words += sentence.words
        if sentence.is_bad or words > max_words:
            break
        begin.append(sentence)
    return begin


def _words_of(sentences: Sequence[OpeningSentence]) -> frozenset[str]:
    """Return all words, each with its number, so that common words of two texts are counted."""
    numbered: list[str] = []
    text = " ".join(sentence.text for sentence in sentences).lower()
    for word, count in Counter(PART.findall(text)).items():
        numbered += [f"{word} {number}" for number in range(count)]
    return frozenset(numbered)
