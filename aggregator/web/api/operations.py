"""The operations of the API as its description has them."""

from collections.abc import Sequence
from typing import Any

from aggregator.pipeline.placement.explain import Explanation
from aggregator.web.api import examples
from aggregator.web.api.corrections import MAX_CORRECTIONS, Merge, Move, Split
from aggregator.web.api.openapi_parts import LOCATION, answer, in_path, in_query, operation, parameter, ref
from aggregator.web.api.push import Pushed
from aggregator.web.api.routes import MAX_ADDRESS_CHARS, MAX_FOUND
from aggregator.web.article_json import OneArticleJson, SearchJson, SourcesJson
from aggregator.web.editor import Asked, CorrectionPage
from aggregator.web.filters import MAX_LIMIT, MAX_TEXT_CHARS, SAVED
from aggregator.web.health import HealthJson, ReadyJson
from aggregator.web.pagination import CURSOR_PATTERN
from aggregator.web.responses import JSON, PROBLEM_JSON, Problem
from aggregator.web.story_json import PageJson, WholeStoryJson


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


def reading(saved: Sequence[str]) -> dict[str, Any]:
    """What everybody may ask. `saved`: the names of saved queries."""
    return {
        "/api/v1/stories": {"get": _list_stories(saved)},
        "/api/v1/stories/{id}": {"get": _ONE_STORY},
        "/api/v1/articles/{id}": {"get": _ONE_ARTICLE},
        "/api/v1/search": {"get": _SEARCH},
        "/api/v1/sources": {"get": _LIST_SOURCES},
        "/healthz": {"get": _HEALTH},
    }


def watching() -> dict[str, Any]:
    """What a daemon tells of itself."""
    return {"/readyz": {"get": _READY}}


def desk() -> dict[str, Any]:
    """What the news desk does."""
    return {
        "/api/v1/explain": {"get": _EXPLAIN},
        "/api/v1/corrections": {"get": _LIST_CORRECTIONS, "post": _CORRECT},
        "/api/v1/corrections/{number}": {"delete": _undo("deleteCorrection")},
        "/api/v1/corrections/{number}/undo": {"post": _undo("undoCorrection")},
        "/api/v1/corrections/requests/{number}": {"get": _LOOK},
    }


def pushing() -> dict[str, Any]:
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
        answers={"200": answer("Stories and where to go on.", PageJson, examples.PAGE)},
    )


_ONE_STORY = operation(
    "oneStory",
    "stories",
    "One story with its merged text, timeline and disagreements",
    words="The id of a story that was merged into another leads there.",
    takes=[in_path("id", _ID)],
    answers={
        "200": answer("The story.", WholeStoryJson, examples.STORY),
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
    answers={"200": answer("The article.", OneArticleJson, examples.ARTICLE)},
    refuses=(400, 404, 410),
)
_SEARCH = operation(
    "search",
    "articles",
    "Articles that hold the words, and their stories, best first",
    takes=in_query(_SEARCHED, "query"),
    answers={"200": answer("What was found.", SearchJson, examples.FOUND)},
)
_LIST_SOURCES = operation(
    "listSources",
    "sources",
    "Where articles come from, and how each source does",
    words="Addresses and causes are for the owner.",
    answers={"200": answer("All sources, by folder and name.", SourcesJson, examples.SOURCES)},
)
_HEALTH = operation(
    "health",
    "health",
    "Whether articles can be accepted",
    answers={
        "200": answer("They can.", HealthJson, examples.HEALTH),
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
        "200": answer("They should.", ReadyJson, examples.READY),
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
    "200": answer("What came of it.", Asked, examples.DONE),
    "202": answer("The writer has not come to it yet.", Asked, examples.WAITING, location=True),
}
_LIST_CORRECTIONS = operation(
    "listCorrections",
    "corrections",
    "What persons decided, the newest first",
    takes=[
        parameter("query", "limit", _up_to(MAX_CORRECTIONS), "corrections in one answer"),
        parameter("query", "before", _NUMBER, "the `next` of the page before"),
    ],
    answers={"200": answer("Corrections.", CorrectionPage, examples.CORRECTED)},
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
                    "oneOf": [ref(kind) for kind in (Merge, Split, Move)],
                    "discriminator": {
                        "propertyName": "kind",
                        "mapping": {
                            kind.__name__.lower(): ref(kind)["$ref"] for kind in (Merge, Split, Move)
                        },
                    },
                },
                "examples": {name: {"value": value} for name, value in examples.CORRECTIONS.items()},
            }
        },
    },
    answers=_ASKED,
    refuses=(400, 408, 409, 413, 415, 422),
    needs_token=True,
)
_LOOK = operation(
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
                    "one": {"value": examples.RECORD},
                    "several": {"value": [examples.RECORD, {"url": "https://news.example.org/2026/ferry"}]},
                },
            },
        },
    },
    answers={"202": answer("Stored, an item a record.", Pushed, examples.PUSHED)},
    refuses=(400, 408, 413, 415, 422),
    needs_token=True,
)
