"""Read the new messages of a mailbox over IMAP (RFC 3501), and change nothing in it.

The folder is opened with EXAMINE and messages are fetched with BODY.PEEK, so none is marked as read. What a
server sends counts against the limits of the connection (time, bytes), of which imaplib has none; no words of
the server are quoted, because they may repeat the password.
"""

import re
from urllib.parse import unquote, urlsplit

from aggregator.model.errors import FetchError
from aggregator.model.structs import FrozenStruct
from aggregator.sources.fetch.client import Client
from aggregator.sources.fetch.connections.transport import fetch_error
from aggregator.sources.fetch.mails.imap_session import ImapSession, TooLongError
from aggregator.sources.limits import SourceTuning

_PORTS = {"imap": 143, "imaps": 993}
# To read a message at which the connection fails; then it is left out. As the interval of a failing source
# grows, over hours (chosen).
_MOST_ATTEMPTS = 3
# Validity, the last number read; while reading fails at the next one: its number, the failed attempts.
_STATE = re.compile(r"(\d{1,10})/(\d{1,10})(?:/(\d{1,10})/(\d{1,4}))?")


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
            session = ImapSession(stream, tuning.max_article_bytes)
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


def _new_messages(
    session: ImapSession,
    host: str,
    folder: str,
    state: str | None,
    tuning: SourceTuning,
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
    except TooLongError:  # the rest of it stands in the way of further answers
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
