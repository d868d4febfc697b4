"""Remove other links between stories, because a storyline has the earlier and later stories of a story."""

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0052"
branch_labels = None
depends_on = None

_FOLLOWS = """
    SELECT later.id AS story_id, later.title, earlier.id AS earlier_id, earlier.title AS earlier_title
    FROM story AS later
    JOIN story AS earlier ON earlier.storyline = later.storyline
    WHERE later.redirect_to IS NULL AND earlier.redirect_to IS NULL
      AND (earlier.first_published < later.first_published
           OR earlier.first_published = later.first_published AND earlier.story_no < later.story_no)"""
_LINKS = """
    SELECT story_id, earlier_id AS other_id, 'earlier' AS relation FROM v_follows
    UNION ALL SELECT earlier_id, story_id, 'later' FROM v_follows"""
_DROP = "ALTER TABLE article DROP COLUMN follows"


def upgrade() -> None:
    connection = op.get_bind()
    views = {"v_follows": _FOLLOWS, "v_story_links": _LINKS}
    if connection.dialect.name == "sqlite":
        for name, query in views.items():
            op.execute(f"DROP VIEW {name}")
            connection.exec_driver_sql(f"CREATE VIEW {name} AS {query}")
    else:
        # PostgreSQL can replace views, so that views of users that select from them stay.
        for name, query in views.items():
            connection.exec_driver_sql(f"CREATE OR REPLACE VIEW {name} AS {query}")
    op.drop_table("story_link")
    op.drop_index("ix_article_follows", "article")
    if connection.dialect.name == "sqlite":
        # Otherwise SQLite refuses the change if any view of the user is broken, even a view of other tables.
        connection.exec_driver_sql("PRAGMA writable_schema=ON")
        try:
            connection.exec_driver_sql(_DROP)
        finally:
            connection.exec_driver_sql("PRAGMA writable_schema=OFF")
        return
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(_DROP)
    # A view of the user shows all columns of `article`, so the column stays, without values.
    except sa.exc.DBAPIError:
        connection.exec_driver_sql("UPDATE article SET follows = NULL")
