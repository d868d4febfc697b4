"""Opens files of this machine, and archives at an address: `https://HOST/x.warc.gz`, `s3://BUCKET/KEY`.

Web servers are asked by httpx, object stores by fsspec (the extra `archives`). Who runs `ingest` types the
address, so it may be in a private network; redirects are not followed.
"""

import errno
import io
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote

import httpx

from aggregator.model.errors import UsageError
from aggregator.sources.parse.folder_scan import suffix_of

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://")
_PASSWORD = re.compile(r"//[^/]*@")
_PART = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_WEB = ("http://", "https://")
_RECORD_BYTES = 2**18  # of a request, when one page is read: the buffer of streams.py
_REASON_CHARS = 200
_PATIENCE_SECONDS = 60.0  # for the next bytes of a server
_LEAST_BYTES_A_SECOND = 4096  # after that time, so that a file that drips ends


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
    """Raise UsageError if addresses of this kind cannot be read."""
    try:
        if not address.startswith(_WEB):
            _register(address.partition("://")[0])
    except ImportError as error:
        raise UsageError(f"{shown(address)}: {error}; type: pip install fsspec obstore") from error
    except ValueError as error:
        raise UsageError(f"{shown(address)}: {error}") from error


def _register(scheme: str) -> None:
    """Have obstore read a scheme that fsspec has no installed implementation of.

    For s3:// the usual one is s3fs, whose botocore excludes the python-dateutil of fastfeedparser.
    """
    import fsspec

    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError:
        from obstore.fsspec import register

        register(scheme)


def open_file(path: str, *, is_sequential: bool) -> BinaryIO:
    """Open a file unbuffered. Raises OSError, as does reading from it."""
    if not is_remote(path):
        return cast("BinaryIO", Path(path).open("rb", buffering=0))
    with _as_os_error(path):
        if path.startswith(_WEB):
            return cast("BinaryIO", _WebFile(path, None if is_sequential else _RECORD_BYTES))
        return cast("BinaryIO", _StoredFile(path))


def size_of(file: BinaryIO) -> int | None:
    """Return the size of a file of `open_file` in bytes; None if its server does not serve it in parts."""
    return file.size if isinstance(file, _WebFile | _StoredFile) else os.fstat(file.fileno()).st_size


class _WebFile(io.RawIOBase):
    """A file of a web server, asked for in parts of `part_bytes`; None: all from the position on at once."""

    def __init__(self, address: str, part_bytes: int | None) -> None:
        self.size: int | None = None
        self._address = address
        self._part_bytes = part_bytes
        self._position = 0
        self._left = 0  # bytes of the part that were not read
        self._ready = b""
        self._read_bytes, self._waited_seconds = 0, 0.0
        self._failed: OSError | None = None
        self._response: httpx.Response | None = None
        # In parts: a compressed answer has other offsets. And the environment's proxies are not configured.
        headers = {"Accept-Encoding": "identity"}
        self._client = httpx.Client(timeout=_PATIENCE_SECONDS, headers=headers, trust_env=False)
        if part_bytes is None:  # the size is wanted
            try:
                self._request()
            except BaseException:
                self._client.close()
                raise

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET:
            raise io.UnsupportedOperation("only offsets from the beginning")
        if offset != self._position:
            self._end_response()
            self._position = offset
        return offset

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # the buffer BufferedReader hands in
        """Fill the buffer, as a file does; what was read before an error is returned first."""
        filled = 0
        while filled < len(buffer) and self._failed is None:
            try:
                data = self._timed(len(buffer) - filled)
            except OSError as error:
                self._failed = error
                break
            if not data:
                break
            buffer[filled : filled + len(data)] = data
            filled += len(data)
        if not filled and self._failed is not None:
            raise self._failed
        return filled

    def _timed(self, limit: int) -> bytes:
        began = time.monotonic()
        with _as_os_error(self._address):
            data = self._next(limit)
        self._read_bytes += len(data)
        self._waited_seconds += time.monotonic() - began
        if self._waited_seconds > _PATIENCE_SECONDS + self._read_bytes / _LEAST_BYTES_A_SECOND:
            raise OSError(errno.ETIMEDOUT, _TOO_SLOW)
        self._position += len(data)
        return data

    def _next(self, limit: int) -> bytes:
        if self._response is None:
            if self.size is not None and self._position >= self.size:
                return b""
            self._request()
        assert self._response is not None
        is_part = self._response.status_code == HTTPStatus.PARTIAL_CONTENT
        if not self._ready:
            self._ready = next(self._parts, b"")
        data = self._ready[: min(limit, self._left) if is_part else limit]
        self._ready, self._left = self._ready[len(data) :], self._left - len(data)
        if not data and is_part and self._left:
            raise EOFError("the server sends less than there is")
        if is_part and not self._left:
            self._end_response()
        return data

    def _request(self) -> None:
        first = self._position
        last = "" if self._part_bytes is None else first + self._part_bytes - 1
        request = self._client.build_request("GET", self._address, headers={"Range": f"bytes={first}-{last}"})
        self._response = response = self._client.send(request, stream=True, follow_redirects=False)
        self._parts = response.iter_raw()
        if response.status_code == HTTPStatus.OK and not first and self._part_bytes is None:
            return
        if response.status_code != HTTPStatus.PARTIAL_CONTENT:
            is_elsewhere = response.is_redirect
            self._end_response()
            words = f"the server answers {response.status_code}"
            raise OSError(errno.EIO, words + "; redirects are not followed" * is_elsewhere)
        part = _PART.fullmatch(response.headers.get("Content-Range", ""))
        start, end, size = (-1, -1, -1) if part is None else map(int, part.groups())
        if start != first or not first <= end < size or self.size not in (None, size):
            self._end_response()
            raise OSError(errno.EIO, "the server sends another part than it was asked for")
        self.size, self._left = size, end - first + 1  # which may be less than what it was asked for

    def _end_response(self) -> None:
        if self._response is not None:
            with suppress(httpx.HTTPError):
                self._response.close()
        self._response, self._ready = None, b""

    def close(self) -> None:
        self._end_response()
        self._client.close()
        super().close()


class _StoredFile(io.RawIOBase):
    """A file of an object store."""

    def __init__(self, address: str) -> None:
        import fsspec

        _register(address.partition("://")[0])
        system, name = fsspec.url_to_fs(address)
        self._address = address
        self.size: int = system.info(name)["size"]
        self._file = system.open(name, "rb", size=self.size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # as above
        with _as_os_error(self._address):
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with _as_os_error(self._address):
            return int(self._file.seek(offset, whence))

    def close(self) -> None:
        self._file.close()
        super().close()


_TOO_SLOW = f"the server sends too little in {_PATIENCE_SECONDS:.0f} s"


@contextmanager
def _as_os_error(address: str) -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException as error:
        raise OSError(errno.ETIMEDOUT, _TOO_SLOW) from error
    except Exception as error:  # those of httpx, fsspec and its implementations, of no common class
        if isinstance(error, OSError) and error.strerror:
            raise
        words = str(error) if isinstance(error, EOFError) else f"{type(error).__name__}: {error}"
        if isinstance(error, FileNotFoundError):
            words = "there is no such file"
        words = words.replace(address, shown(address))
        raise OSError(errno.EIO, " ".join(words.split())[:_REASON_CHARS]) from error
