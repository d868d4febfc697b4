"""The names of outlets of which an article knows only the address: from pages and feeds of their sites."""

import pytest

from aggregator.config.story_query import StoryFilter
from aggregator.model.entry import Entry, Outlet
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    STRIKE,
    Rig,
    page_of,
    record,
)
from tests.support.deep_checks import faults
from tests.support.tables import each_row

TEXTS = (FLOOD, STRIKE, FLOOD_ELSEWHERE)


@pytest.fixture
def rig(database: Database) -> Rig:
    return Rig(database)


def an_entry(number: int, name: str = "", *, is_own: bool = False) -> Entry:
    """An entry of a feed with a link to quay.example; the feed names its outlet so, or not at all."""
    outlet = Outlet(key="quay.example", name=name or "quay.example", is_own=is_own)
    url = f"https://quay.example/{number}"
    title = f"Report number {number}"
    return record(
        "links",
        str(number),
        title,
        TEXTS[number],
        url=url,
        outlet=None,
        resolved_outlet=outlet,
        published=None,
    )


def comes(
    rig: Rig, number: int, site_name: str, *, at: str = "https://quay.example"
) -> None:
    """The page of an entry has come, from a site that names itself so."""
    head = f"<head><meta property='og:site_name' content='{site_name}'></head><body>"
    page = page_of(TEXTS[number], f"Report number {number}").replace(
        b"<body>", head.encode()
    )
    rig.comes(rig.waits(an_entry(number)), page, f"{at}/{number}")


def names(rig: Rig) -> list[str | None]:
    """Return the names that the articles show, in the order of their titles."""
    rig.render()
    rig.pipeline.index_text()
    assert faults(rig.database) == []
    reader = StoryReader(rig.database)
    articles = [
        article
        for story in reader.stories(StoryFilter()).stories
        for article in story.articles
    ]
    assert {article.outlet_key for article in articles} == {"quay.example"}
    return [
        article.outlet
        for article in sorted(articles, key=lambda article: article.title)
    ]


@pytest.mark.later
@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_page_names_its_site_for_all_articles_before_and_after(
    rig: Rig, *, is_restarted: bool
) -> None:
    rig.take(an_entry(0))
    assert names(rig) == ["quay.example"]
    comes(rig, 1, "The Quay")
    assert names(rig) == ["The Quay", "The Quay"]
    if is_restarted:
        rig.restart()
    rig.take(an_entry(2))
    assert names(rig) == ["The Quay"] * 3
    found = (
        StoryReader(rig.database)
        .stories(StoryFilter(query="outlet:quay", outlet="the quay"))
        .stories
    )
    assert sum(story.article_count for story in found) == 3


def test_the_feed_of_a_site_names_what_others_linked_to(rig: Rig) -> None:
    rig.take(an_entry(0))
    rig.take(an_entry(1, "The Quay", is_own=True))
    assert names(rig) == ["The Quay", "The Quay"]


def test_no_feed_names_the_site_of_others(rig: Rig) -> None:
    rig.take(an_entry(0))
    rig.take(an_entry(1, "Not The Quay"))
    rig.take(an_entry(2))
    assert names(rig) == ["quay.example", "Not The Quay", "quay.example"]


@each_row(
    "outlet_names",
    "a page of another site and an address give no name",
    "site_name",
    "at",
)
def test_a_page_of_another_site_and_an_address_give_no_name(
    rig: Rig, site_name: str, at: str
) -> None:
    rig.take(an_entry(0))
    comes(rig, 1, site_name, at=at)
    assert set(names(rig)) == {"quay.example"}
