"""The order of the front page, and how a page is laid out."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from aggregator.config.tuning import effective_tuning
from aggregator.model.read_model import FrontPageStory
from aggregator.store.read.front_page import FrontPageTuning, ranked, weight
from aggregator.web.pages.pages import BESIDE, arranged, list_item_of
from tests.support.memory_reader import MORNING, a_story

TUNING = effective_tuning().section("front_page", FrontPageTuning)
HOUR = dt.timedelta(hours=1)


def glance(
    name: str = "s", hours_ago: float = 0.0, reports: int = 1, *, preferred: bool = False
) -> FrontPageStory:
    return FrontPageStory(
        id=name, updated=MORNING - hours_ago * HOUR, report_count=reports, preferred=preferred
    )


glances = st.builds(
    glance,
    name=st.text("abcdef", min_size=1, max_size=4),
    hours_ago=st.integers(0, 72),
    reports=st.integers(1, 100),
    preferred=st.booleans(),
)


@given(st.lists(glances, unique_by=lambda one: one.id, max_size=12), st.randoms())
def test_the_order_they_come_in_leaves_no_trace(stories: list[FrontPageStory], random: object) -> None:
    shuffled = list(stories)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert ranked(shuffled, TUNING) == ranked(stories, TUNING)


@given(st.integers(1, TUNING.reports_cap // 2))
def test_twice_the_reports_are_worth_the_hours_of_a_doubling(reports: int) -> None:
    gained = weight(glance(reports=2 * reports), TUNING) - weight(glance(reports=reports), TUNING)
    assert abs(gained - TUNING.doubling_hours) < 1e-6


def test_four_reports_of_the_evening_stand_above_one_of_the_next_morning() -> None:
    evening, morning = glance("evening", 11.9, 4), glance("morning", 0, 1)
    assert [one.id for one in ranked([morning, evening], TUNING)] == ["evening", "morning"]
    late = glance("evening", 12.1, 4)
    assert [one.id for one in ranked([late, morning], TUNING)] == ["morning", "evening"]


def test_more_reports_than_the_cap_weigh_no_more() -> None:
    assert weight(glance(reports=TUNING.reports_cap), TUNING) == weight(glance(reports=5000), TUNING)


def test_a_preferred_outlet_lifts_a_story_by_its_hours() -> None:
    wanted, other = glance("wanted", TUNING.preferred_hours - 0.1, preferred=True), glance("other")
    assert [one.id for one in ranked([other, wanted], TUNING)] == ["wanted", "other"]
    plain = glance("wanted", TUNING.preferred_hours - 0.1)
    assert [one.id for one in ranked([other, plain], TUNING)] == ["other", "wanted"]


@given(st.lists(st.tuples(st.integers(-30, 90), st.integers(1, 5)), max_size=14), st.booleans())
def test_every_story_stands_on_the_page_once(given_: list[tuple[int, int]], is_first: bool) -> None:
    stories = [
        list_item_of(a_story(id=f"s{n}", updated=MORNING - hours * HOUR, report_count=reports))
        for n, (hours, reports) in enumerate(given_)
    ]
    page = arranged(stories, MORNING.date(), is_first=is_first)
    shown = [page.lead] if page.lead else []
    shown += [*page.beside, *(story for _, them in page.groups for story in them)]
    assert sorted(one.id for one in shown) == sorted(one.id for one in stories)
    assert (page.lead is None) == (not is_first or not stories)
    assert len(page.beside) <= BESIDE
    headings = [heading for heading, _ in page.groups]
    assert headings == [one for one in ("Today", "Yesterday", "Earlier") if one in headings]
    places = {story.id: n for n, story in enumerate(stories)}
    for _, them in page.groups:
        assert [places[one.id] for one in them] == sorted(places[one.id] for one in them)


def test_days_are_those_of_utc() -> None:
    midnight = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    moments = {"a": midnight, "b": midnight - dt.timedelta(microseconds=1), "c": midnight - 24.1 * HOUR}
    stories = [list_item_of(a_story(id=name, updated=moment)) for name, moment in moments.items()]
    page = arranged(stories, midnight.date(), is_first=False)
    assert [(heading, [one.id for one in them]) for heading, them in page.groups] == [
        ("Today", ["a"]), ("Yesterday", ["b"]), ("Earlier", ["c"]),
    ]  # fmt: skip
