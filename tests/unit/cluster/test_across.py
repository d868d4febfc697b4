"""What articles of different languages have in common: names and numbers in one form, likeness, the index."""

import datetime as dt
import itertools
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.cluster.cross_language.features import (
    CrossLanguageFeatures,
    CrossLanguageTuning,
    FeatureExtractor,
    cosine,
    mean_score,
    numbers_in,
    pack,
    pack_vector,
    score_similarity,
    skeleton,
    unpack,
)
from aggregator.cluster.cross_language.index import CrossLanguageIndex
from aggregator.cluster.events.scripts import written_out
from aggregator.config.tuning import effective_tuning
from tests.support.across import half

NAMES = effective_tuning({"cross_language": {"mode": "names"}}).section("cross_language", CrossLanguageTuning)
VECTORS = msgspec.structs.replace(NAMES, mode="vectors", model="m", reach=50, candidates=4, max_postings=6)

# --- forms -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spellings",
    [
        ("Putin", "Poutine", "Путин", "بوتين", "プーチン", "푸틴"),
        ("Israel", "Израиль", "إسرائيل", "イスラエル"),
        ("Trump", "Трамп", "ترامب", "トランプ"),
        ("Naxos", "Наксос", "ناكسوس", "ナクソス", "Νάξος"),
        ("Zelensky", "Selenskyj", "Зеленский"),
        ("Kharkiv", "Харьков"),
        ("Ukraine", "Украина", "أوكرانيا", "ウクライナ"),
        ("Noureddin", "Noureddine", "Нуреддин"),
        ("Šefčovič", "Sefcovic", "SEFCOVIC"),
    ],
)
def test_a_name_is_one_in_all_scripts(spellings: tuple[str, ...]) -> None:
    assert len({skeleton(one) for one in spellings}) == 1


def test_other_names_are_other_names() -> None:
    names = [
        "Putin", "Israel", "Trump", "Naxos", "Zelensky", "Kharkiv", "Ukraine", "Warsaw", "Macron", "東京",
    ]  # fmt: skip
    assert len({skeleton(one) for one in names}) == len(names)


@pytest.mark.parametrize(
    ("language", "text", "numbers"),
    [
        ("en", "72,000 of $4.2 billion by 1985 at 4.30am and 4:30, 17.9 percent", [72000, 4.2e9, 17.9]),
        ("de", "4,2 Milliarden, 12.400, 87,50 Euro, um 4.30 Uhr am 11. März 1998", [4.2e9, 12400, 87.5, 11]),
        ("fr", "14 500 personnes, 1,6 milliard, 640 000 à 3 h 24", [14500, 1.6e9, 640000]),
        ("es", "4.200 millones; 4,2 mil millones; 2 billones", [4.2e9, 4.2e9, 2e12]),
        ("ru", "61 842 зрителя, 8,4 млрд евро, 1,3 млн", [61842, 8.4e9, 1.3e6]),
        ("ar", "و12 مليار، ٦٤٠ ألف طفل، ٣٫٥", [12e9, 640000, 3.5]),
        ("ja", "1万4500人が避難、23人死亡", [14500, 23]),
        ("zh", "42亿欧元，1.24万名员工", [4.2e9, 12400]),
        ("pt", "7,6 bilhões", [7.6e9]),
        ("en", "Ariane 6 in 2025 and F16, version 1.2.3.4", []),
    ],
)  # fmt: skip
def test_a_number_is_its_value_in_every_language(language: str, text: str, numbers: list[float]) -> None:
    assert list(numbers_in(written_out(text), language)) == pytest.approx(numbers)


@given(st.text(max_size=80), st.sampled_from(["en", "de", "ar", "ja", "ru", "xx", None]))
def test_whatever_a_text_holds_it_has_features_or_none(text: str, language: str | None) -> None:
    found = MAKER.features(text, text, language)
    if found is not None:
        assert unpack(pack(found)) == found
        assert len(found.names) <= 4 * NAMES.keys
        assert len(found.numbers) <= 4 * NAMES.keys


MAKER = FeatureExtractor(NAMES)


# --- likeness ----------------------------------------------------------------------------------------------


def _minutes(record: dict[str, Any]) -> int:
    return int(dt.datetime.fromisoformat(record["published"]).timestamp() // 60)


def _likeness_of_pairs(name: str) -> tuple[list[float], list[float]]:
    """Scores of pairs of two languages: of one event, and of different ones."""
    records = half(name)
    features = [MAKER.features(one["title"], one["text"], one["lang"]) for one in records]
    same, other = [], []
    for (one, left), (two, right) in itertools.combinations(zip(records, features, strict=True), 2):
        assert left is not None
        assert right is not None
        if left.language != right.language:
            score = score_similarity(left, right, abs(_minutes(one) - _minutes(two)), NAMES).score
            (same if one["cluster"] == two["cluster"] else other).append(score)
    return same, other


@pytest.mark.parametrize(("name", "found_least", "wrong_most"), [("dev", 25, 0), ("check", 17, 3)])
def test_events_are_distinguished_from_look_alikes(name: str, found_least: int, wrong_most: int) -> None:
    same, other = _likeness_of_pairs(name)
    found, wrong = (sum(score >= 0.0 for score in same), sum(score >= 0.0 for score in other))
    print(f"{name}: {found} of {len(same)} pairs of one event, {wrong} of {len(other)} others")
    assert len(same) >= 20
    assert len(other) >= 450
    assert found >= found_least
    assert wrong <= wrong_most


def _keys() -> st.SearchStrategy[bytes]:
    numbers = st.lists(st.integers(0, 11), unique=True, max_size=6)
    weighed = numbers.flatmap(lambda n: st.tuples(st.just(n), st.lists(st.integers(1, 255), min_size=len(n))))
    return weighed.map(
        lambda both: np.array(sorted(n << 8 | w for n, w in zip(*both, strict=False)), dtype="<u4").tobytes()
    )


FEATURES = st.builds(
    CrossLanguageFeatures,
    language=st.sampled_from(["de", "fr"]),
    names=_keys(),
    numbers=_keys(),
    vector=st.binary(min_size=4, max_size=4),
    model=st.sampled_from(["m", "old"]),
)


@pytest.mark.slow
@given(FEATURES, st.lists(st.tuples(FEATURES, st.none() | st.integers(0, 9000)), min_size=1, max_size=5))
def test_reasons_sum_up_and_the_mean_is_the_mean(
    one: CrossLanguageFeatures, others: list[tuple[CrossLanguageFeatures, int | None]]
) -> None:
    parts = [score_similarity(one, other, apart, VECTORS) for other, apart in others]
    for part, (other, apart) in zip(parts, others, strict=True):
        assert part.score == pytest.approx(part.start + sum(reason.share for reason in part.reasons))
        assert score_similarity(other, one, apart, VECTORS).score == pytest.approx(part.score)
    whole = mean_score(parts)
    assert whole.score == pytest.approx(sum(part.score for part in parts) / len(parts))
    assert whole.score == pytest.approx(whole.start + sum(reason.share for reason in whole.reasons))
    assert all(reason.name.startswith("across:") for reason in whole.reasons)


def test_vectors_of_another_model_say_nothing() -> None:
    one = CrossLanguageFeatures("de", b"", b"", pack_vector(np.ones(8, np.float32)), "m")
    known = score_similarity(one, msgspec.structs.replace(one, language="fr"), 0, VECTORS)
    other = score_similarity(one, msgspec.structs.replace(one, language="fr", model="old"), 0, VECTORS)
    assert [reason.name for reason in known.reasons] == ["across:vector"]
    assert other.reasons == ()


@given(st.lists(st.floats(-100, 100, width=32), min_size=3, max_size=3).filter(any))
def test_a_packed_vector_keeps_its_direction(values: list[float]) -> None:
    vector = pack_vector(np.array(values, dtype=np.float32))
    assert cosine(vector, vector) == pytest.approx(1.0, abs=0.02)
    assert cosine(vector, pack_vector(-np.array(values, dtype=np.float32))) == pytest.approx(-1.0, abs=0.02)


# --- the index ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 9), FEATURES), max_size=60), FEATURES, st.integers(0, 40))
def test_answers_depend_on_the_rows_alone(
    steps: list[tuple[int, CrossLanguageFeatures]], asked: CrossLanguageFeatures, revised: int
) -> None:
    rows: dict[int, CrossLanguageFeatures] = {}
    swept, number = CrossLanguageIndex(VECTORS), 0
    for step, features in steps:
        number += step
        rows[number] = features
        swept.add(number, features)
        swept.sweep(number)
    if revised in rows and revised > number - VECTORS.reach:
        rows[revised] = asked
        swept.add(revised, asked)
    fresh = CrossLanguageIndex(VECTORS, sorted(rows.items()))
    assert swept.find_nearest(number + 1, asked) == fresh.find_nearest(number + 1, asked)
    others, own = fresh.find_nearest(number, asked)
    assert all(number - VECTORS.reach < one < number for one in (*others, *own))
    assert {rows[one].language for one in others} <= {"de", "fr"} - {asked.language}
    assert {rows[one].language for one in own} <= {asked.language}
    assert len(others) <= 2 * VECTORS.candidates
    assert len(own) <= VECTORS.candidates
