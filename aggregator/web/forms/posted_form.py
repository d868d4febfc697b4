"""Read a posted form, check that the client may send it, and answer it.

A GET never changes anything. Because of SameSite=Lax, browsers send the cookie with the token in requests from pages of
this server and from links, but never with a form that another site posts. The CSRF value of a form also protects
browsers without SameSite, and HTTP Basic, whose password browsers send with every request.
"""

import hmac
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import parse_qsl

from anyio import to_thread
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import Response

from aggregator.model.errors import FetchError, ReadError, UsageError
from aggregator.web.editor import BODY_DEADLINE_SECONDS, MAX_BODY_BYTES
from aggregator.web.pages.pages import Pages
from aggregator.web.request_body import read_body
from aggregator.web.security.visit import form_value

# A story may have 2,000 articles to select.
MAX_FIELDS = 2_100
NO_STORE = {"Cache-Control": "no-store"}
# The fields of a form; a name may have several values.
Fields = ImmutableMultiDict[str, str]
Handler = Callable[[Pages, Request, Fields], Response]


def fields_of(_request: Request, body: bytes) -> Fields:
    """Return the fields of a form. Raises UsageError if the body is not a form of this server."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS
        )
    except ValueError as error:
        raise UsageError("the form is invalid; open the page again") from error
    return ImmutableMultiDict([(name, value.strip()) for name, value in pairs])


def posted_form(
    site: Pages,
    handler: Handler,
    *,
    may: Callable[[Request], bool] | None = None,
    read: Callable[[Request, bytes], Fields] = fields_of,
    most_bytes: int = MAX_BODY_BYTES,
    run: Callable[..., Coroutine[Any, Any, Response]] = to_thread.run_sync,
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """Return an endpoint that reads a form within limits of size and time and runs `handler` in a thread.

    `may` returns whether the client may send this form, which then needs a CSRF value; None: everybody may. A
    UsageError, ReadError or FetchError becomes a page with its message.
    """

    def handle(request: Request, body: bytes) -> Response:
        try:
            fields = read(request, body)
            # The CSRF value that this server put into the forms of this token
            expected = form_value(request).encode()
            given = fields.get("form", "").encode("utf-8", "surrogatepass")
            is_valid = expected != b"" and hmac.compare_digest(expected, given)
            if may is None or (may(request) and is_valid):
                return handler(site, request, fields)
            return site.problem(
                request,
                403,
                "Not allowed",
                "The form belongs to another token, or it needs one of scope admin. Open the page again.",
            )
        except (UsageError, ReadError, FetchError) as error:
            return site.problem(request, 409, "Not possible", str(error))

    async def answer(request: Request) -> Response:
        return await run(
            handle, request, await read_body(request, most_bytes, BODY_DEADLINE_SECONDS)
        )

    return answer
