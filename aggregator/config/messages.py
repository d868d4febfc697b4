"""How a number is said with what it counts.

Words that may be shown: secrets in them become `***`.

Known by their shape, wherever they stand: the name and password in an address, the values of query parameters
that are called like keys, our own tokens and signing keys, and what an Authorization header carries.
"""

import re

_HIDDEN = "***"
_ADDRESS = re.compile(r"(://)[^/\s?#\"'<>]{1,2000}@")
_PARAMETER = re.compile(
    r"(?i)((?:^|[?&;\s\"'({])[\w.\[\]-]{0,40}"
    r"(?:key|token|secret|password|passwd|pass|pwd|auth|signature|sig|credentials?)\]?=)[^&;\s\"'<>)}#]{1,4000}"
)
_OURS = re.compile(r"\b(agg_|whsec_)[A-Za-z0-9_+/=-]{6,}")
_HEADER = re.compile(r"(?i)(authorization['\"]?\s{0,3}[:=,]\s{0,3}['\"]?)(?:(?:bearer|basic)\s+)?[^\s'\",]+")
_BEARER = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{16,}")
_SIGNS = re.compile(r"(?i)://[^/\s]*@|=|agg_|whsec_|authorization|bearer")  # without one, nothing to look for


def _kept(match: re.Match[str]) -> str:
    return match[1] + _HIDDEN


def redact(text: str) -> str:
    """`text` with what must not be read by others taken out; mostly the same string."""
    if not _SIGNS.search(text):
        return text
    text = _ADDRESS.sub(rf"\1{_HIDDEN}@", text)
    for pattern in (_HEADER, _BEARER, _PARAMETER, _OURS):
        text = pattern.sub(_kept, text)
    return text


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 article`, `4 articles`, `1,204 articles`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
