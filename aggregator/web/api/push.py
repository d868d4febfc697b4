"""`POST /api/v1/articles`: pushed articles.

HTML in records is not parsed here but by the workers. A record is the same article whether it is pushed or
read from a file, so its source is its outlet, else the name of the token.
"""

import logging
from typing import Annotated

from anyio import to_thread
from fastapi import Request, Response

from aggregator.model.errors import FetchError, NotWritableError
from aggregator.publish.sanitise import encode_json
from aggregator.sources.parse.streams.content_coding import decompress_body
from aggregator.text.lines import word_list
from aggregator.web.api.openapi import DESCRIPTIONS, answer, api_router, describe_route
from aggregator.web.api.push_endpoint import RECORD_SCHEMA, PushEndpoint, PushResult
from aggregator.web.dependencies import of_app
from aggregator.web.request_body import media_type, read_body, too_large
from aggregator.web.responses import JSON, RefusedError, too_many
from aggregator.web.security.visit import require_scope

# The largest body of one request, before and after unpacking (limit)
_MAX_BODY_BYTES = 2**20
PATH = "/api/v1/articles"
_JSONL_TYPES = word_list("""
    application/jsonl application/x-jsonl application/jsonlines application/x-jsonlines application/ndjson
    application/x-ndjson
""")
router = api_router()
log = logging.getLogger(__name__)


@router.post(
    PATH,
    **describe_route(
        "articles",
        {202: answer(PushResult)},
        *(400, 408, 413, 415, 422),
        # A list is accepted for its valid records; each invalid one is rejected on its own.
        body={
            "schema": {
                "oneOf": [
                    RECORD_SCHEMA,
                    {"type": "array", "items": {}, "contains": RECORD_SCHEMA},
                ]
            },
            "examples": DESCRIPTIONS["push_examples"],
        },
        needs_token=True,
    ),
)
async def push_articles(
    request: Request, pushes: Annotated[PushEndpoint, of_app("pushes")]
) -> Response:
    """Push articles: one record, a list of records, or one record per line (JSONL).

    202: every record that is not rejected is stored permanently and is placed within moments.

    A repeated article is `known` and changes nothing; with another text it is accepted as a revision. The
    body may have one record per line (Content-Type: application/jsonl), and may be compressed
    (Content-Encoding: gzip).
    """
    token = require_scope(request, "push")
    # A page of another site can send forms and plain text without a CORS preflight, and the browser would add
    # stored HTTP Basic credentials; therefore these types are refused.
    kind = media_type(request)
    if kind != JSON and kind not in _JSONL_TYPES:
        raise RefusedError(
            415,
            "send Content-Type: application/json, or application/jsonl for one record per line",
        )
    if pushes.under_way.available_tokens < 1:
        raise too_many("pushes")
    async with pushes.under_way:
        body = await read_body(request, _MAX_BODY_BYTES, pushes.deadline_seconds)

        def store() -> PushResult:
            return pushes.take(token, _decode(request, body), lines=kind != JSON)

        try:
            pushed = await to_thread.run_sync(store, limiter=pushes.writing)
        except NotWritableError as error:
            # The client sees no cause: the message may contain names of files.
            log.error(  # noqa: TRY400
                "a push was not stored: %s", error, extra={"event": "request_failed"}
            )
            raise
    return Response(encode_json(pushed), 202, media_type=JSON)


def _decode(request: Request, body: bytes) -> bytes:
    """Return the body without its Content-Encoding (gzip), within the same size limit."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise RefusedError(
            415, "send the body uncompressed, or with Content-Encoding: gzip"
        )
    try:
        return decompress_body(body, encoding, _MAX_BODY_BYTES, is_strict=True)
    except FetchError as error:
        if error.cause == "too_large":
            raise too_large(_MAX_BODY_BYTES) from error
        raise RefusedError(
            400, "the compressed body is damaged or incomplete"
        ) from error
