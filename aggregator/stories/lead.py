"""The lead of a story: the opening of one report, whose first sentences are the summary in lists.

The report is chosen by the words of the title in its first sentence, by how much its opening is like those of
all reports, which a reaction or a quip is not, and by its time. All sentences are of one report: an editor
preferred that to a second one's lead in 35 of 44 stories, blind (docs/decisions/0050-plain-stories.md).
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import NamedTuple

from aggregator.model.core import OPINION_KINDS, ArticleView
from aggregator.stories.counts import with_originals
from aggregator.stories.lexicon import clean_title, word_list
from aggregator.stories.sentences import front_matter, leans, without_heading
from aggregator.stories.title import title_candidates
from aggregator.stories.tuning import StoryTuning, shipped_tuning
from aggregator.stories.words import dice, heads
from aggregator.text.lines import count_words
from aggregator.text.sentences import sentences_of
from aggregator.text.tokens import PART

OPENING_SENTENCES = 4  # of a report (5: no gain on 1,000 events)
# After these a report begins
NO_BEGINNING = ("caption", "credit", "promotion", "post", "characters")
REPORTS = 8  # the newest of more
# Of the weight of likeness to the own opening (0: 8 of 149 leads fewer right; 1: ROUGE-1 -.3)
OWN_LESS = 0.5
SURNAME = re.compile(r"(?:(?:Mr|Mrs|Ms)\. )?(?P<name>[A-Z][\w'’-]+) (?P<verb>\w+)")


def summary(
    articles: Sequence[ArticleView],
    max_words: int,
    tuning: StoryTuning | None = None,
    shown_title: str | None = None,
) -> str:
    """Return the first sentences of the lead, of `max_words` words; a first one that is longer is cut."""
    lead = _lead(articles, max_words, tuning or shipped_tuning(), shown_title)
    if lead is None:
        return ""
    text = " ".join(" ".join(lead[1]).split())
    return text if count_words(text) <= max_words else _cut(text, max_words)


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

    The report and its first sentence, which alone may have more, do not depend on `max_words`. None without
    an article that may be quoted: those with `nosnippet` never are.
    """
    openings = _openings(articles, tuning, shown_title)
    if not openings or max_words <= 0:
        return None
    newest = max(opening.article.effective_at for opening in openings)
    words = {opening.article.id: _words_of(opening.sentences) for opening in openings}

    def rank(opening: Opening) -> tuple[float, dt.datetime, str]:
        article = opening.article
        begin = _begin(opening, tuning.summary_words)
        titled = heads(shown_title or clean_title(article), article.language).keys()
        score = len(titled & heads(begin[0].text, article.language).keys()) / max(
            1, len(titled)
        )
        likeness = _likeness(_words_of(begin), words[article.id], words.values())
        score += tuning.summary_likeness_weight * likeness
        is_old = newest - article.effective_at >= dt.timedelta(
            hours=tuning.summary_old_hours
        )
        # Of these the newest may lead, if it tells most
        if is_old or article.kind in OPINION_KINDS:
            score -= tuning.summary_old_cost
        return score, article.effective_at, article.id

    best = max(openings, key=rank) if len(openings) > 1 else openings[0]
    return best.article, [sentence.text for sentence in _begin(best, max_words)]


def _cut(text: str, max_words: int) -> str:
    cut = " ".join(text.split()[:max_words])
    while count_words(cut) > max_words:  # a script without spaces
        cut = cut[: 2 * max_words][:-1]
    return cut.rstrip(" ,;:–—-") + "…"


# --- openings of reports -----------------------------------------------------------------------------------


class OpeningSentence(NamedTuple):
    """A sentence of an opening."""

    text: str
    words: int
    is_bad: bool  # cannot be shown
    opens: bool  # can be shown first: does not refer to the sentence before it either


class Opening(NamedTuple):
    """The first sentences of a report, from the one on that can be shown first, if there is one."""

    article: ArticleView
    sentences: Sequence[OpeningSentence]


def _openings(
    articles: Sequence[ArticleView], tuning: StoryTuning, shown_title: str | None
) -> list[Opening]:
    """Return the openings that may be quoted: of reports, those that can be shown first, if there are any.

    An article that is alone opens as its author has it: no other report tells better what it is about.
    """
    articles = with_originals(articles)
    is_alone = len(articles) == 1
    quotable = [
        article
        for article in articles
        if article.lead.strip() and not article.nosnippet
    ]
    leads = " ".join(article.lead for article in quotable)
    openings, others = [], []
    for article in title_candidates(quotable, tuning, attrgetter("lead")):
        title = clean_title(article)
        sentences = _read(article.lead, article.language, title, is_alone=is_alone)
        if is_alone:
            return [Opening(article, sentences)]
        known = shown_title or title
        for place, sentence in enumerate(sentences):
            if sentence.opens and not _has_bare_surname(
                sentence.text, known, leads, article.language
            ):
                openings.append(Opening(article, sentences[place:]))
                break
        else:
            others.append(Opening(article, sentences))
    return (openings or others)[-REPORTS:]


def _has_bare_surname(
    sentence: str, title: str, leads: str, language: str | None
) -> bool:
    """Whether a sentence opens with a surname alone that the title lacks: "Mr. Boll", "Boll said".

    A word is a surname if it has a first name somewhere in the `leads`, and stands there in no small letters:
    "Police said" is no person, though a "Capitol Police" exists.
    """
    match = SURNAME.match(sentence)
    if (
        match is None
        or match["name"] in title
        or re.search(rf"\b{match['name'].lower()}\b", leads)
    ):
        return False
    is_introduced = (
        re.search(rf"[A-Z][\w.’-]{{1,30}} {match['name']}\b", leads) is not None
    )
    return is_introduced and (
        "." in match.group() or match["verb"] in word_list(language, "quoting")
    )


@lru_cache(maxsize=2048)  # at placing, and again when the story is rendered
def _read(
    lead: str, language: str | None, title: str, *, is_alone: bool
) -> tuple[OpeningSentence, ...]:
    """Return the first sentences of an opening; of one without any its text.

    `is_alone`: of a story of one article, which may speak of itself and ask questions.
    """
    split = list(chain.from_iterable(sentences_of(lead))) or [" ".join(lead.split())]
    texts = [without_heading(text, title) for text in split]
    while len(texts) > 1 and front_matter(texts[0], language) in NO_BEGINNING:
        del texts[0]  # a caption or a label: the report begins after it
    sentences = []
    for text in texts[:OPENING_SENTENCES]:
        reason = front_matter(text, language)
        is_bad = reason in NO_BEGINNING if is_alone else reason is not None
        opens = not is_bad and not leans(text, language)
        sentences.append(OpeningSentence(text, count_words(text), is_bad, opens))
    return tuple(sentences)


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


# --- the choice --------------------------------------------------------------------------------------------


def _words_of(sentences: Sequence[OpeningSentence]) -> frozenset[str]:
    """Return all words, each with its number, so that common words of two texts are counted."""
    numbered: list[str] = []
    text = " ".join(sentence.text for sentence in sentences).lower()
    for word, count in Counter(PART.findall(text)).items():
        numbered += [f"{word} {number}" for number in range(count)]
    return frozenset(numbered)


def _likeness(
    words: frozenset[str], own: frozenset[str], openings: Collection[frozenset[str]]
) -> float:
    """Return the mean F1 of words, as ROUGE-1 counts them, with openings; less with their `own`."""
    total = sum(dice(words, opening) for opening in openings) - OWN_LESS * dice(
        words, own
    )
    return total / (len(openings) - OWN_LESS)
