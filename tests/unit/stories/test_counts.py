"""Articles, outlets, independent reports; copy groups and their originals."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.extract.wire.agencies import family_table
from aggregator.model.article import ArticleView
from aggregator.stories.counting.copy_groups import copy_groups, copy_link, original_of
from aggregator.stories.counting.counts import Counts, counts
from aggregator.stories.counting.originals import originals_with_copies, with_originals
from tests.support.stories_examples import view
from tests.support.tables import mapping

COUNTED = {
    **{
        name: (
            [view(id_, outlet, **more) for id_, outlet, more in row["articles"]],
            Counts(*row["counted"]),
        )
        for name, row in mapping("counts", "counted").items()
    },
    "ten reprints of an agency's text are one report": (
        [
            view(
                f"r{n}",
                f"Outlet {n}",
                wire="AFP" if n % 2 else None,
                role="copy" if n else "report",
                copy_of=f"r{n - 1}" if n else None,
                hours=n,
            )
            for n in range(10)
        ],
        Counts(10, 10, 1),
    ),
    "one text of own words in forty unknown feeds is one outlet more": (
        [
            view("a", "Harbour Post", is_little_known=False),
            view("b", "Lantern", is_little_known=True, hours=1),
            *[
                view(
                    f"c{n}",
                    f"Feed {n}",
                    is_little_known=True,
                    role="copy",
                    copy_of="b",
                    hours=2,
                )
                for n in range(39)
            ],
        ],
        Counts(41, 2, 2),
    ),
    "unknown feeds that repeat a known report are one outlet more": (
        [
            view("a", "Harbour Post", is_little_known=False),
            *[
                view(
                    f"c{n}",
                    f"Feed {n}",
                    is_little_known=True,
                    role="copy",
                    copy_of="a",
                    hours=2,
                )
                for n in range(9)
            ],
        ],
        Counts(10, 2, 1),
    ),
}


@pytest.mark.parametrize("name", COUNTED)
def test_articles_outlets_and_reports_are_counted(name: str) -> None:
    articles, counted = COUNTED[name]
    assert counts(articles) == counted


def test_an_outlet_that_reuses_many_words_of_another_is_no_second_origin_and_no_copy() -> (
    None
):
    articles = [
        view("agency", "Reuters", wire="Reuters"),
        view("rewritten", "Daily Lantern", hours=1, reuses="agency"),
        view("own", "North Courier", hours=2),
    ]
    assert counts(articles) == Counts(3, 3, 2)
    assert all(article.copy_of is None for article in with_originals(articles))


def test_opinions_and_explainers_count_only_when_there_is_nothing_else() -> None:
    column = view("column", "Daily Lantern", kind="opinion")
    background = view("background", "North Courier", kind="explainer")
    assert counts([view("a"), column, background]) == Counts(3, 3, 1)
    assert counts(
        [view("a"), view("b", "Daily Lantern", kind="list"), column]
    ) == Counts(3, 2, 2)
    assert counts([column]) == Counts(1, 1, 1)
    assert counts([column, background]) == Counts(2, 2, 2)
    assert (
        counts([column, view("blog", "Sennick Echo", role="container")]).report_count
        == 2
    )


def test_a_publisher_family_is_one_origin_of_several_outlets() -> None:
    articles = [view("a", "Harbour Post"), view("b", "Harbour Post on Sunday")]
    assert counts(articles) == Counts(2, 2, 2)
    assert counts(
        articles, family_table({"Harbour Post": ["Harbour Post on Sunday"]})
    ) == Counts(2, 2, 1)


def test_well_known_families_are_known_and_the_users_word_goes_before() -> None:
    articles = [
        view("a", "www.lvz.de"),
        view("b", "Ostsee-Zeitung", hours=1),
        view("c", "haz.de", hours=2),
    ]
    assert counts(articles) == Counts(3, 3, 1)
    assert counts(articles, family_table({"Coast": ["ostsee-zeitung"]})) == Counts(
        3, 3, 2
    )


def test_the_agencys_own_text_is_the_original_even_when_it_comes_later() -> None:
    group = [view("early", "Harbour Post"), view("wire", "apnews.com", hours=2)]
    assert original_of(group).id == "wire"
    assert (
        original_of([view("b", hours=1), view("a", hours=1), view("c", hours=2)]).id
        == "a"
    )


def test_links_lead_to_the_original_through_chains() -> None:
    articles = [
        view("c", "C", role="copy", copy_of="b", hours=2),
        view("b", "B", role="copy", copy_of="a", hours=1),
        view("a", "A", role="copy", copy_of="c", hours=0),
    ]
    links = {article.id: article.copy_of for article in with_originals(articles)}
    assert links == {"a": None, "b": "a", "c": "a"}


def test_a_link_out_of_the_story_stays_with_the_groups_first() -> None:
    articles = [
        view("a", copy_of="gone", role="copy"),
        view("b", copy_of="gone", role="copy", hours=1),
    ]
    links = {article.id: article.copy_of for article in with_originals(articles)}
    assert links == {"a": "gone", "b": "a"}


def test_an_excerpt_of_a_copy_points_at_the_original_and_joins_nothing() -> None:
    articles = [
        view("a"),
        view("b", role="copy", copy_of="a", hours=1),
        view("cut", role="excerpt", copy_of="b", hours=2),
    ]
    assert [len(group) for group in copy_groups(articles, copy_link)] == [2, 1]
    assert {a.id: a.copy_of for a in with_originals(articles)}["cut"] == "a"


OUTLETS = (None, "One", "Two", "www.one", "AFP", "afp.com", "Waz.de", "morgenpost.de")


@st.composite
def stories(draw: st.DrawFn) -> list[ArticleView]:
    size = draw(st.integers(1, 8))
    ids = [f"x{n}" for n in range(size)]
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

    assert calls(800) < 2.2 * calls(400)


def test_copies_stand_under_their_original_and_reports_by_time() -> None:
    articles = [
        view("d", "D", role="copy", copy_of="b", hours=5),
        view("b", "B", role="copy", copy_of="a", hours=2, published_precision="day"),
        view("a", "A"),
        view("cut", "C", role="excerpt", copy_of="b", hours=1),
        view("own", "E", hours=3),
    ]
    listed = originals_with_copies(with_originals(articles))
    assert [(one.id, [copy.id for copy in copies]) for one, copies in listed] == [
        ("a", ["cut", "b", "d"]),
        ("own", []),
    ]


def test_an_outlet_that_printed_an_agencys_text_before_it_came_here_is_still_the_copy() -> (
    None
):
    articles = [view("p", "P"), view("w", "AFP", role="copy", copy_of="p", hours=1)]
    listed = originals_with_copies(with_originals(articles))
    assert [(one.id, copies[0].id) for one, copies in listed] == [("w", "p")]


def test_copies_of_a_text_outside_the_story_have_their_earliest_for_an_original() -> (
    None
):
    articles = [
        view("x", "X", copy_of="gone", role="copy", hours=1),
        view("y", "Y", copy_of="gone", role="copy"),
    ]
    listed = originals_with_copies(with_originals(articles))
    assert [(one.id, copies[0].id) for one, copies in listed] == [("y", "x")]


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
