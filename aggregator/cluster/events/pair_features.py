"""Features of two articles: what they share, what one lacks of the other, and how near others are to both.

Where one topic fills the news, every article has many near neighbours, and only what stands out of them is
the same event. So four similarities are given beside the mean similarity of either article to its nearest
others when it came (local scaling, as in Conneau et al. 2018, arXiv:1710.04087).

Features are computed from integers that do not depend on the order of terms or reports, so that they are
equal on all machines.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from aggregator.cluster.copies.shingles import first_of_equal
from aggregator.cluster.events.stream import IDF_UNITS, StreamSnapshot, Units
from aggregator.cluster.events.term_codec import (
    DOT_SCALE,
    FIELD_COUNT,
    FIELDS,
    HASH_BITS,
    Ints,
    Words,
    ids_of,
    read,
    weights_of,
)
from aggregator.cluster.events.title_frames import compare_titles, read_title
from aggregator.cluster.events.weights import MINUTES_A_DAY
from aggregator.model.core import Article

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint8]

# Features by the name under which `explain` shows what they add. The first of a group is shown as its value.
GROUPS: Final = {
    "texts": ("stream_cosine", "all", "rare", "rare_shared", "text_rarest"),
    "titles": (
        "title_cosine", "title", "title_shared", "title_mass", "title_rarest", "title_in_lead_min",
        "title_in_lead_max", "title_missing_min", "title_missing_max",
    ),
    "leads": (
        "lead_cosine", "lead", "lead_shared", "lead_mass", "lead_rarest", "lead_missing_min",
        "lead_missing_max",
    ),
    "names": ("names", "names_shared", "names_missing_min", "names_missing_max"),
    "numbers": ("numu", "num", "numbers_apart"),
    "title frame": (
        "titles_in_order", "titles_moved", "titles_loose_min", "titles_loose_max", "numbers_swapped",
        "names_swapped", "words_swapped",
    ),
    "days": ("days",),
    "lengths": ("shorter_words", "longer_words", "shorter_title"),
    "outlet and kind": ("same_outlet", "opinions"),
    "neighbours": tuple(
        f"{name}_{part}"
        for name in ("stream_cosine", "lead_cosine", "all", "rare")
        for part in ("above", "own_near", "other_near", "own_rank", "other_rank")
    ),
}  # fmt: skip
FEATURES: Final = tuple(name for names in GROUPS.values() for name in names)
SCALED: Final = ("stream_cosine", "lead_cosine", "all", "rare")  # the similarities that are scaled
NEAREST: Final = 6  # of an article's similarities to others: five beside the one that is compared
NEAR_DAYS: Final = 7  # an article further away in time is no neighbour
SIMILARITY_UNITS: Final = 10_000

_MASK: Final = np.uint32((1 << HASH_BITS) - 1)
_TEXT, _TITLE, _LEAD, _NAME, _NUMBER = (  # bits of fields
    np.uint8(1 << FIELDS.index(name)) for name in ("all", "title", "lead", "names", "num")
)
_FIRST: Final = np.uint8(1 << FIELD_COUNT)
_FIELDS: Final = np.uint8((1 << FIELD_COUNT) - 1)
_WORDS: Final = np.uint8(_TEXT | _TITLE | _LEAD)
_FIELD_OF_BIT: Final = np.array([n.bit_length() - 1 for n in range(1 << FIELD_COUNT)]).clip(0)
_LOWEST: Final = np.uint32((1 << 13) - 1)  # bits of a hash
_HIGHEST: Final = 1 << 24  # idf, in units, that none has
# In units of 1/IDF_UNITS: words that are rare in the stream; what counts of a word of titles, and of leads.
_RARE_IDF: Final = round(4.2 * IDF_UNITS)
TITLE_IDF: Final = round(2.5 * IDF_UNITS)
_LEAD_IDF: Final = round(3.0 * IDF_UNITS)
_RAREST_OF_TEXT: Final = 3  # shared words


class PairArticle:
    """An article, decoded for comparison."""

    def __init__(self, article: Article) -> None:
        """Decode the terms of the article and read the words of its title."""
        words = read(article.terms)
        ids = ids_of(words)
        order = ids.argsort(kind="stable")
        self.ids: Words = ids[order]
        self.weights: Ints = weights_of(words[order])
        self.hashes: Words = self.ids & _MASK
        self.bits: Bits = np.uint8(1) << (self.ids >> HASH_BITS).astype(np.uint8)  # of the field of each term
        self.texts, self.titles, self.leads, self.names, self.numbers = (
            self.hashes[self.bits == one] for one in (_TEXT, _TITLE, _LEAD, _NAME, _NUMBER)
        )
        by_word = self.hashes.argsort(kind="stable")
        starts = np.flatnonzero(first_of_equal(self.hashes[by_word]))
        first = by_word[starts]
        self.words = self.hashes[first]
        self.fields: Bits = np.bitwise_or.reduceat(self.bits[by_word], starts)  # of each word
        # The first term of each word of text, title and lead has one more bit.
        self.bits[first] |= (self.bits[first] & _WORDS > 0) * _FIRST
        self.minutes = article.minutes
        self.body_words = article.body_words
        self.inbox = article.inbox_no
        self.is_opinion = article.is_opinion
        self.outlet = article.outlet_key
        self.source = article.source
        self.title_pieces = read_title(article.title)
        self.nearest = read_nearest(article.nearest)
        self._in_stream: tuple[object, InStream] | None = None  # of the last snapshot

    def in_stream(self, snapshot: StreamSnapshot) -> "InStream":
        """Return the sizes of the article under a snapshot, computed once."""
        if self._in_stream is None or self._in_stream[0] is not snapshot.key:
            self._in_stream = snapshot.key, _in_stream(self, snapshot)
        return self._in_stream[1]


class InStream(NamedTuple):
    """Sizes of an article under a snapshot: idf and lengths in units of 1/IDF_UNITS."""

    text_length: float  # Euclidean, of the text's weights with the idf of the snapshot
    title_length: float
    lead_length: float
    title_mass: float  # sums of idf
    lead_mass: float
    names_mass: float


def _in_stream(article: PairArticle, snapshot: StreamSnapshot) -> InStream:
    of_text = article.bits & _TEXT > 0
    text = article.weights[of_text] * snapshot.factor[article.texts]
    title = snapshot.idf[article.titles].astype(np.int64)
    lead = snapshot.lead_idf[article.leads].astype(np.int64)
    names = snapshot.idf[article.names]
    return InStream(
        *(math.sqrt(float(one @ one)) for one in (text, title, lead)),
        *(float(one.sum()) for one in (title, lead, names)),
    )


def read_nearest(stored: bytes | None) -> Ints:
    """Return the highest similarities to earlier articles: NEAREST for each of SCALED, highest first.

    In units of 1/SIMILARITY_UNITS; 0 where there are fewer. They are those of the day on which it came: later
    neighbours do not change them, so a decision does not depend on what came after both.
    """
    if not stored:
        return np.zeros((len(SCALED), NEAREST), dtype=np.int64)
    return np.frombuffer(stored, "<u2").astype(np.int64).reshape(len(SCALED), NEAREST)


def nearest_of(features: Floats) -> Ints:
    """Return the highest similarities of an article that has these features with others (`read_nearest`)."""
    days = features[:, AT["days"]]
    near = features[(days >= 0) & (days <= NEAR_DAYS)]
    found = np.zeros((len(SCALED), NEAREST), dtype=np.int64)
    if len(near):
        highest = np.sort(_in_units(near), axis=0)[::-1][:NEAREST]
        found[:, : len(highest)] = highest.T
    return found


def pack_nearest(nearest: Ints) -> bytes:
    """Return them as they are stored with an article: 48 bytes."""
    return nearest.astype("<u2").tobytes()


AT: Final = {name: place for place, name in enumerate(FEATURES)}
_SCALED_AT: Final = [AT[name] for name in SCALED]


def _in_units(features: Floats) -> Ints:
    whole: Ints = np.rint(features[:, _SCALED_AT] * SIMILARITY_UNITS).astype(np.int64)
    return np.minimum(whole, 0xFFFF)


def add_neighbours(
    features: Floats, article: PairArticle, nearest: Ints, reports: Sequence[PairArticle]
) -> None:
    """Fill the columns of local scaling, in place. Of the two articles the later one is the own.

    `nearest`: of the article, which knows none yet if it has just come.
    """
    days = features[:, AT["days"]]
    are_near = ((days >= 0) & (days <= NEAR_DAYS))[:, None]
    is_earlier = np.array([article.inbox < one.inbox for one in reports])[:, None, None]
    mine = _in_units(features)[:, :, None]
    theirs = np.array([one.nearest for one in reports])
    levels, ranks = [], []
    for lists in (
        np.where(is_earlier, theirs, nearest),
        np.where(is_earlier, nearest, theirs),
    ):
        is_in_it = are_near & (mine[:, :, 0] > 0) & (lists == mine).any(axis=2)
        without = lists.sum(axis=2) - np.where(is_in_it, mine[:, :, 0], lists[:, :, -1])
        filled = (lists > 0).sum(axis=2) - is_in_it
        levels.append(without / np.maximum(np.minimum(filled, NEAREST - 1), 1) / SIMILARITY_UNITS)
        ranks.append((lists > mine).sum(axis=2))
    above = 2 * features[:, _SCALED_AT] - levels[0] - levels[1]
    columns = np.stack((above, *levels, *ranks), axis=2)
    features[:, AT[GROUPS["neighbours"][0]] :] = columns.reshape(len(features), -1)


class CommonTerms(NamedTuple):
    """The terms of reports whose word is anywhere in one article, in the order of the reports."""

    owners: Ints  # the place of the report
    bits: Bits  # of the field of the term there
    fields: Bits  # in which the article has the word
    hashes: Words
    products: Ints  # of both weights; 0 where the article has the word in other fields only

    def of(self, reports: Sequence[int]) -> "CommonTerms":
        """Return the terms of these reports, numbered anew."""
        numbers = np.full(int(self.owners.max(initial=-1)) + 1 + len(reports), -1)
        numbers[list(reports)] = np.arange(len(reports))
        kept = np.flatnonzero(numbers[self.owners] >= 0)
        return CommonTerms(
            numbers[self.owners[kept]],
            self.bits[kept],
            self.fields[kept],
            self.hashes[kept],
            self.products[kept],
        )


def common_terms(article: PairArticle, reports: Sequence[PairArticle]) -> CommonTerms:
    """Return the terms that reports share with the article.

    Most are none of its words, so a table of the lowest bits of hashes is asked before they are sought.
    """
    sizes = [len(one.ids) for one in reports]
    hashes = np.concatenate([one.hashes for one in reports])
    lowest = np.zeros(_LOWEST + 1, np.bool_)
    lowest[article.words & _LOWEST] = True
    places = np.flatnonzero(lowest[hashes & _LOWEST])
    spots = article.words.searchsorted(hashes[places])
    is_same = article.words.take(spots, mode="clip") == hashes[places]
    places, spots = places[is_same], spots[is_same]
    bits = np.concatenate([one.bits for one in reports])[places]
    products = np.concatenate([one.weights for one in reports])[places]
    fields = article.fields[spots]
    same_field = np.flatnonzero(bits & fields & _FIELDS)
    ids = np.concatenate([one.ids for one in reports])[places[same_field]]
    own = np.zeros(len(products), np.int64)
    own[same_field] = article.weights[article.ids.searchsorted(ids)]
    owners = np.arange(len(reports)).repeat(sizes)[places]
    return CommonTerms(owners, bits, fields, hashes[places], products * own)


def text_cosines(common: CommonTerms, count: int) -> Floats:
    """Return the feature "all" of the article with each of the `count` reports."""
    in_text = common.bits & common.fields & _TEXT > 0
    products = np.bincount(common.owners[in_text], weights=common.products[in_text], minlength=count)
    cosines: Floats = products / DOT_SCALE
    return cosines


def pair_features(
    article: PairArticle,
    reports: Sequence[PairArticle],
    snapshot: StreamSnapshot,
    common: CommonTerms | None = None,
) -> Floats:
    """Return the features of the article with each report (at least one): a row per report, columns FEATURES.

    `common`: what they have in common, if it is known. Features of local scaling are 0: see `add_neighbours`.
    """
    common = common or common_terms(article, reports)
    columns: dict[str, npt.ArrayLike] = {
        **_likeness(article, reports, snapshot, common),
        **_differences(article, reports, common),
    }
    features = np.zeros((len(reports), len(FEATURES)))
    features[:, [AT[name] for name in columns]] = np.array([*columns.values()]).T
    return features


def _likeness(
    article: PairArticle, reports: Sequence[PairArticle], snapshot: StreamSnapshot, common: CommonTerms
) -> dict[str, Floats]:
    """Return what the stored terms of two articles share, and what one's text lacks of the other.

    Lacking is the share of the idf of one's title, lead and names: the smaller and the larger of both
    directions. A name is sought among names.
    """
    count = len(reports)
    owners, bits, fields, words, products = common
    both = bits & fields
    idf, lead_idf, factor = snapshot.idf[words], snapshot.lead_idf[words], snapshot.factor[words]
    in_text, in_title, in_lead, in_names = (both & bit > 0 for bit in (_TEXT, _TITLE, _LEAD, _NAME))
    own, others = article.in_stream(snapshot), np.array([one.in_stream(snapshot) for one in reports])
    sizes = dict(zip(InStream._fields, others.T, strict=True))
    whose = np.flatnonzero(np.bincount(owners, minlength=count))  # reports that share anything
    starts = owners.searchsorted(whose)

    def of_each(reduce: np.ufunc, values: Mapping[str, Ints | Flags]) -> dict[str, Floats]:
        """Return what the values of each report are together."""
        found = np.zeros((len(values), count))
        found[:, whose] = reduce.reduceat(np.array([*values.values()]), starts, axis=1)
        return dict(zip(values, found, strict=True))

    def met(part: str, bit: np.uint8, whole: np.uint8, values: Units) -> dict[str, Ints]:
        """Return the words of the report's part that the article has, and of its part that the report has."""
        once = bits & (bit if whole == bit else _FIRST) > 0  # each word of the report
        return {
            f"{part} of theirs": ((bits & bit > 0) & (fields & whole > 0)) * values,
            f"{part} of own": (once & (fields & bit > 0)) * values,
        }

    sums = of_each(
        np.add,
        {
            "stream_cosine": in_text * products * factor**2,
            "rare_shared": in_text & (idf > _RARE_IDF),
            "title_shared": in_title,
            "title_cosine": in_title * idf * idf,
            "title_mass": in_title * np.maximum(idf - TITLE_IDF, 0),
            "lead_shared": in_lead,
            "lead_cosine": in_lead * lead_idf * lead_idf,
            "lead_mass": in_lead * np.maximum(lead_idf - _LEAD_IDF, 0),
            "names_shared": in_names * idf,
            **met("title", _TITLE, _WORDS, idf),
            **met("lead", _LEAD, _WORDS, lead_idf),
            **met("names", _NAME, _NAME, idf),
            "title in lead": (bits & _TITLE > 0) & (fields & _LEAD > 0),
            "lead in title": (bits & _LEAD > 0) & (fields & _TITLE > 0),
        },
    )

    def lacks(part: str) -> tuple[Floats, Floats]:
        mass, own_mass = sizes[f"{part}_mass"], getattr(own, f"{part}_mass")
        of_theirs = (mass - sums[f"{part} of theirs"]) / np.maximum(mass, 1.0)
        return of_theirs, (own_mass - sums[f"{part} of own"]) / max(own_mass, 1.0)

    field = _FIELD_OF_BIT[both & _FIELDS]
    dots = np.bincount(owners * FIELD_COUNT + field, weights=products, minlength=count * FIELD_COUNT)
    title_words = np.maximum([len(one.titles) for one in reports], 1)
    both_ways = {
        "title_in_lead": (
            sums["title in lead"] / title_words,
            sums["lead in title"] / max(len(article.titles), 1),
        ),
        **{f"{part}_missing": lacks(part) for part in ("title", "lead", "names")},
    }
    keys = np.sort(owners[in_text] << 32 | _HIGHEST - idf[in_text])  # the rarest of each report first
    rows, values = keys >> 32, _HIGHEST - (keys & 0xFFFFFFFF)
    first = np.arange(len(rows)) - rows.searchsorted(rows) < _RAREST_OF_TEXT
    text_rarest = np.bincount(rows[first], weights=values[first], minlength=count)
    rarest = of_each(np.maximum, {"title_rarest": in_title * idf, "lead_rarest": in_lead * lead_idf})
    return {
        **dict(zip(FIELDS, dots.reshape(count, FIELD_COUNT).T / DOT_SCALE, strict=True)),
        **{
            f"{part}_cosine": sums[f"{part}_cosine"]
            / np.maximum(getattr(own, f"{of}_length") * sizes[f"{of}_length"], 1.0)
            for part, of in (("stream", "text"), ("title", "title"), ("lead", "lead"))
        },
        **{name: sums[name] for name in ("rare_shared", "title_shared", "lead_shared")},
        **{name: sums[name] / IDF_UNITS for name in ("title_mass", "lead_mass", "names_shared")},
        "text_rarest": text_rarest / IDF_UNITS,
        **{name: one / IDF_UNITS for name, one in rarest.items()},
        **{f"{name}_min": np.minimum(*ways) for name, ways in both_ways.items()},
        **{f"{name}_max": np.maximum(*ways) for name, ways in both_ways.items()},
    }


def _differences(
    article: PairArticle, reports: Sequence[PairArticle], common: CommonTerms
) -> dict[str, npt.ArrayLike]:
    """Return how far apart two articles are in time, length, outlet, kind and numbers."""
    same_numbers = np.zeros(len(reports), np.bool_)
    same_numbers[common.owners[common.bits & common.fields & _NUMBER > 0]] = True
    fewer_numbers = np.minimum([len(one.numbers) for one in reports], len(article.numbers))
    body_words = np.array([one.body_words for one in reports])
    title_words = np.array([len(one.titles) for one in reports])
    frames = [
        compare_titles(one.title_pieces, article.title_pieces)
        if one.inbox < article.inbox
        else compare_titles(article.title_pieces, one.title_pieces)
        for one in reports
    ]
    return {
        "days": [days_apart(article.minutes, one.minutes) for one in reports],
        "shorter_words": np.minimum(body_words, article.body_words),
        "longer_words": np.maximum(body_words, article.body_words),
        "shorter_title": np.minimum(title_words, len(article.titles)),
        "same_outlet": [article.outlet is not None and article.outlet == one.outlet for one in reports],
        "opinions": [article.is_opinion + one.is_opinion for one in reports],
        "numbers_apart": np.where(same_numbers, 0, fewer_numbers),  # of the one with fewer, if none is shared
        **dict(zip(GROUPS["title frame"], zip(*frames, strict=True), strict=True)),
    }


def beside_title(article: PairArticle) -> Words:
    """Return the words of an article that are not in its title."""
    return np.setdiff1d(article.texts, article.titles)


def shared_beside_title(own: Words, reports: Sequence[PairArticle], snapshot: StreamSnapshot) -> float:
    """Return how much words beside a title are those of reports: a cosine, 0 to 1.

    The idf above TITLE_IDF of the shared ones, divided by the geometric mean of what the words and the
    reports have: of long texts more words are the same by chance.
    """
    others = np.unique(np.concatenate([one.texts for one in reports])) if reports else own[:0]
    shared, mine, theirs = (
        float(np.maximum(snapshot.idf[one] - TITLE_IDF, 0).sum())
        for one in (np.intersect1d(own, others), own, others)
    )
    return shared / math.sqrt(mine * theirs) if shared else 0.0


def days_apart(one: int | None, other: int | None) -> float:
    """Return the days between two times in minutes; -1 if one is unknown."""
    return -1.0 if one is None or other is None else abs(one - other) / MINUTES_A_DAY
