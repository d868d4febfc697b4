"""The index of sampled shingles equals its rows, whatever was added, removed, undone or loaded."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_check import CopyTuning
from aggregator.grouping.copies.sampled_shingles import (
    AHEAD,
    MOST_REACH,
    PassageIndex,
    filter_sketch,
    hashes_of_sketch,
    sketch,
)
from aggregator.grouping.copies.shingles import shingle_sequence
from tests.support.passages import entries
from tests.support.tables import numbered

TUNING = Tuning().section("copies", CopyTuning)
REACH, CAP = 40, 5


def stored(hashes: set[int], whole: int | None = None) -> bytes:
    """A sketch with these hashes, of a text that had `whole`."""
    values = np.array(sorted(hashes), dtype="<u4")
    return (len(values) if whole is None else whole).to_bytes(
        4, "little"
    ) + values.tobytes()


def test_an_index_covers_so_many_new_articles_and_none_before_its_reach() -> None:
    index = PassageIndex(reach=REACH, after=100)
    assert not index.covers(100 + REACH)
    assert index.covers(101 + REACH)
    assert index.covers(100 + REACH + AHEAD)
    assert not index.covers(101 + REACH + AHEAD)


def test_articles_that_an_index_cannot_tell_apart_are_not_mistaken_for_each_other() -> (
    None
):
    """An article has 20 bits: those before and after do not come round again."""
    index = PassageIndex(reach=REACH, after=100)
    for number in (100, 101, 99 + (1 << 20), 100 + (1 << 20), 101 + (1 << 20)):
        index.add(number, stored({1}))
    assert [number for number, _ in entries(index, 110)] == [101, 99 + (1 << 20)]
    index.remove(100, stored({1}))
    assert index.look_up(120, stored({1})).numbers.tolist() == [101]


def test_a_reach_beyond_what_a_number_can_hold_is_refused() -> None:
    PassageIndex(reach=MOST_REACH)
    with pytest.raises(ValueError, match="reach"):
        PassageIndex(reach=MOST_REACH + 1)


def test_a_full_hash_says_nothing_of_who_shares() -> None:
    rows = [
        (number, stored({1, 2, 100 + number}, whole=9)) for number in range(1, CAP + 1)
    ]
    index = PassageIndex(reach=REACH, rows=rows)
    look_up = index.look_up(10, stored({1, 2, 101, 777}))
    assert look_up.holders().tolist() == [CAP, CAP, 1, 0]
    assert look_up.holders(other_than=1).tolist() == [CAP - 1, CAP - 1, 0, 0]
    assert look_up.overlaps(1, CAP) == [(1, 1 / 4, True)]
    assert look_up.overlaps(2, CAP) == []
    assert look_up.overlaps(3, CAP + 1) == [(1, 3 / 4, True)]
    assert index.look_up(10, stored({101})).overlaps(2, CAP) == [(1, 1.0, True)], (
        "it shares all"
    )


# --- sketches ----------------------------------------------------------------------------------------------

WORDS = numbered("w%n", 400)


@given(st.integers(0, 10**6), st.integers(22, 120), st.integers(1, 25))
@settings(max_examples=60)
def test_a_shared_run_of_window_and_two_words_is_met(
    seed: int, length: int, window: int
) -> None:
    rng = Random(seed)
    shared = rng.choices(WORDS, k=max(length, window + 2))
    one, two = (
        rng.choices(WORDS, k=60) + shared + rng.choices(WORDS, k=60) for _ in range(2)
    )
    tuning = replace(TUNING, window=window)
    left, right = (
        set(
            hashes_of_sketch(sketch(shingle_sequence(" ".join(words)), tuning)).tolist()
        )
        for words in (one, two)
    )
    assert left & right


def test_a_sketch_says_how_many_hashes_its_text_had_whatever_it_holds() -> None:
    blob = sketch(shingle_sequence(" ".join(WORDS)), TUNING)
    hashes = hashes_of_sketch(blob)
    assert hashes.tolist() == sorted(set(hashes.tolist()))
    assert int(hashes.max()) < 1 << 30
    part = filter_sketch(blob, np.arange(len(hashes)) % 2 == 0)
    assert hashes_of_sketch(part).tolist() == hashes[::2].tolist()
    assert part[:4] == blob[:4] == len(hashes).to_bytes(4, "little")
    assert filter_sketch(blob, np.zeros(len(hashes), np.bool_)) == b""
    seven = replace(TUNING, sketch_hashes=7)
    assert len(hashes_of_sketch(sketch(shingle_sequence(" ".join(WORDS)), seven))) == 7
    assert (
        hashes_of_sketch(sketch(shingle_sequence("two words"), TUNING)).tolist() == []
    )
    assert hashes_of_sketch(b"").tolist() == []
