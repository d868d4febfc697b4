"""The description of the API (OpenAPI 3.1): operations, schemas and examples.

The schemas are generated from the types that the responses are encoded from. Places, outlets and people in
the examples are invented.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from fastapi import Request, Response
from starlette.routing import Route

from aggregator import __version__
from aggregator.pipeline.placement.explain import Explanation
from aggregator.web.api.corrections import MAX_CORRECTIONS, MergeRequest, MoveRequest, SplitRequest
from aggregator.web.api.push import PushResult
from aggregator.web.api.routes import MAX_ADDRESS_CHARS, MAX_FOUND
from aggregator.web.article_json import OneArticleJson, SearchJson, SourcesJson
from aggregator.web.dependencies import Site, conditional
from aggregator.web.editor import CommandStatus, CorrectionPage
from aggregator.web.filters import CURSOR_PATTERN, MAX_LIMIT, MAX_TEXT_CHARS, SAVED
from aggregator.web.health import HealthJson, ReadyJson
from aggregator.web.responses import JSON, PROBLEM_JSON, PROBLEMS, Problem
from aggregator.web.sanitise import encode_json
from aggregator.web.security.token_auth import COOKIE
from aggregator.web.story_json import PageJson, WholeStoryJson

_ARTICLE: dict[str, Any] = {
    "id": "cu2cfnapd3n3kc2w",
    "outlet": "Harbour Post",
    "url": "https://news.example.org/2026/dam",
    "title": "Dam siren sounded by mistake",
    "published": "2026-11-20T08:30:00Z",
    "seen": "2026-11-20T08:34:10Z",
    "language": "en",
    "copy_of": None,
    "wire": None,
    "kind": "report",
    "role": "report",
}
_WHOLE_ARTICLE: dict[str, Any] = _ARTICLE | {
    "lead": "The siren of the Orrin dam sounded for ten minutes on Friday.",
    "author": "Ada Lindqvist",
    "published_origin": "feed",
    "published_precision": "minute",
    "reason": "founded this story: no live story was similar enough",
    "kind_reason": None,
}
_STORY: dict[str, Any] = {
    "id": "q5m2x7k4d1t8w0ya",
    "title": "Dam siren sounded by mistake",
    "summary": "The siren of the Orrin dam sounded for ten minutes on Friday.",
    "language": "en",
    "first_published": "2026-11-20T08:30:00Z",
    "last_published": "2026-11-20T09:10:00Z",
    "updated": "2026-11-20T09:12:00.000041Z",
    "article_count": 1,
    "outlet_count": 1,
    "unknown_outlet_count": 0,
    "report_count": 1,
}
PAGE: dict[str, Any] = {
    "stories": [_STORY | {"articles": [_ARTICLE]}],
    "next": "63930859920000000.63930856320000041-412",
}
STORY: dict[str, Any] = _STORY | {
    "articles": [_WHOLE_ARTICLE],
    "text": "The siren of the Orrin dam sounded for ten minutes on Friday. (Harbour Post)",
    "timeline": [],
    "disagreements": [],
    "agreed": [],
    "no_shared_fact": False,
    "trails": [],
    "links": [],
}
ARTICLE: dict[str, Any] = _WHOLE_ARTICLE | {
    "text": None,
    "story": _STORY["id"],
    "story_title": _STORY["title"],
    "revisions": 0,
    "copy_count": 0,
    "copies": [],
}
_FOUND: dict[str, Any] = {
    "id": _ARTICLE["id"],
    "story": _STORY["id"],
    "story_title": _STORY["title"],
    "title": _ARTICLE["title"],
    "outlet": "Harbour Post",
    "url": _ARTICLE["url"],
    "effective": "2026-11-20T08:30:00Z",
    "language": "en",
    "snippet": "The siren of the Orrin dam sounded for ten minutes on Friday.",
    "marks": [[4, 9], [23, 26]],
    "entries": [],
}
FOUND: dict[str, Any] = {
    "stories": [
        {name: value for name, value in _STORY.items() if name != "summary"}
        | {"found": 1, "articles": [_FOUND]}
    ],
    "articles": [_FOUND],
    "more": False,
    "problem": None,
}
SOURCES: dict[str, Any] = {
    "sources": [
        {
            "id": "hb4k",
            "name": "Harbour Post",
            "kind": "feed",
            "url": None,
            "home": "https://news.example.org/",
            "folder": "Coast",
            "state": "ok",
            "problem": None,
            "article_count": 412,
            "last_success": "2026-11-20T09:00:03Z",
            "next_due": "2026-11-20T10:00:00Z",
        }
    ]
}
HEALTH: dict[str, Any] = {
    "status": "ok",
    "writable": True,
    "waiting": 0,
    "last_placed": "2026-11-20T09:12:00Z",
    "problem_count": 0,
    "problems": None,
}
READY: dict[str, Any] = {
    "ready": True,
    "status": "ok",
    "role": "writer",
    "problem_count": 0,
    "problems": None,
}
CORRECTIONS: dict[str, dict[str, Any]] = {
    "merge": {"kind": "merge", "stories": ["q5m2x7k4d1t8w0ya", "z8c3v6b1n4m7k0ja"]},
    "split": {"kind": "split", "story": "q5m2x7k4d1t8w0ya", "articles": ["cu2cfnapd3n3kc2w"]},
    "move": {"kind": "move", "article": "cu2cfnapd3n3kc2w", "story": "z8c3v6b1n4m7k0ja"},
}
_EXAMPLE_TEXT = "merged z8c3v6b1n4m7k0ja into q5m2x7k4d1t8w0ya"
DONE: dict[str, Any] = {
    "request": 7,
    "state": "done",
    "corrected": {"n": 3, "stories": ["q5m2x7k4d1t8w0ya"], "words": _EXAMPLE_TEXT},
    "reason": None,
}
WAITING: dict[str, Any] = {"request": 7, "state": "waiting", "corrected": None, "reason": None}
CORRECTED: dict[str, Any] = {
    "corrections": [
        {
            "n": 3,
            "at": "2026-11-20T10:00:00Z",
            "kind": "merge",
            "undone_at": None,
            "stories": ["q5m2x7k4d1t8w0ya", "z8c3v6b1n4m7k0ja"],
            "articles": ["cu2cfnapd3n3kc2w"],
            "words": _EXAMPLE_TEXT,
        }
    ],
    "next": None,
}
RECORD: dict[str, Any] = {
    "id": "2026-11-20/dam",
    "url": "https://news.example.org/2026/dam",
    "outlet": "Harbour Post",
    "title": "Dam siren sounded by mistake",
    "text": "The siren of the Orrin dam sounded for ten minutes on Friday.\n"
    "No one was in danger, the fire service said.",
    "published": "2026-11-20T08:30:00Z",
    "language": "en",
}
LINES = '{"title": "One"}\n{"title": "Another"}\n'
PUSHED: dict[str, Any] = {
    "accepted": 1,
    "known": 0,
    "rejected": 0,
    "items": [
        {"record": 1, "status": "accepted", "article": _ARTICLE["id"], "revision": False, "reason": None}
    ],
}


SCHEMES: dict[str, Any] = {
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
_TOKEN_REQUIRED: list[dict[str, list[str]]] = [{name: []} for name in SCHEMES]
_TOKEN_OPTIONAL = [*_TOKEN_REQUIRED, {}]  # a token may show more
_COMMON_ERRORS = (401, 403, 405, 421, 429, 500, 503)  # any request may be answered with them


def operation(
    name: str,
    tag: str,
    summary: str,
    *,
    responses: dict[str, Any],
    description: str = "",
    parameters: list[dict[str, Any]] | None = None,
    body: dict[str, Any] | None = None,
    errors: tuple[int, ...] = (400,),
    needs_token: bool = False,
) -> dict[str, Any]:
    """Return one operation; `errors` are statuses of problems in addition to the common ones."""
    described: dict[str, Any] = {"operationId": name, "tags": [tag], "summary": summary}
    if description:
        described["description"] = description
    if parameters:
        described["parameters"] = parameters
    if body is not None:
        described["requestBody"] = body
    problems = {str(status): _problem_ref(status) for status in sorted({*errors, *_COMMON_ERRORS})}
    return described | {
        "security": _TOKEN_REQUIRED if needs_token else _TOKEN_OPTIONAL,
        "responses": problems | responses,
    }


def query_parameters(
    parameters: dict[str, tuple[dict[str, Any], str]], *required: str
) -> list[dict[str, Any]]:
    """Return parameters of the query from pairs of schema and description by name."""
    return [
        parameter("query", name, schema, description, required=name in required)
        for name, (schema, description) in parameters.items()
    ]


def parameter(
    place: str, name: str, schema: dict[str, Any], description: str, *, required: bool = False
) -> dict[str, Any]:
    """Return one parameter; `place` is "query" or "path"."""
    return {"name": name, "in": place, "required": required, "description": description, "schema": schema}


def path_parameter(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter of the path."""
    return {"name": name, "in": "path", "required": True, "schema": schema}


def ref(body_type: type) -> dict[str, str]:
    """Return the reference to the schema of a type."""
    return {"$ref": f"#/components/schemas/{body_type.__name__}"}


def response(
    description: str, body_type: type, example: object = None, *, location: bool = False
) -> dict[str, Any]:
    """Return a JSON response; `location`: it has the header Location."""
    content: dict[str, Any] = {"schema": ref(body_type)}
    if example is not None:
        content["example"] = example
    described: dict[str, Any] = {"description": description, "content": {JSON: content}}
    return described | (LOCATION if location else {})


LOCATION: dict[str, Any] = {"headers": {"Location": {"schema": {"type": "string"}}}}


def problems() -> dict[str, Any]:
    """Return the responses of all problems by name."""
    return {kind.name: _problem(status) for status, kind in PROBLEMS.items()}


def _problem_ref(status: int) -> dict[str, str]:
    return {"$ref": f"#/components/responses/{PROBLEMS[status].name}"}


def _problem(status: int) -> dict[str, Any]:
    kind = PROBLEMS[status]
    example = {"type": kind.type, "title": kind.title, "status": status, "detail": "what is wrong"}
    return {
        "description": f"{kind.title}.",
        "content": {PROBLEM_JSON: {"schema": ref(Problem), "example": example}},
    }


def _up_to(most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": most}


_TIME = {
    "anyOf": [
        {"type": "string", "pattern": "^\\s*([0-9]{1,5}\\s*[mhdw])?\\s*$", "examples": ["24h", "7d"]},
        {"type": "string", "format": "date"},
        {"type": "string", "format": "date-time"},
    ]
}
_SHORT_TEXT = {"type": "string", "maxLength": MAX_TEXT_CHARS, "pattern": "^[^\\x00]*$"}
_CURSOR = {"type": "string", "pattern": CURSOR_PATTERN}
_QUERY_SYNTAX = (
    'words in the title or an article; "two words" is a phrase, rebel* a prefix, -word excludes a word'
)
_PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "query": (_SHORT_TEXT, _QUERY_SYNTAX),
    "since": (_TIME, "last_published at or after: 24h, 7d, a date or an RFC 3339 time"),
    "until": (_TIME, "last_published at or before; a date means the end of that day"),
    "min_outlets": (_up_to(1000), "the minimum number of outlets"),
    "min_reports": (
        {"type": "integer", "minimum": 1, "maximum": 1000},
        "the minimum number of independent reports",
    ),
    "outlet": (_SHORT_TEXT, "with an article of this outlet"),
    "folder": (_SHORT_TEXT, "with an article of a source in this folder"),
    "language": (_SHORT_TEXT, "with an article in this language"),
    "limit": (_up_to(MAX_LIMIT), "the maximum number of stories in one response"),
    "after": (_CURSOR, "the `next` of the previous page, unchanged"),
}
_SEARCH_PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "query": (_SHORT_TEXT, _QUERY_SYNTAX),
    "since": (_TIME, "articles of this time or later"),
    "until": (_TIME, "articles of this time or earlier; a date means the end of that day"),
    "outlet": (_SHORT_TEXT, "articles of this outlet"),
    "language": (_SHORT_TEXT, "articles in this language"),
    "limit": (
        {"type": "integer", "minimum": 1, "maximum": MAX_FOUND},
        "the maximum number of articles, and of stories, in one response",
    ),
}
_ID = {"type": "string", "pattern": "^[0-9A-Za-z_-]{1,40}$"}
_ID_OR_ADDRESS = {
    "type": "string",
    "pattern": "^[0-9A-Za-z:/?#@!$&'()*+,;=._~%-]+$",
    "maxLength": MAX_ADDRESS_CHARS,
}
_NUMBER = _up_to(10**9 - 1)
_TEXT = {"type": "string"}
_FIELD_DESCRIPTIONS: dict[str, str] = {
    "id": "unique within the outlet; it stays the same when the text changes",
    "url": "the address, http or https; if it is the only field, the page is fetched",
    "outlet": "the publisher; `source` means the same",
    "title": "the headline",
    "text": "plain text, paragraphs separated by newlines",
    "html": "instead of text: a page or a fragment",
    "published": "an RFC 3339 time or a date; a missing value means unknown",
    "language": "a BCP 47 tag; `lang` means the same",
    "author": "the name of the author",
}
# Of any alphabet, and the controls that are read as ƒ ˆ Š Œ Ž š œ ž Ÿ of Windows-1252. Validators agree on
# \p{Letter} of ECMA-262; some read \p{L} as Latin letters only.
_LETTER = "[\\p{Letter}\\p{Number}\\x83\\x88\\x8a\\x8c\\x8e\\x9a\\x9c\\x9e\\x9f]"
_TEXT_OR_NUMBER = {
    "type": ["string", "number"],
    "pattern": _LETTER,
    "minimum": 1 - 10**30,
    "maximum": 10**30 - 1,
}
_RECORD: dict[str, Any] = {
    "type": "object",
    "description": "At least one of title, text, html and url is required, in any alphabet. All values are "
    "strings; a number is read as its digits, a value of another type as missing. Unknown keys are ignored. "
    "A push has at most 200 records.",
    "properties": {name: {"description": description} for name, description in _FIELD_DESCRIPTIONS.items()},
    "anyOf": [
        {"required": [name], "properties": {name: _TEXT_OR_NUMBER}} for name in ("title", "text", "html")
    ]
    + [
        {
            "required": ["url"],
            "properties": {"url": {"type": "string", "pattern": "^https?://([0-9a-z]+[.])+[a-z]+(/|$)"}},
        }
    ],
}


def reading_paths(saved: Sequence[str]) -> dict[str, Any]:
    """Return the paths for reading; `saved` are the names of saved queries."""
    return {
        "/api/v1/stories": {"get": _list_stories(saved)},
        "/api/v1/stories/{id}": {"get": _ONE_STORY},
        "/api/v1/articles/{id}": {"get": _ONE_ARTICLE},
        "/api/v1/search": {"get": _SEARCH},
        "/api/v1/sources": {"get": _LIST_SOURCES},
        "/healthz": {"get": _HEALTH},
    }


def health_paths() -> dict[str, Any]:
    """Return the paths that only a daemon serves."""
    return {"/readyz": {"get": _READY}}


def editor_paths() -> dict[str, Any]:
    """Return the paths of explanations and corrections."""
    return {
        "/api/v1/explain": {"get": _EXPLAIN},
        "/api/v1/corrections": {"get": _LIST_CORRECTIONS, "post": _CORRECT},
        "/api/v1/corrections/{number}": {"delete": _undo("deleteCorrection")},
        "/api/v1/corrections/{number}/undo": {"post": _undo("undoCorrection")},
        "/api/v1/corrections/requests/{number}": {"get": _GET_CORRECTION},
    }


def push_paths() -> dict[str, Any]:
    """Return the path that accepts articles."""
    return {"/api/v1/articles": {"post": _PUSH}}


def _list_stories(saved: Sequence[str]) -> dict[str, Any]:
    filters = dict(_PARAMETERS)
    if saved:
        filters[SAVED] = (
            {"type": "string", "enum": list(saved)},
            "a saved query; other parameters override its values",
        )
    return operation(
        "listStories",
        "stories",
        "Stories, the newest bump first",
        description="One page of a list; `next` is the cursor of the following page. A page may have fewer "
        "stories than `limit` and still be followed by another. No story appears twice; stories that are new "
        "or bumped meanwhile are at the top when the list is read again.",
        parameters=query_parameters(filters),
        responses={"200": response("A page of stories and the cursor of the next page.", PageJson, PAGE)},
    )


_ONE_STORY = operation(
    "oneStory",
    "stories",
    "One story with its merged text, timeline and disagreements",
    description="The id of a merged story redirects to its successor.",
    parameters=[path_parameter("id", _ID)],
    responses={
        "200": response("The story.", WholeStoryJson, STORY),
        "301": {"description": "The story was merged into another one.", **LOCATION},
    },
    errors=(400, 404, 410),
)
_ONE_ARTICLE = operation(
    "oneArticle",
    "articles",
    "One article, its story, and why it belongs to the story",
    description="`text` is for the owner; `copies` are articles of the same story with the same text.",
    parameters=[path_parameter("id", _ID)],
    responses={"200": response("The article.", OneArticleJson, ARTICLE)},
    errors=(400, 404, 410),
)
_SEARCH = operation(
    "search",
    "articles",
    "Articles that match the query, and their stories, the best match first",
    parameters=query_parameters(_SEARCH_PARAMETERS, "query"),
    responses={"200": response("The matches.", SearchJson, FOUND)},
)
_LIST_SOURCES = operation(
    "listSources",
    "sources",
    "The sources and their health",
    description="`url` and `problem` are for the owner.",
    responses={"200": response("All sources, by folder and name.", SourcesJson, SOURCES)},
)
_HEALTH = operation(
    "health",
    "health",
    "Whether articles can be accepted",
    responses={
        "200": response("Articles can be accepted.", HealthJson, HEALTH),
        "503": {
            "description": "Articles cannot be accepted, or the database does not answer.",
            "content": {JSON: {"schema": ref(HealthJson)}, PROBLEM_JSON: {"schema": ref(Problem)}},
        },
    },
    errors=(),
)
_READY = operation(
    "ready",
    "health",
    "Whether requests should be sent here",
    description="A standby is ready, too: it serves every request and passes corrections to the writer.",
    responses={
        "200": response("Ready.", ReadyJson, READY),
        "503": response(
            "Not ready: the daemon is starting, or the database does not answer or has another version.",
            ReadyJson,
        ),
    },
    errors=(),
)
_EXPLAIN = operation(
    "explain",
    "articles",
    "Why an article is in its story, or why two articles are or are not in one story",
    description="Shares are logits; the score is their sum plus `bias`.",
    parameters=[
        parameter("query", "article", _ID_OR_ADDRESS, "the id or the address of an article", required=True),
        parameter(
            "query", "other", _ID_OR_ADDRESS, "the id or the address of another article to compare with"
        ),
    ],
    responses={"200": response("The evidence of the decision, and the score today.", Explanation)},
    errors=(400, 404),
)
_COMMAND_RESPONSES = {
    "200": response("The result.", CommandStatus, DONE),
    "202": response("The writer has not executed it yet.", CommandStatus, WAITING, location=True),
}
_LIST_CORRECTIONS = operation(
    "listCorrections",
    "corrections",
    "Corrections, the newest first",
    parameters=[
        parameter(
            "query", "limit", _up_to(MAX_CORRECTIONS), "the maximum number of corrections in one response"
        ),
        parameter("query", "before", _NUMBER, "the `next` of the previous page"),
    ],
    responses={"200": response("Corrections.", CorrectionPage, CORRECTED)},
    needs_token=True,
)
_CORRECT = operation(
    "correct",
    "corrections",
    "Merge stories, split one, or move an article",
    description="The writer executes the correction, and every later run respects it. 409: the correction is "
    "not possible; 422: the body is not a correction.",
    body={
        "required": True,
        "content": {
            JSON: {
                "schema": {
                    "oneOf": [ref(kind) for kind in (MergeRequest, SplitRequest, MoveRequest)],
                    "discriminator": {
                        "propertyName": "kind",
                        "mapping": {
                            str(kind.__struct_config__.tag): ref(kind)["$ref"]
                            for kind in (MergeRequest, SplitRequest, MoveRequest)
                        },
                    },
                },
                "examples": {name: {"value": value} for name, value in CORRECTIONS.items()},
            }
        },
    },
    responses=_COMMAND_RESPONSES,
    errors=(400, 408, 409, 413, 415, 422),
    needs_token=True,
)
_GET_CORRECTION = operation(
    "lookAtCorrection",
    "corrections",
    "The state of a requested correction",
    parameters=[path_parameter("number", _NUMBER)],
    responses=_COMMAND_RESPONSES,
    errors=(400, 404),
    needs_token=True,
)


def _undo(name: str) -> dict[str, Any]:
    return operation(
        name,
        "corrections",
        "Undo a correction",
        description="Its articles return to their stories, and the ids of merged stories are valid again. "
        "Later corrections of the same articles must be undone first.",
        parameters=[path_parameter("number", _NUMBER)],
        responses=_COMMAND_RESPONSES,
        errors=(400, 404, 408, 409, 413),
        needs_token=True,
    )


_PUSH = operation(
    "pushArticles",
    "articles",
    "Push articles: one record, a list of records, or one record per line (JSONL)",
    description="202: every record that is not rejected is stored permanently and is placed within moments. "
    "A repeated article is `known` and changes nothing; with another text it is accepted as a revision. The "
    "header `Idempotency-Key` (any string of at most 255 characters, a new one for each push) makes a push "
    "repeatable: a repeated key with the same body stores nothing and gets the same response, with "
    "`Idempotency-Replayed: true`; with another body it is refused with 422. The body may have one record "
    "per line (Content-Type: application/jsonl), and may be compressed (Content-Encoding: gzip).",
    body={
        "required": True,
        "content": {
            JSON: {
                # A list is accepted for its valid records; each invalid one is rejected on its own.
                "schema": {"oneOf": [_RECORD, {"type": "array", "contains": _RECORD}]},
                "examples": {
                    "one": {"value": RECORD},
                    "several": {"value": [RECORD, {"url": "https://news.example.org/2026/ferry"}]},
                },
            },
        },
    },
    responses={"202": response("Stored; one item for each record.", PushResult, PUSHED)},
    errors=(400, 408, 413, 415, 422),
    needs_token=True,
)


ADDRESS = "/api/v1/openapi.json"

_BODIES = (
    PageJson,
    WholeStoryJson,
    OneArticleJson,
    SearchJson,
    SourcesJson,
    Explanation,
    CommandStatus,
    CorrectionPage,
    PushResult,
    HealthJson,
    ReadyJson,
    MergeRequest,
    SplitRequest,
    MoveRequest,
    Problem,
)
_ABOUT = (
    "Merged news stories. Times are RFC 3339 in UTC, ids are strings. Errors are problem+json (RFC 9457); "
    "each status has one `type` and one `title`, which do not change. Requests from other machines without "
    "a token of scope read receive at most `publish.excerpt_words` words of an article. The token may also "
    "be the beginning of the path, as in `/t/TOKEN/api/v1/stories`; it then permits reading only. A server "
    "that listens on other addresses than loopback requires a token."
)


def route(site: Site, *, takes_articles: bool, is_watched: bool) -> Route:
    """Return the route of the description.

    `takes_articles`: articles can be pushed; `is_watched`: the daemon serves `/readyz`.
    """

    saved = tuple(query.name for query in site.settings.queries)

    def describe(request: Request) -> Response:
        described = document(
            corrects=site.editor is not None,
            takes_articles=takes_articles,
            is_watched=is_watched,
            saved=saved,
        )
        return conditional(request, None, lambda: Response(encode_json(described), media_type=JSON))

    return Route(ADDRESS, describe)


def document(
    *,
    corrects: bool = True,
    takes_articles: bool = True,
    is_watched: bool = True,
    saved: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the whole description; `saved` are the names of saved queries."""
    _, schemas = msgspec.json.schema_components(_BODIES, ref_template="#/components/schemas/{name}")
    paths = reading_paths(saved)
    if corrects:
        paths |= editor_paths()
    if takes_articles:
        paths |= push_paths()
    if is_watched:
        paths |= health_paths()
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
