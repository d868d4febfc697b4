"""Read the body of a request within limits of size and time, and decode it as a struct."""

import asyncio
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request

from aggregator.web.responses import JSON, RefusedError


def media_type(request: Request) -> str:
    """Return the Content-Type without parameters, in lower case; "" without one."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_body(request: Request, max_bytes: int, deadline_seconds: float) -> bytes:
    """Return the body; the limits apply to its actual size and duration, not only to the declared length.

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


def json_body(request: Request, body: bytes, kind: Any, what: str) -> Any:
    """Return the body as a `kind`.

    Raises RefusedError: 415 for another Content-Type, 400 if the body is not JSON, 422 if it is not a `kind`.
    """
    if media_type(request) != JSON:
        raise RefusedError(415, "send Content-Type: application/json")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise RefusedError(
            422, f"the body is not {what}: {str(error)[:300]}"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(400, "the body is not valid JSON") from error
