"""Numbers of all scripts and languages (aggregator/text/numbers.py)."""

from aggregator.text.numbers import (
    decimal_mark,
    han_number,
    plain_number,
    spelt_numbers,
)
from tests.support.tables import each_row


@each_row(
    "numbers", "a number loses its thousands separators", "token", "language", "number"
)
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


@each_row("numbers", "a chinese numeral becomes digits", "numeral", "digits")
def test_a_chinese_numeral_becomes_digits(numeral: str, digits: str) -> None:
    assert han_number(numeral) == digits
