"""In-memory index that finds articles in other languages that may report the same event.

Everything in it is derived from rows and can be rebuilt from them. A result depends on the rows alone: an
article beyond `reach` does not count even if it was not swept yet.
"""

from array import array
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from aggregator.cluster.cross_language.features import CrossLanguageFeatures, CrossLanguageTuning

_INITIAL_CAPACITY: Final = 1024
_FREE: Final = -(1 << 62)  # number of a free row; sorts before all articles


class NearestArticles(NamedTuple):
    """Numbers of articles, those with the most shared keys first."""

    others: tuple[int, ...]  # in other languages than the given article
    own: tuple[int, ...]  # in its language: they may be in a story that it belongs to


class CrossLanguageIndex:
    """The newest articles, by their names, numbers and sentence vectors."""

    def __init__(
        self, tuning: CrossLanguageTuning, rows: Iterable[tuple[int, CrossLanguageFeatures]] = ()
    ) -> None:
        """Load `rows`: inbox numbers with their stored features."""
        self._tuning = tuning
        self._postings: dict[int, array[int]] = {}
        self._features: dict[int, CrossLanguageFeatures] = {}
        self._vectors = _Vectors()
        for number, features in rows:
            self.add(number, features)

    def add(self, number: int, features: CrossLanguageFeatures) -> None:
        """Add an article, or replace its features."""
        self.remove(number)
        self._features[number] = features
        for key in features.lookup_keys():
            insort(self._postings.setdefault(key, array("q")), number)
        if features.vector and features.model == self._tuning.model:
            self._vectors.put(number, features.vector)

    def remove(self, number: int) -> None:
        """Remove an article, if it is in the index."""
        features = self._features.pop(number, None)
        if features is None:
            return
        for key in features.lookup_keys():
            numbers = self._postings[key]
            del numbers[bisect_left(numbers, number)]
            if not numbers:
                del self._postings[key]
        self._vectors.drop(number)

    def sweep(self, newest: int) -> None:
        """Remove the articles that are out of reach for all articles after `newest`; changes no result."""
        for number in [one for one in self._features if one <= newest - self._tuning.reach]:
            self.remove(number)

    def find_nearest(self, number: int, features: CrossLanguageFeatures) -> NearestArticles:
        """Return the articles before `number` that share most keys with it, at most `candidates` of each
        kind.

        Articles of other languages are found by names and numbers, then (as many again) by their vectors.
        """
        after = number - self._tuning.reach
        votes: Counter[int] = Counter()
        for key in features.lookup_keys():
            numbers = self._postings.get(key)
            if numbers is None:
                continue
            start, end = bisect_right(numbers, after), bisect_left(numbers, number)
            if end - start <= self._tuning.max_postings:
                votes.update(numbers[start:end])
        most = self._tuning.candidates
        ranked = sorted(votes, key=lambda one: (-votes[one], -one))
        own = [one for one in ranked if self._features[one].language == features.language]
        others = [one for one in ranked if self._features[one].language != features.language][:most]
        if features.vector:
            nearest = self._vectors.nearest(features.vector, after, number)
            foreign = (one for one in nearest if self._features[one].language != features.language)
            others += islice(foreign, most)
        return NearestArticles(tuple(dict.fromkeys(others)), tuple(own[:most]))


class _Vectors:
    """Packed vectors as rows of one matrix. Products are sums of integers below 2^24, so float32 is exact."""

    def __init__(self) -> None:
        self._matrix: npt.NDArray[np.float32] = np.zeros((0, 0), dtype=np.float32)
        self._numbers = np.zeros(0, dtype=np.int64)  # article number by row; _FREE for a free row
        self._rows: dict[int, int] = {}
        self._free: list[int] = []

    def put(self, number: int, vector: bytes) -> None:
        if not self._free:
            self._grow(len(vector))
        row = self._free.pop()
        self._matrix[row] = np.frombuffer(vector, np.int8)
        self._numbers[row] = number
        self._rows[number] = row

    def drop(self, number: int) -> None:
        row = self._rows.pop(number, None)
        if row is not None:
            self._numbers[row] = _FREE
            self._free.append(row)

    def nearest(self, vector: bytes, after: int, before: int) -> list[int]:
        """Return the numbers between `after` and `before`, nearest vector first (ties: newer first)."""
        if not self._rows:
            return []
        dots = self._matrix @ np.frombuffer(vector, np.int8).astype(np.float32)
        rows = np.flatnonzero((self._numbers > after) & (self._numbers < before))
        order = np.lexsort((-self._numbers[rows], -dots[rows]))
        return [int(one) for one in self._numbers[rows[order]]]

    def _grow(self, length: int) -> None:
        had = len(self._numbers)
        more = max(_INITIAL_CAPACITY, had)
        grown = np.zeros((had + more, length), dtype=np.float32)
        grown[:had] = self._matrix.reshape(had, -1) if had else 0.0
        self._matrix = grown
        self._numbers = np.concatenate((self._numbers, np.full(more, _FREE, dtype=np.int64)))
        self._free += range(had + more - 1, had - 1, -1)
