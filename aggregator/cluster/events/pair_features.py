"""Features of two articles: what they share, what one lacks of the other, and how near others are to both.

Where one topic fills the news, every article has many near neighbours, and only what stands out of them is
the same event. So four similarities are given beside the mean similarity of either article to its nearest
others when it came (local scaling, as in Conneau et al. 2018, arXiv:1710.04087).

Features are computed from integers that do not depend on the order of terms or reports, so that they are
equal on all machines.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

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

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

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
_ALL, _TITLE, _LEAD, _NAMES, _NUM = (FIELDS.index(name) for name in ("all", "title", "lead", "names", "num"))
# In units of 1/IDF_UNITS: words that are rare in the stream; what counts of a word of titles, and of leads.
_RARE_IDF: Final = round(4.2 * IDF_UNITS)
TITLE_IDF: Final = round(2.5 * IDF_UNITS)
_LEAD_IDF: Final = round(3.0 * IDF_UNITS)


class PairArticle:
    """An article, decoded for comparison."""

    def __init__(
        self,
        terms: bytes,
        *,
        title: str,
        minutes: int | None,
        body_words: int,
        inbox: int,
        outlet: str | None,
        source: str,
        is_opinion: bool,
        nearest: bytes = b"",
    ) -> None:
        """Decode the terms of the article and read the words of its title.

        `minutes`: since 1970, declared; None: unknown. `source`: what delivered it. `nearest`: see
        `read_nearest`.
        """
        words = read(terms)
        ids = ids_of(words)
        order = np.argsort(ids, kind="stable")
        self.ids: Words = ids[order]
        self.weights: Ints = weights_of(words[order])
        self.hashes: Words = self.ids & _MASK
        field = self.ids >> HASH_BITS
        self.texts, self.titles, self.leads, self.names, self.numbers = (
            self.hashes[field == one] for one in (_ALL, _TITLE, _LEAD, _NAMES, _NUM)
        )
        self.words: Words = np.unique(np.concatenate((self.texts, self.titles, self.leads)))
        self.minutes = minutes
        self.body_words = body_words
        self.inbox = inbox
        self.outlet = outlet
        self.source = source
        self.is_opinion = is_opinion
        self.title_pieces = read_title(title)
        self.nearest = read_nearest(nearest)


def read_nearest(stored: bytes) -> Ints:
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


def add_neighbours(features: Floats, article: PairArticle, reports: Sequence[PairArticle]) -> None:
    """Fill the columns of local scaling, in place. Of the two articles the later one is the own."""
    days = features[:, AT["days"]]
    are_near = (days >= 0) & (days <= NEAR_DAYS)
    is_earlier = np.array([article.inbox < one.inbox for one in reports])[:, None]
    units = _in_units(features)
    for place, name in enumerate(SCALED):
        mine = units[:, place]
        levels, ranks = [], []
        theirs = np.array([one.nearest[place] for one in reports])
        own = np.where(is_earlier, theirs, article.nearest[place])
        for lists in (own, np.where(is_earlier, article.nearest[place], theirs)):
            is_in_it = are_near & (mine > 0) & (lists == mine[:, None]).any(axis=1)
            without = lists.sum(axis=1) - np.where(is_in_it, mine, lists[:, -1])
            filled = (lists > 0).sum(axis=1) - is_in_it
            levels.append(without / np.maximum(np.minimum(filled, NEAREST - 1), 1) / SIMILARITY_UNITS)
            ranks.append((lists > mine[:, None]).sum(axis=1))
        features[:, AT[f"{name}_above"]] = 2 * features[:, AT[name]] - levels[0] - levels[1]
        features[:, AT[f"{name}_own_near"]], features[:, AT[f"{name}_other_near"]] = levels
        features[:, AT[f"{name}_own_rank"]], features[:, AT[f"{name}_other_rank"]] = ranks


def text_cosines(article: PairArticle, reports: Sequence[PairArticle]) -> Floats:
    """Return the feature "all" of the article with each report."""
    texts = len(article.texts)  # the first field: ids are sorted
    owners, ids = _joined([one.ids[: len(one.texts)] for one in reports])
    weights = np.concatenate([one.weights[: len(one.texts)] for one in reports])
    if not texts:
        return np.zeros(len(reports))
    spots = np.minimum(np.searchsorted(article.ids[:texts], ids), texts - 1)
    hits = np.flatnonzero(article.ids[spots] == ids)
    products = article.weights[spots[hits]] * weights[hits]
    cosines: Floats = np.bincount(owners[hits], weights=products, minlength=len(reports)) / DOT_SCALE
    return cosines


def pair_features(article: PairArticle, reports: Sequence[PairArticle], snapshot: StreamSnapshot) -> Floats:
    """Return the features of the article with each report (at least one): a row per report, columns FEATURES.

    Those of local scaling are 0: see `add_neighbours`.
    """
    columns: dict[str, npt.ArrayLike] = {
        **_likeness(article, reports, snapshot),
        **_missing(article, reports, snapshot),
        **_differences(article, reports),
    }
    features = np.zeros((len(reports), len(FEATURES)))
    for name, values in columns.items():
        features[:, AT[name]] = np.asarray(values)
    return features


def _likeness(
    article: PairArticle, reports: Sequence[PairArticle], snapshot: StreamSnapshot
) -> dict[str, Floats]:
    """Return what the stored terms of two articles share."""
    count = len(reports)
    owners, ids = _joined([one.ids for one in reports])
    weights = np.concatenate([one.weights for one in reports])
    fields, hashes = ids >> HASH_BITS, ids & _MASK
    spots = np.minimum(np.searchsorted(article.ids, ids), max(len(article.ids) - 1, 0))
    hits = np.flatnonzero(article.ids[spots] == ids) if len(article.ids) else np.zeros(0, dtype=np.intp)
    at, field, word = owners[hits], fields[hits], hashes[hits]
    products = article.weights[spots[hits]] * weights[hits]
    idf, lead_idf, factor = snapshot.idf[word], snapshot.lead_idf[word], snapshot.factor
    in_text, in_title, in_lead = field == _ALL, field == _TITLE, field == _LEAD

    def total(chosen: Flags, values: Ints | Units | None = None) -> Floats:
        picked = None if values is None else values[chosen]
        sums: Floats = np.bincount(at[chosen], weights=picked, minlength=count).astype(np.float64)
        return sums

    def set_cosine(chosen: Flags, kind: int, own: Words, by_word: Units) -> Floats:
        of_kind = fields == kind
        other, mine = by_word[hashes[of_kind]], by_word[own].astype(np.int64)
        squares = np.bincount(owners[of_kind], weights=other * other, minlength=count)
        length = np.sqrt(float(mine @ mine)) * np.sqrt(squares)
        cosine: Floats = total(chosen, by_word[word] * by_word[word]) / np.maximum(length, 1.0)
        return cosine

    def rarest(chosen: Flags, values: Units, most: int = 1) -> Floats:
        """Return the sum of the highest values of each report."""
        found = np.zeros(count)
        order = np.lexsort((-values[chosen], at[chosen]))
        rows, highest = at[chosen][order], values[chosen][order]
        places = np.arange(len(rows)) - np.searchsorted(rows, rows)
        np.add.at(found, rows[places < most], highest[places < most])
        return found / IDF_UNITS

    dots = np.bincount(at * FIELD_COUNT + field, weights=products, minlength=count * FIELD_COUNT)
    cosines = dots.reshape(count, FIELD_COUNT) / DOT_SCALE
    texts = fields == _ALL
    own_text = article.ids >> HASH_BITS == _ALL
    own_weights = article.weights[own_text] * factor[article.hashes[own_text]]
    weights_in_stream = weights[texts] * factor[hashes[texts]]
    squares = np.bincount(owners[texts], weights=weights_in_stream * weights_in_stream, minlength=count)
    length = np.sqrt(float((own_weights * own_weights).sum())) * np.sqrt(squares)
    return {
        **dict(zip(FIELDS, cosines.T, strict=True)),
        "stream_cosine": total(in_text, products * factor[word] ** 2) / np.maximum(length, 1.0),
        "rare_shared": total(in_text & (idf > _RARE_IDF)),
        "text_rarest": rarest(in_text, idf, 3),
        "title_shared": total(in_title),
        "title_cosine": set_cosine(in_title, _TITLE, article.titles, snapshot.idf),
        "title_mass": total(in_title, np.maximum(idf - TITLE_IDF, 0)) / IDF_UNITS,
        "title_rarest": rarest(in_title, idf),
        "lead_shared": total(in_lead),
        "lead_cosine": set_cosine(in_lead, _LEAD, article.leads, snapshot.lead_idf),
        "lead_mass": total(in_lead, np.maximum(lead_idf - _LEAD_IDF, 0)) / IDF_UNITS,
        "lead_rarest": rarest(in_lead, lead_idf),
        "names_shared": total(field == _NAMES, idf) / IDF_UNITS,
    }


def _missing(
    article: PairArticle, reports: Sequence[PairArticle], snapshot: StreamSnapshot
) -> dict[str, Floats]:
    """Return which share of the idf of one's title, lead and names the whole other text lacks.

    The smaller and the larger of both directions. A name is sought among names. And how many words of
    one title the other lead has.
    """
    count = len(reports)
    joined = {
        part: _joined([getattr(one, part) for one in reports])
        for part in ("titles", "leads", "names", "words")
    }

    def total(owners: Ints, values: npt.ArrayLike) -> Floats:
        sums: Floats = np.bincount(owners, weights=values, minlength=count).astype(np.float64)
        return sums

    columns: dict[str, Floats] = {}
    parts = (
        ("title", "titles", "words", snapshot.idf),
        ("lead", "leads", "words", snapshot.lead_idf),
        ("names", "names", "names", snapshot.idf),
    )
    for name, part, whole, idf in parts:
        owners, words = joined[part]
        mass = idf[words]
        lacking = mass * ~_are_in(getattr(article, whole), words)
        of_theirs = total(owners, lacking) / np.maximum(total(owners, mass), 1.0)
        own = getattr(article, part)
        own_mass = float(idf[own].sum())
        at, every = joined[whole]
        found = _are_in(own, every)  # the words of a whole are different
        of_own = (own_mass - total(at[found], idf[every[found]])) / max(own_mass, 1.0)
        columns[f"{name}_missing_min"] = np.minimum(of_theirs, of_own)
        columns[f"{name}_missing_max"] = np.maximum(of_theirs, of_own)
    (of_titles, title_words), (of_leads, lead_words) = joined["titles"], joined["leads"]
    title_lengths = np.maximum(np.bincount(of_titles, minlength=count), 1)
    shares = (
        total(of_titles, _are_in(article.leads, title_words)) / title_lengths,
        total(of_leads, _are_in(article.titles, lead_words)) / max(len(article.titles), 1),
    )
    columns["title_in_lead_min"], columns["title_in_lead_max"] = np.minimum(*shares), np.maximum(*shares)
    return columns


def _joined(parts: Sequence[Words]) -> tuple[Ints, Words]:
    """Return all values, and the place of the part that each is from."""
    return np.repeat(np.arange(len(parts)), list(map(len, parts))), np.concatenate(parts)


def _differences(article: PairArticle, reports: Sequence[PairArticle]) -> dict[str, npt.ArrayLike]:
    """Return how far apart two articles are in time, length, outlet, kind and numbers."""
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
        "numbers_apart": [  # numbers of the one with fewer, if both share none
            0
            if len(np.intersect1d(article.numbers, one.numbers))
            else min(len(article.numbers), len(one.numbers))
            for one in reports
        ],
        **dict(zip(GROUPS["title frame"], zip(*frames, strict=True), strict=True)),
    }


def beside_title(article: PairArticle) -> Words:
    """Return the words of an article that are not in its title."""
    return np.setdiff1d(article.texts, article.titles)


def shared_beside_title(
    article: PairArticle, reports: Sequence[PairArticle], snapshot: StreamSnapshot
) -> float:
    """Return the idf above TITLE_IDF of the words beside its title that the article has with any report."""
    own = beside_title(article)
    shared = own[np.isin(own, np.concatenate([one.texts for one in reports]))] if reports else own[:0]
    return float(np.maximum(snapshot.idf[shared] - TITLE_IDF, 0).sum()) / IDF_UNITS


def days_apart(one: int | None, other: int | None) -> float:
    """Return the days between two times in minutes; -1 if one is unknown."""
    return -1.0 if one is None or other is None else abs(one - other) / MINUTES_A_DAY


def _are_in(ordered: Words, values: Words) -> Flags:
    """Return which values are in an ascending array."""
    if not len(ordered):
        return np.zeros(len(values), dtype=np.bool_)
    found: Flags = ordered[np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)] == values
    return found
