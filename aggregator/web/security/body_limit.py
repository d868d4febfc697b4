"""Taking the body of a request in, within limits of size and time."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request

from aggregator.web.responses import RefusedError

DRAIN_SECONDS = 1.0


async def received(
    request: Request,
    max_bytes: int,
    deadline_seconds: float,
    take_room: Callable[[int], None] = lambda _count: None,
) -> bytes:
    """The body, counted while it comes: neither its declared length nor its pace is believed.

    `take_room` is told of each part before it is kept. Raises RefusedError.
    """
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > max_bytes:
        raise too_large(max_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(deadline_seconds):
            async for part in request.stream():
                if len(body) + len(part) > max_bytes:
                    raise too_large(max_bytes)
                take_room(len(part))
                body += part
    except TimeoutError as error:
        raise RefusedError(408, f"the body did not come within {deadline_seconds:.0f} s") from error
    return bytes(body)


def too_large(max_bytes: int) -> RefusedError:
    """What is answered to a longer body."""
    return RefusedError(413, f"the body is longer than {max_bytes} bytes; send it in several requests")


async def drained(request: Request, limit_bytes: int) -> None:
    """Let pass what is still being sent, for a moment: who is cut off while sending never sees the answer."""
    left = limit_bytes
    with suppress(ClientDisconnect, TimeoutError, RuntimeError):  # the last: the body was read to its end
        async with asyncio.timeout(DRAIN_SECONDS):
            async for part in request.stream():
                left -= len(part)
                if left < 0:
                    return
