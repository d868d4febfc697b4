"""Store with which token a reader was added, because each token may add only some."""

from alembic import op

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE reader ADD COLUMN added_with TEXT")
