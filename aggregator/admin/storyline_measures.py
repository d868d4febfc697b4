"""Measures how well storylines agree with affairs that people have labelled.

A storyline is a group of stories that the program found; an affair is a group that a person named.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path

import msgspec

from aggregator.admin.bcubed import Groups, Score
from aggregator.admin.labelled_data import LoosePairs, loose_pairs, usage_errors
from aggregator.model.structs import FrozenStruct

# Pairs of stories that began further apart do not count.
_MOST_APART = timedelta(days=3)
# Repeats are counted among the first 30 and the first 60 places of the front page.
_FIRST_PLACES = (30, 60)


class StorylineMetrics(FrozenStruct, omit_defaults=False):
    """How well storylines agree with affairs."""

    # Storylines of two or more stories
    several: int
    # Events that several outlets reported
    events: int
    # Those events whose articles are all in one storyline
    in_one_place: int
    # The score of pairs of stories that began within three days; None if no such pair is labelled as one affair
    pairs: Score | None
    # The number of places, among the first 30 and 60, whose affair has a higher place
    repeats: tuple[int, ...]


class Affairs(FrozenStruct):
    """The labels of affairs, by the ids of records (the labelled articles)."""

    # The records of each affair
    strict: dict[str, list[str]]
    # The records of each labelled story, including stories that are in no affair
    universe: list[list[str]]
    # Groups of records that may or may not be one affair, so that their pairs count neither way
    loose: tuple[list[str], ...] = ()


def read_affairs(name: str) -> tuple[dict[str, str], LoosePairs]:
    """Return the affair of each labelled record, and the pairs that do not count. Raises UsageError."""
    wanted = (
        'one JSON object {"strict": {AFFAIR: [ID, ...]}, "universe": [[ID, ...]]}: the ids of the records of each '
        "affair, and of each story that is labelled, also those in no affair"
    )
    with usage_errors(name, wanted):
        affairs = msgspec.json.decode(Path(name).read_bytes(), type=Affairs)
    labels = {}
    for ids in affairs.universe:
        labels.update(dict.fromkeys(ids, f"alone {ids[0]}"))
    for affair, ids in affairs.strict.items():
        labels.update(dict.fromkeys(ids, affair))
    return labels, loose_pairs(affairs.loose)


def measure_storylines(
    lines: Groups,
    stories: Groups,
    *,
    times: Mapping[str, datetime],
    wanted: Sequence[set[str]],
    affairs: Groups,
    ranked: Sequence[str],
    loose: LoosePairs,
) -> StorylineMetrics:
    """Return how well storylines agree with affairs.

    `lines`, `stories`, `affairs` and `times` (of publication) map the ids of records. `wanted` has the records of
    each event that several outlets reported. `ranked` are the ids of the stories of the front page, in order.
    """
    records = defaultdict(list)
    for id_, story in stories.items():
        records[story].append(id_)
    line_of = {story: lines[ids[0]] for story, ids in records.items()}
    # The affair of a story is the affair of most of its records.
    affair_of = {}
    for story, ids in records.items():
        count = Counter(affairs[id_] for id_ in ids if id_ in affairs)
        if count:
            affair_of[story] = count.most_common(1)[0][0]
    began = {
        story: min((times[id_] for id_ in ids if id_ in times), default=None)
        for story, ids in records.items()
    }

    # Pairs of stories that are together according to the storylines, the labels, and both
    together, labelled, correct = 0, 0, 0
    for one, other in combinations(affair_of, 2):
        is_together = line_of[one] == line_of[other]
        is_labelled = affair_of[one] == affair_of[other]
        first, last = began[one], began[other]
        is_far = first and last and abs(last - first) > _MOST_APART
        if is_far or not (is_together or is_labelled):
            continue
        if not is_labelled and any(
            frozenset((left, right)) in loose
            for left in records[one]
            for right in records[other]
        ):
            continue
        together += is_together
        labelled += is_labelled
        correct += is_together and is_labelled
    pairs = None
    if labelled:
        pairs = Score(correct / max(together, 1), correct / labelled)

    # Each storyline has one place on the front page, at the rank of its first story.
    placed_lines = set()
    affairs_above: set[str] = set()
    # Whether the affair of each place has a higher place
    is_repeat: list[bool] = []
    for story in ranked:
        line = line_of.get(story, story)
        if line not in placed_lines:
            placed_lines.add(line)
            affair = affair_of.get(story, story)
            is_repeat.append(affair in affairs_above)
            affairs_above.add(affair)
    return StorylineMetrics(
        several=sum(size > 1 for size in Counter(line_of.values()).values()),
        events=len(wanted),
        in_one_place=sum(len({lines[id_] for id_ in ids}) == 1 for ids in wanted),
        pairs=pairs,
        repeats=tuple(sum(is_repeat[:places]) for places in _FIRST_PLACES),
    )
