"""The summary of a story: the first sentences of one report, of limited length."""

from collections.abc import Sequence
from functools import lru_cache

from aggregator.extract.sentences import paragraphs, split_sentences
from aggregator.model.core import ArticleView
from aggregator.stories.facts.standalone_sentences import standalone
from aggregator.stories.headline import key_terms, title_candidates
from aggregator.stories.lexicon import clean_title
from aggregator.stories.tuning import StoryTuning, shipped_tuning
from aggregator.stories.words import heads, word_count

WORD_CHARS = 40  # characters read for each word; more than any language needs on average
SHOWN_TITLE_SHARE = 0.4  # above most differences between leads, below that of a lead that cannot stand alone
WORST_LEAD = 0.05  # `standalone` of a lead without a sentence


def summary(
    articles: Sequence[ArticleView],
    max_words: int,
    tuning: StoryTuning | None = None,
    shown_title: str | None = None,
) -> str:
    """Return the first sentences of the lead of one report, at most `max_words` words; "" without a lead.

    The report is that with the title `shown_title`, so that headline and summary belong together, unless its
    lead cannot stand alone; else the one whose lead covers the key terms best. A longer first sentence is cut
    and ends with "…". Articles with `nosnippet` are never quoted.
    """
    tuning = tuning or shipped_tuning()
    quotable = [article for article in articles if article.lead.strip() and not article.nosnippet]
    candidates = title_candidates(quotable, tuning.headline_titles) or quotable
    if not candidates or max_words < 1:
        return ""
    if len(candidates) == 1:
        return lead_within(candidates[0].lead, max_words)
    keys = key_terms(candidates, tuning.headline_key_terms)
    best = max(
        candidates,
        key=lambda a: (_score(a, keys, max_words) + _titled(a, shown_title), a.effective_at, a.id),
    )
    return lead_within(best.lead, max_words)


def lead_within(lead: str, max_words: int) -> str:
    """Return the first sentences of `lead`, at most `max_words` words, on one line."""
    lead = lead[: WORD_CHARS * max_words + WORD_CHARS]
    sentences = [sentence for paragraph in paragraphs(lead) for sentence in split_sentences(paragraph)]
    result, end = "", 0
    for sentence in sentences:
        end = lead.find(sentence, end) + len(sentence)
        start = " ".join(lead[:end].split())  # includes text too short for a sentence
        if word_count(start) > max_words:
            break
        result = start
    if result or not sentences:
        return result
    return _cut(sentences[0], max_words)


def _cut(sentence: str, max_words: int) -> str:
    words = sentence.split()
    cut = " ".join(words[:max_words]) if len(words) > 1 else sentence  # one word: a script without spaces
    while word_count(cut) > max_words:
        cut = cut[: min(len(cut) - 1, 2 * max_words)]
    return cut.rstrip(" ,;:–—-") + "…"


def _titled(article: ArticleView, shown_title: str | None) -> float:
    return SHOWN_TITLE_SHARE if shown_title and clean_title(article) == shown_title else 0.0


def _score(article: ArticleView, keys: dict[str, float], max_words: int) -> float:
    lead_heads, quality = _read(article.lead[: WORD_CHARS * (max_words + 1)], article.language, max_words)
    coverage = sum(weight for head, weight in keys.items() if head in lead_heads) / (
        sum(keys.values()) or 1.0
    )
    container = 0.25 if article.role == "container" else 0.0
    return coverage + quality - container


@lru_cache(maxsize=1024)  # all leads but the newest were read before
def _read(lead: str, language: str | None, max_words: int) -> tuple[frozenset[str], float]:
    """Return the heads of the summary from a lead, and a score of how well it stands alone."""
    text = lead_within(lead, max_words)
    return frozenset(heads(text, language)), 0.5 * (standalone(text) if text else WORST_LEAD)
