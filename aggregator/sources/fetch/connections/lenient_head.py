"""Repairs the head of a response, so that h11 reads whatever browsers and other clients read.

Each request has a connection of its own, so a wrong length or a strange line of one response cannot become a
part of another.
"""

import re
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

from aggregator.sources.fetch.connections.ssrf_guard import GuardedStream, SsrfGuard

# Browsers accept about as much. A longer head is passed on unchanged, and h11 refuses it.
_MOST_HEAD_BYTES = 2**18
# A longer field is left out: a cookie may have 100 KB
_MOST_LINE_BYTES = 2**15
_END = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(
    rb"\s*HTTP(?:/([0-9.]*))?[ \t]+([0-9]{3})(?![0-9])(.*)", re.IGNORECASE
)
_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LENGTH = re.compile(rb"[0-9]{1,15}")


class LenientBackend(httpcore.NetworkBackend):
    """Connections of the guard for one request each, whose responses have a repaired head."""

    def __init__(self, guard: SsrfGuard) -> None:
        self._guard = guard

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - httpcore's signature
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Connect to a checked address. Raise FetchError("refused") if one is not allowed."""
        return _LenientStream(self._guard.connect_tcp(host, port, timeout), self._guard)


class _LenientStream(GuardedStream):
    """A guarded connection for one request."""

    def __init__(self, inner: httpcore.NetworkStream, guard: SsrfGuard) -> None:
        super().__init__(inner, guard)
        # The bytes of a head, and the bytes that were received with it
        self._received = bytearray()
        # Bytes that are ready to be read
        self._ready = b""
        self._is_in_head = True

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read a part of the repaired head, or of the bytes that follow it."""
        if self._is_in_head and not self._ready:
            self._ready = self._read_head(max_bytes, timeout)
        if self._ready:
            part, self._ready = self._ready[:max_bytes], self._ready[max_bytes:]
            return part
        return self._inner.read(max_bytes, timeout)

    def _read_head(self, max_bytes: int, timeout: float | None) -> bytes:
        """Return the next repaired head; the last head is followed by the bytes received with it. b"" at the end."""
        searched = 0
        while not (end := _END.search(self._received, searched)):
            searched = max(0, len(self._received) - 2)
            data = self._inner.read(max_bytes, timeout)
            self._received += data
            if not data or len(self._received) > _MOST_HEAD_BYTES:
                self._is_in_head = False
                return bytes(self._received)
        status, head = _repair(bytes(self._received[: end.end()]))
        del self._received[: end.end()]
        # Informational heads, such as early hints (103), come before the head of the response.
        self._is_in_head = status.startswith(b"1") and status != b"101"
        return head if self._is_in_head else head + self._received

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Start TLS. After the head of a proxy's answer, the head of the server follows."""
        self._received.clear()
        self._is_in_head = True
        return super().start_tls(ssl_context, server_hostname, timeout)


def _repair(head: bytes) -> tuple[bytes, bytes]:
    """Return the status, and the head rewritten by RFC 9112; b"" and the same bytes if it is not HTTP."""
    first, *lines = head.rstrip().split(b"\n")
    status_line = _STATUS_LINE.match(first)
    if status_line is None:
        return b"", head
    version, status, reason = status_line.groups()
    if version != b"1.0":
        version = b"1.1"
    fields: list[bytes] = []
    for line in lines:
        name, colon, _ = line.partition(b":")
        if line.startswith((b" ", b"\t")) and fields:
            fields[-1] += line  # a folded field
        elif colon and _NAME.fullmatch(name.strip()) and len(line) <= _MOST_LINE_BYTES:
            fields.append(line)
    repaired = [b"HTTP/%b %b %b" % (version, status, _clean(reason))]
    lengths = set()
    codings = b""
    for field in fields:
        name, _, value = field.partition(b":")
        name, value = name.strip(), _clean(value)
        if name.lower() == b"content-length":
            lengths.add(value)
        elif name.lower() == b"transfer-encoding":
            codings += b" " + value.lower()
        else:
            repaired.append(b"%b: %b" % (name, value))
    if b"chunked" in codings:
        repaired.append(b"Transfer-Encoding: chunked")
    elif len(lengths) == 1 and _LENGTH.fullmatch(length := lengths.pop()):
        repaired.append(b"Content-Length: " + length)
    return status, b"\r\n".join(repaired) + b"\r\n\r\n"


def _clean(value: bytes) -> bytes:
    return _CONTROL.sub(b" ", value).strip()
