"""Changes of subscriptions, which are sources; only with a token of scope admin."""

from msgspec import UNSET, UnsetType

from aggregator.intake.manage import adding, changing
from aggregator.intake.manage.adding import SourceOptions
from aggregator.model.errors import FetchError, ReadError, UsageError
from aggregator.web.api.edit_sources import (
    ChangeSourceRequest,
    change,
    found_source,
    log_change,
)
from aggregator.web.reader_api.fields import Fields, single
from aggregator.web.reader_api.ids import FEED, LABEL, of_any_user, subscription_id
from aggregator.web.reader_api.lists import Json
from aggregator.web.reader_api.session import Session
from aggregator.web.security.visit import require_scope

# The API of sources has the same limit.
_MOST_ADDRESS_CHARS = 2048
_MOST_NAME_CHARS = 200


def quick_add(session: Session, fields: Fields) -> Json:
    """Add the feed at an address, or of that site; `error` is why there is none, as FreshRSS says it."""
    typed = single(fields, "quickadd")
    try:
        id_ = _add(session, typed, SourceOptions())
    except UsageError as error:
        query = typed[:_MOST_ADDRESS_CHARS]
        return {"numResults": 0, "query": query, "error": str(error)}
    return {
        "numResults": 1,
        "query": typed,
        "streamId": subscription_id(id_),
        "streamName": "".join(source.name for source in session.sources([id_])),
    }


def edit_subscription(session: Session, fields: Fields) -> str:
    """Add, remove or rename a source, or move it to a folder. Raises UsageError, RefusedError (404)."""
    act = single(fields, "ac")
    stream = single(fields, "s")
    title = adding.clean_name(single(fields, "t")[:_MOST_NAME_CHARS])
    into = folder_of_label(single(fields, "a"))
    out_of = folder_of_label(single(fields, "r"))
    if act == "subscribe":
        _add(session, stream, SourceOptions(name=title, folder=into))
        return "OK"
    source = found_source(session.site, stream.removeprefix(FEED))
    if act == "unsubscribe":
        config, database, _ = session.site.source_services
        changing.remove(config, database, source)
    elif act == "edit":
        folder: str | UnsetType | None = into or UNSET
        if into is None and out_of is not None and out_of == source.folder:
            folder = None
        asked = ChangeSourceRequest(name=title or UNSET, folder=folder)
        change(session.site, source, asked)
    else:
        raise UsageError("`ac` is subscribe, unsubscribe or edit")
    log_change(session.request, act)
    return "OK"


def _add(session: Session, typed: str, options: SourceOptions) -> str:
    """Return the id of a new source. Raises UsageError."""
    if len(typed) > _MOST_ADDRESS_CHARS:
        raise UsageError(f"an address has at most {_MOST_ADDRESS_CHARS} characters")
    config, database, reader = session.site.source_services
    address = typed.removeprefix(FEED)
    try:
        added = adding.add(config, database, address, options, reader)
    except (ReadError, FetchError) as error:
        raise UsageError(str(error)) from error
    log_change(session.request, "add")
    return added.source.id


def rename_folder(session: Session, folder: str, name: str | None) -> None:
    """Give a folder another name; None takes its sources out of it. Raises UsageError, RefusedError (403)."""
    require_scope(session.request, "admin")
    config, database, _ = session.site.source_services
    changing.rename_folder(config, database, folder, name)
    log_change(session.request, "rename")


def folder_of_label(label: str) -> str | None:
    """Return the name of the folder in a label; None for "". Raises UsageError for another tag."""
    name = of_any_user(label)
    if name and not name.startswith(LABEL):
        raise UsageError(f'"{name[:100]}" is not a label, such as {LABEL}News')
    return adding.clean_name(name.removeprefix(LABEL)[:_MOST_NAME_CHARS])
