"""Stream snapshot: how frequent words are in the days before an article, and what its source usually reports.

Where one topic fills the news, its words say little about an event; the background table cannot know that.
A snapshot covers the articles of the last `stream_days` periods. A period ends with the first article that is
accepted on a later day (UTC), so snapshots depend on the inbox alone, not on the clock of the machine.

Inverse document frequencies are integers in units of 1/IDF_UNITS, so that sums of them are exact.
"""

import functools
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from aggregator.cluster.events.document_frequency import shipped_background
from aggregator.cluster.events.term_codec import FIELDS, HASH_BITS, Ints, ids_of, read
from aggregator.cluster.events.tokenizer import word_hash

Floats = npt.NDArray[np.float64]
Units = npt.NDArray[np.int32]

IDF_UNITS: Final = 256
_HASHES: Final = 1 << HASH_BITS
_ALL: Final = FIELDS.index("all")
# Pseudo-articles with the frequencies of the background table, for whole texts and for leads, and the part
# of that frequency which counts for leads (a lead has about half of the words). Chosen in design, not tuned.
_PRIOR_ARTICLES: Final = (200, 1.0)
_PRIOR_LEADS: Final = (60, 0.5)


@functools.cache
def _background() -> tuple[Floats, Floats, Ints]:
    """Return shares that words have, the shipped idf of each, and the place of the share of each word.

    By hash; of colliding words the most frequent.
    """
    background = shipped_background()
    shares = np.zeros(_HASHES)
    for (kind, language), table in background.counts.items():
        if kind == "w":
            events = background.events[language]
            for word, df in table.items():
                place = word_hash(language, word)
                shares[place] = max(shares[place], df / events)
    events = max(background.events.values())
    different, places = np.unique(shares, return_inverse=True)
    return different, np.log((1 + events) / (1 + different * events)) + 1.0, places.astype(np.int32)


class StreamSnapshot:
    """Frequencies of one snapshot. Immutable; has 6 MB of arrays, and shares 2 MB with all others."""

    def __init__(
        self, number: int, periods: Iterable[tuple[int, bytes]], sources: Mapping[str, tuple[int, int]]
    ) -> None:
        """`periods`: articles and packed frequencies; `sources`: articles and matched articles of each."""
        self.number = number
        self._sources = sources
        frequencies, articles = np.zeros(_HASHES), 0
        for count, packed in periods:
            articles += count
            hashes, counts = unpack_frequencies(packed)
            frequencies[hashes] += counts
        shares, shipped_idf, places = _background()
        met = np.flatnonzero(frequencies)

        def by_word(prior: int, part: float) -> Units:
            values = _idf(shares, np.zeros(1), articles, prior, part)[places]
            values[met] = _idf(shares[places[met]], frequencies[met], articles, prior, part)
            return values

        self.idf, self.lead_idf = by_word(*_PRIOR_ARTICLES), by_word(*_PRIOR_LEADS)
        # By this factor (in units of 1/IDF_UNITS) a stored weight gets the idf of the snapshot.
        self.factor: Units = np.rint(self.idf / shipped_idf[places]).astype(np.int32)

    def counts_of(self, source: str) -> tuple[int, int]:
        """Return how many articles this source had before, and how many of them others had reported."""
        return self._sources.get(source, (0, 0))


def _idf(shares: Floats, frequencies: Floats, articles: int, prior: int, part: float) -> Units:
    """Return `-ln((df + prior part share + .5) / (n + prior + 1))`, at least 0, in units of 1/IDF_UNITS."""
    values = math.log(articles + prior + 1) - np.log(prior * part * shares + frequencies + 0.5)
    whole: Units = np.rint(np.maximum(values, 0.0) * IDF_UNITS).astype(np.int32)
    return whole


def pack_frequencies(articles: Iterable[bytes]) -> tuple[int, bytes]:
    """Return the number of articles and in how many of them each word occurs, packed.

    `articles`: the terms of each (see term_codec).
    """
    frequencies: Counter[int] = Counter()
    number = 0
    for terms in articles:
        number += 1
        ids = ids_of(read(terms))
        frequencies.update((ids[ids >> HASH_BITS == _ALL] & (_HASHES - 1)).tolist())
    pairs = np.array(sorted(frequencies.items()), dtype="<u4").reshape(-1, 2)
    return number, zlib.compress(pairs.tobytes())


def unpack_frequencies(packed: bytes) -> tuple[Ints, Ints]:
    """Return hashes of words and the number of articles with each. Raises ValueError for damage."""
    if not packed:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    try:
        pairs = np.frombuffer(zlib.decompress(packed), dtype="<u4").reshape(-1, 2).astype(np.int64)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if pairs.size and pairs[:, 0].max() >= _HASHES:
        raise ValueError("a hash that no word has")
    return pairs[:, 0], pairs[:, 1]
