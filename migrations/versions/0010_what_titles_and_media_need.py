"""What the headers of a page forbid, and whose title a story has."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("entry", sa.Column("page_robots", sa.Text(), nullable=True))
    op.add_column("story", sa.Column("title_article", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("story", "title_article")
    op.drop_column("entry", "page_robots")
