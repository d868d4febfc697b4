"""The names of months and weekdays in all languages that are read (calendar.yaml)."""

from functools import cache, lru_cache
from typing import Literal

from aggregator.config.shipped import ShippedTable
from aggregator.text.lines import fold_line

Cycle = Literal["months", "weekdays"]

# Letters that have no accent to drop, and those that Arabic and Persian keyboards write alike.
_ALIKE = str.maketrans("łøıīیٱةك", "lo" + "iiياهک", "\u0640\u2019ʼ'")


# The forms by language, in order from the first month or Monday, divided by spaces.
_CALENDAR = ShippedTable(
    "aggregator.text", "calendar.yaml", dict[Cycle, dict[str, list[str]]]
)


@cache
def forms(cycle: Cycle, language: str, *, short: bool = False) -> frozenset[str]:
    """Return all forms in lower case; the abbreviations, without their full stop, only where `short`."""
    spellings = " ".join(_CALENDAR.content[cycle].get(language, ())).split()
    return frozenset(
        _spell(form) for form in spellings if short or not form.endswith(".")
    )


@cache
def month_spellings() -> frozenset[str]:
    """Return the names and abbreviations of months in all languages, as they are written."""
    return frozenset().union(
        *(
            forms("months", language, short=True)
            for language in _CALENDAR.content["months"]
        )
    )


@lru_cache(maxsize=512)  # a line is checked by many rules
def number_of(cycle: Cycle, word: str) -> int | None:
    """Return the number of a month or weekday, from 1 for the first or Monday; None for another word."""
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
