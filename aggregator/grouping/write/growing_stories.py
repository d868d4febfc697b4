"""Stories that grow: the state of one with one more article, without reading the others again.

So a burst stays cheap, also of copies. The stories that grew last are in memory.
"""

from collections import OrderedDict
from functools import partial
from typing import NamedTuple

from msgspec.structs import replace

from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.store.engine.database import Connection
from aggregator.store.stories import article_views, articles, stories
from aggregator.store.stories.article_rows import compared_articles
from aggregator.store.stories.articles import PublishedSpan, StoredArticle
from aggregator.store.stories.stories import Membership, StoryRow
from aggregator.stories.counting.copy_groups import origin_link
from aggregator.stories.counting.counts import (
    count_state_of,
    from_bytes,
    resolve_link,
    with_member,
)

_STORIES_KEPT = 300  # in memory with their articles, about 20 KB each


class _KnownStory(NamedTuple):
    """What a story that grew lately needs to grow again."""

    row: StoryRow
    # `shown`: all of its articles, so only small stories are kept
    membership: Membership


class GrowingStories:
    """Rows and states of stories. For one thread of the writer."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _KnownStory] = OrderedDict()

    def forget(self, *changed: str) -> None:
        """Forget these stories, which have changed otherwise; without any, all."""
        if not changed:
            self._known.clear()
        for story in changed:
            self._known.pop(story, None)

    def remember(self, row: StoryRow, membership: Membership) -> None:
        """Keep a story that has just grown."""
        self.forget(row.id)
        if row.article_count <= article_views.SHOWN_MEMBERS:
            self._known[row.id] = _KnownStory(row, membership)
        if len(self._known) > _STORIES_KEPT:
            self._known.popitem(last=False)

    def row(self, unit_of_work: UnitOfWork, story: str) -> StoryRow:
        """Return the row of a live story, which the window or the row of an article names."""
        known = self._known.get(story)
        if known is not None:
            return known.row
        unit_of_work.ledger.write_story(story)
        return live_row(unit_of_work.connection, story)

    def membership(self, unit_of_work: UnitOfWork, row: StoryRow) -> Membership:
        """Return the state of a story, from its row and its articles if it is not in memory."""
        if row.id in self._known:
            self._known.move_to_end(row.id)
            return self._known[row.id].membership
        connection = unit_of_work.connection
        unit_of_work.ledger.write_story(row.id)
        known = None if row.count_state is None else from_bytes(row.count_state)
        has_date = articles.has_date(connection, row.id)
        return Membership(
            count_state=known or count_state_of(articles.members(connection, row.id)),
            span=PublishedSpan(row.first_published, row.last_published, has_date),
            is_container_only=row.container_only,
            last_inbox_no=row.last_inbox_no,
            shown=article_views.views_for_title(
                connection, row.id, row.article_count, row.title_article
            ),
        )


def grown(
    unit_of_work: UnitOfWork, new: StoredArticle, before: Membership
) -> Membership:
    """Return the state of a story with one more article."""
    view = article_views.view_of(new)
    countable = view
    if (linked := origin_link(view)) is not None:
        link = resolve_link(
            before.count_state, linked, partial(_link_of, unit_of_work, new.story)
        )
        countable = replace(view, copy_of=link)
    return Membership(
        count_state=with_member(
            before.count_state, countable, linkable=bool(new.sketch)
        ),
        span=before.span.with_other(articles.published_span([view])),
        is_container_only=before.is_container_only
        and (new.is_container or not new.is_compared),
        last_inbox_no=max(new.inbox_no, before.last_inbox_no),
        shown=sorted([*before.shown, view], key=lambda member: member.effective_at),
    )


def _link_of(unit_of_work: UnitOfWork, story: str, id_: str) -> str | None:
    """Return the text that an article of the story copies or reuses, as it is stored."""
    unit_of_work.ledger.write_story(story)
    return compared_articles.copy_link_of(unit_of_work.connection, id_, story)


def live_row(connection: Connection, story: str) -> StoryRow:
    """Return the row of a live story, which the window or the row of an article names."""
    row = stories.row_of(connection, story)
    assert row is not None, "the window and the rows of articles name live stories"
    return row
