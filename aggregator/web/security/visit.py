"""A visit is what the guard knows about a request: who sends it, and what this client may do."""

import msgspec
from starlette.requests import Request

from aggregator.store import api_tokens
from aggregator.store.api_tokens import ApiToken
from aggregator.web.responses import RefusedError
from aggregator.web.security.request_tokens import (
    BEARER_CHALLENGE,
    Bearer,
    TokenStore,
)

# The key of the Visit in the ASGI scope
VISIT = "aggregator.visit"
_MAX_SECRET_CHARS = 200


class Visit(msgspec.Struct):
    """What the guard knows about a request; the application reads it by the functions below."""

    tokens: TokenStore
    bearer: Bearer | None = None
    prefix: str = ""  # "/t/TOKEN" if the path began with it
    # The CSRF value of the owner on loopback without a token; "" for others
    local_form: str = ""
    # The client may see open pages only, without feed links or titles of saved queries.
    may_not_read: bool = False
    # The origin of another site whose pages may read the answer because of `server.cors`; "*" for all, "" for none
    other_origin: str = ""
    # The token in the cookie was revoked or is unknown.
    has_old_cookie: bool = False
    # The response has begun.
    is_answered: bool = False


def visit_of(request: Request) -> Visit:
    """Return the findings of the guard about a request."""
    visit: Visit = request.scope[VISIT]
    return visit


def token_of(request: Request) -> ApiToken | None:
    """Return the valid token of the request; None without one."""
    bearer = visit_of(request).bearer
    return None if bearer is None else bearer.token


def sign_in(request: Request, secret: str) -> ApiToken | None:
    """Make the token with this secret the token of the request, and return it; None for a wrong secret.

    This function blocks, because it reads the database. Raises RefusedError (429) after too many wrong tokens from one
    address within a minute.
    """
    visit = visit_of(request)
    bearer = visit.tokens.bearer(secret.strip()[:_MAX_SECRET_CHARS], "cookie")
    if bearer is None:
        visit.tokens.count_wrong(request)
        return None
    visit.bearer = bearer
    return bearer.token


def form_value(request: Request) -> str:
    """Return the CSRF value for the forms of this client; "" if the client may not send forms.

    The value belongs to the token of the request, unless the path contains it, or to the owner on loopback.
    """
    visit = visit_of(request)
    return visit.local_form if visit.bearer is None else visit.bearer.form


def prefix_of(request: Request) -> str:
    """Return `/t/TOKEN` if the path began with it, else "". The prefix is secret, and only for links."""
    return visit_of(request).prefix


def is_owner(request: Request) -> bool:
    """Return whether the client is the owner, because of a token of scope read or of `is_owner_on_loopback`."""
    token = token_of(request)
    if token is not None and token.may("read"):
        return True
    return bool(visit_of(request).local_form)


def may_edit(request: Request) -> bool:
    """Return whether the client may change sources and stories on pages.

    This needs a token of scope admin, or the owner on loopback. A token in the path is never enough (see
    `TokenStore.bearer`).
    """
    token = token_of(request)
    return bool(visit_of(request).local_form) if token is None else token.may("admin")


def require_scope(request: Request, scope: api_tokens.Scope) -> ApiToken:
    """Return the token of the request. Raises RefusedError: 401 without one, 403 without the scope."""
    token = token_of(request)
    create = f"create one with `aggregator token create NAME --scope {scope}`"
    if token is None:
        raise RefusedError(
            401,
            f"this needs a token: send `Authorization: Bearer TOKEN`; {create}",
            headers={"WWW-Authenticate": BEARER_CHALLENGE},
        )
    if not token.may(scope):
        raise RefusedError(403, f"the token {token.name!r} may not do this; {create}")
    return token
