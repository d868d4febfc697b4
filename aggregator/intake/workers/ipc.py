"""Messages over a socket: four bytes of length (big endian), then msgpack."""

import socket
import struct
import time
from typing import Literal, TypeVar

import msgspec

from aggregator.intake.workers.executor import FailedVerdict
from aggregator.model.errors import WorkError

_READ_BYTES = 1 << 18


class WorkerJob(msgspec.Struct, frozen=True, array_like=True):
    """A job for a worker."""

    function: str
    payload: bytes


class WorkerReply(msgspec.Struct, frozen=True, array_like=True):
    """A message of a worker, which is untrusted."""

    verdict: Literal["ready", "ok"] | FailedVerdict
    payload: bytes = b""
    detail: str = ""


Message = TypeVar("Message", WorkerJob, WorkerReply)


def send(
    link: socket.socket, message: WorkerJob | WorkerReply, deadline: float | None = None
) -> None:
    """Write one message. Raises TimeoutError after `deadline` (monotonic), or another OSError if the link is closed."""
    body = msgspec.msgpack.encode(message)
    # The parts are not joined, because a feed may have megabytes. `sendall` applies the timeout to each whole part.
    for part in (struct.pack(">I", len(body)), body):
        link.settimeout(_seconds_left(deadline))
        link.sendall(part)


def receive(
    link: socket.socket,
    shape: type[Message],
    *,
    cap_bytes: int,
    deadline: float | None = None,
) -> Message:
    """Read one message.

    Raises OSError like `send`, or WorkError for a message that is too long or not of type `shape`.
    """
    (length,) = struct.unpack(">I", _exactly(link, 4, deadline))
    if length > cap_bytes:
        raise WorkError(
            "died", f"a message of {length} bytes; at most {cap_bytes} are allowed"
        )
    try:
        return msgspec.msgpack.decode(_exactly(link, length, deadline), type=shape)
    except msgspec.DecodeError as error:
        raise WorkError("died", "an invalid message") from error


def _exactly(link: socket.socket, wanted: int, deadline: float | None) -> bytearray:
    got = bytearray()
    while len(got) < wanted:
        link.settimeout(_seconds_left(deadline))
        part = link.recv(min(wanted - len(got), _READ_BYTES))
        if not part:
            raise ConnectionResetError
        got += part
    return got


def _seconds_left(deadline: float | None) -> float | None:
    """Return the seconds until the deadline, at least a moment: with 0 a socket would not wait at all."""
    return None if deadline is None else max(deadline - time.monotonic(), 1e-6)
