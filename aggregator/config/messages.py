"""Redaction of secrets in messages, counts with units, and names that were probably meant.

Secrets are recognized by their form: the name and password in a URL, the values of query parameters with the
names of keys, our own tokens and signing keys, and the credentials of an Authorization header.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches

_HIDDEN = "***"
_ADDRESS = re.compile(r"(://)[^/\s?#\"'<>]{1,2000}@")
_PARAMETER = re.compile(
    r"(?i)((?:^|[?&;\s\"'({])[\w.\[\]-]{0,40}"
    r"(?:key|token|secret|password|passwd|pass|pwd|auth|signature|sig|credentials?)\]?=)[^&;\s\"'<>)}#]{1,4000}"
)
_OURS = re.compile(r"\b(agg_|whsec_)[A-Za-z0-9_+/=-]{6,}")
_HEADER = re.compile(r"(?i)(authorization['\"]?\s{0,3}[:=,]\s{0,3}['\"]?)(?:(?:bearer|basic)\s+)?[^\s'\",]+")
_BEARER = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{16,}")
_HINTS = re.compile(r"(?i)://[^/\s]*@|=|agg_|whsec_|authorization|bearer")  # every secret has one of these


def _hidden(match: re.Match[str]) -> str:
    return match[1] + _HIDDEN


def redact(text: str) -> str:
    """Return `text` with each secret replaced by `***`."""
    if not _HINTS.search(text):
        return text
    text = _ADDRESS.sub(rf"\1{_HIDDEN}@", text)
    for pattern in (_HEADER, _BEARER, _PARAMETER, _OURS):
        text = pattern.sub(_hidden, text)
    return text


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return `1 article`, `4 articles`, `1,204 articles`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def story_numbers(reports: int, outlets: int, unknown: int, articles: int) -> tuple[str, str, str]:
    """Return the three numbers of a story; `unknown`: its articles without a known outlet."""
    counts = counted(reports, "independent report"), counted_outlets(outlets, unknown)
    return *counts, counted(articles, "article")


def counted_outlets(known: int, unknown: int) -> str:
    """Return `11 outlets`, `11 outlets, 19 unknown`, `1 unknown outlet`; `unknown`: articles without one."""
    if not known and unknown:
        return counted(unknown, "unknown outlet")
    return counted(known, "outlet") + (f", {unknown:,} unknown" if unknown else "")


def meant(typed: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?" with the name most like `typed`; "" if none is."""
    similar = get_close_matches(typed, list(known), 1)
    return f"; did you mean `{similar[0]}`?" if similar else ""
