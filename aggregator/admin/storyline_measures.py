"""Measures of storylines: stories as they stand together, compared with labelled affairs."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path

import msgspec

from aggregator.admin.bcubed import Groups, Score
from aggregator.admin.labelled_data import LoosePairs, loose_pairs, usage_errors
from aggregator.model.structs import FrozenStruct

# Pairs of stories that are further apart do not count.
_WITHIN = timedelta(days=3)
# Repeats are counted among so many places of the front page.
_PLACES = (30, 60)


class StorylineMetrics(FrozenStruct, omit_defaults=False):
    """How well storylines agree with affairs."""

    # Storylines of two or more stories
    several: int
    # Events of several outlets, ...
    events: int
    # ... and how many of them have all articles in one storyline
    in_one_place: int
    # The score of pairs of stories within three days; None if no affair is labelled
    pairs: Score | None
    # The number of places, among the first 30 and 60, whose affair has a place above
    repeats: tuple[int, ...]


class Affairs(FrozenStruct):
    """Labelled affairs: the ids of the records of each, and of groups whose pairs count neither way."""

    strict: dict[str, list[str]]
    # Stories known to belong to one of the affairs or to none
    universe: list[list[str]]
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
    """Measure storylines. Everything is by the ids of records, but `ranked`, the stories of the front page.

    `wanted`: the events of several outlets; `times`: of publication.
    """
    records = defaultdict(list)
    for id_, story in stories.items():
        records[story].append(id_)
    line_of = {story: lines[ids[0]] for story, ids in records.items()}
    affair_of = {}
    for story, ids in records.items():
        named = Counter(affairs[id_] for id_ in ids if id_ in affairs)
        if named:
            affair_of[story] = named.most_common(1)[0][0]
    began = {
        story: min((times[id_] for id_ in ids if id_ in times), default=None)
        for story, ids in records.items()
    }
    hits, found, labelled = 0, 0, 0
    for one, other in combinations(affair_of, 2):
        is_one = affair_of[one] == affair_of[other]
        is_found = line_of[one] == line_of[other]
        first, last = began[one], began[other]
        if not (is_one or is_found) or (first and last and abs(last - first) > _WITHIN):
            continue
        if not is_one and any(
            frozenset((left, right)) in loose
            for left in records[one]
            for right in records[other]
        ):
            continue
        hits += is_one and is_found
        found += is_found
        labelled += is_one
    sizes = Counter(line_of.values())
    above: set[str] = set()
    places: list[bool] = []  # whether the affair of each is above already
    passed = set()
    for story in ranked:
        line = line_of.get(story, story)
        if line not in passed:
            passed.add(line)
            affair = affair_of.get(story, story)
            places.append(affair in above)
            above.add(affair)
    return StorylineMetrics(
        several=sum(size > 1 for size in sizes.values()),
        events=len(wanted),
        in_one_place=sum(len({lines[id_] for id_ in ids}) == 1 for ids in wanted),
        pairs=Score(hits / max(found, 1), hits / max(labelled, 1))
        if labelled
        else None,
        repeats=tuple(sum(places[:first]) for first in _PLACES),
    )
