"""What this server remembers for one browser, without a login: one cookie, which scripts cannot read.

It holds when the browser was here before, and the stories that it saved or hid: nothing that a page could
not do without. Its size is bounded; the oldest ids are dropped first.
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aggregator.model.errors import UsageError
from aggregator.web.dependencies import ID, Site

COOKIE = "aggregator_visitor"
KEPT_SECONDS = 180 * 86400
VISIT_GAP = dt.timedelta(minutes=30)  # without a request between two visits, as in web analytics
_NOTED_EVERY = dt.timedelta(minutes=1)  # within a visit; a cookie with every response would be noise
# Ids have 16 characters: both lists fit into the 4,096 bytes that browsers accept (RFC 6265).
MOST_SAVED = 80
MOST_HIDDEN = 120
_WRITTEN = re.compile(r"([0-9]{10})?:([0-9]{10})?:([^:]*):([^:]*)", re.ASCII)
_BACK = re.compile(r"/(stories/[0-9A-Za-z_-]{1,40})?(\?[!-~]{0,2000})?", re.ASCII)


class Visitor(msgspec.Struct, frozen=True):
    """`since`: the end of the visit before this one; None on the first one. Ids: the newest first."""

    since: dt.datetime | None = None
    seen: dt.datetime | None = None
    saved: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()

    def at(self, now: dt.datetime) -> "Visitor":
        """Return the visitor after a request; the same object if there is nothing to note."""
        if self.seen is None or now - self.seen > VISIT_GAP:
            return msgspec.structs.replace(self, since=self.seen, seen=now)
        return msgspec.structs.replace(self, seen=now) if now - self.seen > _NOTED_EVERY else self

    def after(self, act: str, story: str) -> "Visitor":
        """Return the visitor after one act on a story. Raises UsageError for an unknown one."""
        saved, hidden = (tuple(id_ for id_ in ids if id_ != story) for ids in (self.saved, self.hidden))
        if act == "save":
            saved = (story, *saved)[:MOST_SAVED]
        elif act == "hide":
            hidden = (story, *hidden)[:MOST_HIDDEN]
        elif act not in ("unsave", "unhide"):
            raise UsageError("the form is invalid; open the page again")
        # Saving leaves what is hidden as it is, and the other way round.
        kept = {"saved": saved} if act in ("save", "unsave") else {"hidden": hidden}
        return msgspec.structs.replace(self, **kept)

    def written(self) -> str:
        """Return the value of the cookie."""
        times = (str(int(time.timestamp())) if time else "" for time in (self.since, self.seen))
        return ":".join((*times, ".".join(self.saved), ".".join(self.hidden)))


def visitor_of(request: Request) -> Visitor:
    """Return what the cookie of a request says; a damaged one says nothing."""
    found = _WRITTEN.fullmatch(request.cookies.get(COOKIE, "")[:4096])
    if found is None:
        return Visitor()
    since, seen = (
        dt.datetime.fromtimestamp(int(part), dt.UTC) if part else None for part in found.groups()[:2]
    )
    saved, hidden = (
        tuple(id_ for id_ in part.split(".") if ID.fullmatch(id_)) for part in found.groups()[2:]
    )
    return Visitor(since, seen, saved[:MOST_SAVED], hidden[:MOST_HIDDEN])


def set_cookie(request: Request, response: Response, site: Site, name: str, **content: Any) -> None:
    """Set a cookie that scripts cannot read and forms of other sites do not send."""
    secure = "https" in (request.url.scheme, urlsplit(site.settings.public_url).scheme)
    response.set_cookie(name, **content, httponly=True, samesite="lax", secure=secure)


def remember(request: Request, response: Response, visitor: Visitor, site: Site) -> None:
    """Set the cookie of a visitor."""
    set_cookie(request, response, site, COOKIE, value=visitor.written(), max_age=KEPT_SECONDS)


def keep(site: Site, request: Request, fields: Mapping[str, str]) -> Response:
    """Save or hide a story, or take that back, and return to the page of the form. Raises UsageError.

    A page of another site cannot send this form (`RequestGuard`), and it changes this browser's cookie only.
    Over plain HTTP a browser may name no site; then it must send the cookie, as it does not for another site.
    """
    sites = (request.headers.get("sec-fetch-site"), request.headers.get("origin"))
    if sites == (None, "null") and COOKIE not in request.cookies:
        raise UsageError("open the front page first; this browser has to accept its cookie")
    act = next((name for name in ("save", "unsave", "hide", "unhide") if fields.get(name)), "")
    story = fields.get(act, "")
    if not ID.fullmatch(story):
        raise UsageError("the form is invalid; open the page again")
    back = fields.get("back", "")
    place = f"#s-{story}" if act in ("save", "unsave") and not back.startswith("/stories/") else ""
    response = RedirectResponse((back if _BACK.fullmatch(back) else "/") + place, 303)
    remember(request, response, visitor_of(request).after(act, story), site)
    return response
