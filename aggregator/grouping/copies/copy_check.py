"""Decides whether an article is a copy of another article, by an exact comparison of the two texts.

Sampled shingles (runs of words) and MinHash signatures only propose candidates, because they can be forged. This
check decides. It compares all shingles of both texts: `resemblance` is the shared part of all (Jaccard),
`containment` the shared part of the smaller text, `least` the shared part of the larger text.
Words in backquotes are values of CopyTuning. The rules for texts that are not short:

1. At least `mutual` of each text is in the other: a copy, even if its headline, wording or order changed or
   other text surrounds it. Exception: the larger text contains the smaller one and has a headline of its own
   (`_has_foreign_headline`). Then an outlet put another text under its own article.
2. About half of each text is in the other: the text was rewritten or extended strongly, or stuffed with foreign
   text. It is a copy only if the headlines agree, and never within one outlet, where it is the next part of a series.
3. Only the smaller text is contained. Containment alone never makes a copy, since a page can be stuffed with
   any text. An article that was cut from the candidate is a copy with one of two signs: the headlines agree,
   or the opening of the candidate is in the article and the candidate's headline is not foreign to it. A
   candidate that was cut from the article is never its original.
4. Any other contained text is an excerpt: linked, never merged.

Short texts, which are checked first, need agreeing headlines; if one has no headline, they must be equal. Templated
texts (weather, markets, results, "how to watch") share most of their words and differ in the decisive ones: different
numbers are in the same positions, or each headline has names that the other text lacks. One outlet reuses its own
paragraphs and templates. So within one outlet fewer changed numbers rule a copy out, a cut needs both signs, and most
of the shared text must be in long runs, as in an edited text and unlike a filled-in form.
"""

import math
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from itertools import compress, islice

import msgspec
from msgspec.structs import replace

from aggregator.extract.headline import are_other_releases
from aggregator.grouping.copies.minhash import estimate
from aggregator.grouping.copies.part_topics import (
    densities,
    is_informative,
    leanings,
    topic_cosine,
)
from aggregator.grouping.copies.shingles import (
    SHINGLE_WORDS,
    Hashes,
    are_among,
    distinct,
    long_runs,
    shared_count,
    shingle_sequence,
    slots,
    words,
    words_in,
)
from aggregator.model.article import ComparedText
from aggregator.model.evidence import CopyEvidence
from aggregator.text.numbers import spelt_numbers

# A shared ending, such as a footer, has at least this share of its shingles in common (chosen)
_END_SHARE = 0.9
# The least leaning of a headline of one or two words, which are too few to show a topic
_UNDECIDED = 0.4


class CopyTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `copies` of config/tuning.yaml, which gives the unit and origin of every value."""

    seed: int
    key_cap: int
    candidate_cap: int
    window: int
    smallest_hashes: int
    sketch_hashes: int
    passage_reach: int
    passage_shared: int
    likely_share: float
    exact_checks: int
    mutual: float
    most: float
    supported: float
    cut_share: float
    block: int
    own_headed_cut: float
    own_similarity: float
    short_shingles: int
    run_shingles: int
    slot_numbers: int
    slot_share: float
    own_slot_numbers: int
    own_slot_share: float
    reuse_share: float


def rank_candidates(
    article: ComparedText,
    candidates: Iterable[ComparedText],
    shares: Mapping[int, float],
    tuning: CopyTuning,
) -> list[str]:
    """Return the ids of the candidates whose texts are worth reading: the likeliest first, `exact_checks` at most.

    Candidates are ranked by the estimated resemblance or the shared part of a sketch (`shares`, by inbox number),
    whichever is higher, because a cut, an extension or an excerpt has only a high containment. Candidates below
    `likely_share` are chance matches and are left out. Ties are ordered by inbox number.
    """
    ranked = []
    for candidate in candidates:
        likeness = max(
            estimate(article.signature, candidate.signature),
            shares.get(candidate.order, 0.0),
        )
        if likeness >= tuning.likely_share:
            ranked.append((-likeness, candidate.order, candidate.id))
    return [id_ for _, _, id_ in sorted(ranked)[: tuning.exact_checks]]


def verdict(
    article: ComparedText, candidate: ComparedText, tuning: CopyTuning
) -> CopyEvidence | None:
    """Return the evidence that `article` is a copy or an excerpt of `candidate`, or None.

    The notes of two releases are never copies or excerpts, even if they are the same word for word.
    """
    if are_other_releases(article.title, candidate.title):
        return None
    overlap = _Overlap(article, candidate, tuning)
    is_short = len(overlap.smaller.shingles) < tuning.short_shingles
    is_contained = overlap.article_is_smaller and overlap.containment >= tuning.most
    if is_short and overlap.smaller.headline and overlap.larger.headline:
        # Short texts are often alike by form ("Check back for updates").
        # An outlet that cuts its own report keeps the headline and the opening.
        is_own_cut = overlap.one_outlet and is_contained and _is_cut(overlap, tuning)
        is_alike = overlap.least >= tuning.most or is_own_cut
        is_copy = is_alike and overlap.headlines_agree
    elif is_short:
        is_copy = (
            overlap.least == 1.0
            and len(overlap.smaller.shingles) >= tuning.run_shingles
        )
    elif overlap.least >= tuning.mutual:
        is_copy = not _has_foreign_headline(overlap, tuning)
    elif is_contained:
        is_copy = _is_cut(overlap, tuning)
    else:
        is_rewritten = not overlap.one_outlet and overlap.least >= tuning.supported
        is_copy = is_rewritten and overlap.headlines_agree
    is_excerpt = is_contained and not is_short and overlap.least < tuning.mutual
    if not (is_copy or is_excerpt) or (is_copy and _is_templated(overlap, tuning)):
        return None
    return CopyEvidence(
        other=candidate.id,
        resemblance=overlap.resemblance,
        containment=overlap.containment,
        estimate=estimate(article.signature, candidate.signature),
        kind="copy" if is_copy else "excerpt",
    )


def best_copy(
    article: ComparedText, candidates: Iterable[ComparedText], tuning: CopyTuning
) -> CopyEvidence | None:
    """Return the best match of `article` among `candidates`, which are in the order of `rank_candidates`.

    Read at most `exact_checks` candidates and stop at a candidate with the same shingles. A copy is preferred
    to an excerpt, then the higher resemblance (for excerpts: containment), then the lower inbox number.
    """
    matches = []
    for candidate in islice(candidates, tuning.exact_checks):
        evidence = verdict(article, candidate, tuning)
        if evidence is None or candidate.id == article.id:
            continue
        is_copy = evidence.kind == "copy"
        share = evidence.resemblance if is_copy else evidence.containment
        matches.append((is_copy, share, -candidate.order, evidence))
        if evidence.resemblance == 1.0:
            break
    return max(matches, key=lambda match: match[:3])[3] if matches else None


def excerpts_in(
    article: ComparedText, candidates: Iterable[ComparedText], tuning: CopyTuning
) -> tuple[CopyEvidence, ...]:
    """Return evidence for every candidate that is an excerpt of `article`, although it arrived before.

    The field `other` of the evidence names the excerpt.
    """
    excerpts = []
    for candidate in candidates:
        evidence = verdict(candidate, article, tuning)
        if evidence is not None and evidence.kind == "excerpt":
            excerpts.append(replace(evidence, other=candidate.id))
    return tuple(excerpts)


# Shingles are cached, because successive articles often have the same candidates (chosen: 2 MB of usual texts).
_TEXTS_IN_MEMORY = 128
sequence_of = lru_cache(maxsize=_TEXTS_IN_MEMORY)(shingle_sequence)


@lru_cache(maxsize=_TEXTS_IN_MEMORY)
def shingles_of(text: str) -> Hashes:
    return distinct(sequence_of(text))


class _AnalyzedText:
    """A text with the derived values of the check; values that few checks need are computed on demand."""

    def __init__(self, compared: ComparedText) -> None:
        self.compared = compared
        self.sequence = sequence_of(compared.text)
        self.shingles = shingles_of(compared.text)
        self.headline = frozenset(words(compared.title))

    @cached_property
    def words(self) -> list[str]:
        return words(self.compared.text)


def is_one_outlet(article: ComparedText, other: ComparedText) -> bool:
    """Return whether two articles have the same outlet; an unknown outlet is not the same as any other."""
    return article.outlet is not None and article.outlet == other.outlet


class _Overlap:
    """Two texts and their shared words; all shares are 0 if one of the texts has no shingles."""

    def __init__(
        self, article: ComparedText, candidate: ComparedText, tuning: CopyTuning
    ) -> None:
        texts = _AnalyzedText(article), _AnalyzedText(candidate)
        # The sort is stable, so the article counts as the smaller text if both have the same length.
        self.smaller, self.larger = sorted(texts, key=lambda text: len(text.shingles))
        self.article_is_smaller = self.smaller is texts[0]
        self.one_outlet = is_one_outlet(article, candidate)
        small = len(self.smaller.shingles)
        large = len(self.larger.shingles)
        shared = shared_count(self.smaller.shingles, self.larger.shingles)
        self.resemblance = shared / max(1, small + large - shared)
        self.containment = shared / max(1, small)
        self.least = shared / max(1, large)
        headline = self.smaller.headline
        other_headline = self.larger.headline
        if headline == other_headline:
            self.headlines_agree = bool(headline)
        else:
            shared_words = len(headline & other_headline)
            need = tuning.most * min(len(headline), len(other_headline))
            self.headlines_agree = shared_words >= max(SHINGLE_WORDS, need)


def _is_cut(overlap: _Overlap, tuning: CopyTuning) -> bool:
    """Return whether the smaller text was cut from the larger one, by its opening and its headline (rule 3)."""
    if overlap.least < tuning.cut_share or _has_foreign_headline(overlap, tuning):
        return False
    # Cutting or extending a text changes its end and keeps its opening.
    opening = overlap.larger.sequence[: tuning.block]
    is_in_smaller = are_among(opening, overlap.smaller.shingles)
    has_opening = bool(is_in_smaller.mean() >= tuning.cut_share)
    if overlap.one_outlet:
        return has_opening and overlap.headlines_agree
    return has_opening or overlap.headlines_agree


def _has_foreign_headline(overlap: _Overlap, tuning: CopyTuning) -> bool:
    """Return whether the larger text merely contains the smaller one and is headed by its own part.

    The larger text then has a long part of its own, and its headline is about the part where the words of the
    headline are denser. The required density is lower if the two parts have different topics: the second half
    of an article continues the topic of the first, whereas foreign text does not. If the text has fewer than three
    words of the headline, an opening in the own part is enough; without any such word, only the opening decides.
    """
    if overlap.containment < tuning.most or overlap.headlines_agree:
        return False
    larger = overlap.larger
    shared = words_in(
        are_among(larger.sequence, overlap.smaller.shingles), len(larger.words)
    )
    # Take the words in long parts that only the larger text has; isolated shared phrases count as unshared.
    is_own = long_runs(~long_runs(shared, tuning.run_shingles), tuning.block)
    if not is_own.any():
        return False
    in_own, in_rest = densities(larger.words, is_own)
    by_term = leanings(larger.compared.title, in_own, in_rest)
    leaning = math.fsum(by_term) / max(1, len(by_term))
    if len(by_term) < SHINGLE_WORDS:
        if is_own[: tuning.run_shingles].mean() > 0.5:
            return True
        if not by_term:
            return False
        leaning = max(leaning, _UNDECIDED)
    required = tuning.own_similarity * topic_cosine(in_own, in_rest)
    if overlap.least < tuning.mutual:
        required += tuning.own_headed_cut
    return leaning >= required


def _is_templated(overlap: _Overlap, tuning: CopyTuning) -> bool:
    """Return whether two texts that share most of their words differ in the decisive ones, like a filled-in form."""
    if overlap.resemblance == 1.0:
        return False
    smaller = overlap.smaller
    larger = overlap.larger
    is_shared = are_among(smaller.sequence, larger.shingles)
    least_changed = tuning.slot_numbers
    least_share = tuning.slot_share
    if overlap.one_outlet:
        in_long_runs = long_runs(is_shared, tuning.run_shingles)
        if in_long_runs.sum() < tuning.most * is_shared.sum():
            return True  # a form that was filled in shares no long runs
        # Texts of one outlet may share only an ending: a footer, or the background of an event, below other words
        # and another headline.
        if (
            not is_shared[:SHINGLE_WORDS].any()
            and not overlap.headlines_agree
            and is_shared[is_shared.argmax() :].mean() >= _END_SHARE
        ):
            return True
        least_changed = tuning.own_slot_numbers
        least_share = tuning.own_slot_share
    # A slot is a short gap between shared words. A number in it was changed in place; a rewritten sentence leaves a
    # longer gap.
    is_number = [word[0].isdigit() for word in smaller.words]
    in_slots = slots(words_in(is_shared, len(smaller.words)))
    changed = sum(compress(is_number, in_slots))
    if changed >= least_changed and changed >= least_share * sum(is_number):
        return True
    return _lacks_headline(smaller, larger, tuning) and _lacks_headline(
        larger, smaller, tuning
    )


def _lacks_headline(
    other: _AnalyzedText, analyzed: _AnalyzedText, tuning: CopyTuning
) -> bool:
    """Return whether `other` lacks more of the headline of `analyzed` than copies do.

    Only words of the headline that are also in the text below it count. Number words do not count, because they
    change in place like digits. If the other text lacks only one number of this text, such as the number of victims,
    this number does not count either, unless the headline has nothing else.
    """
    headline = set(
        filter(is_informative, analyzed.headline.intersection(analyzed.words))
    )
    headline.difference_update(spelt_numbers(analyzed.compared.language or ""))
    numbers = set(filter(str.isdigit, analyzed.words)).difference(other.words)
    if len(numbers) == 1:
        headline = headline - numbers or headline
    in_other = headline & other.headline.union(other.words)
    return len(in_other) < tuning.most * len(headline)
