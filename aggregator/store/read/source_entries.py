"""The articles of one source, and the sources of the articles of stories."""

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, select

from aggregator.model.read_model import ArticleDetail
from aggregator.model.structs import FrozenStruct
from aggregator.store.stories import article_views
from aggregator.store.tables import (
    ENTRY_SOURCE,
    article,
    read_rows,
    source,
    story,
)

if TYPE_CHECKING:
    from aggregator.store.read.marks.mark_rows import Reader
    from aggregator.store.read.marks.read_marks import View

_ENTRIES = f"""
    SELECT {article_views.view_columns()}, story.title AS story_title
    FROM article JOIN story ON story.id = article.story WHERE inbox_no IN :numbers
    """  # noqa: S608
_OUTLETS = "SELECT DISTINCT story, source, outlet, outlet_name FROM article WHERE story IN :stories"


class EntryPage(NamedTuple):
    """A page of the articles of a source. `marked_by`: only articles whose story is in this view of a reader."""

    limit: int
    offset: int = 0
    marked_by: "tuple[Reader, View] | None" = None


def source_entries(
    connection: Connection, source_id: str, wanted: EntryPage
) -> list[ArticleDetail]:
    """Return articles of a source, the last to arrive first; within one poll, the last placed first."""
    name = select(ENTRY_SOURCE).where(source.c.id == source_id).scalar_subquery()
    # Numbers are read first, so that skipped articles cost no texts
    chosen = select(article.c.inbox_no).where(article.c.source == name)
    if wanted.marked_by is not None:
        from aggregator.store.read.marks.read_marks import in_view

        chosen = in_view(
            chosen.join(story, story.c.id == article.c.story), *wanted.marked_by
        )
    chosen = chosen.order_by(article.c.seen_at.desc(), article.c.inbox_no.desc())
    numbers = connection.scalars(chosen.limit(wanted.limit).offset(wanted.offset)).all()
    by_number = {
        row.inbox_no: ArticleDetail(
            article=article_views.view(row),
            story=row.story,
            story_title=row.story_title,
            revisions=0,
        )
        for row in read_rows(connection, _ENTRIES, numbers=numbers)
    }
    return [by_number[number] for number in numbers]


class StorySources(FrozenStruct):
    """The sources of stories. `by_outlet`: ids of sources by story, then by key and names of the outlet."""

    by_outlet: dict[str, dict[str, str]]
    # The folder of most outlets of each story; stories without a folder are left out
    folders: dict[str, str]


def story_sources(connection: Connection, story_ids: Collection[str]) -> StorySources:
    """Return the sources that brought the articles of these stories."""
    rows = read_rows(connection, _OUTLETS, stories=story_ids)
    names = {row.source for row in rows}
    sources = {row.name: row for row in read_rows(connection, _SOURCES, names=names)}
    by_outlet: dict[str, dict[str, str]] = {story_id: {} for story_id in story_ids}
    uses: Counter[tuple[str, str]] = Counter()
    for row in rows:
        known = sources.get(row.source)
        if known is None:
            continue
        of_story = by_outlet[row.story]
        of_story[row.outlet] = of_story[row.outlet_name or row.outlet] = known.id
        if known.folder:
            uses[row.story, known.folder] += 1
    folders: dict[str, str] = {}
    # The first name wins if folders are equally frequent
    for _, story_id, folder in sorted((-count, *use) for use, count in uses.items()):
        folders.setdefault(story_id, folder)
    return StorySources(by_outlet=by_outlet, folders=folders)


_SOURCES = """
    SELECT id, folder, coalesce(folder_name, id) AS name FROM source WHERE coalesce(folder_name, id) IN :names
    """
