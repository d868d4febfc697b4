"""Which sentences two texts tell differently (stories/versions.py), in several languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.stories.compared_sentences import TextVersion
from aggregator.stories.lexicon import is_correction
from aggregator.stories.versions import (
    CHANGES_SHOWN,
    changed_sentences,
    is_update,
)
from tests.support.tables import each_row, mapping, rows

REST = (
    "The quarry had been inspected in May. Two cranes were sent from the harbour, and the road "
    "stays closed. "
    "The owner, Bersk Stone, did not answer calls."
)
FIRST = "A wall of the Tellin quarry fell on Thursday and killed 3 workers, the fire service said."


def version(
    text: str, title: str = "Quarry wall falls", language: str = "en"
) -> TextVersion:
    return TextVersion(title, text, language, "Kite Daily")


CHANGED = rows("stories_versions", "changed")


@pytest.mark.parametrize(("language", "before", "after"), CHANGED)
def test_another_number_name_or_negation_in_a_sentence_makes_a_version(
    language: str, before: str, after: str
) -> None:
    earlier, later = (
        version(f"{before} {REST}", language=language),
        version(f"{after} {REST}", language=language),
    )
    assert changed_sentences(later, earlier) == [(after, before)]
    assert changed_sentences(earlier, later) == [(before, after)]


def test_a_word_of_the_new_headline_alone_makes_a_version() -> None:
    before = "Two climbers are missing on the Skarn, the rescuers said."
    after = "Two climbers who were missing on the Skarn are alive, the rescuers said."
    earlier = version(f"{before} {REST}", "Two climbers missing")
    assert changed_sentences(
        version(f"{after} {REST}", "Two climbers found alive"), earlier
    ) == [(after, before)]
    assert (
        changed_sentences(version(f"{after} {REST}", "Two climbers missing"), earlier)
        == []
    )


SAME = rows("stories_versions", "same")


@pytest.mark.parametrize(("language", "before", "after"), SAME)
def test_spellings_datelines_times_and_outlets_make_no_version(
    language: str, before: str, after: str
) -> None:
    earlier = TextVersion(
        "Quarry wall falls", f"{before} {REST}", language, "kitedaily.example"
    )
    later = TextVersion(
        "Quarry wall falls", f"{after} {REST}", language, "Harbour Post"
    )
    assert changed_sentences(later, earlier) == changed_sentences(earlier, later) == []


SENTENCES = [
    FIRST,
    *(f"{sentence.strip('.')}." for sentence in REST.split(". ")),
    "A spokesman of the region said that families were being looked after.",
    "The prosecutor opened an inquiry and questioned 2 managers.",
]


@pytest.mark.later
@given(
    st.lists(st.sampled_from(SENTENCES), unique=True),
    st.lists(st.sampled_from(SENTENCES), unique=True),
)
def test_sentences_left_out_added_or_moved_make_no_version(
    some: list[str], others: list[str]
) -> None:
    assert changed_sentences(version(" ".join(some)), version(" ".join(others))) == []


@pytest.mark.later
@given(
    st.text(max_size=300),
    st.text(max_size=300),
    st.sampled_from(["en", "de", "zh", "ar", None]),
)
def test_any_texts_can_be_compared(one: str, other: str, language: str | None) -> None:
    left, right = (
        TextVersion(one, other, language, None),
        TextVersion(other, one, language, "x"),
    )
    for changed in changed_sentences(left, right):
        assert changed.own in other
        assert changed.other in one
    is_update(left, right)


def test_a_huge_text_is_compared_in_part() -> None:
    first, second = (
        " ".join(
            f"Wall {number} of the quarry killed {number + more} workers of Tellin."
            for number in range(4_000)
        )
        for more in (1, 9_000)
    )
    assert len(changed_sentences(version(second), version(first))) == CHANGES_SHOWN


UPDATES = mapping("stories_versions", "updates")


@pytest.mark.parametrize("name", UPDATES)
def test_an_update_is_told_from_something_else(name: str) -> None:
    (title, text), (later_title, later_text) = (
        UPDATES[name][which] for which in ("before", "after")
    )
    after, before = version(later_text, later_title), version(text, title)
    assert is_update(after, before) is UPDATES[name]["is_update"]


def test_an_update_has_grown_if_the_earlier_text_is_whole_in_it() -> None:
    added = [
        f"Witness {name} told of the {part} of the wall."
        for name in "ABCDEFGH"
        for part in ("foot", "top")
    ]
    before = version(f"{FIRST} {REST}")
    after = version(
        f"{FIRST.replace('3 workers', 'nine workers')} {' '.join(added)} {REST}",
        "Nine die in quarry",
    )
    assert is_update(after, before)
    assert is_update(before, after)
    without_cranes = REST.replace(
        "Two cranes were sent from the harbour, and the road stays closed. ", ""
    )
    assert not is_update(
        after._replace(text=after.text.replace(REST, without_cranes)), before
    )


@each_row(
    "stories_versions", "a correction is marked by its first word", "title", "language"
)
def test_a_correction_is_marked_by_its_first_word(title: str, language: str) -> None:
    assert is_correction(title, language)
    assert not is_correction(f"Mayor of Tellin: {title}", language)
    assert not is_correction("Correction officer charged", "en")
