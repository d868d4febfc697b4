"""Reads the body of a response, and the target of a redirect in its headers or its page."""

import httpcore
import httpx

from aggregator.model.errors import FetchError
from aggregator.sources.fetch.connections.request_budget import RequestBudget
from aggregator.sources.fetch.connections.transport import meaning, parse_address, short
from aggregator.sources.fetch.response import refresh_address
from aggregator.sources.parse.streams.content_coding import decompress_body, is_whole

_DECODED_CAP_BYTES = 10 * 2**20  # bytes after decompression: 10 MiB (limit)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_MODIFIED = 304
_ADVICE = {
    401: "; give its source a login: `auth:`",
    403: "; the server refuses this program or this network. What helps with many: a `User-Agent` among the "
    "`headers:` of the source, `cookie:` or `proxy:` (all three also in the browser, on the page of the source), "
    "or its public page as `page:`",
}


def body_or_redirect(
    response: httpx.Response,
    sent: dict[str, str],
    budget: RequestBudget,
    wait_seconds: float | None,
) -> tuple[bytes, str]:
    """Return the body of a response, and the target of a redirect in its headers or its page; "" without a redirect.

    The body is b"" after "not modified", and for a redirect in the headers. `sent` has the headers of the request.
    `wait_seconds` is the wait that the response asks for. Raise FetchError for a status that is an error.
    """
    status = response.status_code
    # This status is an answer only to a conditional request.
    if status == _NOT_MODIFIED and (
        "If-None-Match" in sent or "If-Modified-Since" in sent
    ):
        return b"", ""
    if status in _REDIRECTS:
        # The first Location header counts.
        location = next(iter(response.headers.get_list("Location")), "").strip()
        if location:
            return b"", location
    elif not response.is_success:
        raise FetchError(
            f"http {status}",
            meaning(status) + _ADVICE.get(status, ""),
            status=status,
            retry_after_seconds=wait_seconds,
        )
    received = bytearray()
    broken = None
    try:
        for part in response.iter_raw():
            budget.left()  # raises at the deadline
            received += part
    except (httpcore.RemoteProtocolError, httpcore.ReadError) as error:
        # The connection ended early, or the length or the chunks are wrong. The document may be whole all the same.
        broken = error
    encoding = response.headers.get("content-encoding", "")
    try:
        body = decompress_body(bytes(received), encoding, _DECODED_CAP_BYTES)
    except FetchError as error:
        raise (broken or error) from error
    if broken is not None and not is_whole(body):
        raise broken
    # Browsers show the body of a redirect without a target, and it may be a feed.
    if status in _REDIRECTS and not body:
        raise FetchError("redirect", f"status {status} without a Location header")
    return body, refresh_address(body)


def redirect_target(url: httpx.URL, location: str) -> httpx.URL:
    """Return the address that a redirect from `url` leads to. Raise FetchError if it is invalid."""
    try:
        target = parse_address(str(url.join(location)))
    except FetchError as error:
        raise FetchError("redirect", error.detail) from error
    except Exception as error:
        raise FetchError(
            "redirect", f"to an invalid address: {short(location)}"
        ) from error
    return target.copy_with(fragment=None)
