"""Shingles and MinHash signatures; datasketch's own class is the oracle."""

import subprocess
import sys
from random import Random

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.grouping.copies.minhash import PERMUTATIONS, estimate, sign
from aggregator.grouping.copies.shingles import (
    shared_count,
    shared_passages,
    shingle_hashes,
    shingle_sequence,
    words,
)
from tests.support.tables import each_row

SEED = 1
PINNED_HASHES = "5b88d0094c72ae1246187c052339ab0a"


def prose(seed: int, count: int) -> str:
    rng = Random(seed)
    return " ".join(
        "".join(rng.choices("abdeiklmnoprstu", k=rng.randint(2, 8)))
        for _ in range(count)
    )


def oracle(text: str, seed: int = SEED) -> MinHash:
    sketch = MinHash(num_perm=PERMUTATIONS, seed=seed, scheme="affine32", hashfunc=int)
    for value in shingle_hashes(text).tolist():
        sketch.update(value >> 32)
    return sketch


# --- words and shingles ------------------------------------------------------------------------------------


@each_row("signature", "spelling without meaning makes no difference", "left", "right")
def test_spelling_without_meaning_makes_no_difference(left: str, right: str) -> None:
    assert words(left) == words(right)
    assert np.array_equal(shingle_hashes(left), shingle_hashes(right))
    assert len(shingle_hashes(left))


def test_words_of_many_scripts() -> None:
    assert words("नमस्ते दुनिया") == ["नमस्ते", "दुनिया"]
    assert words("Москва́ сегодня") == ["москва́", "сегодня"]
    assert words("中国新闻 and abc中") == ["中", "国", "新", "闻", "and", "abc", "中"]
    assert words("한국 뉴스") == ["한국", "뉴스"]
    assert words("؟ — … !!") == []


def test_order_of_words_matters_and_repeats_do_not() -> None:
    assert not shared_count(
        shingle_hashes("one two three"), shingle_hashes("three two one")
    )
    assert np.array_equal(
        shingle_hashes("a b c a b c a b c a"), shingle_hashes("a b c a b c a")
    )


def test_a_script_without_spaces_has_five_character_shingles() -> None:
    base = "昨日东京市中心举行了大型活动吸引数千人"
    assert len(shingle_sequence(base)) == len(base) - 4
    assert (
        shared_count(shingle_hashes(base), shingle_hashes("前缀" + base))
        == len(base) - 4
    )
    assert shared_count(shingle_hashes("东京市中"), shingle_hashes(base)) == 0
    assert len(shingle_hashes("东京市")) == 1


def test_mixed_scripts_keep_every_shingle_of_the_part_with_spaces() -> None:
    plain = prose(1, 20)
    mixed = "活动吸引数千人参加。 " + plain
    assert shared_count(shingle_hashes(plain), shingle_hashes(mixed)) == 18


@pytest.mark.parametrize(
    "text", ["", "one", "one two", "!!! ... ???", "中国", "\udc80 \x00"]
)
def test_less_than_a_shingle_is_nothing(text: str) -> None:
    assert len(shingle_hashes(text)) == 0
    assert sign(shingle_hashes(text), seed=SEED) == b""


@given(st.text(max_size=200), st.text(max_size=200))
@settings(max_examples=150)
def test_any_text_can_be_read(left: str, right: str) -> None:
    hashes = shingle_hashes(left)
    assert hashes.dtype == np.uint64
    assert np.all(hashes[1:] > hashes[:-1])
    assert len(shingle_sequence(left)) <= max(0, len(words(left)) - 2)
    for passage in shared_passages(left, right, limit=3):
        assert passage in left


# --- shared passages ---------------------------------------------------------------------------------------


def test_passages_are_the_longest_common_runs_as_the_first_text_has_them() -> None:
    a = "Intro. The Minister said: “We will rebuild the old harbour.” Later trains ran on all lines. End."
    b = "other words the minister said we will rebuild the old harbour then trains ran on all lines too"
    found = shared_passages(a, b, limit=5)
    assert list(found) == [
        "The Minister said: “We will rebuild the old harbour",
        "trains ran on all lines",
    ]
    assert [len(words(passage)) for passage in found] == [9, 5]
    assert shared_passages(a, b, limit=1) == found[:1]
    assert shared_passages(a, prose(1, 100), limit=5) == ()


def test_passages_of_a_script_without_spaces() -> None:
    found = shared_passages(
        "据报道昨日东京举行了大型活动。", "编者按：昨日东京举行了大型活动吗", limit=2
    )
    assert list(found) == ["昨日东京举行了大型活动"]


def test_passages_of_repetitive_texts_stay_linear() -> None:
    """20,000 equal words against 20,000: tried place by place this would be 4e8 steps."""
    found = shared_passages("na " * 20_000, "na " * 20_000, limit=3)
    assert len(words(found[0])) == 20_000


# --- signatures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 77, 2**32 - 1])
def test_signatures_hold_what_datasketch_makes(seed: int) -> None:
    text = prose(8, 200)
    signature = sign(shingle_hashes(text), seed=seed)
    assert (
        np.frombuffer(signature[5:], "<u4").tolist()
        == oracle(text, seed).digest().tolist()
    )
    assert len(signature) == 5 + 4 * PERMUTATIONS


def test_the_stored_layout_is_pinned() -> None:
    """A change here makes every stored signature worthless: it needs a new FORMAT."""
    signature = sign(
        shingle_hashes("The quick brown fox jumps over the lazy dog, 12 times"), seed=1
    )
    assert signature[:5].hex() == "0101000000"
    assert signature[5:21].hex() == PINNED_HASHES


def test_signatures_of_other_seeds_or_formats_are_not_compared() -> None:
    hashes = shingle_hashes(prose(1, 50))
    one, two = sign(hashes, seed=1), sign(hashes, seed=2)
    assert estimate(one, two) == 0.0
    assert estimate(one, b"\x63" + one[1:]) == 0.0
    assert estimate(b"\x01\x01", b"\x01\x01") == 0.0, "it is damaged"


def test_estimates_do_not_load_datasketch() -> None:
    """The main process ranks candidates and must stay small: datasketch brings scipy along."""
    code = (
        "import sys; from aggregator.grouping.copies import copy_check, minhash as signature;"
        "s = bytes([1, 1, "
        "0, 0, 0]) + bytes(512);assert signature.estimate(s, s) == 1.0;"
        "assert not {'datasketch', 'scipy'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.later
def test_signing_loads_no_scipy_and_leaves_datasketch_whole() -> None:
    code = (
        "import sys, numpy as np; from aggregator.grouping.copies.minhash import sign;assert "
        "sign(np.arange(9, dtype=np.uint64) << np.uint64(40), seed=1);assert 'scipy' not in sys.modules and "
        "'datasketch' not in sys.modules;used = sys.modules['datasketch.minhash'].MinHash;from datasketch "
        "import MinHash, MinHashLSH; assert MinHash is used and 'scipy' in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
