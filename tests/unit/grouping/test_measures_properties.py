"""What holds for the figures of any grouping under any labels."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.admin.bcubed import (
    measure,
    measure_copies,
)

NAMES = st.sampled_from("abcdef")
IDS = st.text("uvwxyz", min_size=1, max_size=3)
# Story and cluster of an article
GROUPINGS = st.dictionaries(IDS, st.tuples(NAMES, NAMES), max_size=40)


def sides(both: dict[str, tuple[str, str]]) -> tuple[dict[str, str], dict[str, str]]:
    return {k: v[0] for k, v in both.items()}, {k: v[1] for k, v in both.items()}


@pytest.mark.later
@given(GROUPINGS)
def test_intervals_lie_between_0_and_1_and_of_what_never_varies_are_a_point(both):
    report = measure(*sides(both))
    assert bool(report.intervals) == (report.clusters > 1)
    for low, high in report.intervals.values():
        assert 0.0 <= low <= high <= 1.0 + 1e-12
    perfect = measure(sides(both)[1], sides(both)[1])
    for name, limits in perfect.intervals.items():
        assert limits == (
            (0.0, 0.0) if name in ("over_merge", "split") else pytest.approx((1.0, 1.0))
        )


@pytest.mark.later
@given(GROUPINGS)
def test_a_perfect_grouping_has_nothing_wrong(both):
    _, clusters = sides(both)
    report = measure({k: f"story of {v}" for k, v in clusters.items()}, clusters)
    assert (report.bcubed.f1, report.pairs.f1, report.over_merge, report.split) == (
        1.0,
        1.0,
        0.0,
        0.0,
    )


@pytest.mark.later
@given(GROUPINGS)
def test_alone_is_what_every_article_alone_gets(both):
    stories, clusters = sides(both)
    alone = measure({k: k for k in clusters}, clusters)
    assert alone.bcubed.precision == alone.pairs.precision == 1.0
    assert alone.bcubed == alone.alone == measure(stories, clusters).alone


@pytest.mark.later
@given(GROUPINGS, st.permutations("abcdef"), st.permutations("abcdef"), st.randoms())
def test_names_and_order_do_not_matter(
    both, other_stories, other_clusters, chance: random.Random
):
    shuffled = list(both.items())
    chance.shuffle(shuffled)
    renamed = {
        k: (
            other_stories["abcdef".index(story)],
            other_clusters["abcdef".index(cluster)],
        )
        for k, (story, cluster) in shuffled
    }
    assert measure(*sides(renamed)) == measure(*sides(both))


@pytest.mark.later
@given(GROUPINGS)
def test_precision_of_one_side_is_recall_of_the_other(both):
    stories, clusters = sides(both)
    one, other = measure(stories, clusters), measure(clusters, stories)
    assert (one.bcubed.precision, one.bcubed.recall) == (
        other.bcubed.recall,
        other.bcubed.precision,
    )
    assert (one.pairs.precision, one.over_merge) == (other.pairs.recall, other.split)


def test_a_copy_of_a_missing_article_counts_in_no_pair():
    labelled = {"a": "gone", "b": "gone", "c": None}
    assert measure_copies({"a": None, "b": "a"}, labelled).f1 == 1.0
    assert measure_copies({"a": "c"}, labelled).recall == 0.0


@pytest.mark.later
def test_a_flood_of_copies_in_one_long_chain_is_counted():
    count = 30_000
    chain = {str(n): str(n - 1) if n else None for n in range(count)}
    star = {str(n): "0" if n else None for n in range(count)}
    assert measure_copies(chain, star).f1 == 1.0
    half = {str(n): str(n - 1) if n % 2 else None for n in range(count)}
    assert measure_copies(half, star).recall == pytest.approx(1 / (count - 1))
