"""The summary of a story, whose first sentence is the lead of its page: the opening of one report.

The report is chosen by the words of the title in its first sentence, and by how much of what all reports open
with the summary tells. Further sentences of the report follow where they tell more of that. All are of one
report: an editor preferred that to a second one's lead in 35 of 44 stories, blind (docs/evaluation.md).
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from aggregator.model.core import ArticleView, Passage
from aggregator.stories.lexicon import clean_title
from aggregator.stories.sentences import front_matter, leans, without_heading
from aggregator.stories.title import title_candidates
from aggregator.stories.tuning import StoryTuning, shipped_tuning
from aggregator.stories.words import dice, heads
from aggregator.text.lines import count_words
from aggregator.text.sentences import sentences_of
from aggregator.text.tokens import PART

OPENING_SENTENCES = 4  # of a report (5: no gain on 1,000 events)
NO_BEGINNING = ("caption", "credit", "promotion", "post", "characters")  # after these a report begins
REPORTS = 8  # the newest of more


def summary(
    articles: Sequence[ArticleView],
    max_words: int,
    tuning: StoryTuning | None = None,
    shown_title: str | None = None,
) -> str:
    """Return the text of `summary_sentences`; a first sentence that is too long is cut ("…")."""
    said = summary_sentences(articles, max_words, tuning, shown_title)
    text = " ".join(" ".join(one.text.split()) for one in said)
    return text if count_words(text) <= max_words else _cut(text, max_words)


def summary_sentences(
    articles: Sequence[ArticleView],
    max_words: int,
    tuning: StoryTuning | None = None,
    shown_title: str | None = None,
) -> tuple[Passage, ...]:
    """Return the sentences of the summary, in order, of one report.

    The first one is the same whatever `max_words`, and alone may have more. Articles with `nosnippet` are
    never quoted.
    """
    tuning = tuning or shipped_tuning()
    openings = openings_of(articles, tuning) if max_words > 0 else []
    if not openings:
        return ()
    choices = [(n, said) for n, one in enumerate(openings) for said in choices_of(one, max_words)]
    n, said = choices[-1]  # of one opening the longest is most like it
    if len(openings) > 1:
        numbered = [_numbered(opening.sentences) for opening in openings]
        leads = [_title_share(opening, shown_title) for opening in openings]

        def rank(choice: tuple[int, Choice]) -> tuple[float, dt.datetime, str]:
            n, said = choice
            score = leads[n] + tuning.summary_likeness_weight * likeness(said, n, numbered)
            return score, openings[n].article.effective_at, openings[n].article.id

        n, said = max(choices, key=rank)
    report = openings[n].article
    return tuple(Passage(text=sentence.text, article_id=report.id) for sentence in said)


def _cut(text: str, max_words: int) -> str:
    words = text.split()
    cut = " ".join(words[:max_words]) if len(words) > 1 else text  # one word: a script without spaces
    while count_words(cut) > max_words:
        cut = cut[: min(len(cut) - 1, 2 * max_words)]
    return cut.rstrip(" ,;:–—-") + "…"


# --- openings of reports -----------------------------------------------------------------------------------


class OpeningSentence(NamedTuple):
    """A sentence of an opening."""

    text: str
    words: int
    is_bad: bool  # cannot be shown
    opens: bool  # can be shown first: does not refer to the sentence before it either
    place: int


class Opening(NamedTuple):
    """The first sentences of a report; `lead` is the one that can be shown first."""

    article: ArticleView
    sentences: tuple[OpeningSentence, ...]
    lead: OpeningSentence


Choice = tuple[OpeningSentence, ...]  # of a summary: the lead of an opening, and what follows it


def openings_of(articles: Sequence[ArticleView], tuning: StoryTuning) -> list[Opening]:
    """Return the openings that may be quoted: of reports, those that can be shown first, if there are any."""
    with_lead = [article for article in articles if article.lead.strip() and not article.nosnippet]
    quotable = title_candidates(with_lead, tuning) or with_lead
    found = [_opening(article) for article in quotable]
    return ([one for one in found if one.lead.opens] or found)[-REPORTS:]


def _opening(article: ArticleView) -> Opening:
    sentences = _read(article.lead, article.language, clean_title(article))
    lead = next((sentence for sentence in sentences if sentence.opens), sentences[0])
    return Opening(article, sentences, lead)


def _numbered(sentences: Iterable[OpeningSentence]) -> frozenset[str]:
    """Return all words, each repeated one with its number, so that common words of two texts are counted."""
    count: dict[str, int] = {}
    numbered = []
    for word in PART.findall(" ".join(sentence.text for sentence in sentences).lower()):
        count[word] = number = count.get(word, 0) + 1
        numbered.append(f"{word} {number}" if number > 1 else word)
    return frozenset(numbered)


@lru_cache(maxsize=256)  # all leads but the newest were read before
def _read(lead: str, language: str | None, title: str) -> tuple[OpeningSentence, ...]:
    """Return the first sentences of an opening; of one without any its text."""
    split = [text for paragraph in sentences_of(lead) for text in paragraph] or [" ".join(lead.split())]
    texts = [without_heading(text, title) for text in split]
    while len(texts) > 1 and front_matter(texts[0], language) in NO_BEGINNING:
        del texts[0]  # a caption or a label: the report begins after it
    texts = texts[:OPENING_SENTENCES]
    bad = {text for text in texts if front_matter(text, language) not in (None, "few words")}
    return tuple(
        OpeningSentence(
            text=text,
            words=count_words(text),
            is_bad=text in bad,
            opens=text not in bad and not leans(text, language),
            place=place,
        )
        for place, text in enumerate(texts)
    )


# --- the choice --------------------------------------------------------------------------------------------


def _title_share(opening: Opening, shown_title: str | None) -> float:
    """Return the share of the words of the shown title, or of its own, that the first sentence has."""
    language = opening.article.language
    titled = heads(shown_title or clean_title(opening.article), language)
    return len(heads(opening.lead.text, language).keys() & titled.keys()) / max(1, len(titled))


def choices_of(opening: Opening, max_words: int) -> Iterator[Choice]:
    """Yield the lead of a report, alone and with sentences that follow it, of at most `max_words` words."""
    chosen: Choice = (opening.lead,)
    yield chosen
    for sentence in opening.sentences[opening.lead.place + 1 :]:
        too_long = sum(one.words for one in (*chosen, sentence)) > max_words
        if too_long or sentence.is_bad:
            return
        yield (chosen := (*chosen, sentence))


def likeness(said: Choice, own: int, openings: Sequence[frozenset[str]]) -> float:
    """Return the mean F1 of the words, as ROUGE-1 counts them, with those of openings, its `own` at half.

    It grows with further sentences that the other openings tell; of a single report, with its own.
    """
    words = _numbered(said)
    weights = [0.5 if n == own else 1.0 for n in range(len(openings))]
    alike = [weight * dice(words, one) for weight, one in zip(weights, openings, strict=True)]
    return sum(alike) / sum(weights)


def lead_of(articles, tuning, shown_title):
    said = summary_sentences(articles, tuning.summary_words, tuning, shown_title)
    if not said:
        return None
    by = {a.id: a for a in articles}
    return by[said[0].article_id], said[0].text
