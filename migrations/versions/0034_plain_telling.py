"""Rename the rendered form of stories, which gets new content: a lead, openings and quotations.

All live stories wait to be rendered again, except stories whose texts retention has deleted. Only the title and the
opening of their merged text are kept. Machine-written summaries are deleted, because they were made from facts that
no rendered story has any more. They are written again at the configured rate.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
import zstandard
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_AT_ONCE = 200  # stories in memory at once
_LEVEL = 3  # the level of zstd, as for other texts
_MAX_BYTES = 64 * 1024 * 1024  # largest decompressed text
_UNREADABLE = (
    zstandard.ZstdError,
    msgspec.MsgspecError,
    KeyError,
    TypeError,
    AttributeError,
)

_STORY = sa.table(
    "story",
    sa.column("story_no", sa.BigInteger),
    sa.column("id", sa.Text),
    sa.column("redirect_to", sa.Text),
    sa.column("title", sa.Text),
    sa.column("text", sa.Text),
    sa.column("rendered", sa.LargeBinary),
)
_ARTICLE = sa.table("article", sa.column("story", sa.Text), sa.column("text", sa.Text))
_IS_LIVE = _STORY.c.redirect_to.is_(None)
_HAS_TEXTS = sa.exists().where(
    _ARTICLE.c.story == _STORY.c.id, _ARTICLE.c.text.is_not(None)
)


def upgrade() -> None:
    _rename_column()
    last = -1
    while stories := _stories_without_texts(after=last):
        _convert(stories)
        last = stories[-1].story_no
    connection = op.get_bind()
    connection.execute(
        sa.update(_STORY).where(_IS_LIVE, _HAS_TEXTS).values(text=None, rendered=None)
    )
    connection.execute(sa.delete(sa.table("story_summary")))


def _rename_column() -> None:
    rename = "ALTER TABLE story RENAME COLUMN merged_story TO rendered"
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(rename)
        return
    # Otherwise SQLite refuses the change if any view of the user is broken, even a view of other tables.
    connection.exec_driver_sql("PRAGMA writable_schema=ON")
    try:
        connection.exec_driver_sql(rename)
    finally:
        connection.exec_driver_sql("PRAGMA writable_schema=OFF")


def _stories_without_texts(after: int) -> Sequence[sa.Row[tuple[int, str, bytes]]]:
    """Return the next stories that cannot be rendered again, after the story with number `after`."""
    chosen = sa.select(_STORY.c.story_no, _STORY.c.title, _STORY.c.rendered).where(
        _STORY.c.story_no > after, _IS_LIVE, _STORY.c.rendered.is_not(None), ~_HAS_TEXTS
    )
    ordered = chosen.order_by(_STORY.c.story_no).limit(_AT_ONCE)
    return op.get_bind().execute(ordered).all()


def _convert(stories: Sequence[sa.Row[tuple[int, str, bytes]]]) -> None:
    write = sa.update(_STORY).where(_STORY.c.story_no == sa.bindparam("number"))
    write = write.values(rendered=sa.bindparam("plain"))
    rows = [
        {"number": row.story_no, "plain": _plain_rendering(row.title, row.rendered)}
        for row in stories
    ]
    op.get_bind().execute(write, rows)


def _plain_rendering(title: str, merged: bytes) -> bytes:
    """Return the parts of a merged text that revision 0034 keeps: its title and its opening.

    Each article in the opening becomes a paragraph of the lead. If the merged text cannot be read, the lead is empty,
    and `title` is the headline.
    """
    lead = []
    try:
        former = msgspec.msgpack.decode(
            zstandard.decompress(merged, max_output_size=_MAX_BYTES)
        )
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


def _paragraphs(sentences: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return paragraphs of successive sentences of one article, so that each sentence stays with its own article."""
    paragraphs: list[dict[str, str]] = []
    for sentence in sentences:
        text = str(sentence["text"])
        article = str(sentence["article"])
        if paragraphs and paragraphs[-1]["article_id"] == article:
            paragraphs[-1]["text"] += f" {text}"
        else:
            paragraphs.append({"text": text, "article_id": article})
    return paragraphs
