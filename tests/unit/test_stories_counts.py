"""Articles, outlets, independent reports; copy groups and their originals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.model import ArticleView
from aggregator.stories.counts import Counts, copy_groups, count, original_of, with_originals
from tests.unit.stories_examples import view


def test_ten_reprints_of_an_agency_text_are_one_report() -> None:
    reprints = [
        view(f"r{n}", f"Outlet {n}", wire="AFP" if n % 2 else None, role="copy" if n else "report",
             copy_of=f"r{n - 1}" if n else None, hours=n)
        for n in range(10)
    ]  # fmt: skip
    assert count(reprints) == Counts(10, 10, 1)


def test_three_articles_of_one_outlet_are_one_report() -> None:
    articles = [view("a", "Harbour Post"), view("b", "Harbour Post"), view("c", "harbour post")]
    assert count(articles) == Counts(3, 1, 1)


def test_an_own_report_beside_a_reprint_makes_two() -> None:
    articles = [view("a", "Harbour Post", wire="Reuters"), view("b", "Harbour Post", hours=1)]
    assert count(articles) == Counts(2, 1, 2)


def test_two_texts_of_one_agency_are_one_origin() -> None:
    articles = [
        view("a", "Harbour Post", wire="AFP"),
        view("b", "Daily Lantern", wire="afp"),
        view("c", "AFP"),
    ]
    assert count(articles).report_count == 1


def test_copies_without_an_agency_belong_to_the_outlet_of_the_original() -> None:
    articles = [
        view("late", "Daily Lantern", role="copy", copy_of="first", hours=3),
        view("first", "Harbour Post"),
        view("own", "Harbour Post", hours=6),
    ]
    assert count(articles) == Counts(3, 2, 1)


def test_articles_of_unknown_outlet_are_each_their_own() -> None:
    articles = [view("a", None), view("b", None), view("c", None, role="copy", copy_of="a", hours=1)]
    assert count(articles) == Counts(3, 3, 2)


def test_containers_and_excerpts_count_only_when_there_is_nothing_else() -> None:
    blog = view("blog", "Daily Lantern", role="container")
    excerpt = view("cut", "North Courier", role="excerpt", copy_of="a")
    assert count([view("a"), blog, excerpt]) == Counts(3, 3, 1)
    assert count([blog]) == Counts(1, 1, 1)
    assert count([view("cut", "North Courier", role="excerpt", copy_of="elsewhere")]).report_count == 1


def test_a_publisher_family_is_one_origin_of_several_outlets() -> None:
    articles = [view("a", "Harbour Post"), view("b", "Harbour Post on Sunday")]
    assert count(articles, {"Harbour Post on Sunday": "Harbour Post"}) == Counts(2, 2, 1)


def test_a_story_without_articles_has_nothing() -> None:
    assert count([]) == Counts(0, 0, 0)


def test_the_agencys_own_text_is_the_original_even_when_it_comes_later() -> None:
    group = [view("early", "Harbour Post"), view("wire", "apnews.com", hours=2)]
    assert original_of(group).id == "wire"
    assert original_of([view("b", hours=1), view("a", hours=1), view("c", hours=2)]).id == "a"


def test_links_lead_to_the_original_through_chains() -> None:
    articles = [
        view("c", "C", role="copy", copy_of="b", hours=2),
        view("b", "B", role="copy", copy_of="a", hours=1),
        view("a", "A", role="copy", copy_of="c", hours=0),
    ]
    links = {article.id: article.copy_of for article in with_originals(articles)}
    assert links == {"a": None, "b": "a", "c": "a"}


def test_a_link_out_of_the_story_stays_with_the_groups_first() -> None:
    articles = [view("a", copy_of="gone", role="copy"), view("b", copy_of="gone", role="copy", hours=1)]
    links = {article.id: article.copy_of for article in with_originals(articles)}
    assert links == {"a": "gone", "b": "a"}


def test_an_excerpt_of_a_copy_points_at_the_original_and_joins_nothing() -> None:
    articles = [
        view("a"),
        view("b", role="copy", copy_of="a", hours=1),
        view("cut", role="excerpt", copy_of="b", hours=2),
    ]
    assert [len(group) for group in copy_groups(articles)] == [2, 1]
    assert {a.id: a.copy_of for a in with_originals(articles)}["cut"] == "a"


@st.composite
def stories(draw: st.DrawFn) -> list[ArticleView]:
    size = draw(st.integers(1, 8))
    ids = [f"x{n}" for n in range(size)]
    return [
        view(
            id_,
            draw(st.sampled_from([None, "One", "Two", "AFP"])),
            role=draw(st.sampled_from(["report", "copy", "excerpt", "container"])),
            copy_of=draw(st.sampled_from([None, *ids, "elsewhere"])),
            wire=draw(st.sampled_from([None, "AFP"])),
            hours=draw(st.integers(0, 3)),
        )
        for id_ in ids
    ]


@given(stories(), st.randoms(use_true_random=False))
def test_counts_hold_their_bounds_in_any_order(articles: list[ArticleView], random: object) -> None:
    counts = count(articles)
    assert 1 <= counts.report_count <= counts.article_count
    assert 1 <= counts.outlet_count <= counts.article_count
    shuffled = list(articles)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert count(shuffled) == counts


@given(stories())
def test_no_article_is_a_copy_of_itself_or_of_another_copy(articles: list[ArticleView]) -> None:
    settled = {article.id: article for article in with_originals(articles)}
    for article in settled.values():
        if article.role == "excerpt" or article.copy_of not in settled:
            continue
        assert article.copy_of != article.id
        assert settled[article.copy_of].copy_of not in settled or settled[article.copy_of].role == "excerpt"


@pytest.mark.parametrize("outlet", ["www.reuters.com", "Reuters", " reuters "])
def test_an_agency_is_known_by_its_names_and_domains(outlet: str) -> None:
    assert count([view("a", outlet), view("b", "Harbour Post", wire="Reuters")]).report_count == 1
