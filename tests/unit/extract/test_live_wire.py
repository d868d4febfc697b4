"""Live blogs in the order of their clocks; agencies that no list has."""

import datetime as dt

import pytest

from aggregator.config.tuning import effective_tuning
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.liveblog.detect import opens_with_clock
from aggregator.extract.wire.wire import find_wire
from aggregator.model.core import Published
from tests.support.live_blogs import timed_entries

TUNING = effective_tuning().section("text", ExtractTuning)


def clocks(paragraphs: list[str]) -> list[str]:
    return [f"{e.clock_minutes // 60}:{e.clock_minutes % 60:02}" for e in timed_entries(paragraphs, TUNING)]


@pytest.mark.parametrize(
    "line", ["25.30: x", "11.30 people came.", "3.5 million people", "10:1", "At 9:43 p.m.: x", "13 p.m.: x"]
)
def test_what_opens_no_entry(line: str) -> None:
    assert not opens_with_clock(line)


def test_newest_first_with_two_swapped_by_a_minute() -> None:
    page = ["23:30: e", "21:55: d", "21:43: b", "21:44: c", "21:14: a", "more of a"]
    assert clocks(page) == ["21:14", "21:43", "21:44", "21:55", "23:30"]
    assert timed_entries(page, TUNING)[0].text == "a\nmore of a"


def test_days_only_from_a_known_minute_of_publication() -> None:
    page = ["01:05: d", "00:20: c", "23:50: b", "22:10: a"]
    at = Published(time=dt.datetime(2025, 3, 6, 1, 30, tzinfo=dt.UTC))
    day = Published(time=dt.datetime(2025, 3, 6, tzinfo=dt.UTC), precision="day")
    assert [e.day for e in timed_entries(page, TUNING)] == [None] * 4
    assert [e.day for e in timed_entries(page, TUNING, published=day)] == [None] * 4
    assert [e.day and e.day.day for e in timed_entries(page, TUNING, published=at)] == [5, 5, 6, 6]


def test_entries_later_than_the_page_are_of_the_day_before() -> None:
    at = Published(time=dt.datetime(2025, 3, 6, 8, 0, tzinfo=dt.UTC))
    entries = timed_entries(["23:10: c", "22:40: b", "21:00: a"], TUNING, published=at)
    assert {e.day for e in entries} == {dt.date(2025, 3, 5)}


def test_two_clocks_are_no_live_blog() -> None:
    assert timed_entries(["21:00: a", "b", "22:00: c"], TUNING) == ()


@pytest.mark.parametrize(
    "paragraph",
    [
        "HALVERNE (MNA) — The bridge was closed on Monday.",
        "PORT-SENNICK, Vessaly (QXA) - The bridge was closed on Monday.",
        "ST. ANSELM (OPN).- The bridge was closed on Monday.",
    ],
)
def test_an_unlisted_agency_in_a_dateline(paragraph: str) -> None:
    wire = find_wire(["Bridge shut, ferries run", paragraph], TUNING)
    assert wire is not None
    assert wire.kind == "dateline"
    assert wire.agency in ("MNA", "QXA", "OPN")
    assert wire.confidence < 0.9


@pytest.mark.parametrize(
    "paragraph",
    [
        "The mayor told the agency (MNA) — that the bridge is closed.",
        "HALVERNE (WXYZ) — The bridge was closed on Monday.",  # a station's call sign
        "HALVERNE (CNN) — The bridge was closed on Monday.",
        "HALVERNE (TP) — The bridge was closed on Monday.",  # the outlet's own initials
        "NATO (NAC) members met on Monday to talk about the bridge.",
        "Shares of the port (NYSE) — fell on Monday after the bridge was closed.",
    ],
)
def test_a_code_that_is_no_agency(paragraph: str) -> None:
    assert find_wire([paragraph], TUNING, outlet="Tern Plover") is None


def test_an_unlisted_agency_counts_in_the_first_paragraph_only() -> None:
    paragraphs = ["The bridge was closed on Monday, the port said.", "HALVERNE (MNA) — It will open again."]
    assert find_wire(paragraphs, TUNING) is None
