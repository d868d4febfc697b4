"""Rows as earlier revisions wrote them, brought to the form of today, for imports of their exports.

What stands here about a revision stays as it is: its migration uses it, too. A later revision adds its own.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import zstandard

Row = Mapping[str, Any]

_LEVEL: Final = 3  # of zstd, as for other texts
_MAX_BYTES: Final = 64 * 1024 * 1024  # of a decompressed text
_UNREADABLE: Final = (zstandard.ZstdError, msgspec.MsgspecError, KeyError, TypeError, AttributeError)


class RowChange(NamedTuple):
    """What a revision changed in the rows of one table.

    Dropped tables and columns need no entry, because an import skips what it does not know. Neither do new
    columns that are nullable or have a default.
    """

    revision: str  # that changed them
    table: str
    renamed: Mapping[str, str]  # former name of a column → its name
    convert: Callable[[Row], Row | None]  # called after the columns were renamed; None: the row is dropped


def as_of_today(table: str, row: Row, revision: str) -> Row | None:
    """Return a row of an export that was made at `revision`, as the newest revision has it; None: dropped."""
    converted: Row | None = row
    for change in _CHANGES:
        if converted is not None and change.table == table and change.revision > revision:
            converted = change.convert(_renamed(converted, change.renamed))
    return converted


def _renamed(row: Row, names: Mapping[str, str]) -> Row:
    renamed = {}
    for name, value in row.items():
        renamed[names.get(name, name)] = value
    return renamed


def _rendered_plainly(row: Row) -> Row:
    """Revision 0034: of a merged text the title and the opening stay; see `plain_rendering`."""
    encoded = row.get("rendered")
    if encoded is None:
        return row
    return {**row, "rendered": plain_rendering(row.get("title", ""), base64.b64decode(encoded))}


def _dropped(_row: Row) -> None:
    """Revision 0034: machine-written summaries belong to facts that no story has any more."""


def _same(row: Row) -> Row:
    return row


_CHANGES: Final = (
    RowChange(
        revision="0034", table="story", renamed={"merged_story": "rendered"}, convert=_rendered_plainly
    ),
    RowChange(revision="0034", table="story_summary", renamed={}, convert=_dropped),
    RowChange(revision="0035", table="article", renamed={"counts_in_centroid": "is_compared"}, convert=_same),
)


def plain_rendering(title: str, merged: bytes) -> bytes:
    """Return what revision 0034 keeps of a merged text of an earlier one: its title and its opening.

    Each report of the opening gives one paragraph of the lead. Without a readable opening the lead is empty,
    and the story has the headline `title`.
    """
    lead: list[dict[str, str]] = []
    try:
        plain = zstandard.decompress(merged, max_output_size=_MAX_BYTES)
        former = msgspec.msgpack.decode(plain)
        lead = _paragraphs(former["summary"])
        title = str(former["title"])
    except _UNREADABLE:
        lead = []
    rendered = {"title": title, "lead": lead, "openings": [], "quotations": [], "version": 1}
    return zstandard.compress(msgspec.msgpack.encode(rendered), _LEVEL)


def _paragraphs(sentences: Sequence[Row]) -> list[dict[str, str]]:
    """Join successive sentences of one article, so that no sentence is attributed to another one."""
    paragraphs: list[dict[str, str]] = []
    for sentence in sentences:
        text, article = str(sentence["text"]), str(sentence["article"])
        if paragraphs and paragraphs[-1]["article_id"] == article:
            paragraphs[-1]["text"] += f" {text}"
        else:
            paragraphs.append({"text": text, "article_id": article})
    return paragraphs
