"""A full day, month and year is a date; nothing less is."""

from datetime import UTC, datetime

import pytest

from aggregator.extract.language.dates import published_from_text
from aggregator.extract.language.declared_dates import parse_declared
from tests.support.tables import each_row

SEEN = datetime.fromisoformat("2026-01-01T00:00Z")


@each_row("dates", "date lines", "line", "time", "precision")
def test_date_lines(line: str, time: str, precision: str) -> None:
    found = published_from_text([line], None, SEEN)
    assert found.time == datetime.fromisoformat(time + "+00:00")
    assert (found.precision, found.origin) == (precision, "text")


@each_row("dates", "what is no date of publication", "line")
def test_what_is_no_date_of_publication(line: str) -> None:
    assert published_from_text([line], None, SEEN) is None


def test_a_zone_given_is_used_and_one_assumed_is_marked() -> None:
    given = published_from_text(["6 December 2024, 16:30"], "Europe/Berlin")
    assumed = published_from_text(["6 December 2024, 16:30"], None)
    unknown = published_from_text(["6 December 2024, 16:30"], "Mars/Phobos")
    assert given.time == datetime.fromisoformat("2024-12-06T15:30Z")
    assert assumed.time == unknown.time == datetime.fromisoformat("2024-12-06T16:30Z")
    assert assumed.timezone_assumed


@each_row("dates", "offsets of hours and the order of ctime", "text", "hour")
def test_offsets_of_hours_and_the_order_of_ctime(text: str, hour: int) -> None:
    found = parse_declared(text, None)
    assert found.time.replace(minute=0) == datetime(2026, 11, 22, hour, tzinfo=UTC)


@each_row(
    "dates", "a written date keeps its seconds and half of the day", "text", "utc"
)
def test_a_written_date_keeps_its_seconds_and_half_of_the_day(
    text: str, utc: str
) -> None:
    assert f"{parse_declared(text, None).time:%H:%M:%S}" == utc


@each_row("dates", "zones are understood", "text", "utc")
def test_zones_are_understood(text: str, utc: str) -> None:
    found = parse_declared(text, "Asia/Tokyo")
    assert f"{found.time:%d %H:%M}" == utc
    assert (found.precision, found.timezone_assumed) == ("minute", False)


@pytest.mark.parametrize(
    "text",
    [
        "Thu, 26 Nov 2026 08:57:00 QXZT",
        "2026-11-26T08:57:00 QXZT",
        "26 Nov 2026 08:57 Mars/Phobos",
    ],
)
def test_of_a_time_in_an_unknown_zone_the_day_is_known(text: str) -> None:
    found = parse_declared(text, None)
    assert found.time == datetime.fromisoformat("2026-11-26T00:00Z")
    assert found.precision == "day"


@pytest.mark.parametrize(
    "text", ["26.11.2026 08:57 Uhr", "26.11.26, 08.57 Uhr", "2026.11.26 08:57"]
)
def test_a_time_without_a_zone_is_one_of_the_source(text: str) -> None:
    found = parse_declared(text, "Europe/Berlin")
    assert found.time == datetime.fromisoformat("2026-11-26T07:57Z")
    assert found.timezone_assumed


@pytest.mark.parametrize("text", ["", "\0", "1" * 400, "2024-12-06T10:00:00+99:99"])
def test_hostile_declarations_are_unknown(text: str) -> None:
    """What feeds write is asked in tests/unit/sources/test_hostile_feeds.py."""
    assert parse_declared(text, None, SEEN) is None


def test_a_declared_day_is_midnight_of_its_zone() -> None:
    utc, berlin = (
        parse_declared("2024-12-06", None, SEEN),
        parse_declared("2024-12-06", "Europe/Berlin", SEEN),
    )
    assert utc.time == datetime.fromisoformat("2024-12-06T00:00Z")
    assert berlin.time == datetime.fromisoformat("2024-12-05T23:00Z")
    assert utc.precision == berlin.precision == "day"


@pytest.mark.parametrize(
    "text",
    ["Mon, 01 Jan 0001 00:00:00 GMT", "01 Jan 0099 00:00 GMT", "0001-01-01T00:00:00Z"],
)
def test_the_year_one_is_no_date(text: str) -> None:
    assert parse_declared(text, None) is None
