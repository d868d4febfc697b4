"""Pair model: corrects the linear score of an article in a story by comparing it with single reports.

The linear model (scorer.py) needs only sums over a story. It cannot see that a shared word is common these
days, that two posts come from one blog, or that words and dates only count together. So the few stories that
the linear score leaves are compared report by report:

    pair score = half the linear score + half (sum of small trees + offset), minus penalties
    correction of a story's score = mean over its newest reports of (pair score - linear score)

The trees have two levels, so their sum is additive in pairs of features. `training/fit_pair_model.py` makes
pair_trees.json, which records data and quality. Penalties are for what no labelled pair teaches: several
entries of one outlet, numbered series, status lines, outlets that report no news (section `pairs` of
config/tuning.yaml).

Features are computed from integers, and leaves are whole thousandths, so scores are equal on all machines.
"""

import functools
import math
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from aggregator.cluster.events.scorer import ScoringInput
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
from aggregator.cluster.events.weights import MINUTES_A_DAY, TIME_SCALE, EventModel, time_shares
from aggregator.model.core import Reason

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

FEATURES: Final = (
    *FIELDS,  # cosine of each field
    "days",  # between the two; -1 where a date is unknown
    "title_shared",  # words in both titles
    "lead_shared",  # words in both leads (title and first words)
    "rare_shared",  # words in both texts that are rare in the stream
    "stream_cosine",  # of the whole texts, with the idf of the stream
    "title_cosine",  # of the titles as sets, with the idf of the stream
    "title_mass",  # idf of the words in both titles above _TITLE_IDF, summed
    "lead_mass",  # of the words in both leads above _LEAD_IDF
    "lead_cosine",  # of the leads as sets
    "title_in_lead_min",  # share of the words of one title in the other's lead: the smaller share
    "title_in_lead_max",
    "shorter_words",  # words of the shorter body
    "longer_words",
    "shorter_title",  # words of the shorter title
)
_AT: Final = {name: place for place, name in enumerate(FEATURES)}
_ALL, _TITLE, _LEAD, _NUM = (FIELDS.index(name) for name in ("all", "title", "lead", "num"))
_MASK: Final = np.uint32((1 << HASH_BITS) - 1)
# In units of 1/IDF_UNITS; chosen with the features (see the study in docs/evaluation.md).
_RARE_IDF: Final = round(4.2 * IDF_UNITS)
_TITLE_IDF: Final = round(2.5 * IDF_UNITS)
_LEAD_IDF: Final = round(3.0 * IDF_UNITS)
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_PIECE: Final = re.compile(r"\d+|[฀-๿぀-ヿ㐀-鿿가-힯]|[^\W\d_]+")  # words of scripts without spaces: characters


class PairTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `pairs` of config/tuning.yaml, which gives units and origins."""

    compared_stories: int
    compared_reports: int
    linear_share: float
    judged_below: int
    judged_from: int
    offset: float
    undated_offset: float
    text_date: float
    same_outlet: float
    same_outlet_no_news: float
    same_text: float
    status_score: float
    series_score: float
    series_frame: float
    no_news: float
    title_word: float
    title_word_least: float
    long_cosine: float
    lead_cosine: float
    lead_mass: float
    cosine_slope: float
    few_numbers: int
    numbers_apart: float
    known_articles: int
    agreement: float
    matched_words: int
    same_news_days: float
    stream_days: int
    period_source_articles: int
    period_articles: int


class PairArticle:
    """An article, decoded for comparison. Immutable."""

    __slots__ = (
        "body_words",
        "hashes",
        "ids",
        "inbox",
        "is_opinion",
        "minutes",
        "number_ids",
        "numbers",
        "outlet",
        "pieces",
        "source",
        "stated_minutes",
        "weights",
    )

    def __init__(
        self, article: ScoringInput, *, outlet: str | None, title: str, source: str | None = None
    ) -> None:
        """Decode the terms of the article and read the words of its title.

        `source`: what delivered it, for the stream history; by default its outlet.
        """
        words = read(article.terms)
        ids = ids_of(words)
        order = np.argsort(ids, kind="stable")
        self.ids: Words = ids[order]
        self.weights: Ints = weights_of(words[order])
        self.hashes: Words = self.ids & _MASK
        field = self.ids >> HASH_BITS
        self.number_ids = frozenset(self.hashes[(field == _NUM)].tolist())
        self.minutes = article.minutes
        self.stated_minutes = article.stated_minutes
        self.body_words = article.body_words
        self.is_opinion = article.is_opinion
        self.outlet = outlet
        self.source = source or outlet or ""
        self.inbox = article.inbox
        self.numbers = tuple(_NUMBER.findall(title))
        self.pieces = tuple("0" if one.isdigit() else one for one in _PIECE.findall(title.lower()))


class PairComparison(NamedTuple):
    """An article compared with reports of one story."""

    reasons: tuple[Reason, ...]  # corrections of the linear score, in logits
    matched: frozenset[str]  # sources of other outlets whose report shares headline words and days with it


class ComparedPair(NamedTuple):
    """Two articles compared."""

    names: tuple[str, ...]  # of the corrections, in the order in which they apply
    shares: tuple[float, ...]  # of each correction, in logits
    is_match: bool  # two outlets, with the same headline words and days


def combined(pairs: Sequence[ComparedPair], reports: Sequence[PairArticle]) -> PairComparison:
    """Return the mean over reports of one story, each compared in one of `pairs` (at least one)."""
    count, reasons = len(pairs), []
    for name, column in zip(pairs[0].names, zip(*(pair.shares for pair in pairs), strict=True), strict=True):
        applied = count - column.count(0.0)
        if applied:
            reasons.append(Reason(name=name, value=applied / count, share=math.fsum(column) / count))
    matched = (one.source for one, pair in zip(reports, pairs, strict=True) if pair.is_match and one.outlet)
    return PairComparison(tuple(reasons), frozenset(matched))


class _Trees(msgspec.Struct, frozen=True):
    """Trees of two levels: `node` is [feature, threshold]; values up to the threshold go left."""

    features: tuple[str, ...]
    trees: tuple[tuple[float, ...], ...]  # node, left node, 2 leaves, right node, 2 leaves: 10 numbers
    about: dict[str, object] = {}


class PairModel:
    """Compares articles. Has no state besides its constants."""

    def __init__(self, model: EventModel, tuning: PairTuning, trees: bytes | None = None) -> None:
        """`trees`: the bytes of a file like pair_trees.json (None: the one that ships)."""
        self.tuning = tuning
        self._model = model
        read_trees = msgspec.json.decode(trees or _shipped_trees(), type=_Trees)
        columns = np.array([_AT[name] for name in read_trees.features], dtype=np.intp)
        table = np.array(read_trees.trees, dtype=np.float64).reshape(-1, 10)
        self._nodes = columns[table[:, (0, 2, 6)].astype(np.intp)]
        self._thresholds = table[:, (1, 3, 7)]
        self._leaves = np.rint(table[:, (4, 5, 8, 9)] * 1000.0)

    def compare(
        self, article: PairArticle, reports: Sequence[PairArticle], snapshot: StreamSnapshot
    ) -> PairComparison:
        """Compare an article with reports of one story (at least one)."""
        return combined(self.compare_pairs(article, reports, snapshot), reports)

    def compare_pairs(
        self, article: PairArticle, reports: Sequence[PairArticle], snapshot: StreamSnapshot
    ) -> list[ComparedPair]:
        """Compare an article with each report (at least one). Symmetric."""
        features = pair_features(article, reports, snapshot)
        same_outlet = np.array(
            [article.outlet is not None and article.outlet == one.outlet for one in reports]
        )
        # What another feed attributes to an outlet keeps no report of the outlet apart.
        same_feed = same_outlet & np.array([article.source == one.source for one in reports])
        corrections = self._corrections(article, reports, features, same_feed, snapshot)
        matched = (
            ~same_outlet
            & (features[:, _AT["lead_shared"]] >= self.tuning.matched_words)
            & (features[:, _AT["title_shared"]] >= 1)
            & (features[:, _AT["days"]] <= self.tuning.same_news_days)
        )
        shares = np.column_stack([each for _, each in corrections]).tolist()
        names = tuple(name for name, _ in corrections)
        return [
            ComparedPair(names, tuple(row), is_match)
            for row, is_match in zip(shares, matched.tolist(), strict=True)
        ]

    def _corrections(
        self,
        article: PairArticle,
        reports: Sequence[PairArticle],
        features: Floats,
        same_outlet: Flags,
        snapshot: StreamSnapshot,
    ) -> list[tuple[str, Floats]]:
        """Return each correction of the pair scores by name, in the order in which they apply."""
        tuning, bodyless = self.tuning, self._model.tuning.bodyless_words
        long_words = self._model.tuning.long_words
        days, shorter = features[:, _AT["days"]], features[:, _AT["shorter_words"]]
        undated, headline_only = days < 0, shorter < bodyless
        linear = self._linear(features)
        trees = self._tree_sums(features) + tuning.offset + tuning.undated_offset * undated
        # No tree was trained on bare headlines, and hardly any pair on texts of middle length.
        is_judged = ~headline_only & ((shorter < tuning.judged_below) | (shorter >= tuning.judged_from))
        share = np.where(is_judged, 1.0 - tuning.linear_share, 0.0)
        corrections = [("pair model", share * (trees - linear))]
        corrections.append(("dates in the texts", undated * self._stated_dates(article, reports)))
        score = linear + corrections[0][1] + corrections[1][1]

        def subtract(name: str, logits: Floats) -> None:
            nonlocal score
            corrections.append((name, -logits))
            score = score - logits

        def limit(name: str, where: Flags, most: float) -> None:
            subtract(name, np.where(where, np.maximum(score - most, 0.0), 0.0))

        other_numbers = np.array([article.numbers != one.numbers for one in reports])
        both_numbered = other_numbers & np.array([bool(article.numbers and one.numbers) for one in reports])
        other_pieces = np.array([article.pieces != one.pieces for one in reports])
        own_lack = snapshot.lacks_news(article.source)
        lacks = np.maximum(own_lack, np.array([snapshot.lacks_news(one.source) for one in reports]))
        same_text = (features[:, _AT["all"]] >= tuning.same_text) & ~other_numbers
        per_pair = tuning.same_outlet + tuning.same_outlet_no_news * own_lack
        subtract("same outlet", np.where(same_outlet & ~same_text, per_pair, 0.0))
        is_status = other_pieces | other_numbers | undated | (days > tuning.same_news_days)
        limit("status line", same_outlet & headline_only & is_status, tuning.status_score)
        frames = np.array(
            [
                _frame(article.pieces, one.pieces) if is_pair else 0.0
                for one, is_pair in zip(reports, same_outlet & both_numbered, strict=True)
            ]
        )
        limit("numbered series", frames >= tuning.series_frame, tuning.series_score)
        subtract("outlet without news", tuning.no_news * lacks)
        few_words = headline_only & (features[:, _AT["title_shared"]] < 2)
        subtract(
            "one shared title word",
            np.where(few_words, tuning.title_word * np.maximum(lacks, tuning.title_word_least), 0.0),
        )
        texts_short = np.maximum(0.0, tuning.long_cosine - features[:, _AT["stream_cosine"]])
        subtract("texts differ", np.where(shorter >= long_words, tuning.cosine_slope * texts_short, 0.0))
        leads_short = np.maximum(0.0, tuning.lead_cosine - features[:, _AT["lead_cosine"]])
        is_lead = (
            ~headline_only
            & (shorter < tuning.judged_below)
            & (features[:, _AT["lead_mass"]] < tuning.lead_mass)
        )
        few = np.array([min(len(article.number_ids), len(one.number_ids)) for one in reports])
        none_shared = np.array([article.number_ids.isdisjoint(one.number_ids) for one in reports])
        is_apart = ~headline_only & none_shared & (few >= tuning.few_numbers)
        subtract("no shared number", np.where(is_apart, tuning.numbers_apart, 0.0))
        subtract("leads differ", np.where(is_lead, tuning.cosine_slope * leads_short, 0.0))
        return corrections

    def _linear(self, features: Floats) -> Floats:
        """Return the linear score of each pair, as scorer.py computes the mean over a story."""
        model, days = self._model, features[:, _AT["days"]]
        dated = days >= 0
        minutes = np.rint(np.where(dated, days, 0.0) * MINUTES_A_DAY).astype(np.int64)
        time = np.where(dated, time_shares(model.time_table, minutes) / TIME_SCALE, model.undated)
        bodyless = features[:, _AT["shorter_words"]] < model.tuning.bodyless_words
        scores: Floats = model.bias + time + bodyless * model.bodyless
        for field, weight in enumerate(model.field_weights.tolist()):  # in one order on all machines
            scores = scores + features[:, field] * weight
        return scores

    def _stated_dates(self, article: PairArticle, reports: Sequence[PairArticle]) -> Floats:
        """Return what dates in the texts add to the share of undated pairs: they help and never harm."""
        days = np.array([_days_apart(article.stated_minutes, one.stated_minutes) for one in reports])
        minutes = np.rint(np.maximum(days, 0.0) * MINUTES_A_DAY).astype(np.int64)
        time = time_shares(self._model.time_table, minutes) / TIME_SCALE - self._model.undated
        return np.where(days >= 0, self.tuning.text_date * np.maximum(time, 0.0), 0.0)

    def _tree_sums(self, features: Floats) -> Floats:
        """Return the sum of the trees for each pair."""
        root, left, right = (
            features[:, self._nodes[:, place]] > self._thresholds[:, place] for place in range(3)
        )
        leaf = np.where(root, 2 + right, left)
        picked = np.take_along_axis(self._leaves.T[:, None, :], leaf[None, :, :], axis=0)[0]
        sums: Floats = picked.sum(axis=1) / 1000.0
        return sums


def beside_title(article: PairArticle) -> Words:
    """Return the words of an article that are not in its title."""
    kinds = article.ids >> HASH_BITS
    return np.setdiff1d(article.hashes[kinds == _ALL], article.hashes[kinds == _TITLE])


def shared_beside_title(
    article: PairArticle, reports: Sequence[PairArticle], snapshot: StreamSnapshot
) -> float:
    """Return the idf above _TITLE_IDF of the words beside its title that the article has with any report."""
    own = beside_title(article)
    theirs = [one.hashes[one.ids >> HASH_BITS == _ALL] for one in reports]
    shared = own[np.isin(own, np.concatenate(theirs))] if theirs else own[:0]
    return float(np.maximum(snapshot.idf[shared] - _TITLE_IDF, 0).sum()) / IDF_UNITS


@functools.cache
def _shipped_trees() -> bytes:
    return files("aggregator.cluster.events").joinpath("pair_trees.json").read_bytes()


def pair_features(article: PairArticle, reports: Sequence[PairArticle], snapshot: StreamSnapshot) -> Floats:
    """Return the features of the article with each report: one row per report, columns as FEATURES."""
    count = len(reports)
    owners = np.repeat(np.arange(count), [len(one.ids) for one in reports])
    ids = np.concatenate([one.ids for one in reports])
    weights = np.concatenate([one.weights for one in reports])
    fields, hashes = ids >> HASH_BITS, ids & _MASK
    own_fields = article.ids >> HASH_BITS
    spots = np.minimum(np.searchsorted(article.ids, ids), max(len(article.ids) - 1, 0))
    hits = np.flatnonzero(article.ids[spots] == ids) if len(article.ids) else np.zeros(0, dtype=np.intp)
    at, field, word = owners[hits], fields[hits], hashes[hits]
    products = article.weights[spots[hits]] * weights[hits]

    def total(chosen: Flags, values: Ints | Units | None = None) -> Floats:
        picked = None if values is None else values[chosen]
        sums: Floats = np.bincount(at[chosen], weights=picked, minlength=count).astype(np.float64)
        return sums

    def set_cosine(kind: int, idf: Units) -> Floats:
        own = idf[article.hashes[own_fields == kind]].astype(np.int64)
        of_kind = fields == kind
        other = idf[hashes[of_kind]]
        squares = np.bincount(owners[of_kind], weights=other * other, minlength=count)
        shared = idf[word]
        length = np.sqrt(float(own @ own)) * np.sqrt(squares)
        cosine: Floats = total(field == kind, shared * shared) / np.maximum(length, 1.0)
        return cosine

    dots = np.bincount(at * FIELD_COUNT + field, weights=products, minlength=count * FIELD_COUNT)
    in_title, in_lead, in_text = field == _TITLE, field == _LEAD, field == _ALL
    idf, lead_idf, factor = snapshot.idf[word], snapshot.lead_idf[word], snapshot.factor
    titles, leads, texts = fields == _TITLE, fields == _LEAD, fields == _ALL
    own_text = own_fields == _ALL
    own_weights = article.weights[own_text] * factor[article.hashes[own_text]]
    weights_in_stream = weights[texts] * factor[hashes[texts]]
    squares = np.bincount(owners[texts], weights=weights_in_stream * weights_in_stream, minlength=count)
    length = np.sqrt(float((own_weights * own_weights).sum())) * np.sqrt(squares)
    own_title, own_lead = article.hashes[own_fields == _TITLE], article.hashes[own_fields == _LEAD]
    title_words = np.bincount(owners[titles], minlength=count)
    in_own_lead = np.bincount(owners[titles], weights=_are_in(own_lead, hashes[titles]), minlength=count)
    of_own_title = np.bincount(owners[leads], weights=_are_in(own_title, hashes[leads]), minlength=count)
    title_shares = (in_own_lead / np.maximum(title_words, 1), of_own_title / max(len(own_title), 1))
    body_words = np.array([one.body_words for one in reports])
    columns = {
        "days": [_days_apart(article.minutes, one.minutes) for one in reports],
        "title_shared": total(in_title),
        "lead_shared": total(in_lead),
        "rare_shared": total(in_text & (idf > _RARE_IDF)),
        "stream_cosine": total(in_text, products * factor[word] ** 2) / np.maximum(length, 1.0),
        "title_cosine": set_cosine(_TITLE, snapshot.idf),
        "title_mass": total(in_title, np.maximum(idf - _TITLE_IDF, 0)) / IDF_UNITS,
        "lead_mass": total(in_lead, np.maximum(lead_idf - _LEAD_IDF, 0)) / IDF_UNITS,
        "lead_cosine": set_cosine(_LEAD, snapshot.lead_idf),
        "title_in_lead_min": np.minimum(*title_shares),
        "title_in_lead_max": np.maximum(*title_shares),
        "shorter_words": np.minimum(body_words, article.body_words),
        "longer_words": np.maximum(body_words, article.body_words),
        "shorter_title": np.minimum(title_words, len(own_title)),
    }
    others = np.column_stack([columns[name] for name in FEATURES[FIELD_COUNT:]])
    return np.hstack((dots.reshape(count, FIELD_COUNT) / DOT_SCALE, others))


def _are_in(ordered: Words, values: Words) -> Flags:
    """Return which values are in an ascending array."""
    if not len(ordered):
        return np.zeros(len(values), dtype=np.bool_)
    found: Flags = ordered[np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)] == values
    return found


def _days_apart(one: int | None, other: int | None) -> float:
    """Return the days between two times in minutes; -1 if one is unknown."""
    return -1.0 if one is None or other is None else abs(one - other) / MINUTES_A_DAY


def _frame(one: Sequence[str], other: Sequence[str]) -> float:
    """Return the share of the longer title that both begin or end with; numbers count as equal."""
    fewer, longer = sorted((len(one), len(other)))
    prefix = 0
    while prefix < fewer and one[prefix] == other[prefix]:
        prefix += 1
    suffix = 0
    while suffix < fewer - prefix and one[-1 - suffix] == other[-1 - suffix]:
        suffix += 1
    return (prefix + suffix) / longer if longer else 0.0
