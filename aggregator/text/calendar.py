"""The names of months and weekdays in all languages that are read (calendar.yaml)."""

from functools import cache, lru_cache
from typing import Literal

from aggregator.config.shipped import ShippedTable
from aggregator.text.lines import fold_line

Cycle = Literal["months", "weekdays"]

# Letters without an accent that can be dropped, and letters that Arabic and Persian keyboards write alike. Apostrophes
# and the sign that widens Arabic words are dropped.
_ALIKE = str.maketrans("łøıīیٱةك", "lo" + "iiياهک", "\u0640\u2019ʼ'")


# The forms of the names by language, from the first month or from Monday; the forms of one name are divided by spaces
_CALENDAR = ShippedTable(
    "aggregator.text", "calendar.yaml", dict[Cycle, dict[str, list[str]]]
)


@cache
def forms(cycle: Cycle, language: str, *, short: bool = False) -> frozenset[str]:
    """Return all forms in lower case. Abbreviations are included only if `short`, without their full stop."""
    spellings = " ".join(_CALENDAR.content[cycle].get(language, ())).split()
    return frozenset(
        _spell(form) for form in spellings if short or not form.endswith(".")
    )


@cache
def month_spellings() -> frozenset[str]:
    """Return the names and abbreviations of months in all languages, in lower case, with their accents."""
    return frozenset().union(
        *(
            forms("months", language, short=True)
            for language in _CALENDAR.content["months"]
        )
    )


@lru_cache(maxsize=512)  # a line is checked by many rules
def number_of(cycle: Cycle, word: str) -> int | None:
    """Return the number of a month, or of a weekday from 1 for Monday; None for another word."""
    return _numbers(cycle).get(_key(word))


@cache
def weekday_words() -> frozenset[str]:
    """Return the single words of the names of weekdays in all languages, without accents."""
    return frozenset(" ".join(_numbers("weekdays")).split())


def _spell(form: str) -> str:
    return form.removesuffix(".").replace("_", " ")


def _key(word: str) -> str:
    return fold_line(word.translate(_ALIKE).replace("-", " ")).translate(_ALIKE)


@cache
def _numbers(cycle: Cycle) -> dict[str, int]:
    numbers = {}
    for table in _CALENDAR.content[cycle].values():
        for number, line in enumerate(table, start=1):
            for form in line.split():
                numbers[_key(_spell(form))] = number
    return numbers
