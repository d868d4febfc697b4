"""Answers for programs: JSON, and problem+json (RFC 9457) where something is wrong."""

import msgspec
from starlette.responses import Response

JSON = "application/json"


def problem(status: int, title: str, detail: str, **more: object) -> Response:
    """An error as a program wants it; `more` are further members of the problem."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail} | more
    return Response(msgspec.json.encode(body), status, media_type="application/problem+json")
