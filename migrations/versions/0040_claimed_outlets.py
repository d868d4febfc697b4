"""Store the outlet that only the sender of an article claims, until it is confirmed.

Nothing is known about articles that are stored already.
"""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("article", sa.Column("claimed_outlet", sa.Text))
    claimed = sa.text("claimed_outlet IS NOT NULL")
    op.create_index(
        "ix_article_claimed_outlet",
        "article",
        ["story", "claimed_outlet", "outlet"],
        sqlite_where=claimed,
        postgresql_where=claimed,
    )
