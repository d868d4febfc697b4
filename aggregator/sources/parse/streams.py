"""Opens files of any size, compressed or not, with constant memory use and progress reports.

A damaged file is read up to the damage, which is reported at the end.
"""

import codecs
import contextlib
import io
import re
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from aggregator.model.errors import ReadError, TooManyFilesError
from aggregator.sources.parse.remote_files import open_file

if TYPE_CHECKING:
    from zstandard import ZstdDecompressor

_GZIP = b"\x1f\x8b\x08"
_ZSTD_FRAME = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")  # a frame, or a skippable frame
_ZSTD_WINDOW_BYTES = 2**27  # 128 MiB, that of `zstd --long`; only decompression bombs need a larger one
_ZSTD_STEP_BYTES = 1024  # decompresses to at most 32 MiB: a block of 128 KiB needs four bytes
_BUFFER_BYTES = 262_144
_SKIPPED_AT_ONCE = 1_048_576
BLANK = b" \t\r\n\0\xef\xbb\xbf"  # allowed around JSON: spaces, padding, a byte order mark
MOST_EMPTY = 64  # empty lines read one by one; further ones are skipped together
_MEMBERS_KEPT = 10_000  # whose offsets are known: more than begin in a buffer, the smallest has 20 bytes


class Progress:
    """Progress of reading, in compressed bytes, for a progress bar.

    `total_bytes` is None if unknown (standard input).
    """

    def __init__(self) -> None:
        self.read_bytes = 0
        self.total_bytes: int | None = None


class FileDamage:
    """Damage found in a file so far; `message` is None without damage."""

    def __init__(self) -> None:
        self.message: str | None = None

    def note(self, message: str) -> None:
        """Keep the first message."""
        self.message = self.message or message


class Stream(io.BufferedReader):
    """The decompressed bytes of a file.

    `offset_of`: where in the file reading can begin for the byte at this position; None: nowhere.
    """

    damage: FileDamage
    offset_of: Callable[[int], int | None]


class _Counting(io.RawIOBase):
    """A raw reader that counts bytes for `progress` and notes errors of the disk as damage."""

    def __init__(self, raw: BinaryIO, progress: Progress, damage: FileDamage) -> None:
        self._raw = raw
        self._progress = progress
        self._damage = damage
        self._read_bytes = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._read_bytes

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # the buffer BufferedReader hands in
        try:
            data = self._raw.read(len(buffer))
        except OSError as error:
            self._damage.note(f"it cannot be read to its end ({error.strerror})")
            return 0
        buffer[: len(data)] = data
        self._progress.read_bytes += len(data)
        self._read_bytes += len(data)
        return len(data)


class _GzipMember:
    """One gzip member. Raises the library's errors for broken data."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    @property
    def rest(self) -> bytes:
        """The input that was not used yet."""
        return self._inflater.unused_data if self.eof else self._inflater.unconsumed_tail

    def step(self, data: bytes, limit: int) -> bytes:
        """Decompress `data`; return about `limit` bytes at most."""
        return self._inflater.decompress(data, limit)


class _ZstdFrame:
    """One zstd frame, as `_GzipMember`."""

    def __init__(self, decompressor: "ZstdDecompressor") -> None:
        self._unpacker = decompressor.decompressobj()
        self._later = b""

    @property
    def eof(self) -> bool:
        return self._unpacker.eof

    @property
    def rest(self) -> bytes:
        return (self._unpacker.unused_data if self.eof else b"") + self._later

    def step(self, data: bytes, limit: int) -> bytes:  # noqa: ARG002 - limited by the size of the input
        self._later = data[_ZSTD_STEP_BYTES:]
        return self._unpacker.decompress(data[:_ZSTD_STEP_BYTES])


def _zstd_decompressor() -> "ZstdDecompressor":
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)


class _Unpacking(io.RawIOBase):
    """Reads consecutive members or frames, up to the first that is damaged."""

    def __init__(self, packed: io.BufferedReader, damage: FileDamage, *, is_gzip: bool, start: int) -> None:
        self._packed = packed
        self._start = start
        self._damage = damage
        # Shared by all frames: creating one is slow.
        self._decompressor = None if is_gzip else _zstd_decompressor()
        self._unpacker: _GzipMember | _ZstdFrame | None = None
        self._given = b""  # compressed, not used yet
        self._ready = memoryview(b"")  # decompressed, not read yet
        self._unpacked_bytes = 0
        self._members: OrderedDict[int, int] = OrderedDict()  # position of their first byte → offset
        self._is_damaged = False

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._unpacked_bytes - len(self._ready)

    def offset_of(self, position: int) -> int | None:
        """Return the offset of the member or frame that begins at this position."""
        return self._members.get(position)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # as above
        while not self._ready:
            unpacked = self._next(len(buffer))
            if unpacked is None:
                return 0
            self._ready = memoryview(unpacked)
            self._unpacked_bytes += len(unpacked)
        part = self._ready[: len(buffer)]
        buffer[: len(part)] = part
        self._ready = self._ready[len(part) :]
        return len(part)

    def _next(self, limit: int) -> bytes | None:
        """Return some more bytes, or b"" for none yet; None at the end."""
        import zstandard

        self._given = self._given or self._packed.read1(_BUFFER_BYTES)
        if self._is_damaged or not self._given:
            if self._unpacker is not None:
                self._note("")
            return None
        if self._unpacker is None:
            self._given = self._given.lstrip(b"\0")  # padding behind the last one
            if not self._given:
                return b""
            self._begin()
        assert self._unpacker is not None
        try:
            unpacked = self._unpacker.step(self._given, limit)
        except (zlib.error, zstandard.ZstdError, MemoryError) as error:
            self._note(f" ({error})")
            self._is_damaged = True
            return None
        self._given = self._unpacker.rest
        if self._unpacker.eof:
            self._unpacker = None
        return unpacked

    def _begin(self) -> None:
        self._unpacker = _GzipMember() if self._decompressor is None else _ZstdFrame(self._decompressor)
        self._members[self._unpacked_bytes] = self._start + self._packed.tell() - len(self._given)
        if len(self._members) > _MEMBERS_KEPT:
            self._members.popitem(last=False)

    def _note(self, more: str) -> None:
        where = f"after {self._unpacked_bytes:,} unpacked bytes"
        self._damage.note(f"the file is damaged or cut short {where}{more}")


@contextlib.contextmanager
def opened(path: Path | str, progress: Progress) -> Iterator[Stream]:
    """Open a file, decompressed if its first bytes are those of .gz or .zst.

    Raise ReadError if it cannot be opened and, at the end of the block, if it was damaged.
    """
    with contextlib.ExitStack() as exit_stack:
        try:
            raw = exit_stack.enter_context(open_file(str(path)))
        except OSError as error:
            if TooManyFilesError.is_behind(error):
                raise TooManyFilesError from error  # not a property of the file
            raise ReadError(f"the file cannot be opened ({error.strerror})") from error
        yield exit_stack.enter_context(unzipped(raw, progress))


@contextlib.contextmanager
def unzipped(raw: BinaryIO, progress: Progress, start: int = 0) -> Iterator[Stream]:
    """Return `raw` decompressed by its first bytes. Raise ReadError for damage at the end of the block.

    `start`: the offset in its file from which it is read.
    """
    damage = FileDamage()
    plain = _stream(_Counting(raw, progress, damage), damage, lambda position: start + position)
    head = plain.peek(4)[:4]
    is_gzip = head.startswith(_GZIP)
    if is_gzip or _ZSTD_FRAME.match(head):
        unpacking = _Unpacking(plain, damage, is_gzip=is_gzip, start=start)
        yield _stream(unpacking, damage, unpacking.offset_of)
    else:
        yield plain
    if damage.message is not None:
        raise ReadError(damage.message)


def _stream(
    reader: io.RawIOBase, damage: FileDamage, offset_of: Callable[[int], int | None] = lambda _: None
) -> Stream:
    stream = Stream(reader, _BUFFER_BYTES)
    stream.damage, stream.offset_of = damage, offset_of
    return stream


class _Recoding(io.RawIOBase):
    """Recodes UTF-16 or UTF-32 to UTF-8; invalid characters become U+FFFD."""

    def __init__(self, stream: io.BufferedReader, codec: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(codec)("replace")
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # as above
        while not self._ready:
            data = self._stream.read1(_BUFFER_BYTES)
            self._ready = self._decoder.decode(data, final=not data).encode("utf-8", "replace")
            if not data and not self._ready:
                return 0
        part = self._ready[: len(buffer)]
        self._ready = self._ready[len(part) :]
        buffer[: len(part)] = part
        return len(part)


def in_utf8(stream: Stream) -> Stream:
    """Return `stream`, recoded if it begins like JSON in UTF-16 or UTF-32, so that it can be split at
    newlines.
    """
    head = stream.peek(4)[:4].ljust(4, b" ")
    codec = next((codec for mark, codec in _WIDE if re.match(mark, head, re.DOTALL)), None)
    return stream if codec is None else _stream(_Recoding(stream, codec), stream.damage)


_WIDE = (
    (rb"\xff\xfe\0\0|\0\0\xfe\xff", "utf-32"),  # with a byte order mark
    (rb"\xff\xfe|\xfe\xff", "utf-16"),
    (rb"[\[{]\0\0\0", "utf-32-le"),
    (rb"\0\0\0[\[{]", "utf-32-be"),
    (rb"[\[{]\0", "utf-16-le"),
    (rb"\0[\[{]", "utf-16-be"),
)


def bounded_lines(
    stream: io.BufferedReader, limit_bytes: int, first: int = 1
) -> Iterator[tuple[int, bytes | None]]:
    """Yield the lines of `stream` that are not empty, with line ends, and their numbers from `first`.

    Yield None for a line longer than `limit_bytes`, which is skipped. Yield b"" from time to time while all
    bytes are empty or skipped, so that the caller may do other work.
    """
    number, empty = first, 0
    while line := stream.readline(limit_bytes + 1):
        if len(line) > limit_bytes and not line.endswith(b"\n"):
            yield number, None
            while (skipped := stream.readline(_SKIPPED_AT_ONCE)) and not skipped.endswith(b"\n"):
                yield number, b""
        elif line.strip(BLANK):
            yield number, line
            empty = 0
        else:
            empty += 1
        number += 1
        while empty >= MOST_EMPTY and (passed := pass_empty_lines(stream)):
            number += passed
            yield number, b""


def pass_empty_lines(stream: io.BufferedReader) -> int:
    """Skip the empty lines in the buffer of `stream`; return their number.

    It copies the buffer: call it only after MOST_EMPTY empty lines.
    """
    buffered = stream.peek()
    end = buffered.rfind(b"\n", 0, len(buffered) - len(buffered.lstrip(BLANK))) + 1
    return stream.read(end).count(b"\n")
