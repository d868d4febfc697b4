"""Centroid of a story: exact sums over its reports, independent of the order of arrival.

The mean of the reports' term weights is what the index finds a story by. Weights are integers
(term_codec.SCALE): adding and removing are exact inverses, and two stories merge by addition.

A *silent* member (a copy, or a live blog or roundup in a story with reports) counts as a member with a date
and adds no terms. A date of it, or one that was read in a text, bounds the story like a declared one.

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

from aggregator.cluster.copies.shingles import first_of_equal
from aggregator.cluster.events.term_codec import (
    Ints,
    Words,
    heaviest,
    ids_of,
    pack,
    read,
    weights_of,
)
from aggregator.cluster.events.weights import EventModel

_LAYOUT: Final = 2
# layout, terms of the trimmed mean, reports, containers, silent, dates, unscored dates, other packed terms,
# wide terms
_HEADER: Final = struct.Struct("<HH7I")
_EMPTY: Final[Ints] = np.zeros(0, dtype=np.int64)


def _empty() -> Ints:
    return _EMPTY


class ScoringInput(msgspec.Struct, frozen=True):
    """The part of an article that a decision needs, and that enters a centroid."""

    terms: bytes
    minutes: int | None = None  # published, minutes since 1970; None: unknown
    body_words: int = 0
    is_container: bool = False
    inbox: int = 0  # its inbox number
    text_minutes: int | None = None  # the date read in its text where none was declared
    is_opinion: bool = False  # an opinion or an explainer, which is not counted as a report

    @property
    def stated_minutes(self) -> int | None:
        """The date, declared or read in the text."""
        return self.text_minutes if self.minutes is None else self.minutes


@dataclasses.dataclass(frozen=True, eq=False)
class Centroid:
    """The sums over all members of a story. Immutable: operations return a new one."""

    ids: Ints = dataclasses.field(default_factory=_empty)  # field and hash, sorted
    weights: Ints = dataclasses.field(default_factory=_empty)  # summed weights, all above 0
    reports: int = 0  # members that are counted in the sums
    containers: int = 0  # live blogs and roundups among the reports: all or none
    times: Ints = dataclasses.field(default_factory=_empty)  # minutes declared by the reports, sorted
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


def add(centroid: Centroid, member: ScoringInput) -> Centroid:
    """Return the centroid with one more report (or a live blog or roundup, if there are no other reports)."""
    return merge(centroid, _from_member(member))


def merge(left: Centroid, right: Centroid) -> Centroid:
    """Return the centroid of both stories' members.

    If only one has reports proper, the live blogs and roundups of the other become silent members.
    """
    if left.is_container_only != right.is_container_only and left.reports and right.reports:
        left, right = _uncount_container(left), _uncount_container(right)
    ids, weights = _add_terms(left, right)
    return Centroid(
        ids=ids,
        weights=weights,
        reports=left.reports + right.reports,
        containers=left.containers + right.containers,
        times=np.sort(np.concatenate((left.times, right.times))),
        silent=left.silent + right.silent,
        unscored_times=np.sort(np.concatenate((left.unscored_times, right.unscored_times))),
    )


def from_members(counted_members: Iterable[ScoringInput], silent: Iterable[int | None]) -> Centroid:
    """Compute the centroid of a story from its counted members and the minutes of its silent members."""
    parts = [_from_member(member) for member in counted_members]
    while len(parts) > 1:  # pairwise: one by one would take up to 2,000 passes over all terms
        pairs = itertools.zip_longest(parts[::2], parts[1::2], fillvalue=Centroid())
        parts = [merge(one, other) for one, other in pairs]
    whole = parts[0] if parts else Centroid()
    return add_silent(whole, list(silent))


def add_silent(centroid: Centroid, minutes: Sequence[int | None]) -> Centroid:
    """Return the centroid with more silent members, of these dates."""
    dates = np.array([one for one in minutes if one is not None], dtype=np.int64)
    times = np.sort(np.concatenate((centroid.unscored_times, dates)))
    return dataclasses.replace(centroid, silent=centroid.silent + len(minutes), unscored_times=times)


def trimmed(centroid: Centroid, model: EventModel) -> Words:
    """Return the mean report, packed and cut to `packed_terms`: the index finds the story by it."""
    if not centroid.reports:
        return np.zeros(0, dtype=np.uint32)
    mean = (centroid.weights + centroid.reports // 2) // centroid.reports
    return heaviest(centroid.ids, mean, model.field_weights, model.tuning.packed_terms)


class CentroidSummary(msgspec.Struct, frozen=True):
    """The part of a centroid that the index needs."""

    trimmed: bytes
    reports: int
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
    counts = (centroid.reports, centroid.containers, centroid.silent)
    lengths = (len(centroid.times), len(centroid.unscored_times), int(narrow.sum()), len(wide))
    header = _HEADER.pack(_LAYOUT, len(summary), *counts, *lengths)
    parts = (
        (summary, "<u4"), (centroid.times, "<i4"), (centroid.unscored_times, "<i4"),
        (codes[narrow], "<u4"), (wide_ids, "<u4"), (wide, "<i4"),
    )  # fmt: skip
    return header + b"".join(array.astype(kind).tobytes() for array, kind in parts)


def read_summary(blob: bytes) -> CentroidSummary:
    """Read only the part of a blob that the index needs."""
    head = _header(blob)
    summary, (reports, containers, silent, dated, unscored) = head[1], head[2:7]
    at = _HEADER.size
    ends = (at + 4 * summary, at + 4 * (summary + dated), at + 4 * (summary + dated + unscored))
    return CentroidSummary(
        trimmed=blob[at : ends[0]],
        reports=reports,
        silent=silent,
        is_container_only=reports > 0 and containers == reports,
        times=blob[ends[0] : ends[1]],
        unscored_times=blob[ends[1] : ends[2]],
    )


class SummaryColumns(NamedTuple):
    """What the index keeps of each of many centroids."""

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
    layout, counts = words[starts], words[starts[:, None] + np.arange(1, 8)].astype(np.int64)
    terms = (layout >> np.uint32(16)).astype(np.int64)
    dated, unscored, narrow, wide = counts[:, 3:7].T
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
        terms=words[np.where(has_term, at[:, None] + np.arange(most), 0)],
        has_term=has_term,
        dates=words[np.where(has_date, spots, 0)].view("<i4").astype(np.int64),
        has_date=has_date,
    )


def from_bytes(blob: bytes) -> Centroid:
    """Read the centroid from its blob. Raise ValueError for another layout."""
    head = _header(blob)
    summary, (dated, unscored, narrow, wide) = head[1], head[5:9]
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
        reports=head[2],
        containers=head[3],
        times=arrays[1],
        silent=head[4],
        unscored_times=arrays[2],
    )


def _header(blob: bytes) -> tuple[int, ...]:
    if len(blob) < _HEADER.size or int.from_bytes(blob[:2], "little") != _LAYOUT:
        raise ValueError("not a centroid of the current layout")
    head: tuple[int, ...] = _HEADER.unpack_from(blob)
    dated, unscored, narrow, wide = head[5:9]
    if len(blob) != _HEADER.size + 4 * (head[1] + dated + unscored + narrow + 2 * wide):
        raise ValueError("the bytes of a centroid are truncated")
    return head


def _from_member(member: ScoringInput) -> Centroid:
    words = read(member.terms)
    ids = ids_of(words).astype(np.int64)
    order = np.argsort(ids)
    ids, weights = ids[order], weights_of(words)[order]
    return Centroid(
        ids=ids,
        weights=weights,
        reports=1,
        containers=int(member.is_container),
        times=_date(member.minutes),
        unscored_times=_EMPTY if member.minutes is not None else _date(member.text_minutes),
    )


def _date(minutes: int | None) -> Ints:
    return _EMPTY if minutes is None else np.array([minutes], dtype=np.int64)


def _add_terms(left: Centroid, right: Centroid) -> tuple[Ints, Ints]:
    ids = np.concatenate((left.ids, right.ids))
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    weights = np.concatenate((left.weights, right.weights))[order]
    starts = np.flatnonzero(first_of_equal(ids))
    return ids[starts], np.add.reduceat(weights, starts) if len(starts) else weights


def _uncount_container(centroid: Centroid) -> Centroid:
    if not centroid.is_container_only:
        return centroid
    dates = np.sort(np.concatenate((centroid.times, centroid.unscored_times)))
    return Centroid(silent=centroid.members, unscored_times=dates)
