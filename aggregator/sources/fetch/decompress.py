"""Decompression of gzip and deflate in limited steps, since a few hundred bytes can expand to gigabytes."""

import zlib
from collections.abc import Iterable, Iterator

from aggregator.model.errors import FetchError

_STEP_BYTES = 1 << 16
_MOST_MEMBERS = 4096  # each needs a decompressor, so many empty members would take unlimited time
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_BITS = 16 + zlib.MAX_WBITS


def decompress_body(parts: Iterable[bytes], encoding: str, cap_bytes: int) -> bytes:
    """Return the decoded body of a Content-Encoding, at most `cap_bytes` long.

    Raise FetchError("encoding") for an encoding that was not requested, for several layers, and for broken or
    incomplete data, and FetchError("too_large") as soon as the limit is exceeded. A decoded body that is gzip
    itself (a compressed sitemap, a server that compresses twice) is decompressed again under the same limit.
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
            raise FetchError("too_large", f"the response is longer than {cap_bytes} bytes when decompressed")
    return bytes(body)


def _layer(parts: Iterable[bytes], encoding: str) -> Iterable[bytes]:
    if encoding in ("", "identity"):
        return parts
    if encoding in ("gzip", "x-gzip"):
        return _unless_plain(parts)
    if encoding == "deflate":
        return _deflate(parts)
    raise FetchError("encoding", f"the server used the encoding {encoding[:40]!r}, which was not requested")


def _unless_plain(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Pass plain text through: some servers declare gzip and send plain text."""
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
    """Decompress consecutive gzip members; other bytes after the last one are padding."""
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
                    raise FetchError("encoding", f"more than {_MOST_MEMBERS} gzip members in one response")
                inflater = zlib.decompressobj(_GZIP_BITS)
            yield from _steps(inflater, rest)
            rest = inflater.unused_data
    if not inflater.eof:
        raise FetchError("encoding", "the compressed response is truncated")


def _deflate(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress the zlib format, or the raw format that some servers send as "deflate"."""
    inflater = None
    for part in parts:
        if inflater is None and part:
            inflater = zlib.decompressobj(zlib.MAX_WBITS if _is_zlib(part) else -zlib.MAX_WBITS)
        if inflater is not None:
            yield from _steps(inflater, part)
    if inflater is not None and not inflater.eof:
        raise FetchError("encoding", "the compressed response is truncated")


def _is_zlib(start: bytes) -> bool:
    return start[0] & 0x0F == 8 and (len(start) < 2 or (start[0] << 8 | start[1]) % 31 == 0)


def _steps(inflater: "zlib._Decompress", data: bytes) -> Iterator[bytes]:
    rest = data
    more = bool(rest)
    while more and not inflater.eof:
        try:
            step = inflater.decompress(rest, _STEP_BYTES)
        except zlib.error as error:
            raise FetchError("encoding", "the compressed response is damaged") from error
        yield step
        rest = inflater.unconsumed_tail
        more = (
            bool(rest) or len(step) == _STEP_BYTES
        )  # after a full step there may be more output without input
