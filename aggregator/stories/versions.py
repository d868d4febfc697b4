"""Finds the sentences that two texts tell differently, and whether one text is an update of the other.

A *version* is a text that has a sentence of the other text with another number, name or negation, or with a word
that only this headline and this text have ("are missing", "are alive"). Left out or added sentences, spellings of
numbers, bylines, datelines, times of day, weekdays and the name of each text's own outlet do not make a version.
Numbers and negations count only in languages that have tables for them (text/numbers.yaml, languages.yaml).

An *update* is a version of a text that is not a copy of the text and does not merely share a form with it. Which of
the two texts came later does not matter here.
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
# A negation only counts in sentences of at least this likeness (see LEAST_ALIKE): "did not answer" and "declined to
# comment" mean the same.
LEAST_NEGATED = 0.6
# An update repeats at least this many sentences word for word, ...
LEAST_REPEATED = 2
# ... and at least this share of the sentences of the shorter text. Old background is a smaller share.
REPEATED_SHARE = 1 / 3
# The least share of the sentences of the shorter text that are repeated or changed (chosen on events-lookalikes).
SHARED_SHARE = 0.6
# This share is needed instead if less than REPEATED_SHARE of the longer text is repeated, because the text has grown.
GROWN_SHARE = 0.9
# In a correction, one of this many first sentences must be shared, because an explanation may come before the text.
CORRECTION_SENTENCES = 4


def changed_sentences(own: TextVersion, other: TextVersion) -> list[ChangedSentence]:
    """Return the sentences that two texts tell differently, at most CHANGES_SHOWN.

    If there are none, the texts are not versions of each other.
    """
    changed: list[ChangedSentence] = []
    if own.language != other.language:
        return changed
    own_text = read_sentences(own)
    other_text = read_sentences(other)
    language = own.language or "en"
    negations = word_list(language, "negations")
    own_news = _new_in_title(own_text, other_text, language)
    other_news = _new_in_title(other_text, own_text, language)
    for sentence, alike, likeness in alike_sentences(own_text, other_text):
        only_here = _missing_words(sentence.words, alike.words)
        only_there = _missing_words(alike.words, sentence.words)
        is_changed = (
            (
                has_numbers(language)
                and _has_number(only_here)
                and _has_number(only_there)
            )
            or (
                likeness >= LEAST_NEGATED
                and sum(only_here[word] - only_there[word] for word in negations) != 0
            )
            or _has_other_names(sentence, alike, own_text, other_text)
            or not own_news.isdisjoint(only_here)
            or not other_news.isdisjoint(only_there)
        )
        if is_changed and front_matter(sentence.text, own.language) not in BOILERPLATE:
            changed.append(ChangedSentence(sentence.text, alike.text))
            if len(changed) == CHANGES_SHOWN:
                break
    return changed


def _missing_words(words: Sequence[str], others: Sequence[str]) -> Counter[str]:
    """Return the words that the other sentence lacks, and how often it lacks each."""
    return Counter(words) - Counter(others)


def _has_number(words: Iterable[str]) -> bool:
    return any(word[0].isdigit() for word in words)


def _has_other_names(
    sentence: Sentence, alike: Sentence, own: ReadText, other: ReadText
) -> bool:
    """Return whether a sentence has other names than the similar sentence of the other text, or in another order."""
    if sorted(sentence.words) == sorted(alike.words):
        names = own.names | other.names
        return [word for word in sentence.words if word in names] != [
            word for word in alike.words if word in names
        ]
    only_here = _missing_words(sentence.names, alike.names).keys()
    only_there = _missing_words(alike.names, sentence.names).keys()
    if not only_here or not only_there:
        return False
    # A name that the other sentence lacks may stand elsewhere in its text.
    return bool(only_here - other.words or only_there - own.words)


def _new_in_title(own: ReadText, other: ReadText, language: str) -> set[str]:
    """Return the words of this headline that are nowhere in the other headline or text: "alive"."""
    return {
        word
        for word in own.title
        if word not in other.words and head_of(word, language)
    }


def is_update(own: TextVersion, other: TextVersion) -> bool:
    """Return whether two texts that are not copies are states of one text, and not merely texts of one form.

    An update repeats sentences and changes others, and the first sentence is repeated or changed. Texts of one form are
    not updates, because they report different events: each headline has a name that the other text lacks, or the
    headlines differ only in their numbers. A script without capitals does not show names, so its texts are never
    updates.
    """
    own_text = read_sentences(own)
    other_text = read_sentences(other)
    if not own_text.names or not other_text.names:
        return False
    shared = _shared_sentences(own_text, other_text)
    # Without a shared first sentence, the text tells the next step of an event and repeats old background.
    for version, text in ((own, own_text), (other, other_text)):
        is_explained = is_correction(version.text, version.language)
        if shared.isdisjoint(
            list(text.sentences)[: CORRECTION_SENTENCES if is_explained else 1]
        ):
            return False
    # "Warning 12", "Warning 13"
    if _without_numbers(own_text.title) == _without_numbers(other_text.title):
        return False
    if _lacks_name(other_text, own_text, own.language) and _lacks_name(
        own_text, other_text, own.language
    ):
        return False
    return bool(changed_sentences(own, other))


def _shared_sentences(own: ReadText, other: ReadText) -> set[tuple[str, ...]]:
    """Return the words of the sentences that two texts repeat or change.

    The set is empty if these sentences are too few for states of one text.
    """
    repeated = own.sentences.keys() & other.sentences.keys()
    shorter, longer = sorted((own.sentences.keys(), other.sentences.keys()), key=len)
    if len(repeated) < max(LEAST_REPEATED, REPEATED_SHARE * len(shorter)):
        return set()
    shared = set(repeated)
    for texts in ((own, other), (other, own)):
        shared.update(sentence.words for sentence, *_ in alike_sentences(*texts))
    has_grown = len(repeated) < REPEATED_SHARE * len(longer)
    need = GROWN_SHARE if has_grown else SHARED_SHARE
    return shared if len(shared & shorter) >= need * len(shorter) else set()


def _without_numbers(words: Sequence[str]) -> list[str]:
    return sorted(word for word in words if not word[0].isdigit())


def _lacks_name(text: ReadText, titled: ReadText, language: str | None) -> bool:
    """Return whether the headline of `titled` has a name that the other `text` lacks."""
    heads = {head_of(word, language or "en") for word in text.words}
    return any(
        head_of(word, language or "en") not in heads
        for word in titled.title
        if word in titled.names
    )
