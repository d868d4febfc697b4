"""Answers for programs: JSON, and problem+json (RFC 9457) where something is wrong."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from starlette.responses import Response

from aggregator.model.errors import AggregatorError

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_SECONDS = "5"  # where the database is in trouble: a restart takes about that
_TYPE = "tag:aggregator,2026:problem/"


class ProblemType(NamedTuple):
    """What is the same in every problem of one status."""

    name: str  # the end of its `type`
    title: str

    @property
    def type(self) -> str:
        return _TYPE + self.name


# `type` and `title` stay as they are once they are published: programs compare them. docs/api.md has
# what each means.
PROBLEMS: dict[int, ProblemType] = {
    400: ProblemType("bad-request", "The request has a mistake"),
    401: ProblemType("token-needed", "A token is needed"),
    403: ProblemType("not-allowed", "This is not allowed"),
    404: ProblemType("not-found", "There is no such thing"),
    405: ProblemType("wrong-method", "This address takes another method"),
    408: ProblemType("too-slow", "The body came too slowly"),
    409: ProblemType("cannot-be-done", "That cannot be done"),
    410: ProblemType("gone", "It is gone"),
    413: ProblemType("too-large", "The body is too large"),
    415: ProblemType("wrong-type", "The body has another type"),
    421: ProblemType("wrong-host", "The server does not answer to that name"),
    422: ProblemType("unusable", "What was sent cannot be used"),
    429: ProblemType("too-many-tries", "Too many requests, or wrong tokens"),
    500: ProblemType("fault", "The program has a fault"),
    503: ProblemType("not-now", "Not now"),
}


# Of a story or an article that was here.
GONE = "It was here, and is not kept any more. It will not come back."


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """The body of an error."""

    type: str
    title: str
    status: int
    detail: str


class RefusedError(AggregatorError):
    """A request that is not carried out; `status` is HTTP's, `more` are further members of the problem."""

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


def problem(status: int, detail: str, **more: object) -> Response:
    """An error as a program wants it; `more` are further members of the problem."""
    kind = PROBLEMS.get(status, PROBLEMS[400 if status < 500 else 500])
    body = Problem(type=kind.type, title=kind.title, status=status, detail=detail)
    return Response(msgspec.json.encode(msgspec.to_builtins(body) | more), status, media_type=PROBLEM_JSON)


def problem_of(error: RefusedError) -> Response:
    """The problem that the error is."""
    response = problem(error.status, str(error), **error.more)
    response.headers.update(error.headers)
    return response
