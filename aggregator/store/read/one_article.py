"""One article by itself, for its address in the API."""

from sqlalchemy import Connection, func, select

from aggregator.model.read_model import OneArticle
from aggregator.store.stories import article_text, article_views
from aggregator.store.tables import article, revision, story
from aggregator.stories.counts import with_originals


def one_article(connection: Connection, id_: str) -> OneArticle | None:
    """The article with this id, with its text and evidence; None when there is none.

    Raises DamagedError where the text cannot be read.
    """
    statement = (
        article_views.view_columns("text", "evidence")
        .add_columns(story.c.title.label("story_title"))
        .join(story, story.c.id == article.c.story)
        .where(article.c.id == id_)
    )
    row = connection.execute(statement).first()
    if row is None:
        return None
    article_text.refuse_damaged(row.text, id_)
    kept = select(func.count()).select_from(revision).where(revision.c.article == id_)
    # Whose text a copy prints is known of its whole group alone (stories.counts).
    members = with_originals(article_views.views_of_stories(connection, [row.story])[row.story])
    original = next((one.copy_of for one in members if one.id == id_), row.copy_of)
    return OneArticle(
        article=article_views.view(row, copy_of=original),
        story=row.story,
        story_title=row.story_title,
        revisions=connection.execute(kept).scalar_one(),
        copies=tuple(one for one in members if one.copy_of == id_),
    )
