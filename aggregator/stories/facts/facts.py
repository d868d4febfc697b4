"""What several reports say: groups of sentences that state one fact, across reports.

Groups are joined from the strongest pair down. Two sentences of one report that are unlike never meet in a
group: they are two statements, and a chain must not make one of them. Only a member that is as like as
`count_from` to the sentence that is shown counts as saying the same.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from aggregator.stories.facts.figures import equal_figures
from aggregator.stories.facts.sentence_similarity import (
    SentenceFeatures,
    cosine,
    named_share,
    shared_words,
    shows_names,
    similarity,
)
from aggregator.stories.facts.source_sentences import SourceReport
from aggregator.stories.facts.standalone_sentences import standalone
from aggregator.stories.tuning import StoryTuning
from aggregator.stories.words import SPACELESS, TOKEN, generic_heads, tokens

SentencePair = tuple[int, int]
SMALL_NUMBERS = frozenset({"1", "2"})
Best = dict[tuple[int, int], tuple[float, int]]  # (sentence, other report) -> (likeness, sentence there)


@dataclass(frozen=True, slots=True)
class SentenceSimilarities:
    """Likeness of every pair of sentences worth comparing; others are 0. Keys: (lower, higher) index."""

    features: Sequence[SentenceFeatures]
    pairs: dict[SentencePair, float]

    def of(self, a: int, b: int) -> float:
        """The likeness of sentences number `a` and `b`; 0 for pairs that share too little."""
        if a == b:
            return 1.0
        return self.pairs.get((a, b) if a < b else (b, a), 0.0)


@dataclass(frozen=True, slots=True)
class FactGroup:
    """Sentences that say the same; `members[0]` is shown."""

    members: tuple[int, ...]
    origins: int
    same_words: tuple[tuple[int, ...], ...] = ()  # places in `members` that are one text, each one voice


def compare_all(features: Sequence[SentenceFeatures], tuning: StoryTuning) -> SentenceSimilarities:
    """Compares every two sentences that share two content words, or one and a number or what is negated.

    Words of more than `postings_cap` sentences propose no pair, so that the work stays bounded.
    """
    generic = generic_heads()
    postings: dict[str, list[int]] = {}
    for index, each in enumerate(features):
        for head in each.content:
            if head not in generic:
                postings.setdefault(head, []).append(index)
    shared: dict[SentencePair, int] = {}
    for holders in postings.values():
        if len(holders) > tuning.postings_cap:
            continue
        for place, a in enumerate(holders):
            for b in holders[place + 1 :]:
                shared[a, b] = shared.get((a, b), 0) + 1
    pairs = {
        (a, b): similarity(features[a], features[b])
        for (a, b), n in shared.items()
        if n >= 2 or features[a].numbers & features[b].numbers or features[a].negated & features[b].negated
    }
    return SentenceSimilarities(features, pairs)


def fact_groups(
    similarities: SentenceSimilarities, reports: Sequence[SourceReport], tuning: StoryTuning
) -> list[FactGroup]:
    """The facts that two or more reports state, the best supported first."""
    group_of: dict[int, list[int]] = {}
    for _, _, (a, b) in _edges(similarities, tuning):
        left, right = group_of.get(a, [a]), group_of.get(b, [b])
        if left is right or not _may_join(similarities, left, right, tuning):
            continue
        joined = left + right
        group_of.update((member, joined) for member in joined)
    distinct = {id(group): group for group in group_of.values()}.values()
    return [fact for group in distinct if (fact := _fact(similarities, reports, sorted(group), tuning))]


def best_matches(similarities: SentenceSimilarities, least: float) -> Best:
    """For each sentence and other report the sentence there that is most like it, from `least` on."""
    best: Best = {}
    for (a, b), s in sorted(similarities.pairs.items()):
        if s < least:
            continue
        for one, other in ((a, b), (b, a)):
            key = one, similarities.features[other].sentence.report
            if key not in best or s > best[key][0]:
                best[key] = s, other
    return best


def _edges(similarities: SentenceSimilarities, tuning: StoryTuning) -> list[tuple[bool, float, SentencePair]]:
    """Pairs to join, across reports first: a repeat must not bar its report from the fact."""
    best = best_matches(similarities, tuning.count_from)
    edges = []
    for (a, b), s in similarities.pairs.items():
        report_a, report_b = (similarities.features[i].sentence.report for i in (a, b))
        if report_a == report_b:
            wanted = s >= tuning.repeat_from
        else:
            nearest = s >= tuning.count_from and _is_nearest(best, (a, report_a), (b, report_b))
            wanted = nearest and may_count(similarities.features[a], similarities.features[b], s, tuning)
        if wanted:
            edges.append((report_a == report_b, -s, (a, b)))
    return sorted(edges)


def _is_nearest(best: Best, one: SentencePair, other: SentencePair) -> bool:
    """Whether either sentence is the other's best match in that report; (sentence, report) each."""
    return best[one[0], other[1]][1] == other[0] or best[other[0], one[1]][1] == one[0]


def may_count(one: SentenceFeatures, other: SentenceFeatures, s: float, tuning: StoryTuning) -> bool:
    """Whether two sentences as like as `s` may be counted as one fact; else they only stand side by side."""
    return (
        s >= tuning.count_from
        and _anchored(one, other, s, tuning)
        and _alike_in_no(one, other, s, tuning)
        and not _adds_figures(one, other, s, tuning)
        and _has_enough(one, other, s, tuning)
        and not _leans_on_names(one, other, s, tuning)
        and not _is_scrap(one, other, s, tuning)
    )


def _alike_in_no(one: SentenceFeatures, other: SentenceFeatures, s: float, tuning: StoryTuning) -> bool:
    """Whether both say "no" or neither: "sirens at 9:31" and "there is no entry for 9:31" are near."""
    if one.negates and other.negates:
        # "did not meet others" and "would not name the others" say no to two things.
        return s >= tuning.verbatim_from or bool(one.negated & other.negated)
    if one.negates == other.negates:
        return True
    # However alike: "no siren sounded" denies "a siren sounded".
    return s >= tuning.repeat_from and not (
        one.negated & other.content.keys() or other.negated & one.content.keys()
    )


def _anchored(one: SentenceFeatures, other: SentenceFeatures, s: float, tuning: StoryTuning) -> bool:
    """Whether both name one name or figure: else two idioms look like a fact ("fall into the hands").

    Where a sentence does not show its names, the words themselves have to do.
    """
    if s >= tuning.verbatim_from or one.mentioned & other.mentioned or one.numbers & other.numbers:
        return True
    return not (shows_names(one) or shows_names(other))


def _adds_figures(one: SentenceFeatures, other: SentenceFeatures, s: float, tuning: StoryTuning) -> bool:
    """Whether one gives two figures that the other lacks: what they share is not what it is about.

    "Five schools are shelters" is no report of "900 breakfasts served by eight in one of five shelters".
    """
    if s >= tuning.repeat_from:
        return False
    return max(len(one.numbers - other.numbers), len(other.numbers - one.numbers)) >= 2


def _has_enough(one: SentenceFeatures, other: SentenceFeatures, s: float, tuning: StoryTuning) -> bool:
    """Whether a pair that is only just alike shares enough: words, most of it, a figure, a quotation."""
    if s >= tuning.repeat_from or shared_words(one, other) >= tuning.shared_words_least:
        return True
    if cosine(one, other) >= tuning.whole_cosine:
        return True
    if any(equal_figures(x, y, tuning.agree_count_least) for x in one.figures for y in other.figures):
        return True
    quoted = len(one.quoted & other.quoted)
    return quoted >= tuning.shared_quoted_least and quoted >= 0.6 * min(len(one.quoted), len(other.quoted))


def _leans_on_names(one: SentenceFeatures, other: SentenceFeatures, s: float, tuning: StoryTuning) -> bool:
    """Whether two sentences are near through names alone: two people's deeds at one place.

    An equal figure outweighs that, but for one and two, which any two sentences may share; so does being
    alike as a whole.
    """
    if s >= tuning.repeat_from or (one.numbers & other.numbers) - SMALL_NUMBERS:
        return False
    if named_share(one, other) < tuning.named_share_most:
        return False
    return cosine(one, other) < tuning.whole_cosine


def _is_scrap(one: SentenceFeatures, other: SentenceFeatures, s: float, tuning: StoryTuning) -> bool:
    """Whether one is so short beside the other that it is contained in too much."""
    if s >= tuning.verbatim_from or (one.numbers & other.numbers) - SMALL_NUMBERS:
        return False
    return min(one.length, other.length) < tuning.scrap_share * max(one.length, other.length)


def _may_join(
    similarities: SentenceSimilarities, left: list[int], right: list[int], tuning: StoryTuning
) -> bool:
    across = []
    for a in left:
        for b in right:
            s = similarities.of(a, b)
            if similarities.features[a].sentence.report == similarities.features[b].sentence.report:
                if s < tuning.refuse_below:
                    return False
            else:
                across.append(s)
    if similarities.features[left[0]].denies != similarities.features[right[0]].denies:
        return False  # a claim and its denial are never one fact
    return not across or (
        sum(across) / len(across) >= tuning.group_mean_from and min(across) >= tuning.group_worst_from
    )


def _fact(
    similarities: SentenceSimilarities, reports: Sequence[SourceReport], group: list[int], tuning: StoryTuning
) -> FactGroup | None:
    shown = max(group, key=lambda i: (_fitness(similarities, reports, group, i), -i))
    features = similarities.features
    others = [
        i
        for i in group
        if i != shown and _counts(features[shown], features[i], similarities.of(shown, i), tuning)
    ]
    others.sort(key=lambda i: (-similarities.of(shown, i), i))
    members = (shown, *others)
    if len({similarities.features[i].sentence.report for i in members}) < 2:
        return None
    origins, same_words = _count_origins(similarities, reports, members, tuning)
    return FactGroup(members, origins, same_words)


def _counts(shown: SentenceFeatures, other: SentenceFeatures, s: float, tuning: StoryTuning) -> bool:
    """Whether a member counts: it says the same as the sentence that is shown, not only as its neighbour."""
    if shown.sentence.report == other.sentence.report:
        return s >= tuning.count_from
    return may_count(shown, other, s, tuning)


def _fitness(
    similarities: SentenceSimilarities, reports: Sequence[SourceReport], group: list[int], index: int
) -> float:
    """How well one sentence speaks for the group."""
    features = similarities.features[index]
    others = [i for i in group if i != index]
    mean = sum(similarities.of(index, i) for i in others) / len(others)
    held = Counter(head for i in group for head in similarities.features[i].content)
    common = {head: held[head] * features.content.get(head, 0.0) for head in held if held[head] > 1}
    most = max(
        sum(held[h] * w for h, w in similarities.features[i].content.items() if held[h] > 1) for i in group
    )
    covered = sum(common.values()) / (most or 1.0)
    # What only this sentence has is not what they all say.
    own = sum(weight for head, weight in features.content.items() if held[head] == 1)
    alien = own / (sum(features.content.values()) or 1.0)
    early = 1 - features.sentence.position / max(1, len(reports[features.sentence.report].sentences))
    out_of_range = 0.10 if not 10 <= features.length <= 34 else 0.0
    named = 0.15 if features.attributed else 0.0
    alone = standalone(features.sentence.text, features.language)
    return mean + 0.5 * covered - 0.5 * alien + 0.5 * alone + named - out_of_range + 0.05 * early


def _count_origins(
    similarities: SentenceSimilarities,
    reports: Sequence[SourceReport],
    members: Sequence[int],
    tuning: StoryTuning,
) -> tuple[int, tuple[tuple[int, ...], ...]]:
    """How many say it, and which places of `members` are one text of several outlets: one voice."""
    spoken: dict[str, list[int]] = {}
    for place, index in enumerate(members):
        sentence = similarities.features[index].sentence
        spoken.setdefault(reports[sentence.report].origin, []).append(place)
    sequences = [_sequences(similarities.features[index].sentence.text) for index in members]
    origins: list[list[int]] = []
    for places in spoken.values():
        joined = next(
            (
                origin
                for origin in origins
                if any(_same_words(sequences[x], sequences[y], tuning) for x in origin for y in places)
            ),
            None,
        )
        if joined is None:
            origins.append(list(places))
        else:
            joined += places
    outlets = [
        {reports[similarities.features[members[p]].sentence.report].origin for p in v} for v in origins
    ]
    same = tuple(
        tuple(sorted(origin)) for origin, names in zip(origins, outlets, strict=True) if len(names) > 1
    )
    return len(origins), same


def _sequences(text: str) -> frozenset[tuple[str, ...]]:
    """4-word sequences outside quotation marks; a quotation is the same wherever it stands."""
    outside = "".join(part for i, part in enumerate(_split_quotes(text)) if i % 2 == 0)
    words = [match.group().lower() for match in TOKEN.finditer(outside)]
    if len(words) < 4 and SPACELESS.search(outside):
        words = [token.lower for token in tokens(outside)]  # pairs of characters
    return frozenset(zip(words, words[1:], words[2:], words[3:], strict=False))


def _split_quotes(text: str) -> list[str]:
    """Outside, inside, outside, ...: straight and curly marks alike."""
    unified = text.replace("“", '"').replace("”", '"').replace("„", '"').replace("«", '"').replace("»", '"')
    return unified.split('"')


def _same_words(a: frozenset[tuple[str, ...]], b: frozenset[tuple[str, ...]], tuning: StoryTuning) -> bool:
    least = min(len(a), len(b))
    return least >= 5 and len(a & b) >= tuning.same_words_share * least
