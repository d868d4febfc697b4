"""Live blogs and roundups: by their headline and by the structure of their text, and look-alikes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.config.tuning import Tuning
from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.plain.live_text import (
    is_container_title,
    looks_live,
    opens_with_clock,
)
from aggregator.text.clock_times import opening
from tests.support.extracting import TUNING
from tests.support.live_blogs import cases, is_right
from tests.support.tables import each_row, numbered

BOTH = [case for name in ("check", "dev") for case in cases(name)]


@pytest.mark.slow
@pytest.mark.parametrize("case", BOTH, ids=lambda case: case["id"])
def test_live_blogs_are_recognised_and_no_look_alike(case: dict[str, Any]) -> None:
    assert is_right(case)


@pytest.mark.slow
@each_row("live", "without its rule a case fails", "rule", "value", "case")
def test_without_its_rule_a_case_fails(rule: str, value: float, case: str) -> None:
    found = next(one for one in BOTH if one["id"] == case)
    assert is_right(found)
    assert not is_right(found, Tuning({"text": {rule: value}}))


# --- clocks ------------------------------------------------------------------------------------------------


@each_row("live", "what an entry opens with", "line", "clock", "text")
def test_what_an_entry_opens_with(line: str, clock: str, text: str) -> None:
    found = opening(line)
    assert f"{found.clock_minutes // 60:02}:{found.clock_minutes % 60:02}" == clock
    assert line[found.end :] == text


@each_row("live", "what opens no entry", "line")
def test_what_opens_no_entry(line: str) -> None:
    assert opening(line) is None
    assert not opens_with_clock(line)


@given(st.text(max_size=60))
def test_any_line_can_be_asked(line: str) -> None:
    found = opening(line)
    assert found is None or (
        0 <= found.clock_minutes < 1440 and 0 < found.end <= len(line)
    )


# --- by build, by title ------------------------------------------------------------------------------------


def test_entries_in_sentences_look_live_and_lines_of_a_programme_do_not() -> None:
    said = "the fire brigade says that the road along the river stays closed until the morning."
    assert looks_live(numbered(f"21:1%n: At this hour {said}", 4), TUNING)
    assert not looks_live(numbered("2%n:15: Film %n", 4), TUNING)
    assert not looks_live(numbered(f"21:1%n: At this hour {said}", 2), TUNING)


def test_a_chronology_with_a_report_around_it_is_none() -> None:
    said = "the fire brigade of the town calls for help and says that the road along the river is closed."
    clocks = [f"21:1{n}: At this minute, as the log has it, {said}" for n in (9, 6, 3)]
    around = numbered(f"The commission has heard %n witnesses, and {said}", 12)
    assert looks_live(clocks, TUNING)
    assert not looks_live([*around[:6], *clocks, *around[6:]], TUNING)
    lax = Tuning({"text": {"most_share": 0.0}}).section("text", ExtractTuning)
    assert looks_live([*around[:6], *clocks, *around[6:]], lax)


@each_row("live", "live in a title is not always a live blog", "title")
def test_live_in_a_title_is_not_always_a_live_blog(title: str) -> None:
    assert not is_container_title(title)


@each_row("live", "titles that announce a live blog", "title")
def test_titles_that_announce_a_live_blog(title: str) -> None:
    assert is_container_title(title)
