"""Changes by a client: marks of items (read, starred, labels), and subscriptions, which are sources.

Subscriptions and folders are changed only with a token of scope admin.
"""

from msgspec import UNSET, UnsetType

from aggregator.intake.manage import adding, changing
from aggregator.intake.manage.adding import SourceOptions
from aggregator.model.errors import FetchError, ReadError, UsageError
from aggregator.web.api.source_routes import (
    ChangeSourceRequest,
    change,
    found_source,
    log_change,
)
from aggregator.web.reader_api.fields import Fields, item_numbers, single
from aggregator.web.reader_api.ids import (
    FEED,
    LABEL,
    READING_LIST,
    moment,
    of_any_user,
    subscription_id,
)
from aggregator.web.reader_api.lists import Json
from aggregator.web.reader_api.session import Session
from aggregator.web.security.visit import require_scope


def edit_tag(session: Session, fields: Fields) -> str:
    """Set or remove marks of items: read, starred, labels. Raises UsageError."""
    states = {}
    labels = {}
    for key, is_added in (("a", True), ("r", False)):
        for tag in fields.getlist(key):
            if of_any_user(tag).startswith(LABEL):
                labels[session.new_label(tag)] = is_added
            match tag.rpartition("/state/com.google/")[2]:
                case "read":
                    states["read"] = is_added
                case "kept-unread":
                    states["read"] = not is_added
                case "starred":
                    states["starred"] = is_added
    if states or labels:
        session.marks.edit(
            session.reader, item_numbers(fields), labels=labels, **states
        )
    return "OK"


def rename_tag(session: Session, fields: Fields) -> str:
    """Rename a folder, or a label of the reader. Raises UsageError, HTTPException (404)."""
    name, dest = folder_of_label(single(fields, "s")), single(fields, "dest")
    if name in session.folders:
        into = folder_of_label(dest)
        if into is None:
            raise UsageError("`dest` is the new label of the folder")
        if into in session.marks.labels(session.reader):
            raise UsageError(
                f'"{into}" is a label of stories; choose another name for a folder'
            )
        session.refuse_query(into, "choose another name for a folder")
        rename_folder(session, name, into)
    else:
        _rename_label(session, name, session.new_label(dest))
    return "OK"


def disable_tag(session: Session, fields: Fields) -> str:
    """Remove a folder from its sources, or a label of the reader from all stories.

    Raises UsageError, HTTPException (404).
    """
    name = folder_of_label(single(fields, "s"))
    if name in session.folders:
        rename_folder(session, name, None)
    else:
        _rename_label(session, name, None)
    return "OK"


def _rename_label(session: Session, name: str | None, new: str | None) -> None:
    session.refuse_query(name or "", "change it in config.yaml")
    session.marks.rename_label(
        session.reader, session.known_label(name or "", "there is no such label"), new
    )


def mark_all_as_read(session: Session, fields: Fields) -> str:
    """Mark the items of a stream as read. Raises UsageError if `ts` is not a time."""
    typed = fields.get("ts", "")
    until = moment(typed) if typed else session.site.clock()
    if until is None:
        raise UsageError(
            "`ts` is a time in seconds since 1970, or with 16 digits in microseconds"
        )
    session.marks.mark_all_read(
        session.reader, session.stream(fields.get("s", READING_LIST)), until
    )
    return "OK"


# The API of sources has the same limits.
_MOST_ADDRESS_CHARS = 2048
_MOST_NAME_CHARS = 200


def quick_add(session: Session, fields: Fields) -> Json:
    """Add the feed at an address, or the feed of that site; `error` states why none was added, as in FreshRSS."""
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
        config, database, _ = session.site.sources
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
    """Add a source and return its id. Raises UsageError."""
    if len(typed) > _MOST_ADDRESS_CHARS:
        raise UsageError(f"an address has at most {_MOST_ADDRESS_CHARS} characters")
    config, database, reader = session.site.sources
    address = typed.removeprefix(FEED)
    try:
        added = adding.add(config, database, address, options, reader)
    except (ReadError, FetchError) as error:
        raise UsageError(str(error)) from error
    log_change(session.request, "add")
    return added.source.id


def rename_folder(session: Session, folder: str, name: str | None) -> None:
    """Give a folder another name; None takes its sources out of it. Raises UsageError, RefusedError (401, 403)."""
    require_scope(session.request, "admin")
    config, database, _ = session.site.sources
    changing.rename_folder(config, database, folder, name)
    log_change(session.request, "rename")


def folder_of_label(label: str) -> str | None:
    """Return the name of the folder in a label; None for "". Raises UsageError for another tag."""
    name = of_any_user(label)
    if name and not name.startswith(LABEL):
        raise UsageError(f'"{name[:100]}" is not a label, such as {LABEL}News')
    return adding.clean_name(name.removeprefix(LABEL)[:_MOST_NAME_CHARS])
