"""An IMAP session (RFC 3501) on a guarded connection, which changes nothing in a mailbox.

The folder is opened with EXAMINE and messages are fetched with BODY.PEEK, so none is marked as read. All bytes
from the server count against the limits of the connection (time, bytes), because imaplib has no limits. The
server's words are never quoted, because they may repeat the password.
"""

import base64
import contextlib
import imaplib
import re
import ssl
from typing import Any

import httpcore

from aggregator.config.hosts import is_loopback
from aggregator.model.errors import FetchError

_MOST_LINE_BYTES = 2**20  # a line may list the numbers of 100,000 messages
# The lines of a session: each message has three, and the server sends others unasked
_MOST_LINES = 10_000
# Numbers and sizes have 32 bits, so at most this many digits
_MOST_DIGITS = 10
_CHUNK_BYTES = 65_536
_NOT_ASCII = re.compile(r"&|[^ -~]+")


class TooLongError(FetchError):
    """The server sends a message that is longer than allowed."""


class ImapSession(imaplib.IMAP4):
    """An IMAP session on a guarded connection."""

    def __init__(
        self, stream: httpcore.NetworkStream, host: str, most_bytes: int
    ) -> None:
        """Accept messages of up to `most_bytes` bytes."""
        self._stream = stream
        self.host, self.most_bytes = host, most_bytes
        self._buffer = bytearray()
        self._lines = 0
        super().__init__()

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        """Do nothing: the connection is open."""

    def read(self, size: int) -> bytes:
        """Return a literal, such as a message. Raise TooLongError if it is too long."""
        if size > self.most_bytes:
            raise TooLongError(
                "too_large", f"a message is longer than {self.most_bytes} bytes"
            )
        while len(self._buffer) < size:
            self._receive()
        return self._take(size)

    def readline(self) -> bytes:
        """Return a line. Raise FetchError if the line is too long, or if the server has sent too many lines."""
        self._lines += 1
        if self._lines > _MOST_LINES:
            raise FetchError(
                "protocol", f"the server sends more than {_MOST_LINES:,} lines"
            )
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > _MOST_LINE_BYTES:
                raise FetchError(
                    "too_large",
                    f"the server sends a line of over {_MOST_LINE_BYTES:,} bytes",
                )
            self._receive()
        return self._take(end + 1)

    def send(self, data: Any) -> None:
        """Send bytes."""
        self._stream.write(bytes(data))

    def shutdown(self) -> None:
        """Close the connection."""
        self._stream.close()

    def _receive(self) -> None:
        data = self._stream.read(_CHUNK_BYTES)
        if not data:
            raise FetchError("connect", "the server closed the connection")
        self._buffer += data

    def _take(self, size: int) -> bytes:
        part = bytes(self._buffer[:size])
        del self._buffer[:size]
        return part

    def encrypt(self, tls: ssl.SSLContext) -> None:
        """Begin TLS with STARTTLS. Raise FetchError("tls") without it, unless the server is on this machine."""
        if "STARTTLS" not in self._offers():
            if is_loopback(self.host):
                return
            raise FetchError(
                "tls",
                "the server offers no STARTTLS; no password is sent without encryption",
            )
        answer, _ = self.xatom("STARTTLS")
        # Bytes that were received before the encryption may come from somebody else.
        if answer != "OK" or self._buffer:
            raise FetchError(
                "tls", "the server does not begin the encryption that it offers"
            )
        self._stream.start_tls(tls, self.host)

    def enter(self, user: str, password: str) -> None:
        """Log in. Raise FetchError("login") if the server refuses."""
        offers = self._offers()
        try:
            if "AUTH=PLAIN" in offers:
                self.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
            elif "LOGINDISABLED" in offers:
                raise FetchError("login", "the server takes no passwords")
            elif not f"{user}{password}".isascii():
                raise FetchError(
                    "login", "the server takes only ASCII in users and passwords"
                )
            else:
                self.login(_quote(user), password)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            raise FetchError(
                "login", "the server refuses the user or the password"
            ) from None

    def examine(self, folder: str) -> tuple[str, int]:
        """Open a folder for reading; return its UIDVALIDITY and the number of messages.

        The server changes the UIDVALIDITY when it numbers the messages of the folder anew.
        """

        def encoded(match: re.Match[str]) -> str:
            # IMAP has its own form of UTF-7 (RFC 3501, 5.1.3).
            if match[0] == "&":
                return "&-"
            words = (
                base64.b64encode(match[0].encode("utf-16-be"))
                .rstrip(b"=")
                .replace(b"/", b",")
            )
            return f"&{words.decode()}-"

        answer, counts = self.select(
            _quote(_NOT_ASCII.sub(encoded, folder)), readonly=True
        )
        if answer != "OK":
            raise FetchError(
                "folder", f"the server has no folder {folder!r}, or does not open it"
            )
        _, validities = self.response("UIDVALIDITY")
        return _digits((validities or [b""])[-1]), int(_digits(counts[-1]))

    def numbers_after(self, last: int) -> list[int]:
        """Return the message numbers (UID) above `last`; if there are none, the server may return the last number."""
        return self._search(f"UID {last + 1}:*")

    def newest(self, count: int, most: int) -> list[int]:
        """Return the numbers (UID) of the last `most` of `count` messages."""
        if not count:
            return []
        return self._search(f"{max(1, count - most + 1)}:{count}")[-most:]

    def _search(self, messages: str) -> list[int]:
        lines = self._found(self.uid("SEARCH", messages))
        words = b" ".join(word for word in lines if isinstance(word, bytes)).split()
        return sorted(
            {
                int(word)
                for word in words
                if word.isdigit() and len(word) <= _MOST_DIGITS
            }
        )

    def message(self, number: int) -> bytes | None:
        """Return a message; None if it is gone."""
        for part in self._found(self.uid("FETCH", str(number), "(UID BODY.PEEK[])")):
            if isinstance(part, tuple) and b"BODY[]" in part[0]:
                return bytes(part[1])
        return None

    def leave(self) -> None:
        """Log out. Everything was read, so the server's answer does not matter."""
        # imaplib may raise anything because of a server's data.
        with contextlib.suppress(Exception):
            self.logout()

    @staticmethod
    def _found(answer: tuple[str, list[Any]]) -> list[Any]:
        if answer[0] != "OK":
            raise FetchError(
                "protocol",
                "the server does not list or send the messages of the folder",
            )
        return answer[1]

    def _offers(self) -> set[str]:
        _, lines = self.capability()
        return set(bytes(lines[-1] or b"").decode("ascii", "replace").upper().split())


def _digits(value: bytes | None) -> str:
    """Return a number that a server sent, of up to ten digits; "0" for anything else."""
    return value.decode() if value and re.fullmatch(rb"\d{1,10}", value) else "0"


def _quote(words: str) -> str:
    """Return a quoted IMAP string. Raise FetchError for control characters, because some of them end a command."""
    if not words.isprintable():
        raise FetchError("address", "a user or folder contains a control character")
    escaped = words.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
