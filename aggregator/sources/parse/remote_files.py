"""Opens files of this machine, and archives at an address (`s3://BUCKET/KEY`, `https://HOST/x.warc.gz`).

The latter are read in parts by fsspec, the extra `archives`. Who runs `ingest` types the address, so it may
be in a private network; redirects are not followed.
"""

import errno
import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast
from urllib.parse import unquote

from aggregator.model.errors import UsageError
from aggregator.sources.parse.folder_scan import plain_name

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://")
_PASSWORD = re.compile(r"//[^/]*@")
_WEB = ("http://", "https://")
_SEQUENTIAL_BYTES = 2**22  # of a request, when a file is read from here on
_RECORD_BYTES = 2**18  # of a request, when one page is read: the buffer of streams.py
_REASON_CHARS = 200


def is_address(what: str) -> bool:
    """Return whether `what` has a scheme, as `https://` or `s3://`."""
    return _ADDRESS.match(what) is not None


def is_remote(what: str) -> bool:
    """Return whether `what` is the address of an archive, not of a feed or a page."""
    if what.startswith(_WEB):
        return PurePosixPath(plain_name(remote_name(what))).suffix.lower() in {".warc", ".jsonl"}
    return is_address(what)


def remote_name(address: str) -> str:
    """Return the last part of the path of an address."""
    path = shown(address).partition("://")[2].partition("/")[2]
    return unquote(path).rpartition("/")[2]


def shown(address: str) -> str:
    """Return an address without a query, which may be a key that expires, and without a password."""
    return _PASSWORD.sub("//", re.split(r"[?#]", address, maxsplit=1)[0], count=1)


def require_readable(address: str) -> None:
    """Raise UsageError if addresses of this kind cannot be read."""
    try:
        _register(address.partition("://")[0])
    except (ImportError, ValueError) as error:
        raise UsageError(f"{shown(address)}: {error}; type: pip install 'fsspec[http]' obstore") from error


def _register(scheme: str) -> None:
    """Have obstore read a scheme that fsspec has no installed implementation of.

    For s3:// the usual one is s3fs, whose botocore excludes the python-dateutil of fastfeedparser.
    """
    import fsspec

    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError:
        if f"{scheme}://" in _WEB:  # obstore would follow redirects
            raise
        from obstore.fsspec import register

        register(scheme)


def open_file(path: str, *, is_sequential: bool) -> BinaryIO:
    """Open a file unbuffered. Raises OSError, as does reading from it."""
    if not is_remote(path):
        return cast("BinaryIO", Path(path).open("rb", buffering=0))
    with _as_os_error():
        return cast("BinaryIO", _RemoteFile(path, is_sequential=is_sequential))


def size_of(file: BinaryIO) -> int | None:
    """Return the size of a file of `open_file` in bytes; None if its server does not serve it in parts."""
    return file.size if isinstance(file, _RemoteFile) else os.fstat(file.fileno()).st_size


class _RemoteFile(io.RawIOBase):
    def __init__(self, address: str, *, is_sequential: bool) -> None:
        import fsspec

        _register(address.partition("://")[0])
        options = {"allow_redirects": False} if address.startswith(_WEB) else {}
        system, name = fsspec.url_to_fs(address, **options)
        bytes_read = _SEQUENTIAL_BYTES if is_sequential else _RECORD_BYTES
        cache = "readahead" if is_sequential else "none"
        self.size: int | None = system.info(name)["size"]
        self._file = system.open(name, "rb", block_size=bytes_read, cache_type=cache, size=self.size)
        if is_sequential and self.size and not self._is_served_in_parts(self.size):
            self._file, self.size = system.open(name, "rb", block_size=0), None

    def _is_served_in_parts(self, size: int) -> bool:
        try:
            self._file.seek(size - 1)
            self._file.read(1)
            self._file.seek(0)
        except ValueError:  # of fsspec: the answer was the whole file
            return size == 1
        return True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # the buffer BufferedReader hands in
        with _as_os_error():
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        with _as_os_error():
            return int(self._file.seek(offset, whence))

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # those of fsspec, aiohttp, botocore, of no common class
        cause = error.__cause__ if isinstance(error, FileNotFoundError) else error
        if status := getattr(cause, "status", None):  # of aiohttp, whose words have the whole address
            words = f"the server answers {status}"
        else:
            words = f"{type(cause).__name__}: {cause}" if cause else "there is no such file"
        raise OSError(errno.EIO, " ".join(words.split())[:_REASON_CHARS]) from error
