"""Pieces that the description of the API is put together from."""

from typing import Any

from aggregator.web.responses import JSON, PROBLEM_JSON, PROBLEMS, Problem
from aggregator.web.security.token_auth import COOKIE

SCHEMES: dict[str, Any] = {
    "token": {"type": "http", "scheme": "bearer"},
    "tokenAsPassword": {"type": "http", "scheme": "basic", "description": "any name; the token as password"},
    "tokenAsCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "what a browser gets that signs in",
    },
}
_NEEDED: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]
_WELCOME = [*_NEEDED, {}]  # with a token more may be shown
_ALWAYS = (401, 403, 405, 421, 429, 500, 503)  # what any address may be answered with


def operation(
    name: str,
    tag: str,
    summary: str,
    *,
    answers: dict[str, Any],
    words: str = "",
    takes: list[dict[str, Any]] | None = None,
    body: dict[str, Any] | None = None,
    refuses: tuple[int, ...] = (400,),
    needs_token: bool = False,
) -> dict[str, Any]:
    """One operation. `refuses`: statuses of its problems beside those that any address has."""
    described: dict[str, Any] = {"operationId": name, "tags": [tag], "summary": summary}
    if words:
        described["description"] = words
    if takes:
        described["parameters"] = takes
    if body is not None:
        described["requestBody"] = body
    problems = {str(status): _problem_ref(status) for status in sorted({*refuses, *_ALWAYS})}
    return described | {
        "security": _NEEDED if needs_token else _WELCOME,
        "responses": problems | answers,
    }


def in_query(parameters: dict[str, tuple[dict[str, Any], str]], *required: str) -> list[dict[str, Any]]:
    """Parameters of the query: schema and meaning by name."""
    return [
        parameter("query", name, schema, meaning, required=name in required)
        for name, (schema, meaning) in parameters.items()
    ]


def parameter(
    place: str, name: str, schema: dict[str, Any], meaning: str, *, required: bool = False
) -> dict[str, Any]:
    """One parameter."""
    return {"name": name, "in": place, "required": required, "description": meaning, "schema": schema}


def in_path(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A part of the address."""
    return {"name": name, "in": "path", "required": True, "schema": schema}


def ref(shape: type) -> dict[str, str]:
    """Where the schema of a type stands."""
    return {"$ref": f"#/components/schemas/{shape.__name__}"}


def answer(words: str, shape: type, example: object = None, *, location: bool = False) -> dict[str, Any]:
    """An answer in JSON; `location`: it says where to go on."""
    content: dict[str, Any] = {"schema": ref(shape)}
    if example is not None:
        content["example"] = example
    described: dict[str, Any] = {"description": words, "content": {JSON: content}}
    return described | (LOCATION if location else {})


LOCATION: dict[str, Any] = {"headers": {"Location": {"schema": {"type": "string"}}}}


def problems() -> dict[str, Any]:
    """All problems, by name."""
    return {kind.name: _problem(status) for status, kind in PROBLEMS.items()}


def _problem_ref(status: int) -> dict[str, str]:
    return {"$ref": f"#/components/responses/{PROBLEMS[status].name}"}


def _problem(status: int) -> dict[str, Any]:
    kind = PROBLEMS[status]
    example = {"type": kind.type, "title": kind.title, "status": status, "detail": "what was wrong, in words"}
    return {
        "description": f"{kind.title}.",
        "content": {PROBLEM_JSON: {"schema": ref(Problem), "example": example}},
    }
