"""Store storylines, each with the stories of one continuing affair, and the affinities of articles to other stories.

Articles that are placed already have no affinities. The articles of the last days are compared once, up to the number
in the counter `affinity_until` (store/stories/storyline_rows.py).
"""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_DAY = {
    "sqlite": "substr({}, 1, 10)",
    "postgresql": "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
}
# The former view, with `storyline` at the end
_STORIES = """
    SELECT id, title, summary,
           CASE WHEN text <> '' THEN text
                WHEN text = '' AND article_count = 1 THEN
                    (SELECT article.text FROM article WHERE article.story = story.id LIMIT 1)
           END AS text, language,
           CASE WHEN EXISTS (SELECT 1 FROM article
                             WHERE article.story = story.id AND article.published IS NOT NULL)
                THEN first_published
           END AS first_published, last_published, bumped_at AS updated,
           article_count, outlet_count, report_count,
           {} AS day, unknown_outlet_count, storyline
    FROM story WHERE redirect_to IS NULL"""
_STORYLINES = """
    SELECT storyline AS storyline_id, id AS story_id, position
    FROM (SELECT storyline, id, COUNT(*) OVER (PARTITION BY storyline) AS story_count,
                 ROW_NUMBER() OVER (PARTITION BY storyline ORDER BY first_published, story_no) AS position
          FROM story WHERE storyline IS NOT NULL AND redirect_to IS NULL) AS standing
    WHERE story_count > 1"""


def upgrade() -> None:
    op.create_table(
        "affinity",
        sa.Column("article", _NUMBER, nullable=False),
        sa.Column("story", sa.BigInteger, nullable=False),
        sa.Column("logit", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("article", "story", name="pk_affinity"),
        sa.ForeignKeyConstraint(
            ["article"],
            ["article.inbox_no"],
            name="fk_affinity_article",
            ondelete="CASCADE",
        ),
        sqlite_with_rowid=False,
    )
    op.add_column("story", sa.Column("storyline", sa.Text))
    where = sa.text("storyline IS NOT NULL")
    op.create_index(
        "ix_story_storyline",
        "story",
        ["storyline", "last_published"],
        sqlite_where=where,
        postgresql_where=where,
    )
    op.execute(
        "INSERT INTO counter (name, value) SELECT 'affinity_until', MAX(inbox_no) FROM article "
        "HAVING MAX(inbox_no) IS NOT NULL"
    )
    connection = op.get_bind()
    dialect = connection.dialect.name
    create = "CREATE OR REPLACE VIEW"
    if dialect == "sqlite":
        # SQLite cannot replace a view.
        create = "CREATE VIEW"
        op.execute("DROP VIEW v_stories")
    day = _DAY[dialect].format("last_published")
    connection.exec_driver_sql(f"{create} v_stories AS {_STORIES.format(day)}")
    connection.exec_driver_sql(f"CREATE VIEW v_storylines AS {_STORYLINES}")
