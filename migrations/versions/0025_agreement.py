"""Reports whose text must agree with their story; counts of sources by period.

`article.is_polled`: null for the articles that are stored already. `article.counts_as_report`: these count,
as they did. `source_period`: the counts of `source_history` in one closed stream period, from now on.
`v_follows` finds the stories after one by indexes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_FOLLOWS = """
    SELECT later.id AS story_id, later.title, earlier.id AS earlier_id, earlier.title AS earlier_title
    FROM article
    JOIN story AS founded ON founded.founding_article = article.id
    JOIN story AS later ON later.id = COALESCE(founded.redirect_to, founded.id) AND later.id = article.story
    JOIN story AS named ON named.id = article.follows
    JOIN story AS earlier ON {is_earlier}
    WHERE article.follows IS NOT NULL AND earlier.first_published < later.first_published"""


def upgrade() -> None:
    op.add_column("article", sa.Column("is_polled", sa.Boolean(), nullable=True))
    counted = sa.Column("counts_as_report", sa.Boolean(), server_default=sa.true(), nullable=False)
    op.add_column("article", counted)
    op.create_table(
        "source_period",
        sa.Column("period", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("articles", sa.BigInteger(), nullable=False),
        sa.Column("matched", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("period", "source", name="pk_source_period"),
        sqlite_with_rowid=False,
    )
    _create_follows(
        "earlier.redirect_to IS NULL AND (earlier.id = named.redirect_to OR earlier.id = named.id)"
    )


def downgrade() -> None:
    _create_follows("earlier.id = COALESCE(named.redirect_to, named.id)")
    op.drop_table("source_period")
    op.drop_column("article", "counts_as_report")
    op.drop_column("article", "is_polled")


def _create_follows(is_earlier: str) -> None:
    create = "CREATE OR REPLACE VIEW"  # other views may depend on it
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP VIEW v_follows")
        create = "CREATE VIEW"
    op.execute(f"{create} v_follows AS {_FOLLOWS.format(is_earlier=is_earlier)}")
