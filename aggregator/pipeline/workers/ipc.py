"""Messages over a pipe: four bytes of length (big endian), then msgpack."""

import os
import select
import struct
import time
from typing import Literal, TypeVar

import msgspec

from aggregator.model.errors import WorkError

HEADER_BYTES = 4
_READ_BYTES = 1 << 18


class WorkerJob(msgspec.Struct, frozen=True, array_like=True):
    """A job for a worker."""

    function: str
    payload: bytes


class WorkerReply(msgspec.Struct, frozen=True, array_like=True):
    """A message of a worker, which is untrusted."""

    verdict: Literal["ready", "ok", "memory", "unable", "failed"]
    payload: bytes = b""
    detail: str = ""


Message = TypeVar("Message", WorkerJob, WorkerReply)


class PipeClosedError(Exception):
    """The other end closed the pipe."""


class LateError(Exception):
    """The deadline passed before the message was complete."""


def framed(message: WorkerJob | WorkerReply) -> bytes:
    """Return the bytes of one message."""
    body = msgspec.msgpack.encode(message)
    return struct.pack(">I", len(body)) + body


def send(descriptor: int, message: WorkerJob | WorkerReply, deadline: float | None = None) -> None:
    """Write one message. Raises PipeClosedError, or LateError after `deadline` (monotonic).

    With a deadline the descriptor must be non-blocking.
    """
    rest = memoryview(framed(message))
    while rest:
        if deadline is not None:
            _wait(descriptor, select.POLLOUT, deadline)
        try:
            written = os.write(descriptor, rest)
        except BlockingIOError:
            continue
        except OSError as error:
            raise PipeClosedError from error
        rest = rest[written:]


def receive(
    descriptor: int, shape: type[Message], *, cap_bytes: int, deadline: float | None = None
) -> Message:
    """Read one message.

    Raises PipeClosedError, LateError, or WorkError for a message that is too long or not of type `shape`.
    """
    (length,) = struct.unpack(">I", _exactly(descriptor, HEADER_BYTES, deadline))
    if length > cap_bytes:
        raise WorkError("died", f"a message of {length} bytes; at most {cap_bytes} are allowed")
    try:
        return msgspec.msgpack.decode(_exactly(descriptor, length, deadline), type=shape)
    except msgspec.DecodeError as error:
        raise WorkError("died", "an invalid message") from error


def _exactly(descriptor: int, wanted: int, deadline: float | None) -> bytes:
    got = bytearray()
    while len(got) < wanted:
        if deadline is not None:
            _wait(descriptor, select.POLLIN, deadline)
        try:
            part = os.read(descriptor, min(wanted - len(got), _READ_BYTES))
        except BlockingIOError:
            continue
        except OSError as error:
            raise PipeClosedError from error
        if not part:
            raise PipeClosedError
        got += part
    return bytes(got)


def _wait(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    left = deadline - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise LateError
