"""Live blogs by their markup and by their text: every entry, in the order of time, on its day where known."""

import datetime as dt
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.config.tuning import Tuning
from aggregator.extract.html.live_blog import read_live_page
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.live_text import (
    ArticleTimes,
    ExtractedEntry,
    entries_of,
    is_container_title,
    looks_live,
    opens_with_clock,
    timed,
)
from aggregator.model.core import Published
from aggregator.pipeline.workers.executor import WorkerTuning
from aggregator.stories.text.merged_text import merge
from aggregator.text.clock_times import StatedDay, day_heading, minutes_ago, opening
from tests.support.live_blogs import cases, is_right, read, reported, timed_entries
from tests.support.written_stories import an_article

TUNING = Tuning().section("text", ExtractTuning)
BOTH = [case for name in ("check", "dev") for case in cases(name)]


@pytest.mark.slow
@pytest.mark.parametrize("case", BOTH, ids=lambda case: case["id"])
def test_every_entry_in_the_right_order_and_no_look_alike(case: dict[str, Any]) -> None:
    assert is_right(case), reported(read(case))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "value", "case"),
    [
        ("live_entries", 99, "saved-unannounced-headlines-below-clocks"),
        ("midnight_step_minutes", 1440, "en-swapped-over-midnight"),
        ("live_margin_minutes", 0, "en-swapped-at-midnight"),
        ("live_margin_minutes", 5000, "it-ore-oldest-first"),
        ("stub_words", 0, "no-recipe"),
        ("live_entries_max", 2, "html-time-elements-two-days"),
    ],
)
def test_without_its_rule_a_case_fails(rule: str, value: float, case: str) -> None:
    found = next(one for one in BOTH if one["id"] == case)
    assert is_right(found)
    assert not is_right(found, Tuning({"text": {rule: value}}))


# --- clocks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "clock", "text"),
    [
        ("11.30 p.m.: x", "23:30", "x"),
        ("+++ 9.47 Uhr: Deich hält +++", "09:47", "Deich hält +++"),
        ("[02h15] O vento", "02:15", "O vento"),
        ("12:35 h.", "12:35", ""),
        ("12.10 a.m.: Recount", "00:10", "Recount"),
        ("6 p.m.: The polls", "18:00", "The polls"),
        ("下午2时35分 消防", "14:35", "消防"),
        ("凌晨0时30分 气象台", "00:30", "气象台"),
        ("오후 2시 35분 당국은", "14:35", "당국은"),
        ("٢١:٣٥ | أعلنت", "21:35", "أعلنت"),
        ("Update, 4 March 2026, 00:20: The shaft", "00:20", "The shaft"),
    ],
)
def test_what_an_entry_opens_with(line: str, clock: str, text: str) -> None:
    found = opening(line)
    assert f"{found.clock_minutes // 60:02}:{found.clock_minutes % 60:02}" == clock
    assert line[found.end :] == text


@pytest.mark.parametrize(
    "line",
    [
        "9:00 – 17:00: Monday to Thursday", "10.00-18.00 Uhr Samstag", "45'+2: Penalty for Port Sennick",
        "14.35 Uhr war es so weit, die Fähre legte ab.", "24 hours later: nothing",
        "1.20 Euro kostet die Fahrt", "12.2 Mio. Euro fehlen", "11 September 2001: a day",
        "午後2時35分ごろ、県道で事故がありました。", "25.30: x", "11.30 people came.", "3.5 million people",
        "10:1", "At 9:43 p.m.: x", "13 p.m.: x",
    ],
)  # fmt: skip
def test_what_is_no_sure_opening(line: str) -> None:
    found = opening(line)
    assert found is None or not found.sure
    assert not opens_with_clock(line)


@pytest.mark.parametrize(
    ("line", "day"),
    [
        ("Sunday, 8 December", StatedDay(month=12, day=8)),
        ("Montag, 8. Dezember 2025", StatedDay(month=12, day=8, year=2025)),
        ("lunes, 8 de diciembre", StatedDay(month=12, day=8)),
        ("9 ноября", StatedDay(month=11, day=9)),
        ("08.12.", StatedDay(month=12, day=8)),
        ("12月8日(月)", StatedDay(month=12, day=8)),
        ("Samedi", StatedDay()),
        ("Sunday papers", None),
        ("Marathon", None),
        ("8 people", None),
    ],
)
def test_day_headings(line: str, day: StatedDay | None) -> None:
    assert day_heading(line) == day


def test_times_that_count_back() -> None:
    ago = {"12 min ago": 12, "vor 2 Stunden": 120, "il y a 5 minutes": 5, "5分前": 5}
    assert {words: minutes_ago(words) for words in ago} == ago
    assert minutes_ago("vor 2 Stunden brannte es") is None


# --- order and days ----------------------------------------------------------------------------------------


def clocks_of(page: list[str], known: ArticleTimes) -> list[tuple[str | None, str]]:
    return [
        (str(one.day) if one.day else None, f"{one.clock_minutes // 60:02}:{one.clock_minutes % 60:02}")
        for one in entries_of(page, TUNING, known, announced=False)
    ]


AT_TEN = Published(time=dt.datetime(2026, 3, 6, 22, 0, tzinfo=dt.UTC))


def test_nothing_is_later_than_when_it_was_seen_and_where_two_days_are_as_near_none_is_given() -> None:
    page = ["22:50: b", "21:40: a", "21:10: c"]
    noon = Published(time=dt.datetime(2026, 3, 6, 12, 0, tzinfo=dt.UTC))
    assert {day for day, _ in clocks_of(page, ArticleTimes(published=noon))} == {"2026-03-06"}
    assert {day for day, _ in clocks_of(page, ArticleTimes(published=noon, seen=noon.time))} == {None}
    near = ["00:20: c", "00:05: b", "23:50: a"]
    assert {day for day, _ in clocks_of(near, ArticleTimes(published=noon))} == {None}


def test_days_only_from_a_known_minute_of_publication() -> None:
    page = ["01:05: d", "00:20: c", "23:50: b", "22:10: a"]
    at = Published(time=dt.datetime(2025, 3, 6, 1, 30, tzinfo=dt.UTC))
    day = Published(time=dt.datetime(2025, 3, 6, tzinfo=dt.UTC), precision="day")
    assert [e.day for e in timed_entries(page, TUNING)] == [None] * 4
    assert [e.day for e in timed_entries(page, TUNING, published=day)] == [None] * 4
    assert [e.day and e.day.day for e in timed_entries(page, TUNING, published=at)] == [5, 5, 6, 6]


def test_two_clocks_are_no_live_blog() -> None:
    assert timed_entries(["21:00: a", "b", "22:00: c"], TUNING) == ()


def test_a_long_pause_is_not_midnight() -> None:
    clocks = clocks_of(["08:00: a", "15:00: b", "22:00: c"], ArticleTimes())
    assert clocks == [(None, "08:00"), (None, "15:00"), (None, "22:00")]


def test_headings_tell_more_than_clocks() -> None:
    """A day without a midnight step."""
    page = ["Friday, 6 March", "23:50: c", "5 March", "22:00: b", "4 March", "21:00: a"]
    friday = Published(time=dt.datetime(2026, 3, 6, 23, 55, tzinfo=dt.UTC), precision="day")
    assert clocks_of(page, ArticleTimes(published=friday)) == [
        ("2026-03-04", "21:00"),
        ("2026-03-05", "22:00"),
        ("2026-03-06", "23:50"),
    ]
    assert clocks_of(page, ArticleTimes()) == [(None, "21:00"), (None, "22:00"), (None, "23:50")]


@pytest.mark.parametrize(
    ("first", "second", "days"),
    [
        ("8 December", "9 December 2025", ["2025-12-08", "2025-12-09"]),
        ("31 December", "1 January 2026", ["2025-12-31", "2026-01-01"]),
        ("29 February", "1 March 2025", ["2024-02-29", "2025-03-01"]),
        ("1 March 2025", "29 February", ["2024-02-29", "2025-03-01"]),
    ],
)
def test_a_heading_without_a_year_is_near_one_that_has_it(first: str, second: str, days: list[str]) -> None:
    page = [first, "14:00: a", "14:30: b", second, "15:00: c", "15:30: d"]
    assert list(dict.fromkeys(day for day, _ in clocks_of(page, ArticleTimes()))) == days


def test_a_list_of_key_moments_is_not_repeated() -> None:
    page = ["14:31: The mayor", "13:02: Quake felt", "14:31: The mayor has come.", "13:02: Quake felt here."]
    assert [one.text for one in timed_entries(page, TUNING)] == ["Quake felt here.", "The mayor has come."]


def test_the_moment_is_given_where_the_zone_is_known_and_told_in_utc_in_the_timeline() -> None:
    page = ["22:05: The dam holds.", "23:40: It still holds.", "00:31: The dam has broken."]
    published = Published(time=dt.datetime(2026, 3, 6, 21, 0, tzinfo=dt.UTC))
    known = ArticleTimes(published=published, zone="Europe/Berlin")
    entries = entries_of(page, TUNING, known, announced=False)
    times = [one.time and one.time.hour * 60 + one.time.minute for one in entries]
    assert times == [21 * 60 + 5, 22 * 60 + 40, 23 * 60 + 31]
    assert {one.time and str(one.time.date()) for one in entries} == {"2026-03-06"}
    assert {one.time for one in timed_entries(page, TUNING, published=published)} == {None}
    article = an_article(timed=entries, published=published.time, text="x")
    items = merge([article]).timeline
    live = [(str(one.day), one.clock_minutes) for one in items if one.kind == "live"]
    assert live == [("2026-03-06", minutes) for minutes in times]


clock_times = st.integers(0, 1439)


@given(st.lists(clock_times, min_size=3, max_size=12))
def test_nothing_is_lost_or_added_and_days_never_fall(minutes: list[int]) -> None:
    found = [ExtractedEntry(clock_minutes=clock, text=f"entry {n} of it") for n, clock in enumerate(minutes)]
    entries = timed(found, ArticleTimes(published=AT_TEN), TUNING)
    assert sorted(one.text for one in entries) == sorted(one.text for one in found)
    days = [one.day for one in entries if one.day]
    assert days == sorted(days)
    for one, other in pairwise(entries):
        assert one.day != other.day or one.day is None or one.clock_minutes <= other.clock_minutes


@given(st.lists(st.integers(5, 170), min_size=3, max_size=10), st.integers(0, 1439), st.booleans())
def test_entries_within_hours_of_each_other_come_in_their_order(
    gaps: list[int], start: int, newest_first: bool
) -> None:
    """Over any number of midnights, in both directions of the page."""
    at = [start]
    for gap in gaps:
        at.append(at[-1] + gap)
    found = [ExtractedEntry(clock_minutes=minute % 1440, text=str(n)) for n, minute in enumerate(at)]
    page = found[::-1] if newest_first else found
    entries = timed(page, ArticleTimes(), TUNING)
    assert [one.text for one in entries] == [one.text for one in found]


@given(st.text(max_size=60))
def test_any_line_can_be_asked(line: str) -> None:
    found = opening(line)
    assert found is None or (0 <= found.clock_minutes < 1440 and 0 < found.end <= len(line))
    day_heading(line)
    minutes_ago(line)


# --- by build, by title, by markup -------------------------------------------------------------------------


def test_entries_in_sentences_look_live_and_lines_of_a_programme_do_not() -> None:
    said = "the fire brigade says that the road along the river stays closed until the morning."
    assert looks_live([f"21:1{n}: At this hour {said}" for n in range(4)], TUNING)
    assert not looks_live([f"2{n}:15: Film {n}" for n in range(4)], TUNING)
    assert not looks_live([f"21:1{n}: At this hour {said}" for n in range(2)], TUNING)


def test_a_chronology_with_a_report_around_it_is_none() -> None:
    said = "the fire brigade of the town calls for help and says that the road along the river is closed."
    clocks = [f"21:1{n}: At this minute, as the log has it, {said}" for n in (9, 6, 3)]
    around = [f"The commission has heard {n} witnesses, and {said}" for n in range(12)]
    assert looks_live(clocks, TUNING)
    assert not looks_live([*around[:6], *clocks, *around[6:]], TUNING)
    lax = Tuning({"text": {"live_outside_share": 1.0}}).section("text", ExtractTuning)
    assert looks_live([*around[:6], *clocks, *around[6:]], lax)


@pytest.mark.parametrize(
    "title",
    [
        "Saturday Night Live returns", "iOS update goes live", "Where we live",
        "The Harbour Master: live-action remake announced", "主播直播带货被罚",
        "Doscientos disparos al minuto", "Thousands live without water",
        "Mayor bars two papers from press briefing", "Newsletter for friends of the harbour",
    ],
)  # fmt: skip
def test_live_in_a_title_is_not_always_a_live_blog(title: str) -> None:
    assert not is_container_title(title)


@pytest.mark.parametrize(
    "title",
    [
        "Storm Petra – live", "EN DIRECT - Inondations", "直播:海湾大桥事故", "Live - storm hits the coast",
        "Harbour strike - live - the latest", "[실시간] 해안 태풍 상황", "Шторм: онлайн-трансляция",
        "تغطية مباشرة: عاصفة", "Storm: live updates", "Tempête : suivez la situation en direct",
        "Morning briefing: five things", "Harbour, strike and rain – News briefing",
        "Briefing: what moves Sennick", "The harbour | Weekly newsletter",
    ],
)  # fmt: skip
def test_titles_that_announce_a_live_blog(title: str) -> None:
    assert is_container_title(title)


def test_broken_json_ld_and_updates_without_a_time_say_nothing() -> None:
    page = (
        '<html><body><script type="application/ld+json">{"@type":"LiveBlogPosting","liveBlogUpdate":['
        '{"articleBody":"no time"},7,null,{"datePublished":"tomorrow","articleBody":"x"},'
        '{"datePublished":"2026-01-22T18:20:00Z","articleBody":"The bill passes."}]}</script>'
        '<script type="application/ld+json">{"@type":"LiveBlogPosting","liveBlogUpdate":[</script>'
    )
    found = read_live_page(page, ArticleTimes(), tuning=TUNING, announced=True)
    assert [one.text for one in found] == ["The bill passes."]


def test_a_deep_page_costs_no_more_than_a_flat_one() -> None:
    page = "<html><body>" + "<div>" * 5000 + "<time datetime='2026-01-22T18:20:00Z'>18:20</time> words" * 50
    assert isinstance(read_live_page(page, ArticleTimes(), tuning=TUNING, announced=True), tuple)


@pytest.mark.slow
def test_thousands_of_entries_of_one_minute_are_ordered_before_the_deadline() -> None:
    """Each was compared with each for what it says again: 20,000 took two minutes."""
    deadline = Tuning().section("work", WorkerTuning).parse_deadline_seconds
    texts = (f"The man of house {number} said so." for number in range(20_000))
    found = [ExtractedEntry(clock_minutes=750, text=text) for text in texts]
    started = time.process_time()  # of this process alone, however busy the machine is
    assert len(timed(found, ArticleTimes(), TUNING)) == len(found)
    assert time.process_time() - started <= deadline


def test_a_key_moment_is_said_once_among_many_of_its_minute() -> None:
    mentions = "The ferry is raised, after nine hours in which divers worked."
    texts = ["The ferry is raised", *(f"Note {number}." for number in range(100)), mentions]
    of_one_minute = [ExtractedEntry(clock_minutes=750, text=text) for text in texts]
    found = timed(of_one_minute, ArticleTimes(), TUNING)
    assert [one.text for one in found if "ferry" in one.text] == [mentions]
