"""The pair model: features of two articles, and each correction of the score by its reason."""

import itertools
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.cluster.events import centroid
from aggregator.cluster.events.pair_model import (
    FEATURES,
    PairArticle,
    PairComparison,
    PairModel,
    PairTuning,
    pair_features,
    shared_beside_title,
)
from aggregator.cluster.events.scorer import Scorer, ScoringInput
from aggregator.cluster.events.story_index import IndexedStory, StoryIndex
from aggregator.cluster.events.stream import StreamSnapshot
from aggregator.cluster.events.term_codec import FIELDS
from aggregator.cluster.events.terms import TermPacker
from aggregator.cluster.events.weights import shipped_model
from aggregator.config.tuning import Tuning
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, STRIKE

DAY = 24 * 60
NOON = 29_000_000
MODEL = shipped_model(Tuning())
PACKER = TermPacker(MODEL)
TUNING = msgspec.structs.replace(
    Tuning().section("pairs", PairTuning),
    judged_below=100,  # the texts of these tests are of middle length, which the trees do not judge
    judged_from=100,
)
SHIPPED = PairModel(MODEL, TUNING)
PENALTIES = PairModel(MODEL, msgspec.structs.replace(TUNING, linear_share=1.0))  # without the trees
EMPTY = StreamSnapshot(0, (), {})
KNOWN = StreamSnapshot(1, (), {"Blog": (200, 0), "Herald": (200, 90)})
LEVEE = "Levee breaks at Pennmouth, four dead"
GARDEN = "The beans are up and the pear tree needs its winter cut, so we fetched the ladder from the shed."
_NUMBERS = itertools.count(1)


def article(
    title: str,
    text: str = "",
    outlet: str | None = "Herald",
    minutes: int | None = NOON,
    language: str = "en",
    text_minutes: int | None = None,
    source: str | None = None,
) -> PairArticle:
    terms, words = PACKER.pack_counted(title, text, language)
    scoring = ScoringInput(terms, minutes, words, inbox=next(_NUMBERS), text_minutes=text_minutes)
    return PairArticle(scoring, outlet=outlet, title=title, source=source)


def features(one: PairArticle, other: PairArticle, snapshot: StreamSnapshot = EMPTY) -> dict[str, float]:
    return dict(zip(FEATURES, pair_features(one, [other], snapshot)[0].tolist(), strict=True))


def shares(comparison: PairComparison) -> dict[str, float]:
    return {reason.name: reason.share for reason in comparison.reasons}


def penalties(one: PairArticle, *others: PairArticle, snapshot: StreamSnapshot = KNOWN) -> dict[str, float]:
    return shares(PENALTIES.compare(one, others, snapshot))


def linear(
    title: str, text: str, minutes: int | None, other: tuple[str, str, int | None], language: str
) -> float:
    """The score of an article in the story of another one."""
    terms, words = PACKER.pack_counted(other[0], other[1], language)
    member = ScoringInput(terms, other[2], words).member(MODEL)
    blob = centroid.to_bytes(centroid.add(centroid.Centroid(), member, MODEL), MODEL)
    index = StoryIndex(MODEL, [IndexedStory(1, "s1", blob, 1)])
    terms, words = PACKER.pack_counted(title, text, language)
    return Scorer(MODEL).score(ScoringInput(terms, minutes, words, inbox=2), [index.story(1)])[0].score


# --- dates in texts ----------------------------------------------------------------------------------------


def test_a_date_in_a_text_helps_and_never_harms() -> None:
    report = article(LEVEE, FLOOD, "Blog")

    def gain(stated: int | None, minutes: int | None = None) -> float:
        own = article("Pennmouth under water", FLOOD_ELSEWHERE, minutes=minutes, text_minutes=stated)
        return shares(SHIPPED.compare(own, [report], EMPTY)).get("dates in the texts", 0.0)

    same_day, next_day = gain(NOON), gain(NOON + DAY)
    assert same_day > next_day > 0.0
    assert gain(NOON + 30 * DAY) == 0.0  # it may be the date of an event in the text
    assert gain(None) == 0.0
    assert gain(NOON, minutes=NOON) == 0.0  # a declared date is part of the linear score
    declared = linear("Pennmouth under water", FLOOD_ELSEWHERE, NOON, (LEVEE, FLOOD, NOON), "en")
    undated = linear("Pennmouth under water", FLOOD_ELSEWHERE, None, (LEVEE, FLOOD, NOON), "en")
    assert same_day < declared - undated


# --- outlets -----------------------------------------------------------------------------------------------


def test_what_another_feed_attributes_to_an_outlet_keeps_none_of_its_reports_apart() -> None:
    own = article(LEVEE, FLOOD, "Herald", source="herald")
    again = article("Pennmouth under water", GARDEN, "Herald", source="herald")
    attributed = article("Pennmouth under water", GARDEN, "Herald", source="junk")
    assert penalties(own, again)["same outlet"] < 0.0
    assert "same outlet" not in penalties(own, attributed)
    assert SHIPPED.compare(own, [attributed], EMPTY).matched == frozenset(), "nor does it make it news"


def test_shared_words_count_beside_the_title_only() -> None:
    one = article(LEVEE, "Levee breaks at Pennmouth. Four dead, and a walrus in a quilt.")
    others = [article("Arrel", "The walrus slept."), article("Arrel", "A quilt. A levee at Pennmouth.")]
    both = shared_beside_title(one, others, EMPTY)
    assert both == pytest.approx(sum(shared_beside_title(one, [other], EMPTY) for other in others))
    assert both > 2.0
    assert shared_beside_title(one, [article(LEVEE, LEVEE)], EMPTY) == 0.0
    assert shared_beside_title(one, [], EMPTY) == 0.0


# --- features ----------------------------------------------------------------------------------------------


def test_features_of_two_reports_are_exact() -> None:
    one = article("Grain slide closes harbour", "Grain slid into the harbour of Port Ellory.", minutes=NOON)
    other = article("Harbour closed", "A grain slide in Port Ellory.", minutes=NOON + 3 * DAY // 2)
    found = features(one, other)
    assert found["days"] == 1.5
    assert found["title_shared"] == 2  # "clos", "harbour"
    assert found["shorter_words"] == other.body_words < found["longer_words"] == one.body_words
    assert found["shorter_title"] == 2
    assert found["title_in_lead_max"] == 1.0
    same = features(one, one)
    for field in ("all", "title", "lead", "stream_cosine", "title_cosine", "lead_cosine"):
        assert same[field] == pytest.approx(1.0, abs=0.01), field
    assert same["days"] == 0


def test_articles_without_a_common_word_share_nothing() -> None:
    found = features(article("Quilt", "Walrus sonnet."), article("Violin", "Meadow lantern."))
    nothing = (
        *FIELDS,
        *(name for name in FEATURES if "shared" in name or "mass" in name or "cosine" in name),
    )
    assert {found[name] for name in nothing} == {0.0}


def test_an_unknown_date_and_an_empty_title_are_features_too() -> None:
    found = features(article("", "", minutes=None), article(LEVEE, FLOOD))
    assert found["days"] == -1
    assert found["shorter_title"] == found["title_shared"] == found["title_cosine"] == 0


_WORDS = st.lists(
    st.sampled_from(["levee", "river", "Pennmouth", "dead", "4", "boat", "trains"]), max_size=12
)
_ARTICLES = st.tuples(
    _WORDS.map(" ".join), _WORDS.map(" ".join), st.none() | st.integers(NOON, NOON + 9 * DAY)
)


@given(_ARTICLES, _ARTICLES)
@settings(max_examples=60, deadline=None)
def test_features_are_symmetric(one: tuple[str, str, int | None], other: tuple[str, str, int | None]) -> None:
    left, right = (article(title, text, minutes=minutes) for title, text, minutes in (one, other))
    for snapshot in (EMPTY, KNOWN):
        assert features(left, right, snapshot) == features(right, left, snapshot)


@given(st.permutations(range(4)), _ARTICLES)
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_reports_changes_nothing(order: list[int], one: tuple[str, str, int | None]) -> None:
    own = article(one[0], one[1], minutes=one[2])
    reports = [
        article(LEVEE, FLOOD),
        article("Pennmouth under water", FLOOD_ELSEWHERE, "Blog", NOON + DAY),
        article("Dock workers walk out", STRIKE, "Echo"),
        article("Levee 4", "", "Herald", None),
    ]
    mixed = [reports[place] for place in order]
    rows = pair_features(own, reports, EMPTY)
    assert np.array_equal(pair_features(own, mixed, EMPTY), rows[list(order)])
    for place, report in enumerate(reports):
        assert np.array_equal(pair_features(own, [report], EMPTY)[0], rows[place])
    straight, shuffled = (SHIPPED.compare(own, ones, KNOWN) for ones in (reports, mixed))
    assert shuffled.matched == straight.matched
    assert shares(shuffled) == pytest.approx(shares(straight), abs=1e-9)


# --- trees -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "leaf"), [(None, 1.0), (0, 2.0), (1, 2.0), (2, 4.0), (3, 4.0), (4, 8.0)])
def test_trees_take_the_place_of_the_linear_score(days: int | None, leaf: float) -> None:
    tree = [0, 1.0, 0, -0.5, 1.0, 2.0, 0, 3.0, 4.0, 8.0]
    trees = msgspec.json.encode({"features": ["days"], "trees": [tree, tree]})
    tuning = msgspec.structs.replace(TUNING, linear_share=0.0, offset=0.0, undated_offset=0.0)
    minutes = None if days is None else NOON + days * DAY
    compared = PairModel(MODEL, tuning, trees).compare(
        article(LEVEE, FLOOD), [article("Pennmouth under water", FLOOD_ELSEWHERE, "Echo", minutes)], EMPTY
    )
    before = linear(LEVEE, FLOOD, NOON, ("Pennmouth under water", FLOOD_ELSEWHERE, minutes), "en")
    assert shares(compared) == {"pair model": pytest.approx(2 * leaf - before, abs=0.05)}


def test_headlines_keep_the_linear_score() -> None:
    compared = SHIPPED.compare(article(LEVEE), [article("Four dead as levee breaks", "", "Echo")], EMPTY)
    assert "pair model" not in shares(compared)


def test_reports_of_one_event_keep_a_score_above_zero() -> None:
    own = article(LEVEE, FLOOD)
    scores = []
    for title, text in (("Pennmouth under water", FLOOD_ELSEWHERE), ("Dock workers walk out", STRIKE)):
        compared = SHIPPED.compare(own, [article(title, text, "Echo")], EMPTY)
        scores.append(
            linear(LEVEE, FLOOD, NOON, (title, text, NOON), "en") + sum(one.share for one in compared.reasons)
        )
    assert scores[0] > 0 > scores[1]


# --- penalties ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outlets", "share"),
    [
        (("Herald", "Herald"), -TUNING.same_outlet),
        (("Unknown", "Unknown"), -TUNING.same_outlet),
        (("Blog", "Blog"), -TUNING.same_outlet - TUNING.same_outlet_no_news),
        (("Herald", "Echo"), 0.0),
        ((None, None), 0.0),
    ],
)
def test_two_entries_of_one_outlet_are_rarely_one_event(
    outlets: tuple[str | None, str | None], share: float
) -> None:
    own = article(LEVEE, FLOOD, outlets[0])
    found = penalties(own, article("Dock workers walk out", STRIKE, outlets[1]))
    assert found.get("same outlet", 0.0) == share


def test_a_text_that_its_outlet_publishes_again_is_the_same_news() -> None:
    assert penalties(article(LEVEE, FLOOD), article("Levee breaks, four dead", FLOOD)) == {}


SERIES = [
    (
        "en",
        "Garden diary Part {}",
        GARDEN,
        "The rain has filled the barrel and the hens have moved to the orchard.",
    ),
    (
        "zh",
        "花园日记 第{}集",
        "今天我们修剪了梨树，豆子也发芽了，梯子放在小屋里。",
        "雨水装满了水桶，母鸡搬到了果园。",
    ),
    (
        "ru",
        "Дневник садовода, часть {}",
        "Взошли бобы, и старой груше нужна зимняя обрезка.",
        "Дождь наполнил бочку.",
    ),
    (
        "uk",
        "Щоденник садівника, частина {}",
        "Зійшли боби, і старій груші потрібна обрізка.",
        "Дощ наповнив бочку.",
    ),
]


@pytest.mark.parametrize(("language", "title", "text", "next_text"), SERIES)
def test_parts_of_a_series_are_no_event(language: str, title: str, text: str, next_text: str) -> None:
    tuning = MODEL.tuning
    text, next_text = (" ".join([each] * 6) for each in (text, next_text))
    own = article(title.format(6), text, "Unknown", NOON, language)
    part = article(title.format(7), next_text, "Unknown", NOON, language)
    assert min(own.body_words, part.body_words) >= tuning.bodyless_words
    found = penalties(own, part)
    before = linear(title.format(6), text, NOON, (title.format(7), next_text, NOON), language)
    after = before + found["same outlet"] + found["numbered series"]
    assert after == pytest.approx(TUNING.series_score, abs=0.05)
    elsewhere = article(title.format(7), next_text, "Echo", NOON, language)
    assert "numbered series" not in penalties(own, elsewhere)
    assert "numbered series" not in penalties(
        own, article(title.format(6), next_text, "Unknown", NOON, language)
    )


def test_numbers_in_different_titles_make_no_series() -> None:
    own = article("Levee breaks at Pennmouth, 4 dead", FLOOD)
    assert "numbered series" not in penalties(
        own, article("Pennmouth under water: 300 fetched by boat", FLOOD_ELSEWHERE)
    )


LINE = "Route 12 disrupted between Oakfield and the harbour"


@pytest.mark.parametrize(
    ("title", "minutes"),
    [
        ("Route 14 disrupted between Oakfield and the harbour", NOON),
        ("Route 12 disrupted between the harbour and Oakfield", NOON),
        (LINE, NOON + 4 * DAY),
        (LINE, None),
    ],
)
def test_status_lines_of_one_outlet_stay_apart(title: str, minutes: int | None) -> None:
    found = penalties(article(LINE), article(title, minutes=minutes))
    before = linear(LINE, "", NOON, (title, "", minutes), "en")
    after = before + found.get("same outlet", 0.0) + found["status line"]
    assert after == pytest.approx(TUNING.status_score, abs=0.05)
    assert "status line" not in penalties(article(LINE), article(title, "", "Echo", minutes))
    assert "status line" not in penalties(article(LINE, FLOOD), article(title, FLOOD, minutes=minutes))


def test_a_headline_that_its_outlet_repeats_within_days_is_the_same_news() -> None:
    assert penalties(article(LINE), article(LINE, minutes=NOON + 2 * DAY)) == {}


def test_an_outlet_without_news_is_believed_less() -> None:
    news = article(LEVEE, FLOOD, "Herald")
    for one, other in (("Blog", "Herald"), ("Echo", "Blog")):
        found = penalties(article(LEVEE, FLOOD, one), article("Pennmouth flooded", FLOOD_ELSEWHERE, other))
        assert found["outlet without news"] == -TUNING.no_news
    assert penalties(news, article("Pennmouth flooded", FLOOD_ELSEWHERE, "Unknown")) == {}
    half = StreamSnapshot(1, (), {"Blog": (14, 0.6)})  # type: ignore[dict-item]
    assert 0 < half.lacks_news("Blog") < 1
    found = penalties(article(LEVEE, FLOOD, "Blog"), article("Flooded", FLOOD_ELSEWHERE), snapshot=half)
    assert found["outlet without news"] == pytest.approx(-TUNING.no_news * half.lacks_news("Blog"))


@pytest.mark.parametrize(
    ("title", "outlet", "share"),
    [
        ("Harbour party tonight", "Echo", -TUNING.title_word * TUNING.title_word_least),
        ("Harbour party tonight", "Blog", -TUNING.title_word),
        ("Sennick harbour closed tonight", "Blog", 0.0),
    ],
)
def test_headlines_need_more_than_one_word(title: str, outlet: str, share: float) -> None:
    found = penalties(article("Harbour closed in Sennick"), article(title, "", outlet))
    assert found.get("one shared title word", 0.0) == pytest.approx(share)
    with_text = penalties(article("Harbour closed in Sennick", STRIKE), article(title, FLOOD, outlet))
    assert "one shared title word" not in with_text


def test_long_texts_that_differ_are_two_events() -> None:
    text, other = (" ".join([each] * 2) for each in (FLOOD, STRIKE))
    own, unlike = article(LEVEE, text), article("Dock workers walk out", other, "Echo")
    cosine = features(own, unlike, KNOWN)["stream_cosine"]
    assert cosine < TUNING.long_cosine
    found = penalties(own, unlike)
    assert found["texts differ"] == pytest.approx(-TUNING.cosine_slope * (TUNING.long_cosine - cosine))
    assert penalties(own, article("Pennmouth under water", FLOOD_ELSEWHERE * 2, "Echo")) == {}


def test_short_texts_whose_leads_differ_are_two_events() -> None:
    text, other = (" ".join(each.split()[:40]) for each in (FLOOD, STRIKE))
    own, unlike = article(LEVEE, text), article("Dock workers walk out", other, "Echo")
    cosine = features(own, unlike, KNOWN)["lead_cosine"]
    assert penalties(own, unlike) == {
        "leads differ": pytest.approx(-TUNING.cosine_slope * (TUNING.lead_cosine - cosine))
    }
    assert penalties(own, article(LEVEE, text, "Echo")) == {}


COUNTS = "They counted {} new cases within a day. {} people died, {} left hospital, beds are {} percent full."


@pytest.mark.parametrize(
    ("numbers", "is_apart"),
    [((231, 25, 19, 63), True), ((231, 27, 19, 63), False), ((231, 231, 231, 231), False), ((), False)],
)
def test_counts_without_a_common_number_are_of_two_days(numbers: tuple[int, ...], is_apart: bool) -> None:
    """One shared number is enough; a text with fewer than three says nothing."""
    other = COUNTS.format(*numbers) if numbers else COUNTS.replace("{} ", "")
    own = article("New cases in Sennick", COUNTS.format(214, 27, 17, 61), "Echo")
    found = penalties(own, article("Cases rise in Sennick", other))
    assert found.get("no shared number", 0.0) == (-TUNING.numbers_apart if is_apart else 0.0)


def test_corrections_are_means_over_the_reports() -> None:
    own = article(LEVEE, FLOOD)
    reports = [article("Dock workers walk out", STRIKE, outlet) for outlet in ("Herald", "Echo", "Post")]
    outlet, texts = PENALTIES.compare(own, reports, KNOWN).reasons
    assert (outlet.name, outlet.value) == ("same outlet", pytest.approx(1 / 3))
    assert outlet.share == pytest.approx(-TUNING.same_outlet / 3)
    assert (texts.name, texts.value) == ("texts differ", 1.0)
    assert texts.share == pytest.approx(penalties(own, reports[1])["texts differ"])


def _matched(own: PairArticle, reports: Sequence[PairArticle]) -> frozenset[str]:
    return SHIPPED.compare(own, reports, EMPTY).matched


def test_outlets_that_report_the_same_are_matched() -> None:
    own = article(LEVEE, FLOOD)
    same = article("Pennmouth levee: four dead", FLOOD_ELSEWHERE, "Echo", NOON + DAY)
    late = article("Pennmouth levee: four dead", FLOOD_ELSEWHERE, "Late", NOON + 4 * DAY)
    other = article("Dock workers walk out", STRIKE, "Post")
    itself = article("Pennmouth levee: four dead", FLOOD_ELSEWHERE, "Herald")
    unknown = article("Pennmouth levee: four dead", FLOOD_ELSEWHERE, None)
    assert _matched(own, [same, late, other, itself, unknown]) == {"Echo"}
