"""Files at an address (`https://HOST/x.warc.gz`, `s3://BUCKET/KEY`), which fsspec reads in parts.

This needs the extra `archives`. The person who runs `ingest` types the address, so it may be in a private network.
"""

import contextlib
import errno
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote

from aggregator.model.errors import UsageError
from aggregator.sources.parse.streams.folder_scan import suffix_of

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://")
_PASSWORD = re.compile(r"//[^/]*@")
_WEB = ("http://", "https://")
# After this, messages of obstore describe its internals
_DEBUGGING = "\n\nDebug source:"
_REASON_CHARS = 500
# A web server may take this long for a part of a file, 256 KiB
_PATIENCE = timedelta(seconds=60)


def is_address(what: str) -> bool:
    """Return whether `what` has a scheme, such as `https://` or `s3://`."""
    return _ADDRESS.match(what) is not None


def is_remote(what: str) -> bool:
    """Return whether `what` is the address of an archive, not of a feed or a page."""
    if what.startswith(_WEB):
        return suffix_of(remote_name(what)) in {".warc", ".jsonl"}
    return is_address(what)


def remote_name(address: str) -> str:
    """Return the last part of the path of an address."""
    path = show_address(address).partition("://")[2].partition("/")[2]
    return unquote(path).rpartition("/")[2]


def show_address(address: str) -> str:
    """Return an address without user and password, and without its query, which may be an access key."""
    return _PASSWORD.sub("//", re.split(r"[?#]", address, maxsplit=1)[0], count=1)


def require_readable(address: str) -> None:
    """Raise UsageError, without the address, if addresses of this kind cannot be read."""
    if address.startswith(_WEB) and address != show_address(address):
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
    """Register obstore for web servers, and for schemes that no installed implementation of fsspec reads.

    For s3://, the usual implementation is s3fs, whose botocore excludes python-dateutil 4.
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
    """Open a file unbuffered; opening and reading it may raise OSError."""
    if not is_remote(path):
        return cast("BinaryIO", Path(path).open("rb", buffering=0))
    return cast("BinaryIO", RemoteFile(path))


class RemoteFile(io.RawIOBase):
    """A file at an address. Each read is a request of its own, so it does not depend on earlier reads that failed."""

    def __init__(self, address: str) -> None:
        """Raise OSError if the file cannot be opened."""
        self._address = address
        self._position = 0
        with as_os_error(address):
            import fsspec

            scheme = address.partition("://")[0]
            _register(scheme)
            if address.startswith(_WEB):
                self._name = unquote(address)
                self._system = fsspec.filesystem(
                    scheme,
                    client_options={"allow_http": True, "timeout": _PATIENCE},
                    retry_config={"retry_timeout": _PATIENCE},
                )
            else:
                self._system, self._name = fsspec.url_to_fs(address)
            self.size: int = self._system.info(self._name)["size"]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # the buffer BufferedReader hands in
        end = min(self._position + len(buffer), self.size)
        if self._position >= end:
            return 0
        with as_os_error(self._address):
            data = self._system.cat_file(self._name, start=self._position, end=end)
            if not data:
                raise EOFError("the server sends less than there is")
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


@contextlib.contextmanager
def as_os_error(address: str) -> Iterator[None]:
    try:
        yield
    # The exceptions of fsspec and its implementations have no common class.
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            raise
        words = f"{type(error).__name__}: {error}".partition(_DEBUGGING)[0]
        if isinstance(error, FileNotFoundError):
            words = "there is no such file"
        words = words.replace(address, show_address(address))
        raise OSError(errno.EIO, " ".join(words.split())[:_REASON_CHARS]) from error
