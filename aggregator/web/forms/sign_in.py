"""Signing in, with the token as a cookie, and signing out."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from aggregator.web.dependencies import ID, Site
from aggregator.web.forms.posted_form import NO_STORE, Fields, posted_form
from aggregator.web.pages.pages import Pages
from aggregator.web.pages.visitor import set_cookie
from aggregator.web.security.request_tokens import COOKIE
from aggregator.web.security.visit import sign_in

# The lifetime of the cookie; a revoked token becomes invalid at once
REMEMBERED_SECONDS = 90 * 86400


def routes(site: Site) -> list[Route]:
    """Return the routes of signing in and out."""
    pages = Pages(site)
    forms = SignInForms(site, pages)
    signed_out = posted_form(pages, forms.sign_out, may=lambda _request: True)
    return [
        Route("/sign-in", forms.ask_to_sign_in, methods=["GET"]),
        Route("/sign-in", posted_form(pages, forms.sign_in), methods=["POST"]),
        Route("/sign-out", signed_out, methods=["POST"]),
    ]


class SignInForms:
    """One method per form or page."""

    def __init__(self, site: Site, pages: Pages) -> None:
        self._site = site
        self._pages = pages

    def ask_to_sign_in(
        self,
        request: Request,
        status: int = 200,
        *,
        story: str = "",
        wrong: bool = False,
    ) -> Response:
        """Return the page that asks for the token."""
        story = story or request.query_params.get("story", "")
        response = self._pages.page(
            request, "sign_in.html", status, here="/sign-in", wrong=wrong, story=story
        )
        response.headers.update(NO_STORE)
        return response

    def sign_in(self, request: Request, fields: Fields) -> Response:
        """Set the cookie with the token. Raises RefusedError (429) after too many wrong tokens."""
        story = fields.get("story", "")
        token = fields.get("token", "")
        if sign_in(request, token) is None:
            return self.ask_to_sign_in(request, 403, wrong=True, story=story)
        address = f"/stories/{story}" if ID.fullmatch(story) else "/"
        response = RedirectResponse(address, 303)
        set_cookie(
            request,
            response,
            self._site,
            COOKIE,
            value=token,
            max_age=REMEMBERED_SECONDS,
        )
        return response

    def sign_out(self, _request: Request, _fields: Fields) -> Response:
        """Delete the cookie with the token."""
        response = RedirectResponse("/", 303)
        path = self._site.settings.base_path or "/"
        response.delete_cookie(COOKIE, path=path, httponly=True, samesite="lax")
        return response
