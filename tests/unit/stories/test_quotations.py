"""Who is quoted, by which name, and which quotations a story shows."""

import pytest

from aggregator.model.story import Quotation
from aggregator.stories.plain_text import as_text
from aggregator.stories.quotations import (
    MOST,
    quotations_of,
    quoted_share,
    speaker_of,
)
from aggregator.stories.speaker_names import full_name, without_role
from tests.support.stories_examples import FERRY_A, check_words, ferry, story_text, view
from tests.support.tables import each_row, rows

WORDS = "“The ferry was safe and every inspection proved it”"
SAFE = f"{WORDS[:-1]},”"


@each_row("quotations", "the speaker of a quotation", "sentence", "speaker")
def test_the_speaker_of_a_quotation(sentence: str, speaker: str) -> None:
    assert speaker_of(sentence, "en") == speaker


def test_a_term_in_quotation_marks_is_no_quotation() -> None:
    assert (
        quoted_share(
            "Joren Hale called it a “safe ferry” and would sail again next week."
        )
        == 0
    )
    assert quoted_share(f"{SAFE} Joren Hale said.") > 0.5


@each_row("quotations", "titles and roles are no part of a name", "name", "person")
def test_titles_and_roles_are_no_part_of_a_name(name: str, person: str) -> None:
    assert without_role(name) == person


@pytest.mark.parametrize(
    ("text", "full"),
    [
        *rows("quotations", "a surname becomes the full name that the article gives"),
        (f"Emrys Boll came. Then Mara Boll came. {'So Boll left. ' * 9}", ""),
    ],
)
def test_a_surname_becomes_the_full_name_that_the_article_gives(
    text: str, full: str
) -> None:
    sentence = f"{SAFE} Boll said."
    report = view(text=f"{text}\n{sentence}\nHere is more of Ada Boll.")
    assert full_name("Boll", sentence, report) == full


def test_no_other_report_gives_a_first_name() -> None:
    mayor = view(
        "a",
        "A",
        text="“We closed the bridge at noon and told every school,” Mayor Boll said.",
    )
    wife = view("b", "B", text="The mayor was seen there with Mara Boll.")
    assert [
        one.speaker for one in quotations_of([mayor, wife], [mayor, wife], (), ())
    ] == ["Boll"]


def test_a_title_stays_where_nobody_gives_a_first_name() -> None:
    report = view(text=f"{SAFE} Dr. Boll said.")
    assert full_name("Dr. Boll", report.text, report) == "Dr. Boll"


def test_in_german_a_single_word_is_no_name_of_a_speaker() -> None:
    report = view(
        text="„Wir haben das Wasser am Abend gesehen“, sagte dort Nachbar.",
        language="de",
    )
    assert full_name("Nachbar", report.text, report) == ""


# --- of a story --------------------------------------------------------------------------------------------


def quotations(*texts: str, **changes: object) -> tuple[Quotation, ...]:
    """The quotations of a story of two reports of a ferry and one more for each text, each an hour later."""
    further = [
        view(
            f"q{n}",
            f"Paper {n}",
            title="Boats",
            text=f"{opens}\n{text}",
            hours=9 + n,
            **changes,
        )
        for n, (opens, text) in enumerate(zip(OPENS, texts, strict=False))
    ]
    articles = [*ferry()[:2], *further]
    shown = story_text(articles, ferry()[0].title)
    check_words(shown, articles)
    return shown.quotations


SEARCH = (
    "“We will not stop searching for the missing passengers,” Mayor Anna Berg said."
)
FARCE = "“The inspection in October was a farce from beginning to end,” the engineer Paul Stone said."
OPENS = (
    "Fishermen in Varna lost eleven boats and most of their nets.",
    "Insurers in Belsk expect many claims from farmers along the river.",
)


def test_quotations_have_their_speakers_and_the_newest_is_first() -> None:
    shown = quotations(SEARCH, FARCE)
    assert [(q.speaker, q.text, q.article_ids) for q in shown] == [
        ("Paul Stone", FARCE, ("q1",)),
        ("Anna Berg", SEARCH, ("q0",)),
    ]


def test_one_quotation_is_shown_once_however_it_is_introduced() -> None:
    again = "“We will not stop searching for the missing passengers tonight,” said Berg at the quay."
    assert [q.speaker for q in quotations(SEARCH, again)] == ["Anna Berg"]


def test_all_articles_with_the_words_are_behind_a_quotation() -> None:
    report = view("q", "Paper", title="Boats", text=f"{OPENS[0]}\n{SEARCH}", hours=3)
    copy = view(
        "copy",
        "Mail",
        title="Ferry",
        text=report.text,
        role="copy",
        copy_of="q",
        hours=4,
    )
    cut = view(
        "cut", "Bit", title="Ferry", text=SEARCH, role="excerpt", copy_of="q", hours=5
    )
    (quotation,) = story_text(
        [*ferry(), cut, copy, report], ferry()[0].title
    ).quotations
    assert quotation.article_ids[0] == "q"
    assert set(quotation.article_ids) == {"q", "copy", "cut"}


LATER = [
    "“Nobody on the bridge of the Marlin saw the rock in time”",
    "“Every lifeboat in this harbour had been checked by noon”",
    "“The owners knew of each crack below the second deck”",
    "“Winter storms took two more trawlers off our northern coast”",
    "“Children from three schools are singing for their parents today”",
    "“Insurance will never pay for what those families have lost”",
    "“Fishermen brought soup and blankets before any helicopter came”",
]


def test_two_quotations_of_a_speaker_and_six_in_all_are_shown() -> None:
    of_berg = [f"{words[:-1]},” Anna Berg said." for words in LATER[:4]]
    assert [q.speaker for q in quotations("\n".join(of_berg))] == ["Anna Berg"] * 2
    names = [
        "Anna Berg",
        "Paul Stone",
        "Emrys Boll",
        "Mara Ell",
        "Ada Lund",
        "Ivo Tal",
        "Joren Hale",
    ]
    of_all = [
        f"{words[:-1]},” {name} said." for words, name in zip(LATER, names, strict=True)
    ]
    shown = quotations("\n".join(of_all))
    assert len(shown) == len({q.speaker for q in shown}) == MOST == 6


def test_what_lead_or_openings_show_is_not_shown_again() -> None:
    other = view("q0", "Paper", title="Boats", text=FARCE, hours=9)
    shown = story_text([*ferry()[:2], other], ferry()[0].title)
    assert shown.opening_of("q0") == FARCE
    assert shown.quotations == ()


@pytest.mark.parametrize(
    "text",
    [
        "“We never saw the rock at the harbour entrance at all,” Officials said.\nThe officials left.",
        "“We never saw the rock at the harbour entrance at all,” she said.",
        "“We never saw the rock at the harbour entrance at all,” Monday said.",
        "He asked. “We never saw the rock at the harbour entrance at all.”",
        "“We never saw the rock.” “We never saw the harbour entrance at all,” they said.",
    ],
)
def test_without_a_named_speaker_nobody_is_quoted(text: str) -> None:
    assert quotations(text) == ()


def test_who_may_not_be_quoted_and_opinions_are_not() -> None:
    assert quotations(SEARCH, nosnippet=True) == ()
    assert quotations(SEARCH, kind="opinion") == ()
    assert quotations(SEARCH, role="container") == ()


def test_a_story_of_one_report_shows_no_quotations() -> None:
    assert story_text([view(title="Ferry", text=FERRY_A + SEARCH)]).quotations == ()
    assert SEARCH not in as_text(story_text(ferry()), ferry())
