"""Signing in with a browser: the token as a cookie, and what our own forms carry.

The cookie goes with requests that come from pages of ours or from a link (SameSite=Lax), never with a form of
another site. `form_is_ours` holds where a browser knows nothing of that, and for passwords (HTTP Basic),
which browsers send along from anywhere.
"""

import hmac

from starlette.requests import Request
from starlette.responses import Response

from aggregator.store.stories.api_tokens import Token
from aggregator.web.security.middleware import BEARERS, form_value
from aggregator.web.security.token_auth import COOKIE, Bearers, Given
from aggregator.web.settings import PublishSettings

REMEMBERED_SECONDS = 90 * 86400  # a browser keeps the cookie; a token that is revoked opens nothing before
MAX_SECRET_CHARS = 200


def sign_in(request: Request, secret: str) -> Token | None:
    """The token with this secret; None for a wrong one. Asks the database: not for the event loop.

    Raises RefusedError (429) after too many wrong ones from one address within a minute.
    """
    bearers: Bearers | None = request.scope.get(BEARERS)
    if bearers is None:
        return None
    secret = secret.strip()[:MAX_SECRET_CHARS]
    bearer = bearers.bearer(Given(secret, "cookie"))
    if bearer is None:
        bearers.refuse_more(request.client.host if request.client else "")
        return None
    return bearer.token


def keep_signed_in(response: Response, secret: str, settings: PublishSettings, *, is_https: bool) -> None:
    """Have the browser send the token with its further requests; `is_https`: this one came over TLS."""
    response.set_cookie(
        COOKIE,
        secret.strip(),
        max_age=REMEMBERED_SECONDS,
        path="/",
        httponly=True,
        samesite="lax",
        secure=is_https or settings.public_url.lower().startswith("https:"),
    )


def sign_out(response: Response) -> None:
    """Have the browser forget the token."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")


def form_is_ours(request: Request, given: str) -> bool:
    """Whether a form that was posted is one that this token's holder got from us."""
    wanted = form_value(request)
    return bool(wanted) and hmac.compare_digest(wanted.encode(), given.encode("utf-8", "surrogatepass"))
