"""Tables of texts and what is expected of them: one row a line, in tests/data/tables."""

from functools import cache
from pathlib import Path
from typing import Any

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


def mapping(file: str, name: str) -> dict[str, Any]:
    """Return the rows of a table that have names of their own, by these names."""
    found: dict[str, Any] = _tables(file)[name]
    return found


def repeated(parts: dict[str, int]) -> str:
    """Return a long text of a table: its parts in order, each as many times as stands beside it."""
    return "".join(part * times for part, times in parts.items())
