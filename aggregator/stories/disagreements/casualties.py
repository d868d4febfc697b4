"""Dead, injured, missing: each number that outlets give, side by side.

Reports of one disaster state its toll in sentences that have little else in common, and they state it at
different hours. So the likeness of the sentences decides nothing here: a report's toll of a class is the
largest number it gives (others are parts: "two bodies were found in a cellar"), and tolls differ when the
numbers themselves do, "at least four" and "at least five" too.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from aggregator.stories.dates import MONTHS, WEEKDAYS
from aggregator.stories.facts.facts import SentenceSimilarities
from aggregator.stories.facts.figures import Figure, is_background, years_in
from aggregator.stories.facts.sentence_similarity import SentenceFeatures
from aggregator.stories.facts.standalone_sentences import standalone
from aggregator.stories.lexicon import language_words
from aggregator.stories.tuning import StoryTuning

CASUALTY_CLASSES = ("dead", "injured", "missing")


@dataclass(frozen=True, slots=True)
class CasualtyCounts:
    """Sentences (by number) that give different numbers of one class, in the order of their reports."""

    kind: str
    sides: tuple[tuple[int, str], ...]  # sentence, and the number in its words
    stated: tuple[float, ...] = ()  # the number of each side


def find_casualty_differences(
    similarities: SentenceSimilarities, origins: Sequence[str], shown: Sequence[int], tuning: StoryTuning
) -> list[CasualtyCounts]:
    """A toll for each class of which two outlets give different numbers.

    `origins[i]` is who says sentence i. Of sentences with one number, one that is not `shown` yet and can
    stand alone is taken, rather of an outlet that has no other side.
    """
    found, used = [], list(shown)
    for kind in CASUALTY_CLASSES:
        stated = _of_one_event(similarities, _stated(similarities, kind), tuning)
        sides = _sides(similarities, origins, used, stated)
        if len(sides) > 1 and len({origins[index] for index, _ in sides}) > 1:
            used += [index for index, _ in sides]
            ordered = sorted(sides, key=_place)
            found.append(
                CasualtyCounts(
                    kind,
                    tuple((index, figure.words) for index, figure in ordered),
                    tuple(figure.stated[0] for _, figure in ordered),
                )
            )
    return found


def _place(side: tuple[int, Figure]) -> int:
    return side[0]


def _stated(similarities: SentenceSimilarities, kind: str) -> list[tuple[int, Figure]]:
    """The toll of each report: every sentence that gives its largest number."""
    by_report: dict[int, list[tuple[int, Figure]]] = {}
    for index, features in enumerate(similarities.features):
        text = features.sentence.text
        if years_in(text) or is_background(text, features.language):
            continue  # "killed 32 in 2007"
        counted = [f for f in features.figures if f.kind == kind and f.noun in ("", "people")]
        if not counted or _is_part(features, max(counted, key=_number)):
            continue  # "seven other officers and two civilians" are parts, all of them
        by_report.setdefault(features.sentence.report, []).extend(
            (index, figure) for figure in counted if figure.sure and not _is_part(features, figure)
        )
    return [
        each
        for found in by_report.values()
        for each in found
        if each[1].stated[0] == max(figure.stated[0] for _, figure in found)
    ]


def _number(figure: Figure) -> float:
    return figure.stated[0]


def _is_part(features: SentenceFeatures, figure: Figure) -> bool:
    """Whether the number counts some of a larger one: "three of whom", "two more"."""
    part = _patterns(features.language).part
    return part is not None and part.match(features.sentence.text[figure.end :]) is not None


def _of_one_event(
    similarities: SentenceSimilarities, stated: Sequence[tuple[int, Figure]], tuning: StoryTuning
) -> list[tuple[int, Figure]]:
    """Without numbers of somewhere else: "44 in Haiti" and "11 in Cuba" are no two tolls of one place."""
    kept: list[tuple[int, Figure]] = []
    for index, figure in stated:
        if all(_may_be_one(similarities, index, other, tuning) for other, _ in kept):
            kept.append((index, figure))
    return kept


def _may_be_one(similarities: SentenceSimilarities, a: int, b: int, tuning: StoryTuning) -> bool:
    one, other = (_places(similarities.features[index]) for index in (a, b))
    return not one or not other or bool(one & other) or similarities.of(a, b) >= tuning.figure_classed_from


def _places(features: SentenceFeatures) -> frozenset[str]:
    pattern = _patterns(features.language).place
    found = [] if pattern is None else pattern.findall(features.sentence.text)
    return frozenset(name for name in found if name.lower() not in (*WEEKDAYS, *MONTHS))


@dataclass(frozen=True, slots=True)
class _CasualtyPatterns:
    place: re.Pattern[str] | None
    part: re.Pattern[str] | None


@cache
def _patterns(language: str | None) -> _CasualtyPatterns:
    words = language_words(language)
    return _CasualtyPatterns(
        re.compile(rf"(?i:{words.place})([^\W\d_a-zß-öø-ÿ][^\W\d_]+)") if words.place else None,
        re.compile(rf"^(?:{words.part})", re.IGNORECASE) if words.part else None,
    )


def _sides(
    similarities: SentenceSimilarities,
    origins: Sequence[str],
    shown: Sequence[int],
    stated: Sequence[tuple[int, Figure]],
) -> list[tuple[int, Figure]]:
    """One sentence for each number."""
    by_number: list[list[tuple[int, Figure]]] = []
    for index, figure in stated:
        for same in by_number:
            if _same_number(same[0][1], figure):
                same.append((index, figure))
                break
        else:
            by_number.append([(index, figure)])
    sides: list[tuple[int, Figure]] = []
    for same in sorted(by_number, key=len):  # where there is no choice first
        taken = {origins[index] for index, _ in sides}
        sides.append(
            min(
                same,
                key=lambda side: (
                    origins[side[0]] in taken,
                    side[0] in shown,
                    -_alone(similarities.features[side[0]]),
                    side[0],
                ),
            )
        )
    return sides


def _alone(features: SentenceFeatures) -> float:
    return standalone(features.sentence.text, features.language)


def _same_number(x: Figure, y: Figure) -> bool:
    return x.stated[0] <= y.stated[1] and y.stated[0] <= x.stated[1]
