"""The list items, folders and topics of the front page."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection

from aggregator.model.prepared import OPINION_KINDS
from aggregator.model.read_model import TITLES_LISTED, ListedTitle, StoryListItem
from aggregator.store import codecs
from aggregator.store.stories.stored_articles import ArticleDetails
from aggregator.store.stories.story_rows import shown_columns
from aggregator.store.tables import (
    read_lists,
    read_map,
    read_rows,
    read_values,
    rows_in_order,
)
from aggregator.stories.titles.title_text import TITLE_CHARS, clean_title_text

_LIVE = f"SELECT {shown_columns(StoryListItem)} FROM story WHERE redirect_to IS NULL AND id IN :ids"  # noqa: S608


def list_stories(
    connection: Connection, ids: Sequence[str]
) -> tuple[StoryListItem, ...]:
    """Return those of these stories that are live, in their order."""
    rows = rows_in_order(connection, _LIVE, ids)
    live = [row.id for row in rows]
    # Outlets by story, in the order of their first articles
    outlets = read_lists(
        connection,
        """
        SELECT story, max(coalesce(outlet_name, outlet)) FROM article
        WHERE story IN :stories AND outlet IS NOT NULL GROUP BY story, outlet
        ORDER BY min(effective_at), outlet
        """,
        stories=live,
    )
    # When each story without a dated article (`ArticleView.is_dated`) was first seen
    undated = read_map(
        connection,
        """
        SELECT story, min(seen_at) AS seen_at FROM article WHERE story IN :ids GROUP BY story
        HAVING count(CASE WHEN published_origin <> 'poll' THEN published END) = 0
        """,
        ids=live,
    )
    pictures = {}
    # The picture of a story comes from the article of its headline.
    for row in read_rows(
        connection,
        """
        SELECT story.id, article.details FROM story JOIN article
        ON article.id = coalesce(story.title_article, story.founding_article) AND article.story = story.id
        WHERE story.id IN :ids
        """,
        ids=live,
    ):
        with suppress(*codecs.UNREADABLE):  # `db check` reports damaged details
            for reference in codecs.unpack(row.details, ArticleDetails).media:
                if reference.is_image:
                    pictures[row.id] = reference
    titles = _titles_by_outlet(
        connection, {row.id: row.title for row in rows if row.outlet_count > 1}
    )
    urls = read_map(
        connection,
        "SELECT story, url FROM article WHERE story IN :stories",
        stories=[row.id for row in rows if row.article_count == 1],
    )
    return tuple(
        StoryListItem(
            **row._mapping,
            url=urls.get(row.id),
            outlets=tuple(outlets[row.id]),
            undated_seen=undated.get(row.id),
            titles=tuple(titles[row.id]),
            picture=pictures.get(row.id),
        )
        for row in rows
    )


def _titles_by_outlet(
    connection: Connection, headlines: Mapping[str, str]
) -> Mapping[str, list[ListedTitle]]:
    """Return the titles of the newest reports of a few outlets, by story, except titles that repeat the headline."""
    titles: defaultdict[str, list[ListedTitle]] = defaultdict(list)
    # The inner queries read a covering index, so they read no texts of articles. One title more than listed is read,
    # because one of them may be the headline.
    for row in read_rows(
        connection,
        f"""
        SELECT article.story, title, url, outlet, outlet_name FROM (
          SELECT id, row_number() OVER (PARTITION BY story ORDER BY effective_at DESC, id) AS place FROM (
            SELECT story, id, effective_at,
              row_number() OVER (PARTITION BY story, outlet ORDER BY effective_at DESC, id) AS n FROM article
            WHERE story IN :stories AND outlet IS NOT NULL AND role = 'report'
          ) AS of_outlet WHERE n = 1
        ) AS chosen JOIN article ON article.id = chosen.id
        WHERE place <= {TITLES_LISTED} + 1 AND kind NOT IN ('{"', '".join(sorted(OPINION_KINDS))}') AND title <> ''
        ORDER BY article.story, place
        """,  # noqa: S608
        stories=headlines,
    ):
        listed = titles[row.story]
        outlet = row.outlet_name or row.outlet
        # The title is cleaned in the same way as headlines, so that the two can be compared
        shown_title = clean_title_text(row.title[:TITLE_CHARS], outlet)
        is_headline = headlines[row.story] in (row.title, shown_title)
        if not is_headline and len(listed) < TITLES_LISTED:
            listed.append(ListedTitle(outlet=outlet, title=row.title, url=row.url))
    return titles


def new_reports(
    connection: Connection, ids: Sequence[str], since: datetime
) -> dict[str, int]:
    """Return the number of outlets whose reports came into these stories after `since`."""
    return read_map(
        connection,
        """
        SELECT story_log.story, count(DISTINCT article.outlet)
        FROM story_log JOIN article ON article.id = story_log.article
        WHERE story_log.story IN :stories AND story_log.at > :since
        AND story_log.kind IN ('created', 'joined')
        AND article.story = story_log.story AND article.role = 'report'
        GROUP BY story_log.story
        """,
        stories=ids,
        since=since,
    )


def folders(connection: Connection) -> tuple[str, ...]:
    """Return the names of all folders of sources, sorted."""
    named = "SELECT DISTINCT folder FROM source WHERE folder <> '' ORDER BY folder"
    return tuple(read_values(connection, named))


_TOPICS_LISTED = 10  # tabs; more would not fit above the stories
# A topic is listed if at least this many outlets share it
_TOPIC_OUTLETS = 3
# Newest stories whose topics are counted: the window of the front page
_TOPIC_STORIES = 150


def topics(connection: Connection) -> tuple[str, ...]:
    """Return the topics that several of the newest stories and several outlets share, the most frequent first.

    A topic is a category of a feed. A category that fewer outlets use is only how one publisher sorts its articles.
    """
    # If `kind` were compared without the empty text, SQLite would use its index and read the topics of all stories.
    shared = f"""
        WITH newest AS MATERIALIZED (
          SELECT story_no, id FROM story WHERE redirect_to IS NULL ORDER BY bumped_at DESC LIMIT {_TOPIC_STORIES})
        SELECT count(DISTINCT newest.id) AS stories, subject.key AS key, min(label) AS label
        FROM newest JOIN story_subject AS subject ON subject.story_no = newest.story_no
        JOIN article ON article.story = newest.id WHERE subject.kind || '' = 'topic' AND article.outlet IS NOT NULL
        GROUP BY subject.key HAVING count(DISTINCT newest.id) > 1 AND count(DISTINCT article.outlet) >= {_TOPIC_OUTLETS}
        """  # noqa: S608
    # Sorted in Python, because the order of texts depends on the server.
    ordered = sorted(
        (-row.stories, row.key, row.label) for row in read_rows(connection, shared)
    )
    return tuple(label for _, _, label in ordered[:_TOPICS_LISTED])
