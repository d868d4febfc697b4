"""A news aggregator daemon that keeps one story per event.

The names of its Python API (docs/research.md) are loaded when somebody asks for one of them: a command needs
none, and would wait for all that they import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aggregator.python_api import (
        AggregatorError,
        Article,
        Assignment,
        Story,
        StoryArticle,
        StoryDatabase,
        Storyline,
        extract_article,
        group_records,
        open_database,
    )

    __version__: str

__all__ = [
    "AggregatorError",
    "Article",
    "Assignment",
    "Story",
    "StoryArticle",
    "StoryDatabase",
    "Storyline",
    "__version__",
    "extract_article",
    "group_records",
    "open_database",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in __all__:
        return getattr(import_module("aggregator.python_api"), name)
    raise AttributeError(f"module 'aggregator' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    """Return the version, looked up when somebody asks: that costs every command 30 ms otherwise."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("aggregator")
    except PackageNotFoundError:  # a checkout on the path without an install
        return "0+unknown"
