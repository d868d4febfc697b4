"""The merged texts of stories: worked out after placing, kept beside the story, derived at any time.

A story's row loses its text whenever an article comes; the newest of the untold ones are told first.
"""

from sqlalchemy import select, update

from aggregator.store import articles, blobs
from aggregator.store.database import Database
from aggregator.store.tables import story
from aggregator.stories.counts import with_originals
from aggregator.stories.merge import merge
from aggregator.stories.render import as_text
from aggregator.stories.tuning import StoryRules


def tell_next(database: Database, limit: int, rules: StoryRules) -> int:
    """Work out the merged text of up to `limit` stories that have none; returns how many there were."""
    with database.read() as connection:
        rows = connection.execute(
            select(story.c.id, story.c.title, story.c.last_inbox_no)
            .where(story.c.text.is_(None), story.c.redirect_to.is_(None))
            .order_by(story.c.updated.desc())
            .limit(limit)
        ).all()
        members = articles.views_of_stories(connection, [row.id for row in rows], "text")
    told = []
    for row in rows:
        views = with_originals(members[row.id])
        merged = merge(views, row.title, rules)
        told.append((row, merged, as_text(merged, views)))
    with database.write() as connection:
        for row, merged, text in told:
            connection.execute(
                update(story)
                .where(story.c.id == row.id, story.c.last_inbox_no == row.last_inbox_no)
                .values(merged=blobs.squeeze_noun(merged), text=text)
            )
    return len(rows)
