"""Every regular expression of the program takes time that grows with its text, and not faster."""

import re

import pytest

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.model.entry import Entry
from tests.support.articles import FLOOD, NOON
from tests.support.patterns import (
    Expression,
    expressions,
    growing,
    grows_on_blanks,
)
from tests.support.tables import each_row


def planted(pattern: str, method: str) -> Expression:
    return Expression(
        "planted", "", repr(pattern), re.compile(pattern).flags, (method,)
    )


@pytest.mark.later
@each_row("patterns", "an expression that is not linear is found", "pattern", "method")
def test_an_expression_that_is_not_linear_is_found(pattern: str, method: str) -> None:
    assert growing(planted(pattern, method), most=24, longest=25_600) is not None


@each_row("patterns", "a linear expression is not", "pattern", "method")
def test_a_linear_expression_is_not(pattern: str, method: str) -> None:
    assert growing(planted(pattern, method), most=24) is None


@pytest.mark.later
def test_the_expressions_are_all_there() -> None:
    files = {one.where.split(":")[0] for one in expressions()}
    assert len(expressions()) > 400
    assert {
        "aggregator/extract/page_verdict.py",
        "aggregator/stories/story_sentences.py",
        "aggregator/extract/plain/saved_text.py",
    } <= files


@pytest.mark.later
@pytest.mark.parametrize("part", range(8))
def test_expressions_take_linear_time(part: int) -> None:
    check(part, 8, most=12)


@pytest.mark.torture
@pytest.mark.parametrize("part", range(40))
def test_expressions_take_linear_time_on_many_strings(part: int) -> None:
    check(part, 40, most=240)


@pytest.mark.later
def test_expressions_take_linear_time_on_runs_of_blanks() -> None:
    """Also those of lines, where no blank follows another today."""
    assert not [*filter(None, map(grows_on_blanks, expressions()))]
    assert grows_on_blanks(planted(r"\s*,", "split"))


def check(part: int, parts: int, *, most: int) -> None:
    found = [growing(one, most=most) for one in expressions()[part::parts]]
    assert not [str(one) for one in found if one]


def test_no_space_follows_another_in_what_lines_are_made_of() -> None:
    """What the attacks on expressions for lines take for granted."""
    gap = " \t\u00a0\u3000\u2003 "
    title, text = f"Levee{gap}breaks", FLOOD.replace(" ", gap)
    page = f"<html><body><article><h1>{title}</h1><p>{text}</p></article></body></html>".encode()
    for entry, html in (
        (Entry(source="s", title=title, text=text, author=f"Ann{gap}Lee"), None),
        (
            Entry(
                source="s", title=title, html=f"<p>{text}</p>", author=f"Ann{gap}Lee"
            ),
            None,
        ),
        (Entry(source="s", url="https://x.example/1"), page),
    ):
        clean = clean_entry(entry, page=html, seen=NOON, tuning=Tuning()).article
        for words in (clean.title, clean.text, clean.lead, clean.author or ""):
            assert not re.search(r"[^\S\n]{2}", words)
