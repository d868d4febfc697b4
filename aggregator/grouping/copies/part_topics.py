"""Topics of the parts of a text: the words of each part, and how near the topics are."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import compress

from aggregator.grouping.copies.shingles import Flags, is_unspaced, words

# The counts of two parts are scaled to this length before comparison
_TYPICAL_WORDS = 300

# The share of each term in the words of a part
Density = Mapping[str, float]


def _informative_terms(text: Sequence[str]) -> list[str]:
    """Return a term for each word: the word, or "" if it is not informative.

    A character of a script without spaces is joined with the next one.
    """
    terms = []
    for word, following in zip(text, [*text[1:], ""], strict=False):
        if is_unspaced(word):
            terms.append(word + following if is_unspaced(following) else word)
        else:
            terms.append(word if is_informative(word) else "")
    return terms


def is_informative(word: str) -> bool:
    """Return whether a word can show a topic; words of up to three ASCII letters ("the", "for", "has") cannot."""
    return len(word) > 3 or word.isdigit() or not word.isascii()


def densities(text: Sequence[str], part: Flags) -> tuple[Density, Density]:
    """Return the density of each term in the flagged words of a text, and in its other words."""
    terms = _informative_terms(text)
    return _density(terms, part), _density(terms, ~part)


def _density(terms: Sequence[str], flags: Flags) -> Density:
    counts = Counter(compress(terms, flags))
    total = max(1, counts.total())
    return {term: count / total for term, count in counts.items() if term}


def leanings(headline: str, part: Density, rest: Density) -> list[float]:
    """Return, for each term of a headline in the text, its density in the part as a share of both densities.

    0.5 if the term is as dense in the part as in the rest, 1 if it is in the part only.
    """
    shares = []
    for term in {*_informative_terms(words(headline))} & (part.keys() | rest.keys()):
        here = part.get(term, 0.0)
        elsewhere = rest.get(term, 0.0)
        shares.append(here / (here + elsewhere))
    return shares


def topic_cosine(left: Density, right: Density) -> float:
    """Return how similar the topics of two parts of a text are, 0..1; counts are damped by a logarithm."""
    ours = _damp(left)
    theirs = _damp(right)
    dot = math.fsum(ours[term] * theirs[term] for term in ours.keys() & theirs.keys())
    norms = math.hypot(*ours.values()) * math.hypot(*theirs.values())
    return dot / norms if norms else 0.0


def _damp(shares: Density) -> Density:
    return {term: math.log1p(_TYPICAL_WORDS * share) for term, share in shares.items()}
