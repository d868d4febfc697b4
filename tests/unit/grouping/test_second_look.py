"""The second look on stories given as tables of logits: what moves, what merges, and what forbids it."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.grouping.pairs.pair_model import PairTuning, shift_between
from aggregator.grouping.pairs.weights import shipped_model
from aggregator.grouping.second_look.look import (
    ReportMove,
    StoryMerge,
    reassess_stories,
)
from aggregator.model.article import Article
from aggregator.store.stories.live_stories import LiveStory
from tests.support.events import article_of

DAY = 24 * 60
NOON = 29_000_000
MODEL = shipped_model(Tuning())
TUNING = MODEL.tuning
PAIR_TUNING = Tuning().section("pairs", PairTuning)
MERGE = TUNING.threshold + TUNING.reassess_gain
APART = -6.0


def report(
    name: str,
    minutes: int | None = NOON,
    inbox: int | None = None,
    *,
    blog: bool = False,
):
    """A report; the first letter of its name is its event."""
    number = inbox or 10 * (ord(name[0]) - ord("a")) + int(name[1:])
    role = "container" if blog else "report"
    return article_of(b"", minutes, 40, inbox_no=number, id=name, role=role)


class Tables:
    """A StoryLookup of stories numbered from 1; pairs that are not in `logits` are unlike."""

    def __init__(
        self, *stories: Sequence[Article], logits: dict[str, float] | None = None
    ) -> None:
        self.stories = dict(enumerate(stories, start=1))
        self.logits = {
            frozenset(pair.split()): value for pair, value in (logits or {}).items()
        }
        self.stream = 0.0
        self.opinions: set[int] = set()
        self.held: set[str] = set()
        self.barred: set[tuple[str, int]] = set()
        self.foreign: set[str] = set()
        self.unmergeable: set[frozenset[int]] = set()

    def story(self, number: int) -> LiveStory | None:
        if number not in self.stories:
            return None
        live = LiveStory(number, f"s{number}")
        for report in self.stories[number]:
            live.take(report)
        return live

    def reports(self, story: LiveStory) -> list[Article]:
        return sorted(self.stories[story.number], key=lambda one: -one.inbox_no)

    def neighbours(self, number: int) -> list[LiveStory]:
        return [self.story(other) for other in self.stories if other != number]

    def scores(self, reports: Sequence[Article], others: Sequence[Article]):
        rows = [
            [self.logits.get(frozenset((a.id, b.id)), APART) for b in others]
            for a in reports
        ]
        shift = shift_between(self.stream, [*reports, *others], PAIR_TUNING)
        return np.array(rows, dtype=np.float64) + shift

    def has_opinions_only(self, story: LiveStory) -> bool:
        return story.number in self.opinions

    def may_leave(self, article: str) -> bool:
        return article not in self.held

    def may_join(self, article: str, story: LiveStory) -> bool:
        return (article, story.number) not in self.barred

    def are_apart(
        self, reports: Sequence[Article], others: Sequence[Article], number: int
    ) -> bool:
        return False

    def is_foreign(self, report: Article, others: Sequence[Article]) -> bool:
        return report.id in self.foreign

    def may_merge(self, one: LiveStory, other: LiveStory) -> bool:
        return frozenset((one.number, other.number)) not in self.unmergeable

    def look(self, *numbers: int, tuning=TUNING):
        return reassess_stories(numbers or self.stories, self, tuning)


def number_of(story: str) -> int:
    return int(story.removeprefix("s"))


def merges(changes) -> list[tuple[int, int]]:
    assert all(isinstance(one, StoryMerge) for one in changes)
    return [(number_of(one.kept), number_of(one.gone)) for one in changes]


def pair(
    score: float = 3.0, minutes: int | None = NOON, other: int | None = NOON
) -> Tables:
    return Tables(
        [report("a1", minutes)], [report("a2", other)], logits={"a1 a2": score}
    )


# --- merges ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "stream", "found"),
    [
        (MERGE, 0.0, [(1, 2)]),
        (MERGE - 0.001, 0.0, []),
        (MERGE - 0.5, 0.5, [(1, 2)]),
        (MERGE, -0.5, []),
    ],
)
def test_two_stories_merge_from_the_threshold_on_with_the_stream(score, stream, found):
    tables = pair(score)
    tables.stream = stream
    changes = tables.look()
    assert merges(changes) == found
    if changes:
        assert (changes[0].score, changes[0].need) == (MERGE, MERGE)


def test_a_low_share_of_partners_keeps_the_articles_of_one_source_apart_most():
    low = PAIR_TUNING.stream_least - 1.0
    for other_source, found in (("feed", []), ("other feed", [(1, 2)])):
        other = replace(report("a2"), source=other_source)
        tables = Tables(
            [report("a1")], [other], logits={"a1 a2": MERGE - PAIR_TUNING.stream_least}
        )
        tables.stream = low
        assert merges(tables.look()) == found


@pytest.mark.parametrize(
    ("sizes", "opinions", "expected"),
    [
        ((1, 1), set(), (1, 2)),
        ((1, 2), set(), (2, 1)),
        ((1, 1), {1}, (2, 1)),
        ((2, 1), {1}, (2, 1)),
    ],
)
def test_a_report_survives_opinions_then_the_larger_story_then_the_older_one(
    sizes, opinions, expected
):
    ids = iter(("a1", "a2", "a3"))
    stories = [[report(next(ids)) for _ in range(size)] for size in sizes]
    tables = Tables(*stories, logits={"a1 a2": 3.0, "a1 a3": 3.0, "a2 a3": 3.0})
    tables.opinions = opinions
    assert merges(tables.look()) == [expected]


def test_the_closest_pair_merges_first_and_what_it_became_is_asked_again():
    three = [[report("a1")], [report("a2")], [report("a3")]]
    chain = Tables(*three, logits={"a1 a2": 2.5, "a2 a3": 5.0, "a1 a3": 1.5})
    assert merges(chain.look()) == [(2, 3), (2, 1)]
    apart = Tables(*three, logits={"a1 a2": 2.5, "a2 a3": 5.0})
    assert merges(apart.look()) == [(2, 3)], "the mean with both is too low"


def test_more_than_half_of_the_reports_of_each_story_must_fit():
    two = [report("a1"), report("a2")], [report("b1")]
    assert Tables(*two, logits={"a1 b1": 30.0}).look() == ()
    stories = [report("a1"), report("a2"), report("a3")], [report("b1")]
    high = {"a1 b1": 30.0}
    assert Tables(*stories, logits=high).look() == ()
    assert merges(
        Tables(*stories, logits=high | {"a2 b1": TUNING.threshold}).look()
    ) == [(1, 2)]


@pytest.mark.parametrize(
    ("one", "other", "number", "found"),
    [
        (NOON, NOON + int(TUNING.window_days * DAY), 12, 1),
        (NOON, NOON + int(TUNING.window_days * DAY) + 1, 12, 0),
        (None, NOON, 10 + TUNING.undated_reach, 1),
        (None, NOON, 11 + TUNING.undated_reach, 0),
    ],
)
def test_stories_merge_within_the_window_only(one, other, number, found):
    stories = [report("a1", one, 10)], [report("a2", other, number)]
    assert len(Tables(*stories, logits={"a1 a2": 9.0}).look()) == found


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearest_dates_of_two_stories_decide(order):
    days = int(TUNING.window_days * DAY)
    stories = (
        [report("a1", NOON), report("a2", NOON + days)],
        [report("a3", NOON + 2 * days)],
    )
    tables = Tables(
        *(stories[place] for place in order), logits={"a1 a3": 9.0, "a2 a3": 9.0}
    )
    assert len(tables.look(1)) == len(tables.look(2)) == 1


@pytest.mark.parametrize(("cap", "found"), [(1, 0), (2, 1)])
def test_a_full_story_takes_nothing_in(cap, found):
    assert len(pair().look(tuning=replace(TUNING, story_cap=cap))) == found


def test_a_correction_keeps_stories_apart():
    tables = pair()
    tables.unmergeable = {frozenset((1, 2))}
    assert tables.look() == ()


def test_a_story_of_texts_under_headlines_of_the_other_stays_apart():
    stories = [report("a1"), report("a2")], [report("a3")]
    tables = Tables(*stories, logits={"a1 a3": 9.0, "a2 a3": 9.0})
    tables.foreign = {"a1"}
    assert merges(tables.look()) == [(1, 2)], "one report of the two is of the event"
    for foreign in ({"a1", "a2"}, {"a3"}):
        tables.foreign = foreign
        assert tables.look() == ()


def test_containers_are_left_to_the_reports_that_take_them_in():
    assert (
        Tables([report("a1", blog=True)], [report("a2")], logits={"a1 a2": 9.0}).look()
        == ()
    )


def test_what_did_not_change_is_not_asked():
    tables = Tables(
        [report("a1")], [report("a2")], [report("b1")], logits={"a1 a2": 3.0}
    )
    assert (tables.look(3), tables.look(99), len(tables.look(1))) == ((), (), 1)


# --- moves -------------------------------------------------------------------------------------------------

OWN = 0.2
NEED = max(OWN, TUNING.threshold) + TUNING.reassess_gain


def stray(
    score: float = 9.0, minutes: int | None = None, own: float = OWN, later: int = 0
) -> Tables:
    """Story 1 has a report, `b1`, that may belong to story 2, which came so many articles earlier."""
    stories = [report("a1"), report("b1", minutes, later + 12)], [report("b2")]
    return Tables(*stories, logits={"a1 b1": own, "b1 b2": score})


@pytest.mark.parametrize(
    ("tables", "moves"),
    [
        (stray(NEED), True),
        (stray(NEED - 0.001), False),
        (stray(3.0 + TUNING.reassess_gain, own=3.0), True),
        (stray(2.999 + TUNING.reassess_gain, own=3.0), False),
        (stray(minutes=NOON), False),
        (stray(later=TUNING.undated_reach), True),
        (stray(later=TUNING.undated_reach + 1), False),
    ],
)
def test_an_undated_report_moves_with_a_clear_gain_only(tables, moves):
    changes = [one for one in tables.look() if isinstance(one, ReportMove)]
    assert [(one.report.id, one.source, one.target) for one in changes] == [
        ("b1", "s1", "s2")
    ] * moves
    assert all(
        one.score >= one.need >= one.own_score + TUNING.reassess_gain for one in changes
    )


def test_a_report_moves_to_the_best_story_that_it_may_join_once_it_may_leave():
    tables = stray()
    tables.stories[3] = [report("b3")]
    tables.logits[frozenset(("b1", "b3"))] = 12.0

    def target() -> list[int]:
        moves = [one for one in tables.look() if isinstance(one, ReportMove)]
        return [number_of(move.target) for move in moves]

    assert target() == [3]
    tables.barred = {("b1", 3)}
    assert target() == [2]
    tables.barred, tables.opinions = set(), {3}
    assert target() == [2]
    tables.held = {"b1"}
    assert target() == []
    tables.held, tables.foreign = set(), {"b1"}
    assert target() == []


def test_the_last_report_of_a_story_does_not_move():
    tables = Tables(
        [report("a1", None)], [report("a2")], logits={"a1 a2": MERGE - 0.01}
    )
    assert tables.look() == ()


# --- any tables --------------------------------------------------------------------------------------------

NAMES = ("a1", "a2", "a3", "b1", "b2", "b3")
PAIRS = [f"{one} {other}" for n, one in enumerate(NAMES) for other in NAMES[n + 1 :]]


@pytest.mark.later
@given(
    st.lists(st.integers(1, 4), min_size=6, max_size=6),
    st.lists(st.none() | st.integers(0, 20 * DAY), min_size=6, max_size=6),
    st.lists(st.floats(-6, 6), min_size=len(PAIRS), max_size=len(PAIRS)),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60)
def test_any_tables_are_looked_at_the_same_way_in_any_order_and_lose_nothing(
    places, dates, values, chance
):
    homes: dict[int, list[Article]] = {}
    for name, place, date in zip(NAMES, places, dates, strict=True):
        homes.setdefault(place, []).append(
            report(name, None if date is None else NOON + date)
        )
    tables = Tables(*homes.values(), logits=dict(zip(PAIRS, values, strict=True)))
    changes = tables.look()
    order = list(tables.stories)
    chance.shuffle(order)
    tables.stories = {number: tables.stories[number][::-1] for number in order}
    assert tables.look(*order) == changes
    after = {
        f"s{number}": {one.id for one in some}
        for number, some in tables.stories.items()
    }
    for change in changes:
        assert change.score >= change.need
        if isinstance(change, StoryMerge):
            after[change.kept] |= after.pop(change.gone)
        else:
            after[change.source].remove(change.report.id)
            after[change.target].add(change.report.id)
    assert all(after.values())
    assert sorted(name for some in after.values() for name in some) == list(NAMES)
