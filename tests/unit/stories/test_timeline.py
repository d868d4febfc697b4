"""Days that sentences tell, and the order of a story's moments."""

import datetime as dt

import pytest

from aggregator.stories.facts.stated_days import days_inferred, days_stated
from aggregator.stories.text.merged_text import merge
from aggregator.stories.text.plain_text import as_text
from aggregator.stories.tuning import shipped_tuning
from tests.support.stories_examples import NOON, view

WEDNESDAY = dt.date(2025, 3, 12)


@pytest.mark.parametrize(
    ("sentence", "days"),
    [
        ("The ferry sank on Tuesday.", [11]),
        ("The ferry sank last Wednesday.", [5]),
        ("The court is due to rule next Monday.", [17]),
        ("The ferry sank on Wednesday.", [12]),
        ("The office said that divers would be able to go down on Saturday at the earliest.", [15]),
        ("The owner said that it would not be raised before Sunday.", [16]),
        ("On Thursday, a group of mayors signed the letter.", [6]),
        ("During her visit to Tarnow on Sunday, Anna Berg said that Varna would help.", [9]),
        ("It sank on March 3 and rose on 5 March 2025.", [3, 5]),
        ("Riyadh on Friday froze trade with Tarnow.", [7]),
        ("The draft, written by the mayor, will be sent to Tarnow Sunday.", [16]),
        ("The council is set to vote Sunday.", [16]),
        ("The final is on Saturday.", [15]),
        ("Tuesday's talks were short.", []),
        ("On February 31 nothing happened.", []),
        ("In May they may go.", []),
    ],
)
def test_days_are_relative_to_the_day_of_publication(sentence: str, days: list[int]) -> None:
    assert days_stated(sentence, WEDNESDAY, shipped_tuning()) == [dt.date(2025, 3, day) for day in days]


def test_an_inferred_weekday_is_the_one_nearest_to_the_dated_reports() -> None:
    tuning = shipped_tuning()
    assert days_inferred("He said so on Saturday.", WEDNESDAY, WEDNESDAY, tuning) == [dt.date(2025, 3, 15)]
    assert days_inferred("He said so on Sunday.", WEDNESDAY, WEDNESDAY, tuning) == [dt.date(2025, 3, 9)]
    assert days_inferred("He said so last Sunday.", WEDNESDAY, WEDNESDAY, tuning) == []
    assert days_inferred("He said so on Saturday.", WEDNESDAY, WEDNESDAY - dt.timedelta(1), tuning) == []


def test_a_day_inferred_from_another_report_says_so() -> None:
    dated = view("a", "One", title="Ferry sinks", text="The ferry Marlin sank off Port Ellis this week.")
    undated = view("b", "Two", title="Ferry", published=None, hours=900,
                   text="The ferry Marlin left Tarnow on Tuesday with 240 people.")  # fmt: skip
    reported = [item for item in merge([dated, undated]).timeline if item.kind == "told"]
    days = [(item.day, item.day_inferred, item.time) for item in reported]
    assert days == [(dt.date(2025, 3, 11), True, None)]


def test_without_a_dated_report_a_weekday_stays_unknown() -> None:
    undated = view("b", "Two", title="Ferry", published=None, text="The ferry Marlin left Tarnow on Tuesday.")
    (item,) = merge([undated]).timeline
    assert (item.kind, item.time, item.day) == ("published", None, None)


def test_a_report_dated_to_the_day_shows_no_clock() -> None:
    (item,) = merge([view(title="Ferry sinks", published_precision="day")]).timeline
    assert (item.day, item.time, item.clock_minutes, item.precision) == (WEDNESDAY, None, None, "day")


def test_moments_stand_in_order_with_the_undated_last() -> None:
    undated = view("l", "Bell", title="The night", published=None)
    left = "The ferry Marlin left Tarnow on Monday morning."
    early = view("a", "One", title="Ferry sinks", hours=-10, text=left)
    timeline = merge([undated, early]).timeline
    assert [(item.kind, item.day.day if item.day else None, item.clock_minutes) for item in timeline] == [
        ("told", 10, None),
        ("published", 12, 120),
        ("published", None, None),
    ]


def test_of_too_many_moments_publications_stay() -> None:
    days = [NOON - dt.timedelta(days=40 + day) for day in range(80)]
    text = "\n".join(f"The ferry Marlin sank near Tarnow on {day:%B} {day.day}, {day.year}." for day in days)
    report = view("a", title="Ferry sinks", text=text, hours=-48)
    other = view("b", "Two", title="The ferry Marlin sinks", text=text.replace("near", "off"), hours=9)
    found = merge([report, other]).timeline
    assert len(found) <= shipped_tuning().timeline_cap
    assert [item.article for item in found if item.kind == "published"] == ["a", "b"]


def test_the_time_of_fetching_is_never_shown() -> None:
    items = merge([view("a", published=None, title="Ferry", seen=NOON, effective_at=NOON)]).timeline
    assert all(item.time is None for item in items)


def test_copies_are_named_below_the_publication_of_their_original() -> None:
    original = view("o", "One", title="Ferry sinks off Port Ellis", text="The ferry Marlin sank at night.")
    times = [NOON + dt.timedelta(minutes=30 + 50 * n) for n in range(26)]
    copies = [
        view(f"c{n:02}", f"Paper {n:02}", title="Ferry", role="copy", copy_of="o", text=original.text,
             published=time, effective_at=time)
        for n, time in enumerate(times)
    ]  # fmt: skip
    undated = view("u", "Bell", role="copy", copy_of="o", published=None, hours=-1, text=original.text)
    cut = view("x", "Bit", role="excerpt", copy_of="c03", hours=1, text="The ferry Marlin sank at night.")
    articles = [*copies, cut, original]
    (item,) = merge(articles).timeline
    assert (item.article, item.copy_count, len(item.copies)) == ("o", 27, shipped_tuning().reports_cap)
    assert [(one.article, one.minutes_later, one.is_whole) for one in item.copies[:3]] == [
        ("c00", 30, True),
        ("x", 60, False),
        ("c01", 80, True),
    ]
    text = as_text(merge(articles), articles)
    assert "    printed by Paper 00, 30 minutes later\n    excerpted by Bit, 1 hour later\n" in text
    assert "    printed by Paper 01, 1 hour 20 minutes later\n" in text
    assert "    and 3 more\n" in text
    first = merge([undated, original]).timeline[0]
    assert (first.article, [one.minutes_later for one in first.copies]) == ("u", [None])


def test_one_event_is_one_item_however_many_outlets_tell_it() -> None:
    articles = [
        view("a", text="The ferry Marlin sank off Port Ellis on Tuesday after striking a rock."),
        view("b", "Lantern", text="The Marlin struck a rock on Tuesday and sank off Port Ellis.", hours=2),
        view("c", "Mail", text="Joren Hale said on Tuesday that he had seen no rock off it.", hours=3),
    ]
    merged = merge(articles)
    (told,) = [item for item in merged.timeline if item.kind == "told"]
    assert told.day == dt.date(2025, 3, 11)
    assert {told.article, *told.also} == {"a", "b"}
    other = "Lantern" if told.article == "a" else "Harbour Post"
    assert f"(also stated by {other})" in as_text(merged, articles)


@pytest.mark.parametrize(
    ("sentence", "day"),
    [
        ("Permits that expired after June 5 were void.", None),
        ("The vote is to be held as early as Monday.", dt.date(2025, 3, 17)),
        ("He won on Super Tuesday.", None),
        # far ahead is of the year before, and the nearest without a verb of the past
        ("It began on November 27.", dt.date(2024, 11, 27)),
        ("It begins on April 2.", dt.date(2025, 4, 2)),
        ("The board was cleared on May 14.", dt.date(2024, 5, 14)),
        ("He was elected in 2012 and took office on May 5 of that year.", None),
        ("She died on Sunday, Jan. 7, at home.", dt.date(2024, 1, 7)),
        ("The board meets again on 14 May.", dt.date(2025, 5, 14)),
    ],
)
def test_the_year_of_a_date_is_that_of_its_verb(sentence: str, day: dt.date | None) -> None:
    assert days_stated(sentence, WEDNESDAY, shipped_tuning()) == ([] if day is None else [day])
    in_january = days_stated("The board meets again on 14 January.", dt.date(2025, 11, 12), shipped_tuning())
    assert in_january == [dt.date(2026, 1, 14)]
