"""Stream snapshot: the frequencies of words in the days before an article, and the counts of sources.

If one topic fills the news, its words say little about an event; the background table cannot know that.
A snapshot covers the periods of the last `stream_days` days. A period ends before the first article that was accepted
on a later day (UTC), so snapshots depend on the inbox alone, not on the moment of placing.

Inverse document frequencies are integers in units of 1/IDF_UNITS, so that sums of them are exact.
"""

import math
import zlib
from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np
import numpy.typing as npt

from aggregator.grouping.pairs.term_codec import HASHES, Ints, ids_of, read
from aggregator.text.document_frequency import shipped_background
from aggregator.text.vocabulary import term_hash

Floats = npt.NDArray[np.float64]
# No idf is above 5,000. The square of an idf needs a larger type.
Units = npt.NDArray[np.int16]

IDF_UNITS = 256
# The background table counts like this many articles, for whole texts and for leads. Only a part of its frequencies
# counts for leads, because a lead has about half of the words. Chosen in design, not tuned.
_PRIOR_ARTICLES = 200
_PRIOR_LEADS = 60
_LEAD_PART = 0.5


@cache  # 0.2 MB; an archive has a snapshot for each of its days
def _background() -> tuple[Ints, Floats]:
    """Return the hashes of the words of the background table, and the share of events that have each.

    If several words have one hash, the most frequent word counts.
    """
    background = shipped_background()
    shares = np.zeros(HASHES)
    for (kind, language), table in background.counts.items():
        if kind == "w":
            hashes = [term_hash("w", language, word) for word in table]
            np.maximum.at(
                shares,
                hashes,
                np.array(list(table.values())) / background.events[language],
            )
    known = np.flatnonzero(shares)
    return known, shares[known]


class StreamSnapshot:
    """The frequencies of one snapshot: immutable arrays of 3 MB."""

    def __init__(
        self,
        periods: Iterable[tuple[int, bytes]],
        sources: Mapping[str, tuple[int, int]],
    ) -> None:
        """Sum up `periods` (articles and packed frequencies) and `sources` (articles and matched articles)."""
        # Articles of each source, and how many of them joined a story
        self.sources = sources
        articles = 0
        frequencies = np.zeros(HASHES)  # in how many of the articles each hash is
        for count, packed in periods:
            articles += count
            hashes, counts = unpack_frequencies(packed)
            frequencies[hashes] += counts
        shares = np.zeros(HASHES)
        known, known_shares = _background()
        shares[known] = known_shares
        events = max(shipped_background().events.values())
        shipped_idf = np.log((1 + events) / (1 + shares * events)) + 1.0
        self.idf = _idf(
            shares * _PRIOR_ARTICLES + frequencies, articles + _PRIOR_ARTICLES
        )
        self.lead_idf = _idf(
            shares * _PRIOR_LEADS * _LEAD_PART + frequencies, articles + _PRIOR_LEADS
        )
        # A stored weight has the idf of the background; times this factor (in units of 1/IDF_UNITS), it has the idf of
        # the snapshot.
        self.factor: Units = np.rint(self.idf / shipped_idf).astype(np.int16)


def _idf(frequencies: Floats, articles: int) -> Units:
    """Return `-ln((df + .5) / (n + 1))`, at least 0, in units of 1/IDF_UNITS."""
    values = math.log(articles + 1) - np.log(frequencies + 0.5)
    whole: Units = np.rint(np.maximum(values, 0.0) * IDF_UNITS).astype(np.int16)
    return whole


def pack_frequencies(articles: Iterable[bytes]) -> tuple[int, bytes]:
    """Return the number of articles and in how many of them each word occurs, packed.

    `articles` has the terms of each article (term_codec.py).
    """
    frequencies = np.zeros(HASHES, np.int64)
    number = 0
    for terms in articles:
        number += 1
        ids = ids_of(read(terms))
        # The words of the whole text, whose field is the first
        frequencies[ids[ids < HASHES]] += 1
    hashes = np.flatnonzero(frequencies)
    pairs = np.stack((hashes, frequencies[hashes]), axis=1)
    return number, zlib.compress(pairs.astype("<u4").tobytes())


def unpack_frequencies(packed: bytes) -> tuple[Ints, Ints]:
    """Return hashes of words and the number of articles with each. Raises ValueError for damage."""
    try:
        pairs = (
            np.frombuffer(zlib.decompress(packed) if packed else b"", dtype="<u4")
            .reshape(-1, 2)
            .astype(np.int64)
        )
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if pairs[:, 0].max(initial=0) >= HASHES:
        raise ValueError("a hash that no word has")
    return pairs[:, 0], pairs[:, 1]
