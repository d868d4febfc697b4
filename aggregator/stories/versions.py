"""Versions of a text, and the sentences that two texts tell differently.

A *version* is a text that has a sentence of the other text with another number, name or negation, or with a word
that only this headline and this text have ("are missing", "are alive"). Left out or added sentences, spellings of
numbers, bylines, datelines, times of day, weekdays and the names of both outlets do not make a version. Numbers
and negations count in languages with tables of them (text/numbers.yaml, languages.yaml).

An *update* is a version of a text that is not a copy of it and does not merely share a form with it. Which text
is the later one does not matter here.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from aggregator.model.evidence import ChangedSentence
from aggregator.stories.compared_sentences import (
    ReadText,
    Sentence,
    TextVersion,
    alike_sentences,
    read_sentences,
)
from aggregator.stories.lexicon import is_correction, word_list
from aggregator.stories.story_sentences import BOILERPLATE, front_matter
from aggregator.stories.story_words import head_of
from aggregator.text.numbers import has_numbers

CHANGES_SHOWN = 3
# The least likeness (see LEAST_ALIKE) of sentences that differ only in a negation: "did not answer", "declined to
# comment"
LEAST_NEGATED = 0.6


def changed_sentences(own: TextVersion, other: TextVersion) -> list[ChangedSentence]:
    """Return the sentences that two texts tell differently, at most CHANGES_SHOWN; empty: no versions."""
    changed: list[ChangedSentence] = []
    if own.language != other.language:
        return changed
    left = read_sentences(own)
    right = read_sentences(other)
    language = own.language or "en"
    negations = word_list(language, "negations")
    new_left = _new_in_title(left, right, language)
    new_right = _new_in_title(right, left, language)
    for sentence, alike, likeness in alike_sentences(left, right):
        gone = _differing(sentence.words, alike.words)
        came = _differing(alike.words, sentence.words)
        is_changed = (
            (has_numbers(language) and _has_number(gone) and _has_number(came))
            or (
                likeness >= LEAST_NEGATED
                and sum(gone[word] - came[word] for word in negations) != 0
            )
            or _has_other_names(sentence, alike, left, right)
            or not new_left.isdisjoint(gone)
            or not new_right.isdisjoint(came)
        )
        if is_changed and front_matter(sentence.text, own.language) not in BOILERPLATE:
            changed.append(ChangedSentence(sentence.text, alike.text))
            if len(changed) == CHANGES_SHOWN:
                break
    return changed


def _differing(words: Sequence[str], others: Sequence[str]) -> Counter[str]:
    return Counter(words) - Counter(others)


def _has_number(words: Iterable[str]) -> bool:
    return any(word[0].isdigit() for word in words)


def _has_other_names(
    sentence: Sentence, alike: Sentence, left: ReadText, right: ReadText
) -> bool:
    """Return whether a sentence has other names, or its names in another order."""
    if sorted(sentence.words) == sorted(alike.words):
        known = left.names | right.names
        return [word for word in sentence.words if word in known] != [
            word for word in alike.words if word in known
        ]
    gone = _differing(sentence.names, alike.names).keys()
    came = _differing(alike.names, sentence.names).keys()
    return bool(gone and came and (gone - right.words or came - left.words))


def _new_in_title(own: ReadText, other: ReadText, language: str) -> set[str]:
    """Return the words that are in this headline and nowhere in the other text: "alive"."""
    return {
        word
        for word in own.title
        if word not in other.words and head_of(word, language)
    }


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
    left = read_sentences(own)
    right = read_sentences(other)
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
