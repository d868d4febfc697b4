"""Tables of texts and what is expected of them: one row a line, in tests/data/tables."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[1] / "data" / "tables"


@cache
def _tables(file: str) -> dict[str, Any]:
    text = (FOLDER / f"{file}.yaml").read_text(encoding="utf-8")
    tables: dict[str, Any] = yaml.safe_load(text)
    return tables


def rows(file: str, name: str) -> list[Any]:
    """Return the rows that a test is parametrised with; the table has the name of the test."""
    found: list[Any] = _tables(file)[name]
    return found


def each_row(file: str, name: str, *arguments: str) -> pytest.MarkDecorator:
    """Run a test with each row of a table; a row is the value of the only argument, or one value of each.

    Rows that have names of their own name the cases.
    """
    names = arguments[0] if len(arguments) == 1 else arguments
    found: Any = rows(file, name)
    if isinstance(found, dict):
        return pytest.mark.parametrize(names, list(found.values()), ids=list(found))
    return pytest.mark.parametrize(names, found)


def mapping(file: str, name: str) -> dict[str, Any]:
    """Return the rows of a table that have names of their own, by these names."""
    found: dict[str, Any] = _tables(file)[name]
    return found


def named_rows(file: str) -> dict[str, Any]:
    """Return the rows of all groups of a file, by their names."""
    return {
        name: row for group in _tables(file).values() for name, row in group.items()
    }


def repeated(parts: dict[str, int]) -> str:
    """Return a long text of a table: its parts in order, each as many times as stands beside it."""
    return "".join(part * times for part, times in parts.items())


def numbered(form: str, numbers: int | Iterable[int]) -> list[str]:
    """Return a text for each number, for each from 0 on where only their count is given: `%n` stands for it."""
    every = range(numbers) if isinstance(numbers, int) else numbers
    return [form.replace("%n", str(number)) for number in every]


def named_parts(value: Any, row: Any) -> Any:
    """Return the parts of a value that a row names, in the row's form, to be compared with it.

    Of a struct or mapping these are the named fields, of a sequence its elements, and of a time as many
    characters as the row has.
    """
    if isinstance(row, dict) and value is not None:
        get = value.get if isinstance(value, Mapping) else partial(getattr, value)
        return {name: named_parts(get(name), part) for name, part in row.items()}
    if isinstance(row, list) and isinstance(value, list | tuple):
        rest = [None] * (len(value) - len(row))
        return [named_parts(*pair) for pair in zip(value, [*row, *rest], strict=False)]
    if isinstance(row, str) and isinstance(value, datetime):
        return value.isoformat()[: len(row)]
    return value
