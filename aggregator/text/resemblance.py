"""How much two short texts resemble each other, by which stories of one subject are found."""

import math
from collections import Counter
from functools import lru_cache

from aggregator.text.document_frequency import shipped_background
from aggregator.text.language import tag_or_und
from aggregator.text.vocabulary import Vocabulary

_COMPARED_WORDS = 200  # of a headline and a summary (limit)


def resemblance(text: str, other: str, language: str | None) -> float:
    """Return the cosine of the words of two short texts, from 0 to 1; rare words weigh more."""
    weights = _word_weights(text, language)
    others = _word_weights(other, language)
    return sum(weight * others.get(stem, 0.0) for stem, weight in weights.items())


@lru_cache(maxsize=1024)  # a story is compared with many others
def _word_weights(text: str, language: str | None) -> dict[str, float]:
    """Return the weight of each stem; the sum of their squares is 1."""
    background = shipped_background()
    vocabulary = _vocabulary(language)
    known = background.table("w", vocabulary.language)
    idf = background.idf(vocabulary.language)
    stems = map(vocabulary.stem, vocabulary.tokens(text, _COMPARED_WORDS))
    weights = {}
    for stem, count in Counter(filter(None, stems)).items():
        weights[stem] = (1 + math.log(count)) * float(idf[known.get(stem, 0)] - 1)
    length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
    return {stem: weight / length for stem, weight in weights.items()}


@lru_cache(maxsize=16)
def _vocabulary(language: str | None) -> Vocabulary:
    return Vocabulary(tag_or_und(language), shipped_background())
