"""The parts of the description of the API (OpenAPI 3.1) that FastAPI cannot read from the routes.

FastAPI makes the description. Bodies are msgspec structs, whose schemas msgspec makes.
"""

import inspect
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.routing import APIRoute
from pydantic import WithJsonSchema

from aggregator.model.errors import UsageError
from aggregator.web.parameters import PARAMETERS, SAVED, Parameter, up_to, whole_number
from aggregator.web.responses import JSON, PROBLEM_JSON, PROBLEMS, Problem

Described = dict[str, Any]  # a part of the description
# FastAPI describes these, and does not check them: an invalid id is not found, as any other unknown one.
IdInPath = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "pattern": "^[0-9A-Za-z_-]{1,40}$"}, mode="validation"
    ),
]
NumberInPath = Annotated[str, WithJsonSchema(up_to(10**9 - 1), mode="validation")]

# Any request may be answered with them
_COMMON_ERRORS = (401, 403, 405, 421, 429, 500, 503)
DESCRIPTIONS: Described = msgspec.yaml.decode(
    files("aggregator.web.api").joinpath("descriptions.yaml").read_bytes()
)
_SCHEMES: Described = DESCRIPTIONS["security_schemes"]
_TOKEN_REQUIRED: list[dict[str, list[str]]] = [{name: []} for name in _SCHEMES]
# The schemas of all structs that a route or another struct mentions
_components: Described = {}


class DescribedRoute(APIRoute):
    """A route that the name and the docstring of its function describe."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **given: Any) -> None:
        """Make `operationId` of the name, the summary of the first sentence, the description of the rest."""
        summary, _, given["description"] = str(inspect.getdoc(endpoint)).partition(
            "\n\n"
        )
        super().__init__(
            path,
            endpoint,
            **given | {"summary": summary.replace("\n", " ").rstrip(".")},
        )
        first, *others = self.name.split("_")
        self.operation_id = first + "".join(map(str.title, others))


def api_router(prefix: str = "") -> APIRouter:
    """Return a router of described routes; those below a prefix take only the parameters they describe."""
    checks = [Depends(_refuse_parameters)] if prefix else []
    return APIRouter(prefix=prefix, route_class=DescribedRoute, dependencies=checks)


async def _refuse_parameters(request: Request) -> None:
    """Raise UsageError for a parameter that is unknown, missing, or no whole number within its bounds."""
    given = request.query_params
    route = request.scope["route"]
    parameters = (route.openapi_extra or {}).get("parameters", ())
    described = {parameter["name"]: parameter for parameter in parameters}
    for name in given:
        if name not in described:
            hint = "this address has none"
            if described:
                hint = f"the parameters are {', '.join(described)}"
            raise UsageError(f"unknown parameter {name[:40]!r}; {hint}")
    for name, parameter in described.items():
        if name in given:
            _refuse_number(name, given[name], parameter["schema"])
        elif parameter["required"]:
            raise UsageError(
                f"{name}: the parameter is missing; it is {parameter['description']}"
            )


def _refuse_number(name: str, text: str, schema: Described) -> None:
    """Raise UsageError if the parameter is a number, and `text` is none within its bounds."""
    if schema.get("type") != "integer":
        return
    least = schema["minimum"]
    most = schema["maximum"]
    number = whole_number(text)
    if number is None or not least <= number <= most:
        raise UsageError(f"{name} must be a whole number from {least} to {most}")


def schema_of(kind: Any) -> Described:
    """Return the schema of a type: of a struct or a union of structs, references to the components."""
    (schema,), components = msgspec.json.schema_components(
        [kind], ref_template="#/components/schemas/{name}"
    )
    _components.update(components)
    return schema


def named(name: str, schema: Described) -> dict[str, str]:
    """Return a reference to a schema, which becomes a component as it is; FastAPI would round its numbers."""
    _components[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


LOCATION: Described = {"headers": {"Location": {"schema": {"type": "string"}}}}
MOVED: Described = {"description": "The story was merged into another one.", **LOCATION}


def answer(kind: Any, **more: Any) -> Described:
    """Return the description of a response with a JSON body of this type, and `more` members."""
    words = str(inspect.getdoc(kind)).partition("\n")[0]
    return {"description": words, "content": {JSON: {"schema": schema_of(kind)}}} | more


def described(
    tag: str,
    responses: type | Mapping[int, Described],
    *errors: int,
    query: Mapping[str, Parameter] | None = None,
    body: Described | None = None,
    body_type: str = JSON,
    needs_token: bool = False,
) -> Described:
    """Return what a route says about itself, as arguments of FastAPI's decorators.

    The first of `responses` is the normal one; a type is the body of 200. `errors` are statuses of problems
    in addition to those that every route has. The first sentence of the docstring is the summary.
    """
    answers = responses if isinstance(responses, Mapping) else {200: answer(responses)}
    problems = {}
    for status in {*errors, *_COMMON_ERRORS} - {*answers}:
        problems[status] = {"$ref": f"#/components/responses/{PROBLEMS[status].name}"}
    extra: Described = {
        "security": _TOKEN_REQUIRED if needs_token else [*_TOKEN_REQUIRED, {}]
    }
    if query:
        extra["parameters"] = [_parameter(name, query[name]) for name in query]
    if body:
        extra["requestBody"] = {"required": True, "content": {body_type: body}}
    return {
        "tags": [tag],
        "status_code": next(iter(answers)),
        "responses": {**answers, **problems},
        "openapi_extra": extra,
    }


def _parameter(
    name: str, parameter: Parameter, schema: Described | None = None
) -> Described:
    return {
        "name": name,
        "in": "query",
        "required": parameter.is_required,
        "description": parameter.description,
        "schema": schema or parameter.schema,
    }


def _problem(status: int) -> Described:
    kind = PROBLEMS[status]
    example = {
        "type": kind.type,
        "title": kind.title,
        "status": status,
        "detail": "what is wrong",
    }
    return {
        "description": f"{kind.title}.",
        "content": {PROBLEM_JSON: {"schema": schema_of(Problem), "example": example}},
    }


class DescribedApp(FastAPI):
    """FastAPI with the schemas of msgspec structs and the names of saved queries."""

    def openapi(self) -> Described:
        """Return the description; it is made at the first call."""
        if self.openapi_schema is None:
            self._complete(super().openapi())
        assert self.openapi_schema is not None
        return self.openapi_schema

    def _complete(self, description: Described) -> None:
        for operations in description["paths"].values():
            for operation in operations.values():
                if "HTTPValidationError" in str(operation["responses"].get("422")):
                    # FastAPI adds it, but parameters are not checked by it
                    del operation["responses"]["422"]
        saved = [query.name for query in self.state.site.settings.queries]
        listed = description["paths"]["/api/v1/stories"]["get"]
        listed["parameters"] = [p for p in listed["parameters"] if p["name"] != SAVED]
        if saved:
            schema = {"type": "string", "enum": saved}
            listed["parameters"].append(_parameter(SAVED, PARAMETERS[SAVED], schema))
        description["components"] = {
            "schemas": dict(sorted(_components.items())),
            "responses": {PROBLEMS[s].name: _problem(s) for s in PROBLEMS},
            "securitySchemes": _SCHEMES,
        }
