"""The pages that change sources: adding with a preview, renaming, pausing, removing, and lists of feeds.

They are for a token of scope admin, and for the owner on loopback, who needs no terminal to begin.
"""

import re
from functools import partial
from typing import Any
from urllib.parse import urlencode

from msgspec import UNSET
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from aggregator.config.settings import duration_as_typed
from aggregator.model.errors import FetchError, ReadError, UsageError
from aggregator.pipeline import manage_sources
from aggregator.pipeline.manage_sources import SourceOptions
from aggregator.store.intake.sources import Source
from aggregator.web.api.edit_sources import MAX_OPML_BYTES, ChangeSourceRequest, change, found, log_change
from aggregator.web.dependencies import Site
from aggregator.web.pages.editor_forms import Fields, Handler, form_is_valid, posted_form
from aggregator.web.pages.pages import Pages
from aggregator.web.security.middleware import may_change_sources

ENTRIES_SHOWN = 5  # in a preview
_ACTS = ("pause", "resume", "remove")
_NAME = re.compile(rb'\bname="([^"]{0,100})"')
_BOUNDARY = re.compile(r'boundary="?([^";,\s]{1,70})')
_MOST_PARTS = 10  # of a form
OTHERS_SHOWN = 8  # feeds that the page declares, beside the one that was found


def routes(site: Site) -> list[Route]:
    """Return the routes of the pages that change sources."""
    forms = SourceForms(site)

    def form(path: str, handler: Handler, **options: Any) -> Route:
        checked = partial(forms.checked, handler)
        return Route(
            path, posted_form(Pages(site), checked, run=site.change_sources, **options), methods=["POST"]
        )

    return [
        form("/sources/preview", forms.preview),
        form("/sources/add", forms.add),
        form("/sources/opml", forms.upload, read=uploaded, most_bytes=MAX_OPML_BYTES),
        Route("/sources/{id}", forms.edit, methods=["GET"]),
        form("/sources/{id}", forms.save),
    ]


def uploaded(request: Request, body: bytes) -> Fields:
    """Return the fields of a form with files as text. Raises UsageError if the body is not such a form."""
    if not may_change_sources(request):
        return ImmutableMultiDict()  # refused
    boundary = _BOUNDARY.search(request.headers.get("content-type", ""))
    if boundary is None:
        raise UsageError("the form is invalid; open the page again")
    mark = b"\r\n--" + boundary[1].encode("latin-1")
    pairs = []
    for part in (b"\r\n" + body).split(mark, _MOST_PARTS)[1:_MOST_PARTS]:
        head, _, data = part.partition(b"\r\n\r\n")
        if name := _NAME.search(head[:1000]):
            pairs.append((name[1].decode("latin-1"), data.decode("latin-1")))
    return ImmutableMultiDict(pairs)


class SourceForms:
    """One method per form or page."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pages = Pages(site)

    def checked(self, handler: Handler, request: Request, fields: Fields) -> Response:
        """Answer a form of this server from somebody who may change sources. Raises UsageError."""
        if not (may_change_sources(request) and form_is_valid(request, fields.get("form", ""))):
            return self._pages.problem(
                request, 403, "Not allowed", "Changing sources needs a valid form: open the page again. "
                "From another machine, sign in with a token of scope admin.",
            )  # fmt: skip
        try:
            response = handler(request, fields)
            if handler != self.preview:
                act = fields.get("act", "")
                log_change(request, act if act in _ACTS else "save")
            return response
        except (ReadError, FetchError) as error:
            raise UsageError(str(error)) from error

    def preview(self, request: Request, fields: Fields) -> Response:
        """Show the feed at an address, or of that site, before it is added. Raises UsageError, ReadError."""
        config, _, reader = self._site.source_services
        feed = manage_sources.find(config, fields.get("url", ""), reader)
        return self._pages.page(
            request,
            "source_preview.html",
            here="/sources",
            found=feed,
            entries=feed.feed.entries[:ENTRIES_SHOWN],
            others=feed.others[:OTHERS_SHOWN],
            folders=self._site.reader.folders(),
        )

    def add(self, _request: Request, fields: Fields) -> Response:
        """Add a feed. Raises UsageError, ReadError."""
        config, database, reader = self._site.source_services
        options = SourceOptions(
            name=manage_sources.given(fields.get("name", "")[:200]),
            folder=manage_sources.given(fields.get("folder", "")[:200]),
        )
        added = manage_sources.add(config, database, fields.get("url", ""), options, reader)
        return _to_sources(added=added.source.id)

    def upload(self, _request: Request, fields: Fields) -> Response:
        """Add the feeds of an OPML file. Raises UsageError, ReadError."""
        config, database, _ = self._site.source_services
        data = fields.get("file", "").encode("latin-1")
        result = manage_sources.import_feeds(config, database, data, "the file")
        return _to_sources(imported=result.added, known=result.known, refused=len(result.refused))

    def edit(self, request: Request) -> Response:
        """Return the page of one source. Raises RefusedError (404)."""
        if not may_change_sources(request):
            return RedirectResponse("/sign-in", 303)
        source = found(self._site, request.path_params["id"])
        return self._pages.page(
            request,
            "source.html",
            here="/sources",
            source=source,
            folders=self._site.reader.folders(),
            interval=_interval(source),
            saved=request.query_params.get("saved") == "1",
            is_in_file=source.origin == "config" and not source.paused,
        )

    def save(self, request: Request, fields: Fields) -> Response:
        """Change, pause, resume or remove a source. Raises UsageError, RefusedError (404)."""
        config, database, _ = self._site.source_services
        source, act = found(self._site, request.path_params["id"]), fields.get("act", "")
        if act == "remove":
            manage_sources.remove(config, database, source)
            return _to_sources(removed=1)
        if act in ("pause", "resume"):
            asked = ChangeSourceRequest(paused=act == "pause")
        else:
            name, folder = (fields.get(one, "")[:200] for one in ("name", "folder"))
            typed = fields.get("interval")
            interval = UNSET if typed is None or typed == _interval(source) else typed
            asked = ChangeSourceRequest(name=name, folder=folder, interval=interval)
        change(self._site, source, asked)
        return RedirectResponse(f"/sources/{source.id}?saved=1", 303)


def _interval(source: Source) -> str:
    """Return the interval as it is typed; "" for the configured one."""
    return duration_as_typed(source.interval_seconds) if source.has_own_interval else ""


def _to_sources(**done: str | int) -> Response:
    return RedirectResponse(f"/sources?{urlencode(done)}", 303)
