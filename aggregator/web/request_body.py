"""The body of a request, read within limits of size and time."""

import asyncio

from starlette.requests import ClientDisconnect, Request

from aggregator.web.responses import RefusedError


def media_type(request: Request) -> str:
    """Return the Content-Type without parameters, in lower case; "" without one."""
    sent = request.headers.get("content-type", "")
    return sent.partition(";")[0].strip().lower()


async def read_body(request: Request, max_bytes: int, deadline_seconds: float) -> bytes:
    """Return the body, with limits on its actual size and duration, whatever the declared length.

    Raises RefusedError: 413 for a body over `max_bytes`, 408 after `deadline_seconds`, 400 if the client has
    closed the connection.
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
                body += part
    except TimeoutError as error:
        raise RefusedError(
            408, f"the body did not arrive within {deadline_seconds:.0f} s"
        ) from error
    except ClientDisconnect as error:
        raise RefusedError(
            400, "the connection was closed before the end of the body"
        ) from error
    return bytes(body)


def too_large(max_bytes: int) -> RefusedError:
    """Return the error for a body that is too long."""
    return RefusedError(
        413, f"the body is longer than {max_bytes} bytes; send it in several requests"
    )
