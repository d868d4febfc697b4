"""Each speaker of a story has one name, without titles, bodies and middle letters."""

from collections.abc import Sequence

import pytest

from aggregator.stories.quotations import LEANS, quotations_of, speaker_of
from aggregator.stories.speaker_names import is_body, one_name_each, plain_name
from tests.support.stories_examples import view


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("EU Ann Berg", "Ann Berg"),
        ("U.N. Ann Berg", "Ann Berg"),
        ("Mr. Berg", "Berg"),
        ("CFO Paul Stone", "Paul Stone"),
        ("White House Counselor Ann Berg", "Ann Berg"),
        ("Varna Conservative Union Matt Boll", "Matt Boll"),
        ("Paul R. Stone", "Paul Stone"),
        ("George H. W. Boll", "George Boll"),
        ("W. Jay Stone", "Jay Stone"),
        ("H.R. Stone", "H.R. Stone"),
        ("Pope Francis", "Pope Francis"),
        ("Anna von der Berg", "Anna von der Berg"),
        ("Justice Department", "Justice Department"),
        ("Boll", "Boll"),
    ],
)
def test_a_name_has_no_title_no_body_and_no_middle_letter(
    name: str, plain: str
) -> None:
    assert plain_name(name) == plain


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("Anna Berg", "Mayor Berg"), ("Anna Berg", "Anna Berg")),
        (("Anna M. Berg", "Anna Berg"), ("Anna Berg", "Anna Berg")),
        (("Chuck Boll", "Charles Boll"), ("Charles Boll", "Charles Boll")),
        (("Anna Berg", "Paul Berg", "Mr. Berg"), ("Anna Berg", "Paul Berg", "Berg")),
        (("Anna Berg", "Paul Stone"), ("Anna Berg", "Paul Stone")),
        (("President Boll", "Mr. Boll"), ("Boll", "Boll")),
    ],
)
def test_names_of_one_person_become_one(
    names: Sequence[str], shown: Sequence[str]
) -> None:
    assert tuple(one_name_each(names, []).values()) == shown


def test_a_first_name_that_several_reports_have_completes_a_surname() -> None:
    reports = [
        view("a", "A", text="The mayor, Emrys Boll, was there."),
        view("b", "B", text="Emrys Boll came late."),
    ]
    assert one_name_each(["Mayor Boll"], reports) == {"Mayor Boll": "Emrys Boll"}
    relative = view("c", "C", text="Mara Boll came, too.")
    assert one_name_each(["Mayor Boll"], [*reports, relative]) == {"Mayor Boll": "Boll"}


def test_bodies_are_told_from_persons() -> None:
    bodies = ("Justice Department", "ACLU of Varna", "Bank of Varna")
    assert all(map(is_body, bodies))
    assert not any(map(is_body, ("Anna Berg", "H.R. Stone", "Boll")))


SAID = "Anna Berg said."


@pytest.mark.parametrize(
    "quoted",
    [
        "“This is a victory for all the towns of the coast,”",
        "“They have arrived at the harbour of Tarnow at last,”",
        "“Nobody in the town of Tarnow has told us anything about that,”",
        "“His opinion carries a lot of weight with many people,”",
    ],
)
def test_a_quotation_that_leans_is_shown_only_where_no_other_is(quoted: str) -> None:
    whole = "“We closed the bridge at noon and told every school,” Paul Stone said."
    assert LEANS.search(quoted)
    alone = view("a", "A", text=f"Mayor Anna Berg came.\n{quoted} {SAID}")
    both = view("b", "B", text=f"Mayor Anna Berg came.\n{quoted} {SAID}\n{whole}")
    assert [one.speaker for one in quotations_of([both], [both], (), ())] == [
        "Paul Stone"
    ]
    shown = quotations_of([alone], [alone], (), ())
    assert {one.speaker for one in shown} <= {"Anna Berg"}


def test_the_younger_of_a_name_is_nobody() -> None:
    assert (
        speaker_of(
            "“We will not stop searching for them,” said the younger Boll.", "en"
        )
        == ""
    )
    assert (
        speaker_of("“We will not stop searching for them,” said his son Emrys.", "en")
        == ""
    )
