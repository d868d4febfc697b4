"""Undoing gzip and deflate in bounded steps: a few hundred bytes can stand for gigabytes."""

import zlib
from collections.abc import Iterable, Iterator

from aggregator.model.errors import FetchError

_STEP_BYTES = 1 << 16
_MOST_MEMBERS = 4096  # each costs an inflater: a flood of empty ones is work without end
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_BITS = 16 + zlib.MAX_WBITS


def decompress_body(parts: Iterable[bytes], encoding: str, cap_bytes: int) -> bytes:
    """The body behind a Content-Encoding, at most `cap_bytes` long.

    Raises FetchError("encoding") for an encoding we did not ask for, for layers of them, and for broken or
    cut data, and FetchError("too_large") as soon as the cap is passed. A body that is still gzip afterwards
    (a compressed sitemap, a server that compresses twice) is undone once more under the same cap.
    """
    body = _joined(_layer(parts, encoding.strip().lower()), cap_bytes)
    if body.startswith(_GZIP_MAGIC):
        body = _joined(_gzip(_cut(body)), cap_bytes)
    return body


def _cut(body: bytes) -> Iterator[bytes]:
    return (body[start : start + _STEP_BYTES] for start in range(0, len(body), _STEP_BYTES))


def _joined(parts: Iterable[bytes], cap_bytes: int) -> bytes:
    body = bytearray()
    for part in parts:
        body += part
        if len(body) > cap_bytes:
            raise FetchError("too_large", f"the answer is longer than {cap_bytes} bytes when unpacked")
    return bytes(body)


def _layer(parts: Iterable[bytes], encoding: str) -> Iterable[bytes]:
    if encoding in ("", "identity"):
        return parts
    if encoding in ("gzip", "x-gzip"):
        return _unless_plain(parts)
    if encoding == "deflate":
        return _deflate(parts)
    raise FetchError("encoding", f"the server answered in {encoding[:40]!r}, which was not asked for")


def _unless_plain(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Servers exist that say gzip and send plain text."""
    steps = iter(parts)
    start = b""
    for part in steps:
        start += part
        if len(start) >= len(_GZIP_MAGIC):
            break
    if start.startswith(_GZIP_MAGIC):
        return _gzip(_chained(start, steps))
    return _chained(start, steps)


def _chained(start: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield start
    yield from rest


def _gzip(parts: Iterator[bytes]) -> Iterator[bytes]:
    """One gzip member after the other; bytes behind the last one that are no member are padding."""
    inflater = zlib.decompressobj(_GZIP_BITS)
    members = 1
    for part in parts:
        rest = part
        while rest:
            if inflater.eof:
                if not rest.startswith(_GZIP_MAGIC[: len(rest)]):
                    return
                members += 1
                if members > _MOST_MEMBERS:
                    raise FetchError("encoding", f"more than {_MOST_MEMBERS} gzip members in one answer")
                inflater = zlib.decompressobj(_GZIP_BITS)
            yield from _steps(inflater, rest)
            rest = inflater.unused_data
    if not inflater.eof:
        raise FetchError("encoding", "the compressed answer ends too early")


def _deflate(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The zlib format, or the bare one that some servers take "deflate" for."""
    inflater = None
    for part in parts:
        if inflater is None and part:
            inflater = zlib.decompressobj(zlib.MAX_WBITS if _is_zlib(part) else -zlib.MAX_WBITS)
        if inflater is not None:
            yield from _steps(inflater, part)
    if inflater is not None and not inflater.eof:
        raise FetchError("encoding", "the compressed answer ends too early")


def _is_zlib(start: bytes) -> bool:
    return start[0] & 0x0F == 8 and (len(start) < 2 or (start[0] << 8 | start[1]) % 31 == 0)


def _steps(inflater: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    rest = data
    more = bool(rest)
    while more and not inflater.eof:
        try:
            step = inflater.decompress(rest, _STEP_BYTES)
        except zlib.error as error:
            raise FetchError("encoding", "the compressed answer is broken") from error
        yield step
        rest = inflater.unconsumed_tail
        more = bool(rest) or len(step) == _STEP_BYTES  # a full step may have more behind it, without input
