"""Numbers of all scripts and languages (aggregator/text/numbers.py)."""

import pytest

from aggregator.text.numbers import (
    decimal_mark,
    han_number,
    plain_number,
    spelt_numbers,
)


@pytest.mark.parametrize(
    ("token", "language", "number"),
    [
        ("72,000", "en", "72000"), ("1.250.000", "en", "1250000"), ("7.4", "en", "7.4"),
        ("7,4", "en", "7.4"), ("3.500", "en", "3.500"), ("3.500", "de", "3500"), ("3.500,5", "de", "3500.5"),
        ("7,45", "de", "7.45"), ("1,250", "es", "1250"), ("0,125", "de", "0.125"), ("3.500", "", "3.500"),
        ("٧٢٬٠٠٠", "ar", "72000"), ("٧٢٬٠٠٠", "", "72000"), ("72,000", "", "72000"),
        ("1.250.000", "", "1250000"), ("7,4", "", "7.4"), ("1,250.75", "", "1250.75"), ("2024", "", "2024"),
    ],
)  # fmt: skip
def test_a_number_loses_its_thousands_separators(
    token: str, language: str, number: str
) -> None:
    assert plain_number(token, language) == number


def test_number_words_are_those_of_their_language() -> None:
    assert spelt_numbers("de")["zwölf"] == 12
    assert spelt_numbers("ru")["трёх"] == spelt_numbers("ru")["трех"] == 3
    assert "ein" not in spelt_numbers("de")
    assert spelt_numbers("xx") == {}
    assert decimal_mark("xx") == "."


@pytest.mark.parametrize(
    ("numeral", "digits"), [("三百", "300"), ("12万8000", "128000"), ("十五", "15")]
)
def test_a_chinese_numeral_becomes_digits(numeral: str, digits: str) -> None:
    assert han_number(numeral) == digits
