"""The shown part of a clean article: its text without the lines that its outlet repeats, and its lead.

Imports no page parsers, because the process that places articles calls it.
"""

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.front_matter import without_dateline, without_front_matter
from aggregator.extract.kind import find_kind, is_by_style
from aggregator.extract.learned_boilerplate import (
    BoilerplateTuning,
    remove_lines,
    restore_lines,
)
from aggregator.model.prepared import CleanArticle
from aggregator.text.language import find_language
from aggregator.text.lines import count_words, has_words
from aggregator.text.reading import Reading, read
from aggregator.text.sentences import (
    SENTENCE_WORDS,
    join_sentences,
    split_sentences,
)

# A line with at most this many words is a heading above a list: "What's Changed", "New features" (chosen)
_HEADING_WORDS = 3
# The lead is sought in this many paragraphs
_FRONT_PARAGRAPHS = 6
NOTICE = "its outlet shows the same text under other headlines: a notice"


def with_language_again(stored: CleanArticle, tuning: Tuning) -> CleanArticle:
    """Return a stored article with the language that the current rules find.

    Call this function in a worker, because it may load a model of 80 MB.
    """
    whole = restore_lines(stored.text, stored.repeated)
    language = stored.source_language or find_language(
        stored.title, whole, stored.language, tuning.section("text", ExtractTuning)
    )
    return replace(stored, language=language)


def read_again(
    stored: CleanArticle, tuning: Tuning
) -> tuple[CleanArticle, Reading, str]:
    """Return a stored article read by the current rules, the words of its whole text, and that text.

    The lead is found again, and so is the kind if it is a report or only the style tells it. A kind with any other
    evidence stays, because the declarations of the page are not stored. The language stays, because finding it may
    take a model of 80 MB.
    """
    text_tuning = tuning.section("text", ExtractTuning)
    whole = restore_lines(stored.text, stored.repeated)
    lead = first_sentences(stored.text.split("\n"), text_tuning.lead_words)
    reading = read(stored.title, whole, stored.language)
    again = replace(stored, lead=lead)
    if stored.kind_evidence is None or is_by_style(stored.kind_evidence):
        kind = find_kind(stored.title, whole, language=stored.language, reading=reading)
        again = replace(
            again, kind=kind.kind, kind_evidence=kind.evidence, style=kind.style
        )
    return again, reading, whole


def without_lines(
    article: CleanArticle, keys: Collection[int], tuning: Tuning
) -> CleanArticle:
    """Return the article without the lines that have these keys, which move to `repeated`.

    If hardly anything is left, the verdict is `stub`, or `consent` without a title, and `repeated` is empty.
    """
    text_tuning = tuning.section("text", ExtractTuning)
    remaining, removed = remove_lines(
        article.text.split("\n"),
        keys,
        tuning.section("boilerplate", BoilerplateTuning),
    )
    text = "\n".join(remaining)
    lead = first_sentences(remaining, text_tuning.lead_words)
    if has_words(text, text_tuning.stub_words):
        reason = article.reason if article.page_verdict else None
        return replace(
            article, text=text, lead=lead, repeated=removed, verdict="ok", reason=reason
        )
    return replace(
        without_text(article),
        text=text,
        lead=lead,
        reason="its text consists of lines that its outlet repeats",
    )


def without_text(article: CleanArticle) -> CleanArticle:
    """Return the article without its text, with the verdict of a page that only shows a notice."""
    verdict = "stub" if article.title else "consent"
    return replace(
        article, verdict=verdict, reason=NOTICE, text="", lead="", repeated=()
    )


def first_sentences(paragraphs: Sequence[str], max_words: int) -> str:
    """Return the first sentences of a report within `max_words` words; the first one is always complete.

    The report begins after captions, credits and a dateline. If the text has no sentences, return its first line
    that is not a heading, such as the first item of a list.
    """
    paragraphs = without_front_matter(paragraphs[:_FRONT_PARAGRAPHS])
    sentences: list[str] = []
    words = 0
    for paragraph in paragraphs:
        for sentence in split_sentences(paragraph, shortest=1):
            # A few words before the first sentence are a place or a label; behind it they are news: "Nobody died."
            if not sentences and not has_words(sentence, SENTENCE_WORDS):
                continue
            words += count_words(sentence)
            if sentences and words > max_words:
                return join_sentences(sentences)
            sentences.append(sentence if sentences else without_dateline(sentence))
    if sentences:
        return join_sentences(sentences)
    lines = [
        line for line in paragraphs if has_words(line, _HEADING_WORDS + 1)
    ] or paragraphs
    return next(iter(lines), "")
