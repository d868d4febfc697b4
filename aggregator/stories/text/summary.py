"""The summary of a story, which is also the lead of its merged text: the opening of one report.

The beginnings of all reports are compared. What most of them tell counts; sentences that
cannot stand where they are (a caption, a quotation without speaker, "He ...") cost. A clean first sentence of
a second report follows where it brings what the reports share and the first report lacks.
"""

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from aggregator.extract.wire.agencies import agency_of
from aggregator.model.core import ArticleView, AttributedSentence
from aggregator.stories.facts.outcomes import tells_outcome
from aggregator.stories.facts.standalone_sentences import (
    QUOTATION_MARKS,
    front_matter,
    leans,
    without_dateline,
    without_heading,
)
from aggregator.stories.headline import loaded_words, title_candidates
from aggregator.stories.lexicon import clean_title
from aggregator.stories.tuning import StoryTuning, shipped_tuning
from aggregator.stories.words import heads
from aggregator.text.lines import count_words
from aggregator.text.sentences import paragraphs, split_sentences
from aggregator.text.tokens import PART

WORD_CHARS = 40  # characters read for each word; more than any language needs on average
OPENING_SENTENCES = 4  # of a report (5: no gain on 1,000 events)
SHORT_WORDS = 32  # of one of two sentences of two reports (28: ROUGE-1 -.05; all: readers preferred it less)
NO_BEGINNING = ("caption", "credit", "promotion", "post", "characters")  # after these a report begins
REPORTS = 8  # the most central of more
ROUNDING = 1e-9  # above the rounding errors of a score


def summary(
    articles: Sequence[ArticleView],
    max_words: int,
    tuning: StoryTuning | None = None,
    shown_title: str | None = None,
) -> str:
    """Return the text of `summary_sentences`, or the beginning of a first sentence that is too long ("…")."""
    quotable = _quotable(articles, tuning or shipped_tuning())
    if len(quotable) == 1:
        return lead_within(quotable[0].lead, max_words)
    said = summary_sentences(articles, max_words, tuning, shown_title)
    if said:
        return " ".join(" ".join(one.text.split()) for one in said)
    for article in quotable:
        if text := lead_within(article.lead, max_words):
            return text
    return ""


def summary_sentences(
    articles: Sequence[ArticleView],
    max_words: int,
    tuning: StoryTuning | None = None,
    shown_title: str | None = None,
) -> tuple[AttributedSentence, ...]:
    """Return the sentences of the summary, in order, of one or two reports, with `max_words` words at most.

    Articles with `nosnippet` are never quoted. Nothing, where no first sentence is that short.
    """
    tuning = tuning or shipped_tuning()
    if max_words < 1:
        return ()
    openings = _most_central([_opening(article) for article in _quotable(articles, tuning)])
    if len(openings) < 2:
        return _said(openings, _first_sentences(openings[0], max_words)) if openings else ()
    titles = [heads(clean_title(one.article), one.article.language) for one in openings]
    story = _Story.of(openings, titles, shown_title, tuning)
    choices = [choice for choice in _choices(openings) if sum(s.words for _, s in choice) <= max_words]
    weight = tuning.summary_overlap_share
    scores = [_score(choice, story, tuning) for choice in choices]
    most = [score + weight * _most_overlap(c, story) for c, score in zip(choices, scores, strict=True)]
    best: _Choice = ()
    highest: tuple[float, tuple[object, ...]] = (-math.inf, ())
    for place in sorted(range(len(choices)), key=lambda place: -most[place]):
        if most[place] < highest[0] - ROUNDING:
            break  # no other one can be higher
        score = scores[place] + weight * _mean_overlap(choices[place], story)
        highest, best = max(
            (highest, best),
            ((score, _rank(choices[place], openings)), choices[place]),
            key=lambda each: each[0],
        )
    return _said(openings, best)


def _said(openings: Sequence["_Opening"], choice: "_Choice") -> tuple[AttributedSentence, ...]:
    articles = [opening.article for opening in openings]
    return tuple(
        AttributedSentence(text=sentence.text, article=articles[n].id, outlet=articles[n].outlet)
        for n, sentence in choice
    )


def _first_sentences(opening: "_Opening", max_words: int) -> "_Choice":
    """Return the sentences of the only report that fit, from the first one that can be shown on."""
    chosen: list[tuple[int, _Sentence]] = []
    left = max_words
    first = next((s.place for s in opening.sentences if not (s.is_bad or s.leans)), 0)
    for sentence in opening.sentences[first:]:
        if sentence.words > left or (chosen and sentence.is_bad):
            break
        left -= sentence.words
        chosen.append((0, sentence))
    return tuple(chosen)


def lead_within(lead: str, max_words: int) -> str:
    """Return the first sentences of `lead`, at most `max_words` words, on one line."""
    lead = lead[: WORD_CHARS * max_words + WORD_CHARS]
    sentences = [sentence for paragraph in paragraphs(lead) for sentence in split_sentences(paragraph)]
    result, end = "", 0
    for sentence in sentences:
        end = lead.find(sentence, end) + len(sentence)
        start = " ".join(lead[:end].split())  # includes text too short for a sentence
        if count_words(start) > max_words:
            break
        result = start
    if result or not sentences:
        return result
    return _cut(sentences[0], max_words)


def _cut(sentence: str, max_words: int) -> str:
    words = sentence.split()
    cut = " ".join(words[:max_words]) if len(words) > 1 else sentence  # one word: a script without spaces
    while count_words(cut) > max_words:
        cut = cut[: min(len(cut) - 1, 2 * max_words)]
    return cut.rstrip(" ,;:–—-") + "…"


# --- openings of reports -----------------------------------------------------------------------------------


class _Sentence(NamedTuple):
    """A sentence of an opening."""

    text: str
    words: int
    heads: frozenset[str]
    all_words: tuple[str, ...]  # function words and repeated ones included
    numbered: frozenset[str]  # the same; see `_numbered`
    is_bad: bool  # cannot be shown
    leans: bool  # refers to the sentence before it
    loaded: int  # words of opinion
    tells_outcome: bool  # as done
    place: int


class _Opening(NamedTuple):
    article: ArticleView
    sentences: tuple[_Sentence, ...]
    heads: frozenset[str]
    numbered: frozenset[str]  # all words; see `_numbered`


_Choice = tuple[tuple[int, _Sentence], ...]  # numbers of openings, with a sentence of each


def _quotable(articles: Sequence[ArticleView], tuning: StoryTuning) -> list[ArticleView]:
    """Return the reports whose lead may be quoted; else others with a lead."""
    with_lead = [article for article in articles if article.lead.strip() and not article.nosnippet]
    if len(with_lead) == 1:
        return with_lead
    return title_candidates(with_lead, tuning) or with_lead


def _opening(article: ArticleView) -> _Opening:
    return _Opening(article, *_read(article.lead, article.language, clean_title(article)))


def _numbered(words: Iterable[str]) -> frozenset[str]:
    """Return the words, each repeated one with its number, so that common words of two texts are counted."""
    count: dict[str, int] = {}
    numbered = []
    for word in words:
        count[word] = number = count.get(word, 0) + 1
        numbered.append(f"{word} {number}" if number > 1 else word)
    return frozenset(numbered)


@lru_cache(maxsize=256)  # all leads but the newest were read before
def _read(
    lead: str, language: str | None, title: str
) -> tuple[tuple[_Sentence, ...], frozenset[str], frozenset[str]]:
    """Return the sentences of an opening, its heads, and its words, numbered."""
    split = (text for paragraph in paragraphs(lead) for text in split_sentences(paragraph))
    texts = [without_dateline(without_heading(text, title)) for text in split]
    while len(texts) > 1 and front_matter(texts[0], language) in NO_BEGINNING:
        del texts[0]  # a caption or a label: the report begins after it
    sentences = tuple(
        _Sentence(
            text=text,
            words=count_words(text),
            heads=frozenset(heads(text, language)),
            all_words=(words := tuple(PART.findall(text.lower()))),
            numbered=_numbered(words),
            is_bad=front_matter(text, language) is not None,
            leans=leans(text, language),
            loaded=loaded_words(text, language),
            tells_outcome=tells_outcome(text, language),
            place=place,
        )
        for place, text in enumerate(texts[:OPENING_SENTENCES])
    )
    return (
        sentences,
        frozenset().union(*(sentence.heads for sentence in sentences)),
        _numbered(word for sentence in sentences for word in sentence.all_words),
    )


def _dice(one: frozenset[str], other: frozenset[str]) -> float:
    return 2 * len(one & other) / max(1, len(one) + len(other))


def _most_central(openings: list[_Opening]) -> list[_Opening]:
    if len(openings) <= REPORTS:
        return openings
    central = {n: sum(_dice(one.heads, other.heads) for other in openings) for n, one in enumerate(openings)}
    return [openings[n] for n in sorted(sorted(central, key=lambda n: -central[n])[:REPORTS])]


# --- the choice --------------------------------------------------------------------------------------------


class _Story(NamedTuple):
    """What the reports share."""

    openings: Sequence[_Opening]
    weights: Mapping[str, int]  # of words, by the number of other openings that have them
    whole: int
    titled: Counter[str]
    central: tuple[float, ...]  # of each opening: mean Dice coefficient with the others
    shown: tuple[bool, ...]  # whether its title is the shown one
    gains: tuple[float, ...]  # of each opening, if it tells an outcome: the most for the newest one
    is_agency: tuple[bool, ...]  # whether the text of each opening is of a news agency
    shown_heads: frozenset[str]  # of the shown title
    common: Mapping[tuple[int, int], tuple[int, ...]]  # of (opening, sentence): words shared with each one

    @classmethod
    def of(
        cls,
        openings: Sequence[_Opening],
        titles: Sequence[Mapping[str, None]],
        shown_title: str | None,
        tuning: StoryTuning,
    ) -> "_Story":
        in_openings = Counter(head for one in openings for head in sorted(one.heads))
        most = max(2, len(openings)) - 1
        weights = {head: n - 1 for head, n in in_openings.items() if n > 1}
        central = tuple(
            sum(_dice(one.heads, other.heads) for other in openings if other is not one) / most
            for one in openings
        )
        titled = Counter(head for title in titles for head in title)
        shown = tuple(clean_title(one.article) == shown_title for one in openings)
        shown_heads = frozenset(heads(shown_title or "", openings[0].article.language if openings else None))
        common = {
            (n, sentence.place): tuple(len(sentence.numbered & other.numbered) for other in openings)
            for n, opening in enumerate(openings)
            for sentence in opening.sentences
        }
        whole = sum(weights.values()) or 1
        articles = [opening.article for opening in openings]
        gains = _gains([article.effective_at for article in articles], tuning)
        of_agency = tuple(bool(article.wire or agency_of(article.outlet)) for article in articles)
        return cls(
            openings, weights, whole, titled, central, shown, gains, of_agency, shown_heads, common
        )  # fmt: skip


def _gains(times: Sequence[dt.datetime], tuning: StoryTuning) -> tuple[float, ...]:
    """Return the gain of each report for its time; 0 if they are not hours apart."""
    first, last = min(times), max(times)
    if last - first < dt.timedelta(hours=tuning.summary_fresh_hours):
        return (0.0,) * len(times)
    return tuple(tuning.summary_fresh_gain * ((time - first) / (last - first)) for time in times)


def _choices(openings: Sequence[_Opening]) -> Iterator[_Choice]:
    """Yield the sentences of a report in its order, and a short one beside the first one of another report.

    Readers preferred one report in its own words; a second one after two sentences read like a list.
    """
    for n, opening in enumerate(openings):
        for size in range(1, OPENING_SENTENCES + 1):
            for sentences in combinations(opening.sentences, size):
                yield tuple((n, sentence) for sentence in sentences)
        for sentence in opening.sentences:
            for m, other in enumerate(openings):
                if m != n and other.sentences:
                    first = other.sentences[0]
                    if sentence.words <= SHORT_WORDS or (not sentence.place and first.words <= SHORT_WORDS):
                        yield (n, sentence), (m, first)


def _rank(choice: _Choice, openings: Sequence[_Opening]) -> tuple[object, ...]:
    """Return the order of choices with one score: the newest report."""
    first = openings[choice[0][0]].article
    return first.effective_at, first.id, tuple(-sentence.place for _, sentence in choice)


def _score(choice: _Choice, story: _Story, tuning: StoryTuning) -> float:
    """Return the score without the overlap."""
    covered = choice[0][1].heads.union(*(sentence.heads for _, sentence in choice[1:]))
    score = sum(story.weights[head] for head in covered if head in story.weights) / story.whole
    titled = sum(story.titled[head] for head in covered if head in story.titled)
    score += tuning.summary_titles_share * titled / max(1, story.titled.total())
    score += tuning.summary_central_share * sum(story.central[n] for n, _ in choice) / len(choice)
    first = choice[0][1].heads & story.shown_heads
    score += tuning.summary_first_share * len(first) / max(1, len(story.shown_heads))
    if len(first) < tuning.summary_topic_share * len(story.shown_heads):
        score -= tuning.summary_late_cost
    reports = {n for n, _ in choice}
    score += tuning.summary_titled_gain if any(story.shown[n] for n in reports) else 0.0
    number, opener = choice[0]
    if not opener.place:
        score += story.gains[number] * opener.tells_outcome
        score += tuning.summary_agency_gain if story.is_agency[number] else 0.0
    return score - _cost(choice, tuning) - _repeats(choice, story, tuning)


def _mean_overlap(choice: _Choice, story: _Story) -> float:
    """Return the mean F1 of the words (all, as ROUGE-1 counts them) with the openings."""
    if len(choice) == 1:
        return _most_overlap(choice, story)
    words = _numbered(word for _, sentence in choice for word in sentence.all_words)
    return _weighted_f1(choice, story, [len(words & opening.numbered) for opening in story.openings])


def _most_overlap(choice: _Choice, story: _Story) -> float:
    """Return the highest possible overlap: no word of two sentences meets the same word of an opening."""
    common = [story.common[n, sentence.place] for n, sentence in choice]
    return _weighted_f1(choice, story, [sum(each) for each in zip(*common, strict=True)])


def _weighted_f1(choice: _Choice, story: _Story, common: Sequence[int]) -> float:
    """Return the mean F1; an opening of the choice counts half, for each is most like its own."""
    own = {n for n, _ in choice}
    words = sum(len(sentence.all_words) for _, sentence in choice)
    total = weights = 0.0
    for n, opening in enumerate(story.openings):
        weight = 0.5 if n in own else 1.0
        total += weight * 2 * common[n] / max(1, words + len(opening.numbered))
        weights += weight
    return total / weights


def _cost(choice: _Choice, tuning: StoryTuning) -> float:
    """Return the cost of sentences that cannot stand where they are."""
    cost = 0.0
    before: tuple[int, int] | None = None
    for n, sentence in choice:
        follows = before == (n, sentence.place - 1)
        cost += tuning.summary_bad_cost * (sentence.is_bad + (sentence.leans and not follows))
        cost += tuning.summary_loaded_cost * sentence.loaded
        before = n, sentence.place
    first = choice[0][1]
    if first.place or first.is_bad or first.leans or first.text[:1] in QUOTATION_MARKS:
        cost += tuning.summary_late_cost * (1 if first.place < 2 else 4)
    return cost


def _repeats(choice: _Choice, story: _Story, tuning: StoryTuning) -> float:
    """Return the cost of sentences that tell the same, or of a second report that adds little."""
    cost = 0.0
    for (n, one), (m, other) in combinations(choice, 2):
        least = max(1, min(len(one.heads), len(other.heads)))
        share = tuning.summary_same_share if n != m else tuning.summary_repeat_share
        if len(one.heads & other.heads) > share * least:
            cost += tuning.summary_repeat_cost
    (first, _), (last, added) = choice[0], choice[-1]
    if last != first:
        new = added.heads.difference(*(sentence.heads for _, sentence in choice[:-1]))
        gain = sum(story.weights[head] for head in new if head in story.weights)
        topic = len(added.heads & story.shown_heads)
        if gain < tuning.summary_new_share * story.whole or topic < tuning.summary_topic_share * len(
            story.shown_heads
        ):
            cost += tuning.summary_repeat_cost
    return cost
