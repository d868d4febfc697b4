"""The figures of a grouping, checked by hand."""

import pytest

from aggregator.admin.bcubed import (
    GroupingMetrics,
    measure,
    measure_copies,
    wrong_groups,
)

CLUSTERS = {"a": "1", "b": "1", "c": "1", "d": "2", "e": "3"}


def test_a_mixed_grouping():
    report = measure({"a": "x", "b": "x", "c": "y", "d": "y", "e": "z"}, CLUSTERS)
    assert report.bcubed.precision == pytest.approx((1 + 1 + 0.5 + 0.5 + 1) / 5)
    assert report.bcubed.recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1) / 5)
    assert (report.over_merge, report.split) == (1 / 2, 1.0)


def events_of(number: int, size: int) -> dict[str, str]:
    return {
        f"{event}-{place}": str(event)
        for event in range(number)
        for place in range(size)
    }


def test_intervals_hold_the_figure_and_shrink_with_more_events():
    def figures(number: int) -> GroupingMetrics:
        clusters = events_of(number, size=2)
        # Of four events one is split, and one holds half of the next.
        stories = {
            key: f"{key}" if int(event) % 4 == 0 else event
            for key, event in clusters.items()
        }
        for event in range(1, number, 4):
            stories[f"{event}-1"] = str(event + 1)
        return measure(stories, clusters)

    few, many = figures(20), figures(500)
    widths = []
    for report in (few, many):
        bcubed = report.bcubed
        points = {
            "precision": bcubed.precision,
            "recall": bcubed.recall,
            "f1": bcubed.f1,
        }
        points |= {"over_merge": report.over_merge, "split": report.split}
        assert set(points) == set(report.intervals)
        for name, point in points.items():
            low, high = report.intervals[name]
            assert low < point < high, name
        low, high = report.intervals["f1"]
        widths.append(high - low)
    assert widths[1] < widths[0] / 3, (
        "five times narrower, with twenty-five times the events"
    )


def test_articles_of_one_event_are_drawn_together():
    """Ten split events of forty articles say no more than ten of two."""
    intervals = []
    for size in (2, 40):
        clusters = events_of(20, size)
        stories = {
            key: key if int(event) % 2 else event for key, event in clusters.items()
        }
        low, high = measure(stories, clusters).intervals["recall"]
        intervals.append(high - low)
    assert intervals[1] > 1.5 * intervals[0]


def test_wrong_stories_and_events_are_named_with_their_articles_the_largest_first():
    stories = {"a": "x", "b": "x", "c": "y", "d": "y", "e": "y"}
    titles = {key: f"Title {key}" for key in stories}
    mixed, split = (
        wrong_groups(*each, titles, ())
        for each in ((stories, CLUSTERS), (CLUSTERS, stories))
    )
    assert [(one.name, one.parts) for one in mixed] == [
        ("y", {"1": {"c": "Title c"}, "2": {"d": "Title d"}, "3": {"e": "Title e"}})
    ]
    assert [(one.name, one.parts) for one in split] == [
        ("1", {"x": {"a": "Title a", "b": "Title b"}, "y": {"c": "Title c"}})
    ]
    loose = {frozenset(pair) for pair in ("ac", "bc", "cd", "ce", "de")}
    assert wrong_groups(stories, CLUSTERS, titles, loose) == []
    assert wrong_groups(CLUSTERS, stories, titles, loose) == []


def test_copies_count_by_pairs_of_their_groups():
    labelled = {"a": None, "b": "a", "c": "a", "d": None}
    assert measure_copies(labelled, labelled).f1 == 1.0
    chained = measure_copies({"a": None, "b": "a", "c": "b", "d": None}, labelled)
    assert (chained.precision, chained.recall) == (1.0, 1.0)
    partly = measure_copies({"b": "a", "d": "c"}, labelled)
    assert (partly.precision, partly.recall) == (1 / 2, 1 / 3)
