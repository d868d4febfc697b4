"""The openings of reports: their first sentences, beginning with a sentence that can be shown first.

A sentence can be shown first if it is news text (not a caption or a question, for example) and can be understood
without the sentence before it.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, takewhile
from operator import attrgetter
from typing import NamedTuple

from aggregator.model.article import ArticleView
from aggregator.stories.counting.copy_groups import speaker_of
from aggregator.stories.counting.originals import with_originals
from aggregator.stories.lexicon import word_list
from aggregator.stories.story_sentences import (
    front_matter,
    needs_sentence_before,
    refers_back,
    without_heading,
)
from aggregator.stories.story_tuning import StoryTuning
from aggregator.stories.story_words import heads, weighty_heads
from aggregator.stories.titles.title import title_candidates
from aggregator.stories.titles.title_text import clean_title
from aggregator.text.lines import count_words
from aggregator.text.sentences import sentences_of

# The most sentences of an opening (5: no gain on 1,000 events)
OPENING_SENTENCES = 4
# A report begins after sentences with these faults
NO_BEGINNING = ("caption", "credit", "promotion", "post", "characters")
# A sentence repeats another if this share of the heads of the shorter one, of at least so many, is in the longer one
REPEATED_SHARE = 0.8
FEWEST_REPEATED = 5
# If there are more reports, the newest are used.
REPORTS = 8
# In a story of at least this many senders, the lead has only sentences that others confirm.
CONFIRMED_FROM = 3
# This many characters of a report are read to confirm the sentences of others.
REPORTED_CHARS = 6_000
# "Boll said", "Mr. Boll arrived"
SURNAME = re.compile(r"(?:(?:Mr|Mrs|Ms)\. )?(?P<name>[A-Z][\w'’-]+) (?P<verb>\w+)")


def without_repeats(sentences: Sequence[str]) -> Sequence[str]:
    """Return sentences from the first that the next one does not repeat in more words, up to one that repeats it.

    A standfirst is often the first sentence of the report, which goes on with a further clause.
    """
    begin = 0
    while begin + 1 < len(sentences) and (
        len(sentences[begin]) < len(sentences[begin + 1])
        and is_repeated(sentences[begin], sentences[begin + 1])
    ):
        begin += 1
    first, *further = sentences[begin:]
    fresh = takewhile(lambda sentence: not is_repeated(first, sentence), further)
    return [first, *fresh]


def is_repeated(one: str, other: str) -> bool:
    """Return whether nearly all words of the shorter of two sentences are in the longer one."""
    words, others = heads(one).keys(), heads(other).keys()
    fewest = min(len(words), len(others))
    return fewest >= FEWEST_REPEATED and len(words & others) >= REPEATED_SHARE * fewest


class OpeningSentence(NamedTuple):
    """A sentence of an opening."""

    text: str
    words: int
    can_be_shown: bool
    # Whether it can be shown and can be understood without the sentence before it
    can_be_first: bool


class Opening(NamedTuple):
    """The first sentences of a report; a sentence that can be shown first begins them, if there is any."""

    article: ArticleView
    sentences: Sequence[OpeningSentence]


def openings_of(
    articles: Sequence[ArticleView], tuning: StoryTuning, shown_title: str | None
) -> list[Opening]:
    """Return the openings that may be quoted; if some have a sentence that can be shown first, only these.

    A single article opens as its author wrote it, because no other report can tell its subject better.
    """
    articles = with_originals(articles)
    is_alone = len(articles) == 1
    quotable = [
        article
        for article in articles
        if article.lead.strip() and not article.nosnippet
    ]
    leads = " ".join(article.lead for article in quotable)
    openings = []
    others = []
    for article in title_candidates(quotable, tuning, attrgetter("lead")):
        title = clean_title(article)
        sentences = read_opening(
            article.lead, article.language, title, is_alone=is_alone
        )
        if is_alone:
            return [Opening(article, sentences)]
        others.append(Opening(article, sentences))
        for place, sentence in enumerate(sentences):
            if sentence.can_be_first and not _has_bare_surname(
                sentence.text, shown_title or title, leads, article.language
            ):
                openings.append(Opening(article, sentences[place:]))
                break
    return (openings or others)[-REPORTS:]


def is_confirmed(
    sentence: str, article: ArticleView, reports: Sequence[ArticleView]
) -> bool:
    """Return whether a report of another sender than the article shares a weighty word with this sentence of it.

    A sentence of an advertisement shares no such word. If fewer than CONFIRMED_FROM senders have texts, return True,
    because two reports of one event may not share such a word either.
    """
    with_text = [report for report in reports if report.text or report.lead]
    if len(set(map(speaker_of, with_text))) < CONFIRMED_FROM:
        return True
    words = weighty_heads(sentence, article.language)
    return any(
        not words.isdisjoint(
            _reported_words(other.title, other.text or other.lead, other.language)
        )
        for other in with_text
        if speaker_of(other) != speaker_of(article)
    )


@lru_cache(maxsize=256)
def _reported_words(title: str, text: str, language: str | None) -> set[str]:
    return weighty_heads(f"{title}\n{text[:REPORTED_CHARS]}", language)


def _has_bare_surname(
    sentence: str, title: str, leads: str, language: str | None
) -> bool:
    """Return whether a sentence begins with a bare surname that the title lacks: "Mr. Boll", "Boll said".

    A word is a surname if the `leads` have a first name before it somewhere, and never have it in small letters:
    "Police said" does not name a person, although there is a "Capitol Police".
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


# The cache helps because an opening is read at placing, and again when the story is rendered.
@lru_cache(maxsize=2048)
def read_opening(
    lead: str, language: str | None, title: str, *, is_alone: bool
) -> tuple[OpeningSentence, ...]:
    """Return the first sentences of an opening, or its text if it has no sentences.

    With `is_alone`, the story has one article, whose sentences may also be questions or speak of the writer.
    """
    split = list(chain.from_iterable(sentences_of(lead, shortest=1))) or [lead.strip()]
    # This is checked before headings are removed, because the label of a caption may look like a heading: "CLOSE The
    # mayor says ..."
    if len(split) > 1 and front_matter(split[0], language) == "caption":
        del split[0]
    texts = [without_heading(text, title) for text in split]
    while len(texts) > 1 and front_matter(texts[0], language) in NO_BEGINNING:
        del texts[0]  # a caption or a label: the report begins after it
    sentences = []
    for text in without_repeats(texts)[:OPENING_SENTENCES]:
        fault = front_matter(text, language)
        can_be_shown = fault is None or (is_alone and fault not in NO_BEGINNING)
        can_be_first = (
            can_be_shown
            and not needs_sentence_before(text, language)
            and not refers_back(text, title, language)
        )
        sentences.append(
            OpeningSentence(text, count_words(text), can_be_shown, can_be_first)
        )
    return tuple(sentences)
