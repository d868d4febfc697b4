"""Lines that an outlet repeats: which are learnt, which go, and that what went can be put back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.config.tuning import Tuning
from aggregator.extract.learned_boilerplate import (
    BoilerplateTuning,
    hash_lines,
    learn_boilerplate,
    pack_lines,
    remove_lines,
    repeated_lines,
    restore_lines,
)
from aggregator.model.prepared import LineHashes
from tests.support.tables import numbered

TUNING = Tuning().section("boilerplate", BoilerplateTuning)
FOOTER = "The Lantern has been read on this coast since the year 1871."


def body(
    number: int,
    *,
    footer: str | None = FOOTER,
    middle: str | None = None,
    length: int = 12,
) -> list[str]:
    lines = numbered(
        f"Sentence %n of article {number} tells of a matter of its own.", length
    )
    if middle is not None:
        lines.insert(length // 2, middle)
    return [*lines, *([footer] if footer else [])]


def learnt_from(texts: list[list[str]]) -> LineHashes:
    return learn_boilerplate(
        [pack_lines(hash_lines(text, TUNING)) for text in texts], TUNING
    )


def taken_from(text: list[str], repeats: LineHashes) -> list[str]:
    _, taken = remove_lines(
        text, repeated_lines(hash_lines(text, TUNING), repeats), TUNING
    )
    return [one.text for one in taken]


def test_a_line_at_the_end_goes_once_twenty_articles_and_a_third_of_them_have_it() -> (
    None
):
    nineteen = learnt_from([body(n) for n in range(19)])
    assert taken_from(body(99), nineteen) == []
    twenty = learnt_from([body(n) for n in range(20)])
    assert taken_from(body(99), twenty) == [FOOTER]
    few = learnt_from([body(n, footer=FOOTER if n < 20 else None) for n in range(67)])
    assert taken_from(body(99), few) == [], "20 of 67 are less than 30 %"


@pytest.mark.parametrize(
    "closing", ["Nobody was hurt.", "“Nobody was hurt.”", "幸い、けが人はいなかった。"]
)
def test_a_whole_sentence_at_the_ends_stays_until_most_articles_have_it(
    closing: str,
) -> None:
    some = learnt_from([body(n, footer=closing if n < 26 else None) for n in range(60)])
    assert taken_from(body(99, footer=closing), some) == []
    most = learnt_from([body(n, footer=closing if n < 32 else None) for n in range(60)])
    assert taken_from(body(99, footer=closing), most) == [closing]
    label = learnt_from(
        [body(n, footer="Harbour desk" if n < 26 else None) for n in range(60)]
    )
    assert taken_from(body(99, footer="Harbour desk"), label) == ["Harbour desk"]


def test_it_is_known_again_whatever_its_marks_and_letter_case() -> None:
    repeats = learnt_from([body(n) for n in range(20)])
    other = "THE LANTERN has been read, on this coast, since the year 1871 …"
    assert taken_from(body(99, footer=other), repeats) == [other]


def test_in_the_middle_only_short_lines_of_most_articles_go() -> None:
    third = learnt_from(
        [body(n, middle="ADVERTISEMENT" if n < 24 else None) for n in range(60)]
    )
    assert "ADVERTISEMENT" not in taken_from(body(99, middle="ADVERTISEMENT"), third)
    most = learnt_from(
        [body(n, middle="ADVERTISEMENT" if n < 40 else None) for n in range(60)]
    )
    assert "ADVERTISEMENT" in taken_from(body(99, middle="ADVERTISEMENT"), most)
    long = "The war began on a Thursday in February, when troops crossed the border from three sides."
    true = learnt_from([body(n, middle=long) for n in range(60)])
    assert long not in taken_from(body(99, middle=long), true), (
        "true content is repeated in the middle, too"
    )


def test_what_is_learnt_at_the_ends_stays_in_the_middle() -> None:
    repeats = learnt_from(
        [body(n, footer=FOOTER if n < 24 else None) for n in range(60)]
    )
    assert taken_from(body(99, footer=None, middle=FOOTER), repeats) == []


def test_one_text_printed_again_and_again_is_learnt_nothing_from() -> None:
    assert learnt_from([body(7) for _ in range(60)]) == LineHashes()


def test_lines_without_letters_are_no_lines() -> None:
    assert hash_lines(["* * *", "—"], TUNING) == hash_lines([], TUNING)


lines = st.lists(
    st.text(
        alphabet=st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1
    ).filter(str.strip),
    max_size=30,
)


@pytest.mark.slow
@given(lines, st.data())
def test_what_was_taken_out_can_be_put_back(
    text: list[str], data: st.DataObject
) -> None:
    found = hash_lines(text, TUNING)
    gone = data.draw(st.sets(st.sampled_from([*found.edges, *found.middles] or [0])))
    kept, taken = remove_lines(text, gone, TUNING)
    assert restore_lines("\n".join(kept), taken) == "\n".join(text)
    assert len(kept) + len(taken) == len(text)


def test_the_ends_are_as_long_as_the_rule_says() -> None:
    text = [line.rstrip(".") for line in body(1, length=20)]
    assert len(hash_lines(text, TUNING).edges) == 2 * TUNING.end_lines
