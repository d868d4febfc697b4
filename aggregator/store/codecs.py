"""Nouns in columns: msgpack, compressed with zstd where they hold text."""

from typing import TypeVar

import msgspec
import zstandard

from aggregator.model.core import FrozenStruct

_LEVEL = (
    3  # measured for news text: 2.2 times smaller at 34 us an article; higher levels cost more than they save
)
_MAX_BYTES = 64 * 1024 * 1024


def _reason(name: str) -> bytes:
    return b"\x83\xa4name" + msgspec.msgpack.encode(name) + b"\xa5value\xcb\x3f\xa5share\xcb\x3f"


# The names in an Evidence as msgpack writes them, what is most frequent last. Never to be changed: what was
# pressed is read by these very bytes. Nobody's words are in it (ADR 34).
_NAMES = zstandard.ZstdCompressionDict(
    b"\xa5other\xb0\xabresemblance\xcb\xabcontainment\xcb\xa8estimate\xcb\xa4kind\xa4copy\xa7excerpt\xa8excerpts"
    b"\xa6shared\xaaterm_snapshot\xce\xa6vetoes\xacsecond look"
    b"\x83\xa5stage\xa5event\xa5score\xcb\xa4need\xcb\xa4bias\xcb\x87\xa5stage\xa7founded\xa4bias\xcb"
    b"\xa9runner_up\x84\xa5story\xb0\xa5score\xcb\xa4need\xcb\x40\xa7reasons\x97"
    + b"".join(
        _reason(name)
        for name in (
            "no_body", "undated", "numu", "num", "rare", "names", "lead", "title", "all", "days",
        )
    )
    + b"\xadrules_version\xac",
    dict_type=zstandard.DICT_TYPE_RAWCONTENT,
)  # fmt: skip

# What reading a damaged column raises.
UNREADABLE = (zstandard.ZstdError, msgspec.MsgspecError)

AnyStruct = TypeVar("AnyStruct", bound=FrozenStruct)


def pack(value: FrozenStruct) -> bytes:
    """A small noun as msgpack."""
    return msgspec.msgpack.encode(value)


def press(value: FrozenStruct) -> bytes:
    """A small noun as msgpack, smaller where its names stand in `_NAMES`: half of an Evidence is names."""
    return pressed(pack(value))


def pressed(blob: bytes) -> bytes:
    """What `pack` or `press` wrote as `press` writes it."""
    plain = unpressed(blob)
    return min(plain, zstandard.ZstdCompressor(level=_LEVEL, dict_data=_NAMES).compress(plain), key=len)


def unpressed(blob: bytes) -> bytes:
    """What `pack` or `press` wrote as `pack` writes it."""
    if not blob.startswith(zstandard.FRAME_HEADER):  # no noun in msgpack begins so
        return blob
    return zstandard.ZstdDecompressor(dict_data=_NAMES).decompress(blob, max_output_size=_MAX_BYTES)


def unpack(blob: bytes, shape: type[AnyStruct]) -> AnyStruct:
    """The noun that `pack` or `press` wrote; raises msgspec.ValidationError for anything else."""
    try:
        return msgspec.msgpack.decode(unpressed(blob), type=shape)
    except zstandard.ZstdError as error:
        raise msgspec.ValidationError(str(error)) from error


def compress_bytes(data: bytes) -> bytes:
    """Bytes made smaller."""
    return zstandard.compress(data, _LEVEL)


def decompress_bytes(blob: bytes) -> bytes:
    """The bytes that `compress_bytes` was given."""
    return zstandard.decompress(blob, max_output_size=_MAX_BYTES)


def compress_struct(value: FrozenStruct) -> bytes:
    """A noun that holds text."""
    return compress_bytes(pack(value))


def decompress_struct(blob: bytes, shape: type[AnyStruct]) -> AnyStruct:
    """The noun that `compress_struct` wrote."""
    return unpack(decompress_bytes(blob), shape)
