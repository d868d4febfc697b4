"""The query parameters of a list of stories: their schemas, and how their texts are read."""

import datetime as dt
from typing import Any, NamedTuple

from aggregator.config.messages import parse_end, parse_moment
from aggregator.model.errors import UsageError
from aggregator.model.prepared import KINDS

MAX_LIMIT = 500  # stories in one response, to limit its time and size
# One parameter has a limit, because the time of a full-text search grows with its words.
MAX_TEXT_CHARS = 200
ORDERS = ("newest", "front")
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


# A `next` is the time of the first page and the cursor of the database.
CURSOR_PATTERN = "^([0-9]{1,17}\\.[0-9]{1,17}-[0-9]{1,18})?$"
_TEXT_SCHEMA = {"type": "string", "maxLength": MAX_TEXT_CHARS, "pattern": "^[^\\x00]*$"}
_TIME_SCHEMA = {
    "anyOf": [
        {
            "type": "string",
            "pattern": "^\\s*([0-9]{1,5}\\s*[mhdw])?\\s*$",
            "examples": ["24h", "7d"],
        },
        {"type": "string", "format": "date"},
        {"type": "string", "format": "date-time"},
    ]
}
PARAMETERS: dict[str, Parameter] = {
    "query": Parameter(
        _TEXT_SCHEMA,
        'words in the title or an article; "two words" is a phrase, rebel* a prefix, -word excludes a word',
    ),
    "since": Parameter(
        _TIME_SCHEMA, "published at or after: 24h, 7d, a date or an RFC 3339 time"
    ),
    "until": Parameter(
        _TIME_SCHEMA, "published at or before; a date means the end of that day"
    ),
    "min_outlets": Parameter(up_to(1000), "the minimum number of outlets"),
    "min_reports": Parameter(up_to(1000), "the minimum number of independent reports"),
    "outlet": Parameter(_TEXT_SCHEMA, "with an article of this outlet"),
    "folder": Parameter(_TEXT_SCHEMA, "with an article of a source in this folder"),
    "language": Parameter(_TEXT_SCHEMA, "with an article in this language"),
    "name": Parameter(_TEXT_SCHEMA, "about this person, place or body: one of `names`"),
    "topic": Parameter(_TEXT_SCHEMA, "on this topic: one of `topics`"),
    "kind": Parameter(
        {"type": "string", "enum": ["", *KINDS]}, "with an article of this kind"
    ),
    "order": Parameter(
        {"type": "string", "enum": ["", *ORDERS]},
        "newest: the newest bump first; front: as on the front page, without what the owner muted",
    ),
    "limit": Parameter(
        up_to(MAX_LIMIT), "the maximum number of stories in one response"
    ),
    "after": Parameter(
        {"type": "string", "pattern": CURSOR_PATTERN},
        "the `next` of the previous page, unchanged",
    ),
    SAVED: Parameter(
        {"type": "string"}, "a saved query; other parameters override its values"
    ),
}


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
        number, most = whole_number(text), schema["maximum"]
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
