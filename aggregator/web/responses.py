"""Responses for programs: JSON, and problem+json (RFC 9457) for errors."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from starlette.responses import Response

from aggregator.model.errors import AggregatorError
from aggregator.model.structs import FrozenStruct
from aggregator.publish.sanitise import encode_json

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
# If the database does not answer, whose restart takes about that long, or is busy
RETRY_AFTER_SECONDS = "5"
_TYPE = "tag:aggregator,2026:problem/"


class ProblemType(NamedTuple):
    """The members that all problems of one status share."""

    name: str  # the end of `type`
    title: str

    @property
    def type(self) -> str:
        return _TYPE + self.name


# `type` and `title` must not change after a release, because programs compare them; docs/api.md explains
# each status.
PROBLEMS: dict[int, ProblemType] = {
    400: ProblemType("bad-request", "Invalid request"),
    401: ProblemType("token-needed", "A token is required"),
    403: ProblemType("not-allowed", "Not allowed"),
    404: ProblemType("not-found", "Not found"),
    405: ProblemType("wrong-method", "Method not allowed"),
    408: ProblemType("too-slow", "The body arrived too slowly"),
    409: ProblemType("cannot-be-done", "Not possible"),
    410: ProblemType("gone", "Permanently removed"),
    413: ProblemType("too-large", "The body is too large"),
    415: ProblemType("wrong-type", "Unsupported content type"),
    421: ProblemType("wrong-host", "Unknown host name"),
    422: ProblemType("unusable", "Invalid content"),
    429: ProblemType("too-many-tries", "Too many requests or wrong tokens"),
    500: ProblemType("fault", "Internal error"),
    503: ProblemType("not-now", "Temporarily unavailable"),
}


# The detail for an erased or expired story or article.
GONE = "It was removed permanently."


class JsonResponse(Response):
    """A struct as one line of JSON."""

    media_type = JSON

    def render(self, content: object) -> bytes:
        """Encode the struct."""
        return encode_json(content) + b"\n"


class Problem(FrozenStruct):
    """The body of an error."""

    type: str
    title: str
    status: int
    detail: str


class RefusedError(AggregatorError):
    """A refused request; `status` is the HTTP status, `more` are further members of the problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})
        self.more = dict(more or {})


def too_many(what: str) -> RefusedError:
    """Return the error for work of which enough is under way."""
    again = {"Retry-After": RETRY_AFTER_SECONDS}
    return RefusedError(503, f"too many {what} at once; try again later", headers=again)


def problem(status: int, detail: str, **more: object) -> Response:
    """Return a problem+json response; `more` are further members of the problem."""
    kind = PROBLEMS.get(status, PROBLEMS[400 if status < 500 else 500])
    body = Problem(type=kind.type, title=kind.title, status=status, detail=detail)
    return Response(
        encode_json(msgspec.to_builtins(body) | more), status, media_type=PROBLEM_JSON
    )
