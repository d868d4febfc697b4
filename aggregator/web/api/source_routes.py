"""`/api/v1/sources` and `/api/v1/folders`: the list of sources, their changes, and lists of feeds (OPML).

Every change needs a token with the scope admin. Fetches and writes run in a few threads of their own.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Query, Request, Response
from msgspec import UNSET, Meta, UnsetType
from pydantic import Field

from aggregator.config.story_query import QueryModel
from aggregator.config.values import LONGEST_INTERVAL_DAYS
from aggregator.intake.manage import adding, changing, feed_lists
from aggregator.intake.manage.adding import SourceOptions
from aggregator.intake.manage.feed_lists import OpmlImportResult
from aggregator.model.errors import ConflictError, FetchError, ReadError, UsageError
from aggregator.model.read_model import SourcePage, SourceView
from aggregator.model.structs import FrozenStruct
from aggregator.publish import story_json
from aggregator.publish.excerpts.single_articles import (
    hide_source_secrets,
    load_sources,
)
from aggregator.store.intake.source_rows import Source, source_with_id
from aggregator.web.api.openapi import (
    IdInPath,
    answer,
    api_router,
    describe_route,
    schema_of,
)
from aggregator.web.dependencies import ID, OfSite, Site, hashed_json, run_in
from aggregator.web.editor import BODY_DEADLINE_SECONDS, MAX_BODY_BYTES
from aggregator.web.request_body import json_body, read_body
from aggregator.web.responses import JsonResponse, RefusedError
from aggregator.web.security.visit import is_owner, require_scope, token_of

MAX_OPML_BYTES = 2 * 2**20  # about 10,000 feeds
OPML = "text/x-opml"

Text = Annotated[str, Meta(max_length=200)]
Interval = Annotated[
    str,
    Meta(
        pattern="^[0-9]{1,6}[smhd]$",
        description=f"at most {LONGEST_INTERVAL_DAYS}d; 0s is the interval of config.yaml",
        # The same limit as a pattern, for programs that check values; a longer interval is refused with a message.
        extra_json_schema={
            "pattern": "^([0-9]{1,6}s|([0-9]{1,5}|[1-4][0-9]{5}|5[01][0-9]{4}|52[0-4][0-9]{3}|525[0-5][0-9]{2}|525600)m"
            "|([0-9]{1,3}|[1-7][0-9]{3}|8[0-6][0-9]{2}|87[0-5][0-9]|8760)h|([0-9]{1,2}|[12][0-9]{2}|3[0-5][0-9]|36[0-5])d)$"
        },
    ),
]


class AddSourceRequest(FrozenStruct, forbid_unknown_fields=True):
    """A feed, or a site whose feed is looked for; `interval` is written as `15m`, `6h` or `2d`."""

    url: Annotated[str, Meta(min_length=1, max_length=2048)]
    name: Text = ""
    folder: Text = ""
    interval: Interval | None = None


class ChangeSourceRequest(FrozenStruct, forbid_unknown_fields=True):
    """The changes to a source; null removes its name or folder."""

    name: Text | UnsetType | None = UNSET
    folder: Text | UnsetType | None = UNSET
    interval: Interval | UnsetType = UNSET
    paused: bool | UnsetType = UNSET


log = logging.getLogger(__name__)
router = api_router("/api/v1")
editing = api_router("/api/v1/sources")
_ERRORS = (400, 408, 409, 413, 415, 422)
_described = partial(describe_route, "sources", needs_token=True)


SOURCES_AN_ANSWER = 100
# The most sources in one response
MAX_SOURCES = 500


class SourcesQuery(QueryModel):
    """The parameters of a list of sources."""

    limit: int = Field(
        SOURCES_AN_ANSWER,
        ge=1,
        le=MAX_SOURCES,
        description="the maximum number of sources in one response",
    )
    after: str = Field(
        "",
        json_schema_extra={"pattern": "^([0-9a-f]{2}){0,400}$"},
        description="the `next` of the previous page, unchanged",
    )


@router.get(
    "/sources",
    **describe_route("sources", SourcePage, 400),
)
def list_sources(
    request: Request, site: OfSite, asked: Annotated[SourcesQuery, Query()]
) -> Response:
    """The sources and their health, by folder and name.

    One page of a list; `next` is the cursor of the following page. `url` and `problem` are for the owner.
    """
    return hashed_json(
        request,
        load_sources(site.reader, site.access(request), asked.limit, after=asked.after),
    )


@router.get("/folders", **describe_route("sources", story_json.FoldersJson))
def list_folders(request: Request, site: OfSite) -> Response:
    """The folders of sources, sorted; each is a value of the parameter `folder`."""
    return hashed_json(request, story_json.FoldersJson(folders=site.reader.folders()))


@editing.post(
    "",
    **_described(
        {201: answer(SourceView)},
        *_ERRORS,
        body={
            "schema": schema_of(AddSourceRequest),
            "example": {
                "url": "https://news.example.org/",
                "folder": "Ports",
                "interval": "30m",
            },
        },
    ),
)
async def add_source(request: Request, site: OfSite) -> Response:
    """Add the feed at an address, or the feed of that site.

    The search for it may last a minute.

    409: it is a source already; 422: no feed was found, or it cannot be read, with the reason.
    """

    def work(body: bytes) -> Response:
        asked = json_body(request, body, AddSourceRequest, "a source")
        options = SourceOptions(
            name=adding.clean_name(asked.name),
            folder=adding.clean_name(asked.folder),
            interval_seconds=adding.interval_of(asked.interval or ""),
        )
        config, database, reader = site.sources
        added = adding.add(config, database, asked.url, options, reader)
        return _show(request, site, added.source.id, 201)

    return await _answer_done(request, site, work, limiter=site.searching)


@editing.patch(
    "/{id}",
    **_described(
        SourceView,
        *(*_ERRORS, 404),
        body={
            "schema": schema_of(ChangeSourceRequest),
            "example": {"name": "Courier", "paused": False},
        },
    ),
)
async def change_source(request: Request, site: OfSite, id: IdInPath) -> Response:
    """Rename a source, move it to a folder, change its interval, pause or resume it.

    `"paused": false` polls it at once, also one that is gone or in back-off.

    409: it is listed in config.yaml.
    """

    def work(body: bytes) -> Response:
        asked = json_body(request, body, ChangeSourceRequest, "a change of a source")
        change(site, found_source(site, id), asked)
        return _show(request, site, id)

    return await _answer_done(request, site, work)


@editing.delete(
    "/{id}", **_described({204: {"description": "It is removed."}}, *_ERRORS, 404)
)
async def remove_source(request: Request, site: OfSite, id: IdInPath) -> Response:
    """Remove a source; its articles stay.

    409: it is listed in config.yaml.
    """

    def work(_body: bytes) -> Response:
        config, database, _ = site.sources
        changing.remove(config, database, found_source(site, id))
        return Response(status_code=204)

    return await _answer_done(request, site, work)


@editing.post(
    "/opml",
    **_described(
        OpmlImportResult,
        *_ERRORS,
        body={"schema": {"type": "string", "format": "binary"}},
        # Client generators know no other type for files; the server accepts any.
        body_type="application/octet-stream",
    ),
)
async def import_opml(request: Request, site: OfSite) -> Response:
    """Add all feeds of an OPML document, with its folders.

    The Content-Type may also be text/x-opml.

    Feeds that are sources already stay unchanged, except that those without a folder get that of the
    document. `refused` are feeds of this program itself, or with a user name or password in the address.
    """

    def work(body: bytes) -> Response:
        config, database, _ = site.sources
        return JsonResponse(
            feed_lists.import_feeds(config, database, body, "the document")
        )

    return await _answer_done(request, site, work, MAX_OPML_BYTES)


@editing.get(
    "/opml",
    response_class=Response,  # no JSON
    # The owner on loopback needs no token.
    **describe_route(
        "sources", {200: {"description": "An OPML document", "content": {OPML: {}}}}
    ),
)
def export_opml(request: Request, site: OfSite) -> Response:
    """All feeds as OPML, with their whole addresses; for a token of scope admin, and this machine."""
    if not is_owner(request) or token_of(request) is not None:
        require_scope(request, "admin")
    config, database, _ = site.sources
    return Response(
        feed_lists.export_opml(config, database),
        media_type=OPML,
        headers={"Content-Disposition": 'attachment; filename="sources.opml"'},
    )


def log_change(request: Request, act: str = "") -> None:
    """Log who changed sources: the name of a token, or the owner on loopback."""
    token = token_of(request)
    log.info(
        "sources were changed by %s: %s %s",
        "the owner" if token is None else f"the token {token.name!r}",
        act or request.method.lower(),
        request.url.path,
        extra={"event": "source_changed"},
    )


def found_source(site: Site, id_: str) -> Source:
    """Return the source with this id. Raises RefusedError (404)."""
    with site.sources.database.read() as connection:
        source = source_with_id(connection, id_) if ID.fullmatch(id_) else None
    if source is None:
        raise RefusedError(404, "there is no source with this id")
    return source


def change(site: Site, source: Source, asked: ChangeSourceRequest) -> None:
    """Change a source. Raises ConflictError for one of config.yaml, UsageError for an invalid value."""
    config, database, _ = site.sources
    chosen: dict[str, str | int | None] = {}
    for name, text in (("name", asked.name), ("folder", asked.folder)):
        if text is not UNSET:
            chosen[name] = adding.clean_name(text or "")
    if asked.interval is not UNSET:
        seconds = adding.interval_of(asked.interval)
        chosen["has_own_interval"] = seconds is not None
        if seconds is None:
            seconds = config.fetch.interval
        chosen["interval_seconds"] = seconds
    if chosen:
        changing.change(config, database, source, **chosen)
    if asked.paused is True:
        changing.pause(config, database, source)
    elif asked.paused is False:
        changing.resume(database, source)


async def _answer_done(
    request: Request,
    site: Site,
    work: Callable[[bytes], Response],
    most_bytes: int = MAX_BODY_BYTES,
    limiter: CapacityLimiter | None = None,
) -> Response:
    require_scope(request, "admin")
    body = await read_body(request, most_bytes, BODY_DEADLINE_SECONDS)
    response = await run_in(limiter or site.changing, _in_words, work, body)
    log_change(request)
    return response


def _in_words(work: Callable[[bytes], Response], body: bytes) -> Response:
    try:
        return work(body)
    except ConflictError as error:
        raise RefusedError(409, str(error)) from error
    except (UsageError, ReadError, FetchError) as error:
        raise RefusedError(422, str(error)) from error


def _show(request: Request, site: Site, id_: str, status: int = 200) -> Response:
    source = site.reader.source(id_)
    if source is None:
        raise RefusedError(404, "the source was removed meanwhile")
    return JsonResponse(hide_source_secrets(source, site.access(request)), status)
