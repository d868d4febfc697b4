"""Opening files of any size, compressed or not, so that memory stays flat and progress can be shown.

What can be read of a damaged file is read: what comes before the damage, and what comes after it where the
file goes on with a new gzip member or zstd frame. The damage is told at the end.
"""

import codecs
import contextlib
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from aggregator.model.errors import ReadError, TooManyFilesError

if TYPE_CHECKING:
    from zstandard import ZstdDecompressor

_GZIP = b"\x1f\x8b\x08"
_ZSTD = b"\x28\xb5\x2f\xfd"
_ZSTD_FRAME = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")  # a frame, or one to be skipped
_GZIP_MEMBER = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]")
_ZSTD_WINDOW_BYTES = 2**27  # 128 MiB: what `zstd --long` makes; a larger one is asked for by bombs
_ZSTD_STEP_BYTES = 1024  # at most 32 MiB come out of it: a block of 128 KiB needs four bytes
_BUFFER_BYTES = 262_144
_SKIPPED_AT_ONCE = 1_048_576
_LEAST_MEMBER_BYTES = 18  # header and trailer of gzip: fewer bytes between members or behind them lost none
BLANK = b" \t\r\n\0\xef\xbb\xbf"  # what may stand around JSON: spaces, padding, a byte order mark
MOST_EMPTY = 64  # empty lines that are read one by one; those behind them are passed over together
_MOST_DAMAGE = 1000  # places in one file after which it is no archive but noise


class Progress:
    """How far a reading is, in bytes as they lie on the disk; for a progress bar.

    `total_bytes` is None where it cannot be known (standard input).
    """

    def __init__(self) -> None:
        self.read_bytes = 0
        self.total_bytes: int | None = None


class FileDamage:
    """What is wrong with a file, as far as it was read; `words` is None while nothing is."""

    def __init__(self) -> None:
        self.words: str | None = None
        self.places = 0

    def note(self, words: str) -> None:
        """One more place; the first is told."""
        self.places += 1
        self.words = self.words or words


class Stream(io.BufferedReader):
    """The bytes of a file, unpacked."""

    damage: FileDamage


class _Counting(io.RawIOBase):
    """A raw reader that tells `progress` how much went through it. What a disk cannot give is damage."""

    def __init__(self, raw: BinaryIO, progress: Progress, damage: FileDamage) -> None:
        self._raw = raw
        self._progress = progress
        self._damage = damage

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # the buffer BufferedReader hands in
        try:
            data = self._raw.read(len(buffer))
        except OSError as error:
            self._damage.note(f"it cannot be read to its end ({error.strerror})")
            return 0
        buffer[: len(data)] = data
        self._progress.read_bytes += len(data)
        return len(data)


class _Unpacker(Protocol):
    """One member or frame. Raises the library's errors for what is broken."""

    @property
    def eof(self) -> bool: ...
    @property
    def rest(self) -> bytes:
        """What was handed in and not used yet."""
        ...

    def step(self, data: bytes, limit: int) -> bytes:
        """What comes out of `data`, about `limit` bytes at most."""
        ...


class _GzipMember:
    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    @property
    def rest(self) -> bytes:
        return self._inflater.unused_data if self.eof else self._inflater.unconsumed_tail

    def step(self, data: bytes, limit: int) -> bytes:
        return self._inflater.decompress(data, limit)


class _ZstdFrame:
    def __init__(self, decompressor: "ZstdDecompressor") -> None:
        self._unpacker = decompressor.decompressobj()
        self._later = b""

    @property
    def eof(self) -> bool:
        return self._unpacker.eof

    @property
    def rest(self) -> bytes:
        return (self._unpacker.unused_data if self.eof else b"") + self._later

    def step(self, data: bytes, limit: int) -> bytes:  # noqa: ARG002 - bounded by what goes in
        self._later = data[_ZSTD_STEP_BYTES:]
        return self._unpacker.decompress(data[:_ZSTD_STEP_BYTES])


def _zstd_decompressor() -> "ZstdDecompressor":
    import zstandard

    return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)


class _Unpacking(io.RawIOBase):
    """Members or frames one after the other; where one is broken it goes on at the next beginning of one."""

    def __init__(self, packed: io.BufferedReader, damage: FileDamage, *, is_gzip: bool) -> None:
        self._packed = packed
        self._damage = damage
        self._beginning = _GZIP_MEMBER if is_gzip else _ZSTD_FRAME
        self._decompressor = (
            None if is_gzip else _zstd_decompressor()
        )  # to make one for each frame takes long
        self._unpacker: _Unpacker | None = None
        self._given = b""  # packed, not handed in yet
        self._ready = memoryview(b"")  # unpacked, not taken yet
        self._unpacked_bytes = 0
        self._passed_bytes = 0  # since the last member, that are no padding

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # as above
        while not self._ready:
            made = self._next(len(buffer))
            if made is None:
                return 0
            self._ready = memoryview(made)
            self._unpacked_bytes += len(made)
        part = self._ready[: len(buffer)]
        buffer[: len(part)] = part
        self._ready = self._ready[len(part) :]
        return len(part)

    def _next(self, limit: int) -> bytes | None:
        """Some more bytes, or none yet; None at the end."""
        import zstandard

        if not self._given and not self._fill():
            if self._unpacker is not None:
                self._note("")
            return None
        if self._unpacker is None and not self._begins():
            return b""
        assert self._unpacker is not None
        try:
            made = self._unpacker.step(self._given, limit)
        except (zlib.error, zstandard.ZstdError, MemoryError) as error:
            self._note(f" ({error})")
            self._unpacker, self._given = None, self._given[1:]
            self._passed_bytes = _LEAST_MEMBER_BYTES  # this is told
            return None if self._damage.places >= _MOST_DAMAGE else b""
        self._given = self._unpacker.rest
        if self._unpacker.eof:
            self._unpacker = None
        return made

    def _begins(self) -> bool:
        """Go on to the next beginning in what is given; a member whose beginning is damaged is told."""
        found = self._beginning.search(self._given)
        if found is None:
            self._pass_over(self._given[:-3])
            self._given = self._given[-3:]  # a beginning may be cut in two
            if not self._fill():
                self._given = b""
            return False
        self._pass_over(self._given[: found.start()])
        self._given, self._passed_bytes = self._given[found.start() :], 0
        self._unpacker = _GzipMember() if self._decompressor is None else _ZstdFrame(self._decompressor)
        return True

    def _pass_over(self, data: bytes) -> None:
        before = self._passed_bytes
        self._passed_bytes += len(data.strip(b"\0"))
        if before < _LEAST_MEMBER_BYTES <= self._passed_bytes:
            self._note("")

    def _fill(self) -> bool:
        more = self._packed.read1(_BUFFER_BYTES)
        self._given += more
        return bool(more)

    def _note(self, more: str) -> None:
        where = f"after {self._unpacked_bytes:,} unpacked bytes"
        self._damage.note(f"the file is damaged or cut short {where}{more}")


@contextlib.contextmanager
def opened(path: Path | str, progress: Progress) -> Iterator[Stream]:
    """The bytes of a file, unzipped where its first bytes say .gz or .zst.

    Raises ReadError where it cannot be opened and, at the end of the block, where it was damaged.
    """
    with contextlib.ExitStack() as held:
        try:
            raw = held.enter_context(Path(path).open("rb", buffering=0))
        except OSError as error:
            if TooManyFilesError.is_behind(error):
                raise TooManyFilesError from error  # it says nothing of the file
            raise ReadError(f"the file cannot be opened ({error.strerror})") from error
        yield held.enter_context(unzipped(cast("BinaryIO", raw), progress))


@contextlib.contextmanager
def unzipped(raw: BinaryIO, progress: Progress) -> Iterator[Stream]:
    """`raw` unzipped by what its first bytes say; what is wrong with it comes as ReadError at the end."""
    damage = FileDamage()
    plain = _stream(_Counting(raw, progress, damage), damage)
    head = plain.peek(4)[:4]
    if head.startswith(_GZIP):
        yield _stream(_Unpacking(plain, damage, is_gzip=True), damage)
    elif _ZSTD_FRAME.match(head):
        yield _stream(_Unpacking(plain, damage, is_gzip=False), damage)
    else:
        yield plain
    if damage.words is not None:
        raise ReadError(damage.words)


def _stream(reader: io.RawIOBase, damage: FileDamage) -> Stream:
    stream = Stream(reader, _BUFFER_BYTES)
    stream.damage = damage
    return stream


class _Chained(io.RawIOBase):
    """What was read already, and the rest behind it."""

    def __init__(self, first: bytes, rest: io.BufferedReader) -> None:
        self._first = first
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # as above
        part = self._first[: len(buffer)] or self._rest.read1(len(buffer))
        self._first = self._first[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def chained(first: bytes, rest: Stream) -> Stream:
    """`rest` with what was read of it already before it."""
    return _stream(_Chained(first, rest), rest.damage)


class _Recoding(io.RawIOBase):
    """UTF-16 or UTF-32 as UTF-8; what is none becomes the sign for it."""

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
    """`stream`, recoded where it begins like JSON in UTF-16 or UTF-32: its lines can then be told apart."""
    head = stream.peek(4)[:4].ljust(4, b" ")
    codec = next((codec for mark, codec in _WIDE if re.match(mark, head, re.DOTALL)), None)
    return stream if codec is None else _stream(_Recoding(stream, codec), stream.damage)


_WIDE = (
    (rb"\xff\xfe\0\0|\0\0\xfe\xff", "utf-32"),  # with a mark
    (rb"\xff\xfe|\xfe\xff", "utf-16"),
    (rb"[\[{]\0\0\0", "utf-32-le"),
    (rb"\0\0\0[\[{]", "utf-32-be"),
    (rb"[\[{]\0", "utf-16-le"),
    (rb"\0[\[{]", "utf-16-be"),
)


def bounded_lines(
    stream: io.BufferedReader, limit_bytes: int, first: int = 1
) -> Iterator[tuple[int, bytes | None]]:
    """The lines of `stream` that are not empty, with their ends and their numbers, which begin at `first`.

    None for one longer than `limit_bytes`, which is skipped. While nothing but empty or skipped bytes come,
    b"" is given now and then, so that who reads may do something else.
    """
    number, empty = first, 0
    while line := stream.readline(limit_bytes + 1):
        if len(line) > limit_bytes and not line.endswith(b"\n"):
            yield number, None
            while (rest := stream.readline(_SKIPPED_AT_ONCE)) and not rest.endswith(b"\n"):
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
    """Pass over the empty lines that `stream` holds in its buffer; how many they were.

    It copies the buffer: to be called after MOST_EMPTY of them.
    """
    held = stream.peek()
    end = held.rfind(b"\n", 0, len(held) - len(held.lstrip(BLANK))) + 1
    return stream.read(end).count(b"\n")
