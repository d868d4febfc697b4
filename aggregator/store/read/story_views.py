"""Stories as pages and lists show them."""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.config.story_query import StoryFilter
from aggregator.model.article import ArticleView
from aggregator.model.read_model import StoryPage, StoryRedirect
from aggregator.model.story import StoryName, StoryView
from aggregator.store.read import story_list
from aggregator.store.read.rendered_texts import KEPT
from aggregator.store.read.storyline_views import storylines_by_story
from aggregator.store.stories import article_views, story_rows
from aggregator.store.tables import (
    Row,
    has_rows,
    read_row,
    read_rows,
    rows_in_order,
)
from aggregator.stories.counting.originals import with_originals

_LISTED = f"SELECT {story_list.LIST_COLUMNS} FROM story"  # noqa: S608
MOST_ROWS = 2**31 - 2  # both databases accept a LIMIT of one more


def page_of_stories(connection: Connection, filters: StoryFilter) -> StoryPage:
    """Return a page of the stories that match, the newest bump first. Raises UsageError."""
    rows, following = story_list.page(
        connection, filters, min(filters.limit, MOST_ROWS)
    )
    return StoryPage(stories=_list_views(connection, rows), next=following)


def stories_by_id(
    connection: Connection, ids: tuple[str, ...], /
) -> tuple[StoryView, ...]:
    """Return the live stories with these ids, in the order of the ids, as a page shows them."""
    live = f"{_LISTED} WHERE redirect_to IS NULL AND id IN :ids"
    return _list_views(connection, rows_in_order(connection, live, ids))


def one_story(connection: Connection, id: str) -> StoryView | StoryRedirect | None:
    """Return a story and its articles with text, HTML and evidence; a redirect if it was merged; None if it is gone."""
    present = story_rows.target_of(connection, id)
    if present is None:
        return None
    if present != id:
        return StoryRedirect(to=present)
    row = read_row(connection, f"{_LISTED} WHERE id = :id", id=id)
    members = article_views.views_of_stories(
        connection, [id], "text", "html", "evidence"
    )
    stripped = "SELECT 1 FROM article WHERE story = :id AND text IS NULL LIMIT 1"
    whole = replace(
        _story_view(row, members[id]),
        texts_gone=has_rows(connection, stripped, id=id),
    )
    return _with_subjects(connection, [whole])[0]


def is_gone(connection: Connection, id: str) -> bool:
    """Return whether a story or an article with this id was deleted by `forget` or by retention."""
    return has_rows(
        connection,
        """
        SELECT 1 FROM story WHERE id = :id AND redirect_to = '' UNION SELECT 1 FROM tombstone WHERE article = :id
        """,
        id=id,
    )


def _list_views(connection: Connection, rows: Sequence[Row]) -> tuple[StoryView, ...]:
    members = article_views.rows_of_stories(connection, [row.id for row in rows])
    views = [_listed_view(row, tuple(members[row.id])) for row in rows]
    return _with_subjects(connection, views)


def _with_subjects(
    connection: Connection, views: Sequence[StoryView]
) -> tuple[StoryView, ...]:
    """Return these stories with their names, topics and storylines."""
    ids = [view.id for view in views]
    names = defaultdict(list)
    topics = defaultdict(list)
    for row in read_rows(
        connection,
        """
        SELECT story.id, subject.kind, subject.label, subject.outlets
        FROM story_subject AS subject JOIN story ON story.story_no = subject.story_no
        WHERE story.id IN :ids ORDER BY subject.position
        """,
        ids=ids,
    ):
        if row.kind == "name":
            names[row.id].append(StoryName(name=row.label, outlets=row.outlets))
        else:
            topics[row.id].append(row.label)
    lines = storylines_by_story(connection, ids)
    return tuple(
        replace(
            view,
            names=tuple(names[view.id]),
            topics=tuple(topics[view.id]),
            storyline=lines.get(view.id),
        )
        for view in views
    )


@lru_cache(maxsize=KEPT)
def _listed_view(row: Row, members: tuple[Row, ...]) -> StoryView:
    return _story_view(row, list(map(article_views.view, members)))


def _story_view(row: Row, members: list[ArticleView]) -> StoryView:
    return StoryView(**row._mapping, articles=tuple(with_originals(members)))
