"""Values in columns: structs as msgpack, compressed with zstd where they hold text."""

from typing import TypeVar

import msgspec
import zstandard

from aggregator.model.structs import FrozenStruct

_LEVEL = (
    # Measured for news text: 2.2 times smaller at 34 us an article; higher levels cost more than they save
    3
)
_MAX_BYTES = 64 * 1024 * 1024


# The field names of Evidence as msgpack writes them, the most frequent ones last. Do not change these bytes, because
# stored evidence is decompressed with them. They contain no text of articles (ADR 34).
_NAMES = zstandard.ZstdCompressionDict(
    b"\xa5other\xb0\xabresemblance\xcb\xabcontainment\xcb\xa8estimate\xcb\xa4kind\xa4copy\xa7excerpt\xa8excerpts"
    b"\xa6shared\xaaterm_snapshot\xce\xa6vetoes\xacsecond look"
    b"\x83\xa5stage\xa5event\xa5score\xcb\xa4need\xcb\xa4bias\xcb\x87\xa5stage\xa7founded\xa4bias\xcb"
    b"\xa9runner_up\x84\xa5story\xb0\xa5score\xcb\xa4need\xcb\x40\xa7reasons\x97"
    + b"".join(
        b"\x83\xa4name" + msgspec.msgpack.encode(name) + b"\xa5value\xcb\x3f\xa5share\xcb\x3f"
        for name in (
            "no_body", "undated", "numu", "num", "rare", "names", "lead", "title", "all", "days",
        )
    )
    + b"\xadrules_version\xac",
    dict_type=zstandard.DICT_TYPE_RAWCONTENT,
)  # fmt: skip

# Exceptions that reading a damaged column raises.
UNREADABLE = (zstandard.ZstdError, msgspec.MsgspecError)

AnyStruct = TypeVar("AnyStruct", bound=FrozenStruct)


def pack(value: FrozenStruct) -> bytes:
    """Return a small struct as msgpack."""
    return msgspec.msgpack.encode(value)


def pack_compressed(value: FrozenStruct) -> bytes:
    """Return a struct as msgpack, compressed with the dictionary of names if that makes it shorter.

    Half of an Evidence is names.
    """
    plain = pack(value)
    return min(
        plain,
        zstandard.ZstdCompressor(level=_LEVEL, dict_data=_NAMES).compress(plain),
        key=len,
    )


def unpack(blob: bytes, shape: type[AnyStruct]) -> AnyStruct:
    """Return the struct that `pack` or `pack_compressed` wrote. Raises msgspec.MsgspecError."""
    try:
        # No struct in msgpack begins with these bytes
        if blob.startswith(zstandard.FRAME_HEADER):
            blob = zstandard.ZstdDecompressor(dict_data=_NAMES).decompress(
                blob, max_output_size=_MAX_BYTES
            )
        return msgspec.msgpack.decode(blob, type=shape)
    except zstandard.ZstdError as error:
        raise msgspec.ValidationError(str(error)) from error


def compress_bytes(data: bytes) -> bytes:
    """Return the bytes as one zstd frame."""
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(data)


def decompress_bytes(blob: bytes) -> bytes:
    """Return the bytes of a frame from `compress_bytes`. Raises zstandard.ZstdError."""
    return zstandard.decompress(blob, max_output_size=_MAX_BYTES)


def compress_struct(value: FrozenStruct) -> bytes:
    """Return a struct that holds text as msgpack in a zstd frame."""
    return compress_bytes(pack(value))


def decompress_struct(blob: bytes, shape: type[AnyStruct]) -> AnyStruct:
    """Return the struct that `compress_struct` wrote. Raises one of UNREADABLE."""
    return unpack(decompress_bytes(blob), shape)
