"""Store the id of the record of an article. In the views, undated stories have no time of first publication.

Articles that are stored already have no id, because their records are not read again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_DAY = {
    "sqlite": "substr({}, 1, 10)",
    "postgresql": "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
}
# The former views, with a condition on `first_published`, and with `record_id` at the end
_VIEWS = {
    "v_stories": """
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
               {} AS day, unknown_outlet_count
        FROM story WHERE redirect_to IS NULL""",
    "v_story_articles": """
        SELECT article.story AS story_id, article.id AS article_id,
               (SELECT story.title FROM story WHERE story.id = article.story) AS story_title,
               COALESCE(article.outlet_name, article.outlet) AS outlet,
               article.url, article.title, article.lead, article.text,
               article.author, article.language, article.published, article.published_origin,
               article.published_precision, article.seen_at AS seen, article.effective_at AS effective,
               article.role, article.copy_of, article.wire, article.original,
               article.source AS source_key, {} AS day, article.kind, article.record_id
        FROM article""",
}
_DAY_OF = {"v_stories": "last_published", "v_story_articles": "article.effective_at"}


def upgrade() -> None:
    op.add_column("article", sa.Column("record_id", sa.Text))
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    # PostgreSQL can replace a view, so that views of users that select from it stay. SQLite cannot.
    create = "CREATE VIEW" if is_sqlite else "CREATE OR REPLACE VIEW"
    for name, query in _VIEWS.items():
        if is_sqlite:
            op.execute(f"DROP VIEW {name}")
        day = _DAY[connection.dialect.name].format(_DAY_OF[name])
        connection.exec_driver_sql(f"{create} {name} AS {query.format(day)}")
