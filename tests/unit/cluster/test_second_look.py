"""The second look on invented events: what moves, what merges, and what a correction or a veto forbids."""

import dataclasses
import random
from collections.abc import Iterable, Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.cluster.events import centroid
from aggregator.cluster.events.centroid import Centroid
from aggregator.cluster.events.reassess import CountedReport, ReportMove, StoryMerge, reassess_stories
from aggregator.cluster.events.scorer import Candidate, Scorer, ScoringInput
from aggregator.cluster.events.story_index import IndexedStory, StoryIndex
from aggregator.cluster.events.terms import TermPacker
from aggregator.cluster.events.weights import EventModel, shipped_model
from aggregator.config.tuning import Tuning
from aggregator.model.core import Reason
from tests.support.events import GRAIN

DAY = 24 * 60
NOON = 29_000_000
MODEL = shipped_model(Tuning())
PACKER = TermPacker(MODEL)
SCORER = Scorer(MODEL)

STRIKE = (
    (
        "Tram drivers in Marlow vote to strike over wages",
        "Tram drivers in Marlow voted on Friday for a strike of 48 hours. The union asks for 6.5 percent "
        "more wages, the company Marlow Transit offers 3 percent. Talks with the mediator Otto Brand go on.",
    ),
    (
        "Strike of Marlow tram drivers: union votes for 48 hours without trams",
        "The union of the tram drivers in Marlow has voted for a strike of 48 hours, its speaker said. "
        "Marlow Transit offers 3 percent more wages, the drivers ask for 6.5 percent. Otto Brand may help.",
    ),
    (
        "Marlow trams to stop for 48 hours as drivers vote for strike",
        "No trams will run in Marlow for 48 hours: the drivers voted for a strike. Their union wants 6.5 "
        "percent more wages, Marlow Transit offered 3 percent, and mediator Otto Brand goes on talking.",
    ),
)
TEXTS = {f"g{i}": text for i, text in enumerate(GRAIN)} | {f"s{i}": text for i, text in enumerate(STRIKE)}


def unit(name: str, minutes: int | None = NOON, *, container: bool = False) -> CountedReport:
    terms = PACKER.pack(*TEXTS[name], "en")
    return CountedReport(
        name,
        ScoringInput(
            terms, minutes, body_words=40, is_container=container, inbox=1 + list(TEXTS).index(name)
        ),
    )


class StoredArticles:
    """Stories given by hand; no memory and no vetoes unless given."""

    def __init__(self, *stories: tuple[CountedReport, ...], model: EventModel = MODEL) -> None:
        self.model = model
        self.stories = dict(enumerate(stories, start=1))
        self.index = StoryIndex(model)
        for number, counted_reports in self.stories.items():
            last = max(one.article.inbox for one in counted_reports)
            blob = centroid.to_bytes(self.story_centroid(number), model)
            self.index.add_story(IndexedStory(number, f"s{number}", blob, last))
        self.opinions: set[str] = set()
        self.held: set[str] = set()
        self.apart: set[tuple[str, int]] = set()
        self.unmergeable: set[frozenset[int]] = set()
        self.against: dict[tuple[str, int], Reason] = {}

    def story_centroid(self, number: int) -> Centroid:
        total = Centroid()
        for one in self.stories[number]:
            total = centroid.add(total, one.article.member(self.model), self.model)
        return total

    def story_centroids(self, numbers: Iterable[int]) -> dict[int, Centroid]:
        return {number: self.story_centroid(number) for number in numbers}

    def story(self, number: int) -> Candidate | None:
        return self.index.story(number) if number in self.index else None

    def read(self, numbers: Iterable[int]) -> None:
        """Nothing to read."""

    def counted_reports(self, number: int, newest: int) -> list[CountedReport]:
        return sorted(self.stories[number], key=lambda one: -one.article.inbox)[:newest]

    def neighbours(self, number: int) -> list[Candidate]:
        return self.index.neighbours(number)

    def candidates(self, article: ScoringInput) -> list[Candidate]:
        return self.index.candidates(article)

    def has_report(self, number: int) -> bool:
        return any(one.id not in self.opinions for one in self.stories[number])

    def may_leave(self, article: str) -> bool:
        return article not in self.held

    def may_join(self, article: str, number: int) -> bool:
        return (article, number) not in self.apart

    def may_merge(self, one: int, other: int) -> bool:
        return frozenset((one, other)) not in self.unmergeable

    def compare(self, reports: Sequence[CountedReport], number: int) -> None:
        pass

    def corrections(self, report: CountedReport, number: int) -> tuple[Reason, ...]:
        found = self.against.get((report.id, number))
        return (found,) if found else ()

    def reassess_stories(self, *touched: int):
        return reassess_stories(touched or self.stories, self, Scorer(self.model))


def total(change: ReportMove | StoryMerge) -> float:
    return MODEL.bias + sum(reason.share for reason in change.reasons)


def test_the_story_with_a_report_survives_that_of_an_opinion_before_it():
    reader = StoredArticles((unit("g0"),), (unit("g1"),))
    reader.opinions = {"g0"}
    (merge,) = reader.reassess_stories()
    assert isinstance(merge, StoryMerge)
    assert (merge.kept, merge.gone) == (2, 1)
    (merge,) = StoredArticles((unit("g0"),), (unit("g1"),)).reassess_stories()
    assert isinstance(merge, StoryMerge)
    assert (merge.kept, merge.gone) == (1, 2)


def grain_and_strike_with_a_stray(*, stray: str = "s0") -> StoredArticles:
    """Story 1 has two grain reports and a stray strike report, story 2 the other strike reports."""
    return StoredArticles((unit("g0"), unit("g1"), unit(stray)), (unit("s1"), unit("s2")))


def test_a_report_in_the_wrong_story_moves_to_the_right_one():
    (move,) = grain_and_strike_with_a_stray().reassess_stories()
    assert isinstance(move, ReportMove)
    assert (move.article, move.source, move.target) == ("s0", 1, 2)
    assert move.score >= move.need >= move.own + MODEL.tuning.move_gain
    assert total(move) == pytest.approx(move.score, abs=1e-9)


def test_a_report_that_fits_nowhere_stands_alone():
    (move,) = StoredArticles((unit("g0"), unit("g1"), unit("s0"))).reassess_stories()
    assert isinstance(move, ReportMove)
    assert (move.article, move.target) == ("s0", None)
    assert move.score == move.own < move.need
    assert total(move) == pytest.approx(move.score, abs=1e-9)


def test_two_stories_of_one_event_merge_and_the_larger_keeps_its_number():
    (merge,) = StoredArticles((unit("g0"),), (unit("g1"), unit("g2")), (unit("s0"),)).reassess_stories()
    assert isinstance(merge, StoryMerge)
    assert (merge.kept, merge.gone) == (2, 1)
    assert merge.score >= merge.need
    assert total(merge) == pytest.approx(merge.score, abs=1e-9)


def test_three_stories_become_one_step_by_step():
    merges = StoredArticles((unit("g0"),), (unit("g1"),), (unit("g2"),)).reassess_stories(2)
    assert [(merge.kept, merge.gone) for merge in merges if isinstance(merge, StoryMerge)] != []
    assert len(merges) == 2
    assert {merges[0].kept, merges[0].gone, merges[1].gone} == {1, 2, 3}
    assert merges[1].kept == merges[0].kept


def test_well_sorted_stories_stay_as_they_are():
    assert (
        StoredArticles(
            tuple(map(unit, ("g0", "g1", "g2"))), tuple(map(unit, ("s0", "s1", "s2")))
        ).reassess_stories()
        == ()
    )


def test_what_was_not_touched_is_not_asked():
    reader = StoredArticles((unit("g0"),), (unit("g1"),), (unit("s0"), unit("s1")))
    assert reader.reassess_stories(3) == ()
    assert len(reader.reassess_stories(1)) == 1
    assert reader.reassess_stories(99) == ()


def test_corrections_outrank_the_look():
    reader = grain_and_strike_with_a_stray()
    reader.held = {"s0"}
    assert not [change for change in reader.reassess_stories() if isinstance(change, ReportMove)]
    reader = grain_and_strike_with_a_stray()
    reader.apart = {("s0", 2)}
    assert [(change.article, change.target) for change in reader.reassess_stories()] == [("s0", None)]
    reader = StoredArticles((unit("g0"),), (unit("g1"),))
    assert len(reader.reassess_stories()) == 1
    reader.unmergeable = {frozenset((1, 2))}
    assert reader.reassess_stories() == ()


def test_vetoes_are_counted_in():
    veto = Reason(name="veto:figures", value=1.0, share=-40.0)
    reader = grain_and_strike_with_a_stray()
    reader.against = {("s0", 2): veto}
    assert [(change.article, change.target) for change in reader.reassess_stories()] == [("s0", None)]
    reader = StoredArticles((unit("g0"),), (unit("g1"), unit("g2")))
    reader.against = {("g0", 2): veto}
    assert reader.reassess_stories() == ()
    light = msgspec.structs.replace(veto, share=-0.125)
    reader.against = {("g0", 2): light}
    (merge,) = reader.reassess_stories()
    assert merge.reasons[-1] == light
    assert total(merge) == pytest.approx(merge.score, abs=1e-9)


def test_reports_of_other_weeks_stay_apart():
    later = unit("g1", NOON + 15 * DAY)
    generous = dataclasses.replace(MODEL, tuning=msgspec.structs.replace(MODEL.tuning, merge_threshold=-50.0))
    assert StoredArticles((unit("g0"),), (later,), model=generous).reassess_stories() == ()
    assert (
        len(StoredArticles((unit("g0"),), (unit("g1", NOON + 13 * DAY),), model=generous).reassess_stories())
        == 1
    )


def test_a_full_story_takes_nothing_in():
    stories = (unit("g0"),), (unit("g1"), unit("g2"))
    for cap, changes in ((1, 0), (3, 1)):
        small = dataclasses.replace(MODEL, tuning=msgspec.structs.replace(MODEL.tuning, story_cap=cap))
        assert len(StoredArticles(*stories, model=small).reassess_stories()) == changes


def test_containers_are_left_to_the_reports_that_take_them_in():
    live = unit("g0", container=True)
    assert StoredArticles((live,), (unit("g1"), unit("g2"))).reassess_stories() == ()
    assert (
        StoredArticles((live, unit("g1", container=True)), (unit("g2", container=True),)).reassess_stories()
        == ()
    )


@given(
    st.lists(st.integers(1, 4), min_size=6, max_size=6),
    st.lists(st.none() | st.integers(0, 3 * DAY), min_size=6, max_size=6),
    st.randoms(use_true_random=False),
)
@settings(max_examples=30, deadline=None)
def test_any_sorting_is_looked_at_the_same_way_twice_and_only_gets_better(places, dates, chance):
    homes: dict[int, list[CountedReport]] = {}
    for name, place, date in zip(TEXTS, places, dates, strict=True):
        homes.setdefault(place, []).append(unit(name, None if date is None else NOON + date))
    reader = StoredArticles(*(tuple(counted_reports) for _, counted_reports in sorted(homes.items())))
    changes = reader.reassess_stories()
    order = list(reader.stories)
    chance.shuffle(order)
    mixed = StoredArticles(
        *(
            tuple(random.Random(1).sample(counted_reports, len(counted_reports)))
            for _, counted_reports in sorted(homes.items())
        )
    )
    mixed.index = StoryIndex(MODEL)
    for number in order:
        last = max(one.article.inbox for one in mixed.stories[number])
        blob = centroid.to_bytes(mixed.story_centroid(number), MODEL)
        mixed.index.add_story(IndexedStory(number, f"s{number}", blob, last))
    assert mixed.reassess_stories(*order) == changes
    after = carried_out(reader, changes)
    for change in changes:
        assert total(change) == pytest.approx(change.score, abs=1e-9)
    assert sorted(name for names in after.values() for name in names) == sorted(TEXTS)
    assert all(after.values())
    wrong = sum(len({name[0] for name in names}) > 1 for names in after.values())
    before = sum(
        len({one.id[0] for one in counted_reports}) > 1 for counted_reports in reader.stories.values()
    )
    assert wrong <= before


def carried_out(reader: StoredArticles, changes) -> dict[int, set[str]]:
    """What the stories hold after the changes, done in their order as a store would."""
    homes = {
        number: {one.id for one in counted_reports} for number, counted_reports in reader.stories.items()
    }
    for change in changes:
        if isinstance(change, StoryMerge):
            homes[change.kept] |= homes.pop(change.gone)
        else:
            homes[change.source].remove(change.article)
            homes.setdefault(change.target or 100 + len(homes), set()).add(change.article)
    return homes
