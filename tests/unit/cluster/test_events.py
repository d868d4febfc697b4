"""Candidates and decisions about invented events."""

import dataclasses
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.cluster.events import centroid, story_index
from aggregator.cluster.events.scorer import Candidate, Decision, Scorer, ScoringInput, decide
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


class Rig:
    """Places articles as the store would: rows in a dict, the index beside them."""

    def __init__(self, model: EventModel = MODEL) -> None:
        self.model = model
        self.index = StoryIndex(model)
        self.scorer = Scorer(model)
        self.rows: dict[str, IndexedStory] = {}

    def decide(self, one: ScoringInput) -> Decision:
        return decide(one, self.index.candidates(one), self.scorer)

    def place(self, one: ScoringInput) -> tuple[str, Decision]:
        decision = self.decide(one)
        story = decision.story or f"s{one.inbox}"
        before = centroid.from_bytes(self.rows[story].blob) if story in self.rows else centroid.Centroid()
        member = one.member(self.model)
        after = (
            centroid.add(before, member, self.model)
            if decision.counts_in_centroid
            else centroid.add_silent(before, one.minutes)
        )
        for taken in decision.absorbed_stories:
            row = self.rows.pop(taken)
            after = centroid.merge(after, centroid.from_bytes(row.blob), self.model)
            self.index.remove_story(row.number)
        number = self.rows[story].number if story in self.rows else one.inbox
        row = IndexedStory(number, story, centroid.to_bytes(after, self.model), one.inbox)
        (self.index.replace_story if story in self.rows else self.index.add_story)(row)
        self.rows[story] = row
        return story, decision


def blob_of(one: ScoringInput) -> bytes:
    return centroid.to_bytes(centroid.add(centroid.Centroid(), one.member(MODEL), MODEL), MODEL)


def model_with(**tuning: float) -> EventModel:
    return dataclasses.replace(MODEL, tuning=msgspec.structs.replace(MODEL.tuning, **tuning))


def test_reports_of_one_event_make_one_story_and_another_event_its_own():
    rig = Rig()
    placed = [rig.place(article(text, NOON + i, i + 1))[0] for i, text in enumerate((*GRAIN, STRIKE, AGAIN))]
    assert placed == ["s1", "s1", "s1", "s4", "s4"]


# Ids that differ in their upper bits alone, and ids that do not.
_IDS = st.integers(0, 30).map(lambda n: n % 8 << 16 | n // 8)


@given(st.sets(_IDS), st.lists(_IDS))
def test_shared_terms_are_those_with_the_same_id(mine: set[int], theirs: list[int]) -> None:
    known, given_ = sorted(mine), np.array(theirs, dtype=np.uint32)
    scorer = Scorer(MODEL)
    for _ in range(2):  # nothing is left of a question when the next one is asked
        places, at_mine = scorer._shared_places(np.array(known, dtype=np.uint32), given_)
        assert places.tolist() == [place for place, one in enumerate(theirs) if one in mine]
        assert [known[place] for place in at_mine] == [one for one in theirs if one in mine]


def test_shares_add_up_to_the_score_and_the_rival_is_named():
    rig = Rig()
    rig.place(article(STRIKE, inbox=1))
    rig.place(article(GRAIN[0], inbox=2))
    decision = decide(article(GRAIN[1], inbox=3), [rig.index.story(1), rig.index.story(2)], rig.scorer)
    evidence = decision.evidence
    total = evidence.bias
    for reason in evidence.reasons:
        total += reason.share
    assert decision.story == "s2"
    assert total == evidence.score >= evidence.need
    assert evidence.runner_up.story == "s1"
    assert evidence.runner_up.score < evidence.score
    rival = sum(reason.share for reason in evidence.runner_up.reasons)
    assert evidence.bias + rival == pytest.approx(evidence.runner_up.score, abs=1e-9)
    words = PACKER.readable_terms(*GRAIN[1], "en")
    assert {words[id_].lower() for id_ in decision.shared} & {"grain", "ellory", "basin", "harbour"}


@pytest.mark.parametrize(("days", "joins"), [(0, True), (2, True), (15, False), (-2, True), (-15, False)])
def test_dates_far_apart_keep_reports_apart(days, joins):
    rig = Rig()
    rig.place(article(GRAIN[0]))
    assert (rig.place(article(GRAIN[1], NOON + days * DAY, 2))[0] == "s1") is joins


def test_the_window_is_a_wall_before_and_after_the_nearest_dated_member():
    near_enough = model_with(threshold=-99.0, cohesion=0.0)
    for days, open_ in ((14, True), (-14, True), (14.01, False), (-14.01, False)):
        rig = Rig(near_enough)
        rig.place(article(GRAIN[0]))
        assert (
            rig.decide(article(GRAIN[1], NOON + int(days * DAY) + (days > 14), 2)).story is not None
        ) is open_


def test_a_copy_carries_the_window_without_weight():
    rig = Rig(model_with(threshold=-99.0, cohesion=0.0))
    rig.place(article(GRAIN[0]))
    row = rig.rows["s1"]
    with_copy = centroid.add_silent(centroid.from_bytes(row.blob), NOON + 10 * DAY)
    rig.index.replace_story(row._replace(blob=centroid.to_bytes(with_copy, MODEL)))
    assert rig.decide(article(GRAIN[1], NOON + 20 * DAY, 2)).story == "s1"


def test_undated_articles_are_bounded_by_inbox_numbers():
    for minutes in (None, NOON):
        rig = Rig()
        rig.place(article(GRAIN[0], minutes, 1))
        reach = MODEL.tuning.undated_reach
        assert rig.decide(article(GRAIN[1], None, 1 + reach)).story == "s1"
        assert rig.decide(article(GRAIN[1], None, 2 + reach)).story is None
    rig = Rig()
    rig.place(article(GRAIN[0], NOON, 1))
    assert rig.decide(article(GRAIN[1], NOON, 2 + MODEL.tuning.undated_reach)).story == "s1"


def test_a_full_story_takes_no_more_reports():
    rig = Rig(model_with(story_cap=2))
    placed = [rig.place(article(text, NOON, i + 1))[0] for i, text in enumerate(GRAIN)]
    assert placed == ["s1", "s1", "s3"]


def test_a_headline_alone_is_asked_for_less():
    rig = Rig()
    rig.place(article(GRAIN[0], inbox=1))
    rig.place(article(GRAIN[1], inbox=2))
    headline = article((GRAIN[2][0], ""), NOON, 3)
    decision = rig.decide(headline)
    assert decision.story == "s1"
    assert decision.evidence.need == MODEL.tuning.threshold
    assert "no_body" in {reason.name for reason in decision.evidence.reasons}


def test_a_report_takes_a_live_blog_in_and_keeps_its_own_story():
    rig = Rig()
    first, decision = rig.place(
        article(("Live: grain slide in Port Ellory", GRAIN[0][1]), NOON, 1, container=True)
    )
    assert (decision.role, decision.counts_in_centroid) == ("container", True)
    story, decision = rig.place(article(GRAIN[1], NOON, 2))
    assert decision.story is None
    assert decision.absorbed_stories == (first,)
    assert decision.evidence.score >= decision.evidence.need
    assert set(rig.rows) == {story}


def test_a_live_blog_joins_reports_without_weight_in_either_order():
    blog = ("Live: grain slide in Port Ellory", GRAIN[0][1])
    ends = []
    for order in ((blog, GRAIN[1], GRAIN[2]), (GRAIN[1], blog, GRAIN[2]), (GRAIN[1], GRAIN[2], blog)):
        rig = Rig()
        for number, text in enumerate(order, start=1):
            rig.place(article(text, NOON, number, container=text is blog))
        ends.append([row.blob for row in rig.rows.values()])
    assert ends[0] == ends[1] == ends[2]
    assert len(ends[0]) == 1


@given(st.floats(0, 20), st.sampled_from([NOON, None]), st.booleans())
def test_a_live_blog_needs_more_than_a_report_as_no_second_look_moves_it(cohesion, minutes, has_text):
    text = (STRIKE[0], STRIKE[1] if has_text else "")
    report, blog = article(text, minutes), article(text, minutes, container=True)
    more = blog.need(cohesion, MODEL) - report.need(cohesion, MODEL)
    assert more == pytest.approx(MODEL.tuning.leave_below)


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
        assert decide(one, grown.candidates(one), Scorer(MODEL)) == decide(
            one, loaded.candidates(one), Scorer(MODEL)
        )


def test_scores_do_not_depend_on_the_company():
    rig = Rig()
    for number, text in enumerate((GRAIN[0], STRIKE), start=1):
        rig.place(article(text, NOON, number))
    one = article(GRAIN[1], NOON, 5)
    found = [rig.index.story(1), rig.index.story(2)]
    together = rig.scorer.score(one, found)
    alone = [rig.scorer.score(one, [each])[0] for each in found]
    assert [(each.score, each.reasons) for each in alone] == [(each.score, each.reasons) for each in together]
    assert rig.scorer.score(one, found[::-1]) == together[::-1]


def test_a_crowd_of_stories_nearly_as_close_asks_for_more():
    rig = rig_of(GRAIN[0], GRAIN[2], STRIKE)
    one = article(GRAIN[1], NOON, 5)
    grain, again, strike = (rig.scorer.score(one, [rig.index.story(n)])[0] for n in (1, 2, 3))
    crowded = rig.scorer.score(one, [rig.index.story(n) for n in (1, 2, 3)])
    tuning = MODEL.tuning
    above = [max(other.score - tuning.rival_from, 0.0) for other in (again, strike)]
    expected = grain.need + tuning.rival_share * sum(above) / tuning.rival_stories
    assert crowded[0].need == pytest.approx(expected)
    assert crowded[0].need > grain.need
    headline = msgspec.structs.replace(one, body_words=0)
    assert {each.need for each in rig.scorer.score(headline, [rig.index.story(n) for n in (1, 2)])} == {0.0}


UNRELATED = (
    "quilt", "walrus", "sonnet", "violin", "meadow", "lantern", "pepper", "glacier", "kettle", "orchid",
)  # fmt: skip


@given(st.lists(st.lists(st.sampled_from(UNRELATED), min_size=1, max_size=12), max_size=6))
@settings(max_examples=30, deadline=None)
def test_stories_that_share_no_word_change_no_decision(others):
    index = rig_of(GRAIN[0], GRAIN[2], STRIKE).index
    one = article(GRAIN[1], NOON, 99)
    before = decide(one, index.candidates(one), Scorer(MODEL))
    for number, words in enumerate(others, start=10):
        text = (" ".join(words), " ".join(reversed(words)))
        index.add_story(IndexedStory(number, f"s{number}", blob_of(article(text)), number))
    assert decide(one, index.candidates(one), Scorer(MODEL)) == before


def test_what_was_read_of_a_story_is_read_again_after_the_story_changed():
    index = rig_of(GRAIN[0], STRIKE, AGAIN).index
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


def test_a_crowd_is_counted_up_to_the_highest_few():
    rig = Rig()
    tuning = MODEL.tuning
    many = [3.0, 1.0, -1.0, 2.0, -9.0, 5.0, 0.0]
    five = sorted(many, reverse=True)[: tuning.rival_stories]
    assert rig.scorer.crowd(many) == rig.scorer.crowd(five) == rig.scorer.crowd(many[::-1])
    assert rig.scorer.crowd([tuning.rival_from, -50.0]) == rig.scorer.crowd([]) == 0.0


VETO = Reason(name="veto:figures", value=1.0, share=-99.0)


def test_a_veto_is_a_share_of_the_score_and_is_named():
    rig = Rig()
    rig.place(article(GRAIN[0]))
    one = article(GRAIN[1], inbox=2)
    found = rig.index.candidates(one)
    free = decide(one, found, rig.scorer)
    against = decide(one, found, rig.scorer, lambda ones: [(VETO,)] * len(ones))
    assert (free.story, against.story) == ("s1", None)
    assert against.evidence.vetoes == (VETO.name,)
    rival = against.evidence.runner_up
    assert rival.score == free.evidence.score + VETO.share
    assert rival.reasons[-1] == VETO
    shares = sum(reason.share for reason in rival.reasons)
    assert against.evidence.bias + shares == pytest.approx(rival.score, abs=1e-9)
    light = msgspec.structs.replace(VETO, share=-0.5)
    softened = decide(one, found, rig.scorer, lambda ones: [(light,)] * len(ones))
    assert softened.story == "s1"
    assert softened.evidence.reasons == (*free.evidence.reasons, light)
    assert softened.evidence.score == free.evidence.score - 0.5


def test_a_veto_against_the_best_story_leaves_the_next_one():
    rig = rig_of(GRAIN[0], GRAIN[2], STRIKE)
    one = article(GRAIN[1], inbox=9)
    found = [rig.index.story(number) for number in (1, 2, 3)]
    best = decide(one, found, rig.scorer)
    second = decide(
        one, found, rig.scorer, lambda ones: [(VETO,) if each.story == best.story else () for each in ones]
    )
    assert {best.story, second.story} == {"s1", "s2"}
    assert second.evidence.vetoes == (VETO.name,)


def rig_of(*texts: tuple[str, str]) -> Rig:
    """Stories of one article each, numbered from 1."""
    rig = Rig()
    for number, text in enumerate(texts, start=1):
        rig.index.add_story(IndexedStory(number, f"s{number}", blob_of(article(text)), number))
    return rig


def scorer_with(slack: float) -> Scorer:
    return Scorer(dataclasses.replace(MODEL, tuning=msgspec.structs.replace(MODEL.tuning, slack=slack)))


def test_scores_are_corrected_for_the_best_stories_down_to_the_slack():
    rig = rig_of(GRAIN[0], STRIKE, GRAIN[2])
    one = article(GRAIN[1], inbox=9)
    found = [rig.index.story(number) for number in (1, 2, 3)]
    ranked = sorted(rig.scorer.score(one, found), key=lambda each: -each.score)
    best, _, strike = (each.candidate.story for each in ranked)
    assert strike == "s2"
    missed = ranked[-1].need - ranked[-1].score
    assert missed > 0

    def asked(slack: float, **limits: int) -> list[str]:
        stories: list[str] = []

        def note(candidates: Sequence[Candidate]) -> list[tuple[Reason, ...]]:
            stories.extend(candidate.story for candidate in candidates)
            return [() for _ in candidates]

        decide(one, found, scorer_with(slack), note, **limits)
        return stories

    assert asked(0.0) == [each.candidate.story for each in ranked[:2]]
    assert asked(slack=missed + 0.01) == [each.candidate.story for each in ranked]
    assert asked(slack=missed - 0.01) == [each.candidate.story for each in ranked[:2]]
    assert asked(slack=missed + 0.01, most=1) == [best]


def test_a_correction_lifts_a_story_within_the_slack_above_its_need():
    rig = Rig()
    rig.place(article(STRIKE))
    one = article(GRAIN[1], inbox=2)
    found = [rig.index.story(1)]
    (scored,) = rig.scorer.score(one, found)
    same = Reason(name="pair model", value=1.0, share=scored.need - scored.score + 1.0)
    missed = scored.need - scored.score
    assert decide(one, found, scorer_with(missed - 0.01), lambda ones: [(same,)] * len(ones)).story is None
    joined = decide(one, found, scorer_with(missed + 0.01), lambda ones: [(same,)] * len(ones))
    assert joined.story == "s1"
    assert joined.evidence.reasons[-1] == same
    assert joined.evidence.vetoes == ()


def test_no_other_than_the_compared_stories_is_joined():
    rig = rig_of(GRAIN[0], GRAIN[2])
    one = article(GRAIN[1], inbox=9)
    found = [rig.index.story(number) for number in (1, 2)]
    assert decide(one, found, rig.scorer, lambda ones: [(VETO,)] * len(ones), most=1).story is None


def test_a_long_text_without_a_date_has_a_lower_need_and_no_rivals():
    rig = rig_of(GRAIN[0], GRAIN[2])
    pair = centroid.Centroid()
    for text in (GRAIN[0], GRAIN[2]):
        pair = centroid.add(pair, article(text).member(MODEL), MODEL)
    rig.index.add_story(IndexedStory(3, "s3", centroid.to_bytes(pair, MODEL), 3))
    tuning = MODEL.tuning
    undated = msgspec.structs.replace(article(GRAIN[1], None, 9), body_words=tuning.long_words)
    short = msgspec.structs.replace(undated, body_words=tuning.long_words - 1)
    found = [rig.index.story(number) for number in (1, 2, 3)]
    cohesion = found[2].summary.cohesion
    assert rig.scorer.score(undated, found)[2].need == max(
        tuning.threshold, tuning.undated_cohesion * cohesion
    )
    assert rig.scorer.score(short, found)[2].need > tuning.cohesion * cohesion


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


def test_of_old_stories_those_of_one_report_leave_first():
    model = shipped_model(Tuning({"events": {"live_reach": 10, "several_factor": 2.0}}))
    index = StoryIndex(model)
    one = article(GRAIN[0], NOON)
    pair = centroid.Centroid()
    for text in (GRAIN[0], GRAIN[2]):
        pair = centroid.add(pair, article(text).member(model), model)
    index.add_story(IndexedStory(1, "single", blob_of(one), 1))
    index.add_story(IndexedStory(2, "several", centroid.to_bytes(pair, model), 1))
    for inbox, live in ((11, [1, 2]), (12, [2]), (21, [2]), (22, [])):
        newcomer = article(GRAIN[1], NOON, inbox)
        assert sorted(story.number for story in index.candidates(newcomer)) == live
        assert [number for number in (1, 2) if index.is_live(number, inbox)] == live
    assert index.sweep(21) == [1]
    assert index.sweep(22) == [2]
    assert not index.is_live(2, 22)


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
