"""Responses for programs: JSON, and problem+json (RFC 9457) for errors."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from starlette.responses import Response

from aggregator.config.shipped import ShippedTable
from aggregator.model.errors import AggregatorError
from aggregator.model.structs import FrozenStruct
from aggregator.publish.sanitise import encode_json

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
# A client should try again after this time if the database is busy or does not answer; a restart of the database takes
# about as long.
RETRY_AFTER_SECONDS = "5"
_TYPE = "tag:aggregator,2026:problem/"


class ProblemType(NamedTuple):
    """The members that all problems of one status share."""

    name: str  # the end of `type`
    title: str

    @property
    def type(self) -> str:
        return _TYPE + self.name


PROBLEMS = ShippedTable(
    "aggregator.web", "problems.yaml", dict[int, ProblemType]
).content


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
    """The request is refused; `status` is the HTTP status, `more` are further members of the problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] = {},
        more: Mapping[str, object] = {},
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers
        self.more = more


def too_many(what: str) -> RefusedError:
    """Return the error for a request that exceeds the number allowed at once."""
    return RefusedError(
        503,
        f"too many {what} at once; try again later",
        headers={"Retry-After": RETRY_AFTER_SECONDS},
    )


def problem_body(status: int, detail: str) -> dict[str, object]:
    """Return the members of a problem; a status without a type of its own gets the type of 400 or 500."""
    kind = PROBLEMS.get(status, PROBLEMS[400 if status < 500 else 500])
    body = Problem(type=kind.type, title=kind.title, status=status, detail=detail)
    return msgspec.structs.asdict(body)


def problem(status: int, detail: str, **more: object) -> Response:
    """Return a problem+json response; `more` are further members of the problem."""
    return Response(
        encode_json(problem_body(status, detail) | more),
        status,
        media_type=PROBLEM_JSON,
    )
