"""Analysis and opinion are told from reports by the style of an English text, after what outlets state."""

import pytest

from aggregator.extract.kind import find_kind, is_by_style
from tests.support.articles import COLUMN, DYKES, FLOOD, FLOOD_ELSEWHERE, STRIKE


@pytest.mark.parametrize("text", [FLOOD, FLOOD_ELSEWHERE, STRIKE, DYKES])
def test_a_report_is_one(text: str) -> None:
    assert find_kind("Town wakes up under water", 2 * f"{text}\n", language="en")[
        :2
    ] == (
        "report",
        None,
    )


def test_a_column_without_a_label_is_an_opinion() -> None:
    found = find_kind("The stadium trap", COLUMN, language="en")
    assert found.kind == "opinion"
    assert found.evidence
    assert found.evidence.startswith("style of the text, ")


def test_a_post_of_a_blog_is_a_post() -> None:
    post = """Why is it so hard to keep a style sheet small? I've been asking myself that for years, and my
    answer is that we simply never delete anything. But deleting is really easy if you have tests, and it's
    certainly more fun than writing. So this is what I did. First I looked for rules that no page uses; there
    are tools for it, but a script of ten lines is just as good. Then I removed them one by one, and looked at
    the pages again. Perhaps you think that's too slow? It isn't. Even a large site is done in an afternoon,
    and what is left is actually quite readable. Next time I'd start with the fonts, because they are so much
    heavier than all the rest."""
    found = find_kind("Deleting is fun", post, language="en")
    assert found[:2] == ("post", "style of the text, not that of news")
    # A label or an address that states a kind comes before the style.
    assert find_kind("Deleting | Opinion", post, language="en").kind == "opinion"


def test_what_is_stated_comes_before_style() -> None:
    assert (
        find_kind("Analysis: The stadium trap", COLUMN, language="en").kind
        == "explainer"
    )


def test_the_evidence_tells_whether_style_alone_decided() -> None:
    assert is_by_style(find_kind("The stadium trap", COLUMN, language="en").evidence)
    assert not is_by_style(
        find_kind("Opinion: The stadium trap", COLUMN, language="en").evidence
    )
    assert not is_by_style(
        find_kind("Town wakes up under water", FLOOD, language="en").evidence
    )


def test_a_title_that_tells_what_was_done_speaks_for_a_report() -> None:
    """The same text under titles of both kinds."""
    text = f"{COLUMN}\n" + 12 * f"{FLOOD}\n"
    assert find_kind("Why the stadium is a trap", text, language="en").kind != "report"
    assert (
        find_kind("Council rejects stadium plan, mayor says", text, language="en").kind
        == "report"
    )


def test_in_doubt_it_is_a_report() -> None:
    """A short text, and one of a language without labelled texts."""
    assert find_kind("The stadium trap", COLUMN, language="de")[:2] == ("report", None)
    assert (
        find_kind("The stadium trap", " ".join(COLUMN.split()[:90]), language="en").kind
        == "report"
    )
    assert find_kind("The stadium trap", "", language="en")[:2] == ("report", None)


def test_what_others_said_is_not_the_style_of_the_text() -> None:
    """A report that quotes a column of twice its length."""
    quotes = " ".join(f"“{sentence}?” she said." for sentence in COLUMN.split("?"))
    assert (
        find_kind("Critic attacks plan", f"{2 * FLOOD} {quotes}", language="en").kind
        == "report"
    )
    # One quotation
    unclosed = "\n".join(f"“{' '.join(one.split())}?" for one in COLUMN.split("?"))
    assert (
        find_kind("Critic attacks plan", f"{2 * FLOOD}\n{unclosed}", language="en").kind
        == "report"
    )
    stated = quotes.replace("“", "").replace("”", "")
    assert find_kind("Critic attacks plan", stated, language="en").kind == "opinion"
