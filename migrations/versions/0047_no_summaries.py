"""No machine-written texts of stories are stored any more."""

from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("story_summary")
