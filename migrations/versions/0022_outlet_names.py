"""Names of outlets beside their keys; articles without an outlet are counted apart.

`article.outlet_name` and `story.unknown_outlet_count`, which `outlet_count` included until here.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_COUNT_UNKNOWN = """
    UPDATE story SET unknown_outlet_count =
        (SELECT COUNT(*) FROM article WHERE article.story = story.id AND article.outlet IS NULL)
    WHERE id IN (SELECT story FROM article WHERE outlet IS NULL)"""
_RECOUNT = (
    "UPDATE story SET outlet_count = outlet_count {} unknown_outlet_count WHERE unknown_outlet_count > 0"
)
_FOR_VIEWS = ("role", "published", "published_precision", "language", "wire", "original", "id")
_NAMED = "COALESCE({0}.outlet_name, {0}.outlet)"
# `{outlet}` and `{original_outlet}` are names from here on; `{more}` is added at the end.
_VIEWS = {
    "v_stories": """
        SELECT id, title, summary,
               CASE WHEN text <> '' THEN text
                    WHEN text = '' AND article_count = 1 THEN
                        (SELECT CASE WHEN article.compressed_text IS NULL THEN article.text END
                         FROM article WHERE article.story = story.id LIMIT 1)
               END AS text, language, first_published, last_published, bumped_at AS updated,
               article_count, outlet_count, report_count,
               CASE WHEN text IS NOT NULL THEN disagreement_count END AS disagreement_count,
               {story_day} AS day{more}
        FROM story WHERE redirect_to IS NULL""",
    "v_story_articles": """
        SELECT article.story AS story_id, article.id AS article_id,
               (SELECT story.title FROM story WHERE story.id = article.story) AS story_title,
               {outlet} AS outlet, article.url, article.title, article.lead,
               CASE WHEN article.compressed_text IS NULL THEN article.text END AS text,
               article.author, article.language, article.published, article.published_origin,
               article.published_precision, article.seen_at AS seen, article.effective_at AS effective,
               article.role,
               article.copy_of, article.wire,
               article.original, article.source AS source_key, {article_day} AS day, article.kind
        FROM article""",
    "v_copies": """
        SELECT article.story AS story_id, article.id AS article_id, {outlet} AS outlet, article.title,
               article.effective_at AS effective, article.role, article.wire,
               original.id AS original_id, {original_outlet} AS original_outlet,
               original.title AS original_title, original.effective_at AS original_effective,
               CASE WHEN article.published_precision = 'minute' AND original.published_precision = 'minute'
                    THEN CAST(({article_seconds} - {original_seconds}) / 60 AS INTEGER)
               END AS minutes_late
        FROM article JOIN article AS original ON original.id = article.original
        WHERE article.original IS NOT NULL""",
    "v_live_links": """
        SELECT COALESCE(described.redirect_to, described.id) AS story_id, article.id AS article_id,
               article.story AS live_blog_story_id, {outlet} AS outlet, article.title, article.url,
               article.effective_at AS effective, live_blog_link.position, live_blog_link.score
        FROM live_blog_link
        JOIN article ON article.inbox_no = live_blog_link.article
        JOIN story AS described ON described.id = live_blog_link.story""",
}


def upgrade() -> None:
    op.add_column("article", sa.Column("outlet_name", sa.Text(), nullable=True))
    op.create_index(
        "ix_article_outlet_name",
        "article",
        ["outlet_name", "outlet"],
        sqlite_where=sa.text("outlet_name IS NOT NULL"),
        postgresql_where=sa.text("outlet_name IS NOT NULL"),
    )
    _replace_covering_index("outlet", "outlet_name")
    op.add_column(
        "story", sa.Column("unknown_outlet_count", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    op.execute(_COUNT_UNKNOWN)
    op.execute(_RECOUNT.format("-"))
    _create_views(
        create="CREATE OR REPLACE VIEW",  # other views may depend on them
        outlet=_NAMED.format("article"),
        original_outlet=_NAMED.format("original"),
        more=", unknown_outlet_count",
    )


def downgrade() -> None:
    for name in _VIEWS:
        op.execute(f"DROP VIEW {name}")
    op.execute(_RECOUNT.format("+"))
    op.drop_column("story", "unknown_outlet_count")
    _replace_covering_index("outlet")
    op.drop_index("ix_article_outlet_name", table_name="article")
    op.drop_column("article", "outlet_name")
    _create_views(create="CREATE VIEW", outlet="article.outlet", original_outlet="original.outlet", more="")


def _replace_covering_index(*outlet: str) -> None:
    op.execute("DROP INDEX IF EXISTS ix_article_for_views")  # revision 0018 may be without it
    op.create_index("ix_article_for_views", "article", ["story", "effective_at", *outlet, *_FOR_VIEWS])


def _create_views(*, create: str, **parts: str) -> None:
    day = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
    seconds = "CAST(EXTRACT(EPOCH FROM date_trunc('second', {}.published)) AS bigint)"
    if op.get_bind().dialect.name == "sqlite":
        create, day = "CREATE VIEW", "substr({}, 1, 10)"
        seconds = "CAST(strftime('%s', substr({}.published, 1, 19)) AS INTEGER)"
    for name, query in _VIEWS.items():
        if create == "CREATE VIEW":
            op.execute(f"DROP VIEW IF EXISTS {name}")
        filled = query.format(
            **parts,
            story_day=day.format("last_published"),
            article_day=day.format("article.effective_at"),
            article_seconds=seconds.format("article"),
            original_seconds=seconds.format("original"),
        )
        op.get_bind().exec_driver_sql(f"{create} {name} AS {filled}")
