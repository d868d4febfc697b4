"""An article as the pair model reads it: its terms by field, and its similarities to its nearest neighbours."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from aggregator.grouping.pairs.snapshot import IDF_UNITS, StreamSnapshot
from aggregator.grouping.pairs.term_codec import (
    FIELD_COUNT,
    HASH_BITS,
    Hashes,
    Ints,
    hashes_of,
    ids_of,
    read,
    weights_of,
)
from aggregator.grouping.pairs.title_differences import read_title
from aggregator.model.article import Article
from aggregator.stories.counting.copy_groups import sender_of

Floats = npt.NDArray[np.float64]

# The fields in the order of FIELDS
TEXT, TITLE, LEAD, NAMES, NUMBERS, COUNTED, _RARE, NAMED = range(FIELD_COUNT)
# Only the part of a word's idf above this value counts in titles (units of 1/IDF_UNITS).
TITLE_IDF = round(2.5 * IDF_UNITS)
# A word of the title weighs more in the lead if the body repeats it: at least 1.24 times as much, if it is in the title
# at most twice. This threshold is above 1, because stored weights are rounded to 1.1 %.
_REPEATED = 1.1
# The similarities that are scaled
SCALED = ("stream_cosine", "lead_cosine", "all", "rare")
# How many of its highest similarities an article keeps: five others count beside the compared article
NEAREST = 6
# The first id of each field except the first field
_FIELD_STARTS = np.arange(1, FIELD_COUNT, dtype=np.uint32) << HASH_BITS


class PairArticle:
    """An article, decoded for comparison."""

    def __init__(self, article: Article) -> None:
        """Decode the terms of the article and read the words of its title."""
        # Sorted by id; each id occurs once
        terms = np.sort(read(article.terms))
        self.ids = ids_of(terms)
        self.weights = weights_of(terms)
        # Split by field: an id begins with its field, so the terms of a field stand together.
        bounds = [0, *self.ids.searchsorted(_FIELD_STARTS).tolist(), len(terms)]
        fields = [slice(*ends) for ends in pairwise(bounds)]
        hashes = hashes_of(self.ids)
        self.parts = [hashes[field] for field in fields]
        self.part_weights = [self.weights[field] for field in fields]
        self.named_in_title = np.intersect1d(
            self.parts[NAMED], self.parts[TITLE], assume_unique=True
        )
        self.without_names = {
            field: _without(self.parts[field], self.parts[NAMED])
            for field in (TITLE, LEAD)
        }
        self.numbers = frozenset(self.parts[NUMBERS].tolist())
        self.minutes = article.minutes
        self.clock_minutes = article.clock_minutes
        self.body_words = article.body_words
        self.inbox = article.inbox_no
        self.is_opinion = article.is_opinion
        self.outlet = article.outlet_key
        self.source = article.source
        self.sender = sender_of(article)
        self.is_little_known = article.is_little_known
        self.title_pieces = read_title(article.title)
        self.nearest = read_nearest(article.nearest)


def read_nearest(stored: bytes | None) -> Ints:
    """Return the highest similarities to earlier articles: NEAREST for each of SCALED, highest first.

    They are in units of 1/SIMILARITY_UNITS (neighbours.py), and 0 where there are fewer neighbours. They are computed
    when the article arrives and do not change later, so a decision depends only on earlier articles.
    """
    if not stored:
        return np.zeros((len(SCALED), NEAREST), dtype=np.int64)
    return np.frombuffer(stored, "<u2").astype(np.int64).reshape(len(SCALED), NEAREST)


def pack_nearest(nearest: Ints) -> bytes:
    """Return the similarities in the stored form of an article: 48 bytes."""
    return nearest.astype("<u2").tobytes()


def beside_title(article: PairArticle) -> Hashes:
    """Return the words of an article that are not in its title."""
    return _without(article.parts[TEXT], article.parts[TITLE])


def shared_beside_title(
    words: Hashes, reports: Sequence[PairArticle], snapshot: StreamSnapshot
) -> float:
    """Return the similarity of the words beside a title to the words of reports, 0 to 1.

    The sum of the shared words' idf above TITLE_IDF is divided by the geometric mean of the same sums for `words` and
    for the reports, because long texts share more words by chance.
    """
    others = np.unique(
        np.concatenate([words[:0], *(report.parts[TEXT] for report in reports)])
    )
    shared = _sum_above(np.intersect1d(words, others), snapshot)
    if not shared:
        return 0.0
    return shared / math.sqrt(
        _sum_above(words, snapshot) * _sum_above(others, snapshot)
    )


def _sum_above(words: Hashes, snapshot: StreamSnapshot) -> float:
    """Return the sum of the idf of the words above TITLE_IDF."""
    return float(np.maximum(snapshot.idf[words] - TITLE_IDF, 0).sum())


def words_of_body(article: PairArticle) -> Hashes:
    """Return the first words of a body, including the words of its title that it repeats.

    If a body repeats the whole title, the words of the title are left out: the body may be any text below a borrowed
    headline.
    """
    title = article.parts[TITLE]
    lead = article.parts[LEAD]
    both, in_lead, in_title = np.intersect1d(lead, title, return_indices=True)
    beside = _without(lead, title)
    if not len(both):
        return beside
    # The field `lead` has the words of the title and of the body, and a weight grows with the number of occurrences.
    growth = article.part_weights[LEAD][in_lead] / article.part_weights[TITLE][in_title]
    return np.union1d(beside, both[growth > _REPEATED * growth.min()])


def _without(words: Hashes, others: Hashes) -> Hashes:
    """Return the words that are not among the others. Both must be sorted, like the words of each field.

    numpy's set difference takes several times longer for arrays of this size.
    """
    if not len(others):
        return words
    nearest = others.take(others.searchsorted(words), mode="clip")
    kept: Hashes = words[nearest != words]
    return kept


def shares_weighty_word(
    words: Hashes,
    reports: Sequence[PairArticle],
    snapshot: StreamSnapshot,
    least_idf: float,
) -> bool:
    """Return whether title or lead of a report has one of these words with an idf of at least `least_idf`."""
    weighty = words[snapshot.idf[words] >= least_idf * IDF_UNITS]
    return any(np.isin(weighty, report.parts[LEAD]).any() for report in reports)
