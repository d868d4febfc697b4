"""The description of the API (OpenAPI 3.1), made of the very types that the answers are written from.

The operations of the API as its description has them.

Pieces that the description of the API is put together from.

Examples for the description of the API. Places, outlets and people in them are invented.
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
    "role": "report",
}
_WHOLE_ARTICLE: dict[str, Any] = _ARTICLE | {
    "lead": "The siren of the Orrin dam sounded for ten minutes on Friday.",
    "author": "Ada Lindqvist",
    "published_origin": "feed",
    "published_precision": "minute",
    "reason": "founded this story: no live story was alike enough",
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
_EXAMPLE_WORDS = "merged z8c3v6b1n4m7k0ja into q5m2x7k4d1t8w0ya"
DONE: dict[str, Any] = {
    "request": 7,
    "state": "done",
    "corrected": {"n": 3, "stories": ["q5m2x7k4d1t8w0ya"], "words": _EXAMPLE_WORDS},
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
            "words": _EXAMPLE_WORDS,
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
    "Nobody was in danger, the fire service said.",
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


def _up_to(most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": most}


_TIME = {
    "anyOf": [
        {"type": "string", "pattern": "^\\s*([0-9]{1,5}\\s*[mhdw])?\\s*$", "examples": ["24h", "7d"]},
        {"type": "string", "format": "date"},
        {"type": "string", "format": "date-time"},
    ]
}
_WORDS = {"type": "string", "maxLength": MAX_TEXT_CHARS, "pattern": "^[^\\x00]*$"}
_CURSOR = {"type": "string", "pattern": CURSOR_PATTERN}
_QUERY = (
    'words that stand in the title or an article; "two words" side by side, rebel* begins, -word is not there'
)
_PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "query": (_WORDS, _QUERY),
    "since": (_TIME, "last_published at or after: 24h, 7d, a date or an RFC 3339 time"),
    "until": (_TIME, "last_published at or before; of a day its end"),
    "min_outlets": (_up_to(1000), "at least so many outlets"),
    "min_reports": (
        {"type": "integer", "minimum": 1, "maximum": 1000},
        "at least so many independent reports",
    ),
    "outlet": (_WORDS, "with an article of this outlet"),
    "folder": (_WORDS, "with an article of a source in this folder"),
    "language": (_WORDS, "with an article in this language"),
    "limit": (_up_to(MAX_LIMIT), "stories in one answer"),
    "after": (_CURSOR, "the `next` of the page before, as it is"),
}
_SEARCHED: dict[str, tuple[dict[str, Any], str]] = {
    "query": (_WORDS, _QUERY),
    "since": (_TIME, "articles of this time or later"),
    "until": (_TIME, "articles of this time or earlier; of a day its end"),
    "outlet": (_WORDS, "articles of this outlet"),
    "language": (_WORDS, "articles in this language"),
    "limit": (
        {"type": "integer", "minimum": 1, "maximum": MAX_FOUND},
        "articles, and stories, in one answer",
    ),
}
_ID = {"type": "string", "pattern": "^[0-9A-Za-z_-]{1,40}$"}
_NAMED = {"type": "string", "pattern": "^[0-9A-Za-z:/?#@!$&'()*+,;=._~%-]+$", "maxLength": MAX_ADDRESS_CHARS}
_NUMBER = _up_to(10**9 - 1)
_TEXT = {"type": "string"}
_MEANT: dict[str, str] = {
    "id": "tells it from others of its outlet; keep it when the text changes",
    "url": "its address, http or https; alone, the page there is fetched",
    "outlet": "who publishes it; `source` is the same",
    "title": "its headline",
    "text": "plain text, paragraphs separated by newlines",
    "html": "instead of text: a page or a piece of one",
    "published": "RFC 3339, or a day; unknown where it is missing",
    "language": "a BCP 47 tag; `lang` is the same",
    "author": "who wrote it",
}
_LETTER = "[\\p{L}\\p{N}]"  # of any alphabet, as ECMA-262 writes it
_SAID = {"type": ["string", "number"], "pattern": _LETTER, "minimum": 1 - 10**30, "maximum": 10**30 - 1}
_RECORD: dict[str, Any] = {
    "type": "object",
    "description": "At least one of title, text, html and url, in any alphabet. All are texts; a number is "
    "as good as its digits, anything else is as good as missing. Unknown keys are passed over. At most 200 "
    "records.",
    "properties": {name: {"description": meaning} for name, meaning in _MEANT.items()},
    "anyOf": [{"required": [name], "properties": {name: _SAID}} for name in ("title", "text", "html")]
    + [
        {
            "required": ["url"],
            "properties": {"url": {"type": "string", "pattern": "^https?://[0-9a-z]+[.][a-z]+(/|$)"}},
        }
    ],
}


def reading_paths(saved: Sequence[str]) -> dict[str, Any]:
    """What everybody may ask. `saved`: the names of saved queries."""
    return {
        "/api/v1/stories": {"get": _list_stories(saved)},
        "/api/v1/stories/{id}": {"get": _ONE_STORY},
        "/api/v1/articles/{id}": {"get": _ONE_ARTICLE},
        "/api/v1/search": {"get": _SEARCH},
        "/api/v1/sources": {"get": _LIST_SOURCES},
        "/healthz": {"get": _HEALTH},
    }


def health_paths() -> dict[str, Any]:
    """What a daemon tells of itself."""
    return {"/readyz": {"get": _READY}}


def editor() -> dict[str, Any]:
    """What the news desk does."""
    return {
        "/api/v1/explain": {"get": _EXPLAIN},
        "/api/v1/corrections": {"get": _LIST_CORRECTIONS, "post": _CORRECT},
        "/api/v1/corrections/{number}": {"delete": _undo("deleteCorrection")},
        "/api/v1/corrections/{number}/undo": {"post": _undo("undoCorrection")},
        "/api/v1/corrections/requests/{number}": {"get": _GET_CORRECTION},
    }


def push_paths() -> dict[str, Any]:
    """Handing articles in."""
    return {"/api/v1/articles": {"post": _PUSH}}


def _list_stories(saved: Sequence[str]) -> dict[str, Any]:
    parameters = dict(_PARAMETERS)
    if saved:
        parameters[SAVED] = (
            {"type": "string", "enum": list(saved)},
            "a saved query; what else is asked for goes before what it says",
        )
    return operation(
        "listStories",
        "stories",
        "Stories, the newest bump first",
        words="A page of a walk; `next` goes on with it, and a page may be short and still have one. A walk "
        "shows no story twice: what is bumped or new while it goes on comes at the top of the next walk.",
        takes=in_query(parameters),
        answers={"200": answer("Stories and where to go on.", PageJson, PAGE)},
    )


_ONE_STORY = operation(
    "oneStory",
    "stories",
    "One story with its merged text, timeline and disagreements",
    words="The id of a story that was merged into another leads there.",
    takes=[in_path("id", _ID)],
    answers={
        "200": answer("The story.", WholeStoryJson, STORY),
        "301": {"description": "It was merged.", **LOCATION},
    },
    refuses=(400, 404, 410),
)
_ONE_ARTICLE = operation(
    "oneArticle",
    "articles",
    "One article, its story, and why it is there",
    words="`text` is for the owner, `copies` are articles of its story that print its text.",
    takes=[in_path("id", _ID)],
    answers={"200": answer("The article.", OneArticleJson, ARTICLE)},
    refuses=(400, 404, 410),
)
_SEARCH = operation(
    "search",
    "articles",
    "Articles that hold the words, and their stories, best first",
    takes=in_query(_SEARCHED, "query"),
    answers={"200": answer("What was found.", SearchJson, FOUND)},
)
_LIST_SOURCES = operation(
    "listSources",
    "sources",
    "Where articles come from, and how each source does",
    words="Addresses and causes are for the owner.",
    answers={"200": answer("All sources, by folder and name.", SourcesJson, SOURCES)},
)
_HEALTH = operation(
    "health",
    "health",
    "Whether articles can be accepted",
    answers={
        "200": answer("They can.", HealthJson, HEALTH),
        "503": {
            "description": "They cannot, or the database does not answer.",
            "content": {JSON: {"schema": ref(HealthJson)}, PROBLEM_JSON: {"schema": ref(Problem)}},
        },
    },
    refuses=(),
)
_READY = operation(
    "ready",
    "health",
    "Whether requests should be sent here",
    words="Also true of a daemon that stands by: it serves all but what it hands to the writer.",
    answers={
        "200": answer("They should.", ReadyJson, READY),
        "503": answer("They should not: it starts, its database is away, or of another version.", ReadyJson),
    },
    refuses=(),
)
_EXPLAIN = operation(
    "explain",
    "articles",
    "Why an article is in its story, or why two are (not) together",
    words="Shares are logits; with `bias` they sum up to the score.",
    takes=[
        parameter("query", "article", _NAMED, "its id or its address", required=True),
        parameter("query", "other", _NAMED, "another article: why the two are, or are not, together"),
    ],
    answers={"200": answer("The evidence of the decision, and how it stands today.", Explanation)},
    refuses=(400, 404),
)
_ASKED = {
    "200": answer("What came of it.", CommandStatus, DONE),
    "202": answer("The writer has not come to it yet.", CommandStatus, WAITING, location=True),
}
_LIST_CORRECTIONS = operation(
    "listCorrections",
    "corrections",
    "What persons decided, the newest first",
    takes=[
        parameter("query", "limit", _up_to(MAX_CORRECTIONS), "corrections in one answer"),
        parameter("query", "before", _NUMBER, "the `next` of the page before"),
    ],
    answers={"200": answer("Corrections.", CorrectionPage, CORRECTED)},
    needs_token=True,
)
_CORRECT = operation(
    "correct",
    "corrections",
    "Merge stories, split one, or move an article",
    words="It is done by the one writer and binds every later run; 422 where it cannot be done.",
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
    answers=_ASKED,
    refuses=(400, 408, 409, 413, 415, 422),
    needs_token=True,
)
_GET_CORRECTION = operation(
    "lookAtCorrection",
    "corrections",
    "What became of a correction that was asked for",
    takes=[in_path("number", _NUMBER)],
    answers=_ASKED,
    refuses=(400, 404),
    needs_token=True,
)


def _undo(name: str) -> dict[str, Any]:
    return operation(
        name,
        "corrections",
        "Undo a correction",
        words="Its articles return, retired ids live again. What a later correction says of the same "
        "articles has to be undone first.",
        takes=[in_path("number", _NUMBER)],
        answers=_ASKED,
        refuses=(400, 404, 408, 409, 413),
        needs_token=True,
    )


_PUSH = operation(
    "pushArticles",
    "articles",
    "Hand articles in: one record, a list of them, or one a line (JSONL)",
    words="202: all that is not rejected is stored for good, and will be placed within moments. The same "
    "article again is `known` and changes nothing; with another text it is accepted as a revision. A header "
    "`Idempotency-Key` (any text of yours, at most 255 characters, new for each push) makes a push "
    "repeatable: the same key and body again gets the same answer, with `Idempotency-Replayed: true`, and "
    "does nothing; with another body it is refused with 422. The body may also be a record a line, with "
    "Content-Type application/jsonl, and come with Content-Encoding: gzip.",
    body={
        "required": True,
        "content": {
            JSON: {
                # A list is taken for its good records; the others are rejected one by one.
                "schema": {"oneOf": [_RECORD, {"type": "array", "contains": _RECORD}]},
                "examples": {
                    "one": {"value": RECORD},
                    "several": {"value": [RECORD, {"url": "https://news.example.org/2026/ferry"}]},
                },
            },
        },
    },
    answers={"202": answer("Stored, an item a record.", PushResult, PUSHED)},
    refuses=(400, 408, 413, 415, 422),
    needs_token=True,
)


ADDRESS = "/api/v1/openapi.json"

_ANSWERS = (
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
            corrects=site.editor is not None,
            takes_articles=takes_articles,
            is_watched=is_watched,
            saved=saved,
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
    paths = reading_paths(saved)
    if corrects:
        paths |= editor()
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
