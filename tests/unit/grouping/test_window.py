"""The window: what it finds for an article and beside a story, and that it is what its rows are."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.grouping.pairs.terms import TermPacker
from aggregator.grouping.pairs.weights import EventModel, shipped_model
from aggregator.grouping.window import Window
from aggregator.model.article import Article
from aggregator.store.stories.live_stories import LiveStory
from tests.support.events import GRAIN, article_of
from tests.support.story_checks import differences, numbers_of

DAY = 24 * 60
NOON = 29_000_000
MODEL = shipped_model(Tuning())
PACKER = TermPacker(MODEL)
STRIKE = (
    "Tram drivers in Marlow vote to strike over wages",
    "Tram drivers in Marlow voted on Friday for a strike of 48 hours. The union asks for 6.5 percent more "
    "wages, the company Marlow Transit offers 3 percent. Talks with the mediator Otto Brand are to go on.",
)
AGAIN = (
    "Strike of Marlow tram drivers: union votes for 48 hours without trams",
    "The union of the tram drivers in Marlow has voted for a strike of 48 hours, its speaker said. Marlow "
    "Transit offers 3 percent more wages, the drivers ask for 6.5 percent. Mediator Otto Brand may help.",
)


def article(
    text: tuple[str, str], minutes: int | None = NOON, inbox: int = 1, **more: Any
) -> Article:
    terms, words = PACKER.pack(*text, "en")
    return article_of(terms, minutes, words, inbox_no=inbox, **more)


def live_story(number: int, *members: Article) -> LiveStory:
    story = LiveStory(number, f"s{number}")
    for member in members:
        story.take(member)
    return story


def model_with(**tuning: float) -> EventModel:
    return dataclasses.replace(MODEL, tuning=replace(MODEL.tuning, **tuning))


# --- a story -----------------------------------------------------------------------------------------------


def test_reports_come_before_opinions_known_sources_before_others_then_the_newest() -> (
    None
):
    opinion = article(GRAIN[0], inbox=4, kind="opinion")
    unknown = replace(article(GRAIN[1], inbox=3), is_little_known=True)
    older, newer = article(GRAIN[2], inbox=1), article(GRAIN[0], inbox=2)
    story = live_story(1, opinion, unknown, older, newer)
    assert [report.inbox_no for report in story.reports] == [2, 1, 3, 4]


# --- what is found -----------------------------------------------------------------------------------------


UNRELATED = (
    "quilt", "walrus", "sonnet", "violin", "meadow", "lantern", "pepper", "glacier", "kettle", "orchid",
)  # fmt: skip


def test_a_word_of_most_stories_finds_none() -> None:
    model = model_with(max_postings=3, max_postings_share=0.5)
    texts = [("", f"walrus {word}") for word in UNRELATED if word != "walrus"]
    window = Window(
        model, [live_story(n, article(text, NOON, n)) for n, text in enumerate(texts)]
    )
    assert window.candidates(article(("", "walrus"), NOON, 50)) == []
    assert numbers_of(window.candidates(article(("", "walrus kettle"), NOON, 50))) == [
        7
    ]
    for number in range(3, 9):
        window.remove(number)
    assert numbers_of(window.candidates(article(("", "walrus"), NOON, 50))) == [2, 1, 0]


def test_neighbours_share_terms_and_a_window() -> None:
    placed = (
        (GRAIN[0], NOON),
        (GRAIN[1], NOON + DAY),
        (GRAIN[2], NOON + 30 * DAY),
        (STRIKE, NOON),
        (AGAIN, None),
    )
    window = Window(MODEL)
    for number, (text, minutes) in enumerate(placed, start=1):
        window.put(live_story(number, article(text, minutes, number)))
    assert numbers_of(window.neighbours(1)) == [2]
    assert numbers_of(window.neighbours(3)) == []
    assert numbers_of(window.neighbours(4))[:1] == [5]
    assert numbers_of(window.neighbours(5))[:1] == [4]
    with pytest.raises(KeyError):
        window.neighbours(99)


# --- what leaves -------------------------------------------------------------------------------------------


def grain_stories(*numbers: int) -> Sequence[LiveStory]:
    return [live_story(number, article(GRAIN[0], NOON, number)) for number in numbers]


def test_sweeping_takes_out_what_nothing_reaches_and_changes_no_answer() -> None:
    window = Window(MODEL, grain_stories(1, 2, 3))
    newcomer = article(GRAIN[1], NOON, 3 + MODEL.tuning.live_reach)
    before = numbers_of(window.candidates(newcomer))
    window.sweep(newcomer.inbox_no)
    assert window.numbers() == [3]
    window.sweep(newcomer.inbox_no)
    assert window.numbers() == [3]
    assert numbers_of(window.candidates(newcomer)) == before == [3]
    assert differences(window, Window(MODEL, grain_stories(3))) == []


def test_a_story_of_several_reports_leaves_as_one_of_a_single_report_does() -> None:
    several = live_story(2, article(GRAIN[0], NOON, 1), article(GRAIN[2], NOON, 1))
    window = Window(model_with(live_reach=10), [*grain_stories(1), several])
    for inbox, live in ((11, [1, 2]), (12, [])):
        newcomer = article(GRAIN[1], NOON, inbox)
        assert sorted(numbers_of(window.candidates(newcomer))) == live
        assert [number for number in (1, 2) if window.is_live(number, inbox)] == live
    window.sweep(11)
    assert window.numbers() == [1, 2]
    window.sweep(12)
    assert window.numbers() == []
    assert not window.is_live(1, 1), "nothing that is not in the window is live"


def test_a_story_older_than_the_window_leaves_after_a_while() -> None:
    window = Window(model_with(kept_reach=10), grain_stories(1))
    window.undated_from = 2
    assert window.is_live(1, 11)
    assert not window.is_live(1, 12), (
        "it was accepted before the window, and 11 numbers ago"
    )
    window.undated_from = 1
    assert window.is_live(1, 12)


def test_a_story_that_left_is_found_no_more_and_its_place_is_used_again() -> None:
    window = Window(MODEL, grain_stories(1, 2))
    window.remove(1)
    window.put(live_story(3, article(STRIKE, NOON, 3)))
    assert numbers_of(window.candidates(article(GRAIN[1], NOON, 9))) == [2]
    assert numbers_of(window.candidates(article(AGAIN, NOON, 9)))[:1] == [3]
    assert window.get(1) is None
    for asked in (window.story, window.remove):
        with pytest.raises(KeyError):
            asked(1)
