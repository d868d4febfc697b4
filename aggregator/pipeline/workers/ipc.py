"""Messages over a pipe: four bytes of length (big endian), then msgpack. The same for both ends."""

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
    """What a worker is asked to do."""

    function: str
    payload: bytes


class WorkerReply(msgspec.Struct, frozen=True, array_like=True):
    """What a worker says of itself and of its jobs; a verdict is never taken from it unchecked."""

    verdict: Literal["ready", "ok", "memory", "failed"]
    payload: bytes = b""
    detail: str = ""


Message = TypeVar("Message", WorkerJob, WorkerReply)


class PipeClosedError(Exception):
    """The other end is gone."""


class LateError(Exception):
    """The deadline passed before the message was through."""


def framed(message: WorkerJob | WorkerReply) -> bytes:
    """The bytes to write for one message."""
    body = msgspec.msgpack.encode(message)
    return struct.pack(">I", len(body)) + body


def send(descriptor: int, message: WorkerJob | WorkerReply, deadline: float | None = None) -> None:
    """Write one message; raises PipeClosedError, or LateError when `deadline` (monotonic) passes.

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
    """Read one message; raises PipeClosedError, LateError, or WorkError for one too long or no message.

    A message that is not of `shape` means that the other end was taken over or is out of step.
    """
    (length,) = struct.unpack(">I", _exactly(descriptor, HEADER_BYTES, deadline))
    if length > cap_bytes:
        raise WorkError("died", f"a message of {length} bytes; at most {cap_bytes} are allowed")
    try:
        return msgspec.msgpack.decode(_exactly(descriptor, length, deadline), type=shape)
    except msgspec.DecodeError as error:
        raise WorkError("died", "a message that is none") from error


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
