"""The parts of the description of the API (OpenAPI 3.1) that FastAPI cannot read from the routes.

FastAPI makes the description. Bodies are msgspec structs, whose schemas msgspec makes.
"""

import inspect
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.routing import APIRoute
from pydantic import WithJsonSchema

from aggregator.config.shipped import ShippedTable
from aggregator.model.errors import UsageError
from aggregator.web.responses import (
    JSON,
    PROBLEM_JSON,
    PROBLEMS,
    Problem,
    problem_body,
)

Described = dict[str, Any]  # a part of the description
# FastAPI describes these types and does not check them, because an invalid id is simply not found.
IdInPath = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "pattern": "^[0-9A-Za-z_-]{1,40}$"}, mode="validation"
    ),
]
NumberInPath = Annotated[
    str,
    WithJsonSchema(
        {"type": "integer", "minimum": 1, "maximum": 10**9 - 1}, mode="validation"
    ),
]

# The statuses of errors that any request may get
_COMMON_ERRORS = (401, 403, 405, 421, 429, 500, 503)
DESCRIPTIONS = ShippedTable(
    "aggregator.web.api", "descriptions.yaml", Described
).content
_SCHEMES: Described = DESCRIPTIONS["security_schemes"]
_TOKEN_REQUIRED: list[dict[str, list[str]]] = [{name: []} for name in _SCHEMES]
# The schemas of all structs that a route or another struct mentions
_components: Described = {}


def api_router(prefix: str = "") -> APIRouter:
    """Return a router; if it has a prefix, its routes refuse unknown parameters."""
    return APIRouter(
        prefix=prefix,
        dependencies=[Depends(_refuse_parameters)] if prefix else [],
        generate_unique_id_function=_operation_id,
    )


def _operation_id(route: APIRoute) -> str:
    """Return `listStories` for `list_stories`; clients generate function names from it."""
    first, *others = route.name.split("_")
    return first + "".join(map(str.title, others))


async def _refuse_parameters(request: Request) -> None:
    """Raise UsageError if a request has parameters and its route has none.

    Routes with parameters have a model, which refuses unknown ones itself.
    """
    if not request.scope["route"].dependant.query_params:
        for name in request.query_params:
            raise UsageError(f"unknown parameter {name[:40]!r}; this address has none")


def schema_of(kind: Any) -> Described:
    """Return the schema of a type; for a struct or a union of structs, references to the components."""
    (schema,), components = msgspec.json.schema_components(
        [kind], ref_template="#/components/schemas/{name}"
    )
    _components.update(components)
    return schema


def refer_to_schema(name: str, schema: Described) -> dict[str, str]:
    """Make a schema a component and return a reference to it, because FastAPI would round its numbers."""
    _components[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


LOCATION: Described = {"headers": {"Location": {"schema": {"type": "string"}}}}
MOVED: Described = {"description": "The story was merged into another one.", **LOCATION}


def answer(kind: Any, **more: Any) -> Described:
    """Return the description of a response with a JSON body of this type; `more` are further members."""
    words = str(inspect.getdoc(kind)).partition("\n")[0]
    return {"description": words, "content": {JSON: {"schema": schema_of(kind)}}} | more


def describe_route(
    tag: str,
    responses: type | Mapping[int, Described],
    *errors: int,
    body: Described | None = None,
    body_type: str = JSON,
    needs_token: bool = False,
) -> Described:
    """Return the description of a route, as arguments of FastAPI's decorators.

    The first of `responses` is the normal one; if `responses` is a type, it is the body of status 200. `errors` are
    statuses of problems in addition to those of every route. The first paragraph of the docstring is the summary.
    """
    answers = responses if isinstance(responses, Mapping) else {200: answer(responses)}
    problems = {
        status: {"$ref": f"#/components/responses/{PROBLEMS[status].name}"}
        for status in {*errors, *_COMMON_ERRORS} - {*answers}
    }
    extra: Described = {
        "security": _TOKEN_REQUIRED if needs_token else [*_TOKEN_REQUIRED, {}]
    }
    if body:
        extra["requestBody"] = {"required": True, "content": {body_type: body}}
    return {
        "tags": [tag],
        "status_code": next(iter(answers)),
        "responses": {**answers, **problems},
        "openapi_extra": extra,
    }


class DescribedApp(FastAPI):
    """FastAPI with the schemas of msgspec structs and the names of saved queries."""

    def openapi(self) -> Described:
        """Return the description, which is made at the first call."""
        if self.openapi_schema is not None:
            return self.openapi_schema
        description = super().openapi()
        for operations in description["paths"].values():
            for operation in operations.values():
                summary, _, rest = operation["description"].partition("\n\n")
                operation["summary"] = summary.replace("\n", " ").rstrip(".")
                operation["description"] = rest
                if "HTTPValidationError" in str(operation["responses"].get("422")):
                    # FastAPI adds this response, but a wrong parameter is answered with 400.
                    del operation["responses"]["422"]
        listed = description["paths"]["/api/v1/stories"]["get"]["parameters"]
        saved = next(p for p in listed if p["name"] == "saved")
        keys = [query.key for query in self.state.site.settings.queries]
        saved["schema"] = {"type": "string", "enum": keys}
        if not keys:
            listed.remove(saved)
        problems = {}
        for status, kind in PROBLEMS.items():
            body = {
                "schema": schema_of(Problem),
                "example": problem_body(status, "what is wrong"),
            }
            problems[kind.name] = {
                "description": f"{kind.title}.",
                "content": {PROBLEM_JSON: body},
            }
        description["components"] = {
            "schemas": dict(sorted(_components.items())),
            "responses": problems,
            "securitySchemes": _SCHEMES,
        }
        return description
