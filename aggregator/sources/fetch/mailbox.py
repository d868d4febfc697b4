"""Read the new messages of a mailbox over IMAP (RFC 3501), and change nothing in it.

The folder is opened with EXAMINE and messages are fetched with BODY.PEEK, so none is marked as read. What a
server sends counts against the limits of the connection (time, bytes), of which imaplib has none; no words of
the server are quoted, because they may repeat the password.
"""

import base64
import contextlib
import imaplib
import re
import ssl
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore

from aggregator.config.hosts import is_loopback
from aggregator.model.core import FrozenStruct
from aggregator.model.errors import FetchError
from aggregator.sources.fetch.client import Client
from aggregator.sources.fetch.transport import fetch_error
from aggregator.sources.limits import SourceTuning

_PORTS = {"imap": 143, "imaps": 993}
_MOST_LINE_BYTES = 2**20  # the numbers of 100,000 messages
_MOST_LINES = 10_000  # three a message, and what the server tells unasked
# To read a message at which the connection fails; then it is left out. As the interval of a failing source
# grows, over hours (chosen).
_MOST_ATTEMPTS = 3
_MOST_DIGITS = 10  # of the 32 bits of numbers and sizes
_CHUNK_BYTES = 65_536
_NUMBER = re.compile(rb"\bUID (\d{1,10})\b")
# Validity, the last number read; while reading fails at the next one: its number, the failed attempts.
_STATE = re.compile(r"(\d{1,10})/(\d{1,10})(?:/(\d{1,10})/(\d{1,4}))?")
_NOT_ASCII = re.compile(r"&|[^ -~]+")


class Message(FrozenStruct):
    """A message; `data` is None if it was left out, for the reason in `problem`."""

    number: int
    data: bytes | None = None
    problem: str = ""


class ReadMailbox(FrozenStruct):
    """New messages of a folder, the oldest first.

    `state` is for the next call, `count` of all messages in the folder. `has_more`: not all new ones were
    read.
    """

    messages: tuple[Message, ...] = ()
    state: str
    count: int
    has_more: bool = False


class _TooLongError(FetchError):
    """The server sends a longer message than allowed, whatever size it has stated."""


def read_mailbox(
    client: Client,
    address: str,
    password: str,
    tuning: SourceTuning,
    state: str | None = None,
) -> ReadMailbox:
    """Return the messages that came after `state`.

    Without a state, or after the server renumbered the folder, return the newest. `address`: as
    config/source_access.py makes it. If the connection fails later than the first message, return those
    before. A message at which it failed `_MOST_ATTEMPTS` times is left out. Raise FetchError with a cause
    of the client, or `login`, `folder`, and the state for the next call.
    """
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        with client.connection(
            address, host, port, most_bytes=3 * tuning.max_article_bytes
        ) as (stream, tls):
            if parts.scheme == "imaps":
                stream.start_tls(tls, host)
            session = _Session(stream, tuning.max_article_bytes)
            if parts.scheme == "imap":
                session.encrypt(host, tls)
            session.enter(unquote(parts.username or ""), password)
            return _new_messages(session, host, unquote(parts.path[1:]), state, tuning)
    except Exception as error:  # noqa: BLE001 - imaplib may raise anything because of a server's data
        raise _as_our_error(error, host) from None


def _as_our_error(error: Exception, host: str) -> FetchError:
    failed = fetch_error(error, host)
    if failed is not error and failed.cause == "protocol":
        # Not the server's words
        return FetchError("protocol", f"{host} does not answer as an IMAP server")
    return failed


class _Session(imaplib.IMAP4):
    """An IMAP session on a guarded connection."""

    def __init__(self, stream: httpcore.NetworkStream, most_bytes: int) -> None:
        self._stream = stream
        self._most_bytes = most_bytes
        self._buffer = bytearray()
        self._lines = 0
        super().__init__()

    # --- what imaplib asks of a connection ---

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        """Nothing: the connection is open."""

    def read(self, size: int) -> bytes:
        """Return a literal. Raise FetchError if it is too long."""
        if size > self._most_bytes:
            raise _TooLongError(
                "too_large", f"a message is longer than {self._most_bytes} bytes"
            )
        while len(self._buffer) < size:
            self._receive()
        return self._taken(size)

    def readline(self) -> bytes:
        """Return a line. Raise FetchError if it is too long, or one too many."""
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
        return self._taken(end + 1)

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

    def _taken(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    # --- the steps of a session ---

    def encrypt(self, host: str, tls: ssl.SSLContext) -> None:
        """Use STARTTLS; only on this machine it may be missing."""
        if "STARTTLS" not in self._offers():
            if is_loopback(host):
                return
            raise FetchError(
                "tls",
                "the server offers no STARTTLS; no password is sent without encryption",
            )
        answer, _ = self.xatom("STARTTLS")
        # What came before the encryption may be another's
        if answer != "OK" or self._buffer:
            raise FetchError(
                "tls", "the server does not begin the encryption that it offers"
            )
        self._stream.start_tls(tls, host)

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
                self.login(_quoted(user), password)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            raise FetchError(
                "login", "the server refuses the user or the password"
            ) from None

    def examine(self, folder: str) -> tuple[str, int]:
        """Open a folder for reading; return its validity and the number of messages."""
        answer, found = self.select(_quoted(_in_utf7(folder)), readonly=True)
        if answer != "OK":
            raise FetchError(
                "folder", f"the server has no folder {folder!r}, or does not open it"
            )
        validity = re.fullmatch(
            rb"\d{1,10}", (self.response("UIDVALIDITY")[1] or [b""])[-1] or b""
        )
        count = re.fullmatch(rb"\d{1,10}", found[-1] or b"")
        return (validity[0].decode() if validity else "0"), int(
            count[0]
        ) if count else 0

    def numbers_after(self, last: int) -> list[int]:
        """Return the numbers (UID) from the one after `last`, or, if there is none, the last one."""
        found = self._found(self.uid("SEARCH", f"UID {last + 1}:*"))
        words = b" ".join(one for one in found if isinstance(one, bytes)).split()
        return sorted(
            {int(one) for one in words if one.isdigit() and len(one) <= _MOST_DIGITS}
        )

    def newest(self, count: int, most: int) -> list[int]:
        """Return the numbers of the last `most` of `count` messages."""
        found = (
            self._found(self.fetch(f"{max(1, count - most + 1)}:{count}", "(UID)"))
            if count
            else ()
        )
        numbers = (_NUMBER.search(line) for line in found if isinstance(line, bytes))
        return sorted({int(one[1]) for one in numbers if one})[-most:]

    def message(self, number: int) -> bytes | None:
        """Return a message; None if it is gone."""
        found = self._found(self.uid("FETCH", str(number), "(UID BODY.PEEK[])"))
        return next(
            (
                bytes(one[1])
                for one in found
                if isinstance(one, tuple) and b"BODY[]" in one[0]
            ),
            None,
        )

    def leave(self) -> None:
        """Log out; everything was read, so it does not matter how the server answers."""
        # Imaplib may raise anything because of a server's data
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
        _, found = self.capability()
        return set(bytes(found[-1] or b"").decode("ascii", "replace").upper().split())


def _new_messages(
    session: _Session, host: str, folder: str, state: str | None, tuning: SourceTuning
) -> ReadMailbox:
    validity, count = session.examine(folder)
    known = _STATE.fullmatch(state or "")
    last = int(known[2]) if known and known[1] == validity else None
    if last is None:
        numbers = session.newest(count, tuning.max_entries)
    else:
        numbers = [number for number in session.numbers_after(last) if number > last]
    chosen = numbers[: tuning.max_entries]
    if not chosen:
        session.leave()
        return ReadMailbox(state=f"{validity}/{last or 0}", count=count)
    reached, number = last or 0, chosen[0]
    failures = (
        int(known[4]) if last is not None and known and known[3] == str(number) else 0
    )
    messages: list[Message] = []
    has_more = True
    too_long = f"it is longer than {tuning.max_article_bytes:,} bytes"
    try:
        for number in chosen:
            data = session.message(number)
            if data is not None:
                messages.append(Message(number=number, data=data))
            reached = number
        has_more = len(chosen) < len(numbers)
    except _TooLongError:  # the rest of it stands in the way of further answers
        messages.append(Message(number=number, problem=too_long))
        reached = number
    except Exception as error:  # noqa: BLE001 - imaplib may raise anything because of a server's data
        failed = _as_our_error(error, host)
        if failed.cause == "stopped":
            raise failed from None
        if not messages:  # else it may be the fault of those before
            messages = [
                _failed_at(number, failures + 1, failed, f"{validity}/{number - 1}")
            ]
            reached = number
    else:
        session.leave()
    return ReadMailbox(
        messages=tuple(messages),
        state=f"{validity}/{reached}",
        count=count,
        has_more=has_more,
    )


def _failed_at(number: int, attempts: int, error: FetchError, state: str) -> Message:
    """Return a message that is left out after too many attempts; before, raise the error with the state."""
    if attempts >= _MOST_ATTEMPTS:
        return Message(
            number=number, problem=f"reading it failed {attempts} times ({error})"
        )
    raise FetchError(
        error.cause,
        f"{error.detail}, at message {number} (attempt {attempts} of {_MOST_ATTEMPTS})",
        state=f"{state}/{number}/{attempts}",
    )


def _quoted(words: str) -> str:
    """Return an IMAP string. Raise FetchError for characters that end a command."""
    if not words.isprintable():
        raise FetchError("address", "a user or folder contains a control character")
    escaped = words.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _in_utf7(folder: str) -> str:
    """Return the name of a folder in IMAP's form of UTF-7 (RFC 3501, 5.1.3)."""

    def encoded(match: re.Match[str]) -> str:
        if match[0] == "&":
            return "&-"
        words = (
            base64.b64encode(match[0].encode("utf-16-be"))
            .rstrip(b"=")
            .replace(b"/", b",")
        )
        return f"&{words.decode()}-"

    return _NOT_ASCII.sub(encoded, folder)
