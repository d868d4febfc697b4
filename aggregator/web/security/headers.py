"""The headers that all responses have, and those for pages of other sites (CORS)."""

from starlette.datastructures import MutableHeaders
from starlette.requests import Request

from aggregator.publish.output_settings import PublishSettings
from aggregator.web.security.paths import FOR_PROGRAMS, READER_API
from aggregator.web.security.request_tokens import COOKIE
from aggregator.web.security.visit import is_owner, visit_of

# Scripts, styles, images and form targets of this server only; no frames, nothing inline.
_PICTURES = "img-src 'self'"
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; {_PICTURES}; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
SECURITY_HEADERS: dict[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# A response depends on the client and changes with the next article, so only browsers may store it, and they
# revalidate it at each use.
REVALIDATE = "private, no-cache"
_OTHER_ORIGINS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Max-Age": "600",
}
_ANY_ORIGIN = {
    "Access-Control-Allow-Headers": "If-None-Match",
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Expose-Headers": "ETag, Location, Retry-After",
    "Access-Control-Max-Age": "600",
}
_NAMED_ORIGIN = _ANY_ORIGIN | {
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PATCH, DELETE",
}


class ResponseHeaders:
    """Adds the headers that every response of one server has."""

    def __init__(self, settings: PublishSettings) -> None:
        self._base = settings.base_path
        self._shows_pictures = settings.images == "direct"
        self._has_origins = bool(settings.cors)
        self._common = dict(SECURITY_HEADERS)
        if not settings.index:
            self._common["X-Robots-Tag"] = "noindex, nofollow"

    def add(self, request: Request, headers: MutableHeaders) -> None:
        """Add the headers to those of the response to `request`."""
        headers.update(self._common)
        headers.setdefault("Cache-Control", REVALIDATE)
        if self._shows_pictures and is_owner(request):
            # Pictures of articles; over plain HTTP only where the page is read so.
            is_secure = request.scope["scheme"] == "https"
            sites = "https:" if is_secure else "https: http:"
            headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.replace(
                _PICTURES, f"{_PICTURES} {sites}"
            )
        path = request.scope["path"]
        origin = visit_of(request).other_origin
        if path.startswith(READER_API):
            headers.update(_OTHER_ORIGINS)
        elif origin:
            headers.update(_ANY_ORIGIN if origin == "*" else _NAMED_ORIGIN)
            headers["Access-Control-Allow-Origin"] = origin
        if self._has_origins and path.startswith(FOR_PROGRAMS):
            headers.add_vary_header("Origin")
        visit = visit_of(request)
        target = headers.get("location", "")
        if target.startswith("/") and not target.startswith("//"):
            headers["Location"] = self._base + visit.prefix + target
        cookies = headers.getlist("set-cookie")
        sets_token = any(cookie.startswith(f"{COOKIE}=") for cookie in cookies)
        if visit.has_old_cookie and not sets_token:
            headers.append(
                "Set-Cookie",
                f"{COOKIE}=; Max-Age=0; Path={self._base or '/'}; HttpOnly; SameSite=lax",
            )
