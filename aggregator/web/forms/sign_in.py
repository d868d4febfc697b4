"""Signing in, with the token as a cookie, and signing out."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aggregator.web.dependencies import ID
from aggregator.web.forms.posted_form import NO_STORE, Fields
from aggregator.web.pages.pages import Pages
from aggregator.web.pages.visitor import set_cookie
from aggregator.web.security.request_tokens import COOKIE
from aggregator.web.security.visit import sign_in

# The lifetime of the cookie; a token that is revoked becomes invalid at once
REMEMBERED_SECONDS = 90 * 86400


def ask_to_sign_in(
    site: Pages,
    request: Request,
    *,
    story: str = "",
    wrong: bool = False,
) -> Response:
    """Return the page that asks for the token."""
    story = story or request.query_params.get("story", "")
    status = 403 if wrong else 200
    response = site.page(
        request, "sign_in.html", status, here="/sign-in", wrong=wrong, story=story
    )
    response.headers.update(NO_STORE)
    return response


def sign_in_by_token(site: Pages, request: Request, fields: Fields) -> Response:
    """Set the cookie with the token. Raises RefusedError (429) after too many wrong tokens."""
    story = fields.get("story", "")
    token = fields.get("token", "")
    if sign_in(request, token) is None:
        return ask_to_sign_in(site, request, wrong=True, story=story)
    address = f"/stories/{story}" if ID.fullmatch(story) else "/"
    response = RedirectResponse(address, 303)
    set_cookie(request, response, site, COOKIE, value=token, max_age=REMEMBERED_SECONDS)
    return response


def sign_out(site: Pages, _request: Request, _fields: Fields) -> Response:
    """Delete the cookie with the token."""
    response = RedirectResponse("/", 303)
    path = site.settings.base_path or "/"
    response.delete_cookie(COOKIE, path=path, httponly=True, samesite="lax")
    return response
