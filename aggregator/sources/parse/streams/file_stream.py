"""Opens files of any size, compressed or not, with constant memory use and progress reports.

A damaged file is read up to the damage, which is reported at the end.
"""

import contextlib
import io
import re
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from aggregator.model.errors import ReadError, TooManyFilesError
from aggregator.sources.parse.streams.remote_files import open_file

_GZIP = b"\x1f\x8b\x08"
# The beginning of a zstd frame, or of a skippable frame
_ZSTD_FRAME = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
# `zstd --long` uses 128 MiB; only decompression bombs need a larger window
_ZSTD_WINDOW_BYTES = 2**27
# This many compressed bytes are read at once. They give at most 1 MiB from gzip, and 32 MiB from zstd, which needs
# four bytes for 128 KiB.
_STEP_BYTES = 1024
_BUFFER_BYTES = 262_144
_SKIPPED_AT_ONCE = 1_048_576
# These may stand around JSON: spaces, padding, a byte order mark
BLANK = b" \t\r\n\0\xef\xbb\xbf"
MOST_EMPTY = 64  # empty lines read one by one; further ones are skipped together


class Progress(msgspec.Struct):
    """Progress of reading, in compressed bytes, for a progress bar.

    `total_bytes` is None if unknown, as for standard input.
    """

    read_bytes: int = 0
    total_bytes: int | None = None


class Stream(io.BufferedReader):
    """The decompressed bytes of a file.

    `damage` lists the damage found so far, in words.
    """

    damage: list[str]


class _Pieces(io.RawIOBase):
    """A raw stream over pieces of any length."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # the buffer BufferedReader hands in
        while not self._ready:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._ready = memoryview(piece)
        part = self._ready[: len(buffer)]
        buffer[: len(part)] = part
        self._ready = self._ready[len(part) :]
        return len(part)


def _count_bytes(
    raw: BinaryIO, progress: Progress, damage: list[str]
) -> Iterator[bytes]:
    """Yield the bytes of a file, counted for `progress`; an error of the disk is noted as damage."""
    try:
        while data := raw.read(_BUFFER_BYTES):
            progress.read_bytes += len(data)
            yield data
    except OSError as error:
        damage.append(f"it cannot be read to its end ({error.strerror})")


def _unpack(
    packed: io.BufferedReader,
    damage: list[str],
    *,
    is_gzip: bool,
) -> Iterator[bytes]:
    """Yield the content of consecutive gzip members or zstd frames, up to the first damage."""
    import zstandard

    new_unpacker: Callable[[], Any] = partial(zlib.decompressobj, 16 + zlib.MAX_WBITS)
    if not is_gzip:
        new_unpacker = zstandard.ZstdDecompressor(
            max_window_size=_ZSTD_WINDOW_BYTES
        ).decompressobj
    unpacker: Any = None
    given = b""
    count = 0
    reason = ""
    while given := given or packed.read1(_STEP_BYTES):
        if unpacker is None:
            given = given.lstrip(b"\0")  # padding after the last member or frame
            if not given:
                continue
            unpacker = new_unpacker()
        try:
            content = unpacker.decompress(given)
        except (zlib.error, zstandard.ZstdError, MemoryError) as error:
            reason = f" ({error})"
            break
        given = unpacker.unused_data
        if unpacker.eof:
            unpacker = None
        count += len(content)
        yield content
    if unpacker is not None:
        damage.append(
            f"the file is damaged or cut short after {count:,} unpacked bytes{reason}"
        )


@contextlib.contextmanager
def open_decompressed(path: Path | str, progress: Progress) -> Iterator[Stream]:
    """Yield the bytes of a file, decompressed if its first bytes are those of .gz or .zst.

    Raise ReadError if the file cannot be opened and, at the end of the block, if damage was found.
    """
    with contextlib.ExitStack() as exit_stack:
        try:
            raw = exit_stack.enter_context(open_file(str(path)))
        except OSError as error:
            if TooManyFilesError.is_behind(error):
                raise TooManyFilesError from error  # not a property of the file
            raise ReadError(f"the file cannot be opened ({error.strerror})") from error
        yield exit_stack.enter_context(decompress_stream(raw, progress))


@contextlib.contextmanager
def decompress_stream(raw: BinaryIO, progress: Progress) -> Iterator[Stream]:
    """Yield `raw`, decompressed by its first bytes. Raise ReadError at the end of the block if damage was found."""
    damage: list[str] = []
    plain = _stream(_count_bytes(raw, progress, damage), damage)
    head = plain.peek(4)[:4]
    is_gzip = head.startswith(_GZIP)
    if is_gzip or _ZSTD_FRAME.match(head):
        yield _stream(_unpack(plain, damage, is_gzip=is_gzip), damage)
    else:
        yield plain
    if damage:
        raise ReadError(damage[0])


def _stream(pieces: Iterator[bytes], damage: list[str]) -> Stream:
    stream = Stream(_Pieces(pieces), _BUFFER_BYTES)
    stream.damage = damage
    return stream


def bounded_lines(
    stream: io.BufferedReader, limit_bytes: int, first: int = 1
) -> Iterator[tuple[int, bytes | None]]:
    """Yield the number, counted from `first`, and the bytes of each line of `stream` that is not empty.

    A line longer than `limit_bytes` is skipped; yield None in its place.
    """
    number = first
    empty = 0
    while line := stream.readline(limit_bytes + 1):
        if len(line) > limit_bytes and not line.endswith(b"\n"):
            yield number, None
            while (
                skipped := stream.readline(_SKIPPED_AT_ONCE)
            ) and not skipped.endswith(b"\n"):
                pass
        elif line.strip(BLANK):
            yield number, line
            empty = 0
        else:
            empty += 1
        number += 1
        while empty >= MOST_EMPTY and (passed := pass_empty_lines(stream)):
            number += passed


def pass_empty_lines(stream: io.BufferedReader) -> int:
    """Skip the empty lines in the buffer of `stream`; return their number.

    Each call copies the buffer, so loops over lines call this only after MOST_EMPTY empty lines.
    """
    buffered = stream.peek()
    end = buffered.rfind(b"\n", 0, len(buffered) - len(buffered.lstrip(BLANK))) + 1
    return stream.read(end).count(b"\n")
