"""Texts for people: secrets are hidden, counts get units, mistyped names get suggestions, typed times are parsed."""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

from aggregator.config.shown_addresses import HIDDEN, hide_keys
from aggregator.model.errors import UsageError

if TYPE_CHECKING:
    from aggregator.model.story import StoryView

NO_SOURCES = (
    "no sources yet: type `aggregator sources add URL`, or list them in config.yaml"
)

# Secrets outside of addresses are recognised by their form. postgresql://anna:secret@example.org
_USERINFO = re.compile(r"(://)[^/\s?#\"'<>]{1,2000}(?=@)")
# ?api_key=secret
_PARAMETER = re.compile(
    r"(?i)((?:^|[?&;\s\"'({])[\w.\[\]-]{0,40}"
    r"(?:key|token|secret|password|passwd|pass|pwd|auth|signature|sig|credentials?)\]?=)[^&;\s\"'<>)}#]{1,4000}"
)
# The program's own tokens and the keys that sign webhooks: agg_..., whsec_...
_OWN_TOKEN = re.compile(r"\b(agg_|whsec_)[A-Za-z0-9_+/=-]{6,}")
# Authorization: Basic c2VjcmV0
_AUTHORIZATION = re.compile(
    r"(?i)(authorization['\"]?\s{0,3}[:=,]\s{0,3}['\"]?)(?:(?:bearer|basic)\s+)?[^\s'\",]+"
)
# Bearer c2VjcmV0...
_BEARER = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{16,}")
# A word of at least 16 letters and digits, or a UUID. The id of a video channel or playlist is public, so it is
# matched apart and kept.
_KEY_LIKE = re.compile(
    r"(?P<channel>(?:channel|playlist)_id=[\w-]+)"
    r"|(?<![^\W_])(?:(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{16,}"
    r"|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})(?![^\W_])"
)
# Every secret has one of these, so a text without them is not searched further.
_HINTS = re.compile(r"(?i)://[^/\s]*@|=|agg_|whsec_|authorization|bearer")


def redact(text: str) -> str:
    """Return `text` with each secret replaced by `***`, and its addresses without what may be a key."""
    if "/" in text:
        text = hide_keys(text)
    if not _HINTS.search(text):
        return text
    for pattern in (_USERINFO, _AUTHORIZATION, _BEARER, _PARAMETER, _OWN_TOKEN):
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text


def redact_address(text: str) -> str:
    """Return an address, or a text about a source, as those see it who may not change sources.

    Beside the secrets of `redact`, each UUID and each long word of letters and digits is hidden, which may be keys.
    """
    return _KEY_LIKE.sub(lambda found: found["channel"] or HIDDEN, redact(text))


def pluralise(number: int, one: str, many: str | None = None) -> str:
    """Return the number with its noun: `1 article`, `4 articles`, `1,204 articles`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def story_numbers(story: "StoryView") -> tuple[str, str, str]:
    """Return the three numbers of a story: its reports, outlets and articles."""
    return (
        pluralise(story.report_count, story.counted_as),
        counted_outlets(story.outlet_count, story.unknown_outlet_count),
        pluralise(story.article_count, "article"),
    )


def counted_outlets(known: int, unknown: int) -> str:
    """Return `11 outlets`, `11 outlets, 19 unknown` or `1 unknown outlet`.

    `unknown` is the number of articles without an outlet.
    """
    if not known and unknown:
        return pluralise(unknown, "unknown outlet")
    return pluralise(known, "outlet") + (f", {unknown:,} unknown" if unknown else "")


def meant(typed: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?" with the name that is most like `typed`, or "" if none is similar."""
    similar = get_close_matches(typed, list(known), 1)
    return f"; did you mean `{similar[0]}`?" if similar else ""


# --- times in filters: relative to now, a date, or a time ---------------------------------------------------

_AGO = re.compile(r"(\d{1,12})\s*([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def is_relative(text: str) -> bool:
    """Return whether a time is relative to now, like "24h"."""
    return bool(_AGO.fullmatch(text.strip()))


def parse_moment(value: str, now: datetime) -> datetime:
    """Parse `24h`, `7d`, `90m` or `2w` (before `now`), a date, or an RFC 3339 time; without a zone, it is in UTC.

    An age that reaches back before the year 1 means the beginning of that year. Raises UsageError for anything else.
    """
    try:
        if ago := _AGO.fullmatch(value.strip()):
            with suppress(OverflowError):
                return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            return datetime.min.replace(tzinfo=UTC)
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            "must be like 24h, 7d, 2026-11-20 or 2026-11-20T08:00:00Z"
        ) from None


def parse_end(value: str, now: datetime) -> datetime:
    """Parse like `parse_moment`, except that a date means the end of that day."""
    moment = parse_moment(value, now)
    if not _DATE.fullmatch(value.strip()):
        return moment
    try:
        return moment + timedelta(days=1, microseconds=-1)
    except OverflowError:
        return moment
