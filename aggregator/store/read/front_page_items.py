"""What the front page shows of its stories, and its folders and topics."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from sqlalchemy import Connection, and_, func, select

from aggregator.model.entry import Enclosure
from aggregator.model.prepared import OPINION_KINDS
from aggregator.model.read_model import TITLES_LISTED, ListedTitle, StoryListItem
from aggregator.store import codecs
from aggregator.store.stories import article_views
from aggregator.store.stories.articles import ArticleDetails
from aggregator.store.stories.stories import shown_columns
from aggregator.store.tables import (
    article,
    rows_with,
    source,
    story,
    story_log,
    story_subject,
)
from aggregator.stories.titles.title_text import TITLE_CHARS, clean_title_text

_SHOWN = shown_columns(StoryListItem)
_URLS = select(article.c.story, article.c.url)


def list_stories(
    connection: Connection, ids: Sequence[str]
) -> tuple[StoryListItem, ...]:
    """The live ones of these stories, in their order."""
    chosen = select(*_SHOWN).where(story.c.id.in_(ids), story.c.redirect_to.is_(None))
    rows = {row.id: row for row in connection.execute(chosen)}
    first = func.min(article.c.effective_at)
    named = (
        select(
            article.c.story,
            func.max(func.coalesce(article.c.outlet_name, article.c.outlet)),
        )
        .where(article.c.story.in_(list(rows)), article.c.outlet.is_not(None))
        .group_by(article.c.story, article.c.outlet)
        .order_by(first, article.c.outlet)
    )
    outlets: dict[str, list[str]] = {}
    for story_id, outlet in connection.execute(named):
        outlets.setdefault(story_id, []).append(outlet)
    undated = article_views.undated_stories(connection, rows)
    pictures = _pictures(connection, rows)
    titles = _titles_by_outlet(
        connection,
        {id_: row.title for id_, row in rows.items() if row.outlet_count > 1},
    )
    alone = [id_ for id_, row in rows.items() if row.article_count == 1]
    urls = {
        row.story: row.url
        for row in rows_with(connection, _URLS, article.c.story, alone)
    }
    return tuple(
        StoryListItem(
            **rows[one]._mapping,
            url=urls.get(one),
            outlets=tuple(outlets.get(one, ())),
            undated_seen=undated.get(one),
            titles=tuple(titles.get(one, ())),
            picture=pictures.get(one),
        )
        for one in ids
        if one in rows
    )


def _pictures(connection: Connection, ids: Iterable[str]) -> dict[str, Enclosure]:
    """Return the pictures of the reports whose titles these stories have."""
    lead = func.coalesce(story.c.title_article, story.c.founding_article)
    chosen = select(story.c.id, article.c.details).join(
        article, and_(article.c.id == lead, article.c.story == story.c.id)
    )
    pictures: dict[str, Enclosure] = {}
    for row in connection.execute(chosen.where(story.c.id.in_(list(ids)))):
        with suppress(*codecs.UNREADABLE):  # `db check` tells of damaged details
            for reference in codecs.unpack(row.details, ArticleDetails).media:
                if reference.is_image:
                    pictures[row.id] = reference
    return pictures


def _titles_by_outlet(
    connection: Connection, headlines: Mapping[str, str]
) -> dict[str, list[ListedTitle]]:
    """Return the newest report of each of a few outlets, by story; none that repeats the headline.

    The first two steps read an index that covers them, so no text of an article is read.
    """
    newest = (article.c.effective_at.desc(), article.c.id)
    of_outlet = (
        select(
            article.c.story,
            article.c.id,
            article.c.effective_at,
            func.row_number()
            .over(partition_by=(article.c.story, article.c.outlet), order_by=newest)
            .label("n"),
        )
        .where(
            article.c.story.in_(list(headlines)),
            article.c.outlet.is_not(None),
            article.c.role == "report",
        )
        .subquery()
    )
    order = (of_outlet.c.effective_at.desc(), of_outlet.c.id)
    place = (
        func.row_number()
        .over(partition_by=of_outlet.c.story, order_by=order)
        .label("place")
    )
    chosen = (
        select(of_outlet.c.id, of_outlet.c.story, place)
        .where(of_outlet.c.n == 1)
        .subquery()
    )
    shown = (
        select(
            chosen.c.story,
            article.c.title,
            article.c.url,
            article.c.outlet,
            article.c.outlet_name,
        )
        .join(article, article.c.id == chosen.c.id)
        .where(
            chosen.c.place <= TITLES_LISTED + 1,
            article.c.kind.not_in(OPINION_KINDS),
            article.c.title != "",
        )
        .order_by(chosen.c.story, chosen.c.place)
    )
    titles: dict[str, list[ListedTitle]] = {}
    for row in connection.execute(shown) if headlines else ():
        listed = titles.setdefault(row.story, [])
        outlet = row.outlet_name or row.outlet
        # As a headline is made of it
        shown_title = clean_title_text(row.title[:TITLE_CHARS], outlet)
        if (
            headlines[row.story] not in (row.title, shown_title)
            and len(listed) < TITLES_LISTED
        ):
            listed.append(ListedTitle(outlet=outlet, title=row.title, url=row.url))
    return titles


def new_reports(
    connection: Connection, ids: Sequence[str], since: dt.datetime
) -> dict[str, int]:
    """Return the number of outlets whose reports came into these stories after `since`."""
    joined = (
        select(
            story_log.c.story, func.count(article.c.outlet.distinct()).label("outlets")
        )
        .join(article, article.c.id == story_log.c.article)
        .where(
            story_log.c.story.in_(ids),
            story_log.c.at > since,
            story_log.c.kind.in_(("created", "joined")),
            article.c.story == story_log.c.story,
            article.c.role == "report",
        )
        .group_by(story_log.c.story)
    )
    return {row.story: row.outlets for row in connection.execute(joined)}


def folders(connection: Connection) -> tuple[str, ...]:
    """Return the names of all folders of sources, sorted."""
    named = select(source.c.folder).where(
        source.c.folder.is_not(None), source.c.folder != ""
    )
    return tuple(connection.scalars(named.distinct().order_by(source.c.folder)))


_TOPICS_LISTED = 10  # tabs; more would not fit above the stories
_TOPIC_OUTLETS = 3  # that share a topic which is listed
# Newest stories whose topics are counted: the window of the front page
_TOPIC_STORIES = 150


def topics(connection: Connection) -> tuple[str, ...]:
    """Return the topics that stories of several outlets have, of the newest; the most frequent first.

    A topic is a category of a feed: what fewer outlets use is the order of one house.
    """
    live = (
        select(story.c.story_no)
        .where(story.c.redirect_to.is_(None))
        .order_by(story.c.bumped_at.desc())
    )
    newest = connection.scalars(live.limit(_TOPIC_STORIES)).all()
    # Counted here: asked for topics by key, SQLite reads those of all stories.
    columns = (
        story.c.story_no,
        story_subject.c.kind,
        story_subject.c.key,
        story_subject.c.label,
    )
    subjects = select(*columns, article.c.outlet).where(story.c.story_no.in_(newest))
    joined = subjects.join(story_subject, story_subject.c.story_no == story.c.story_no)
    labels: dict[str, set[str]] = {}
    stories: dict[str, set[int]] = {}
    outlets: dict[str, set[str]] = {}
    for row in connection.execute(joined.join(article, article.c.story == story.c.id)):
        if row.kind == "topic" and row.outlet is not None:
            labels.setdefault(row.key, set()).add(row.label)
            stories.setdefault(row.key, set()).add(row.story_no)
            outlets.setdefault(row.key, set()).add(row.outlet)
    shared = [
        key
        for key in labels
        if len(stories[key]) > 1 and len(outlets[key]) >= _TOPIC_OUTLETS
    ]
    frequent = sorted(shared, key=lambda key: (-len(stories[key]), key))
    return tuple(min(labels[key]) for key in frequent[:_TOPICS_LISTED])
