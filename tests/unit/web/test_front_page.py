"""The order of the front page, and how a page is laid out."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html
from starlette.testclient import TestClient

from aggregator.config.tuning import Tuning
from aggregator.model.read_model import FrontPageStory, StoryListItem
from aggregator.publish.output_settings import PublishSettings
from aggregator.store.read.front_page_rows import (
    REPORTS_CAP,
    FrontPageTuning,
    order_by_weight,
    weight,
)
from aggregator.web.jinja import environment, without_title
from aggregator.web.pages.front_layout import BESIDE, FrontPage, arrange_stories
from aggregator.web.pages.visitor import COOKIE, Visitor
from aggregator.web.web_app import create_app
from tests.support.services import all_services
from tests.support.tables import each_row, mapping
from tests.support.written_stories import (
    MORNING,
    WrittenStories,
    a_story,
    an_article,
    the_ferry,
)

TUNING = Tuning().section("front_page", FrontPageTuning)
HOUR = timedelta(hours=1)
HERE = "http://127.0.0.1:8080"


def glance(
    name: str = "s",
    hours_ago: float = 0.0,
    reports: int = 1,
    **more: Any,
) -> FrontPageStory:
    updated = MORNING - hours_ago * HOUR
    return FrontPageStory(id=name, updated=updated, report_count=reports, **more)


def listed(name: str, updated: datetime, reports: int = 1) -> StoryListItem:
    story = a_story(id=name, updated=updated, report_count=reports)
    given = {name: getattr(story, name, ()) for name in StoryListItem.__struct_fields__}
    return StoryListItem(**given)


def front(
    stories: list[StoryListItem], *, is_first: bool = True, **more: Any
) -> FrontPage:
    """The layout on the day of MORNING."""
    several = {one.id for one in stories if one.report_count > 1}
    return arrange_stories(
        stories, MORNING.date(), is_first=is_first, several=several, **more
    )


def placed(page: FrontPage) -> list[tuple[str, list[StoryListItem]]]:
    """The groups with all their stories, in order."""
    return [(group.heading, [*group.blocks, *group.lines]) for group in page.groups]


glances = st.builds(
    glance,
    name=st.text("abcdef", min_size=1, max_size=4),
    hours_ago=st.integers(0, 72),
    reports=st.integers(1, 100),
    preferred=st.booleans(),
)


@pytest.mark.later
@given(st.lists(glances, unique_by=lambda one: one.id, max_size=12), st.randoms())
def test_the_order_they_come_in_leaves_no_trace(
    stories: list[FrontPageStory], random: object
) -> None:
    shuffled = list(stories)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert order_by_weight(shuffled, TUNING) == order_by_weight(stories, TUNING)


@given(st.integers(2, REPORTS_CAP // 2))
def test_twice_the_reports_are_worth_the_hours_of_a_doubling(reports: int) -> None:
    gained = weight(glance(reports=2 * reports), TUNING) - weight(
        glance(reports=reports), TUNING
    )
    assert abs(gained - TUNING.doubling_hours) < 1e-6


ORDERS = mapping("front_page", "orders")


@pytest.mark.parametrize("name", ORDERS)
def test_the_order_of_stories(name: str) -> None:
    row = ORDERS[name]
    stories = [
        glance(**one | {"own_outlets": frozenset(one.get("own_outlets", ()))})
        for one in row["stories"]
    ]
    assert [one.id for one in order_by_weight(stories, TUNING)] == row["order"]


def test_more_reports_than_the_cap_weigh_no_more() -> None:
    assert weight(glance(reports=REPORTS_CAP), TUNING) == weight(
        glance(reports=5000), TUNING
    )


@pytest.mark.later
@given(
    st.lists(st.tuples(st.integers(-30, 90), st.integers(1, 5)), max_size=14),
    st.booleans(),
)
def test_every_story_stands_on_the_page_once(
    given_: list[tuple[int, int]], is_first: bool
) -> None:
    stories = [
        listed(f"s{n}", MORNING - hours * HOUR, reports)
        for n, (hours, reports) in enumerate(given_)
    ]
    page = front(stories, is_first=is_first)
    shown = [page.lead] if page.lead else []
    shown += [*page.beside, *(story for _, them in placed(page) for story in them)]
    assert sorted(one.id for one in shown) == sorted(one.id for one in stories)
    assert (page.lead is None) == (not is_first or not stories)
    assert len(page.beside) <= BESIDE
    headings = [heading for heading, _ in placed(page)]
    assert headings == [
        one for one in ("Today", "Yesterday", "Earlier") if one in headings
    ]
    places = {story.id: n for n, story in enumerate(stories)}
    for group in page.groups:
        assert all(one.report_count > 1 for one in group.blocks)
        for them in (group.blocks, group.lines):
            there = [places[one.id] for one in them]
            assert there == sorted(there)


@each_row(
    "front_page", "no older story is above those of these days", "others", "beside"
)
def test_no_older_story_is_above_those_of_these_days(
    others: tuple[int, int], beside: list[str]
) -> None:
    hours, reports = others
    stories = [
        listed("lead", MORNING - HOUR, 1),
        listed("old", MORNING - 90 * HOUR, 5),
        listed("other", MORNING - hours * HOUR, reports),
    ]
    assert [one.id for one in front(stories).beside] == beside


def test_days_are_those_of_utc() -> None:
    midnight = datetime.fromisoformat("2026-11-20T00:00Z")
    moments = {
        "a": midnight,
        "b": midnight - timedelta(microseconds=1),
        "c": midnight - 24.1 * HOUR,
    }
    stories = [listed(name, moment) for name, moment in moments.items()]
    page = arrange_stories(stories, midnight.date(), is_first=False)
    assert [(heading, [one.id for one in them]) for heading, them in placed(page)] == [
        ("Today", ["a"]), ("Yesterday", ["b"]), ("Earlier", ["c"]),
    ]  # fmt: skip


def test_several_folders_are_sections_news_first() -> None:
    """Each keeps the order of rank; what is in no folder, and what is undated, comes last."""
    ranking = {
        "lead": 5,
        "blog": 1,
        "old": 1,
        "budget": 2,
        "free": 1,
        "comic": 1,
        "late": 1,
        "strike": 3,
    }
    stories = [listed(name, MORNING, reports) for name, reports in ranking.items()]
    folders = {
        "blog": "Blogs",
        "budget": "News",
        "strike": "News",
        "late": "News",
        "lead": "News",
        "comic": "Fun",
    }
    page = front(stories, is_first=False, undated={"old"}, folders=folders)
    assert [(heading, [one.id for one in them]) for heading, them in placed(page)] == [
        ("News", ["lead", "budget", "strike", "late"]), ("Blogs", ["blog"]), ("Fun", ["comic"]),
        ("Other stories", ["free"]), ("Undated", ["old"]),
    ]  # fmt: skip
    first = front(stories, undated={"old"}, folders=folders)
    assert first.lead is not None
    assert [first.lead.id, *(one.id for one in first.beside)] == [
        "lead",
        "budget",
        "strike",
    ]
    assert dict(placed(first))["News"] == [stories[6]]
    one_folder = front(stories, is_first=False, folders={"blog": "Blogs"})
    assert [heading for heading, _ in placed(one_folder)] == ["Today"]


@pytest.mark.later
def test_the_time_of_a_story_is_that_of_publication() -> None:
    """A date where the bump came on another day, under whose heading the story stands."""
    reader = WrittenStories()
    reader.put(
        a_story(an_article(published=MORNING - 2 * HOUR), id="today", updated=MORNING)
    )
    late = an_article(published=MORNING - 26 * HOUR, title="A late post")
    reader.put(a_story(late, id="late", updated=MORNING - HOUR))
    older = an_article(published=MORNING - 400 * 24 * HOUR, title="An older post")
    reader.put(a_story(older, id="older", updated=MORNING - 2 * HOUR))
    with TestClient(
        create_app(
            reader, PublishSettings(), all_services(reader.database), lambda: MORNING
        ),
        HERE,
    ) as client:
        page = html.fromstring(client.get("/?view=newest").text)
    times = {
        card.get("data-story"): card.find(".//time") for card in page.iter("article")
    }
    shown = [times[story].text for story in ("today", "late", "older")]
    assert shown == ["04:30", "19 Nov", "16 Oct 2025"]
    assert times["late"].get("datetime") == "2026-11-19T04:30:00Z"


def test_a_visit_ends_after_half_an_hour() -> None:
    first = Visitor().at(MORNING)
    assert (first.since, first.seen) == (None, MORNING)
    assert first.at(MORNING + HOUR / 2) == Visitor(seen=MORNING + HOUR / 2)
    again = first.at(MORNING + HOUR)
    assert (again.since, again.seen) == (MORNING, MORNING + HOUR)


@pytest.mark.later
def test_new_reports_since_the_last_visit_are_told() -> None:
    reader = WrittenStories()
    reader.put(*the_ferry(), "oldferry")
    reader.join("lindferry", "ferrywire", MORNING + HOUR)
    seen = int((MORNING + HOUR / 2).timestamp())
    with TestClient(
        create_app(
            reader,
            PublishSettings(),
            all_services(reader.database),
            lambda: MORNING + 2 * HOUR,
        ),
        HERE,
    ) as client:
        cookie = {"Cookie": f"{COOKIE}=:{seen}"}
        front = client.get("/", headers=cookie)
        assert "+1 report since your last visit" in front.text
        assert f"{COOKIE}={seen}:" in front.headers["set-cookie"]
        assert "HttpOnly" in front.headers["set-cookie"]
        page = client.get("/stories/lindferry", headers=cookie)
        assert f"{COOKIE}={seen}:" in page.headers["set-cookie"], (
            "reading a story is part of a visit"
        )
        assert (
            "since your last visit"
            not in client.get("/", headers={"Cookie": f"{COOKIE}=x:y"}).text
        )


@pytest.mark.later
@each_row(
    "front_page",
    "a line stands where the last visit was",
    "hours_ago",
    "path",
    "story_below",
)
def test_a_line_stands_where_the_last_visit_was(
    hours_ago: int, path: str, story_below: str | None
) -> None:
    reader = WrittenStories()
    for number, id_ in enumerate("abcdefg"):
        reader.put(a_story(an_article(published=MORNING - number * HOUR), id=id_))
    seen = int((MORNING - hours_ago * HOUR).timestamp())
    with TestClient(
        create_app(
            reader,
            PublishSettings(),
            all_services(reader.database),
            lambda: MORNING + 9 * HOUR,
        ),
        HERE,
    ) as client:
        first = html.fromstring(client.get("/?view=newest&limit=3").text)
        (onward,) = first.xpath("//a[@rel='next']/@href")
        address = path.format(next=onward.partition("after=")[2])
        client.cookies.clear()
        page = html.fromstring(
            client.get(address, headers={"Cookie": f"{COOKIE}=:{seen}"}).text
        )
    below = page.xpath("//p[@class='last-visit']/following-sibling::*[1]/@data-story")
    assert below == ([story_below] if story_below else [])


def test_tabs_keep_the_other_filters() -> None:
    macros: Any = environment().get_template("parts.html").module
    parameters = {"min_reports": "2", "folder": "Coast"}
    tabs = macros.section_tabs("", parameters, ["Coast", "Inland"], ["Space"], ())
    links = html.fromstring(str(tabs)).xpath("//a")
    assert [
        (link.text, link.get("href"), link.get("aria-current") == "true")
        for link in links
    ] == [
        ("All", "/?min_reports=2", False),
        ("Coast", "/?min_reports=2&folder=Coast", True),
        ("Inland", "/?min_reports=2&folder=Inland", False),
        ("Space", "/?min_reports=2&topic=Space", False),
    ]


def test_a_title_that_a_summary_repeats_is_shown_once() -> None:
    assert without_title("Dam bursts. Five died.", "Dam bursts") == "Five died."
    assert without_title("Dam bursts in town.", "Dam bursts") == "Dam bursts in town."
