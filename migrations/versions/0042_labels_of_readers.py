"""Let readers give labels to stories. Clients of the Google Reader API call them tags."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("read_mark", sa.Column("labels", sa.Text))
