"""Names of months and weekdays (aggregator/text/calendar.yaml)."""

from aggregator.text import calendar
from tests.support.tables import each_row


@each_row("calendar", "a month is known in any language and case", "word", "number")
def test_a_month_is_known_in_any_language_and_case(
    word: str, number: int | None
) -> None:
    assert calendar.number_of("months", word) == number


def test_each_language_has_all_names() -> None:
    for cycle, count in (("months", 12), ("weekdays", 7)):
        tables = calendar._CALENDAR.content[cycle]
        assert {
            language: len(forms) for language, forms in tables.items()
        } == dict.fromkeys(tables, count)


def test_no_spelling_names_two_months() -> None:
    for cycle in ("months", "weekdays"):
        numbers: dict[str, set[int]] = {}
        for forms in calendar._CALENDAR.content[cycle].values():
            for number, line in enumerate(forms, start=1):
                for form in line.split():
                    numbers.setdefault(calendar._key(calendar._spell(form)), set()).add(
                        number
                    )
        assert {form: found for form, found in numbers.items() if len(found) > 1} == {}
