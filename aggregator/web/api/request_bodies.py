"""Bodies of requests as structs."""

from typing import Any

import msgspec
from fastapi import Request

from aggregator.web.request_body import media_type
from aggregator.web.responses import JSON, RefusedError


def json_body(request: Request, body: bytes, kind: Any, what: str) -> Any:
    """Return the body as a `kind`. Raises RefusedError: 415; 400 if it is not JSON; 422 if it is another."""
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
