"""Rows as earlier revisions wrote them, brought to the form of today, for imports of their exports.

The code for a revision never changes, because its migration uses it, too. A later revision adds its own.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import zstandard

Row = Mapping[str, Any]

# Compression level of zstd, as for other texts
_LEVEL = 3
# Largest decompressed text
_MAX_BYTES = 64 * 1024 * 1024
_UNREADABLE = (
    zstandard.ZstdError,
    msgspec.MsgspecError,
    KeyError,
    TypeError,
    AttributeError,
)


def as_of_today(table: str, row: Row, revision: str) -> Row:
    """Return a row of an export that was made at `revision`, as the newest revision has it.

    Dropped tables and columns stay, because an import skips those that it does not know. New columns that are
    nullable or have a default may be missing.
    """
    if revision < "0034" and table == "story" and "merged_story" in row:
        row = _plainly_rendered(row)
    if revision < "0033":
        row = _before_baseline(table, row)
    if revision < "0035" and table == "article" and "counts_in_centroid" in row:
        renamed = dict(row)
        renamed["is_compared"] = renamed.pop("counts_in_centroid")
        row = renamed
    if table == "observation" and "content_hash" in row:
        row = _observed(row)
    return row


def observed_once(shown: Sequence[Row]) -> Row:
    """Merge the rows of an article and a source, each with one content, into one row."""
    contents = [bytes(row["contents"]) for row in shown]
    return {
        **shown[0],
        "contents": b"".join(contents)[-512:] if all(contents) else b"",
        "is_authoritative": any(row["is_authoritative"] for row in shown),
        "changed_at": max(row["changed_at"] for row in shown),
    }


def _observed(row: Row) -> Row:
    """Return an observation without the hash of a feed's content, which older versions computed differently."""
    content = b""
    if row.get("title_hash") is None:
        content = base64.b64decode(row["content_hash"])[:8]
    names = "article", "source", "is_authoritative"
    return {
        **{name: row[name] for name in names},
        "contents": base64.b64encode(content).decode(),
        "changed_at": row["first_seen_at"],
    }


def _plainly_rendered(row: Row) -> Row:
    """Keep the title and the opening of a merged text; see `plain_rendering`."""
    rendered = dict(row)
    encoded = rendered.pop("merged_story")
    if encoded is not None:
        encoded = plain_rendering(row.get("title", ""), base64.b64decode(encoded))
    return {**rendered, "rendered": encoded}


def _before_baseline(table: str, row: Row) -> Row:
    """Restore values that the older version compressed, computed on demand, or did not have."""
    changes = {}
    if table == "article":
        changes["is_polled"] = row.get("is_polled") or False
        if row.get("compressed_text") is not None:
            packed = base64.b64decode(row["compressed_text"])
            changes["text"] = _decompressed(packed).decode() if packed else None
    if table == "intake_count" and row.get("outcome") == "earlier":
        # Received before outcomes were counted, and not stored
        changes["outcome"] = "known"
    if table == "story" and row.get("text") == "" and row.get("rendered") is None:
        changes["text"] = None  # it is rendered
    return {**row, **changes}


def _decompressed(blob: bytes) -> bytes:
    return zstandard.decompress(blob, max_output_size=_MAX_BYTES)


def plain_rendering(title: str, merged: bytes) -> bytes:
    """Return the parts of a merged text that revision 0034 keeps: its title and its opening.

    Each report of the opening gives one paragraph of the lead. Without a readable opening the lead is empty,
    and the story has the headline `title`.
    """
    lead = []
    try:
        former = msgspec.msgpack.decode(_decompressed(merged))
        lead = _paragraphs(former["summary"])
        title = str(former["title"])
    except _UNREADABLE:
        pass
    rendered = {
        "title": title,
        "lead": lead,
        "openings": [],
        "quotations": [],
        "version": 1,
    }
    return zstandard.compress(msgspec.msgpack.encode(rendered), _LEVEL)


def _paragraphs(sentences: Sequence[Row]) -> list[dict[str, str]]:
    """Join successive sentences of one article, so that each sentence stays attributed to its own article."""
    paragraphs: list[dict[str, str]] = []
    for sentence in sentences:
        text = str(sentence["text"])
        article = str(sentence["article"])
        if paragraphs and paragraphs[-1]["article_id"] == article:
            paragraphs[-1]["text"] += f" {text}"
        else:
            paragraphs.append({"text": text, "article_id": article})
    return paragraphs
