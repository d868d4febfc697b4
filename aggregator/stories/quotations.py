"""Choose the quotations of named speakers that a story shows, word for word as in the reports."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from aggregator.model.article import ArticleView
from aggregator.model.story import Quotation
from aggregator.stories.speakers import full_name, speaker_of
from aggregator.stories.story_sentences import (
    ANY_MARK,
    QUOTED,
    sentences_of_report,
    shows_alone,
)
from aggregator.stories.story_words import heads
from aggregator.stories.titles.title_text import clean_title

# The most quotations of a story
MOST = 6
MOST_OF_SPEAKER = 2
# The most candidates, since the full name of each is looked for in its report
MOST_TRIED = 48
# Only so much of a report is read, since later quotations are seldom about the news
CHARS_READ = 6_000
# The cost of a quotation at the end of CHARS_READ, in shares of the story's words (chosen)
LATE_COST = 0.3
# The most articles that are named for a quotation
ARTICLES_NAMED = 24
# Two quotations that share so many words of the shorter quotation are the same, cut at other places
SAME_QUOTED = 0.6
# The least number of words in a quotation; fewer are a term in quotation marks
QUOTED_WORDS = 6
# The least share of quoted words in a sentence
QUOTED_SHARE = 0.4
_WORD = re.compile(r"\w+")


class _Candidate(NamedTuple):
    """A quotation that may be shown."""

    worth: float
    article: ArticleView
    # The speaker as the sentence names them
    speaker: str
    text: str
    # Its words inside quotation marks, in lower case
    quoted: frozenset[str]


def quotations_of(
    reports: Sequence[ArticleView],
    articles: Sequence[ArticleView],
    shown: Collection[str],
    key_words: Collection[str],
) -> tuple[Quotation, ...]:
    """Return up to MOST quotations of named speakers, each once, the newest first.

    Quotations are taken from `reports`; all `articles` of the story are searched for the same words. `shown` are
    texts that the story shows already. Quotations are preferred if they have more of `key_words` (the heads of
    title and lead) and stand early in their reports.
    """
    candidates: list[_Candidate] = []
    for report in reports:
        candidates.extend(_quotations_in(report, key_words))
    candidates.sort(key=lambda c: (-c.worth, c.article.effective_at, c.text))
    quoted = [(text, _quoted_words(text)) for text in shown]
    chosen: list[_Candidate] = []
    of_speaker: Counter[str] = Counter()
    for candidate in candidates[:MOST_TRIED]:
        if len(chosen) == MOST:
            break
        is_shown = any(
            candidate.text in text
            or len(candidate.quoted & in_quotes) >= SAME_QUOTED * len(candidate.quoted)
            for text, in_quotes in quoted
        )
        is_chosen = any(
            len(candidate.quoted & other.quoted)
            >= SAME_QUOTED * min(len(candidate.quoted), len(other.quoted))
            for other in chosen
        )
        if is_shown or is_chosen:
            continue
        name = full_name(candidate.speaker, candidate.text, candidate.article)
        surname = name.rpartition(" ")[2]
        if name and of_speaker[surname] < MOST_OF_SPEAKER:
            of_speaker[surname] += 1
            chosen.append(candidate._replace(speaker=name))
    chosen.sort(key=lambda candidate: candidate.article.effective_at, reverse=True)
    quotations = []
    for quote in chosen:
        others = [article.id for article in articles if quote.text in article.text]
        ids = tuple(dict.fromkeys([quote.article.id, *others]))[:ARTICLES_NAMED]
        quotations.append(
            Quotation(speaker=quote.speaker, text=quote.text, article_ids=ids)
        )
    return tuple(quotations)


def _quotations_in(
    report: ArticleView, key_words: Collection[str]
) -> Iterator[_Candidate]:
    """Yield the quotations of one report, in order."""
    text = report.text[:CHARS_READ]
    with_marks = "\n".join(line for line in text.split("\n") if ANY_MARK.search(line))
    for sentence in sentences_of_report(with_marks, clean_title(report)):
        if quoted_share(sentence) < QUOTED_SHARE:
            continue
        speaker = speaker_of(sentence, report.language)
        if speaker and shows_alone(sentence, report.language):
            words = heads(sentence, report.language)
            share = sum(word in words for word in key_words) / max(1, len(key_words))
            worth = share - LATE_COST * text.find(sentence) / CHARS_READ
            yield _Candidate(worth, report, speaker, sentence, _quoted_words(sentence))


def _quoted_words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(" ".join(QUOTED.findall(text)).lower()))


def quoted_share(text: str) -> float:
    """Return the share of words inside quotation marks; 0 for fewer than `QUOTED_WORDS`."""
    quoted = len(" ".join(QUOTED.findall(text)).split())
    return quoted / max(1, len(text.split())) if quoted >= QUOTED_WORDS else 0.0
