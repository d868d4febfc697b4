"""Copies are found by sampled shingles alone: there are no LSH keys any more.

More shingles are stored of each text, so revision 0038 computes those of all articles again.
"""

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("lsh_band")
