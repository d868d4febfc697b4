"""Count changes in `observation`, and keep the address that a feed declares as its own.

Placing decides who may change an article, by the source and the address of the article, so that an observation does
not say it any more. Contents that a poll does not need are dropped when the source changes the article next.
"""

from alembic import op

revision = "0058"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE observation ADD COLUMN changes INTEGER NOT NULL DEFAULT 0")
    op.execute(
        "UPDATE observation SET changes = length(contents) / 8 - 1 WHERE length(contents) > 8"
    )
    op.execute("ALTER TABLE observation DROP COLUMN is_authoritative")
    op.execute("ALTER TABLE source ADD COLUMN self_url TEXT")
