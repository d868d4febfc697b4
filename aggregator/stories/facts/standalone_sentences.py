"""How well a sentence stands alone, without the sentences before it."""

import re
from functools import lru_cache

from aggregator.stories.lexicon import word_list
from aggregator.stories.words import word_count

END_MARK = re.compile(r"(?<![.!?…。！？।۔؟])[.!?…。！？।۔؟]++[\"”’»“)\]」』]*+\s*$")
RUN_IN = re.compile(r"[a-z][A-Z]{2,}|\sMORE\s")  # the text of a link, run into the sentence
OPENING, CLOSING = "“„«「", "”»」"
DATELINE = re.compile(r"^[^\W\d_][\w .,'’-]{1,60}\([^()]{2,30}\)\s*[-–—]\s")  # "HALVERNE (MNA) — "
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
FEW_WORDS = 7


@lru_cache(maxsize=4096)  # asked of a sentence wherever it may be shown
def standalone(sentence: str, language: str | None = None) -> float:
    """1 for a sentence that can be shown by itself, less (below 0, too) for one that leans on others.

    What it leans by is known for the languages of languages.yaml; names for scripts with capitals.
    """
    words = WORD.findall(sentence)
    if not words:
        return -1.0
    lowered = [word.lower() for word in words]
    has_capitals = sentence.lower() != sentence.upper()
    named = any(word[0].isupper() for word in words[1:])
    score = 1.0
    if lowered[0] in word_list(language, "leaning"):
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
    """Nothing but words of somebody who is not named."""
    return (
        bool(re.fullmatch(r"\s*[“\"„«「].*[”\"»“」]\s*", sentence))
        and len(re.findall(r"[“\"„«”»「」]", sentence)) == 2
    )


def is_whole(sentence: str) -> bool:
    """Ends as a sentence ends: headings, captions and bylines do not."""
    return bool(
        END_MARK.search(sentence) or sentence.rstrip().endswith(('"', "”", "»", "’", "“", "」", "』"))
    )


def runs_in(sentence: str) -> bool:
    """Whether the text of links was run into the sentence: not fit to be shown."""
    return bool(RUN_IN.search(sentence))


def _unbalanced(sentence: str) -> bool:
    opened = sum(sentence.count(mark) for mark in OPENING)
    closed = sum(sentence.count(mark) for mark in CLOSING)
    # German closes with the mark that English opens with; there only the sum can be judged.
    return (opened + closed) % 2 == 1 or sentence.count('"') % 2 == 1
