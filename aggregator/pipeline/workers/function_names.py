"""Naming a function so that another process can call it.

Only a top-level function of this program may be named: a message that went wrong can never make a worker call
anything else.
"""

import importlib
import re
from collections.abc import Callable

JobFunction = Callable[[bytes], bytes]

_ALLOWED = re.compile(r"aggregator(?:\.[a-z_][a-z0-9_]*)+:[A-Za-z_][A-Za-z0-9_]*\Z")


def name_of(function: JobFunction) -> str:
    """ "module:function" of a top-level function below `aggregator`; ValueError for any other."""
    name = f"{getattr(function, '__module__', '?')}:{getattr(function, '__qualname__', '?')}"
    if not _ALLOWED.match(name):
        raise ValueError(f"{name} cannot run in a worker: it is no top-level function below aggregator")
    return name


def function_named(name: str) -> JobFunction:
    """The function of that name; ValueError when the name is not allowed or there is none."""
    if not _ALLOWED.match(name):
        raise ValueError(f"{name!r} is no top-level function below aggregator")
    module, _, attribute = name.partition(":")
    function = getattr(importlib.import_module(module), attribute, None)
    if function is None:
        raise ValueError(f"there is no function {name}")
    found: JobFunction = function
    return found
