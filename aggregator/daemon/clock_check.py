"""Checks that the clock is not behind the program's own files, before a new database reads its first feeds.

A machine without a battery starts with a clock that is years behind, until it reaches a time server. What is read
meanwhile would seem to come from the future.
"""

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

# The clock may be this much behind, because files may have been made in another time zone (chosen)
_SLACK = timedelta(days=1)


def newest_own_date() -> datetime:
    """Return when the newest file of the program was made."""
    package = Path(str(files("aggregator")))
    times = [path.stat().st_mtime for path in package.rglob("*.py")]
    return datetime.fromtimestamp(max(times, default=0.0), UTC)


def why_clock_is_behind(now: datetime, newest: datetime) -> str | None:
    """Return a message if the clock is before the date of the program's newest file; None otherwise."""
    if now >= newest - _SLACK:
        return None
    return (
        f"the clock of this machine shows {now:%Y-%m-%d}, but the program has a file of {newest:%Y-%m-%d}; "
        "the first feeds are read when the clock is right"
    )
