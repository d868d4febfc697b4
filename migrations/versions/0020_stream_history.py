"""Tables of stream history: document frequencies by day, and counts of outlets; the kind of an article.

Also `article.date_counts`, and `v_story_articles.kind`. Articles that are stored already are reports.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# `v_story_articles` of revision 0019; `{more}` are the columns that it gets here.
_VIEW = """
    SELECT article.story AS story_id, article.id AS article_id,
           (SELECT story.title FROM story WHERE story.id = article.story) AS story_title,
           article.outlet, article.url, article.title, article.lead,
           CASE WHEN article.compressed_text IS NULL THEN article.text END AS text,
           article.author, article.language, article.published, article.published_origin,
           article.published_precision, article.seen_at AS seen, article.effective_at AS effective,
           article.role,
           article.copy_of, article.wire,
           article.original, article.source AS source_key, {day} AS day{more}
    FROM article"""


def upgrade() -> None:
    op.add_column("article", sa.Column("date_counts", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("article", sa.Column("kind", sa.Text(), server_default="report", nullable=False))
    op.add_column("article", sa.Column("kind_evidence", sa.Text(), nullable=True))
    _create_view(", article.kind", create="CREATE OR REPLACE VIEW")  # other views may depend on it
    op.create_table(
        "stream_period",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("last_inbox_no", sa.BigInteger(), nullable=False),
        sa.Column("articles", sa.Integer(), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_stream_period"),
    )
    op.create_table(
        "outlet_history",
        sa.Column("outlet", sa.Text(), nullable=False),
        sa.Column("articles", sa.BigInteger(), nullable=False),
        sa.Column("matched", sa.BigInteger(), nullable=False),
        sa.Column("closed_articles", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("closed_matched", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("outlet", name="pk_outlet_history"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("outlet_history")
    op.drop_table("stream_period")
    op.execute("DROP VIEW v_story_articles")
    op.drop_column("article", "kind_evidence")
    op.drop_column("article", "kind")
    op.drop_column("article", "date_counts")
    _create_view("", create="CREATE VIEW")


def _create_view(more: str, *, create: str) -> None:
    day = "to_char(article.effective_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP VIEW IF EXISTS v_story_articles")
        create, day = "CREATE VIEW", "substr(article.effective_at, 1, 10)"
    op.get_bind().exec_driver_sql(f"{create} v_story_articles AS {_VIEW.format(day=day, more=more)}")
