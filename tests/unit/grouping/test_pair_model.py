"""The pair model: features of two articles, their neighbours, the trees, and the shift by the stream."""

import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.grouping.pairs.hours import HoursTuning
from aggregator.grouping.pairs.neighbours import NEAR_DAYS, add_neighbours, nearest_of
from aggregator.grouping.pairs.pair_article import (
    Floats,
    PairArticle,
    beside_title,
    shared_beside_title,
)
from aggregator.grouping.pairs.pair_features import AT, FEATURES, GROUPS, pair_features
from aggregator.grouping.pairs.pair_model import (
    LEAST_COSINE,
    UNLIKE,
    ComparedPair,
    PairModel,
    PairTuning,
    Tree,
    TreeFile,
    compare_pairs,
    shift_between,
    stream_shift,
)
from aggregator.grouping.pairs.snapshot import (
    IDF_UNITS,
    StreamSnapshot,
    pack_frequencies,
)
from aggregator.grouping.pairs.term_codec import FIELDS, HASH_BITS, SCALE, pack
from aggregator.grouping.pairs.terms import TermPacker
from aggregator.grouping.pairs.weights import shipped_model
from aggregator.model.prepared import Kind
from tests.support.articles import DYKES, FLOOD, FLOOD_ELSEWHERE, STRIKE
from tests.support.events import article_of
from tests.support.tables import each_row

DAY = 24 * 60
NOON = 29_000_000
PACKER = TermPacker(shipped_model(Tuning()))
TUNING = Tuning().section("pairs", PairTuning)
HOURS = Tuning().section("hours", HoursTuning)
SHIPPED = PairModel()
EMPTY = StreamSnapshot((), {})
FLOODED = StreamSnapshot([pack_frequencies([PACKER.pack("", FLOOD, "en")[0]] * 40)], {})
LEVEE = "Levee breaks at Pennmouth, four dead"
_NUMBERS = itertools.count(1)


def article(
    title: str,
    text: str = "",
    outlet: str | None = "Herald",
    minutes: int | None = NOON,
) -> PairArticle:
    terms, words = PACKER.pack(title, text, "en")
    return stored_as(terms, title, minutes, outlet, body_words=words)


def stored_as(
    terms: bytes,
    title: str,
    minutes: int | None,
    outlet: str | None,
    *,
    body_words: int,
    is_opinion: bool = False,
) -> PairArticle:
    kind: Kind = "opinion" if is_opinion else "report"
    number = next(_NUMBERS)
    return PairArticle(
        article_of(
            terms,
            minutes,
            body_words,
            inbox_no=number,
            title=title,
            outlet=outlet,
            kind=kind,
        )
    )


def made(
    fields: Mapping[str, Sequence[int]],
    title: str = "",
    minutes: int | None = NOON,
    outlet: str | None = None,
    *,
    body_words: int = 100,
    is_opinion: bool = False,
) -> PairArticle:
    """An article of numbered words, each of weight 1."""
    ids = [
        FIELDS.index(name) << HASH_BITS | word
        for name, words in fields.items()
        for word in words
    ]
    terms = pack(np.array(ids, dtype=np.int64), np.full(len(ids), SCALE)).tobytes()
    return stored_as(
        terms, title, minutes, outlet, body_words=body_words, is_opinion=is_opinion
    )


def features(
    one: PairArticle, other: PairArticle, snapshot: StreamSnapshot = EMPTY
) -> dict[str, float]:
    return dict(
        zip(FEATURES, pair_features(one, [other], snapshot)[0].tolist(), strict=True)
    )


def rows_of(*rows: Mapping[str, float]) -> Floats:
    """Rows of features, of which all but these are 0."""
    return np.array([[row.get(name, 0.0) for name in FEATURES] for row in rows])


def compared(
    one: PairArticle, other: PairArticle, snapshot: StreamSnapshot = EMPTY
) -> ComparedPair:
    return compare_pairs(SHIPPED, one, [other], snapshot, HOURS)[0]


def come(
    articles: Sequence[PairArticle], snapshot: StreamSnapshot = EMPTY
) -> list[list[ComparedPair]]:
    """Compare each with those before it, as they come in."""
    decided = []
    for place, one in enumerate(articles):
        decided.append(
            compare_pairs(
                SHIPPED, one, articles[:place], snapshot, HOURS, has_come=True
            )
        )
    return decided


def are_equal(one: ComparedPair, other: ComparedPair) -> bool:
    return one.logit == other.logit and np.array_equal(one.features, other.features)


# --- features ----------------------------------------------------------------------------------------------


def test_features_of_two_articles_are_those_computed_by_hand() -> None:
    snapshot = StreamSnapshot((), {})
    snapshot.idf = np.zeros_like(EMPTY.idf)
    snapshot.idf[1:6] = np.array([6, 5, 4, 3, 2]) * IDF_UNITS
    snapshot.lead_idf, snapshot.factor = (
        snapshot.idf,
        np.full_like(EMPTY.factor, IDF_UNITS),
    )
    one = made(
        {
            "all": (1, 2, 3, 4),
            "title": (1, 2),
            "lead": (3, 4),
            "names": (1,),
            "num": (50,),
            "numu": (60,),
            "named": (1, 4),
        },
        "Diary, part 4",
        outlet="Herald",
        body_words=300,
    )
    other = made(
        {
            "all": (1, 2, 3, 5),
            "title": (1, 5),
            "lead": (2, 3),
            "names": (1, 2),
            "num": (51, 52),
            "numu": (61, 62),
            "named": (1, 5),
        },
        "Diary, part 5",
        NOON + 3 * DAY // 2,
        "Herald",
        is_opinion=True,
        body_words=40,
    )
    expected = {
        "stream_cosine": 3 / 4, "all": 3, "rare_shared": 2, "text_rarest": 6 + 5 + 4,
        "title_cosine": 36 / (61 * 40) ** 0.5, "title": 1, "title_shared": 1, "title_mass": 6 - 2.5,
        "title_rarest": 6, "title_in_lead_max": 1 / 2, "title_missing_max": 2 / 8, "titles_in_order": 2 / 3,
        "numbers_swapped": 1, "titles_loose_min": 1, "titles_loose_max": 1,
        "lead_cosine": 16 / (25 * 41) ** 0.5, "lead": 1, "lead_shared": 1, "lead_mass": 4 - 3,
        "lead_rarest": 4, "lead_missing_max": 3 / 7, "names": 1, "names_shared": 6,
        "names_missing_max": 5 / 11, "numbers_apart": 1, "days": 1.5,
        "shorter_words": 40, "longer_words": 300, "shorter_title": 2, "same_outlet": 1, "opinions": 1,
        "title_apart_max": 2, "named_apart_min": 2, "named_apart_max": 3, "named_shared": 6, "named": 1,
        "beside_shared": 4, "beside_cosine": 16 / (16 * 41) ** 0.5, "counts_apart": 1,
    }  # fmt: skip
    whole = dict.fromkeys(FEATURES, 0.0) | expected
    assert features(one, other, snapshot) == pytest.approx(whole)
    assert features(other, one, snapshot) == pytest.approx(whole)


def test_articles_without_a_common_word_share_nothing() -> None:
    one, other = (
        article("Quilt", "Walrus sonnet."),
        article("Violin", "Meadow lantern."),
    )
    found = features(one, other)
    nothing = [
        name
        for name in FEATURES
        if any(part in name for part in ("shared", "mass", "cosine"))
    ]
    assert {found[name] for name in (*FIELDS, *nothing)} == {0.0}
    assert found["title_missing_min"] == found["lead_missing_min"] == 1.0


def test_an_unknown_date_and_an_empty_title_are_features_too() -> None:
    found = features(article("", "", minutes=None), article(LEVEE, FLOOD))
    assert found["days"] == -1
    assert found["shorter_title"] == found["title_shared"] == found["title_cosine"] == 0


FRAME = (
    "titles_in_order", "titles_moved", "titles_loose_min", "titles_loose_max", "numbers_swapped",
    "names_swapped", "words_swapped",
)  # fmt: skip


@each_row(
    "pair_model",
    "titles of one pattern show what stands in the place of what",
    "one",
    "other",
    "frame",
)
def test_titles_of_one_pattern_show_what_stands_in_the_place_of_what(
    one: str, other: str, frame: str
) -> None:
    found = features(article(one), article(other))
    expected = [float(Fraction(share)) for share in frame.split()]
    assert [found[name] for name in FRAME] == pytest.approx(expected)


@each_row("pair_model", "one shared number is enough", "one", "other", "apart")
def test_one_shared_number_is_enough(
    one: tuple[int, ...], other: tuple[int, ...], apart: int
) -> None:
    assert features(made({"num": one}), made({"num": other}))["numbers_apart"] == apart


@each_row("pair_model", "an unknown outlet equals no other", "one", "other", "is_same")
def test_an_unknown_outlet_equals_no_other(
    one: str | None, other: str | None, is_same: int
) -> None:
    assert (
        features(article(LEVEE, "", one), article(LEVEE, "", other))["same_outlet"]
        == is_same
    )


def test_shared_words_count_beside_the_title_only() -> None:
    one = article(
        LEVEE, "Levee breaks at Pennmouth. Four dead, and a walrus in a quilt."
    )
    others = [
        article("Arrel", "The walrus slept."),
        article("Arrel", "A quilt. A levee at Pennmouth."),
    ]
    own = beside_title(one)
    both = shared_beside_title(own, others, EMPTY)
    assert (
        0.0
        < max(shared_beside_title(own, [other], EMPTY) for other in others)
        < both
        < 1.0
    )
    longer = article(
        "Arrel",
        "A quilt. A levee at Pennmouth. The ferries, the dredgers and the gondolas waited.",
    )
    assert shared_beside_title(own, [others[0], longer], EMPTY) < both, (
        "more words, as many shared"
    )
    assert shared_beside_title(own, [one], EMPTY) < 1.0, (
        "the words of the title are in its text, too"
    )
    assert shared_beside_title(own, [article(LEVEE, LEVEE)], EMPTY) == 0.0
    assert shared_beside_title(own, [], EMPTY) == 0.0


# --- neighbours --------------------------------------------------------------------------------------------


@each_row(
    "pair_model",
    "the compared pair is none of its neighbours",
    "similarities",
    "level",
    "rank",
)
def test_the_compared_pair_is_none_of_its_neighbours(
    similarities: tuple[float, ...], level: float, rank: int
) -> None:
    rows = rows_of(*({"all": one} for one in similarities))
    earlier, later = made({}), made({})
    later.nearest = nearest_of(rows)
    earlier.nearest = nearest_of(rows_of({"all": 0.4}, {"all": 0.2}))
    row = rows_of({"all": 0.3})
    for own, other in ((later, earlier), (earlier, later)):
        add_neighbours(row, own, [other])
        found = dict(zip(FEATURES, row[0].tolist(), strict=True))
        assert found["all_own_near"] == pytest.approx(level), "of the later one"
        assert found["all_own_rank"] == rank
        assert found["all_other_near"] == pytest.approx(0.3)
        assert found["all_other_rank"] == 1
        assert found["all_above"] == pytest.approx(0.6 - level - 0.3)


@pytest.mark.parametrize("days", [-1.0, NEAR_DAYS + 1.0])
def test_a_pair_that_is_not_near_in_time_takes_no_neighbour_away(days: float) -> None:
    own = made({})
    own.nearest = nearest_of(rows_of({"all": 0.3}, {"all": 0.1}))
    row = rows_of({"all": 0.3, "days": days})
    add_neighbours(row, own, [made({})])
    # `own` is the earlier one
    assert row[0, AT["all_other_near"]] == pytest.approx(0.2)


# --- trees -------------------------------------------------------------------------------------------------

_GROUPS = tuple(GROUPS)


def leaf(**shares: int) -> tuple[int, ...]:
    return tuple(shares.get(name, 0) for name in _GROUPS)


LEAVES = (
    leaf(texts=-900, titles=-300),
    leaf(texts=-900, titles=200),
    leaf(texts=700, days=400),
    leaf(texts=700, days=-1100),
)
DAYS = (leaf(days=50), leaf(days=-70))
TREES = TreeFile(
    about={},
    features=FEATURES,
    bias=-0.5,
    trees=(
        Tree(
            (AT["all"], AT["title"], AT["days"]),
            (0.3, 0.1, 2.0),
            (0b11111100, 0b11111110, 0b11111011),
            LEAVES,
        ),
        Tree((AT["days"],), (0.0,), (0b11111110,), DAYS),
    ),
)


def walk(row: Mapping[str, float]) -> list[tuple[int, ...]]:
    """The leaves that TREES reach, from the root on."""
    if row["all"] > 0.3:
        first = LEAVES[3] if row["days"] > 2.0 else LEAVES[2]
    else:
        first = LEAVES[1] if row["title"] > 0.1 else LEAVES[0]
    return [first, DAYS[row["days"] > 0.0]]


def test_trees_give_the_leaves_of_a_walk_from_their_roots() -> None:
    model = PairModel(msgspec.json.encode(TREES))
    rows = [
        {"all": one, "title": title, "days": days}
        for one in (0.1, 0.3, 0.31)
        for title in (0.0, 0.1, 0.2)
        for days in (-1.0, 0.0, 1.0, 2.0, 3.0)
    ]
    reached = [walk(row) for row in rows]
    assert {leaf for leaves in reached for leaf in leaves} == {*LEAVES, *DAYS}
    expected = [sum(map(sum, leaves)) / 1000 - 0.5 for leaves in reached]
    leaves = model.leaves(rows_of(*rows))
    assert model.logits(leaves).tolist() == pytest.approx(expected)
    shares = np.array(reached).sum(axis=(0, 1)) / 1000
    assert np.array_equal(model.shares(leaves), shares)


def test_trees_of_other_features_are_refused() -> None:
    others = replace(TREES, features=FEATURES[::-1])
    with pytest.raises(ValueError, match="other features"):
        PairModel(msgspec.json.encode(others))
    with pytest.raises(msgspec.ValidationError):
        PairModel(b'{"features": [], "trees": []}')


# --- comparison --------------------------------------------------------------------------------------------


def test_articles_that_share_too_little_are_not_compared() -> None:
    own = article(LEVEE, FLOOD)
    wordless, unlike = article("", ""), article("Quilt", "Walrus sonnet.")
    hardly = article("Dock workers walk out", STRIKE)
    assert 0 < features(own, hardly)["all"] < LEAST_COSINE
    for other in (wordless, unlike, hardly):
        [pair] = compare_pairs(SHIPPED, own, [other], EMPTY, HOURS, has_come=True)
        assert (pair.logit, pair.is_compared) == (UNLIKE, False)
        assert not own.nearest.any(), "nor are they neighbours"
    assert compare_pairs(SHIPPED, own, [], EMPTY, HOURS) == []
    alone, _ = compare_pairs(
        SHIPPED, own, [article(LEVEE, FLOOD), unlike], EMPTY, HOURS
    )
    assert alone.is_compared


_TEXTS = (FLOOD, FLOOD_ELSEWHERE, STRIKE, DYKES, "")
_STORED = st.tuples(
    st.sampled_from([LEVEE, "Pennmouth under water", "Levee 4", "Levee 5", "Dock workers walk out", ""]),
    st.builds(lambda text, first, count: " ".join(text.split()[first:][:count]),
              st.sampled_from(_TEXTS), st.integers(0, 40), st.integers(10, 90)),
    st.sampled_from(["Herald", "Echo", None]),
    st.none() | st.integers(NOON, NOON + 9 * DAY),
)  # fmt: skip


@pytest.mark.later
@given(st.lists(_STORED, min_size=2, max_size=9), st.sampled_from([EMPTY, FLOODED]))
@settings(max_examples=40)
def test_a_stored_pair_has_one_logit_whichever_is_compared_with_the_other(
    texts: list[tuple[str, str, str | None, int | None]], snapshot: StreamSnapshot
) -> None:
    stored = [article(*one) for one in texts]
    decided = come(stored, snapshot)
    for (at_one, one), (at_other, other) in itertools.combinations(
        enumerate(stored), 2
    ):
        pair = compared(one, other, snapshot)
        assert are_equal(pair, compared(other, one, snapshot))
        assert are_equal(pair, decided[at_other][at_one]), (
            "and the one with which the later was decided"
        )


# --- the stream --------------------------------------------------------------------------------------------


MANY = 10**9


@pytest.mark.parametrize("last", [0, 20, 100])
def test_the_usual_share_shifts_nothing(last: int) -> None:
    assert stream_shift(
        round(TUNING.stream_share * last), last, TUNING
    ) == pytest.approx(0.0, abs=1e-9)


def test_the_shift_rises_with_the_share_up_to_its_limit() -> None:
    shifts = [stream_shift(shared, 150, TUNING) for shared in range(0, 151, 15)]
    assert shifts == sorted(shifts)
    assert shifts[0] < 0 < shifts[-1] == TUNING.stream_most
    assert 0 < stream_shift(2, 2, TUNING) < stream_shift(10, 10, TUNING)


@pytest.mark.parametrize("share", [0.0, 0.35, 0.5])
def test_the_share_of_the_source_counts_half(share: float) -> None:
    stream = stream_shift(40, 90, TUNING)  # of a source that is unknown: as the stream
    source = TUNING.stream_slope * (share - TUNING.stream_share)
    shift = stream_shift(40, 90, TUNING, (MANY, round(share * MANY)))
    assert shift == pytest.approx((stream + source) / 2, abs=1e-6)


def test_a_low_share_counts_in_full_within_one_source_alone() -> None:
    low, high = stream_shift(0, 150, TUNING), stream_shift(150, 150, TUNING)
    long = " ".join([FLOOD] * 2)
    one, again, other = (article(LEVEE, long) for _ in range(3))
    other.source = "another"
    assert shift_between(low, [one, again], TUNING) == low < TUNING.stream_least
    assert shift_between(low, [one, other], TUNING) == TUNING.stream_least
    assert (
        shift_between(high, [one, other], TUNING)
        == shift_between(high, [one], TUNING)
        == high
    )


def test_a_high_share_lifts_no_body_of_a_few_words() -> None:
    low, high = stream_shift(0, 150, TUNING), stream_shift(150, 150, TUNING)
    long = article(LEVEE, " ".join([FLOOD] * 2))
    short = article(LEVEE, "Water stood in the streets of Pennmouth.")
    long.source = "another"
    assert 0 < short.body_words < TUNING.short_body_words <= long.body_words
    for pair in ([short, long], [long, short]):
        assert shift_between(high, pair, TUNING) == 0
        assert shift_between(low, pair, TUNING) == TUNING.stream_least
    assert shift_between(high, [article(LEVEE), long], TUNING) == high, (
        "a headline alone has no body"
    )


@each_row(
    "pair_model",
    "a headline alone joins its report in a quiet stream",
    "headline",
    "title",
    "text",
)
def test_a_headline_alone_joins_its_report_in_a_quiet_stream(
    headline: str, title: str, text: str
) -> None:
    need = shipped_model(Tuning()).tuning.threshold - TUNING.stream_least
    report = article(title, text)
    later = "Courier", NOON + 60
    assert compared(article(headline, "", *later), report).logit >= need
    elsewhere = article("Rail staff walk out in Tellin", "", *later)
    assert compared(elsewhere, report).logit < need


def test_a_source_begins_with_the_share_of_the_stream() -> None:
    shifts = [stream_shift(40, 90, TUNING, (count, 0)) for count in (0, 1, 5, 50, MANY)]
    assert shifts[0] == stream_shift(40, 90, TUNING)
    assert shifts == sorted(set(shifts), reverse=True)
