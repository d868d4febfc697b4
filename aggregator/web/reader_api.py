"""The Google Reader API, as FreshRSS and Miniflux serve it: `/accounts/ClientLogin`, `/reader/api/0/...`.

A client signs in with the name of a reader and a token as password, and gets `NAME/TOKEN` as `Auth`. It sends
that in every request as `Authorization: GoogleLogin auth=...`, which RequestGuard checks like other tokens.
Browsers never send this header by themselves, so a page of another site cannot act for a reader, and `T` is
not needed. Calls that change subscriptions need a token of scope admin.

A client files an item under the one subscription that `origin` names. So each source is a subscription, with
the stories that it founded, and STORIES has all others: a story seldom changes its subscription. The label of
a folder has every story with an article of that folder. Folders and saved queries come before the labels that
the reader gives to stories: such a name is refused, and a label with it is not shown.
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote

from anyio import to_thread
from msgspec import UNSET
from msgspec.structs import replace
from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aggregator.config.publish_settings import SavedQuery
from aggregator.intake import manage_sources
from aggregator.intake.manage_sources import SourceOptions
from aggregator.model.errors import FetchError, ReadError, UsageError
from aggregator.model.read_model import SourceView, StoryFilter
from aggregator.store.api_tokens import TOKEN_PREFIX
from aggregator.store.read.marks.mark_rows import Reader, ReaderItem
from aggregator.store.read.marks.read_marks import (
    OWNER,
    ReadMarks,
    label_name,
    reader_name,
)
from aggregator.store.read.marks.story_streams import StoryStream
from aggregator.web.api.edit_sources import (
    ChangeSourceRequest,
    change,
    found,
    log_change,
)
from aggregator.web.dependencies import ID, Site, run_in
from aggregator.web.excerpts import bounded_source
from aggregator.web.feeds.formats import Item, mime_type
from aggregator.web.feeds.items import story_items, with_whole_articles
from aggregator.web.filters import whole_number
from aggregator.web.pages.forms import NO_STORE
from aggregator.web.responses import JsonResponse, RefusedError
from aggregator.web.security.middleware import (
    BAD_READER_TOKEN,
    is_owner,
    read_body,
    require_scope,
    sign_in,
)
from aggregator.web.security.token_auth import reader_of

_FEED = "feed/"
STORIES = f"{_FEED}stories"
READING_LIST = "user/-/state/com.google/reading-list"
READ = "user/-/state/com.google/read"
STARRED = "user/-/state/com.google/starred"
_LABEL = "user/-/label/"
_LONG_ID = "tag:google.com,2005:reader/item/"
MOST_COUNTED = 1000  # unread stories; clients show "1000+"
_USER = re.compile(r"^user/[^/]+/")
_SHORT_ID = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_HEX_DIGITS = 16  # of a long id
_HEX = re.compile(rf"[0-9a-fA-F]{{1,{_HEX_DIGITS}}}", re.ASCII)

_MAX_SIGN_IN_BYTES = 4096
_MAX_BODY_BYTES = 2**20  # (limit) ids of the longer form take about 50 bytes each
_BODY_SECONDS = 10.0
MOST_IDS = 10_000  # in one request or response
MOST_CONTENTS = 250  # items with texts in one response of a stream
_USUAL_ITEMS = 20  # without `n`, as Google Reader
_MOST_ADDRESS_CHARS = 2048  # as in the API of sources
_MOST_NAME_CHARS = 200
_NO_TOKEN = "-"  # noqa: S105 - in the place of a token, for the owner on this machine
_EDIT_TOKEN = "0" * 57  # as long as those of Google Reader were

Fields = ImmutableMultiDict[str, str]  # of the query and of the form

Json = dict[str, Any]


def item_number(text: str) -> int | None:
    """Return the number in an id: decimal, or hexadecimal after `tag:google.com,2005:reader/item/`.

    16 digits are hexadecimal without it, too: FeedFlow sends them so.
    """
    last = text.removeprefix(_LONG_ID)
    if (last != text or len(text) == _HEX_DIGITS) and _HEX.fullmatch(last):
        number = int(last, 16)
    elif _SHORT_ID.fullmatch(text):
        number = int(text)
    else:
        return None
    return number if 0 < number < 2**63 else None


def subscription(source: str) -> str:
    """Return the id of the subscription of a source; "" is that of all other stories."""
    return f"{_FEED}{source}" if source else STORIES


class Session:
    """One request of a reader: the streams as this reader has them, and a method for each call."""

    def __init__(
        self, site: Site, marks: ReadMarks, who: Reader, request: Request
    ) -> None:
        self._site = site
        self._marks = marks
        self._who = who
        self._request = request
        self._access = site.access(request)
        self._folders = site.reader.folders()
        self._mutes = site.mutes(request)

    def named(self, name: str) -> StoryStream:
        """Return the stream with this id. Raises HTTPException (404)."""
        name = _USER.sub("user/-/", name)
        states = {
            READING_LIST: StoryStream(),
            READ: StoryStream(is_read=True),
            STARRED: StoryStream(is_starred=True),
            STORIES: StoryStream(founded_by=""),
        }
        if name in states:
            return states[name]
        if sources := self._sources(
            [name.removeprefix(_FEED)] if name.startswith(_FEED) else []
        ):
            return StoryStream(
                wanted=StoryFilter(folder=sources[0].folder), founded_by=sources[0].id
            )
        for folder in self._folders:
            if name == _LABEL + folder:
                return StoryStream(wanted=StoryFilter(folder=folder))
        for query in self._queries():
            if name == _LABEL + query.name:
                return StoryStream(wanted=self._filter(query))
        label = name.removeprefix(_LABEL)
        if name.startswith(_LABEL) and label in self._marks.labels(self._who):
            return StoryStream(label=label)
        raise HTTPException(404, "there is no such stream")

    def _without_muted(self, stream: StoryStream) -> StoryStream:
        return replace(stream, wanted=replace(stream.wanted, mutes=self._mutes))

    def _sources(self, ids: Collection[str] | None = None) -> list[SourceView]:
        """Return the sources with these ids, or all, as this client may see them."""
        known = None if ids is None else [one for one in ids if ID.fullmatch(one)]
        return [bounded_source(one, self._access) for one in self._marks.sources(known)]

    def _queries(self) -> list[SavedQuery]:
        """Return the saved queries that are labels: those that are not called as a folder."""
        return [
            one for one in self._site.settings.queries if one.name not in self._folders
        ]

    def _shown(self, labels: Iterable[str]) -> list[str]:
        """Return the streams of those labels of the reader that no folder and no saved query hides."""
        names = {*self._folders, *(query.name for query in self._queries())}
        return [_LABEL + label for label in sorted(labels) if label not in names]

    def _own_label(self, tag: str) -> str:
        """Return the name of a label that the reader may give. Raises UsageError."""
        name = label_name(_USER.sub("user/-/", tag).removeprefix(_LABEL))
        if name in self._folders:
            raise UsageError(
                f'"{name}" is a folder of sources; choose another name for a label'
            )
        if any(query.name == name for query in self._queries()):
            raise UsageError(
                f'"{name}" is a saved query; choose another name for a label'
            )
        return name

    def _filter(self, query: SavedQuery) -> StoryFilter:
        return query.story_filter(self._site.clock(), 1)

    # --- lists ---------------------------------------------------------------------------------------------

    def tags(self, _fields: Fields) -> Json:
        """Return the labels: folders, and as tags saved queries and what the reader gave to stories."""
        folders = [{"id": _LABEL + one, "type": "folder"} for one in self._folders]
        queries = [{"id": _LABEL + one.name, "type": "tag"} for one in self._queries()]
        labels = [
            {"id": one, "type": "tag"}
            for one in self._shown(self._marks.labels(self._who))
        ]
        return {"tags": [{"id": STARRED}, *folders, *queries, *labels]}

    def subscriptions(self, _fields: Fields) -> Json:
        """Return the subscriptions, that of stories without a source last."""
        rest = SourceView(id="", name=self._site.settings.title)
        return {
            "subscriptions": [
                self._subscription(one) for one in (*self._sources(), rest)
            ]
        }

    def _subscription(self, source: SourceView) -> Json:
        base, folder = self._site.settings.base_url, source.folder
        return {
            "id": subscription(source.id),
            "title": source.name,
            "categories": [{"id": _LABEL + folder, "label": folder, "type": "folder"}]
            if folder
            else [],
            "url": source.url or f"{base}/feeds/stories.rss",
            "htmlUrl": source.site_url or f"{base}/",
            "iconUrl": "",
        }

    def unread_counts(self, _fields: Fields) -> Json:
        """Return the numbers of unread stories by stream, among the newest MOST_COUNTED ones."""
        unread = self._without_muted(StoryStream(is_read=False))
        items, _ = self._marks.items(self._who, unread, MOST_COUNTED)
        counts: Counter[str] = Counter()
        newest: dict[str, int] = {}
        named = self._streams_of(items)
        for item in items:
            for stream in (READING_LIST, *named[item.story]):
                counts[stream] += 1
                newest.setdefault(stream, microseconds(item.updated))
        return {
            "max": MOST_COUNTED,
            "unreadcounts": [
                {
                    "id": stream,
                    "count": count,
                    "newestItemTimestampUsec": str(newest[stream]),
                }
                for stream, count in counts.items()
            ],
        }

    def _streams_of(self, items: Sequence[ReaderItem]) -> dict[str, list[str]]:
        """Return the subscription of each story, then its labels."""
        ids = {one.story for one in items}
        founded, folders = self._marks.folders(ids)
        streams = {
            id_: [
                subscription(founded[id_]),
                *(_LABEL + one for one in sorted(folders[id_])),
            ]
            for id_ in ids
        }
        for query in self._queries() if ids else ():
            for id_ in self._marks.matching(self._filter(query), ids):
                streams[id_].append(_LABEL + query.name)
        for item in items:
            if item.labels:
                streams[item.story] += self._shown(item.labels)
        return streams

    # --- items ---------------------------------------------------------------------------------------------

    def _written(self, items: Sequence[ReaderItem]) -> list[Json]:
        """Return items with their texts: whole, or as in feeds, which keep to the excerpt limit."""
        reader, settings, is_whole = (
            self._site.reader,
            self._site.settings,
            self._access == "owner",
        )
        stories = reader.with_links(
            reader.stories_by_id(tuple(one.story for one in items))
        )
        if is_whole:
            stories = with_whole_articles(reader, stories)
        rendered = reader.rendered(tuple(one.id for one in stories))
        by_story = {one.story: one for one in items}
        named = self._streams_of(items)
        sources = self._sources(
            {origin.removeprefix(_FEED) for origin, *_ in named.values()}
        )
        titles = {STORIES: settings.title} | {
            subscription(one.id): one.name for one in sources
        }
        answers = []
        entries = story_items(stories, rendered, settings, are_whole=is_whole)
        for story, entry in zip(stories, entries, strict=True):
            item, (origin, *labels) = by_story[story.id], named[story.id]
            states = [
                READING_LIST,
                *[READ] * item.is_read,
                *[STARRED] * item.is_starred,
            ]
            stamp = microseconds(item.updated)
            answers.append(
                {
                    "id": f"{_LONG_ID}{item.number:016x}",
                    "crawlTimeMsec": str(stamp // 1000),
                    "timestampUsec": str(stamp),
                    # Of the bump, by which clients sort
                    "published": stamp // 1_000_000,
                    "updated": stamp // 1_000_000,
                    "title": entry.title,
                    "author": ", ".join(entry.authors),
                    "canonical": [{"href": entry.url}],
                    "alternate": [{"href": entry.url, "type": "text/html"}],
                    "summary": {"direction": "ltr", "content": entry.html},
                    "categories": [*states, *labels],
                    "enclosure": _enclosures(entry) if story.report_count == 1 else [],
                    "origin": {
                        "streamId": origin,
                        "title": titles.get(origin, ""),
                        "htmlUrl": f"{settings.base_url}/",
                    },
                }
            )
        return answers

    # --- calls ---------------------------------------------------------------------------------------------

    def token(self, _fields: Fields) -> str:
        """Return the value of `T`, which clients send back."""
        return _EDIT_TOKEN

    def user_info(self, _fields: Fields) -> Json:
        """Return who asks."""
        number, name = str(self._who.reader_no), self._who.name
        return {
            "userId": number,
            "userName": name,
            "userProfileId": number,
            "userEmail": "",
        }

    def item_ids(self, fields: Fields) -> Json:
        """Return the ids of the items of a stream."""
        common, items = self._page(fields, MOST_IDS)
        ids = [
            {"id": str(one.number), "timestampUsec": str(microseconds(one.updated))}
            for one in items
        ]
        return common | {"itemRefs": ids}

    def contents(self, fields: Fields) -> Json:
        """Return the items of a stream."""
        common, items = self._page(fields, MOST_CONTENTS)
        return common | {"items": self._written(items)}

    def item_contents(self, fields: Fields) -> Json:
        """Return the items that the client names."""
        items = self._marks.items_with(self._who, _numbers(fields)[:1000])
        now = int(self._site.clock().timestamp())
        return {"id": READING_LIST, "updated": now, "items": self._written(items)}

    def edit_tag(self, fields: Fields) -> str:
        """Mark items as read or starred, label them, or take that back. Raises UsageError."""
        changes: dict[str, bool] = {}
        labels: dict[str, bool] = {}
        for key, is_added in (("a", True), ("r", False)):
            for tag in fields.getlist(key):
                if _USER.sub("user/-/", tag).startswith(_LABEL):
                    labels[self._own_label(tag)] = is_added
                match tag.rpartition("/state/com.google/")[2]:
                    case "read":
                        changes["read"] = is_added
                    case "kept-unread":
                        changes["read"] = not is_added
                    case "starred":
                        changes["starred"] = is_added
        if changes or labels:
            self._marks.edit(self._who, _numbers(fields), labels=labels, **changes)
        return "OK"

    def rename_tag(self, fields: Fields) -> str:
        """Rename a label of the reader. Raises UsageError, HTTPException (404)."""
        self._marks.rename_label(
            self._who, self._given_label(fields), self._own_label(_one(fields, "dest"))
        )
        return "OK"

    def disable_tag(self, fields: Fields) -> str:
        """Take a label of the reader off all stories. Raises UsageError, HTTPException (404)."""
        self._marks.rename_label(self._who, self._given_label(fields), None)
        return "OK"

    def _given_label(self, fields: Fields) -> str:
        label = self._own_label(_one(fields, "s"))
        if label not in self._marks.labels(self._who):
            raise HTTPException(404, "there is no such label")
        return label

    def preferences(self, _fields: Fields) -> Json:
        """Return the settings of the reader, of which none is kept here."""
        return {"prefs": []}

    def stream_preferences(self, _fields: Fields) -> Json:
        """Return the settings of each stream, such as its order, of which none is kept here."""
        return {"streamprefs": {}}

    def mark_all_as_read(self, fields: Fields) -> str:
        """Mark the items of a stream as read. Raises UsageError for a `ts` that is no time."""
        given = fields.get("ts", "")
        until = moment(given) if given else self._site.clock()
        if until is None:
            raise UsageError(
                "`ts` is a time in seconds since 1970, or with 16 digits in microseconds"
            )
        self._marks.mark_all_read(
            self._who, self.named(fields.get("s", READING_LIST)), until
        )
        return "OK"

    # --- changing subscriptions ----------------------------------------------------------------------------

    def quick_add(self, fields: Fields) -> Json:
        """Add the feed at an address, or of that site; `error` is why there is none, as FreshRSS says it."""
        typed = _one(fields, "quickadd")
        try:
            id_ = self._add(typed, SourceOptions())
        except UsageError as error:
            return {
                "numResults": 0,
                "query": typed[:_MOST_ADDRESS_CHARS],
                "error": str(error),
            }
        name = "".join(one.name for one in self._sources([id_]))
        return {
            "numResults": 1,
            "query": typed,
            "streamId": subscription(id_),
            "streamName": name,
        }

    def edit_subscription(self, fields: Fields) -> str:
        """Add, remove or rename a source, or move it to a folder. Raises UsageError, RefusedError (404)."""
        act, named = _one(fields, "ac"), _one(fields, "s")
        title = manage_sources.given(_one(fields, "t")[:_MOST_NAME_CHARS])
        into, out_of = (_folder(_one(fields, key)) for key in ("a", "r"))
        if act == "subscribe":
            self._add(named, SourceOptions(name=title, folder=into))
            return "OK"
        source = found(self._site, named.removeprefix(_FEED))
        if act == "unsubscribe":
            config, database, _ = self._site.source_services
            manage_sources.remove(config, database, source)
        elif act == "edit":
            is_left = out_of is not None and out_of == source.folder
            folder = into or (None if is_left else UNSET)
            change(
                self._site,
                source,
                ChangeSourceRequest(name=title or UNSET, folder=folder),
            )
        else:
            raise UsageError("`ac` is subscribe, unsubscribe or edit")
        log_change(self._request, act)
        return "OK"

    def _add(self, typed: str, options: SourceOptions) -> str:
        """Return the id of a new source. Raises UsageError."""
        if len(typed) > _MOST_ADDRESS_CHARS:
            raise UsageError(f"an address has at most {_MOST_ADDRESS_CHARS} characters")
        config, database, reader = self._site.source_services
        try:
            added = manage_sources.add(
                config, database, typed.removeprefix(_FEED), options, reader
            )
        except (ReadError, FetchError) as error:
            raise UsageError(str(error)) from error
        log_change(self._request, "add")
        return added.source.id

    def _page(self, fields: Fields, most: int) -> tuple[Json, list[ReaderItem]]:
        """Return the common part of a response, and the items of a page."""
        name = fields.get("s", READING_LIST)
        chosen: dict[str, Any] = {}
        for key, is_in in (("it", True), ("xt", False)):
            for state in fields.getlist(key):
                if state.endswith("/read"):
                    chosen["is_read"] = is_in
                elif is_in and state.endswith("/starred"):
                    chosen["is_starred"] = True
        for key, field in (("ot", "since"), ("nt", "until")):
            if time := moment(fields.get(key, "")):
                chosen[field] = time
        limit = min(most, whole_number(fields.get("n", "")) or _USUAL_ITEMS)
        stream = replace(self.named(name), **chosen, after=fields.get("c") or None)
        items, after = self._marks.items(self._who, self._without_muted(stream), limit)
        common: Json = {"id": name, "updated": int(self._site.clock().timestamp())}
        return common | ({"continuation": after} if after else {}), items


def _one(fields: Fields, key: str) -> str:
    """Return the only value of a field, "" without it. Raises UsageError if there are several."""
    values = {*fields.getlist(key)} or {""}
    if len(values) > 1:
        raise UsageError(f"`{key}` is given more than once")
    return values.pop()


def _folder(label: str) -> str | None:
    """Return the name of the folder in a label; None for "". Raises UsageError for another tag."""
    name = _USER.sub("user/-/", label)
    if name and not name.startswith(_LABEL):
        raise UsageError(f"`a` and `r` are labels, such as {_LABEL}News")
    return manage_sources.given(name.removeprefix(_LABEL)[:_MOST_NAME_CHARS])


def _enclosures(entry: Item) -> list[Json]:
    """Return the media of an item, each with a type that tells clients how to show it."""
    enclosures = []
    for media in entry.media:
        if mime_type(media.type):
            length = (
                {} if media.length_bytes is None else {"length": media.length_bytes}
            )
            enclosures.append({"href": media.url, "type": media.type, **length})
    return enclosures


def _numbers(fields: Fields) -> list[int]:
    """Return the numbers of the items that the client names; others are ignored."""
    named = (item_number(one) for one in fields.getlist("i")[:MOST_IDS])
    return [one for one in named if one is not None]


_CALLS: dict[str, Callable[[Session, Fields], Json | str]] = {
    "user-info": Session.user_info,
    "token": Session.token,
    "tag/list": Session.tags,
    "subscription/list": Session.subscriptions,
    "unread-count": Session.unread_counts,
    "stream/contents": Session.contents,
    "stream/items/ids": Session.item_ids,
    "stream/items/contents": Session.item_contents,
    "edit-tag": Session.edit_tag,
    "rename-tag": Session.rename_tag,
    "disable-tag": Session.disable_tag,
    "preference/list": Session.preferences,
    "preference/stream/list": Session.stream_preferences,
    "mark-all-as-read": Session.mark_all_as_read,
    "subscription/quickadd": Session.quick_add,
    "subscription/edit": Session.edit_subscription,
}
_CHANGES = frozenset({"subscription/quickadd", "subscription/edit"})
_EDITS = _CHANGES | {"edit-tag", "rename-tag", "disable-tag", "mark-all-as-read"}


_BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SECONDS_DIGITS = 11  # at most
# Cursors have no digits for later ones
_LATEST = dt.datetime(3000, 1, 1, tzinfo=dt.UTC)


def microseconds(time: dt.datetime) -> int:
    """Return a time as microseconds since 1970."""
    return (time - _BEGINNING) // dt.timedelta(microseconds=1)


def moment(text: str) -> dt.datetime | None:
    """Return a time before 3000; None for a text that is none.

    It is in seconds, or with 13, 16 or 19 digits in their thousandth, millionth or billionth parts.
    """
    if not re.fullmatch("[0-9]{1,11}|[0-9]{13}|[0-9]{16}|[0-9]{19}", text, re.ASCII):
        return None
    if len(text) <= _SECONDS_DIGITS:
        return min(_BEGINNING + dt.timedelta(seconds=int(text)), _LATEST)
    return _BEGINNING + dt.timedelta(microseconds=int(text.ljust(16, "0")[:16]))


def routes(site: Site, marks: ReadMarks) -> list[Route]:
    """Return the routes of the Google Reader API."""
    api = _Api(site, marks)
    return [
        Route("/accounts/ClientLogin", api.sign_in, methods=["POST"]),
        Route("/reader/api/0/{call:path}", api.answer, methods=["GET", "POST"]),
    ]


class _Api:
    def __init__(self, site: Site, marks: ReadMarks) -> None:
        self._site = site
        self._marks = marks

    async def sign_in(self, request: Request) -> Response:
        """Answer with the authorization of a reader, who is added if new."""
        fields = await _fields(request, _MAX_SIGN_IN_BYTES)
        return await to_thread.run_sync(self._sign_in, request, fields)

    def _sign_in(self, request: Request, fields: Fields) -> Response:
        secret = fields.get("Passwd", "").strip()
        if is_owner(request) and not secret.startswith(TOKEN_PREFIX):
            secret, is_owners = _NO_TOKEN, True
        else:
            token = sign_in(request, secret)
            if token is None or not token.may("read"):
                raise RefusedError(
                    401, "Error=BadAuthentication", headers=BAD_READER_TOKEN
                )
            is_owners = token.may("admin")
        name = reader_name(fields.get("Email", ""))
        if is_owners and self._marks.reader(name) is None:
            name = OWNER  # so that phones and pages have the same marks
        who = self._marks.sign_in(name)
        given = f"{quote(who.name, safe='')}/{secret}"
        names = {"SID": given, "LSID": given, "Auth": given}
        if fields.get("output") == "json":
            return JsonResponse(names, headers=NO_STORE)
        return PlainTextResponse(
            "".join(f"{key}={value}\n" for key, value in names.items()),
            headers=NO_STORE,
        )

    async def answer(self, request: Request) -> Response:
        """Answer a call."""
        fields = await _fields(request, _MAX_BODY_BYTES)
        # It may search for a feed
        if request.path_params["call"].rstrip("/") in _CHANGES:
            return await run_in(self._site.searching, self._answer, request, fields)
        return await to_thread.run_sync(self._answer, request, fields)

    def _answer(self, request: Request, fields: Fields) -> Response:
        name = reader_of(request.headers.get("authorization", ""))
        who = self._marks.reader(name) if name and is_owner(request) else None
        if who is None:
            raise RefusedError(401, "Unauthorized", headers=BAD_READER_TOKEN)
        call: str = request.path_params["call"]
        stream = call.removeprefix("stream/contents/")
        if stream not in ("", call):
            call, fields = (
                "stream/contents",
                ImmutableMultiDict([*fields.multi_items(), ("s", stream)]),
            )
        run = _CALLS.get(call := call.rstrip("/"))
        if run is None:
            raise HTTPException(404, "this call is not supported")
        session = Session(self._site, self._marks, who, request)
        if call in _EDITS and request.method != "POST":
            raise HTTPException(405, headers={"Allow": "POST"})
        if call in _CHANGES:
            require_scope(request, "admin")
        answered = run(session, fields)
        return (
            PlainTextResponse(answered)
            if isinstance(answered, str)
            else JsonResponse(answered)
        )


async def _fields(request: Request, most_bytes: int) -> Fields:
    """Return the fields of the query and the form. Raises UsageError if they cannot be read."""
    try:
        body = (
            await read_body(request, most_bytes, _BODY_SECONDS)
            if request.method == "POST"
            else b""
        )
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=MOST_IDS + 20
        )
    except ValueError as error:
        raise UsageError("the form is invalid") from error
    return ImmutableMultiDict([*request.query_params.multi_items(), *pairs])
