"""The entries of a live blog as short texts of their own: what they are weighed by against stories.

An entry has no headline. Its first line is taken for one where it is a heading, else its first sentence; the
whole of it is the text.
"""

from collections.abc import Sequence

import msgspec

from aggregator.cluster.events.terms import TermPacker
from aggregator.extract.lines import count_words, ends_sentence
from aggregator.extract.sentences import split_sentences
from aggregator.model.core import CleanArticle, EntryMark


class LinkRules(msgspec.Struct, frozen=True, kw_only=True):
    """Section `links` of config/tuning.yaml."""

    entries: int
    least_words: int
    margin: float
    again_after: int
    again_factor: int
    again_rounds: int
    again_at_once: int


def entry_marks(article: CleanArticle, packer: TermPacker, rules: LinkRules) -> tuple[EntryMark, ...]:
    """The marks of the newest timed entries, those that are too short left out."""
    first = max(0, len(article.timed) - rules.entries)
    marks = []
    for position, entry in enumerate(article.timed[first:], first):
        if count_words(entry.text) >= rules.least_words:
            title = entry_title(entry.text)
            terms, words = packer.pack_counted(title, entry.text, article.language)
            marks.append(EntryMark(position=position, terms=terms, body_words=words))
    return tuple(marks)


def entry_title(text: str) -> str:
    """What stands for the headline of an entry."""
    lines: Sequence[str] = [line for line in text.split("\n") if line]
    if len(lines) > 1 and not ends_sentence(lines[0]):
        return lines[0]
    return next((sentence for line in lines for sentence in split_sentences(line)), text)
