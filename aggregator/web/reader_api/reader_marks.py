"""Marks of items: read, starred, labels."""

from aggregator.model.errors import UsageError
from aggregator.web.reader_api.fields import Fields, item_numbers, single
from aggregator.web.reader_api.ids import LABEL, READING_LIST, moment, of_any_user
from aggregator.web.reader_api.session import Session
from aggregator.web.reader_api.subscriptions import folder_of_label, rename_folder


def edit_tag(session: Session, fields: Fields) -> str:
    """Mark items as read or starred, label them, or take that back. Raises UsageError."""
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
    """Take the sources out of a folder, or a label of the reader off all stories.

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
    label = session.known_label(name or "", "there is no such label")
    session.marks.rename_label(session.reader, label, new)


def mark_all_as_read(session: Session, fields: Fields) -> str:
    """Mark the items of a stream as read. Raises UsageError if `ts` is not a time."""
    typed = fields.get("ts", "")
    until = moment(typed) if typed else session.site.clock()
    if until is None:
        raise UsageError(
            "`ts` is a time in seconds since 1970, or with 16 digits in microseconds"
        )
    stream = session.stream(fields.get("s", READING_LIST))
    session.marks.mark_all_read(session.reader, stream, until)
    return "OK"
