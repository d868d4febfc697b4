"""The disagreements of a story: figures, clock times, and denials.

Clock times differ if two outlets report one fact with different times of day.
"""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from aggregator.model.core import AttributedSentence, Disagreement
from aggregator.stories.disagreements.casualties import CasualtyCounts, find_casualty_differences
from aggregator.stories.disagreements.denials import Denial, denials
from aggregator.stories.disagreements.figure_pairs import FigurePair, find_figure_differences, is_growth
from aggregator.stories.facts.facts import FactGroup, SentenceSimilarities, may_count
from aggregator.stories.facts.sentence_similarity import SentenceFeatures
from aggregator.stories.facts.source_sentences import SourceReport
from aggregator.stories.tuning import StoryTuning

# "4.30 p.m.", "at 16:30", "16.30 Uhr", "16 h 30", "a las 16.30": with a word or sign that marks a clock time.
CLOCK = re.compile(
    r"(?<![\d.,:])(?P<h>[01]?\d|2[0-3])(?:[:.](?P<m>[0-5]\d))?\s?(?P<half>[ap])\.?\s?m\b\.?"
    r"|(?<![\d.,:])(?P<h2>[01]?\d|2[0-3]):(?P<m2>[0-5]\d)(?![\d:%])"
    r"|(?<![\d.,:])(?P<h3>[01]?\d|2[0-3])(?:[.:](?P<m3>[0-5]\d))?\sUhr\b"
    r"|(?<![\d.,:])(?P<h4>[01]?\d|2[0-3])\s?h(?:eures?)?(?:\s?(?P<m4>[0-5]\d))?\b",
    re.IGNORECASE,
)
HALF_DAY = 12 * 60


@dataclass(frozen=True, slots=True)
class ClockPair:
    """Two sentences (by index), and the clock time of each as written."""

    first: int
    second: int
    words: tuple[str, str]


def find_clock_differences(
    similarities: SentenceSimilarities, origins: Sequence[str], tuning: StoryTuning
) -> list[ClockPair]:
    """Return pairs that are one fact except for the time; sentences with two times are left out."""
    pairs: list[tuple[float, ClockPair]] = []
    features = similarities.features
    clocks = [_only_clock(each.sentence.text) for each in features]
    for (a, b), s in similarities.pairs.items():
        left, right = clocks[a], clocks[b]
        if left is None or right is None or origins[a] == origins[b]:
            continue
        if not may_count(features[a], features[b], s, tuning):
            continue
        apart = abs(left[0] - right[0])
        # At a distance of twelve hours one of them lacks "p.m.".
        if apart != HALF_DAY and tuning.clock_minutes_apart <= apart:
            pairs.append((-s, ClockPair(a, b, (left[1], right[1]))))
    used: set[int] = set()
    chosen = []
    for _, pair in sorted(pairs, key=lambda each: (each[0], each[1].first, each[1].second)):
        if not {pair.first, pair.second} & used:
            used |= {pair.first, pair.second}
            chosen.append(pair)
    return chosen


def _only_clock(text: str) -> tuple[int, str] | None:
    """Return the only clock time of a sentence: minutes after midnight, and its wording."""
    matches = list(CLOCK.finditer(text))
    if len(matches) != 1:
        return None
    match = matches[0]
    hour = int(match["h"] or match["h2"] or match["h3"] or match["h4"])
    minute = int(match["m"] or match["m2"] or match["m3"] or match["m4"] or 0)
    if match["half"]:
        hour = hour % 12 + (12 if match["half"].lower() == "p" else 0)
    return 60 * hour + minute, match.group().strip()


@dataclass(slots=True)
class RenderContext:
    """The state of rendering a story, with the sentences that have been shown."""

    reports: Sequence[SourceReport]
    similarities: SentenceSimilarities
    salience: Sequence[float]  # of each sentence: the share of key terms in it
    tuning: StoryTuning
    shown: dict[int, None] = field(default_factory=dict)  # in order; a set would be ordered by hashes

    @property
    def features(self) -> Sequence[SentenceFeatures]:
        """The sentences of the story, by report."""
        return self.similarities.features

    @property
    def origins(self) -> list[str]:
        """The outlet of each sentence."""
        return [self.origin(index) for index in range(len(self.features))]

    def said(self, index: int) -> AttributedSentence:
        """Return the sentence with its outlet."""
        sentence = self.features[index].sentence
        return self.reports[sentence.report].said(sentence)

    def origin(self, index: int) -> str:
        """Return the outlet of a sentence, or the id of a report of unknown outlet."""
        return self.reports[self.features[index].sentence.report].origin

    def published(self, index: int) -> dt.datetime | None:
        """Return the time of publication of its report; None where not declared to the minute."""
        article = self.reports[self.features[index].sentence.report].article
        if article.published is None or article.published_precision != "minute":
            return None
        return article.published.astimezone(dt.UTC)

    def closeness(self, index: int) -> float:
        """Return the highest similarity to a shown sentence."""
        return max((self.similarities.of(index, other) for other in self.shown), default=0.0)


@dataclass(frozen=True, slots=True)
class DisagreementSets:
    """Sentences (by index) that disagree."""

    casualties: Sequence[CasualtyCounts]
    figures: Sequence[FigurePair]
    clocks: Sequence[ClockPair]

    @property
    def sets(self) -> list[set[int]]:
        """The sentences of each disagreement, which no fact may contain together."""
        return [
            *({index for index, _ in casualty.sides} for casualty in self.casualties),
            *({pair.first, pair.second} for pair in self.figures),
            *({pair.first, pair.second} for pair in self.clocks),
        ]


def find_differences(rendering: RenderContext) -> DisagreementSets:
    """Find figures and clock times that differ; casualties are not listed as other figures again."""
    tuning, origins = rendering.tuning, rendering.origins
    casualties = find_casualty_differences(rendering.similarities, origins, list(rendering.shown), tuning)
    casualties = [casualty for casualty in casualties if _may_be_one_event(rendering, casualty)]
    kinds = {casualty.kind for casualty in casualties}
    figures = [
        p for p in find_figure_differences(rendering.similarities, origins, tuning) if p.kind not in kinds
    ]
    clocks = find_clock_differences(rendering.similarities, origins, tuning)
    return DisagreementSets(
        casualties, figures[: tuning.disagreements_cap], clocks[: tuning.disagreements_cap]
    )


def disagreements(
    rendering: RenderContext, differing: DisagreementSets, groups: Sequence[FactGroup]
) -> tuple[Disagreement, ...]:
    """Return all disagreements, figures first, and mark their sentences as shown."""
    differences = [_casualties(rendering, casualty) for casualty in differing.casualties]
    differences += [_figures(rendering, pair) for pair in differing.figures]
    differences += [
        Disagreement(kind="times", sides=_shown(rendering, (pair.first, pair.second)), values=pair.words)
        for pair in differing.clocks
    ]
    denied = denials(rendering.features, groups, rendering.origins, rendering.tuning)
    return (
        *differences,
        *(_denied(rendering, each) for each in denied[: rendering.tuning.disagreements_cap]),
    )


def _shown(rendering: RenderContext, indices: Sequence[int]) -> tuple[AttributedSentence, ...]:
    rendering.shown.update(dict.fromkeys(indices))
    return tuple(rendering.said(index) for index in indices)


def _may_be_one_event(rendering: RenderContext, casualty: CasualtyCounts) -> bool:
    """Whether such different numbers may be of one event; a part and a whole differ more."""
    times = [rendering.published(index) for index, _ in casualty.sides]
    rose = is_growth(casualty.kind, casualty.stated, times, rendering.tuning)
    most = rendering.tuning.casualties_factor_later if rose else rendering.tuning.casualties_factor
    return max(casualty.stated) <= most * min(casualty.stated)


def _casualties(rendering: RenderContext, casualty: CasualtyCounts) -> Disagreement:
    sides = [(index, f"{words} {casualty.kind}") for index, words in casualty.sides]
    return _of_figures(rendering, casualty.kind, sides, casualty.stated)


def _figures(rendering: RenderContext, pair: FigurePair) -> Disagreement:
    sides = list(zip((pair.first, pair.second), pair.words, strict=True))
    return _of_figures(rendering, pair.kind, sides, pair.stated)


def _of_figures(
    rendering: RenderContext, kind: str, sides: Sequence[tuple[int, str]], stated: Sequence[float]
) -> Disagreement:
    times = [rendering.published(index) for index, _ in sides]
    rose = is_growth(kind, stated, times, rendering.tuning)
    order = sorted(range(len(sides)), key=lambda place: (str(times[place]) if rose else "", place))
    return Disagreement(
        kind="figures",
        sides=_shown(rendering, [sides[place][0] for place in order]),
        values=tuple(sides[place][1] for place in order),
        rose=rose,
        times=tuple(times[place] for place in order) if rose else (),
    )


def _denied(rendering: RenderContext, denied: Denial) -> Disagreement:
    parts = [
        ("claimed", denied.claim),
        ("before", denied.before),
        ("denied", denied.denial),
        *(("denied", index) for index in denied.also),
    ]
    present = [(word, index) for word, index in parts if index is not None]
    return Disagreement(
        kind="denial",
        sides=_shown(rendering, [index for _, index in present]),
        values=tuple(word for word, _ in present),
    )
