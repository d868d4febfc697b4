"""Reuse of words by a text that is not a copy: sentences of an agency or of other reports of its story."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, compress

import numpy as np
from msgspec.structs import replace

from aggregator.grouping.copies.copy_check import (
    CopyTuning,
    is_one_outlet,
    sequence_of,
    shingles_of,
)
from aggregator.grouping.copies.shingles import (
    RUN_WORDS,
    SHINGLE_WORDS,
    are_among,
    long_runs,
    runs_outside_quotations,
    shared_count,
    words,
    words_in,
)
from aggregator.model.article import ComparedText
from aggregator.model.evidence import TextReuse
from aggregator.stories.story_words import heads, weighty_heads
from aggregator.text.sentences import sentences_of

_RUN_SHINGLES = RUN_WORDS - SHINGLE_WORDS + 1
# Two sentences count as the same if this share of the words of one is in the other. Among 845 honest texts, 1 % share
# more than half of their sentences with another text by this measure. So does a text with every fourth word replaced.
SAME_SENTENCE = 0.6
# Sentences with fewer words are not compared, ...
FEWEST_HEADS = 4
# ... nor texts with fewer of these sentences
FEWEST_SENTENCES = 3
# The characters of a text whose sentences are compared (limit)
CHARS_READ = 6_000
# Runs are cached, because successive articles often have the same candidates
_runs = lru_cache(maxsize=128)(runs_outside_quotations)


def text_reuse(
    article: ComparedText, candidates: Iterable[ComparedText], tuning: CopyTuning
) -> TextReuse | None:
    """Return the candidate of another outlet that shares most words with `article`; None if these are few.

    The texts are not copies. Yet an outlet that puts a new opening above an agency's words, or rewrites some of them,
    does not give an account of its own. Words in quotations do not count.
    """
    matches = []
    for candidate in candidates:
        if candidate.id == article.id or is_one_outlet(article, candidate):
            continue
        runs = _runs(article.text)
        other_runs = _runs(candidate.text)
        shared = shared_count(runs, other_runs)
        shorter = min(len(runs), len(other_runs))
        if shared >= tuning.run_shingles and shared > tuning.reuse_share * shorter:
            matches.append((shared / shorter, -candidate.order, candidate.id))
    if not matches:
        return None
    share, _, other = max(matches)
    return TextReuse(other=other, share=share)


def own_words(
    article: ComparedText, others: Iterable[ComparedText]
) -> tuple[str, str | None]:
    """Return the words of an article that are not in a run of six words that another text has, too.

    Also return the id of the text that has most of these runs; None if no text has one.
    """
    sequence = sequence_of(article.text)
    text = words(article.text)
    copied = np.zeros(len(sequence), np.bool_)
    most = 0
    most_copied = None
    for other in others:
        shared = long_runs(are_among(sequence, shingles_of(other.text)), _RUN_SHINGLES)
        copied |= shared
        if shared.sum() > most:
            most = int(shared.sum())
            most_copied = other.id
    return " ".join(compress(text, ~words_in(copied, len(text)))), most_copied


def repeats_sentences(article: ComparedText, others: Iterable[ComparedText]) -> bool:
    """Return whether most of an article's sentences have most of their words in one sentence of another text.

    The words may be in another order, and some of them replaced. The result is False for an article with fewer than
    FEWEST_SENTENCES sentences of at least FEWEST_HEADS words.
    """
    own = _sentences(article)
    if len(own) < FEWEST_SENTENCES:
        return False
    sources = [sentence for other in others for sentence in _sentences(other)]
    repeated = sum(
        any(len(words & source) >= SAME_SENTENCE * len(words) for source in sources)
        for words in own
    )
    return 2 * repeated > len(own)


def without_foreign_sentences(
    article: ComparedText, others: Iterable[ComparedText]
) -> ComparedText:
    """Return a text without the sentences that share no weighty word with another text.

    So an advertisement between copied sentences does not count as the article's own words.
    """
    reported: set[str] = set()
    for other in others:
        reported |= weighty_heads(other.text[:CHARS_READ], other.language)
    shared = [
        sentence
        for sentence in chain.from_iterable(sentences_of(article.text[:CHARS_READ]))
        if not reported.isdisjoint(weighty_heads(sentence, article.language))
    ]
    return replace(article, text="\n".join(shared))


def _sentences(text: ComparedText) -> list[frozenset[str]]:
    """Return the words of each sentence of a text, as heads."""
    sentences = chain.from_iterable(sentences_of(text.text[:CHARS_READ]))
    words = (frozenset(heads(sentence, text.language)) for sentence in sentences)
    return [sentence for sentence in words if len(sentence) >= FEWEST_HEADS]
