"""Centroid of a story: exact sums over its reports, independent of the order of arrival.

The score of an article against a story is the mean of a linear pair score, and the mean of dot products is
the dot product with the mean. So the sums of the members' term weights suffice for scoring. Weights are
integers (term_codec.SCALE): adding and removing are exact inverses, and two stories merge by addition.

A *silent* member (a copy, or a live blog or roundup in a story with reports) counts as a member with a date
and adds no terms. A date of it, or one that was read in a text, bounds the story but is no part of a score.

Cohesion, the mean logit of two reports inside the story, is computed from the sums too: the summed pair
cosine of a field is (|sum|^2 - q) / 2, where q is the sum of the members' squared lengths. It depends on the
*set* of members only, bit for bit.

Blob (little-endian): header, trimmed mean (packed), dates of reports and unscored dates (int32, minutes since
1970, sorted), terms whose sum is a packed weight (most terms, as one member has them), other terms (ids
uint32, sums int32). A story of one report stores its terms once, as the trimmed mean. The index needs only
the beginning, which `read_summary` reads.
"""

import dataclasses
import itertools
import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from aggregator.cluster.events.term_codec import (
    DOT_SCALE,
    FIELD_COUNT,
    FIELDS,
    HASH_BITS,
    Ints,
    Words,
    heaviest,
    ids_of,
    pack,
    read,
    weights_of,
)
from aggregator.cluster.events.weights import MINUTES_A_DAY, TIME_SCALE, EventModel, time_shares
from aggregator.model.core import Reason

Floats = npt.NDArray[np.float64]

# The names of the shares of a score, always in this order.
REASONS: Final = (*FIELDS, "days", "undated", "no_body")

_LAYOUT: Final = 1
# layout, terms of the trimmed mean, reports, bodyless, containers, silent, dates, unscored dates, other
# packed terms, wide terms, time pairs, squares by field, cohesion
_HEADER: Final = struct.Struct(f"<HH8Iq{FIELD_COUNT}qd")
_EMPTY: Final[Ints] = np.zeros(0, dtype=np.int64)
_PAIRS_AT_ONCE: Final = 1 << 18  # pairs of dates per step: 2 MB
_FIELD_BOUNDS: Final[Ints] = np.arange(FIELD_COUNT + 1, dtype=np.int64) << HASH_BITS


def _empty() -> Ints:
    return _EMPTY


class CentroidMember(msgspec.Struct, frozen=True):
    """The part of an article that enters a centroid."""

    terms: bytes
    minutes: int | None = None  # published, minutes since 1970; None: unknown
    bodyless: bool = False
    is_container: bool = False
    text_minutes: int | None = None  # the date read in its text where none was declared


@dataclasses.dataclass(frozen=True, eq=False)
class Centroid:
    """The sums over all members of a story. Immutable: operations return a new one."""

    ids: Ints = dataclasses.field(default_factory=_empty)  # field and hash, sorted
    weights: Ints = dataclasses.field(default_factory=_empty)  # summed weights, all above 0
    squares: tuple[int, ...] = (0,) * FIELD_COUNT  # by field: sum of the members' squared lengths
    reports: int = 0  # members that are counted in the sums
    bodyless: int = 0  # reports without a body
    containers: int = 0  # live blogs and roundups among the reports: all or none
    times: Ints = dataclasses.field(default_factory=_empty)  # minutes declared by the reports, sorted
    time_pairs: int = 0  # sum of the time shares of all dated pairs, in units of 1/TIME_SCALE
    silent: int = 0  # members that are not counted in the sums
    unscored_times: Ints = dataclasses.field(default_factory=_empty)  # of silent members, or read in a text

    @property
    def members(self) -> int:
        """Reports and silent members."""
        return self.reports + self.silent

    @property
    def is_container_only(self) -> bool:
        """Whether all reports are live blogs and roundups."""
        return self.reports > 0 and self.containers == self.reports


def add(centroid: Centroid, member: CentroidMember, model: EventModel) -> Centroid:
    """Return the centroid with one more report (or a live blog or roundup, if there are no other reports)."""
    return merge(centroid, _from_member(member), model)


def remove(centroid: Centroid, member: CentroidMember, model: EventModel) -> Centroid:
    """Return the centroid before `member` was added. Raise ValueError when it is not a member."""
    one = _from_member(member)
    times = _subtract_times(centroid.times, one.times)
    if len(times) != len(centroid.times) - len(one.times):
        raise ValueError("the centroid has no member of this date")
    spots = np.searchsorted(centroid.ids, one.ids)
    if centroid.reports < 1 or not np.array_equal(
        centroid.ids[np.minimum(spots, len(centroid.ids) - 1)], one.ids
    ):
        raise ValueError("the centroid has no member with these terms")
    weights = centroid.weights.copy()
    weights[spots] -= one.weights
    positive = weights > 0
    return dataclasses.replace(
        centroid,
        ids=centroid.ids[positive],
        weights=weights[positive],
        squares=tuple(a - b for a, b in zip(centroid.squares, one.squares, strict=True)),
        reports=centroid.reports - 1,
        bodyless=centroid.bodyless - one.bodyless,
        containers=centroid.containers - one.containers,
        times=times,
        time_pairs=centroid.time_pairs - _time_between(times, one.times, model),
        unscored_times=_subtract_times(centroid.unscored_times, one.unscored_times),
    )


def merge(left: Centroid, right: Centroid, model: EventModel) -> Centroid:
    """Return the centroid of both stories' members.

    If only one has reports proper, the live blogs and roundups of the other become silent members.
    """
    if left.is_container_only != right.is_container_only and left.reports and right.reports:
        left, right = _uncount_container(left), _uncount_container(right)
    ids, weights = _add_terms(left, right)
    return Centroid(
        ids=ids,
        weights=weights,
        squares=tuple(a + b for a, b in zip(left.squares, right.squares, strict=True)),
        reports=left.reports + right.reports,
        bodyless=left.bodyless + right.bodyless,
        containers=left.containers + right.containers,
        times=np.sort(np.concatenate((left.times, right.times))),
        time_pairs=left.time_pairs + right.time_pairs + _time_between(left.times, right.times, model),
        silent=left.silent + right.silent,
        unscored_times=np.sort(np.concatenate((left.unscored_times, right.unscored_times))),
    )


def from_members(
    counted_members: Iterable[CentroidMember], silent: Iterable[int | None], model: EventModel
) -> Centroid:
    """Compute the centroid of a story from its counted members and the minutes of its silent members."""
    parts = [_from_member(member) for member in counted_members]
    while len(parts) > 1:  # pairwise: one by one would take up to 2,000 passes over all terms
        pairs = itertools.zip_longest(parts[::2], parts[1::2], fillvalue=Centroid())
        parts = [merge(one, other, model) for one, other in pairs]
    whole = parts[0] if parts else Centroid()
    for minutes in silent:
        whole = add_silent(whole, minutes)
    return whole


def add_silent(centroid: Centroid, minutes: int | None) -> Centroid:
    """Return the centroid with one more silent member."""
    times = np.sort(np.append(centroid.unscored_times, _date(minutes)))
    return dataclasses.replace(centroid, silent=centroid.silent + 1, unscored_times=times)


def remove_silent(centroid: Centroid, minutes: int | None) -> Centroid:
    """Return the centroid before `add_silent`. Raise ValueError when there is no such member."""
    if centroid.silent < 1:
        raise ValueError("the centroid has no silent member")
    times = _subtract_times(centroid.unscored_times, _date(minutes))
    return dataclasses.replace(centroid, silent=centroid.silent - 1, unscored_times=times)


def widest_gap(centroid: Centroid) -> int:
    """Return the most minutes between a date of the story and the next one."""
    dates = np.sort(np.concatenate((centroid.times, centroid.unscored_times)))
    return int(np.diff(dates).max(initial=0))


def cohesion(centroid: Centroid, model: EventModel) -> float:
    """Return the mean logit of two reports of the story, including one pseudo-pair of `cohesion_prior`."""
    pairs = centroid.reports * (centroid.reports - 1) // 2
    dated = len(centroid.times) * (len(centroid.times) - 1) // 2
    bodied = centroid.reports - centroid.bodyless
    total = model.bias * pairs + centroid.time_pairs / TIME_SCALE + model.undated * (pairs - dated)
    total += model.bodyless * (pairs - bodied * (bodied - 1) // 2)
    for field, squared in enumerate(_squares(centroid.ids, centroid.weights)):
        total += float(model.field_weights[field]) * ((squared - centroid.squares[field]) / (2 * DOT_SCALE))
    return (total + model.tuning.cohesion_prior) / (pairs + 1)


class ScoreShares(NamedTuple):
    """A mean pair score by reason: the values, and the logits they add.

    The score is the sum of the logits plus the model's bias.
    """

    names: tuple[str, ...]
    values: Floats
    logits: Floats

    def score(self, model: EventModel) -> float:
        """The mean logit."""
        return model.bias + float(self.logits.sum())

    def reasons(self) -> tuple[Reason, ...]:
        """Return the shares that are not 0."""
        return tuple(
            Reason(name=name, value=float(value), share=float(logit))
            for name, value, logit in zip(self.names, self.values, self.logits, strict=True)
            if logit != 0.0
        )


def pair_shares(left: Centroid, right: Centroid, model: EventModel) -> ScoreShares:
    """Return the mean logit of a report of one story with a report of the other, by reason.

    Both must have reports.
    """
    if len(left.ids) > len(right.ids):
        left, right = right, left
    pairs = left.reports * right.reports
    dated = len(left.times) * len(right.times)
    bodied = (left.reports - left.bodyless) * (right.reports - right.bodyless)
    spots = np.searchsorted(right.ids, left.ids)
    in_range = spots < len(right.ids)
    both = np.flatnonzero(in_range)[right.ids[spots[in_range]] == left.ids[in_range]]
    products = left.weights[both] * right.weights[spots[both]]
    bounds = np.searchsorted(left.ids[both], _FIELD_BOUNDS)
    dots = [int(products[start:end].sum()) for start, end in itertools.pairwise(bounds)]
    cosines = np.array(dots, dtype=np.float64) / DOT_SCALE / pairs
    time = _time_between(left.times, right.times, model) / TIME_SCALE / pairs
    undated, bodyless = 1.0 - dated / pairs, 1.0 - bodied / pairs
    days = _days_between(left.times, right.times)
    return ScoreShares(
        REASONS,
        np.array((*cosines, days, undated, bodyless)),
        np.array(
            (*(cosines * model.field_weights), time, undated * model.undated, bodyless * model.bodyless)
        ),
    )


def trimmed(centroid: Centroid, model: EventModel) -> Words:
    """Return the mean report, packed and cut to `packed_terms`: articles are scored against it."""
    if not centroid.reports:
        return np.zeros(0, dtype=np.uint32)
    mean = (centroid.weights + centroid.reports // 2) // centroid.reports
    return heaviest(centroid.ids, mean, model.field_weights, model.tuning.packed_terms)


class CentroidSummary(msgspec.Struct, frozen=True):
    """The part of a centroid that the index needs."""

    trimmed: bytes
    cohesion: float
    reports: int
    bodyless: int
    silent: int
    is_container_only: bool
    times: bytes  # int32 little-endian, declared by reports
    unscored_times: bytes

    @property
    def members(self) -> int:
        """Reports and silent members."""
        return self.reports + self.silent

    @property
    def dates(self) -> Ints:
        """All dates, in minutes, sorted."""
        return np.sort(np.frombuffer(self.times + self.unscored_times, "<i4").astype(np.int64))


def to_bytes(centroid: Centroid, model: EventModel) -> bytes:
    """Return the blob of a centroid. Equal sets of members under one model give equal bytes."""
    summary = trimmed(centroid, model)
    codes = pack(centroid.ids, centroid.weights)
    narrow = weights_of(codes) == centroid.weights
    if centroid.reports == 1:
        codes, narrow = codes[:0], np.zeros(0, dtype=bool)
    wide_ids, wide = (centroid.ids, centroid.weights) if len(narrow) else (_EMPTY, _EMPTY)
    wide_ids, wide = wide_ids[~narrow], wide[~narrow]
    counts = (centroid.reports, centroid.bodyless, centroid.containers, centroid.silent)
    lengths = (len(centroid.times), len(centroid.unscored_times), int(narrow.sum()), len(wide))
    header = _HEADER.pack(
        _LAYOUT,
        len(summary),
        *counts,
        *lengths,
        centroid.time_pairs,
        *centroid.squares,
        cohesion(centroid, model),
    )
    parts = (
        (summary, "<u4"), (centroid.times, "<i4"), (centroid.unscored_times, "<i4"),
        (codes[narrow], "<u4"), (wide_ids, "<u4"), (wide, "<i4"),
    )  # fmt: skip
    return header + b"".join(array.astype(kind).tobytes() for array, kind in parts)


def read_summary(blob: bytes) -> CentroidSummary:
    """Read only the part of a blob that the index needs."""
    head = _header(blob)
    summary, (reports, bodyless, containers, silent, dated, unscored) = head[1], head[2:8]
    at = _HEADER.size
    ends = (at + 4 * summary, at + 4 * (summary + dated), at + 4 * (summary + dated + unscored))
    return CentroidSummary(
        trimmed=blob[at : ends[0]],
        cohesion=float(head[-1]),
        reports=reports,
        bodyless=bodyless,
        silent=silent,
        is_container_only=reports > 0 and containers == reports,
        times=blob[ends[0] : ends[1]],
        unscored_times=blob[ends[1] : ends[2]],
    )


class SummaryColumns(NamedTuple):
    """What the index keeps of each of many centroids."""

    reports: Ints
    terms: Words  # the first of the trimmed mean, packed; a row for each centroid
    has_term: npt.NDArray[np.bool_]  # where a trimmed mean has fewer, the others are False
    dates: Ints  # first and last date of reports, and unscored
    has_date: npt.NDArray[np.bool_]


def read_columns(blobs: Sequence[bytes], most: int) -> SummaryColumns:
    """Read the parts of many blobs at once that the index keeps, of each at most `most` terms.

    Raise ValueError if one of them cannot be read, as `read_summary`.
    """
    head = _HEADER.size // 4
    lengths = np.fromiter(map(len, blobs), np.int64, len(blobs))
    if (lengths % 4).any() or (lengths < _HEADER.size).any():
        for blob in blobs:
            _header(blob)
    starts = (np.cumsum(lengths) - lengths) // 4
    words = np.frombuffer(b"".join(blobs), "<u4")
    layout, counts = words[starts], words[starts[:, None] + np.arange(1, 9)].astype(np.int64)
    terms = (layout >> np.uint32(16)).astype(np.int64)
    reports, dated, unscored, narrow, wide = counts[:, [0, 4, 5, 6, 7]].T
    whole = 4 * (head + terms + dated + unscored + narrow + 2 * wide)
    if (layout & np.uint32(0xFFFF) != _LAYOUT).any() or (whole != lengths).any():
        for blob in blobs:
            _header(blob)
    at = starts + head
    has_term = np.arange(most) < terms[:, None]
    has_date = np.repeat(np.stack((dated, unscored), axis=1) > 0, 2, axis=1)
    first, ends = at + terms, at + terms + dated
    spots = np.stack((first, ends - 1, ends, ends + unscored - 1), axis=1)
    return SummaryColumns(
        reports=reports,
        terms=words[np.where(has_term, at[:, None] + np.arange(most), 0)],
        has_term=has_term,
        dates=words[np.where(has_date, spots, 0)].view("<i4").astype(np.int64),
        has_date=has_date,
    )


def from_bytes(blob: bytes) -> Centroid:
    """Read the centroid from its blob. Raise ValueError for another layout."""
    head = _header(blob)
    summary, (dated, unscored, narrow, wide) = head[1], head[6:10]
    at = _HEADER.size
    arrays: list[Ints] = []
    for length, kind in zip((summary, dated, unscored, narrow, wide, wide), "uiiuui", strict=True):
        arrays.append(np.frombuffer(blob, f"<{kind}4", length, at).astype(np.int64))
        at += 4 * length
    packed = (arrays[0] if head[2] == 1 else arrays[3]).astype(np.uint32)
    ids = np.concatenate((ids_of(packed).astype(np.int64), arrays[4]))
    order = np.argsort(ids)
    return Centroid(
        ids=ids[order],
        weights=np.concatenate((weights_of(packed), arrays[5]))[order],
        squares=tuple(head[11 : 11 + FIELD_COUNT]),
        reports=head[2],
        bodyless=head[3],
        containers=head[4],
        times=arrays[1],
        time_pairs=head[10],
        silent=head[5],
        unscored_times=arrays[2],
    )


def _header(blob: bytes) -> tuple[int, ...]:
    if len(blob) < _HEADER.size or int.from_bytes(blob[:2], "little") != _LAYOUT:
        raise ValueError("not a centroid of the current layout")
    head: tuple[int, ...] = _HEADER.unpack_from(blob)
    dated, unscored, narrow, wide = head[6:10]
    if len(blob) != _HEADER.size + 4 * (head[1] + dated + unscored + narrow + 2 * wide):
        raise ValueError("the bytes of a centroid are truncated")
    return head


def _from_member(member: CentroidMember) -> Centroid:
    words = read(member.terms)
    ids = ids_of(words).astype(np.int64)
    order = np.argsort(ids)
    ids, weights = ids[order], weights_of(words)[order]
    return Centroid(
        ids=ids,
        weights=weights,
        squares=_squares(ids, weights),
        reports=1,
        bodyless=int(member.bodyless),
        containers=int(member.is_container),
        times=_date(member.minutes),
        unscored_times=_date(member.text_minutes),
    )


def _date(minutes: int | None) -> Ints:
    return _EMPTY if minutes is None else np.array([minutes], dtype=np.int64)


def _squares(ids: Ints, weights: Ints) -> tuple[int, ...]:
    """Return the sum of squares by field; ids are sorted, so each field is one run."""
    bounds = np.searchsorted(ids, _FIELD_BOUNDS)
    runs = (weights[start:end] for start, end in itertools.pairwise(bounds))
    return tuple(int(run @ run) for run in runs)


def _add_terms(left: Centroid, right: Centroid) -> tuple[Ints, Ints]:
    ids = np.concatenate((left.ids, right.ids))
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    weights = np.concatenate((left.weights, right.weights))[order]
    first = np.ones(len(ids), dtype=bool)
    first[1:] = ids[1:] != ids[:-1]
    starts = np.flatnonzero(first)
    return ids[starts], np.add.reduceat(weights, starts) if len(starts) else weights


def _time_between(left: Ints, right: Ints, model: EventModel) -> int:
    """Return the sum of the time shares of all pairs of a left and a right date."""
    if len(left) < len(right):
        left, right = right, left
    rows = max(1, _PAIRS_AT_ONCE // max(1, len(left)))
    parts = (right[start : start + rows, None] for start in range(0, len(right), rows))
    return sum(int(time_shares(model.time_table, left - part).sum()) for part in parts)


def _days_between(left: Ints, right: Ints) -> float:
    """Return the days between the nearest two dates; 0 if a side has none."""
    if not len(left) or not len(right):
        return 0.0
    spots = np.searchsorted(left, right)
    below = np.abs(left[np.maximum(spots - 1, 0)] - right)
    above = np.abs(left[np.minimum(spots, len(left) - 1)] - right)
    return float(np.minimum(below, above).min()) / MINUTES_A_DAY


def _subtract_times(times: Ints, gone: Ints) -> Ints:
    spots = np.searchsorted(times, gone)
    return np.delete(times, spots[np.isin(gone, times)])


def _uncount_container(centroid: Centroid) -> Centroid:
    if not centroid.is_container_only:
        return centroid
    dates = np.sort(np.concatenate((centroid.times, centroid.unscored_times)))
    return Centroid(silent=centroid.members, unscored_times=dates)
