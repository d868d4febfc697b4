"""Opening files of any size, compressed or not, so that memory stays flat and progress can be shown."""

import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from aggregator.errors import ReadError

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_WINDOW_BYTES = 2**27  # 128 MiB: what `zstd --long` makes; a larger one is asked for by bombs
_BUFFER_BYTES = 262_144
_SKIPPED_AT_ONCE = 1_048_576


class Progress:
    """How far a reading is, in bytes as they lie on the disk; for a progress bar.

    `total_bytes` is None where it cannot be known (standard input).
    """

    def __init__(self) -> None:
        self.read_bytes = 0
        self.total_bytes: int | None = None


class _Counting(io.RawIOBase):
    """A raw reader that tells `progress` how much went through it."""

    def __init__(self, raw: BinaryIO, progress: Progress) -> None:
        self._raw = raw
        self._progress = progress

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # the buffer BufferedReader hands in
        data = self._raw.read(len(buffer))
        buffer[: len(data)] = data
        self._progress.read_bytes += len(data)
        return len(data)


@contextlib.contextmanager
def opened(path: Path | str, progress: Progress) -> Iterator[io.BufferedReader]:
    """The bytes of a file, unzipped where its first bytes say .gz or .zst. Broken files raise ReadError."""
    with contextlib.ExitStack() as held:
        try:
            raw = held.enter_context(Path(path).open("rb", buffering=0))
        except OSError as error:
            raise ReadError(f"the file cannot be opened ({error.strerror})") from error
        yield held.enter_context(unzipped(cast("BinaryIO", raw), progress))


@contextlib.contextmanager
def unzipped(raw: BinaryIO, progress: Progress) -> Iterator[io.BufferedReader]:
    """`raw` unzipped by what its first bytes say; errors of reading it come out as ReadError."""
    import zstandard

    stream = _buffered(_Counting(raw, progress))
    try:
        head = stream.peek(4)[:4]
        if head.startswith(_GZIP):
            stream = _buffered(gzip.GzipFile(fileobj=stream))
        elif head == _ZSTD:
            reader = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
            stream = _buffered(reader.stream_reader(stream, read_across_frames=True))
        yield stream
    except (OSError, EOFError, zlib.error, zstandard.ZstdError, MemoryError) as error:
        raise ReadError(f"the file is damaged or cut short ({error})") from error


def _buffered(reader: object) -> io.BufferedReader:
    return io.BufferedReader(cast("io.RawIOBase", reader), _BUFFER_BYTES)


def bounded_lines(stream: io.BufferedReader, limit_bytes: int) -> Iterator[bytes | None]:
    """The lines of `stream` with their ends; None for one longer than `limit_bytes`, which is skipped."""
    while line := stream.readline(limit_bytes + 1):
        if len(line) > limit_bytes and not line.endswith(b"\n"):
            _skip_line(stream)
            yield None
        else:
            yield line


def _skip_line(stream: io.BufferedReader) -> None:
    while (rest := stream.readline(_SKIPPED_AT_ONCE)) and not rest.endswith(b"\n"):
        pass
