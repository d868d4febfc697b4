"""Candidates and decisions about invented events."""

import dataclasses
from collections.abc import Iterable, Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.cluster.events import centroid, story_index
from aggregator.cluster.events.centroid import ScoringInput
from aggregator.cluster.events.scorer import (
    Candidate,
    Decision,
    ScoredCandidate,
    decide,
    is_open,
    shared_terms,
)
from aggregator.cluster.events.story_index import IndexedStory, StoryCache, StoryIndex
from aggregator.cluster.events.terms import TermPacker
from aggregator.cluster.events.weights import EventModel, shipped_model
from aggregator.config.tuning import Tuning
from aggregator.model.core import Reason
from tests.support.events import GRAIN

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
    text: tuple[str, str], minutes: int | None = NOON, inbox: int = 1, container: bool = False
) -> ScoringInput:
    terms, words = PACKER.pack_counted(*text, "en", is_container=container)
    return ScoringInput(terms, minutes, words, container, inbox)


def blob_of(*members: ScoringInput, copies: Sequence[int] = ()) -> bytes:
    return centroid.to_bytes(centroid.from_members(members, copies), MODEL)


def candidate(number: int, *members: ScoringInput, copies: Sequence[int] = ()) -> Candidate:
    summary = centroid.read_summary(blob_of(*members, copies=copies))
    return Candidate(number, f"s{number}", max(one.inbox for one in members), summary)


def index_of(*texts: tuple[str, str]) -> StoryIndex:
    """Stories of one article each, numbered from 1."""
    rows = [IndexedStory(n, f"s{n}", blob_of(article(text)), n) for n, text in enumerate(texts, start=1)]
    return StoryIndex(MODEL, rows)


def model_with(**tuning: float) -> EventModel:
    return dataclasses.replace(MODEL, tuning=msgspec.structs.replace(MODEL.tuning, **tuning))


NEED = MODEL.tuning.threshold
REPORT = article(GRAIN[1], NOON, 9)
BLOG = article(GRAIN[1], NOON, 9, container=True)


def scored(number: int, score: float, *reasons: Reason, blog: bool = False, texts: float = 0.5):
    told = article(GRAIN[0], NOON - 60, number, container=blog)
    return ScoredCandidate(candidate(number, told), score, reasons, texts)


def decided(one: ScoringInput, *found: ScoredCandidate) -> Decision:
    return decide(one, found, MODEL, 0.25)


@pytest.mark.parametrize(
    ("one", "score", "joins"),
    [
        (REPORT, NEED, True),
        (REPORT, NEED - 0.001, False),
        (BLOG, NEED, True),
        (BLOG, NEED - 0.001, False),
    ],
)
def test_the_threshold_is_inclusive(one, score, joins):
    decision = decided(one, scored(1, score))
    assert (decision.story == "s1") is joins
    assert decision.evidence.stage == ("event" if joins else "founded")
    assert decision.role == ("container" if one.is_container else "report")


@pytest.mark.parametrize(
    ("scores", "best", "rival"),
    [
        ((1.0, 3.0, 2.0), "s2", "s3"),
        ((2.0, 2.0, 1.0), "s1", "s2"),
        ((-3.0, NEED, -4.0), "s2", "s1"),
        ((-3.0, -2.0, -4.0), None, "s2"),
        ((1.0,), "s1", None),
        ((), None, None),
    ],
)
def test_the_highest_score_wins_ties_go_to_the_older_and_the_next_is_the_rival(scores, best, rival):
    found = [scored(number, score) for number, score in enumerate(scores, start=1)]
    for order in (found, found[::-1]):
        decision = decided(REPORT, *order)
        runner_up = decision.evidence.runner_up
        assert (decision.story, runner_up and runner_up.story) == (best, rival)
        assert decision.evidence.bias == 0.25
        if runner_up:
            assert runner_up.need == NEED


def test_the_story_and_its_rival_keep_their_reasons():
    against, for_it = Reason(name="days", value=1.0, share=-9.0), Reason(name="texts", value=1.0, share=2.0)
    decision = decided(REPORT, scored(1, -7.0, for_it, against), scored(2, 2.0, for_it))
    assert (decision.story, decision.evidence.reasons) == ("s2", (for_it,))
    assert decision.evidence.runner_up.reasons == (for_it, against)


def test_a_report_joins_live_blogs_and_prefers_a_story_of_reports():
    alone = decided(REPORT, scored(1, 3.0, blog=True))
    assert (alone.story, alone.evidence.score, alone.is_compared) == ("s1", 3.0, True)
    assert decided(REPORT, scored(1, 3.0, blog=True), scored(2, 1.0)).story == "s2"
    assert decided(BLOG, scored(1, 3.0)).is_compared is False
    joined = decided(BLOG, scored(1, 3.0, blog=True))
    assert (joined.story, joined.is_compared) == ("s1", True)


NEAR = NEED - MODEL.tuning.slack


@pytest.mark.parametrize(
    ("changes", "score", "texts", "follows"),
    [
        ({}, NEAR, MODEL.tuning.follows_cosine, True),
        ({}, NEAR - 0.01, 0.9, False),
        ({}, NEAR, MODEL.tuning.follows_cosine - 0.01, False),
        ({"minutes": None}, NEAR, 0.9, False),
        ({"minutes": NOON - 60}, NEAR, 0.9, False),
        ({"body_words": 0}, NEAR, 0.9, False),
        ({"is_opinion": True}, NEAR, 0.9, False),
        ({"is_container": True}, NEAR, 0.9, False),
    ],
)
def test_a_new_story_follows_one_that_is_nearly_the_same_and_began_earlier(changes, score, texts, follows):
    long = msgspec.structs.replace(REPORT, body_words=MODEL.stub_words)
    decision = decided(msgspec.structs.replace(long, **changes), scored(1, score, texts=texts))
    assert (decision.story, decision.follows) == (None, "s1" if follows else None)
    ended_later = candidate(1, article(GRAIN[0], NOON - 60), article(GRAIN[2], NOON + 60))
    assert decided(long, ScoredCandidate(ended_later, NEAR, (), 0.9)).follows == "s1"


def test_shared_terms_are_in_both_and_readable():
    shared = shared_terms(REPORT, candidate(1, article(GRAIN[0])).summary, MODEL)
    words = PACKER.readable_terms(*GRAIN[1], "en")
    assert {words[id_].lower() for id_ in shared} & {"grain", "ellory", "basin", "harbour"}
    assert decided(REPORT, scored(1, 3.0)).shared == shared


WINDOW = int(MODEL.tuning.window_days * DAY)
REACH = MODEL.tuning.undated_reach


@pytest.mark.parametrize(
    ("own", "told", "inbox", "admits"),
    [
        ((NOON + WINDOW, None), (NOON, None), 10 * REACH, True),
        ((NOON - WINDOW, None), (NOON, None), 2, True),
        ((NOON + WINDOW + 1, None), (NOON, None), 2, False),
        ((NOON - WINDOW - 1, None), (NOON, None), 2, False),
        ((None, NOON + WINDOW), (None, NOON), 10 * REACH, True),
        ((None, NOON + WINDOW + 1), (None, NOON), 2, False),
        ((None, None), (NOON, None), 1 + REACH, True),
        ((None, None), (NOON, None), 2 + REACH, False),
        ((NOON, None), (None, None), 1 + REACH, True),
        ((NOON, None), (None, None), 2 + REACH, False),
    ],
)
def test_the_window_is_of_dates_declared_or_read_else_of_inbox_numbers(own, told, inbox, admits):
    one = msgspec.structs.replace(REPORT, minutes=own[0], text_minutes=own[1], inbox=inbox)
    other = msgspec.structs.replace(article(GRAIN[0]), minutes=told[0], text_minutes=told[1])
    assert is_open(one, candidate(1, other), MODEL.tuning) is admits


def test_a_copy_carries_the_window():
    one = msgspec.structs.replace(REPORT, minutes=NOON + 20 * DAY)
    assert not is_open(one, candidate(1, article(GRAIN[0])), MODEL.tuning)
    assert is_open(one, candidate(1, article(GRAIN[0]), copies=[NOON + 10 * DAY]), MODEL.tuning)


@pytest.mark.parametrize(("cap", "admits"), [(2, False), (3, True)])
def test_a_full_story_takes_no_more_reports(cap, admits):
    full = candidate(1, article(GRAIN[0]), copies=[NOON])
    assert is_open(REPORT, full, model_with(story_cap=cap).tuning) is admits


TEXTS = [*GRAIN, STRIKE, AGAIN, (GRAIN[0][0], STRIKE[1]), (STRIKE[0], GRAIN[1][1])]


@pytest.mark.slow
@given(st.permutations(range(len(TEXTS))), st.sets(st.integers(0, len(TEXTS) - 1)), st.none() | st.just(NOON))
@settings(max_examples=40, deadline=None)
def test_answers_do_not_depend_on_how_the_index_grew(order, replaced, minutes):
    rows = []
    for number, text in enumerate(TEXTS):
        one = article(text, NOON, number)
        rows.append(IndexedStory(number, f"s{number}", blob_of(one), number))
    loaded = StoryIndex(MODEL, rows)
    grown = StoryIndex(MODEL)
    grown.add_story(IndexedStory(99, "gone", rows[0].blob, 1))
    for number in order:
        other = rows[(number + 1) % len(rows)]
        grown.add_story(rows[number]._replace(blob=other.blob) if number in replaced else rows[number])
    for number in sorted(replaced):
        grown.replace_story(rows[number])
    grown.remove_story(99)
    for text in TEXTS:
        one = article(text, minutes, 50)
        assert grown.candidates(one) == loaded.candidates(one)


UNRELATED = (
    "quilt", "walrus", "sonnet", "violin", "meadow", "lantern", "pepper", "glacier", "kettle", "orchid",
)  # fmt: skip


def test_what_was_read_of_a_story_is_read_again_after_the_story_changed():
    index = index_of(GRAIN[0], STRIKE, AGAIN)
    cache: StoryCache[str] = StoryCache(most=2)
    asked: list[int] = []

    def read(missing: Sequence[Candidate]) -> dict[int, str]:
        asked.extend(one.number for one in missing)
        return {one.number: f"read of {one.story}" for one in missing}

    first_two = [index.story(1), index.story(2)]
    assert cache.get(first_two, read) == cache.get(first_two, read) == {1: "read of s1", 2: "read of s2"}
    assert asked == [1, 2]
    index.replace_story(IndexedStory(2, "s2", blob_of(article(STRIKE)), 9))
    cache.get([index.story(1), index.story(2)], read)
    assert asked == [1, 2, 2]
    cache.get([index.story(3)], read)  # there is room for two: the first one goes
    assert cache.kept(index.story(1)) is None
    assert cache.kept(index.story(2)) == "read of s2"


def test_neighbours_share_terms_and_a_window():
    index = StoryIndex(MODEL)
    placed = (
        (GRAIN[0], NOON),
        (GRAIN[1], NOON + DAY),
        (GRAIN[2], NOON + 30 * DAY),
        (STRIKE, NOON),
        (AGAIN, None),
    )
    for number, (text, minutes) in enumerate(placed, start=1):
        index.add_story(IndexedStory(number, f"s{number}", blob_of(article(text, minutes)), number))
    assert [story.number for story in index.neighbours(1)] == [2]
    assert [story.number for story in index.neighbours(3)] == []
    assert [story.number for story in index.neighbours(4)][:1] == [5]
    with pytest.raises(KeyError):
        index.neighbours(99)


def test_sweeping_takes_out_what_nothing_reaches_and_changes_no_answer():
    index = StoryIndex(MODEL)
    for number in (1, 2, 3):
        blob = blob_of(article(GRAIN[0], NOON, number))
        index.add_story(IndexedStory(number, f"s{number}", blob, number))
    newcomer = article(GRAIN[1], NOON, 3 + MODEL.tuning.live_reach)
    before = index.candidates(newcomer)
    assert index.sweep(newcomer.inbox) == [1, 2]
    assert len(index) == 1
    assert 3 in index
    assert index.candidates(newcomer) == before == [index.story(3)]


def test_a_story_of_several_reports_leaves_as_one_of_a_single_report_does():
    model = shipped_model(Tuning({"events": {"live_reach": 10}}))
    index = StoryIndex(model)
    pair = centroid.Centroid()
    for text in (GRAIN[0], GRAIN[2]):
        pair = centroid.add(pair, article(text))
    index.add_story(IndexedStory(1, "single", blob_of(article(GRAIN[0], NOON)), 1))
    index.add_story(IndexedStory(2, "several", centroid.to_bytes(pair, model), 1))
    for inbox, live in ((11, [1, 2]), (12, [])):
        newcomer = article(GRAIN[1], NOON, inbox)
        assert sorted(story.number for story in index.candidates(newcomer)) == live
        assert [number for number in (1, 2) if index.is_live(number, inbox)] == live
    assert index.sweep(11) == []
    assert index.sweep(12) == [1, 2]


def test_a_story_older_than_the_window_leaves_after_a_while():
    model = shipped_model(Tuning({"events": {"kept_reach": 10}}))
    index = StoryIndex(model)
    index.add_story(IndexedStory(1, "s1", blob_of(article(GRAIN[0], NOON)), 1))
    index.undated_from = 2
    assert index.is_live(1, 11)
    assert not index.is_live(1, 12), "it was accepted before the window, and 11 numbers ago"
    index.undated_from = 1
    assert index.is_live(1, 12)


def test_means_that_are_not_in_memory_are_read_and_nothing_else_differs():
    model = shipped_model(Tuning({"events": {"summaries_kept": 1}}))
    rows = {
        number: IndexedStory(number, f"s{number}", blob_of(article(text, NOON, number)), number)
        for number, text in enumerate(TEXTS)
    }
    read: list[int] = []

    def reading(numbers: Iterable[int]) -> list[IndexedStory]:
        read.extend(numbers)
        return [rows[number] for number in numbers]

    whole = StoryIndex(model, rows.values())
    light = StoryIndex(model, rows.values(), read=reading)
    for text in TEXTS:
        one = article(text, NOON, 50)
        assert light.candidates(one) == whole.candidates(one)
    assert [light.neighbours(number) for number in rows] == [whole.neighbours(number) for number in rows]
    assert set(read) == set(rows)
    assert sum(light.kept(number) is not None for number in rows) == 1
    light.remove_story(3)
    assert 3 not in light
    assert light.get(3) is None
    assert light.numbers() == [0, 1, 2, 4, 5, 6]


@given(
    st.lists(st.sets(st.sampled_from(UNRELATED), min_size=1), min_size=1, max_size=12),
    st.integers(1, 5),
    st.sampled_from((0, 2_000)),
)
@settings(max_examples=40, deadline=None)
def test_candidates_are_those_that_share_most_keys_of_those_that_are_open(words, most, examined):
    model = dataclasses.replace(MODEL, tuning=msgspec.structs.replace(MODEL.tuning, candidates=most))
    one = article(("", " ".join(UNRELATED)), NOON, 50)
    late = NOON + 2 * int(model.tuning.window_days) * DAY
    rows, closed = [], set()
    for number, some in enumerate(words):
        closed |= {number} if number % 3 == 2 else set()
        told = article(("", " ".join(sorted(some))), late if number in closed else NOON, number)
        rows.append(IndexedStory(number, f"s{number}", blob_of(told), number))
    index = StoryIndex(model, rows)
    own = index._buckets(one.terms)
    shared = {n: len(own & index._buckets(index.story(n).summary.trimmed)) for n in range(len(rows))}
    ranked = sorted((n for n in shared if shared[n] and n not in closed), key=lambda n: (-shared[n], -n))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(story_index, "_EXAMINED_AT_ONCE", examined)
        assert [found.number for found in index.candidates(one)] == ranked[:most]


def test_an_index_is_not_built_from_a_damaged_row():
    row = IndexedStory(1, "s1", blob_of(article(GRAIN[0])), 1)
    for blob in (row.blob[:-4], row.blob[:-1], b"", b"\xff" + row.blob[1:]):
        with pytest.raises(ValueError, match="centroid"):
            StoryIndex(MODEL, [row, IndexedStory(2, "s2", blob, 2)])


def test_the_index_refuses_what_it_has_and_what_it_has_not():
    index = StoryIndex(MODEL)
    row = IndexedStory(1, "s1", centroid.to_bytes(centroid.Centroid(), MODEL), 1)
    index.add_story(row)
    with pytest.raises(ValueError, match="already"):
        index.add_story(row)
    with pytest.raises(KeyError):
        index.replace_story(row._replace(number=2))
    with pytest.raises(KeyError):
        index.remove_story(2)
