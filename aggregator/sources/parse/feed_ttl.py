"""How seldom a feed says it wants to be asked: RSS's ttl, and the syndication module's period."""

import re

_MINUTES = re.compile(r"\s*([0-9]{1,6})\s*\Z")
_TIMES = re.compile(r"\s*([0-9]{1,4})\s*\Z")
_PERIODS = {
    "hourly": 3600.0,
    "daily": 86400.0,
    "weekly": 604800.0,
    "monthly": 2592000.0,
    "yearly": 31536000.0,
}


def asked_seconds(ttl: str | None, period: str | None, frequency: str | None) -> float | None:
    """Seconds between two looks that the feed asks for; None where it says nothing that can be read.

    `ttl` is in minutes, `period` a word (hourly ... yearly) that is divided by `frequency`. The longer of
    both counts. A feed may say what it likes: the caller bounds it.
    """
    asked = []
    if (minutes := _MINUTES.match(ttl or "")) and int(minutes[1]) > 0:
        asked.append(int(minutes[1]) * 60.0)
    if (length := _PERIODS.get((period or "").strip().lower())) is not None:
        times = _TIMES.match(frequency or "1")
        asked.append(length / max(1, int(times[1])) if times else length)
    return max(asked, default=None)
