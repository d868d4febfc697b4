"""A story's sums: exact whatever the order, and readable again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.cluster.events import centroid
from aggregator.cluster.events.centroid import Centroid, ScoringInput
from aggregator.cluster.events.term_codec import ids_of, read
from aggregator.cluster.events.terms import TermPacker
from aggregator.cluster.events.weights import shipped_model
from aggregator.config.tuning import Tuning

MODEL = shipped_model(Tuning())
PACKER = TermPacker(MODEL)
WORDS = (
    *("harbour", "grain", "crane", "mayor", "flood", "river", "bridge", "strike", "union", "wages"),
    *("1,250", "72", "percent", "Calloway", "Ellory", "Marlow"),
)

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=30).map(" ".join)
members = st.builds(
    lambda title, body, minutes, read: ScoringInput(
        PACKER.pack(title, body, "en"), minutes, text_minutes=None if minutes else read
    ),
    texts,
    texts,
    st.none() | st.integers(20_000_000, 20_060_000),
    st.none() | st.integers(20_000_000, 20_060_000),
)


def summed(given_members, start=None) -> Centroid:
    total = start or Centroid()
    for member in given_members:
        total = centroid.add(total, member)
    return total


def blob(total: Centroid) -> bytes:
    return centroid.to_bytes(total, MODEL)


@given(st.lists(members, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_leaves_no_trace(some, chance):
    shuffled = list(some)
    chance.shuffle(shuffled)
    assert blob(summed(shuffled)) == blob(summed(some))


@given(st.lists(members, max_size=4), st.lists(members, max_size=4))
@settings(max_examples=40, deadline=None)
def test_merging_commutes_and_equals_adding(left, right):
    a, b = summed(left), summed(right)
    assert blob(centroid.merge(a, b)) == blob(centroid.merge(b, a)) == blob(summed([*left, *right]))


@pytest.mark.slow
@given(st.lists(members, max_size=5), st.lists(st.none() | st.integers(0, 10**6), max_size=3))
@settings(max_examples=40, deadline=None)
def test_bytes_and_back(some, silent):
    total = summed(some)
    total = centroid.add_silent(total, silent)
    again = centroid.from_bytes(blob(total))
    assert blob(again) == blob(total)
    front = centroid.read_summary(blob(total))
    assert front.trimmed == centroid.trimmed(total, MODEL).astype("<u4").tobytes()
    assert (front.reports, front.silent, front.members) == (len(some), len(silent), len(some) + len(silent))


def test_a_silent_member_changes_nothing_but_count_and_dates():
    total = summed([ScoringInput(PACKER.pack("Harbour", "grain crane", "en"), 500)])
    with_copy = centroid.add_silent(total, [700])
    assert with_copy.members == 2
    assert with_copy.reports == 1
    assert centroid.trimmed(with_copy, MODEL).tobytes() == centroid.trimmed(total, MODEL).tobytes()


def test_a_date_read_in_a_text_bounds_a_story_and_is_no_declared_one():
    terms = PACKER.pack("Harbour", "grain crane", "en")
    undated, read = (summed([ScoringInput(terms, text_minutes=minutes)]) for minutes in (None, 700))
    front = centroid.read_summary(blob(read))
    assert (front.dates.tolist(), front.times) == ([700], b"")
    assert centroid.trimmed(read, MODEL).tobytes() == centroid.trimmed(undated, MODEL).tobytes()


@given(st.lists(members, max_size=5), st.lists(st.none() | st.integers(0, 10**6), max_size=3))
@settings(max_examples=30, deadline=None)
def test_all_members_at_once_are_the_same_as_one_by_one(some, silent):
    total = summed(some)
    for minutes in silent:
        total = centroid.add_silent(total, [minutes])
    assert blob(centroid.from_members(some, silent)) == blob(total)


def test_a_container_falls_silent_when_reports_come():
    report = summed([ScoringInput(PACKER.pack("Harbour", "grain crane", "en"), 500)])
    container = summed(
        [ScoringInput(PACKER.pack("Live: harbour", "grain mayor", "en"), 600, is_container=True)]
    )
    both = centroid.merge(report, container)
    assert blob(both) == blob(centroid.add_silent(report, [600]))
    assert blob(centroid.merge(container, report)) == blob(both)


def test_other_bytes_are_refused():
    with pytest.raises(ValueError, match="layout"):
        centroid.from_bytes(b"\xff\xff" + bytes(200))
    with pytest.raises(ValueError, match="layout"):
        centroid.read_summary(b"")


def test_one_report_is_stored_once():
    packed = PACKER.pack("Harbour", "grain crane flood river bridge", "en")
    one = blob(summed([ScoringInput(packed, 500)]))
    assert len(one) < len(packed) + 200
    assert sorted(ids_of(read(centroid.read_summary(one).trimmed)).tolist()) == sorted(
        ids_of(read(packed)).tolist()
    )
