"""Text reuse, dates of stories, and copies between outlets.

`article.reuses`: the article whose words another outlet reuses. `story.first_published` and `last_published`
are those of its articles with a date, if it has any. `v_copies` leaves out copies within one outlet.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_SPAN = """
    UPDATE story SET
        first_published = (SELECT MIN(effective_at) FROM article WHERE story = story.id{dated}),
        last_published = (SELECT MAX(effective_at) FROM article WHERE story = story.id{dated})
    WHERE id IN (SELECT story FROM article WHERE published IS NULL)
      AND EXISTS (SELECT 1 FROM article WHERE story = story.id AND published IS NOT NULL)"""
_COPIES = """
    SELECT article.story AS story_id, article.id AS article_id,
           COALESCE(article.outlet_name, article.outlet) AS outlet, article.title,
           article.effective_at AS effective, article.role, article.wire,
           original.id AS original_id, COALESCE(original.outlet_name, original.outlet) AS original_outlet,
           original.title AS original_title, original.effective_at AS original_effective,
           CASE WHEN article.published_precision = 'minute' AND original.published_precision = 'minute'
                THEN CAST(({article} - {original}) / 60 AS INTEGER)
           END AS minutes_late
    FROM article JOIN article AS original ON original.id = article.original
    WHERE article.original IS NOT NULL"""
_BETWEEN_OUTLETS = """
      AND (article.outlet IS NULL OR original.outlet IS NULL OR article.outlet <> original.outlet)"""


def upgrade() -> None:
    op.add_column("article", sa.Column("reuses", sa.Text(), nullable=True))
    op.execute(_SPAN.format(dated=" AND published IS NOT NULL"))
    _create_copies(_BETWEEN_OUTLETS)


def downgrade() -> None:
    _create_copies("")
    op.execute(_SPAN.format(dated=""))
    op.drop_column("article", "reuses")


def _create_copies(condition: str) -> None:
    create, seconds = (
        "CREATE OR REPLACE VIEW",
        (  # other views may depend on it
            "CAST(EXTRACT(EPOCH FROM date_trunc('second', {}.published)) AS bigint)"
        ),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP VIEW v_copies")
        create, seconds = "CREATE VIEW", "CAST(strftime('%s', substr({}.published, 1, 19)) AS INTEGER)"
    query = _COPIES.format(article=seconds.format("article"), original=seconds.format("original"))
    op.get_bind().exec_driver_sql(f"{create} v_copies AS {query}{condition}")
