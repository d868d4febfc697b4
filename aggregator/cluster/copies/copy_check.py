"""Is this the same text? The exact check on the wordings, which alone decides that something is a copy.

Signatures and LSH keys only propose; they can be forged. Here the shingles of both texts are compared:
`resemblance` is what both share of all they have, `containment` what the smaller one shares, `least` what the
larger one shares. In this order:

1. Both ways. At least `mutual` of each text is in the other: a copy, however headed, edited, reordered or
   framed. A text that is contained but whose container has a headline of its own (`foreign_headline`) is not:
   somebody put another's text under their own.
2. About half of each text in the other: rewritten or extended far, or stuffed. A copy when the headlines
   agree.
3. Contained only. Containment alone never merges, since a page can be stuffed with anybody's text. The
   article cut out of the candidate is a copy with one of two signs: the headlines agree, or the opening of
   the candidate is in it and the candidate's headline is not foreign to it. The other way round never.
4. What is only contained is an excerpt: linked, never merged.

Guards. Short texts need an agreeing headline. Templated texts (weather, markets, results, "how to watch")
share most of their words and differ in what matters: unlike numbers stand in like places, or each headline
names what the other text does not have. One outlet's own pieces reuse its paragraphs and its
templates, so there fewer changed numbers are enough, a cut needs both signs, and most of what is shared must
stand in long runs, as in a text that was edited and not in a form that was filled in again.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import compress
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from aggregator.cluster.copies.minhash import estimate, estimates
from aggregator.cluster.copies.shingles import (
    SHINGLE_WORDS,
    Hashes,
    is_unspaced,
    shared_count,
    shingle_sequence,
    words,
)
from aggregator.model.core import CopyEvidence, FrozenStruct

Flags = npt.NDArray[np.bool_]

_OPENING_WORDS = 15  # stand for a headline: as many as a long one has
_UNDECIDED = 0.4  # leaning of a headline of one or two words: they say little of what it is about
_TYPICAL_WORDS = 300  # of a part of a text: counts are compared as if both had so many


class CopyTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `copies` of config/tuning.yaml, where every value has its unit and origin."""

    seed: int
    bands: int
    rows: int
    indexed_copies: int
    band_cap: int
    candidate_cap: int
    window: int
    sketch_hashes: int
    shingle_cap: int
    passage_reach: int
    passage_shared: int
    passage_share: float
    excerpt_share: float
    excerpt_checks: int
    exact_checks: int
    least_estimate: float
    enough: float
    text_chars: int
    mutual: float
    contained: float
    cut_least: float
    supported: float
    supported_same: float
    opening_shingles: int
    opening_share: float
    headline_words: int
    headline_share: float
    framed: float
    foreign_headline: float
    foreign_words: int
    own_block: int
    own_headed: float
    own_headed_cut: float
    own_kinship: float
    short_shingles: int
    short_mutual: float
    untitled_mutual: float
    untitled_shingles: int
    excerpt_contained: float
    slot_words: int
    slot_numbers: int
    slot_share: float
    own_slot_numbers: int
    own_slot_share: float
    swapped_share: float
    run_shingles: int
    own_run_share: float


class ComparedText(FrozenStruct, frozen=True, kw_only=True):
    """A text as the copy level sees it: the article in question, or a candidate for its twin."""

    id: str
    text: str
    title: str = ""
    outlet: str | None = None  # None: unknown, never the same as another
    signature: bytes = b""
    order: int = 0  # inbox number: of equal twins the lower one is taken


class CopyProposal(NamedTuple):
    """A stored article that may be a twin."""

    id: str
    signature: bytes
    order: int  # inbox number
    share: float = 0.0  # of the smaller of both sketches that they share (cluster/copies/sampled_shingles.py)


class RankedCandidate(NamedTuple):
    """A candidate whose text is worth reading."""

    id: str
    estimate: float


def rank_candidates(
    signature: bytes, candidates: Sequence[CopyProposal], tuning: CopyTuning
) -> tuple[RankedCandidate, ...]:
    """The candidates whose texts to read, likeliest first.

    At most `exact_checks` of them. What counts is the estimated resemblance, or the share of a sketch where
    that is more: of a cut, an extension or an excerpt only containment is high. Those below `least_estimate`
    and `passage_share` met by chance. Equal ones go by inbox number.
    """
    estimates_of = estimates(signature, [candidate.signature for candidate in candidates])
    likely = [
        (-max(estimate_of, one.share), one.order, one.id)
        for estimate_of, one in zip(estimates_of, candidates, strict=True)
        if estimate_of >= tuning.least_estimate or one.share >= tuning.passage_share
    ]
    return tuple(
        RankedCandidate(id_, -negative) for negative, _, id_ in sorted(likely)[: tuning.exact_checks]
    )


def verdict(article: ComparedText, candidate: ComparedText, tuning: CopyTuning) -> CopyEvidence | None:
    """Whether `article` is a copy or an excerpt of `candidate`, with the shares that say so."""
    return _judge(_AnalyzedText(article, tuning), _AnalyzedText(candidate, tuning), tuning)


def best_copy(
    article: ComparedText, candidates: Iterable[ComparedText], tuning: CopyTuning
) -> CopyEvidence | None:
    """The best twin of `article` among `candidates`, which come likeliest first (see `rank_candidates`).

    Reads at most `exact_checks` candidates and stops at one that is `enough` alike, so candidates may be a
    generator that loads texts one by one. A copy goes before an excerpt, then the higher resemblance (for
    excerpts: containment), then the lower inbox number.
    """
    reading = _AnalyzedText(article, tuning)
    best: tuple[tuple[bool, float, int], CopyEvidence] | None = None
    for asked, candidate in enumerate(candidates, start=1):
        found = (
            None if candidate.id == article.id else _judge(reading, _AnalyzedText(candidate, tuning), tuning)
        )
        if found is not None:
            is_copy = found.kind == "copy"
            rank = (is_copy, found.resemblance if is_copy else found.containment, -candidate.order)
            if best is None or rank > best[0]:
                best = (rank, found)
        if asked >= tuning.exact_checks or (found is not None and found.resemblance >= tuning.enough):
            break
    return best[1] if best else None


def excerpts_in(
    article: ComparedText, candidates: Iterable[ComparedText], tuning: CopyTuning
) -> tuple[CopyEvidence, ...]:
    """Evidence for every candidate that is an excerpt of `article` (the excerpt came in first).

    `other` is the excerpt. Reads at most `exact_checks` candidates.
    """
    whole = _AnalyzedText(article, tuning)
    found: list[CopyEvidence] = []
    for asked, candidate in enumerate(candidates, start=1):
        evidence = _judge(_AnalyzedText(candidate, tuning), whole, tuning)
        if evidence is not None and evidence.kind == "excerpt":
            found.append(msgspec.structs.replace(evidence, other=candidate.id))
        if asked >= tuning.exact_checks:
            break
    return tuple(found)


class _AnalyzedText:
    """A wording with what the check needs of it, each part worked out once and only when asked for."""

    def __init__(self, wording: ComparedText, tuning: CopyTuning) -> None:
        self.wording = wording
        self.text = wording.text[: tuning.text_chars]

    @cached_property
    def sequence(self) -> Hashes:
        return shingle_sequence(self.text)

    @cached_property
    def shingles(self) -> Hashes:
        return np.unique(self.sequence)

    @cached_property
    def words(self) -> list[str]:
        return words(self.text)

    @cached_property
    def terms(self) -> list[str]:
        return _terms(self.words)

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        return frozenset(self.words)

    @cached_property
    def headline(self) -> frozenset[str]:
        return frozenset(words(self.wording.title))

    @cached_property
    def headline_in_text(self) -> frozenset[str]:
        """The words of the headline that the text bears out; short words say nothing."""
        return frozenset(word for word in self.headline & self.vocabulary if _is_informative(word))


def _terms(text: Sequence[str]) -> list[str]:
    """For every word itself if it tells something, else "": of a script without spaces, with the next one."""
    pairs = zip(text, [*text[1:], ""], strict=False)
    return [
        (one + two if is_unspaced(two) else one) if is_unspaced(one) else one if _is_informative(one) else ""
        for one, two in pairs
    ]


def _is_informative(word: str) -> bool:
    """Whether a word of a headline says what it is about: not "the", "for", "has" of the Latin alphabet."""
    return len(word) > 3 or word.isdigit() or not word.isascii()


class _Overlap:
    """Two readings and what they share."""

    def __init__(self, article: _AnalyzedText, candidate: _AnalyzedText) -> None:
        self.article, self.candidate = article, candidate
        self.article_is_smaller = len(article.shingles) <= len(candidate.shingles)
        self.smaller, self.larger = (article, candidate) if self.article_is_smaller else (candidate, article)
        shared = shared_count(article.shingles, candidate.shingles)
        self.resemblance = shared / (len(article.shingles) + len(candidate.shingles) - shared)
        self.containment = shared / len(self.smaller.shingles)
        self.least = shared / len(self.larger.shingles)

    @cached_property
    def one_outlet(self) -> bool:
        outlet = self.article.wording.outlet
        return outlet is not None and outlet == self.candidate.wording.outlet

    @cached_property
    def shared_flags(self) -> Flags:
        """For every shingle of the smaller text, in order, whether the larger one has it."""
        return np.isin(self.smaller.sequence, self.larger.shingles)

    @cached_property
    def shared_words(self) -> Flags:
        """For every word of the smaller text whether it stands in a shared shingle."""
        return _words_in(self.shared_flags, len(self.smaller.words))

    @cached_property
    def shared_words_of_larger(self) -> Flags:
        """For every word of the larger text whether it stands in a shared shingle."""
        flags = np.isin(self.larger.sequence, self.smaller.shingles)
        return _words_in(flags, len(self.larger.words))


def _judge(article: _AnalyzedText, candidate: _AnalyzedText, tuning: CopyTuning) -> CopyEvidence | None:
    if not len(article.shingles) or not len(candidate.shingles):
        return None
    overlap = _Overlap(article, candidate)
    kind = _kind(overlap, tuning)
    if kind is None:
        return None
    return CopyEvidence(
        other=candidate.wording.id,
        resemblance=overlap.resemblance,
        containment=overlap.containment,
        estimate=estimate(article.wording.signature, candidate.wording.signature),
        kind=kind,
    )


def _kind(overlap: _Overlap, tuning: CopyTuning) -> Literal["copy", "excerpt"] | None:
    if len(overlap.smaller.shingles) < tuning.short_shingles:
        return "copy" if _is_short_copy(overlap, tuning) else None
    if overlap.least >= tuning.mutual:
        is_copy = not _has_foreign_headline(overlap, tuning)
    elif overlap.article_is_smaller and overlap.containment >= tuning.contained:
        is_copy = _is_cut(overlap, tuning)
    else:
        is_copy = _is_supported(overlap, tuning)
    if is_copy:
        return None if _is_templated(overlap, tuning) else "copy"
    return "excerpt" if _is_excerpt(overlap, tuning) else None


def _is_short_copy(overlap: _Overlap, tuning: CopyTuning) -> bool:
    """A few words are easily alike by form ("Check back for updates"): the headlines must agree as well."""
    if overlap.smaller.headline and overlap.larger.headline:
        alike = overlap.least >= tuning.short_mutual and _headlines_agree(overlap, tuning)
    else:
        alike = (
            overlap.least >= tuning.untitled_mutual
            and len(overlap.smaller.shingles) >= tuning.untitled_shingles
        )
    return alike and not _is_templated(overlap, tuning)


def _is_cut(overlap: _Overlap, tuning: CopyTuning) -> bool:
    if overlap.least < tuning.cut_least or _has_foreign_headline(overlap, tuning):
        return False
    signs = (_headlines_agree(overlap, tuning), _opening_is_shared(overlap, tuning))
    return all(signs) if overlap.one_outlet else any(signs)


def _is_supported(overlap: _Overlap, tuning: CopyTuning) -> bool:
    """Half written anew, under the headline it had; within one outlet that is the next part of a series."""
    if overlap.one_outlet or not _headlines_agree(overlap, tuning):
        return False
    same = overlap.article.headline == overlap.candidate.headline
    return overlap.least >= (tuning.supported_same if same else tuning.supported)


def _is_excerpt(overlap: _Overlap, tuning: CopyTuning) -> bool:
    return (
        overlap.article_is_smaller
        and overlap.containment >= tuning.excerpt_contained
        and overlap.least < tuning.mutual
    )


def _headlines_agree(overlap: _Overlap, tuning: CopyTuning) -> bool:
    left, right = overlap.article.headline, overlap.candidate.headline
    if not left or not right:
        return False
    shared = len(left & right)
    enough = shared >= tuning.headline_words and shared >= tuning.headline_share * min(len(left), len(right))
    return left == right or enough


def _opening_is_shared(overlap: _Overlap, tuning: CopyTuning) -> bool:
    """A text is cut from its end and extended at its end: its first paragraphs survive."""
    opening = overlap.larger.sequence[: tuning.opening_shingles]
    return float(np.isin(opening, overlap.smaller.shingles).mean()) >= tuning.opening_share


def _has_foreign_headline(overlap: _Overlap, tuning: CopyTuning) -> bool:
    """Whether the larger text only contains the smaller and is headed by what its own part is about."""
    # least / containment is how long the smaller text is, compared with the larger
    is_longer = overlap.least < tuning.framed * overlap.containment
    only_contains = overlap.containment >= tuning.contained and is_longer
    if not only_contains or _headlines_agree(overlap, tuning):
        return False
    missing, own = _count_missing_words(overlap.larger, overlap.smaller)
    if missing >= tuning.foreign_words and missing >= tuning.foreign_headline * own:
        return True
    return _own_part_is_headed(overlap, tuning)


def _own_part_is_headed(overlap: _Overlap, tuning: CopyTuning) -> bool:
    """Whether the larger text has a longer part of its own, and its headline is about that.

    A headline is about the part where its words stand more densely. The less both parts speak of one thing,
    the less it takes: the second half of an article goes on about the first, a stolen text does not. Where
    the text takes up hardly a word of its headline, or there is none, it is about what it opens with.
    """
    own = _own_blocks(overlap.shared_words_of_larger, tuning)
    if not own.any():
        return False
    larger = overlap.larger
    in_own, in_rest = _density(larger.terms, own), _density(larger.terms, ~own)
    headline = {term for term in _terms(words(larger.wording.title)) if term in in_own or term in in_rest}
    shares = [in_own.get(term, 0.0) / (in_own.get(term, 0.0) + in_rest.get(term, 0.0)) for term in headline]
    leaning = math.fsum(shares) / max(1, len(shares))
    if len(headline) < tuning.headline_words:
        if own[:_OPENING_WORDS].mean() > 0.5:
            return True
        if not headline:
            return False
        leaning = max(leaning, _UNDECIDED)
    asked = tuning.own_headed if overlap.least >= tuning.mutual else tuning.own_headed_cut
    return leaning >= asked + tuning.own_kinship * _cosine(in_own, in_rest)


def _own_blocks(shared: Flags, tuning: CopyTuning) -> Flags:
    """For every word whether it is in a run of `own_block` that are not shared; single shared phrases count
    as not shared."""
    runs = _run_lengths(shared)
    own = ~shared
    own[shared] = np.repeat(runs < tuning.run_shingles, runs)
    runs = _run_lengths(own)
    own[own] = np.repeat(runs >= tuning.own_block, runs)
    return own


def _density(text: Sequence[str], flags: Flags) -> dict[str, float]:
    """The share that each term has of the flagged words."""
    totals = Counter(term for term in compress(text, flags) if term)
    count = max(1, int(flags.sum()))
    return {term: times / count for term, times in totals.items()}


def _cosine(left: Mapping[str, float], right: Mapping[str, float]) -> float:
    """How much two parts of a text speak of one thing, 0..1; frequent terms count little more than others."""
    small, large = (left, right) if len(left) <= len(right) else (right, left)
    ours = {term: math.log1p(_TYPICAL_WORDS * share) for term, share in small.items()}
    theirs = {term: math.log1p(_TYPICAL_WORDS * share) for term, share in large.items()}
    dot = math.fsum(value * theirs.get(term, 0.0) for term, value in ours.items())
    norms = math.hypot(*ours.values()) * math.hypot(*theirs.values())
    return dot / norms if norms else 0.0


def _count_missing_words(reading: _AnalyzedText, other: _AnalyzedText) -> tuple[int, int]:
    """How many words of the headline that `reading` bears out the other lacks, and how many it bears out."""
    own = reading.headline_in_text
    return len(own - other.vocabulary - other.headline), len(own)


def _is_templated(overlap: _Overlap, tuning: CopyTuning) -> bool:
    if overlap.resemblance == 1.0:
        return False
    if overlap.one_outlet:
        numbers, share = tuning.own_slot_numbers, tuning.own_slot_share
        if _long_run_share(overlap, tuning) < tuning.own_run_share:
            return True
    else:
        numbers, share = tuning.slot_numbers, tuning.slot_share
    changed, all_numbers = _changed_numbers(overlap, tuning)
    return (changed >= numbers and changed >= share * all_numbers) or _names_are_swapped(overlap, tuning)


def _names_are_swapped(overlap: _Overlap, tuning: CopyTuning) -> bool:
    """Whether each headline names what its own text has and the other does not."""
    both = (
        _count_missing_words(overlap.smaller, overlap.larger),
        _count_missing_words(overlap.larger, overlap.smaller),
    )
    return all(missing and missing >= tuning.swapped_share * own for missing, own in both)


def _long_run_share(overlap: _Overlap, tuning: CopyTuning) -> float:
    """How much of what is shared stands in runs of at least `run_shingles`, 0..1."""
    lengths = _run_lengths(overlap.shared_flags)
    total = int(lengths.sum())
    return float(lengths[lengths >= tuning.run_shingles].sum()) / total if total else 0.0


def _changed_numbers(overlap: _Overlap, tuning: CopyTuning) -> tuple[int, int]:
    """How many numbers of the smaller text are all that differs in their place, and how many it has.

    Such a place is a gap of at most `slot_words` words between words that both texts have. A sentence that
    was written anew leaves a longer gap.
    """
    text, shared = overlap.smaller.words, overlap.shared_words
    gaps = _run_lengths(~shared)
    in_slot = np.zeros(len(shared), dtype=bool)
    in_slot[~shared] = np.repeat(gaps <= tuning.slot_words, gaps)
    numbers = np.array([word[0].isdigit() for word in text], dtype=bool)
    return int(np.count_nonzero(numbers & in_slot)), int(np.count_nonzero(numbers))


def _words_in(flags: Flags, count: int) -> Flags:
    """From flags of shingles to flags of the `count` words that they are made of."""
    covered = np.zeros(count, dtype=bool)
    for step in range(SHINGLE_WORDS):
        covered[step : step + len(flags)] |= flags[: count - step]
    return covered


def _run_lengths(flags: Flags) -> npt.NDArray[np.intp]:
    """The lengths of the runs of True, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    lengths: npt.NDArray[np.intp] = edges[1::2] - edges[::2]
    return lengths
