"""The kinds of values that config.yaml has: durations, sizes, networks, names, and how they are written."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    SecretStr,
)

from aggregator.model.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# The keys that lead to a key of the file. A number is the index of an item in a list, from 0.
KeyPath = tuple[str | int, ...]
Lines = Mapping[KeyPath, int]  # the line of each key

# Pydantic would look for plugins in all installed packages, which takes a tenth of the CPU of a short command.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

_DURATION = re.compile(r"([0-9]{1,12})\s*(s|m|h|d)")

# The longest duration: a hundred years, so that it can be subtracted from today
_MAX_DAYS = 36_500

LONGEST_INTERVAL_DAYS = 365

# The name of a query or a webhook
NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}"

# A check of the syntax of a relative time needs a time, and its result is the same for any.
ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def bounded_seconds(value: object, most_days: int = _MAX_DAYS) -> int:
    """Read `90s`, `15m`, `6h` or `2d` as seconds. Raises ValueError for anything else, and above `most_days`."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("give a number with its unit: 90s, 15m, 6h or 2d")
    seconds = int(match[1]) * SECONDS[match[2]]
    if seconds > most_days * SECONDS["d"]:
        raise ValueError(f"give at most {most_days}d")
    return seconds


@contextmanager
def at_key(key: str) -> Iterator[None]:
    """Put the key before the message of a ConfigError that is raised in the block."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{key}: {error}") from error


def expand_path(text: str) -> Path:
    """Return a path with `~` expanded. Raises ConfigError for the home folder of an unknown user."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{text}: there is no such home folder") from error


def text_of(file: Path, most_chars: int = -1) -> str:
    """Return the beginning of a file, by default all of it. Raises ConfigError if it cannot be read."""
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.read(most_chars)
    except (OSError, ValueError) as error:  # ValueError: also a NUL in the path
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{file} cannot be read: {why}") from error


def _checked_networks(value: tuple[str, ...]) -> tuple[str, ...]:
    """Return `value`. Raises ValueError if one of its items is not an IP network."""
    try:
        for network in value:
            ip_network(network)
    except ValueError as error:
        raise ValueError(f"{error}; give a network such as 192.168.1.0/24") from error
    return value


def age_of(value: object) -> int | None:
    """Read a duration as seconds, or `never` as None."""
    return None if value == "never" else bounded_seconds(value)


def duration_as_typed(value: int, units: str = "dhms") -> str:
    """Return a duration in the syntax of the file, in the first unit of `units` that divides it."""
    unit = next(unit for unit in units if value % SECONDS[unit] == 0)
    return f"{value // SECONDS[unit]}{unit if value else 's'}"


def accepted_by(parse: Callable[[str], object]) -> AfterValidator:
    """Return a validator of texts and secrets. `parse` raises ConfigError or UsageError for a mistake."""

    def check(value: str | SecretStr) -> str | SecretStr:
        try:
            parse(value.get_secret_value() if isinstance(value, SecretStr) else value)
        except (ConfigError, UsageError) as error:
            raise ValueError(str(error)) from error
        return value

    return AfterValidator(check)


def matching(pattern: str, words: str) -> AfterValidator:
    """Return a validator of texts and secrets that match `pattern` as a whole; `words` may have `{value}`."""

    def check(text: str) -> None:
        if not re.fullmatch(pattern, text):
            raise ConfigError(words.format(value=repr(text[:60])))

    return accepted_by(check)


def error_words(detail: "ErrorDetails") -> str:
    """Return pydantic's description of a mistake, such as `must be a valid integer`."""
    return re.sub(
        "^(Input|String|Tuple) should",
        "must",
        detail["msg"].removeprefix("Value error, "),
    )


def duration_up_to(most_days: int) -> BeforeValidator:
    """Return a validator that reads a duration, and refuses one above `most_days`."""
    return BeforeValidator(lambda value: bounded_seconds(value, most_days))


# Durations are text like `15m` in the file and seconds in the program. None means never, or that the key is not set
# and another section has the value.
TYPED = PlainSerializer(duration_as_typed, when_used="json-unless-none")

TYPED_OR_NEVER = PlainSerializer(
    lambda value: "never" if value is None else duration_as_typed(value),
    when_used="json",
)

Duration = Annotated[int, duration_up_to(_MAX_DAYS), TYPED]

Interval = Annotated[int, duration_up_to(LONGEST_INTERVAL_DAYS), TYPED]

Age = Annotated[int | None, BeforeValidator(age_of), TYPED_OR_NEVER]

Networks = Annotated[tuple[str, ...], AfterValidator(_checked_networks)]


class Part(BaseModel):
    # The validator of a section is built only if the section is validated without the whole configuration.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, defer_build=True
    )


_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(MB|GB|TB)")

_BYTES = {"MB": 10**6, "GB": 10**9, "TB": 10**12}


def size(value: object) -> int:
    """Read a size with its unit as bytes."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("give a size with its unit, like 600 MB")
    return int(float(match[1]) * _BYTES[match[2]])


TYPED_SIZE = PlainSerializer(lambda value: f"{value / 10**6:.15g} MB", when_used="json")
