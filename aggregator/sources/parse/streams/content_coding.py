"""Undo the Content-Encoding of a response in limited steps, since a few bytes can expand to gigabytes."""

import io
import re
import zlib
from collections.abc import Callable, Iterator, Mapping

import msgspec

from aggregator.model.errors import FetchError, ReadError
from aggregator.sources.parse.streams.file_stream import Progress, decompress_stream
from aggregator.text.lines import word_set

_STEP_BYTES = 1 << 16
# Some servers compress twice; each layer may expand to the limit (chosen).
_MOST_LAYERS = 3
_GZIP_MAGIC = b"\x1f\x8b"
_BEGINS_AS_TEXT = re.compile(rb"(?:\xef\xbb\xbf)?\s*[<{\[]")
_FIRST_TAG = re.compile(rb"<([A-Za-z][\w:.-]*)")
_LAST_TAG = re.compile(rb"</([A-Za-z][\w:.-]*)\s*>\s*\Z")
# The last tag is searched for in this many bytes at the end
_TAIL_BYTES = 200


def decompress_body(
    body: bytes, encoding: str, cap_bytes: int, *, is_strict: bool = False
) -> bytes:
    """Return a body without the codings of its Content-Encoding, at most `cap_bytes` long.

    A name that is not a coding (`aws-chunked`, `UTF-8`) is ignored. A body that cannot be decoded but begins as XML,
    JSON or HTML is plain, whatever the header says. A decoded body that is gzip itself (a compressed sitemap) is
    decompressed again. A whole document is accepted although damage follows, unless `is_strict`.

    Raise FetchError("encoding") for a coding that cannot be undone, for too many layers and for incomplete
    data, and FetchError("too_large") as soon as the limit is exceeded.
    """
    if not body:
        return body
    names = [name.strip().lower() for name in reversed(encoding.split(","))]
    codings = [name for name in names if name in _DECODERS or name in _REFUSED]
    if len(codings) > _MOST_LAYERS:
        raise FetchError(
            "encoding", f"the server compressed the response {len(codings)} times"
        )
    for coding in codings:
        try:
            if coding in _REFUSED:
                raise FetchError(
                    "encoding",
                    f"the server used the encoding {coding!r}, which was not requested",
                )
            body = _join(_DECODERS[coding](body), cap_bytes, is_strict)
        except FetchError as error:
            if error.cause != "encoding" or not _BEGINS_AS_TEXT.match(body):
                raise
    if body.startswith(_GZIP_MAGIC):
        body = _join(_unzip(body), cap_bytes, is_strict)
    return body


def is_whole(document: bytes) -> bool:
    """Return whether a document is complete: its last tag closes its first, or it is a JSON object or list."""
    last = _LAST_TAG.search(document[-_TAIL_BYTES:])
    if last is not None:
        first = _FIRST_TAG.search(document)
        return first is not None and first[1].lower() == last[1].lower()
    try:
        return isinstance(msgspec.json.decode(document), dict | list)
    except (msgspec.DecodeError, RecursionError):
        return False


def _join(parts: Iterator[bytes], cap_bytes: int, is_strict: bool) -> bytes:
    body = bytearray()
    try:
        for part in parts:
            body += part
            if len(body) > cap_bytes:
                raise FetchError(
                    "too_large",
                    f"the response is longer than {cap_bytes} bytes when decompressed",
                )
    except (ReadError, zlib.error, EOFError) as error:
        if is_strict or not is_whole(bytes(body)):
            raise FetchError(
                "encoding", "the compressed response is damaged or truncated"
            ) from error
    return bytes(body)


def _unzip(body: bytes) -> Iterator[bytes]:
    """Decompress gzip or zstd by the first bytes; other bytes are plain, because some servers only claim gzip."""
    with decompress_stream(io.BytesIO(body), Progress()) as stream:
        while part := stream.read(_STEP_BYTES):
            yield part


def _inflate(body: bytes) -> Iterator[bytes]:
    """Decompress the coding that servers call deflate: with the header of zlib or gzip, or without one."""
    # RFC 1950, 2.2
    has_header = body[0] & 0x8F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    if has_header or body.startswith(_GZIP_MAGIC):
        inflater = zlib.decompressobj(32 + zlib.MAX_WBITS)
    else:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    part = b""
    # After a full step, there may be more output although all input was read.
    while (body or len(part) == _STEP_BYTES) and not inflater.eof:
        part = inflater.decompress(body, _STEP_BYTES)
        yield part
        body = inflater.unconsumed_tail
    if not inflater.eof:
        raise EOFError


def _brotli(body: bytes) -> Iterator[bytes]:
    """Decompress brotli. Versions of the library before 1.2 cannot limit their output, so they are not used."""
    try:
        import brotli

        decoder = brotli.Decompressor()
        yield decoder.process(body, output_buffer_limit=_STEP_BYTES)
        while not decoder.is_finished():
            part = decoder.process(b"", output_buffer_limit=_STEP_BYTES)
            if not part and decoder.can_accept_more_data():
                raise EOFError
            yield part
    except (ImportError, TypeError) as error:
        raise FetchError(
            "encoding",
            "the server sent brotli (br), which was not requested; to read it: pip install 'brotli>=1.2'",
        ) from error
    except brotli.error as error:
        raise ReadError("damaged") from error


_DECODERS: Mapping[str, Callable[[bytes], Iterator[bytes]]] = {
    "gzip": _unzip,
    "x-gzip": _unzip,
    "zstd": _unzip,
    "deflate": _inflate,
    "br": _brotli,
}
# The other codings of IANA's registry, `compress` also by its older name
_REFUSED = word_set("compress x-compress dcb dcz exi pack200-gzip aes128gcm")
