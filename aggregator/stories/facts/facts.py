"""Facts: groups of sentences of several reports that state the same.

Groups are joined from the most similar pair down. A member counts only if its similarity to the shown
sentence is at least `count_from`, so that a chain of pairs joins no two statements.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations

from aggregator.stories.facts.figures import Figure, differ, equal_figures, with_counted
from aggregator.stories.facts.sentence_similarity import (
    SentenceFeatures,
    cosine,
    named_share,
    shared_content,
    similarity,
)
from aggregator.stories.facts.source_sentences import SourceReport
from aggregator.stories.facts.standalone_sentences import front_matter, shows_alone, standalone
from aggregator.stories.tuning import StoryTuning
from aggregator.stories.words import generic_heads, tokens
from aggregator.text.tokens import PART, SPACELESS

SentencePair = tuple[int, int]
ANY_QUOTATION_MARK = re.compile(r"[\"“”„«»]")
SMALL_NUMBERS = frozenset({"1", "2"})


@dataclass(frozen=True, slots=True)
class SentenceSimilarities:
    """Similarities of pairs of sentences, by (lower, higher) index; that of other pairs is 0."""

    features: Sequence[SentenceFeatures]
    pairs: dict[SentencePair, float]

    def of(self, a: int, b: int) -> float:
        """Return the similarity of the sentences `a` and `b`, 0 for pairs that share too little."""
        if a == b:
            return 1.0
        return self.pairs.get((a, b) if a < b else (b, a), 0.0)


@dataclass(frozen=True, slots=True)
class FactGroup:
    """Sentences that state the same; `members[0]` is shown."""

    members: tuple[int, ...]
    origins: int
    same_words: tuple[tuple[int, ...], ...] = ()  # indexes in `members` of one text, which count once


def compare_all(features: Sequence[SentenceFeatures], tuning: StoryTuning) -> SentenceSimilarities:
    """Compare pairs that share two content words, or one and a number.

    Words in more than `postings_cap` sentences propose no pairs, which bounds the time.
    """
    generic = generic_heads()
    postings: dict[str, list[int]] = {}
    for index, each in enumerate(features):
        for head in each.content:
            if head not in generic:
                postings.setdefault(head, []).append(index)
    shared: Counter[SentencePair] = Counter()
    for indexes in postings.values():
        if len(indexes) <= tuning.postings_cap:
            shared.update(combinations(indexes, 2))
    pairs = {
        (a, b): similarity(features[a], features[b])
        for (a, b), n in shared.items()
        if n >= 2 or not features[a].read.numbers.isdisjoint(features[b].read.numbers)
    }
    return SentenceSimilarities(features, pairs)


def fact_groups(
    similarities: SentenceSimilarities, reports: Sequence[SourceReport], tuning: StoryTuning
) -> list[FactGroup]:
    """Return the facts that two or more reports state."""
    features = similarities.features
    group_of: dict[int, list[int]] = {}
    for a, b in _edges(similarities, tuning):
        left, right = group_of.get(a, [a]), group_of.get(b, [b])
        if left is right or features[left[0]].read.denies != features[right[0]].read.denies:
            continue  # joined, or a claim and its denial
        joined = left + right
        group_of.update((member, joined) for member in joined)
    distinct = {id(group): group for group in group_of.values()}.values()
    return [fact for group in distinct if (fact := _fact(similarities, reports, sorted(group), tuning))]


def _edges(similarities: SentenceSimilarities, tuning: StoryTuning) -> list[SentencePair]:
    """Return the pairs to join, the most similar first: those across reports, then repetitions in a report.

    Across reports, one of both must be the most similar one of its report to the other.
    """
    features = similarities.features
    near = sorted((-s, pair) for pair, s in similarities.pairs.items() if s >= tuning.count_from)
    best: dict[tuple[int, int], int] = {}  # (sentence, other report) -> the most similar sentence there
    for _, (a, b) in near:
        best.setdefault((a, features[b].sentence.report), b)
        best.setdefault((b, features[a].sentence.report), a)
    across, repeated = [], []
    for minus, (a, b) in near:
        report_a, report_b = (features[index].sentence.report for index in (a, b))
        is_best = best[a, report_b] == b or best[b, report_a] == a
        if report_a == report_b and -minus >= tuning.repeat_from:
            repeated.append((a, b))
        elif report_a != report_b and is_best and may_count(features[a], features[b], -minus, tuning):
            across.append((a, b))
    return across + repeated


def may_count(one: SentenceFeatures, other: SentenceFeatures, s: float, tuning: StoryTuning) -> bool:
    """Whether two sentences of similarity `s` are counted as one fact, not only shown together."""
    return (
        s >= tuning.count_from
        and _agree_in_negation(one, other, s, tuning)
        and (s >= tuning.repeat_from or _tell_one_thing(one, other, tuning))
        and not differ(one.read.figures, other.read.figures)
    )


def _agree_in_negation(one: SentenceFeatures, other: SentenceFeatures, s: float, tuning: StoryTuning) -> bool:
    """Whether both or neither are negated: "sirens at 9:31", "there is no entry for 9:31" are similar."""
    if one.read.negations and other.read.negations:
        # "did not meet others" and "would not name the others" negate different things.
        return bool(one.read.negated & other.read.negated)
    if bool(one.read.negations) == bool(other.read.negations):
        return True
    # Similar as they are, "no siren sounded" contradicts "a siren sounded".
    return s >= tuning.repeat_from and not (
        one.read.negated & other.content.keys() or other.read.negated & one.content.keys()
    )


def _tell_one_thing(one: SentenceFeatures, other: SentenceFeatures, tuning: StoryTuning) -> bool:
    """Whether a pair of moderate similarity is similar as a whole, or shares more than names.

    Not where one has two figures that the other lacks, which is then about something else: "Five schools are
    shelters" and "900 breakfasts served by eight in one of five shelters".
    """
    numbers, others = one.read.numbers, other.read.numbers
    if max(len(numbers - others), len(others - numbers)) >= 2:
        return False
    if cosine(one, other) >= tuning.count_from:
        return True
    # Names alone would join the acts of two people at one place.
    if not (numbers & others) - SMALL_NUMBERS and named_share(one, other) >= tuning.named_share_max:
        return False
    return _share_words(one, other, tuning)


def _share_words(one: SentenceFeatures, other: SentenceFeatures, tuning: StoryTuning) -> bool:
    """Whether two sentences share enough words, a figure or a quotation."""
    quoted = len(one.read.quoted & other.read.quoted)
    return (
        shared_content(one, other)[0] >= tuning.shared_words_min
        or quoted >= max(tuning.shared_quoted_min, 0.6 * min(len(one.read.quoted), len(other.read.quoted)))
        or any(
            equal_figures(x, y, tuning.agree_count_min) for x in one.read.figures for y in other.read.figures
        )
    )


MAY_FOLLOW = (None, "a quotation alone")  # under the shown sentence, which may name the speaker


def _fact(
    similarities: SentenceSimilarities, reports: Sequence[SourceReport], group: list[int], tuning: StoryTuning
) -> FactGroup | None:
    shown = _fittest(similarities, group)
    features = similarities.features
    others = [
        i
        for i in group
        if i != shown
        and _counts(features[shown], features[i], similarities.of(shown, i), tuning)
        and front_matter(features[i].sentence.text, features[i].read.language) in MAY_FOLLOW
    ]
    members = (shown, *sorted(others, key=lambda i: (-similarities.of(shown, i), i)))
    is_of_one = len({features[i].sentence.report for i in members}) == 1
    if is_of_one or not shows_alone(features[shown].sentence.text, features[shown].read.language):
        return None
    origins, same_words = _count_origins(similarities, reports, members, tuning)
    return FactGroup(members, origins, same_words)


def _counts(shown: SentenceFeatures, other: SentenceFeatures, s: float, tuning: StoryTuning) -> bool:
    """Whether a member states the same as the shown sentence, not only as another member."""
    if shown.sentence.report == other.sentence.report:
        return s >= tuning.count_from
    return may_count(shown, other, s, tuning)


def _fittest(similarities: SentenceSimilarities, group: list[int]) -> int:
    """Return the sentence that represents the group best; words that only it has are not part of the fact."""
    contents = {index: similarities.features[index].content for index in group}
    counts = Counter(head for content in contents.values() for head in content)
    common = {
        index: sum(counts[head] * weight for head, weight in content.items() if counts[head] > 1)
        for index, content in contents.items()
    }
    most = max(common.values()) or 1.0

    def fitness(index: int) -> tuple[float, int]:
        features, content = similarities.features[index], contents[index]
        text, language = features.sentence.text, features.read.language
        mean = sum(similarities.of(index, other) for other in group if other != index) / (len(group) - 1)
        own = sum(weight for head, weight in content.items() if counts[head] == 1)
        foreign = own / (sum(content.values()) or 1.0)
        early = -0.002 * features.sentence.position  # between equal ones the earlier
        score = mean + 0.5 * (common[index] / most - foreign + standalone(text, language)) + early
        score += 0.15 * features.read.attributed
        return score if shows_alone(text, language) else score - 1.0, -index

    return max(group, key=fitness)


def _count_origins(
    similarities: SentenceSimilarities,
    reports: Sequence[SourceReport],
    members: Sequence[int],
    tuning: StoryTuning,
) -> tuple[int, tuple[tuple[int, ...], ...]]:
    """Count the outlets, and group the indexes in `members` that are one text of several outlets."""
    sentences = [similarities.features[index].sentence for index in members]
    outlets = [reports[sentence.report].origin for sentence in sentences]
    sequences = [_sequences(sentence.text) for sentence in sentences]
    origins: list[list[int]] = []
    for place, outlet in enumerate(outlets):
        same = [
            origin
            for origin in origins
            if any(
                outlets[p] == outlet or _same_words(sequences[p], sequences[place], tuning) for p in origin
            )
        ]
        origins = [origin for origin in origins if origin not in same] + [sorted([*chain(*same), place])]
    several = (tuple(origin) for origin in origins if len({outlets[p] for p in origin}) > 1)
    return len(origins), tuple(sorted(several))


def _sequences(text: str) -> frozenset[tuple[str, ...]]:
    """Return the 4-word sequences outside quotation marks, since quotations are equal in all reports."""
    outside = "".join(ANY_QUOTATION_MARK.split(text)[::2])
    words = [match.group().lower() for match in PART.finditer(outside)]
    if len(words) < 4 and SPACELESS.search(outside):
        words = [token.lower for token in tokens(outside)]  # pairs of characters
    return frozenset(zip(words, words[1:], words[2:], words[3:], strict=False))


def _same_words(a: frozenset[tuple[str, ...]], b: frozenset[tuple[str, ...]], tuning: StoryTuning) -> bool:
    least = min(len(a), len(b))
    return least >= 5 and len(a & b) >= tuning.same_words_share * least


# --- figures that several outlets state for the same thing -------------------------------------------------


def find_agreeing_figures(
    similarities: SentenceSimilarities, reports: Sequence[SourceReport], tuning: StoryTuning
) -> list[tuple[str, FactGroup]]:
    """Return values that two or more outlets state, with their sentences, those of most outlets first.

    Only specific ones: amounts, shares, lengths, casualties, and counts from `agree_count_min` on.
    Approximate figures ("hundreds") would agree too often.
    """
    features = similarities.features
    origins = [reports[each.sentence.report].origin for each in features]
    partners: dict[int, set[int]] = {}
    for (a, b), s in similarities.pairs.items():
        if s >= tuning.near_from and origins[a] != origins[b]:
            partners.setdefault(a, set()).add(b)
            partners.setdefault(b, set()).add(a)
    stated: dict[tuple[object, ...], dict[int, Figure]] = {}
    for index in sorted(partners):
        for figure in features[index].read.figures:
            is_casualties = figure.kind and figure.sure
            is_large = (figure.kind or figure.noun) and figure.stated[0] >= tuning.agree_count_min
            if not figure.vague and (figure.unit or is_casualties or is_large):
                stated.setdefault(figure.counted, {})[index] = figure
    agreeing = []
    for found in stated.values():
        members = tuple(index for index in found if not partners[index].isdisjoint(found))
        if members:
            read, first = features[members[0]].read, features[members[0]].sentence.text
            words = with_counted(first, found[members[0]], read.language)
            agreeing.append((words, FactGroup(members, len({origins[index] for index in members}))))
    agreeing.sort(key=lambda each: (-each[1].origins, each[1].members))
    return agreeing[: tuning.quotations_cap]
