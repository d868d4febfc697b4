"""The parts of the description of the API (OpenAPI 3.1) that FastAPI cannot read from the routes.

FastAPI makes the description. Bodies are msgspec structs, whose schemas msgspec makes; the examples are made
from these schemas. Places, outlets and people in the examples are invented.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import WithJsonSchema

from aggregator.web.filters import SAVED, Parameter, up_to
from aggregator.web.responses import JSON, PROBLEM_JSON, PROBLEMS, Problem
from aggregator.web.security.token_auth import COOKIE

# FastAPI describes these, and does not check them: an invalid id is not found, as any other unknown one.
IdInPath = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": "^[0-9A-Za-z_-]{1,40}$"}, mode="validation")
]
NumberInPath = Annotated[str, WithJsonSchema(up_to(10**9 - 1), mode="validation")]

_COMMON_ERRORS = (401, 403, 405, 421, 429, 500, 503)  # any request may be answered with them
_SCHEMES: dict[str, Any] = {
    "token": {"type": "http", "scheme": "bearer"},
    "tokenAsPassword": {
        "type": "http",
        "scheme": "basic",
        "description": "any user name, and the token as password",
    },
    "tokenAsCookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "the cookie that a browser receives when it signs in",
    },
}
_TOKEN_REQUIRED: list[dict[str, list[str]]] = [{name: []} for name in _SCHEMES]
_ABOUT = (
    "Merged news stories. Times are RFC 3339 in UTC, ids are strings. Errors are problem+json (RFC 9457); "
    "each status has one `type` and one `title`, which do not change. Requests from other machines without "
    "a token of scope read receive at most `publish.excerpt_words` words of an article. The token may also "
    "be the beginning of the path, as in `/t/TOKEN/api/v1/stories`; it then permits reading only. A server "
    "that listens on other addresses than loopback requires a token."
)
ABOUT: dict[str, Any] = {
    "title": "aggregator",
    "summary": "One story per event.",
    "description": _ABOUT,
    "license_info": {"name": "MIT", "identifier": "MIT"},
    "servers": [{"url": "/"}],
    "openapi_tags": [{"name": name} for name in ("stories", "articles", "corrections", "sources", "health")],
}
_components: dict[str, Any] = {}  # the schemas of all structs that a route or another struct mentions


def _operation_id(route: APIRoute) -> str:
    """Return the name of the route in camel case."""
    first, *others = route.name.split("_")
    return first + "".join(map(str.title, others))


def api_router(prefix: str = "") -> APIRouter:
    """Return a router whose routes are named by their functions."""
    return APIRouter(prefix=prefix, generate_unique_id_function=_operation_id)


def schema_of(kind: Any) -> dict[str, Any]:
    """Return the schema of a type: of a struct or a union of structs, references to the components."""
    (schema,), components = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    _components.update(components)
    return schema


def named(name: str, schema: dict[str, Any]) -> dict[str, str]:
    """Return a reference to a schema, which becomes a component as it is; FastAPI would round its numbers."""
    _components[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


LOCATION: dict[str, Any] = {"headers": {"Location": {"schema": {"type": "string"}}}}


def answer(description: str, kind: Any) -> dict[str, Any]:
    """Return the description of a response with a JSON body of this type."""
    return {"description": description, "content": {JSON: {"schema": schema_of(kind)}}}


def described(
    tag: str,
    summary: str,
    responses: Mapping[int, dict[str, Any]],
    *,
    errors: tuple[int, ...] = (400,),
    query: Mapping[str, Parameter] | None = None,
    body: dict[str, Any] | None = None,
    needs_token: bool = False,
) -> dict[str, Any]:
    """Return what a route says about itself, as arguments of FastAPI's decorators.

    The first of `responses` is the normal one. `errors` are statuses of problems in addition to those that
    every route has. The docstring of the route is the description.
    """
    problems = {status: _problem_ref(status) for status in {*errors, *_COMMON_ERRORS} - {*responses}}
    extra: dict[str, Any] = {"security": _TOKEN_REQUIRED if needs_token else [*_TOKEN_REQUIRED, {}]}
    if query:
        extra["parameters"] = [_in_query(name, parameter) for name, parameter in query.items()]
    if body:
        extra["requestBody"] = {"required": True, "content": {JSON: body}}
    return {
        "tags": [tag],
        "summary": summary,
        "status_code": next(iter(responses)),
        "responses": {**responses, **problems},
        "openapi_extra": extra,
    }


def _problem_ref(status: int) -> dict[str, str]:
    return {"$ref": f"#/components/responses/{PROBLEMS[status].name}"}


def _problem(status: int) -> dict[str, Any]:
    kind = PROBLEMS[status]
    example = {"type": kind.type, "title": kind.title, "status": status, "detail": "what is wrong"}
    return {
        "description": f"{kind.title}.",
        "content": {PROBLEM_JSON: {"schema": schema_of(Problem), "example": example}},
    }


def _in_query(name: str, parameter: Parameter) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": parameter.is_required,
        "description": parameter.description,
        "schema": parameter.schema,
    }


class DescribedApp(FastAPI):
    """FastAPI with the schemas of msgspec structs, the names of saved queries, and examples of responses."""

    def openapi(self) -> dict[str, Any]:
        """Return the description; it is made at the first call."""
        if self.openapi_schema is None:
            self._complete(super().openapi())
        assert self.openapi_schema is not None
        return self.openapi_schema

    def _complete(self, description: dict[str, Any]) -> None:
        for operations in description["paths"].values():
            for operation in operations.values():
                if "HTTPValidationError" in str(operation["responses"].get("422")):
                    del operation["responses"]["422"]  # FastAPI adds it, but parameters are not checked by it
                for response in operation["responses"].values():
                    if (content := response.get("content", {}).get(JSON)) is not None:
                        content["example"] = _example(content["schema"], "")
        if saved := [query.name for query in self.state.site.settings.queries]:
            schema = {"type": "string", "enum": saved}
            parameter = Parameter(schema, "a saved query; other parameters override its values")
            filters = description["paths"]["/api/v1/stories"]["get"]["parameters"]
            filters.append(_in_query(SAVED, parameter))
        description["components"] = {
            "schemas": dict(sorted(_components.items())),
            "responses": {kind.name: _problem(status) for status, kind in PROBLEMS.items()},
            "securitySchemes": _SCHEMES,
        }


_TIMES = (
    *("published", "first_published", "last_published", "updated", "effective", "seen", "time", "times"),
    *("at", "last_placed", "last_success", "next_due"),
)
_EXAMPLES: dict[str, Any] = {
    **dict.fromkeys(_TIMES, "2026-11-20T08:30:00Z"),
    "day": "2026-11-20",
    "id": "cu2cfnapd3n3kc2w",
    "article": "cu2cfnapd3n3kc2w",
    "articles": "cu2cfnapd3n3kc2w",
    "other": "h5w8d2r6f1p9s3ne",
    "story": "q5m2x7k4d1t8w0ya",
    "stories": "q5m2x7k4d1t8w0ya",
    "title": "Dam siren sounded by mistake",
    "story_title": "Dam siren sounded by mistake",
    "outlet": "Harbour Post",
    "name": "Harbour Post",
    "url": "https://news.example.org/2026/dam",
    "home": "https://news.example.org/",
    "language": "en",
    "author": "Ada Lindqvist",
    "clock": "08:30",
    "marks": [[4, 9], [23, 26]],
    "disagreements": [],
    "copy_of": None,
    "wire": None,
    "problem": None,
    "reason": None,
    "kind_reason": None,
    "undone_at": None,
    "next": None,
    "kind": "report",
    "role": "writer",
    "folder": "Coast",
    "words": "merged z8c3v6b1n4m7k0ja into q5m2x7k4d1t8w0ya",
}
_SCALARS: dict[str, Any] = {"string": "The siren of the Orrin dam sounded for ten minutes on Friday.",
            "integer": 1, "number": 0.5, "boolean": True, "null": None}  # fmt: skip


def _example(schema: dict[str, Any], name: str) -> Any:
    """Return an example of a schema; `name` is the property that it describes."""
    while "$ref" in schema:
        schema = _components[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema and name not in _EXAMPLES:
        return _example(schema["anyOf"][0], name)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {key: _example(value, key) for key, value in schema.get("properties", {}).items()}
        case "array" if name not in {"marks", "disagreements"}:
            items = schema.get("prefixItems") or [schema["items"]]
            return [_example(item, name) for item in items]
        case kind:
            return _EXAMPLES.get(name, _SCALARS.get(str(kind)))
