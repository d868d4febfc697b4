"""Numbers of casualties (dead, injured, missing) that differ between outlets.

Reports of one disaster state its casualties at different hours, in sentences that have little else in common.
So similarity of sentences is not required here. The casualties of a class in a report are the largest number
that it states, since smaller ones are parts ("two bodies were found in a cellar"). They differ if the numbers
do, also "at least four" and "at least five".
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
    """Sentences (by index) with different numbers of one class, in the order of their reports."""

    kind: str
    sides: tuple[tuple[int, str], ...]  # sentence, and the number as written
    stated: tuple[float, ...] = ()  # the number of each side


def find_casualty_differences(
    similarities: SentenceSimilarities, origins: Sequence[str], shown: Sequence[int], tuning: StoryTuning
) -> list[CasualtyCounts]:
    """Return the casualties of each class of which two outlets state different numbers.

    `origins[i]` is the outlet of sentence i. Of the sentences with one number, one is chosen that is not in
    `shown` and can stand alone, preferably of an outlet that has no other side.
    """
    differences, used = [], list(shown)
    for kind in CASUALTY_CLASSES:
        stated = _of_one_event(similarities, _stated(similarities, kind), tuning)
        sides = _sides(similarities, origins, used, stated)
        if len(sides) > 1 and len({origins[index] for index, _ in sides}) > 1:
            used += [index for index, _ in sides]
            ordered = sorted(sides, key=_place)
            differences.append(
                CasualtyCounts(
                    kind,
                    tuple((index, figure.words) for index, figure in ordered),
                    tuple(figure.stated[0] for _, figure in ordered),
                )
            )
    return differences


def _place(side: tuple[int, Figure]) -> int:
    return side[0]


def _stated(similarities: SentenceSimilarities, kind: str) -> list[tuple[int, Figure]]:
    """Return the casualties of each report: every sentence with its largest number."""
    by_report: dict[int, list[tuple[int, Figure]]] = {}
    for index, features in enumerate(similarities.features):
        text = features.sentence.text
        if years_in(text) or is_background(text, features.language):
            continue  # "killed 32 in 2007"
        counted = [f for f in features.figures if f.kind == kind and f.noun in ("", "people")]
        if not counted or _is_part(features, max(counted, key=_number)):
            continue  # all of "seven other officers and two civilians" are parts
        by_report.setdefault(features.sentence.report, []).extend(
            (index, figure) for figure in counted if figure.sure and not _is_part(features, figure)
        )
    return [
        each
        for counts in by_report.values()
        for each in counts
        if each[1].stated[0] == max(figure.stated[0] for _, figure in counts)
    ]


def _number(figure: Figure) -> float:
    return figure.stated[0]


def _is_part(features: SentenceFeatures, figure: Figure) -> bool:
    """Whether the number counts a part of a larger one: "three of whom", "two more"."""
    part = _patterns(features.language).part
    return part is not None and part.match(features.sentence.text[figure.end :]) is not None


def _of_one_event(
    similarities: SentenceSimilarities, stated: Sequence[tuple[int, Figure]], tuning: StoryTuning
) -> list[tuple[int, Figure]]:
    """Drop numbers of other places: "44 in Haiti" and "11 in Cuba" do not differ about one place."""
    accepted: list[tuple[int, Figure]] = []
    for index, figure in stated:
        if all(_may_be_one(similarities, index, other, tuning) for other, _ in accepted):
            accepted.append((index, figure))
    return accepted


def _may_be_one(similarities: SentenceSimilarities, a: int, b: int, tuning: StoryTuning) -> bool:
    one, other = (_places(similarities.features[index]) for index in (a, b))
    return not one or not other or bool(one & other) or similarities.of(a, b) >= tuning.figure_classed_from


def _places(features: SentenceFeatures) -> frozenset[str]:
    pattern = _patterns(features.language).place
    places = [] if pattern is None else pattern.findall(features.sentence.text)
    return frozenset(name for name in places if name.lower() not in (*WEEKDAYS, *MONTHS))


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
    """Choose one sentence for each number."""
    by_number: list[list[tuple[int, Figure]]] = []
    for index, figure in stated:
        for same in by_number:
            if _same_number(same[0][1], figure):
                same.append((index, figure))
                break
        else:
            by_number.append([(index, figure)])
    sides: list[tuple[int, Figure]] = []
    for same in sorted(by_number, key=len):  # those without a choice first
        used_origins = {origins[index] for index, _ in sides}
        sides.append(
            min(
                same,
                key=lambda side: (
                    origins[side[0]] in used_origins,
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
