"""Converts rows that earlier versions exported to the present form of the tables.

The code for one revision never changes; a later revision adds code of its own.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

OlderRow = Mapping[str, Any]


def as_of_today(table: str, row: OlderRow) -> OlderRow:
    """Return a row of an older export in the form of the newest revision.

    Dropped columns stay, because an import skips columns that it does not know. New columns that are nullable or have
    a default may be missing. An observation loses the hash of a feed's content, which older
    versions computed differently. Versions before 0058 counted the changes of an observation by its contents.
    """
    if table != "observation":
        return row
    if "content_hash" not in row:
        contents = base64.b64decode(row["contents"])
        return {"changes": max(0, len(contents) // 8 - 1), **row}
    content = b""
    if row.get("title_hash") is None:
        content = base64.b64decode(row["content_hash"])[:8]
    return {
        "article": row["article"],
        "source": row["source"],
        "contents": base64.b64encode(content).decode(),
        "changed_at": row["first_seen_at"],
    }


def observed_once(shown: Sequence[OlderRow]) -> OlderRow:
    """Merge the rows of one article and one source, which have one content each, into one row."""
    contents = [bytes(row["contents"]) for row in shown]
    return {
        **shown[0],
        "contents": b"".join(contents)[-512:] if all(contents) else b"",
        "changed_at": max(row["changed_at"] for row in shown),
    }
