"""Updates: other states of a text that are not copies of it and do not merely share a form with it."""

from collections.abc import Sequence

from aggregator.stories.compared_sentences import (
    ReadText,
    TextVersion,
    alike_sentences,
    read_sentences,
)
from aggregator.stories.lexicon import is_correction
from aggregator.stories.story_words import head_of
from aggregator.stories.versions import changed_sentences

LEAST_KEPT = 2  # sentences that an update repeats word for word
# The least share of the sentences that are repeated word for word. An outlet repeats less as background.
KEPT_SHARE = 1 / 3
# The least share of the sentences of the shorter text that are repeated or changed (chosen on events-lookalikes).
SHARED_SHARE = 0.6
# This share is needed if less than KEPT_SHARE of the longer text is repeated, because that text has grown.
GROWN_SHARE = 0.9
CORRECTION_SENTENCES = 4


def is_update(own: TextVersion, other: TextVersion) -> bool:
    """Return whether two texts that are not copies are states of one text, and not merely of one form.

    An update repeats sentences and changes others, and the first sentence is among these. Texts of one form are
    not updates, since they report different events: each headline has a name that the other text lacks, or the
    headlines differ only in their numbers. A script without capitals does not show names, so its texts are never
    updates.
    """
    left, right = read_sentences(own), read_sentences(other)
    if not left.names or not right.names:
        return False
    shared = _shared_sentences(left, right)
    # Without a shared first sentence, the text tells the next step of an event and repeats old background.
    for version, text in ((own, left), (other, right)):
        is_explained = is_correction(version.text, version.language)
        if shared.isdisjoint(
            list(text.sentences)[: CORRECTION_SENTENCES if is_explained else 1]
        ):
            return False
    # "Warning 12", "Warning 13"
    if _without_numbers(left.title) == _without_numbers(right.title):
        return False
    if _lacks_name(right, left, own.language) and _lacks_name(
        left, right, own.language
    ):
        return False
    return bool(changed_sentences(own, other))


def _shared_sentences(left: ReadText, right: ReadText) -> set[tuple[str, ...]]:
    """Return the sentences that two texts have alike; an empty set if they are too few for states of one text."""
    kept = left.sentences.keys() & right.sentences.keys()
    shorter, longer = sorted((left.sentences.keys(), right.sentences.keys()), key=len)
    if len(kept) < max(LEAST_KEPT, KEPT_SHARE * len(shorter)):
        return set()
    shared = set(kept)
    for texts in ((left, right), (right, left)):
        shared.update(sentence.words for sentence, *_ in alike_sentences(*texts))
    least = SHARED_SHARE if len(kept) >= KEPT_SHARE * len(longer) else GROWN_SHARE
    return shared if len(shared & shorter) >= least * len(shorter) else set()


def _without_numbers(words: Sequence[str]) -> list[str]:
    return sorted(word for word in words if not word[0].isdigit())


def _lacks_name(text: ReadText, titled: ReadText, language: str | None) -> bool:
    """Return whether a headline has a name that the other text lacks."""
    known = {head_of(word, language or "en") for word in text.words}
    return any(
        head_of(word, language or "en") not in known
        for word in titled.title
        if word in titled.names
    )
