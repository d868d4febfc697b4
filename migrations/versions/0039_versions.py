"""An article names the text of which it is another version.

Articles that are stored already have none; `recluster` decides about them again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("article", sa.Column("version_of", sa.Text))
