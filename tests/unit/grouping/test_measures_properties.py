"""What holds for the figures of any grouping under any labels."""

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
    for name, limits in measure(sides(both)[1], sides(both)[1]).intervals.items():
        assert limits == (
            (0.0, 0.0) if name in ("over_merge", "split") else pytest.approx((1.0, 1.0))
        )


@pytest.mark.later
def test_a_flood_of_copies_in_one_long_chain_is_counted():
    count = 30_000
    chain = {str(n): str(n - 1) if n else None for n in range(count)}
    star = {str(n): "0" if n else None for n in range(count)}
    assert measure_copies(chain, star).f1 == 1.0
    half = {str(n): str(n - 1) if n % 2 else None for n in range(count)}
    assert measure_copies(half, star).recall == pytest.approx(1 / (count - 1))
