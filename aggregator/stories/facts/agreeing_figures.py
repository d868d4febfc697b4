"""Figures that several outlets state for the same thing."""

from collections.abc import Sequence
from dataclasses import dataclass

from aggregator.stories.facts.facts import SentenceSimilarities
from aggregator.stories.facts.figures import Figure, comparable, is_background, meet, years_in
from aggregator.stories.facts.sentence_similarity import SentenceFeatures
from aggregator.stories.tuning import StoryTuning


@dataclass(frozen=True, slots=True)
class SameFigure:
    """A value that several outlets state: sentences by index, the shown one first."""

    words: str
    members: tuple[int, ...]
    origins: int


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
