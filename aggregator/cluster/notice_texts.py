"""A text that an outlet shows under other headlines, and that says nothing of its headline, is a notice.

Consent dialogues and walls that no pattern knows are told by it: no article is shown twice under headlines
that have nothing to do with each other and with what it says.
"""

from itertools import pairwise

from aggregator.cluster.copies.shingles import is_unspaced, shared_count, shingle_hashes, words
from aggregator.extract.learned_boilerplate import RepeatRules

_STEM = 5  # letters by which forms of one word are taken for it
_SHORT = 4  # letters: shorter words say little of a headline


def is_wall(title: str, text: str, other_title: str, other_text: str, rules: RepeatRules) -> bool:
    """Whether `text` is a notice, seen that the same outlet shows `other_text` under `other_title`.

    Where the text tells of the other headline, it may be the same report under a new one.
    """
    own, other, said = _telling(title), _telling(other_title), _telling(text)
    if not own or not other or len(own & said) > rules.wall_echo * len(own):
        return False
    is_others = len(other & said) > rules.wall_echo * len(other)
    alike = rules.wall_headline if is_others else rules.wall_same_headline
    if len(own & other) > alike * min(len(own), len(other)):
        return False
    mine, theirs = shingle_hashes(text), shingle_hashes(other_text)
    return min(len(mine), len(theirs)) > 0 and (
        shared_count(mine, theirs) >= rules.wall_alike * max(len(mine), len(theirs))
    )


def _telling(text: str) -> frozenset[str]:
    """The beginnings of the longer words; of scripts without spaces all pairs of characters."""
    found = words(text)
    pairs = (a + b for a, b in pairwise(found) if is_unspaced(a) and is_unspaced(b))
    return frozenset([*(word[:_STEM] for word in found if len(word) >= _SHORT), *pairs])
