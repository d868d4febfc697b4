"""The articles of one source, and the sources of the articles of stories."""

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from aggregator.model.read_model import ArticleDetail
from aggregator.model.structs import FrozenStruct
from aggregator.store.stories import article_views
from aggregator.store.tables import (
    JOIN_SOURCE,
    Where,
    read_rows,
)

if TYPE_CHECKING:
    from aggregator.store.read.marks.mark_rows import Reader
    from aggregator.store.read.marks.read_marks import View

_MARKED = """
    SELECT 1 FROM story LEFT JOIN read_mark ON read_mark.reader = :reader AND read_mark.story = story.story_no
    WHERE story.id = article.story AND
    """
_IN_VIEW: dict[str, str] = {
    "saved": f"{_MARKED} is_starred",
    "unread": f"{_MARKED} bumped_at > coalesce(read_to, :read_before)",
}


def source_entries(
    connection: Connection,
    source_id: str,
    limit: int,
    offset: int = 0,
    marked_by: "tuple[Reader, View] | None" = None,
) -> list[ArticleDetail]:
    """Return articles of a source, newest arrival first; within one poll, the last placed first.

    With `marked_by`, return only articles whose story is in this view of a reader.
    """
    chosen = Where(
        "source = (SELECT coalesce(folder_name, id) FROM source WHERE id = :source)",
        source=source_id,
    )
    if marked_by is not None:
        who, view = marked_by
        chosen.add(
            f"EXISTS ({_IN_VIEW[view]})",
            reader=who.reader_no,
            read_before=who.read_before,
        )
    # The numbers are read first, so that no texts of skipped articles are read.
    numbers = chosen.read_values(
        connection,
        f"""
        SELECT inbox_no FROM article WHERE {chosen} ORDER BY seen_at DESC, inbox_no DESC
        LIMIT :limit OFFSET :offset
        """,  # noqa: S608
        limit=limit,
        offset=offset,
    )
    entries = f"""
        SELECT {article_views.view_columns()}, story.title AS story_title
        FROM article JOIN story ON story.id = article.story WHERE inbox_no IN :numbers
        """  # noqa: S608
    by_number = {
        row.inbox_no: ArticleDetail(
            article=article_views.view(row),
            story=row.story,
            story_title=row.story_title,
            revisions=0,  # not counted in lists
        )
        for row in read_rows(connection, entries, numbers=numbers)
    }
    return [by_number[number] for number in numbers]


class StorySources(FrozenStruct):
    """The sources of stories. `by_outlet`: the id of a source by story, then by the key or name of an outlet."""

    by_outlet: dict[str, dict[str, str]]
    # The folder that most outlets of a story are in, by story. Stories without a folder are left out.
    folders: dict[str, str]


def story_sources(connection: Connection, story_ids: Collection[str]) -> StorySources:
    """Return the sources that brought the articles of these stories."""
    by_outlet: dict[str, dict[str, str]] = {story_id: {} for story_id in story_ids}
    uses: Counter[tuple[str, str]] = Counter()
    for row in read_rows(
        connection,
        f"""
        SELECT DISTINCT story, source.id, source.folder, article.outlet, outlet_name FROM article {JOIN_SOURCE}
        WHERE story IN :stories
        """,  # noqa: S608
        stories=story_ids,
    ):
        of_story = by_outlet[row.story]
        of_story[row.outlet] = of_story[row.outlet_name or row.outlet] = row.id
        if row.folder:
            uses[row.story, row.folder] += 1
    folders: dict[str, str] = {}
    # If folders are equally frequent, the first in the alphabet is taken.
    for _, story_id, folder in sorted((-count, *use) for use, count in uses.items()):
        folders.setdefault(story_id, folder)
    return StorySources(by_outlet=by_outlet, folders=folders)
