"""Read the new messages of a mailbox over IMAP, and change nothing in the mailbox (see imap_session.py).

Messages of the server are never quoted in errors, because they may repeat the password.
"""

import re
from urllib.parse import unquote, urlsplit

from aggregator.model.errors import FetchError
from aggregator.model.structs import FrozenStruct
from aggregator.sources.fetch.client import Client
from aggregator.sources.fetch.connections.transport import fetch_error
from aggregator.sources.fetch.mails.imap_session import ImapSession, TooLongError
from aggregator.sources.source_limits import SourceTuning

_PORTS = {"imap": 143, "imaps": 993}
# A message is left out after the connection has failed this many times while reading it. These attempts take hours,
# because the interval of a failing source grows (chosen).
_MOST_ATTEMPTS = 3
# The state between two calls: the UIDVALIDITY and the last number read; while the next message cannot be read, also its
# number and the attempts.
_STATE = re.compile(r"(\d{1,10})/(\d{1,10})(?:/(\d{1,10})/(\d{1,4}))?")


class Message(FrozenStruct):
    """A message. `data` is None if the message was left out; then `problem` has the reason."""

    number: int
    data: bytes | None = None
    problem: str = ""


class ReadMailbox(FrozenStruct):
    """New messages of a folder, the oldest first.

    `state` is for the next call. `count` is the number of all messages in the folder. `has_more` means that some new
    messages may not have been read.
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

    Without a state, or after the server renumbered the folder, return the newest messages. `address` has the form that
    config/configured_access.py makes. If the connection fails after the first message, return the messages before the
    failure. A message is left out if the connection has failed `_MOST_ATTEMPTS` times while reading it.

    Raise FetchError with a cause of the client, or `login` or `folder`. If the first message could not be read, the
    error has the state for the next call.
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    port = parts.port or _PORTS[parts.scheme]
    try:
        with client.connection(
            address, host, port, most_bytes=3 * tuning.max_article_bytes
        ) as (stream, tls):
            if parts.scheme == "imaps":
                stream.start_tls(tls, host)
            session = ImapSession(stream, host, tuning.max_article_bytes)
            if parts.scheme == "imap":
                session.encrypt(tls)
            session.enter(unquote(parts.username or ""), password)
            validity, count = session.examine(unquote(parts.path[1:]))
            known = _STATE.fullmatch(state or "")
            last, failing, failures = 0, 0, 0
            if known is None or known[1] != validity:
                numbers = session.newest(count, tuning.max_entries)
            else:
                last, failing, failures = map(int, known.groups("0")[1:])
                numbers = [
                    number for number in session.numbers_after(last) if number > last
                ]
            chosen = numbers[: tuning.max_entries]
            if not chosen:
                session.leave()
                return ReadMailbox(state=f"{validity}/{last}", count=count)
            if failing != chosen[0]:
                failures = 0
            messages, reached, is_whole = _read(session, chosen, validity, failures + 1)
            return ReadMailbox(
                messages=tuple(messages),
                state=f"{validity}/{reached}",
                count=count,
                has_more=not is_whole or len(chosen) < len(numbers),
            )
    except Exception as error:  # noqa: BLE001 - imaplib may raise anything because of a server's data
        raise _as_our_error(error, host) from None


def _as_our_error(error: Exception, host: str) -> FetchError:
    failed = fetch_error(error, host)
    if failed is not error and failed.cause == "protocol":
        # The error must not quote the server.
        return FetchError("protocol", f"{host} does not answer as an IMAP server")
    return failed


def _read(
    session: ImapSession, numbers: list[int], validity: str, attempt: int
) -> tuple[list[Message], int, bool]:
    """Return the messages with these numbers, the last number that is finished, and whether all were read.

    `attempt` is the number of this attempt to read the first message, from 1.
    """
    messages = []
    reached = number = 0
    try:
        for number in numbers:
            data = session.message(number)
            if data is not None:
                messages.append(Message(number=number, data=data))
            reached = number
    except TooLongError:
        # The unread rest of the message comes before any further answer of the server.
        return (
            [
                *messages,
                Message(
                    number=number,
                    problem=f"it is longer than {session.most_bytes:,} bytes",
                ),
            ],
            number,
            False,
        )
    except Exception as error:  # noqa: BLE001 - imaplib may raise anything because of a server's data
        failed = _as_our_error(error, session.host)
        if failed.cause == "stopped":
            raise failed from None
        if messages:
            # They may be the cause, because all messages share the limits of the connection.
            return messages, reached, False
        if attempt < _MOST_ATTEMPTS:
            raise FetchError(
                failed.cause,
                f"{failed.detail}, at message {number} (attempt {attempt} of {_MOST_ATTEMPTS})",
                state=f"{validity}/{number - 1}/{number}/{attempt}",
            ) from None
        problem = f"reading it failed {attempt} times ({failed})"
        return [Message(number=number, problem=problem)], number, False
    session.leave()
    return messages, reached, True
