"""Marks of items: read, starred, labels."""

from aggregator.model.errors import UsageError
from aggregator.web.reader_api.fields import Fields, item_numbers, single
from aggregator.web.reader_api.ids import LABEL, READING_LIST, moment, of_any_user
from aggregator.web.reader_api.session import Session


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
    """Rename a label of the reader. Raises UsageError, HTTPException (404)."""
    label = _label(session, fields)
    name = session.new_label(single(fields, "dest"))
    session.marks.rename_label(session.reader, label, name)
    return "OK"


def disable_tag(session: Session, fields: Fields) -> str:
    """Take a label of the reader off all stories. Raises UsageError, HTTPException (404)."""
    session.marks.rename_label(session.reader, _label(session, fields), None)
    return "OK"


def _label(session: Session, fields: Fields) -> str:
    label = session.new_label(single(fields, "s"))
    return session.known_label(label, "there is no such label")


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
