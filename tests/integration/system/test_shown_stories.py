"""What the stories of the development sets show: no mute report, no name twice, nothing damaged."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.story_counts import counts, placed_stories

DATA = Path(
    os.environ.get("AGGREGATOR_DATA", Path(__file__).parents[4] / "shared" / "data")
)
# Full texts, reports of a real day in seven languages, and entries of real feeds
SETS = ("events-fulltext", "events-second-day", "events-reading-list")

pytestmark = [
    pytest.mark.later,
    pytest.mark.skipif(
        not all((DATA / f"{name}.jsonl.gz").exists() for name in SETS),
        reason=f"the labelled sets are not in {DATA}",
    ),
]


@pytest.fixture(scope="module", params=SETS)
def found(request: pytest.FixtureRequest) -> Mapping[str, int]:
    return counts(placed_stories(DATA / f"{request.param}.jsonl.gz"))


def test_hardly_any_report_is_listed_without_a_sentence(
    found: Mapping[str, int],
) -> None:
    assert found["mute reports"] <= 0.05 * found["other reports"]


def test_no_speaker_has_two_names_in_a_story(found: Mapping[str, int]) -> None:
    twice = found["stories with a speaker under two names"]
    assert twice <= 0.01 * found["stories with quotations"]


def test_names_of_speakers_have_no_role_and_no_body(found: Mapping[str, int]) -> None:
    assert found["names with a role, a body or an initial"] <= 2


def test_hardly_any_quotation_refers_to_what_is_not_shown(
    found: Mapping[str, int],
) -> None:
    assert found["leaning quotations"] <= 0.02 * found["quotations"]


def test_nothing_damaged_is_shown(found: Mapping[str, int]) -> None:
    assert found["damaged texts"] == 0, "a caption, a credit or a list of links"
    assert found["titles that are labels"] == 0


def test_each_story_with_words_has_a_lead_that_begins_once(
    found: Mapping[str, int],
) -> None:
    assert found["stories without a lead"] == 0
    assert found["leads that begin twice"] == 0
