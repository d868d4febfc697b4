"""Store the HTML of an article, as people read it.

Articles that are stored already have none, and are shown as their text in paragraphs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("article", sa.Column("html", sa.LargeBinary))
