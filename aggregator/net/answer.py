"""What a fetch gives back, and how the headers of an answer are read."""

import re
from collections.abc import Mapping

import msgspec

_PRINTABLE = re.compile(r"[ -~]+\Z")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9][A-Za-z0-9_.:-]{0,39})", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"\s*([A-Za-z0-9!#$&^_.+-]{1,80}/[A-Za-z0-9!#$&^_.+-]{1,80})")
_HEADER_CHARS = 400


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What an address answered. `body` is free of Content-Encoding; empty when `not_modified`."""

    url: str  # as asked, without a fragment
    url_final: str  # after redirects
    permanent_url: str | None = None  # where the whole chain says "for ever" (301, 308); never https to http
    status: int
    not_modified: bool = False
    body: bytes = b""
    content_type: str = ""  # media type, lower case, without parameters
    charset: str | None = None  # as the header says, lower case; may be wrong or unknown
    etag: str | None = None  # printable ASCII, safe to keep and to send back
    last_modified: str | None = None
    elapsed_seconds: float = 0.0


class Route(msgspec.Struct, frozen=True):
    """The way of one fetch so far: where it began, where it is, and where it leads for ever."""

    asked: str
    final: str
    permanent: str | None = None


def fetched(
    route: Route,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    elapsed_seconds: float,
    validator_cap_chars: int,
) -> Fetched:
    """An answer in our own form; `headers` finds names in any case."""
    declared = headers.get("content-type", "")[:_HEADER_CHARS]
    media_type, charset = _MEDIA_TYPE.match(declared), _CHARSET.search(declared)
    return Fetched(
        url=route.asked,
        url_final=route.final,
        permanent_url=route.permanent,
        status=status,
        not_modified=status == 304,
        body=body,
        content_type=media_type[1].lower() if media_type else "",
        charset=charset[1].lower() if charset else None,
        etag=validator(headers.get("etag"), validator_cap_chars),
        last_modified=validator(headers.get("last-modified"), validator_cap_chars),
        elapsed_seconds=elapsed_seconds,
    )


def validator(value: str | None, cap_chars: int) -> str | None:
    """The value when it can be sent back as it is; None for what no server should have said."""
    stripped = (value or "").strip()
    return stripped if is_printable(stripped) and len(stripped) <= cap_chars else None


def is_printable(text: str) -> bool:
    """Whether the text may stand in a header: printable ASCII, not empty."""
    return _PRINTABLE.match(text) is not None
