"""The stream snapshot: word frequencies of the last days, and what sources usually report."""

import numpy as np

from aggregator.config.tuning import Tuning
from aggregator.grouping.pairs.snapshot import (
    IDF_UNITS,
    StreamSnapshot,
    pack_frequencies,
)
from aggregator.grouping.pairs.terms import TermPacker
from aggregator.grouping.pairs.weights import shipped_model
from aggregator.text.vocabulary import term_hash

PACKER = TermPacker(shipped_model(Tuning()))
EMPTY = StreamSnapshot((), {})


def terms(text: str) -> bytes:
    return PACKER.pack("", text, "en")[0]


FLOOD, WALRUS = term_hash("w", "en", "flood"), term_hash("w", "en", "walrus")


def of_days(*days: list[str]) -> StreamSnapshot:
    return StreamSnapshot([pack_frequencies(map(terms, texts)) for texts in days], {})


def test_a_snapshot_needs_no_period() -> None:
    for idf in (EMPTY.idf, EMPTY.lead_idf, EMPTY.factor):
        assert idf.dtype == np.int16
        assert idf.min() >= 0
    assert EMPTY.idf[FLOOD] < EMPTY.idf[WALRUS], "as in the background table"


def test_a_word_that_fills_the_news_says_less() -> None:
    idf = [
        of_days(["flood and harbour"] * count + ["quilt"] * (100 - count)).idf
        for count in (0, 5, 50, 100)
    ]
    falling = [int(each[FLOOD]) for each in idf]
    assert falling == sorted(set(falling), reverse=True)
    assert falling[-1] < EMPTY.idf[FLOOD] - 2 * IDF_UNITS
    assert {int(each[WALRUS]) for each in idf} == {int(idf[0][WALRUS])}
    assert idf[0][WALRUS] > EMPTY.idf[WALRUS], "of more articles none has it"
    full = of_days(["flood"] * 100)
    assert full.lead_idf[FLOOD] < EMPTY.lead_idf[FLOOD]
    assert full.factor[FLOOD] < EMPTY.factor[FLOOD]


def test_a_day_out_of_the_window_is_forgotten() -> None:
    both, last = of_days(["flood"] * 30, ["grain"] * 30), of_days(["grain"] * 30)
    assert both.idf[FLOOD] < last.idf[FLOOD]


def test_dropped_frequencies_and_articles_without_terms_are_read_as_none() -> None:
    assert pack_frequencies([b"", b""])[0] == 2
    dropped, empty = (
        StreamSnapshot([(2, b"")], {}),
        StreamSnapshot([pack_frequencies([b"", b""])], {}),
    )
    assert np.array_equal(dropped.idf, empty.idf)
