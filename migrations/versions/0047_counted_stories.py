"""Stories without a state of their counts: these follow from the articles."""

from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("story", "count_state")
