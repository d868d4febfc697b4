"""Routes as the OpenAPI description has them, where FastAPI cannot see it for itself."""

from typing import Any

# How a token may come.
TOKENS_BY = {
    "token": {"type": "http", "scheme": "bearer"},
    "tokenAsPassword": {"type": "http", "scheme": "basic", "description": "any name; the token as password"},
}

_TEXT = {"type": "string"}
_RECORD: dict[str, Any] = {
    "type": "object",
    "description": "At least one of title, text, html and url. Unknown keys are passed over.",
    "properties": {
        "id": _TEXT | {"description": "tells it from others of its outlet; keep it when the text changes"},
        "url": _TEXT | {"description": "its address; alone, the page there is fetched"},
        "outlet": _TEXT | {"description": "who publishes it; `source` is the same"},
        "title": _TEXT,
        "text": _TEXT | {"description": "plain text, paragraphs separated by newlines"},
        "html": _TEXT | {"description": "instead of text: a page or a piece of one"},
        "published": _TEXT | {"description": "RFC 3339, or a day; unknown where it is missing"},
        "language": _TEXT | {"description": "a BCP 47 tag; `lang` is the same"},
        "author": _TEXT,
    },
}
_EXAMPLE = {
    "id": "2026-11-20/dam",
    "url": "https://news.example.org/2026/dam",
    "outlet": "Harbour Post",
    "title": "Dam siren sounded by mistake",
    "text": "The siren of the Orrin dam sounded for ten minutes on Friday.\n"
    "Nobody was in danger, the fire service said.",
    "published": "2026-11-20T08:30:00Z",
    "language": "en",
}
_ANSWERED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "accepted": {"type": "integer"},
        "known": {"type": "integer"},
        "rejected": {"type": "integer"},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "record": {"type": "integer", "description": "place in the list, or line, from 1"},
                    "status": {"type": "string", "enum": ["accepted", "known", "rejected"]},
                    "article": {"type": ["string", "null"], "description": "the id of the article"},
                    "revision": {"type": "boolean", "description": "a new text of a known article"},
                    "reason": {"type": ["string", "null"], "description": "why it was rejected"},
                },
            },
        },
    },
}


def _problem_of(words: str) -> dict[str, Any]:
    return {"description": words, "content": {"application/problem+json": {"schema": {"type": "object"}}}}


PUSHING: dict[str, Any] = {
    "security": [{"token": []}, {"tokenAsPassword": []}],
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "any text of yours, new for each push: the same key and body again gets the same "
            "answer, with `Idempotency-Replayed: true`, and does nothing",
            "schema": _TEXT,
        }
    ],
    "requestBody": {
        "required": True,
        "description": "May come with Content-Encoding: gzip.",
        "content": {
            "application/json": {
                "schema": {"oneOf": [_RECORD, {"type": "array", "items": _RECORD}]},
                "examples": {
                    "one": {"value": _EXAMPLE},
                    "several": {"value": [_EXAMPLE, {"url": "https://news.example.org/2026/ferry"}]},
                },
            },
            "application/jsonl": {
                "schema": _TEXT,
                "examples": {"lines": {"value": '{"title": "One"}\n{"title": "Another"}\n'}},
            },
        },
    },
    "responses": {
        "202": {
            "description": "Stored, an item a record.",
            "content": {"application/json": {"schema": _ANSWERED}},
        },
        "400": _problem_of("The body is no JSON, or the key is none."),
        "401": _problem_of("No token, or one that is not in force."),
        "403": _problem_of("The token may not push."),
        "408": _problem_of("The body did not come in time."),
        "413": _problem_of("Too many bytes or records."),
        "415": _problem_of("Another Content-Type or Content-Encoding."),
        "422": _problem_of("No record can be taken (see `items`), or the key came with another body."),
        "429": _problem_of("Too many wrong tokens from this address."),
        "503": _problem_of("The database cannot be written, or too much comes at once."),
    },
}
