"""How well a sentence can be understood without the sentences before it."""

import re
from functools import lru_cache

from aggregator.stories.lexicon import word_list
from aggregator.stories.words import word_count

END_MARK = re.compile(r"(?<![.!?…。！？।۔؟])[.!?…。！？।۔؟]++[\"”’»“)\]」』]*+\s*$")
RUN_IN = re.compile(r"[a-z][A-Z]{2,}|\sMORE\s")  # the text of a link inside the sentence
OPENING, CLOSING = "“„«「", "”»」"
DATELINE = re.compile(r"^[^\W\d_][\w .,'’-]{1,60}\([^()]{2,30}\)\s*[-–—]\s")  # "HALVERNE (MNA) — "
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
FEW_WORDS = 7


@lru_cache(maxsize=4096)  # called wherever a sentence may be shown
def standalone(sentence: str, language: str | None = None) -> float:
    """Return 1 for a sentence that can be shown by itself, less (also below 0) for one that refers to others.

    Anaphora is known for the languages of languages.yaml, names for scripts with capital letters.
    """
    words = WORD.findall(sentence)
    if not words:
        return -1.0
    lowered = [word.lower() for word in words]
    has_capitals = sentence.lower() != sentence.upper()
    named = any(word[0].isupper() for word in words[1:])
    score = 1.0
    if lowered[0] in word_list(language, "anaphora"):
        score -= 0.5
    elif any(word in word_list(language, "pronouns") for word in lowered[1:5]) and not any(
        w[0].isupper() for w in words[1:5]
    ):
        score -= 0.3
    if is_bare_quotation(sentence):
        score -= 0.4
    if has_capitals and not named:
        score -= 0.2
    if max(len(words), word_count(sentence)) < FEW_WORDS:
        score -= 0.4
    if not END_MARK.search(sentence):
        score -= 0.4
    if DATELINE.match(sentence):
        score -= 0.3
    return score - (0.4 if _unbalanced(sentence) else 0.0)


def is_bare_quotation(sentence: str) -> bool:
    """Whether the sentence is a quotation without its speaker."""
    return (
        bool(re.fullmatch(r"\s*[“\"„«「].*[”\"»“」]\s*", sentence))
        and len(re.findall(r"[“\"„«”»「」]", sentence)) == 2
    )


def is_whole(sentence: str) -> bool:
    """Whether the text ends like a sentence, as headings, captions and bylines do not."""
    return bool(
        END_MARK.search(sentence) or sentence.rstrip().endswith(('"', "”", "»", "’", "“", "」", "』"))
    )


def has_link_text(sentence: str) -> bool:
    """Whether the sentence contains the text of links, so that it cannot be shown."""
    return bool(RUN_IN.search(sentence))


def _unbalanced(sentence: str) -> bool:
    opened = sum(sentence.count(mark) for mark in OPENING)
    closed = sum(sentence.count(mark) for mark in CLOSING)
    # The closing mark in German is the opening one in English, so only the sum is checked.
    return (opened + closed) % 2 == 1 or sentence.count('"') % 2 == 1
