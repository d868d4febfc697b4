"""What the front page shows of its stories, and its folders and topics."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from aggregator.model.entry import Enclosure
from aggregator.model.prepared import OPINION_KINDS
from aggregator.model.read_model import TITLES_LISTED, ListedTitle, StoryListItem
from aggregator.store import codecs
from aggregator.store.stories import article_views
from aggregator.store.stories.articles import ArticleDetails
from aggregator.store.stories.stories import shown_columns
from aggregator.store.tables import (
    IS_LIVE,
    OUTLET_NAME,
    article,
    pairs_with,
    rows_in_order,
    rows_with,
    source,
    story,
    story_log,
    story_subject,
)
from aggregator.stories.titles.title_text import TITLE_CHARS, clean_title_text

_LIVE = select(*shown_columns(StoryListItem)).where(IS_LIVE)
_URLS = select(article.c.story, article.c.url)


def list_stories(
    connection: Connection, ids: Sequence[str]
) -> tuple[StoryListItem, ...]:
    """Return the live ones of these stories, in their order."""
    rows = rows_in_order(connection, _LIVE, story.c.id, ids)
    live = [row.id for row in rows]
    named = (
        select(article.c.story, func.max(OUTLET_NAME))
        .where(article.c.story.in_(live), article.c.outlet.is_not(None))
        .group_by(article.c.story, article.c.outlet)
        .order_by(func.min(article.c.effective_at), article.c.outlet)
    )
    outlets = defaultdict(list)  # by story, those that came first at the beginning
    for story_id, outlet in connection.execute(named):
        outlets[story_id].append(outlet)
    undated = article_views.undated_stories(connection, live)
    pictures = _pictures(connection, live)
    titles = _titles_by_outlet(
        connection, {row.id: row.title for row in rows if row.outlet_count > 1}
    )
    alone = [row.id for row in rows if row.article_count == 1]
    urls = pairs_with(connection, _URLS, article.c.story, alone)
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


def _pictures(connection: Connection, ids: Iterable[str]) -> dict[str, Enclosure]:
    """Return the pictures of the reports whose titles these stories have."""
    pictures = {}
    for row in rows_with(connection, _TITLE_DETAILS, story.c.id, ids):
        with suppress(*codecs.UNREADABLE):  # `db check` tells of damaged details
            for reference in codecs.unpack(row.details, ArticleDetails).media:
                if reference.is_image:
                    pictures[row.id] = reference
    return pictures


_TITLE_ARTICLE = func.coalesce(story.c.title_article, story.c.founding_article)
_TITLE_DETAILS = select(story.c.id, article.c.details).join(
    article, and_(article.c.id == _TITLE_ARTICLE, article.c.story == story.c.id)
)


def _titles_by_outlet(
    connection: Connection, headlines: Mapping[str, str]
) -> Mapping[str, list[ListedTitle]]:
    """Return the newest report of each of a few outlets, by story; none that repeats the headline."""
    titles: defaultdict[str, list[ListedTitle]] = defaultdict(list)
    if not headlines:
        return titles
    for row in connection.execute(_newest_by_outlet(list(headlines))):
        listed = titles[row.story]
        outlet = row.outlet_name or row.outlet
        # As a headline is made of it
        shown_title = clean_title_text(row.title[:TITLE_CHARS], outlet)
        is_headline = headlines[row.story] in (row.title, shown_title)
        if not is_headline and len(listed) < TITLES_LISTED:
            listed.append(ListedTitle(outlet=outlet, title=row.title, url=row.url))
    return titles


def _newest_by_outlet(ids: Sequence[str]) -> Select[Any]:
    """Return the statement for the titles of stories, one more than is listed of each.

    The first two steps read an index that covers them, so no text of an article is read.
    """
    newest = (article.c.effective_at.desc(), article.c.id)
    place_at_outlet = func.row_number().over(
        partition_by=(article.c.story, article.c.outlet), order_by=newest
    )
    of_outlet = (
        select(
            article.c.story,
            article.c.id,
            article.c.effective_at,
            place_at_outlet.label("n"),
        )
        .where(
            article.c.story.in_(ids),
            article.c.outlet.is_not(None),
            article.c.role == "report",
        )
        .subquery()
    )
    order = (of_outlet.c.effective_at.desc(), of_outlet.c.id)
    place = func.row_number().over(partition_by=of_outlet.c.story, order_by=order)
    chosen = (
        select(of_outlet.c.id, of_outlet.c.story, place.label("place"))
        .where(of_outlet.c.n == 1)
        .subquery()
    )
    shown = ("title", "url", "outlet", "outlet_name")
    return (
        select(chosen.c.story, *(article.c[name] for name in shown))
        .join(article, article.c.id == chosen.c.id)
        .where(
            chosen.c.place <= TITLES_LISTED + 1,
            article.c.kind.not_in(OPINION_KINDS),
            article.c.title != "",
        )
        .order_by(chosen.c.story, chosen.c.place)
    )


def new_reports(
    connection: Connection, ids: Sequence[str], since: dt.datetime
) -> dict[str, int]:
    """Return the number of outlets whose reports came into these stories after `since`."""
    joined = (
        select(story_log.c.story, func.count(article.c.outlet.distinct()))
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
    return dict(connection.execute(joined).all())


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
    live = select(story.c.story_no).where(IS_LIVE).order_by(story.c.bumped_at.desc())
    newest = connection.scalars(live.limit(_TOPIC_STORIES)).all()
    # Counted here: asked for topics by key, SQLite reads those of all stories.
    subjects = (
        select(
            story.c.story_no,
            story_subject.c.kind,
            story_subject.c.key,
            story_subject.c.label,
            article.c.outlet,
        )
        .where(story.c.story_no.in_(newest))
        .join(story_subject, story_subject.c.story_no == story.c.story_no)
        .join(article, article.c.story == story.c.id)
    )
    uses = defaultdict(set)
    for row in connection.execute(subjects):
        if row.kind == "topic" and row.outlet is not None:
            uses[row.key].add((row.story_no, row.outlet, row.label))
    shared = []
    for key, of_topic in uses.items():
        stories, outlets, labels = map(set, zip(*of_topic, strict=True))
        if len(stories) > 1 and len(outlets) >= _TOPIC_OUTLETS:
            shared.append((-len(stories), key, min(labels)))
    return tuple(label for _, _, label in sorted(shared)[:_TOPICS_LISTED])
