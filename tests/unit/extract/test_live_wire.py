"""Live blogs in the order of their clocks; the agency behind a text."""

import datetime as dt

import pytest

from aggregator.config.tuning import effective_tuning
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.liveblog.detect import is_container_title, opens_with_clock
from aggregator.extract.wire.wire import find_wire
from aggregator.model.core import Published
from tests.support.live_blogs import timed_entries

TUNING = effective_tuning().section("text", ExtractTuning)


def clocks(paragraphs: list[str]) -> list[str]:
    return [f"{e.clock_minutes // 60}:{e.clock_minutes % 60:02}" for e in timed_entries(paragraphs, TUNING)]


@pytest.mark.parametrize(
    "line",
    [
        "11.30 p.m.: x",
        "9:43 p.m.: x",
        "14.35 Uhr – x",
        "14 h 05 : x",
        "14h05 - x",
        "23:10 | x",
        "7 pm: x",
        "08:15 GMT - x",
    ],
)
def test_clocks(line: str) -> None:
    assert opens_with_clock(line)


@pytest.mark.parametrize(
    "line", ["25.30: x", "11.30 people came.", "3.5 million people", "10:1", "At 9:43 p.m.: x", "13 p.m.: x"]
)
def test_what_opens_no_entry(line: str) -> None:
    assert not opens_with_clock(line)


def test_newest_first_with_two_swapped_by_a_minute() -> None:
    page = ["23:30: e", "21:55: d", "21:43: b", "21:44: c", "21:14: a", "more of a"]
    assert clocks(page) == ["21:14", "21:43", "21:44", "21:55", "23:30"]
    assert timed_entries(page, TUNING)[0].text == "a\nmore of a"


def test_oldest_first_over_midnight() -> None:
    assert clocks(["22:10: a", "23:50: b", "00:20: c", "01:05: d"]) == ["22:10", "23:50", "0:20", "1:05"]


def test_newest_first_over_midnight() -> None:
    assert clocks(["01:05: d", "00:20: c", "23:50: b", "22:10: a"]) == ["22:10", "23:50", "0:20", "1:05"]


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
    "title",
    [
        "Storm: live updates",
        "Liveticker: Sturm über der Küste",
        "Tempête : suivez la situation en direct",
        "Morning briefing: five things",
        "The daily briefing",
        "Gazette morning briefing",
        "Five things to know: your weekly briefing",
        "Harbour, strike and rain – News briefing",
        "Sennick evening briefing | Monday",
        "Briefing: what moves Sennick",
        "The harbour | Weekly newsletter",
        "Harbour newsletter #12",
        "Storm live blog",
        "LIVE: Storm hits the coast",
        "Alle Meldungen im Newsblog",
    ],
)
def test_container_titles(title: str) -> None:
    assert is_container_title(title)


@pytest.mark.parametrize(
    "title",
    [
        "Thousands live without water",
        "Harbour bridge closed",
        "Minister briefs parliament",
        "Mayor bars two papers from press briefing",
        "Mayor absent from daily briefing",
        "Two more schools to open, mayor says in briefing",
        "Former editor sues owner of newsletter",
        "Newsletter for friends of the harbour",
    ],
)
def test_plain_titles(title: str) -> None:
    assert not is_container_title(title)


@pytest.mark.parametrize(
    ("paragraphs", "lines", "author", "agency", "kind"),
    [
        (["LONDON (AP) — The bridge was closed."], [], None, "AP", "dateline"),
        (["LONDON, March 6 (Reuters) - The bridge was closed."], [], None, "Reuters", "dateline"),
        (["Hamburg (dpa) - Die Brücke ist gesperrt."], [], None, "dpa", "dateline"),
        (["(AFP) – Le pont est fermé."], [], None, "AFP", "dateline"),
        (["Madrid, 6 mar (EFE).- El puente está cerrado."], [], None, "EFE", "dateline"),
        (["ROMA (ANSA) - Il ponte è chiuso."], [], None, "ANSA", "dateline"),
        (["BEIJING, March 6 (Xinhua) -- The bridge was closed."], [], None, "Xinhua", "dateline"),
        (["MOSCOW, March 6. /TASS/. The bridge was closed."], [], None, "TASS", "dateline"),
        (["The bridge was closed."], [], "Associated Press", "AP", "byline"),
        (
            ["The bridge was closed."],
            ["Harbour bridge closed", "By Ada Lorne, Associated Press"],
            None,
            "AP",
            "byline",
        ),
        (["The bridge was closed."], ["Harbour bridge closed", "AFP"], None, "AFP", "byline"),
        (
            ["The bridge was closed."],
            ["Bridge closed", *["x"] * 9, "Source: Reuters"],
            None,
            "Reuters",
            "credit",
        ),
        (
            ["The bridge was closed."],
            ["Bridge closed", *["x"] * 9, "(With inputs from PTI)"],
            None,
            "PTI",
            "credit",
        ),
        (
            ["The bridge was closed."],
            ["x"] * 9 + ["(Reporting by A Lorne; Editing by B Marsh)"],
            None,
            "Reuters",
            "credit",
        ),
        (
            ["The bridge was closed."],
            ["x"] * 9 + ["The Associated Press contributed to this report."],
            None,
            "AP",
            "credit",
        ),
        (["The bridge was closed."], ["x"] * 9 + ["(With agency inputs)"], None, None, "credit"),
        (["The bridge was closed."], ["x"] * 9 + ["(AFP, Reuters)"], None, None, "credit"),
    ],
)
def test_agencies(
    paragraphs: list[str], lines: list[str], author: str | None, agency: str | None, kind: str
) -> None:
    wire = find_wire(paragraphs, TUNING, lines, author)
    assert wire is not None
    assert (wire.agency, wire.kind) == (agency, kind)
    assert wire.evidence


@pytest.mark.parametrize(
    "paragraph",
    [
        "The mayor told the AFP news agency that the bridge is closed.",
        "AFP reported that the bridge is closed.",
        "According to Reuters, the bridge is closed.",
        "The bridge is closed, a source tells the Reuters news agency.",
        "This is reported by the Bloomberg news agency.",
        "NEW YORK (CNN) — The bridge was closed.",
        "The AP exams (Advanced Placement) were moved.",
    ],
)
def test_a_quoted_agency_is_not_the_origin(paragraph: str) -> None:
    assert find_wire([paragraph], TUNING, [paragraph]) is None


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
