"""What the pages ask of the store: stories to weigh, one story's life, and how well grouping does."""

from pathlib import Path

import httpx
import pytest
from lxml import html
from sqlalchemy import text

from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.publish.output_settings import PublishSettings
from aggregator.store.engine.database import Database
from aggregator.store.intake.folder_names import name_folder
from aggregator.store.read.reader import StoryReader
from aggregator.store.stories.samples import samples_folder
from aggregator.web.server import Server
from tests.support.articles import (
    DAY,
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    STRIKE_ELSEWHERE,
    Clock,
    Rig,
    flood,
    flood_elsewhere,
    record,
    render_all,
)
from tests.support.rows import executed, queried, written_by
from tests.support.services import all_services
from tests.support.story_checks import correct


@pytest.fixture
def rig(database: Database) -> Rig:
    """A flood of two reports, older than a strike of one."""
    rig = Rig(database, Clock(days=10))
    rig.take(flood(), flood_elsewhere())
    rig.take(
        record(
            "Courier",
            "2",
            "Dock workers strike in Sennick",
            STRIKE,
            published=NOON + DAY / 8,
        )
    )
    rig.pipeline.index_text()
    return rig


def rank_front_page(rig: Rig, *prefer: str, **tuning: object) -> list[tuple[int, bool]]:
    all_tuning = Tuning(overrides={"front_page": tuning})
    return [
        (one.report_count, one.preferred)
        for one in StoryReader(rig.database, all_tuning).rank_front_page(
            StoryFilter(), tuple(prefer)
        )
    ]


def test_an_outlet_is_preferred_whatever_its_case_and_stays_below_several(
    rig: Rig,
) -> None:
    assert rank_front_page(rig, "COURIER") == [(2, False), (1, True)]
    assert rank_front_page(rig, "Nobody") == [(2, False), (1, False)]


def test_a_story_of_several_reports_is_found_beyond_the_newest(rig: Rig) -> None:
    """The window holds one story of each class: without the classes the flood would be out of it."""
    assert rank_front_page(rig, window=1) == [(2, False), (1, False)]


def test_undated_stories_are_last_and_hide_no_dated_one(rig: Rig) -> None:
    told = (
        "All about my garden of old roses.",
        "How to bake rye bread.",
        "Links to maps of the stars.",
    )
    rig.take(
        *(record("Notes", text[:5], text[:12], text, published=None) for text in told)
    )
    reading = StoryReader(rig.database, Tuning(overrides={"front_page": {"window": 2}}))
    ranking = reading.rank_front_page(StoryFilter())
    assert [(one.report_count, one.is_undated) for one in ranking] == [
        (2, False),
        (1, False),
        *[(1, True)] * 2,
    ]


def test_a_story_of_opinions_alone_is_not_on_the_front_page(database: Database) -> None:
    """Unless it is asked for, or there is nothing else."""
    rig = Rig(database, Clock(days=1))
    reading = StoryReader(database)
    rig.take(record("Echo", "1", "Opinion: Sennick deserves its roster", STRIKE))
    [opinion] = reading.rank_front_page(StoryFilter())
    rig.take(
        record(
            "Gazette",
            "1",
            "Levee breaks at Pennmouth, four dead",
            FLOOD,
        )
    )
    [report] = reading.rank_front_page(StoryFilter())
    assert report.id != opinion.id
    rig.pipeline.index_text()
    for wanted in (
        StoryFilter(kind="opinion"),
        StoryFilter(outlet="Echo"),
        StoryFilter(query="roster"),
    ):
        assert [one.id for one in reading.rank_front_page(wanted)] == [opinion.id]
    later = record(
        "Herald",
        "1",
        "Opinion: the roster of Sennick",
        STRIKE_ELSEWHERE,
        published=NOON + DAY,
    )
    rig.take(later)
    assert queried(
        database, text("SELECT DISTINCT story FROM article WHERE kind = 'opinion'")
    ).one()
    assert [
        one.updated for one in reading.rank_front_page(StoryFilter(kind="opinion"))
    ] == [opinion.updated]


def test_filters_hold_and_the_chosen_come_whole_in_their_order(rig: Rig) -> None:
    reading = StoryReader(rig.database)
    assert [
        one.report_count for one in reading.rank_front_page(StoryFilter(min_reports=2))
    ] == [2]
    assert [
        one.report_count for one in reading.rank_front_page(StoryFilter(query="strike"))
    ] == [1]
    ids = tuple(one.id for one in reading.rank_front_page(StoryFilter()))
    listed = {story.id: story for story in reading.stories(StoryFilter()).stories}
    assert reading.stories_by_id((*ids, "nosuch")) == tuple(listed[one] for one in ids)
    assert reading.stories_by_id(()) == reading.list_stories(()) == ()
    items = reading.list_stories(("nosuch", *ids))
    assert [
        (one.title, one.outlets, [title.title for title in one.titles]) for one in items
    ] == [
        (
            "Levee breaks at Pennmouth, four dead",
            ("Gazette", "Herald"),
            ["Pennmouth under water after levee fails"],
        ),
        ("Dock workers strike in Sennick", ("Courier",), []),
    ]


def test_a_title_that_the_headline_was_made_of_is_not_listed_below_it(
    database: Database,
) -> None:
    Rig(database, Clock(days=1)).take(
        record(
            "Gazette",
            "1",
            "Levee breaks at Pennmouth, four dead » World",
            FLOOD,
        ),
        record(
            "Herald",
            "1",
            "Pennmouth under water after levee fails",
            FLOOD_ELSEWHERE,
        ),
    )
    reading = StoryReader(database)
    (flood,) = reading.list_stories(
        tuple(one.id for one in reading.stories(StoryFilter()).stories)
    )
    assert flood.title == "Levee breaks at Pennmouth, four dead"
    assert [one.title for one in flood.titles] == [
        "Pennmouth under water after levee fails"
    ]


def test_the_summary_of_one_report_among_other_articles_is_attributed_to_its_outlet(
    database: Database,
) -> None:
    rig = Rig(database, Clock(days=1))
    rig.take(record("Echo", "1", "Opinion: Sennick deserves its roster", STRIKE))
    rig.take(flood())
    both = [one.id for one in StoryReader(database).stories(StoryFilter()).stories]
    merged = correct(database, "merge", *both).stories[0]
    render_all(database)
    server = Server(
        StoryReader(database), PublishSettings(port=0), all_services(database)
    )
    page = html.fromstring(
        httpx.get(f"{server.start()}/stories/{merged}", trust_env=False).text
    )
    server.stop()
    assert (
        page.xpath("string(//div[@class='lead']//span[@class='by'])")
        == "Gazette 12 Oct, 12:00"
    )


def test_the_first_page_says_how_samples_are_removed_while_there_are_any(
    rig: Rig,
) -> None:
    server = Server(
        StoryReader(rig.database), PublishSettings(port=0), all_services(rig.database)
    )
    with httpx.Client(base_url=server.start()) as client:
        assert "sources remove" not in client.get("/").text
        name = written_by(rig.database, name_folder, samples_folder(), Path.is_dir)
        rig.take(
            record(
                name,
                "5",
                "Dock workers strike",
                STRIKE_ELSEWHERE,
                published=NOON + 9 * DAY,
            )
        )
        assert f"aggregator sources remove {name} --articles" in client.get("/").text
        assert "sources remove" not in client.get("/?page=2").text
        rig.pipeline.placer.erase(ForgetCommand(name=name, is_source=True))
        assert "sources remove" not in client.get("/").text
    server.stop()


def test_a_page_that_is_asked_for_again_shows_what_changed(rig: Rig) -> None:
    server = Server(
        StoryReader(rig.database), PublishSettings(port=0), all_services(rig.database)
    )
    with httpx.Client(base_url=server.start()) as client:

        def numbers() -> list[list[str]]:
            cards = html.fromstring(client.get("/").text).findall(".//article")
            return [
                [
                    " ".join(numbers.text_content().split())
                    for numbers in card.find_class("numbers")
                ]
                for card in cards
            ]

        assert numbers() == numbers() == [["●● 2 outlets"], []]
        rig.take(
            record(
                "Mail",
                "3",
                "Levee breaks at Pennmouth, four dead",
                FLOOD,
                published=NOON + DAY / 2,
            ),
            record(
                "Notes",
                "4",
                "All about my garden",
                "All about my garden of old roses.",
            ),
        )
        assert len(numbers()) == 3
        assert "Mail" in client.get("/").text
        executed(
            rig.database,
            text(
                "UPDATE story SET report_count = 1, article_count = 1, title = 'Corrected'"
            ),
        )
        assert client.get("/").text.count(">Corrected<") == 3
        assert numbers() == [[], [], []]
    server.stop()
