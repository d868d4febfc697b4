"""Figures of different outlets for the same thing, which agree or differ.

A value differs only if the other outlet states it nowhere. Even so the pair is shown as "figures side by
side" and not as a contradiction: in 495 stories half of the pairs were a part and a whole, or of different
times.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from aggregator.stories.facts.facts import SentenceSimilarities
from aggregator.stories.facts.figures import Figure, comparable, is_background, meet, years_in
from aggregator.stories.facts.sentence_similarity import SentenceFeatures
from aggregator.stories.tuning import StoryTuning

GROWING = ("dead", "injured", "infected", "displaced")  # counts that grow during an event


@dataclass(frozen=True, slots=True)
class FigurePair:
    """Two figures of two reports, probably for the same thing; sentences by index."""

    first: int
    second: int
    words: tuple[str, str]
    similarity: float
    kind: str
    stated: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class SameFigure:
    """A value that several outlets state: sentences by index, the shown one first."""

    words: str
    members: tuple[int, ...]
    origins: int


def find_figure_differences(
    similarities: SentenceSimilarities, origins: Sequence[str], tuning: StoryTuning
) -> list[FigurePair]:
    """Return pairs of different values for the same thing, the most similar sentences first.

    `origins[i]` is the outlet of sentence i; sentences of one outlet are not compared.
    """
    features = similarities.features
    by_origin: dict[str, list[Figure]] = {}
    for index, each in enumerate(features):
        by_origin.setdefault(origins[index], []).extend(each.figures)
    pairs = [
        FigurePair(a, b, (x.words, y.words), s, x.kind, (x.stated[0], y.stated[0]))
        for (a, b), s in similarities.pairs.items()
        if s >= tuning.figure_classed_from
        and features[a].figures
        and features[b].figures
        and origins[a] != origins[b]
        and _may_be_one(features[a], features[b], s)
        for x in features[a].figures
        for y in features[b].figures
        if _differ(x, y, s, tuning)
        and not _stated(x, by_origin[origins[b]])
        and not _stated(y, by_origin[origins[a]])
    ]
    pairs.sort(key=lambda pair: (-pair.similarity, pair.first, pair.second, pair.words))
    return _one_per_sentence(pairs)


def find_agreeing_figures(
    similarities: SentenceSimilarities, origins: Sequence[str], tuning: StoryTuning
) -> list[SameFigure]:
    """Return values that two or more outlets state in similar sentences, those of most outlets first.

    Only specific ones: amounts, shares, lengths, casualties, and counts from `agree_count_min` on.
    Approximate figures ("hundreds") would agree too often.
    """
    features = similarities.features
    links: list[tuple[float, int, int, Figure, Figure]] = []
    for (a, b), s in similarities.pairs.items():
        if s < tuning.agree_from or origins[a] == origins[b] or not _may_be_one(features[a], features[b], s):
            continue
        links += [
            (-s, a, b, x, y)
            for x in features[a].figures
            for y in features[b].figures
            if _is_specific(x, tuning) and _is_specific(y, tuning) and comparable(x, y) and _agree(x, y)
        ]
    links.sort(key=lambda link: (*link[:3], link[3].words, link[4].words))
    groups: list[dict[int, Figure]] = []
    for _, a, b, x, y in links:
        joined = next(
            (
                group
                for group in groups
                if (a in group or b in group)
                and all(comparable(x, z) and _agree(x, z) for z in group.values())
                and group.get(a, x) == x
                and group.get(b, y) == y
            ),
            None,
        )
        if joined is None:
            groups.append({a: x, b: y})
        else:
            joined.setdefault(a, x)
            joined.setdefault(b, y)
    agreeing = [
        SameFigure(next(iter(group.values())).words, tuple(group), len({origins[index] for index in group}))
        for group in groups
    ]
    return sorted(agreeing, key=lambda each: (-each.origins, each.members))[: tuning.agree_cap]


def is_growth(
    kind: str, stated: Sequence[float], times: Sequence[dt.datetime | None], tuning: StoryTuning
) -> bool:
    """Whether numbers of one class never decrease with the time of their reports, over some hours."""
    if kind not in GROWING or any(time is None for time in times):
        return False
    in_order = sorted((time, number) for time, number in zip(times, stated, strict=True) if time is not None)
    numbers = [number for _, number in in_order]
    hours = (in_order[-1][0] - in_order[0][0]).total_seconds() / 3600
    return hours >= tuning.casualties_later_hours and numbers == sorted(numbers) and numbers[0] < numbers[-1]


def _one_per_sentence(pairs: Sequence[FigurePair]) -> list[FigurePair]:
    """Keep for each sentence only the pair with the most similar one."""
    used: set[int] = set()
    chosen = []
    for pair in pairs:
        if pair.first not in used and pair.second not in used:
            used |= {pair.first, pair.second}
            chosen.append(pair)
    return chosen


def _stated(figure: Figure, others: Sequence[Figure]) -> bool:
    return any(comparable(figure, other) and meet(figure, other) for other in others)


def _differ(x: Figure, y: Figure, s: float, tuning: StoryTuning) -> bool:
    if not comparable(x, y) or meet(x, y):
        return False
    if x.unit == "km":
        return bool(x.noun) and x.noun == y.noun and s >= tuning.figure_count_from
    if x.kind and not x.unit:
        return s >= tuning.figure_classed_from
    if x.unit:
        apart = max(x.low, y.low) / (min(x.low, y.low) or 1.0)
        return s >= tuning.figure_money_from and apart <= tuning.figure_money_factor
    return s >= tuning.figure_count_from


def _agree(x: Figure, y: Figure) -> bool:
    """Whether values are equal, not only compatible like "at least 4" and "at least 7"."""
    return meet(x, y) and x.stated[0] <= y.stated[1] * 1.03 and y.stated[0] <= x.stated[1] * 1.03


def _is_specific(figure: Figure, tuning: StoryTuning) -> bool:
    if figure.vague:
        return False
    if figure.unit == "km":
        return bool(figure.noun)
    return bool(figure.unit or (figure.kind and figure.sure) or figure.stated[0] >= tuning.agree_count_min)


def _may_be_one(one: SentenceFeatures, other: SentenceFeatures, s: float) -> bool:
    """Whether the sentences may be about one thing: no different names, and the same years."""
    if s < 0.5 and one.names and other.names and not one.names & other.names:
        return False
    first, second = one.sentence.text, other.sentence.text
    if is_background(first, one.language) != is_background(second, other.language):
        return False
    return years_in(first) == years_in(second)
