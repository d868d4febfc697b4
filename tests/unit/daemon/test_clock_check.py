"""A new database reads nothing while the clock is before the program itself."""

from datetime import timedelta

from aggregator.daemon.clock_check import newest_own_date, why_clock_is_behind


def test_a_clock_that_is_years_behind_the_programs_files_is_named() -> None:
    newest = newest_own_date()
    problem = why_clock_is_behind(newest - timedelta(days=3 * 365), newest)
    assert problem is not None
    assert "the first feeds are read when the clock is right" in problem


def test_a_clock_that_is_right_or_in_another_zone_is_no_problem() -> None:
    newest = newest_own_date()
    for hours in (-23, 0, 24 * 365):
        assert why_clock_is_behind(newest + timedelta(hours=hours), newest) is None
