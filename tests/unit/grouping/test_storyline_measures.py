"""Measures of storylines count what a reader would count."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aggregator.admin.bcubed import Score
from aggregator.admin.storyline_measures import (
    StorylineMetrics,
    measure_storylines,
    read_affairs,
)
from aggregator.model.errors import UsageError

NOON = datetime.fromisoformat("2026-10-12T12:00Z")
# Records a1 and a2 are one story; its storyline has b, too.
STORIES = {"a1": "a", "a2": "a", "b": "b", "c": "c", "d": "d"}
LINES = {"a1": "a", "a2": "a", "b": "a", "c": "c", "d": "c"}
TIMES = dict.fromkeys(STORIES, NOON)


def measured(**given: Any) -> StorylineMetrics:
    usual = {
        "times": TIMES,
        "wanted": [],
        "affairs": {},
        "ranked": [],
        "loose": frozenset(),
    }
    return measure_storylines(LINES, STORIES, **usual | given)


def test_pairs_places_and_events_are_counted() -> None:
    affairs = {"a1": "flood", "b": "flood", "c": "flood", "d": "strike"}
    found = measured(
        wanted=[{"a1", "b"}, {"a2", "c"}], affairs=affairs, ranked=[*"abcd"]
    )
    assert found.several == 2
    assert (found.events, found.in_one_place) == (2, 1)
    # a and b of three pairs; c and d are of two affairs
    assert found.pairs == Score(1 / 2, 1 / 3)
    # The places are those of a and c, both of the flood.
    assert found.repeats == (1, 1)
    apart = TIMES | {"c": NOON + timedelta(days=4)}
    assert measured(times=apart, affairs=affairs).pairs == Score(1.0, 1.0)
    loose = frozenset({frozenset(("c", "d"))})
    assert measured(affairs=affairs, loose=loose).pairs == Score(1.0, 1 / 3)


def test_without_labels_no_affair_is_measured() -> None:
    assert measured().pairs is None


def test_affairs_are_read_with_what_stands_alone(tmp_path: Path) -> None:
    file = tmp_path / "affairs.json"
    file.write_text(
        '{"strict": {"flood": ["a", "b"]}, "loose": [["b", "c"]], "universe": [["a"], ["c", "x"]]}'
    )
    labels, loose = read_affairs(str(file))
    assert labels == {"a": "flood", "b": "flood", "c": "alone c", "x": "alone c"}
    assert loose == {frozenset(("b", "c"))}
    file.write_text("{}")
    with pytest.raises(UsageError, match="strict"):
        read_affairs(str(file))
