"""The figures of a grouping, checked by hand."""

import pytest

from aggregator.admin.bcubed import measure, measure_copies

CLUSTERS = {"a": "1", "b": "1", "c": "1", "d": "2", "e": "3"}


def test_a_mixed_grouping():
    report = measure({"a": "x", "b": "x", "c": "y", "d": "y", "e": "z"}, CLUSTERS)
    assert report.bcubed.precision == pytest.approx((1 + 1 + 0.5 + 0.5 + 1) / 5)
    assert report.bcubed.recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1) / 5)
    assert (report.pairs.precision, report.pairs.recall) == (1 / 2, 1 / 3)
    assert (report.over_merge, report.split) == (1 / 2, 1.0)


def test_copies_count_by_pairs_of_their_groups():
    labelled = {"a": None, "b": "a", "c": "a", "d": None}
    assert measure_copies(labelled, labelled).f1 == 1.0
    chained = measure_copies({"a": None, "b": "a", "c": "b", "d": None}, labelled)
    assert (chained.precision, chained.recall) == (1.0, 1.0)
    partly = measure_copies({"b": "a", "d": "c"}, labelled)
    assert (partly.precision, partly.recall) == (1 / 2, 1 / 3)
