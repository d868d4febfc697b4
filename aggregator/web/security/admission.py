"""Decide who sends a request, and whether this client may: tokens, loopback, pages of other sites, rates."""

import secrets

from anyio import to_thread
from starlette.requests import Request, cookie_parser

from aggregator.config.hosts import is_loopback
from aggregator.publish.output_settings import PublishSettings
from aggregator.web.responses import RefusedError
from aggregator.web.security.origin import (
    CAME_BY_PROXY,
    client_address,
    is_at_this_machine,
    is_from_loopback,
    is_sent_by_another_site,
)
from aggregator.web.security.paths import (
    API,
    MONITORED,
    OPEN_PATHS,
    PROBES,
    PUSH,
    READER_API,
)
from aggregator.web.security.rate_limit import AddressLimiter
from aggregator.web.security.request_tokens import (
    BAD_READER_TOKEN,
    BEARER_CHALLENGE,
    COOKIE,
    Bearer,
    TokenPath,
    TokenStore,
    Way,
    secret_in,
)
from aggregator.web.security.visit import visit_of

# The limit for one address of another machine without a token (chosen: slow ones leave room)
REQUESTS_A_MINUTE = 300
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_BASIC_CHALLENGE = 'Basic realm="aggregator", charset="UTF-8"'


class Admission:
    """Finds out who asks, and refuses a client that may not."""

    def __init__(
        self,
        settings: PublishSettings,
        tokens: TokenStore,
        requests_a_minute: int,
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._requests = AddressLimiter(requests_a_minute)
        self._local_form = secrets.token_hex(32)

    async def let_in(self, request: Request, in_path: TokenPath | None) -> None:
        """Store in the visit of the request who sends it, and refuse clients that may not.

        Raises RefusedError, or another AggregatorError if the database does not answer.
        """
        if request.headers.get("upgrade", "").strip().lower() == "websocket":
            raise RefusedError(400, "WebSocket is not supported")
        visit = visit_of(request)
        path = request.scope["path"]
        is_by_reader = path.startswith(READER_API)
        is_form = not is_by_reader and not path.startswith(API)
        is_by_others = is_sent_by_another_site(
            request.headers, self._settings, by_form=is_form
        )
        is_named = visit.other_origin not in ("", "*")
        is_change = request.method not in _SAFE and not is_by_reader
        # A page of another site may change something only if `server.cors` names its origin and it sends a token.
        if is_by_others and is_change and not (is_named and _has_own_token(request)):
            raise RefusedError(403, "the request was sent by a page of another site")
        # A page of another site that may read the answer is not the owner on loopback: it needs a token of its own.
        needs_own_token = is_by_others and (is_by_reader or bool(visit.other_origin))
        is_local = self._settings.is_owner_on_loopback and is_at_this_machine(request)
        if is_local and not needs_own_token:
            visit.local_form = self._local_form
        visit.may_not_read = (
            not is_loopback(self._settings.host) and not visit.local_form
        )
        # Checking a token needs the database, and probes must not wait for it.
        if path not in PROBES:
            bearer = await self._bearer(request, in_path)
            # Only a token in the path has no CSRF value (`form`). The Google Reader API does not accept such a token.
            if (
                bearer is not None
                and (bearer.form or not is_by_reader)
                and (not needs_own_token or _has_own_token(request))
            ):
                visit.bearer = bearer
                visit.may_not_read &= not bearer.token.may("read")
        # Clients behind an untrusted proxy on this machine all have its address and are not counted. Any client
        # can send forwarding headers, so they do not exempt requests from other machines.
        is_counted = CAME_BY_PROXY in request.scope or not is_from_loopback(request)
        if is_counted and visit.bearer is None and path not in PROBES:
            self._requests.take(
                client_address(request), "too many requests from this address"
            )
        # The Google Reader API also reads tokens in forms, and refuses clients without a token itself.
        if visit.may_not_read and path not in OPEN_PATHS and not is_by_reader:
            if visit.bearer is None:
                if "authorization" in request.headers:
                    # A password without the prefix of a token
                    self._tokens.count_wrong(request)
                raise RefusedError(
                    401,
                    "this server requires a token: as the password with any user name, or as Bearer",
                    headers=_challenge(request, "header"),
                )
            if path != PUSH:
                name = visit.bearer.token.name
                raise RefusedError(403, f"the token {name!r} may not read")

    async def _bearer(
        self, request: Request, in_path: TokenPath | None
    ) -> Bearer | None:
        headers = request.headers
        secret = secret_in(headers.get("authorization", ""))
        way: Way = "header"
        if secret is None and in_path is not None:
            secret, way = in_path.secret, "path"
        elif secret is None:
            way = "cookie"
            secret = cookie_parser(headers.get("cookie", "")).get(COOKIE) or None
        if secret is None:
            return None
        bearer = await to_thread.run_sync(
            self._tokens.bearer, secret, way, request.scope["path"] in MONITORED
        )
        if bearer is None:
            # A browser with an old cookie is treated as signed out.
            is_cookie = visit_of(request).has_old_cookie = way == "cookie"
            self._tokens.count_wrong(request)
            if not is_cookie:
                raise RefusedError(
                    401,
                    "this token is unknown or was revoked",
                    headers=_challenge(request, way),
                )
        elif in_path is not None and way == "path":
            visit_of(request).prefix = in_path.prefix
        return bearer


def _has_own_token(request: Request) -> bool:
    """Return whether the request has a token that no browser adds by itself, as it adds a cookie or Basic.

    A token in the path does not count, because it permits only reading.
    """
    authorization = request.headers.get("authorization", "").lower()
    return authorization.startswith(("bearer ", "googlelogin "))


def _challenge(request: Request, way: Way) -> dict[str, str]:
    """Return the WWW-Authenticate header.

    Basic makes feed readers and browsers ask for a password; clients of the API receive Bearer.
    """
    path = request.scope["path"]
    if path.startswith(READER_API):
        return BAD_READER_TOKEN
    by_basic = request.headers.get("authorization", "").lower().startswith("basic")
    if path.startswith(API) and not by_basic and way == "header":
        return {"WWW-Authenticate": BEARER_CHALLENGE}
    return {"WWW-Authenticate": _BASIC_CHALLENGE}
