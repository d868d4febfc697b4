"""Add an index by which the front page counts the outlets that report a story in words of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

OWN_REPORT = "role = 'report' AND NOT is_little_known"


def upgrade() -> None:
    op.create_index(
        "ix_article_told_by",
        "article",
        ["story", "kind", "outlet", "role", "is_little_known"],
        sqlite_where=sa.text(OWN_REPORT),
        postgresql_where=sa.text(OWN_REPORT),
    )
