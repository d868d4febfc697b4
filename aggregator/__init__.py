"""A news aggregator daemon that keeps one story per event.

The Python API (docs/research.md) is loaded when one of its names is used, because commands use none of them and
would have to wait for all its imports.
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
    """Return the version. It is looked up only on demand, because this takes 30 ms."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("aggregator")
    except PackageNotFoundError:  # a checkout that is not installed
        return "0+unknown"
