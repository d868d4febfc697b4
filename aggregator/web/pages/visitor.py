"""The visits of one browser, which need no login, in one cookie."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from aggregator.web.dependencies import Site
from aggregator.web.security.visit import prefix_of

COOKIE = "aggregator_visitor"
KEPT_SECONDS = 180 * 86400
# A visit ends after this time without a request, as in web analytics.
VISIT_GAP = timedelta(minutes=30)
# The cookie is renewed at most this often within a visit; a cookie with every response would be noise.
_NOTED_EVERY = timedelta(minutes=1)
_WRITTEN = re.compile(r"([0-9]{10})?:([0-9]{10})?", re.ASCII)


class Visitor(msgspec.Struct, frozen=True):
    """The visits of one browser: `since` is the end of the previous visit, `seen` the last request that was noted.

    Both are None before the first visit, and `since` is None during the first visit.
    """

    since: datetime | None = None
    seen: datetime | None = None

    def at(self, now: datetime) -> "Visitor":
        """Return the visitor after a request at `now`; the same object if there is nothing to note."""
        if self.seen is None or now - self.seen > VISIT_GAP:
            return replace(self, since=self.seen, seen=now)
        return replace(self, seen=now) if now - self.seen > _NOTED_EVERY else self

    def written(self) -> str:
        """Return the value of the cookie."""
        return ":".join(
            str(int(time.timestamp())) if time else ""
            for time in (self.since, self.seen)
        )


def visitor_of(request: Request) -> Visitor:
    """Return the visitor that the cookie of a request describes; a damaged cookie is ignored."""
    match = _WRITTEN.fullmatch(request.cookies.get(COOKIE, ""))
    if match is None:
        return Visitor()
    return Visitor(since=_time(match[1]), seen=_time(match[2]))


def _time(seconds: str | None) -> datetime | None:
    return datetime.fromtimestamp(int(seconds), UTC) if seconds else None


def set_cookie(
    request: Request, response: Response, site: Site, name: str, **content: Any
) -> None:
    """Set a cookie that scripts cannot read, and that browsers do not send with a form that another site posts."""
    secure = "https" in (request.url.scheme, urlsplit(site.settings.public_url).scheme)
    path = site.settings.base_path or "/"
    response.set_cookie(
        name, **content, path=path, httponly=True, samesite="lax", secure=secure
    )


def remember(
    request: Request, response: Response, before: Visitor, visitor: Visitor, site: Site
) -> None:
    """Set the cookie of a visitor that differs from `before`, unless the path has a token or the answer is an error."""
    if (
        visitor == before
        or prefix_of(request)
        or response.status_code not in (200, 304)
    ):
        return
    set_cookie(
        request, response, site, COOKIE, value=visitor.written(), max_age=KEPT_SECONDS
    )
