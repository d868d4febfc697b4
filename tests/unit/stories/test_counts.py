"""Articles, outlets, independent reports; copy groups and their originals."""

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.extract.wire.agencies import family_table
from aggregator.model.article import ArticleView
from aggregator.stories.counting.copy_groups import copy_groups, copy_link
from aggregator.stories.counting.counts import Counts, counts
from aggregator.stories.counting.originals import originals_with_copies, with_originals
from tests.support.stories_examples import view
from tests.support.tables import mapping, numbered

COUNTED, LINKED = mapping("counts", "counted"), mapping("counts", "linked")


def articles_of(row: dict[str, Any]) -> list[ArticleView]:
    return [view(id_, outlet, **more) for id_, outlet, more in row["articles"]]


@pytest.mark.parametrize("name", COUNTED)
def test_articles_outlets_and_reports_are_counted(name: str) -> None:
    row = COUNTED[name]
    families = family_table(row["families"]) if "families" in row else None
    assert counts(articles_of(row), families) == Counts(*row["counted"])


@pytest.mark.parametrize("name", LINKED)
def test_copies_have_their_originals(name: str) -> None:
    row = LINKED[name]
    linked = with_originals(articles_of(row))
    assert {article.id: article.copy_of for article in linked} == row["links"]
    listed = originals_with_copies(linked)
    assert [[one.id, [copy.id for copy in copies]] for one, copies in listed] == row[
        "listed"
    ]


def test_an_excerpt_joins_no_group_of_copies() -> None:
    articles = [
        view("a"),
        view("b", role="copy", copy_of="a", hours=1),
        view("cut", role="excerpt", copy_of="b", hours=2),
    ]
    assert [len(group) for group in copy_groups(articles, copy_link)] == [2, 1]


def reprints(original: str, count: int, **more: Any) -> list[ArticleView]:
    """Return copies of an article in as many outlets."""
    more = {"role": "copy", "copy_of": original} | more
    return [view(f"c{n}", f"Feed {n}", hours=2, **more) for n in range(count)]


def test_reprints_of_an_agencys_text_are_one_report() -> None:
    original = view("r", "Outlet", wire="AFP")
    copies = reprints("r", 5) + reprints("r", 9, wire="AFP")[5:]
    assert counts([original, *copies]) == Counts(10, 10, 1)


def test_many_unknown_feeds_are_one_outlet_more() -> None:
    known = view("a", "Harbour Post", is_little_known=False)
    unknown = view("b", "Lantern", is_little_known=True, hours=1)
    repeating = reprints("a", 9, is_little_known=True)
    assert counts([known, *repeating]) == Counts(10, 2, 1)
    own_words = reprints("b", 39, is_little_known=True)
    assert counts([known, unknown, *own_words]) == Counts(41, 2, 2)


OUTLETS = (None, "One", "Two", "www.one", "AFP", "afp.com", "Waz.de", "morgenpost.de")


@st.composite
def stories(draw: st.DrawFn) -> list[ArticleView]:
    ids = numbered("x%n", draw(st.integers(1, 8)))
    return [
        view(
            id_,
            draw(st.sampled_from(OUTLETS)),
            role=draw(st.sampled_from(["report", "copy", "excerpt", "container"])),
            kind=draw(st.sampled_from(["report", "opinion", "explainer", "list"])),
            copy_of=draw(st.sampled_from([None, *ids, "elsewhere"])),
            reuses=draw(st.sampled_from([None, None, *ids, "elsewhere"])),
            wire=draw(st.sampled_from([None, "AFP", "dpa"])),
            hours=draw(st.integers(0, 3)),
        )
        for id_ in ids
    ]


def test_versions_of_one_outlet_cost_the_same_each_and_the_last_is_current() -> None:
    def calls(number: int) -> int:
        articles = [view("v0")] + [
            view(f"v{n}", role="copy", copy_of="v0", version_of="v0", hours=n)
            for n in range(1, number)
        ]
        count = 0

        def called(_frame: object, what: str, _argument: object) -> None:
            nonlocal count
            count += what == "call"

        sys.setprofile(called)
        try:
            linked = with_originals(articles)
        finally:
            sys.setprofile(None)
        assert [article.id for article in linked if article.version is None] == [
            f"v{number - 1}"
        ]
        return count

    calls(2)  # loads tables
    assert calls(800) < 2.2 * calls(400)


@pytest.mark.later
@given(stories())
def test_no_article_is_a_copy_of_itself_or_of_another_copy(
    articles: list[ArticleView],
) -> None:
    settled = {article.id: article for article in with_originals(articles)}
    for article in settled.values():
        if article.role == "excerpt" or article.copy_of not in settled:
            continue
        assert article.copy_of != article.id
        assert (
            settled[article.copy_of].copy_of not in settled
            or settled[article.copy_of].role == "excerpt"
        )
