"""Opens files of any size, compressed or not, with constant memory use and progress reports.

A damaged file is read up to the damage, which is reported at the end. Archives at an address
(`https://HOST/x.warc.gz`, `s3://BUCKET/KEY`) are opened by fsspec (the extra `archives`), in parts. Who runs
`ingest` types the address, so it may be in a private network.
"""

import contextlib
import datetime as dt
import errno
import io
import os
import re
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import unquote

from aggregator.model.errors import ReadError, TooManyFilesError, UsageError
from aggregator.sources.parse.streams.folder_scan import suffix_of

_GZIP = b"\x1f\x8b\x08"
# A frame, or a skippable frame
_ZSTD_FRAME = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
# 128 MiB, that of `zstd --long`; only decompression bombs need a larger one
_ZSTD_WINDOW_BYTES = 2**27
# Decompressed at once: to at most 1 MiB from gzip, and 32 MiB from zstd, of which 128 KiB need four bytes.
_STEP_BYTES = 1024
_BUFFER_BYTES = 262_144
_SKIPPED_AT_ONCE = 1_048_576
# Allowed around JSON: spaces, padding, a byte order mark
BLANK = b" \t\r\n\0\xef\xbb\xbf"
MOST_EMPTY = 64  # empty lines read one by one; further ones are skipped together
# Whose offsets are known: more than begin in a buffer, the smallest has 20 bytes
_MEMBERS_KEPT = 10_000


class Progress:
    """Progress of reading, in compressed bytes, for a progress bar.

    `total_bytes` is None if unknown (standard input).
    """

    def __init__(self) -> None:
        self.read_bytes = 0
        self.total_bytes: int | None = None


class Stream(io.BufferedReader):
    """The decompressed bytes of a file.

    `damage`: what was found so far, in words. `offset_of`: where in the file reading can begin for the byte
    at this position; None: nowhere.
    """

    damage: list[str]
    offset_of: Callable[[int], int | None]


class _Pieces(io.RawIOBase):
    """Reads pieces of any length, one after the other."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._ready = memoryview(b"")
        self._read_bytes = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._read_bytes

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # the buffer BufferedReader hands in
        while not self._ready:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._ready = memoryview(piece)
        part = self._ready[: len(buffer)]
        buffer[: len(part)] = part
        self._ready = self._ready[len(part) :]
        self._read_bytes += len(part)
        return len(part)


def _counted(raw: BinaryIO, progress: Progress, damage: list[str]) -> Iterator[bytes]:
    """Yield the bytes of a file, counted for `progress`; an error of the disk is noted as damage."""
    try:
        while data := raw.read(_BUFFER_BYTES):
            progress.read_bytes += len(data)
            yield data
    except OSError as error:
        damage.append(f"it cannot be read to its end ({error.strerror})")


def _unpacked(
    packed: io.BufferedReader,
    damage: list[str],
    members: OrderedDict[int, int],
    *,
    is_gzip: bool,
) -> Iterator[bytes]:
    """Yield the content of consecutive gzip members or zstd frames, up to the first that is damaged.

    `members`: gets where each of them begins, in `packed` by the position of its first byte.
    """
    import zstandard

    new_unpacker = (
        partial(zlib.decompressobj, 16 + zlib.MAX_WBITS)
        if is_gzip
        else zstandard.ZstdDecompressor(
            max_window_size=_ZSTD_WINDOW_BYTES
        ).decompressobj
    )
    unpacker, given, count = None, b"", 0
    reason = ""
    while given := given or packed.read1(_STEP_BYTES):
        if unpacker is None:
            given = given.lstrip(b"\0")  # padding behind the last one
            if not given:
                continue
            unpacker = new_unpacker()
            members[count] = packed.tell() - len(given)
            if len(members) > _MEMBERS_KEPT:
                members.popitem(last=False)
        try:
            content = unpacker.decompress(given)
        except (zlib.error, zstandard.ZstdError, MemoryError) as error:
            reason = f" ({error})"
            break
        given = unpacker.unused_data if unpacker.eof else b""
        unpacker = None if unpacker.eof else unpacker
        count += len(content)
        yield content
    if unpacker is not None:
        damage.append(
            f"the file is damaged or cut short after {count:,} unpacked bytes{reason}"
        )


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
    damage: list[str] = []
    plain = _stream(
        _counted(raw, progress, damage), damage, lambda position: start + position
    )
    head = plain.peek(4)[:4]
    is_gzip = head.startswith(_GZIP)
    if is_gzip or _ZSTD_FRAME.match(head):
        members: OrderedDict[int, int] = OrderedDict()

        def offset_of(position: int) -> int | None:
            offset = members.get(position)
            return None if offset is None else start + offset

        yield _stream(
            _unpacked(plain, damage, members, is_gzip=is_gzip), damage, offset_of
        )
    else:
        yield plain
    if damage:
        raise ReadError(damage[0])


def _stream(
    pieces: Iterator[bytes], damage: list[str], offset_of: Callable[[int], int | None]
) -> Stream:
    stream = Stream(_Pieces(pieces), _BUFFER_BYTES)
    stream.damage, stream.offset_of = damage, offset_of
    return stream


def bounded_lines(
    stream: io.BufferedReader, limit_bytes: int, first: int = 1
) -> Iterator[tuple[int, bytes | None]]:
    """Yield the lines of `stream` that are not empty, with line ends, and their numbers from `first`.

    Yield None for a line longer than `limit_bytes`, which is skipped.
    """
    number, empty = first, 0
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

    It copies the buffer: call it only after MOST_EMPTY empty lines.
    """
    buffered = stream.peek()
    end = buffered.rfind(b"\n", 0, len(buffered) - len(buffered.lstrip(BLANK))) + 1
    return stream.read(end).count(b"\n")


# --- files at an address ------------------------------------------------------------------------------------

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://")
_PASSWORD = re.compile(r"//[^/]*@")
_WEB = ("http://", "https://")
_DEBUGGING = "\n\nDebug source:"  # what follows in messages of obstore is of its inside
_REASON_CHARS = 500
_PATIENCE = dt.timedelta(seconds=60)  # for a part of a file, 256 KiB, from a web server


def is_address(what: str) -> bool:
    """Return whether `what` has a scheme, as `https://` or `s3://`."""
    return _ADDRESS.match(what) is not None


def is_remote(what: str) -> bool:
    """Return whether `what` is the address of an archive, not of a feed or a page."""
    if what.startswith(_WEB):
        return suffix_of(remote_name(what)) in {".warc", ".jsonl"}
    return is_address(what)


def remote_name(address: str) -> str:
    """Return the last part of the path of an address."""
    path = shown(address).partition("://")[2].partition("/")[2]
    return unquote(path).rpartition("/")[2]


def shown(address: str) -> str:
    """Return an address without a query, which may be a key that expires, and without a password."""
    return _PASSWORD.sub("//", re.split(r"[?#]", address, maxsplit=1)[0], count=1)


def require_readable(address: str) -> None:
    """Raise UsageError, without the address, if addresses of this kind cannot be read."""
    if address.startswith(_WEB) and address != shown(address):
        raise UsageError(
            "an archive is not read at an address with a user, a password or a query; download it, and give "
            "the name of the file"
        )
    try:
        _register(address.partition("://")[0])
    except ImportError as error:
        raise UsageError(f"{error}; type: pip install fsspec obstore") from error
    except ValueError as error:
        raise UsageError(str(error)) from error


def _register(scheme: str) -> None:
    """Have obstore read web servers, and a scheme that fsspec has no installed implementation of.

    For s3:// the usual one is s3fs, whose botocore excludes python-dateutil 4.
    """
    import fsspec

    try:
        if f"{scheme}://" not in _WEB:
            fsspec.get_filesystem_class(scheme)
            return
    except ImportError:
        pass
    from obstore.fsspec import register

    register(scheme)


def open_file(path: str) -> BinaryIO:
    """Open a file unbuffered. Raises OSError, as does reading from it."""
    if not is_remote(path):
        return cast("BinaryIO", Path(path).open("rb", buffering=0))
    with _as_os_error(path):
        return cast("BinaryIO", _RemoteFile(path))


def size_of(file: BinaryIO) -> int:
    """Return the size of a file of `open_file` in bytes."""
    return (
        file.size if isinstance(file, _RemoteFile) else os.fstat(file.fileno()).st_size
    )


def _found(address: str) -> tuple[Any, str]:
    """Return the file system of fsspec that has this address, and the name in it."""
    import fsspec

    scheme = address.partition("://")[0]
    _register(scheme)
    if not address.startswith(_WEB):
        found: tuple[Any, str] = fsspec.url_to_fs(address)
        return found
    options = {"allow_http": True, "timeout": _PATIENCE}
    system = fsspec.filesystem(
        scheme, client_options=options, retry_config={"retry_timeout": _PATIENCE}
    )
    return system, unquote(address)


class _RemoteFile(io.RawIOBase):
    """A file at an address. Each read asks for its part, so that none depends on one that failed."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._system, self._name = _found(address)
        self._position = 0
        self.size: int = self._system.info(self._name)["size"]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # the buffer BufferedReader hands in
        end = min(self._position + len(buffer), self.size)
        if self._position >= end:
            return 0
        with _as_os_error(self._address):
            data = self._system.cat_file(self._name, start=self._position, end=end)
            if not data:
                raise EOFError("the server sends less than there is")
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET:
            raise io.UnsupportedOperation("only offsets from the beginning")
        self._position = offset
        return offset


@contextlib.contextmanager
def _as_os_error(address: str) -> Iterator[None]:
    try:
        yield
    # Those of fsspec and its implementations, of no common class
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            raise
        words = f"{type(error).__name__}: {error}".partition(_DEBUGGING)[0]
        if isinstance(error, FileNotFoundError):
            words = "there is no such file"
        words = words.replace(address, shown(address))
        raise OSError(errno.EIO, " ".join(words.split())[:_REASON_CHARS]) from error
