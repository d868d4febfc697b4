"""The independent texts of a story, split into sentences that may be shown.

Copies are left out, since the original represents its group; excerpts, too, unless there is nothing else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from aggregator.extract.wire.agencies import outlet_key
from aggregator.model.core import ArticleView
from aggregator.stories.counts import with_originals
from aggregator.stories.facts.standalone_sentences import RUN_IN, is_whole, without_heading
from aggregator.stories.lexicon import clean_title
from aggregator.stories.tuning import StoryTuning
from aggregator.text.sentences import sentences_of


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, word for word as in its report."""

    text: str
    report: int  # index among the reports of the story
    position: int  # in the report, from 0
    follows: int | None  # position of the previous sentence of the paragraph


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One independent text. `origin` is the key of its outlet, or of the article where that is unknown."""

    article: ArticleView
    origin: str
    sentences: tuple[Sentence, ...]


def reports_of(articles: Sequence[ArticleView], tuning: StoryTuning) -> list[ArticleView]:
    """Return the reports of a story, oldest first, at most `reports_cap`."""
    present = {article.id for article in articles}
    originals = [a for a in with_originals(articles) if a.copy_of not in present or a.role == "excerpt"]
    with_lead = [a for a in originals if a.role != "excerpt"] or originals
    newest = sorted(with_lead, key=lambda a: (a.effective_at, a.id), reverse=True)
    count_of: dict[str, int] = {}
    rounds: list[tuple[bool, int, ArticleView]] = []  # round-robin over the outlets, known sources first
    for article in newest:
        origin = _origin(article)
        count_of[origin] = count_of.get(origin, 0) + 1
        rounds.append((article.is_little_known, count_of[origin], article))
    rounds.sort(key=lambda one: one[:2])  # stable: in each round the newest first
    chosen = [article for *_, article in rounds[: tuning.reports_cap]]
    return sorted(chosen, key=lambda a: (a.effective_at, a.id))


def read_reports(chosen: Sequence[ArticleView], tuning: StoryTuning) -> list[SourceReport]:
    """Return these reports with their sentences."""
    reports = []
    for index, article in enumerate(chosen):
        read = _sentences(article.text, clean_title(article), tuning)
        sentences = (Sentence(text, index, place, follows) for place, (text, follows) in enumerate(read))
        reports.append(SourceReport(article, _origin(article), tuple(sentences)))
    return reports


def _origin(article: ArticleView) -> str:
    return f"outlet {outlet_key(article.outlet_key)}" if article.outlet_key else f"article {article.id}"


@lru_cache(maxsize=32)  # a story is read again with each report
def _sentences(whole: str, heading: str, tuning: StoryTuning) -> tuple[tuple[str, int | None], ...]:
    return tuple(first_sentences(whole, heading, tuning))


def first_sentences(whole: str, heading: str, tuning: StoryTuning) -> Iterator[tuple[str, int | None]]:
    """Yield sentences of a text that may be shown, each with the position of the one before it.

    They are read as they are asked for, `sentences_cap` at most.
    """
    return islice(_shown(whole, heading, tuning), tuning.sentences_cap)


def _shown(whole: str, heading: str, tuning: StoryTuning) -> Iterator[tuple[str, int | None]]:
    title = _folded(heading)
    seen: list[str] = []
    for paragraph in sentences_of(whole):
        previous: int | None = None
        for raw in paragraph:
            text = without_heading(raw, heading)
            folded = _folded(text)
            if not _may_be_shown(text, tuning) or folded == title or any(folded in other for other in seen):
                continue
            yield text, previous
            previous = len(seen)
            seen.append(folded)


def _may_be_shown(text: str, tuning: StoryTuning) -> bool:
    return len(text) <= tuning.sentence_chars_max and is_whole(text) and not RUN_IN.search(text)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".!?…")
