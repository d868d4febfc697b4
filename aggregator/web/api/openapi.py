"""The description of the API (OpenAPI 3.1), made of the very types that the answers are written from."""

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import Request, Response
from starlette.routing import Route

from aggregator import __version__
from aggregator.pipeline.placement.explain import Explanation
from aggregator.web.api import operations
from aggregator.web.api.corrections import Merge, Move, Split
from aggregator.web.api.openapi_parts import SCHEMES, problems
from aggregator.web.api.push import Pushed
from aggregator.web.article_json import OneArticleJson, SearchJson, SourcesJson
from aggregator.web.dependencies import Site, conditional
from aggregator.web.editor import Asked, CorrectionPage
from aggregator.web.health import HealthJson, ReadyJson
from aggregator.web.responses import JSON, Problem
from aggregator.web.story_json import PageJson, WholeStoryJson

ADDRESS = "/api/v1/openapi.json"

_ANSWERS = (
    PageJson,
    WholeStoryJson,
    OneArticleJson,
    SearchJson,
    SourcesJson,
    Explanation,
    Asked,
    CorrectionPage,
    Pushed,
    HealthJson,
    ReadyJson,
    Merge,
    Split,
    Move,
    Problem,
)
_ABOUT = (
    "Merged news stories. Times are RFC 3339 in UTC, ids are strings. Errors are problem+json (RFC 9457), "
    "their `type` and `title` are the same for one status, for good. Without a token of scope read, and "
    "from elsewhere, at most so many words of one article are in an answer as the operator chose. A token "
    "may also stand in front of an address, `/t/TOKEN/api/v1/stories`; then it opens reading alone. "
    "A server that listens on other addresses than loopback answers with a token only."
)


def route(site: Site, *, takes_articles: bool, is_watched: bool) -> Route:
    """The address of the description. `takes_articles`: they can be pushed; `is_watched`: by a daemon."""

    saved = tuple(query.name for query in site.settings.queries)

    def describe(request: Request) -> Response:
        described = document(
            corrects=site.desk is not None, takes_articles=takes_articles, is_watched=is_watched, saved=saved
        )
        return conditional(request, None, lambda: Response(msgspec.json.encode(described), media_type=JSON))

    return Route(ADDRESS, describe)


def document(
    *,
    corrects: bool = True,
    takes_articles: bool = True,
    is_watched: bool = True,
    saved: Sequence[str] = (),
) -> dict[str, Any]:
    """The whole description. `saved`: the names of saved queries."""
    _, schemas = msgspec.json.schema_components(_ANSWERS, ref_template="#/components/schemas/{name}")
    paths = operations.reading(saved)
    if corrects:
        paths |= operations.desk()
    if takes_articles:
        paths |= operations.pushing()
    if is_watched:
        paths |= operations.watching()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "aggregator",
            "version": __version__,
            "summary": "One story per event.",
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in ("stories", "articles", "corrections", "sources", "health")],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": problems(),
            "securitySchemes": SCHEMES,
        },
    }
