"""Declarations of options and arguments, shorter than Typer's own: each has a help, and each value a name."""

from typing import Any

import typer


def option(name: str, metavar: str, words: str, **more: Any) -> Any:
    """Return an option with a value; `more` are arguments of `typer.Option`."""
    return typer.Option(name, metavar=metavar, help=words, **more)


def flag(name: str, words: str) -> Any:
    """Return an option without a value."""
    return typer.Option(name, help=words)


def argument(metavar: str, words: str, **more: Any) -> Any:
    """Return an argument; `more` are arguments of `typer.Argument`."""
    return typer.Argument(metavar=metavar, help=words, **more)
