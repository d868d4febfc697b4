"""Figures of different outlets for the same thing: those that agree, and those that stand side by side.

Equal values are matched first: only a value that the other report gives nowhere may stand against another.
Even so a difference is "figures side by side", never a contradiction: over 495 stories half of them were
part against whole, or another moment.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from aggregator.stories.facts.facts import SentenceSimilarities
from aggregator.stories.facts.figures import Figure, comparable, is_background, meet, years_in
from aggregator.stories.facts.sentence_similarity import SentenceFeatures
from aggregator.stories.tuning import StoryTuning

GROWING = (
    "dead",
    "injured",
    "infected",
    "displaced",
)  # what later reports give more of, and nobody was wrong


@dataclass(frozen=True, slots=True)
class FigurePair:
    """Two figures of two reports for what looks like the same thing; sentences by number."""

    first: int
    second: int
    words: tuple[str, str]
    similarity: float
    kind: str
    stated: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class SameFigure:
    """One value that several voices give: sentences by number, the one that is shown first."""

    words: str
    members: tuple[int, ...]
    origins: int


def find_figure_differences(
    similarities: SentenceSimilarities, origins: Sequence[str], tuning: StoryTuning
) -> list[FigurePair]:
    """Pairs of different values for the same thing, the most alike sentences first.

    `origins[i]` is who says sentence i; two sentences of one voice never differ here.
    """
    features = similarities.features
    given: dict[str, list[Figure]] = {}
    for index, each in enumerate(features):
        given.setdefault(origins[index], []).extend(each.figures)
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
        if _differ(x, y, s, tuning) and not _given(x, given[origins[b]]) and not _given(y, given[origins[a]])
    ]
    pairs.sort(key=lambda pair: (-pair.similarity, pair.first, pair.second, pair.words))
    return _one_a_sentence(pairs)


def find_agreeing_figures(
    similarities: SentenceSimilarities, origins: Sequence[str], tuning: StoryTuning
) -> list[SameFigure]:
    """Values that two voices or more give in sentences on the same point, the most voices first.

    Only hard ones: sums, shares, lengths, counts of the dead and the like, and counts from
    `agree_count_least` on; a figure that nobody counted ("hundreds") agrees with too much.
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
            if _is_hard(x, tuning) and _is_hard(y, tuning) and comparable(x, y) and _agree(x, y)
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
    found = [
        SameFigure(next(iter(group.values())).words, tuple(group), len({origins[index] for index in group}))
        for group in groups
    ]
    return sorted(found, key=lambda each: (-each.origins, each.members))[: tuning.agree_cap]


def is_growth(
    kind: str, stated: Sequence[float], times: Sequence[dt.datetime | None], tuning: StoryTuning
) -> bool:
    """Whether numbers of one class only rose with the time of their reports, over some hours at least."""
    if kind not in GROWING or any(time is None for time in times):
        return False
    in_order = sorted((time, number) for time, number in zip(times, stated, strict=True) if time is not None)
    numbers = [number for _, number in in_order]
    hours = (in_order[-1][0] - in_order[0][0]).total_seconds() / 3600
    return hours >= tuning.rose_hours and numbers == sorted(numbers) and numbers[0] < numbers[-1]


def _one_a_sentence(pairs: Sequence[FigurePair]) -> list[FigurePair]:
    """A sentence stands against one other only: its most alike."""
    used: set[int] = set()
    kept = []
    for pair in pairs:
        if pair.first not in used and pair.second not in used:
            used |= {pair.first, pair.second}
            kept.append(pair)
    return kept


def _given(figure: Figure, others: Sequence[Figure]) -> bool:
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
    """Values that are the same, not only possible together: "at least 4" and "at least 7" are two."""
    return meet(x, y) and x.stated[0] <= y.stated[1] * 1.03 and y.stated[0] <= x.stated[1] * 1.03


def _is_hard(figure: Figure, tuning: StoryTuning) -> bool:
    if figure.vague:
        return False
    if figure.unit == "km":
        return bool(figure.noun)
    return bool(figure.unit or (figure.kind and figure.sure) or figure.stated[0] >= tuning.agree_count_least)


def _may_be_one(one: SentenceFeatures, other: SentenceFeatures, s: float) -> bool:
    """Whether the sentences may speak of one thing: no other names, and the same years."""
    if s < 0.5 and one.names and other.names and not one.names & other.names:
        return False
    first, second = one.sentence.text, other.sentence.text
    if is_background(first, one.language) != is_background(second, other.language):
        return False
    return years_in(first) == years_in(second)
