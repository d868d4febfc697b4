"""The query parameters of a list of stories: their schemas, and how their texts are read."""

import datetime as dt
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec

from aggregator.config.messages import parse_end, parse_moment
from aggregator.model.errors import UsageError
from aggregator.model.prepared import KINDS

NEWEST = "newest"  # the usual order of a list
SAVED = "saved"  # the parameter that names a saved query


class Parameter(NamedTuple):
    """The description of a query parameter in OpenAPI."""

    schema: dict[str, Any]
    description: str
    is_required: bool = False


def up_to(most: int) -> dict[str, Any]:
    """Return the schema of whole numbers from 1."""
    return {"type": "integer", "minimum": 1, "maximum": most}


def whole_number(text: str) -> int | None:
    """Return the value of a text of one to nine digits; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


PARAMETERS = msgspec.yaml.decode(
    files("aggregator.web").joinpath("parameters.yaml").read_bytes(),
    type=dict[str, Parameter],
)
PARAMETERS["kind"].schema["enum"] += KINDS
MAX_TEXT_CHARS: int = PARAMETERS["query"].schema["maxLength"]


def read_parameter(name: str, value: str, now: dt.datetime) -> object:
    """Return the value of a parameter of a list of stories. Raises UsageError with its name."""
    try:
        return _value(name, value, now)
    except UsageError as error:
        raise UsageError(f"{name} {error}: {value[:40]!r}") from None


def _value(name: str, text: str, now: dt.datetime) -> object:
    if name == "since":
        return parse_moment(text, now)
    if name == "until":
        return parse_end(text, now)
    schema = PARAMETERS[name].schema
    if schema["type"] == "integer":
        number = whole_number(text)
        most = schema["maximum"]
        if not number or number > most:
            raise UsageError(f"must be a whole number from 1 to {most}")
        return number
    words = [word for word in schema.get("enum", ()) if word]
    if words and text.strip() not in words:
        raise UsageError(f"must be one of {', '.join(words)}")
    if len(text) > MAX_TEXT_CHARS or "\x00" in text:
        raise UsageError(
            f"is longer than {MAX_TEXT_CHARS} characters or contains a NUL"
        )
    return text.strip()
