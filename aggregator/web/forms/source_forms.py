"""The forms that add, change and remove sources.

A token of scope admin may change sources, and so may the owner on loopback, so that a new user can
begin without a terminal.
"""

from email.parser import BytesHeaderParser
from email.policy import HTTP
from urllib.parse import urlencode

from msgspec import UNSET
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aggregator.intake.manage import adding, changing, feed_lists, feed_search
from aggregator.intake.manage.adding import SourceOptions
from aggregator.model.errors import UsageError
from aggregator.text.lines import word_list
from aggregator.web.api.source_routes import (
    ChangeSourceRequest,
    change,
    found_source,
    log_change,
)
from aggregator.web.forms.posted_form import NO_STORE, Fields
from aggregator.web.pages.pages import Pages
from aggregator.web.pages.sources_page import interval_as_typed
from aggregator.web.security.visit import may_edit

# The entries shown in a preview
ENTRIES_SHOWN = 5
_ACTS = ("pause", "resume")
_ACCESS_FIELDS = word_list("user_agent cookie headers proxy list link title date")
# The most parts of a multipart form; a form with more is refused before its parts are read
_MOST_PARTS = 10
_HEADERS = BytesHeaderParser(policy=HTTP)
# The most other feeds of the page that are shown beside the feed found
OTHERS_SHOWN = 8


def read_upload(request: Request, body: bytes) -> Fields:
    """Return the fields of a form with files, each byte as one character. Raises UsageError for any other body."""
    if not may_edit(request):
        return ImmutableMultiDict()  # `posted_form` refuses the form
    kind = request.headers.get("content-type", "").encode("ascii", "replace")
    boundary = _HEADERS.parsebytes(b"Content-Type: " + kind).get_boundary("")
    delimiter = f"\r\n--{boundary}".encode("ascii", "replace")
    parts = (b"\r\n" + body).split(delimiter, _MOST_PARTS + 2)[1:-1]
    if not (boundary and parts) or len(parts) > _MOST_PARTS:
        raise UsageError("the form is invalid; open the page again")
    pairs = []
    for part in parts:
        head, _, data = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = _HEADERS.parsebytes(head).get_param("name", "", "content-disposition")
        pairs.append((str(name), data.decode("latin-1")))
    return ImmutableMultiDict(pairs)


def preview(site: Pages, request: Request, fields: Fields) -> Response:
    """Show the feed at an address, or the feed of that site, before it is added. Raises UsageError, ReadError."""
    config, _, reader = site.sources
    feed = feed_search.find(config, fields.get("url", ""), reader, fields)
    page = site.page(
        request,
        "source_preview.html",
        here="/sources",
        found=feed,
        # A feed that needs the typed headers is added by the address that was typed with them.
        url=fields.get("url", "") if feed.asked_with.headers else feed.address,
        access={name: fields[name] for name in _ACCESS_FIELDS if fields.get(name)},
        entries=feed.feed.entries[:ENTRIES_SHOWN],
        others=feed.others[:OTHERS_SHOWN],
        folders=site.reader.folders(),
    )
    page.headers.update(NO_STORE)
    return page


def add(site: Pages, request: Request, fields: Fields) -> Response:
    """Add a feed. Raises UsageError, ReadError."""
    options = SourceOptions(
        name=adding.clean_name(fields.get("name", "")[:200]),
        folder=adding.clean_name(fields.get("folder", "")[:200]),
    )
    config, database, reader = site.sources
    added = adding.add(
        config,
        database,
        fields.get("url", ""),
        options,
        reader,
        access=fields,
    )
    log_change(request, "save")
    return _to_sources(added=added.source.id)


def upload(site: Pages, request: Request, fields: Fields) -> Response:
    """Add the feeds of an OPML file. Raises UsageError, ReadError."""
    config, database, _ = site.sources
    data = fields.get("file", "").encode("latin-1")
    result = feed_lists.import_feeds(
        config, database, data, "the file", allow_private="allow_private" in fields
    )
    log_change(request, "save")
    if result.skipped:
        return site.page(request, "imported.html", here="/sources", result=result)
    return _to_sources(
        imported=result.added, known=result.known, private=result.private
    )


def save(site: Pages, request: Request, fields: Fields) -> Response:
    """Change, pause, resume or remove a source. Raises UsageError, RefusedError (404)."""
    config, database, _ = site.sources
    source = found_source(site, request.path_params["id"])
    act = fields.get("act") or "save"  # "": the form was sent without a button
    if act == "remove":
        changing.remove(config, database, source)
        log_change(request, act)
        return _to_sources(removed=1)
    if act == "forget access":
        changing.forget_access(config, database, source)
    elif act == "save access":
        changing.change_access(config, database, source, fields)
    elif act in _ACTS:
        change(site, source, ChangeSourceRequest(paused=act == "pause"))
    elif act == "save":
        interval = fields.get("interval", interval_as_typed(source))
        change(
            site,
            source,
            ChangeSourceRequest(
                name=fields.get("name", "")[:200],
                folder=fields.get("folder", "")[:200],
                interval=UNSET if interval == interval_as_typed(source) else interval,
            ),
        )
    else:
        raise UsageError("there is no such change of a source")
    log_change(request, act)
    return RedirectResponse(f"/sources/{source.id}?saved=1", 303)


def _to_sources(**done: str | int) -> Response:
    return RedirectResponse(f"/sources?{urlencode(done)}", 303)
