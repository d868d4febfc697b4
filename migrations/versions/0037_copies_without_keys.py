"""Remove the LSH keys, because copies are found by sampled shingles alone.

More shingles of each text are stored now, so revision 0038 computes the shingles of all articles again.
"""

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("lsh_band")
