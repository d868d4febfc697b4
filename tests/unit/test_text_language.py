"""Which language a text is in, where its page says another."""

import pytest

from aggregator.config.tuning import effective_tuning
from aggregator.extract.language.detect import find_language
from aggregator.extract.limits import ExtractTuning

TUNING = effective_tuning().section("text", ExtractTuning)


@pytest.mark.parametrize(
    ("title", "language"),
    [
        ("Паром врезался в причал во вторник", "ru"),
        ("フェリーが桟橋に衝突し11人が病院へ", "ja"),
        ("여객선이 부두에 충돌", "ko"),
        ("عبارة تصطدم بالرصيف", "ar"),
    ],
)
def test_a_short_text_is_not_in_a_language_of_another_script(title: str, language: str) -> None:
    assert find_language(title, "", "en", TUNING) == language


@pytest.mark.parametrize(
    ("title", "declared"),
    [
        ("Feribot iskeleye çarptı", "tr"),
        ("iPhone 17", "ru"),
        ("NATO и ЕС", "uk"),
        ("2:1", "en"),
        ("Đà Nẵng", "vi"),
    ],
)
def test_what_is_declared_of_a_short_text_holds_else(title: str, declared: str) -> None:
    assert find_language(title, "", declared, TUNING) == declared
