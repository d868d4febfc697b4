"""Whether a sentence tells an outcome as done: "signs", "died", "was acquitted"; not "will sign"."""

from aggregator.stories.lexicon import word_list
from aggregator.stories.words import tokens

PENDING_WORDS = 3  # words before an outcome that may say that it has not happened


def tells_outcome(sentence: str, language: str | None) -> bool:
    """Whether it has one of the `outcomes` of languages.yaml, and none of `pending` shortly before it."""
    outcomes, pending = word_list(language, "outcomes"), word_list(language, "pending")
    words = [token.lower for token in tokens(sentence, language)] if outcomes else []
    return any(
        word in outcomes and pending.isdisjoint(words[max(0, place - PENDING_WORDS) : place])
        for place, word in enumerate(words)
    )
