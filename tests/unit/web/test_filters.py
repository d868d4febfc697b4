"""Filters in addresses: what fits is understood, what does not is named."""

import datetime as dt

import pytest

from aggregator.config.publish_settings import SavedQuery
from aggregator.model.errors import UsageError
from aggregator.web.filters import ParsedFilter, parse_filter

NOW = dt.datetime(2026, 11, 20, 8, 0, tzinfo=dt.UTC)


def _parse(*parameters: tuple[str, str]) -> ParsedFilter:
    return parse_filter(parameters, NOW, default_limit=50)


def test_nothing_asked_for_restricts_nothing() -> None:
    wanted = _parse()
    assert (wanted.query_string, wanted.moves_with_clock) == ("", False)
    assert (wanted.filter.limit, wanted.filter.min_reports, wanted.filter.since) == (
        50,
        1,
        None,
    )


def test_empty_values_are_as_good_as_none() -> None:
    assert _parse(("outlet", ""), ("since", "  ")) == _parse()


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("24h", NOW - dt.timedelta(days=1)),
        ("90m", NOW - dt.timedelta(minutes=90)),
        ("2w", NOW - dt.timedelta(weeks=2)),
        ("2026-11-01", dt.datetime(2026, 11, 1, tzinfo=dt.UTC)),
        ("2026-11-01T06:00:00Z", dt.datetime(2026, 11, 1, 6, tzinfo=dt.UTC)),
        ("2026-11-01T06:00:00+02:00", dt.datetime(2026, 11, 1, 4, tzinfo=dt.UTC)),
    ],
)
def test_since_takes_spans_dates_and_times(written: str, time: dt.datetime) -> None:
    assert _parse(("since", written)).filter.since == time


def test_until_a_date_includes_that_day() -> None:
    until = _parse(("until", "2026-11-01")).filter.until
    assert until == dt.datetime(2026, 11, 1, 23, 59, 59, 999_999, tzinfo=dt.UTC)


def test_only_spans_move_with_the_clock() -> None:
    assert _parse(("since", "24h")).moves_with_clock
    assert not _parse(("since", "2026-11-01")).moves_with_clock


def test_what_changes_without_a_story_is_known() -> None:
    stays = [(), (("query", "levee"),), (("outlet", "x"), ("min_reports", "2"))]
    moves = [("folder", "x"), ("topic", "x"), ("name", "x"), ("since", "1h")]
    assert [_parse(*one).changes_with_stories for one in stays] == [True] * 3
    assert [_parse(one).changes_with_stories for one in moves] == [False] * 4


def test_the_items_of_a_saved_query_are_those_of_its_feed() -> None:
    query = SavedQuery(items=7).named("x")
    for is_feed, limit in ((False, 30), (True, 7)):
        found = parse_filter(
            [("saved", "x")], NOW, default_limit=30, queries=[query], is_feed=is_feed
        )
        assert found.filter.limit == limit


def test_the_same_filter_is_written_the_same_way_in_any_order() -> None:
    one = _parse(("outlet", "Tram & Track"), ("min_reports", "2"))
    other = _parse(("min_reports", "2"), ("outlet", " Tram & Track "))
    assert one == other
    assert one.query_string == "min_reports=2&outlet=Tram+%26+Track"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_outlets", "0"),
        ("min_reports", "-1"),
        ("limit", "501"),
        ("limit", "٣"),
        ("limit", "9" * 5000),
        ("since", "yesterday"),
        ("since", "9999999999999h"),
        ("since", "0001-01-01T00:00:00+14:00"),
        ("until", "9999-99-99"),
        ("query", "x" * 201),
        ("outlet", "a\x00b"),
        ("min_reprots", "2"),
    ],
)
def test_what_cannot_be_is_refused_with_its_name(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name):
        _parse((name, value))


def test_the_last_day_of_all_is_still_a_date() -> None:
    assert _parse(("until", "9999-12-31")).filter.until is not None


def test_pages_pass_over_what_others_add_to_links() -> None:
    parameters = [("utm_source", "x"), ("min_reports", "2")]
    wanted = parse_filter(parameters, NOW, default_limit=50, ignore_unknown=True)
    assert wanted.query_string == "min_reports=2"
